"""Goals, and their outcome by a comparison of `accuracy.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from accuracy_tables import COMPARISONS, NAIVE, result_of
from openmm_neuralmd.analysis.evaluation import HALVES
from openmm_neuralmd.analysis.markdown import table

Result = dict[str, Any]
SETS = {
    "gpcr": "5-HT1B",
    "pocket": "pocket",
    "pocket-left-out": "pocket, unseen",
    "flexible": "flexible",
    "fine": "pocket, 0.2 ps",
    "rigid": "rigid",
    "rigid-left-out": "rigid, unseen",
}
ODE, SDE, NOISY = "neuralmd-ode", "neuralmd-sde", "ar1"
VALID = 95.0
"""%: a forecast with so many valid snapshots is a molecule."""
DIRECTIONS = {"mae": -1, "rmse": -1, "matching": -1, "stability": 1}
"""Which way is better."""
NAMES = NAIVE | {
    "verletmd": "VerletMD",
    "gnn-md": "GNN-MD",
    "denoising-ld": "DenoisingLD",
    "rmse": "RMSE",
    "mae": "MAE",
    "matching": "Matching",
    "stability": "Stability",
}
RATIOS = (0.8, 1.25)
CORRELATION, TORSIONS, POINTS = 0.8, 1.5, 5.0
OPTIMA: dict[str, Callable[[float], float]] = {
    "rmsf_ratio": lambda value: abs(math.log(value)),
    "rmsf_correlation": lambda value: -value,
    "torsion_divergence": float,
    "distance_divergence": float,
    "time_ratio": lambda value: abs(math.log(value)),
    "posebusters": lambda value: -value,
    "interaction_recovery": lambda value: -value,
}
"""How far an ensemble metric is from what it should be."""
TITLES = {
    "rmsf_ratio": "RMSF ratio",
    "rmsf_correlation": "RMSF correlation",
    "torsion_divergence": "torsions",
    "distance_divergence": "distances",
    "time_ratio": "memory",
    "posebusters": "PoseBusters",
    "interaction_recovery": "interactions",
}


def verdict(missed: Sequence[str]) -> str:
    """Reached, or what is missing."""
    return "**reached**" if not missed else f"missed: {', '.join(missed)}"


def not_better(result: Result, others: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """List the comparisons in which NeuralMD-ODE is not better by its paired interval."""
    gaps = result["differences"][ODE]
    return [
        f"{NAMES[metric]} of {NAMES[other]}"
        for other in others
        if other in gaps
        for metric in metrics
        if not _excludes(gaps[other][metric], DIRECTIONS[metric])
    ]


def _excludes(gap: Sequence[float], direction: int) -> bool:
    """Test whether a whole interval is on the better side; a single value is its own interval."""
    return all(direction * value > 0 for value in gap[1:] or gap)


def valid_naive(result: Result) -> list[str]:
    """Naive baselines that are molecules."""
    errors = result["errors"]
    return [
        name for name in NAIVE if name in errors and errors[name]["bond_angle_validity"][0] >= VALID
    ]


def reconstruction(result: Result) -> str:
    """NeuralMD-ODE better than what is naive and valid, and itself valid."""
    missed = not_better(result, valid_naive(result), ("rmse", "stability"))
    if (valid := result["errors"][ODE]["bond_angle_validity"][0]) < VALID:
        missed.append(f"{valid:.0f} % valid")
    return verdict(missed)


def dynamics(result: Result) -> str | None:
    """NeuralMD-ODE better than the paper's other dynamics in all four metrics."""
    others = [name for name in ("verletmd", "gnn-md", "denoising-ld") if name in result["errors"]]
    return verdict(not_better(result, others, tuple(DIRECTIONS))) if others else None


def unseen(result: Result) -> str | None:
    """NeuralMD-ODE better than persistence where the complex was not learned from."""
    if result["settings"]["protocol"] != "left-out" or len(result["data"]) < 2:
        return None
    return verdict(not_better(result, ["persistence"], ("matching", "stability")))


def fluctuations(result: Result) -> str | None:
    """NeuralMD-SDE's RMSF, ratio and correlation over atoms."""
    row = _ensemble(result, SDE)
    if row is None:
        return None
    missed = []
    if not RATIOS[0] <= row["rmsf_ratio"] <= RATIOS[1]:
        missed.append(f"ratio {row['rmsf_ratio']:.2f}")
    if row["rmsf_correlation"] < CORRELATION:
        missed.append(f"correlation {row['rmsf_correlation']:.2f}")
    return verdict(missed)


def torsions(result: Result) -> str | None:
    """Torsion divergence beside that of the halves of the truth."""
    row, halves = _ensemble(result, SDE), _ensemble(result, HALVES)
    if row is None or halves is None:
        return None
    times = row["torsion_divergence"] / halves["torsion_divergence"]
    return verdict([] if times <= TORSIONS else [f"{times:.1f} times that of the halves"])


def noise(result: Result) -> str | None:
    """NeuralMD-SDE beside AR(1) with its noise, metric by metric."""
    row, other = _ensemble(result, SDE), _ensemble(result, NOISY)
    if row is None or other is None:
        return None
    return verdict(
        [
            TITLES[key]
            for key, far in OPTIMA.items()
            if key in row and key in other and not far(row[key]) < far(other[key])
        ]
    )


def poses(result: Result) -> str | None:
    """PoseBusters' pass rate beside that of MD's own snapshots."""
    row, halves = _ensemble(result, SDE), _ensemble(result, HALVES)
    if row is None or halves is None or "posebusters" not in row:
        return None
    less = halves["posebusters"] - row["posebusters"]
    return verdict([] if less <= POINTS else [f"{less:.0f} points less"])


def _ensemble(result: Result, name: str) -> dict[str, float] | None:
    """Means of an ensemble's metrics."""
    row: Mapping[str, Sequence[float]] | None = result["ensembles"].get(name)
    return None if row is None else {key: values[0] for key, values in row.items()}


GOALS: dict[str, Callable[[Result], str | None]] = {
    "NeuralMD-ODE better than every valid naive baseline in RMSE and Stability": reconstruction,
    "NeuralMD-ODE better than VerletMD, GNN-MD and DenoisingLD in all four metrics": dynamics,
    "NeuralMD-ODE better than persistence in Matching and Stability, complexes unseen": unseen,
    "NeuralMD-SDE: RMSF ratio 0.8 to 1.25, correlation 0.8 or more": fluctuations,
    "NeuralMD-SDE: torsions at most 1.5 times as far as the truth's halves": torsions,
    "NeuralMD-SDE nearer to the truth than AR(1) with noise in every metric": noise,
    "NeuralMD-SDE: PoseBusters within 5 points of MD's snapshots": poses,
}


def goals(names: Sequence[str]) -> str:
    """A row for each goal and set that was measured."""
    rows = []
    for goal, judge in GOALS.items():
        judgements = {SETS[name]: judge(result) for name in names if (result := result_of(name))}
        rows += [[goal, on, said] for on, said in judgements.items() if said is not None]
    return table(["goal", "set", ""], rows).replace("---:", "---")


GOAL_TABLES: dict[str, Callable[[], str]] = {"goals": partial(goals, COMPARISONS)}
