"""Oscillation of a ligand in forecasts and in the truth, as in the paper's Fig. 3.

    python validation/oscillation.py gpcr-ergotamine --example gpcr-ergotamine
    python validation/oscillation.py MODEL [MODEL ...] --set validation/reference_sets/pocket/tyk2

From the last snapshot that may be known to the end of its replica: RMSF-ligand in sliding windows
of five snapshots, how often each interaction is made (ProLIF), the angles of rotatable bonds.  Of
what draws noise there are several futures.  Beside the models stand a ligand that does not move,
the strongest mean, AR(1) with its noise, and known stretches played again.  The picture shows six
of them, the models first.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from figures.curves import COLOURS
from figures.oscillation import (
    Oscillation,
    compare,
    oscillation,
    rmsf_difference,
    torsion_divergences,
)
from figures.oscillation_figure import oscillation_figure
from openmm_neuralmd.analysis.ensemble import TORSION_EDGES, rotatable_torsions
from openmm_neuralmd.analysis.evaluation import NO_CHEMISTRY, Chemistry
from openmm_neuralmd.analysis.interactions import Occupancies, pocket_molecule
from openmm_neuralmd.analysis.poses import heavy_molecule
from openmm_neuralmd.assessment.chemistry import find_chemistry
from openmm_neuralmd.assessment.contestants import (
    learned_samplers,
    naive_forecasts,
    naive_samplers,
)
from openmm_neuralmd.assessment.stretch import Stretch, learned_snapshots
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import GPCR_FOLDER, example, example_trajectory
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.trajectory.snapshots import Snapshots
from openmm_neuralmd.utils.progress import progress_bar
from result_files import save
from runs import read_run

HERE = Path(__file__).parent
STILL = ("persistence", "projected-recent-mean")
"""Naive baselines that are shown."""
DRAWN = {"ar1": "AR(1) with noise", "replay": "known, played again"}
"""Naive samplers and their display names."""
HALF = "first half of the truth"
"""The ceiling of the distributions: known from the truth itself, of half the length."""


def packaged(name: str) -> tuple[Snapshots, Chemistry]:
    """An example; its protein with hydrogens is in ProLIF, where the example comes from."""
    snapshots = example(name)
    if name != "gpcr-ergotamine":
        return snapshots, NO_CHEMISTRY
    from prolif.datafiles import TOP

    numbers = snapshots.complex.ligand_atomic_numbers
    protein = pocket_molecule(TOP, snapshots.complex, snapshots.ligand[0])
    return snapshots, Chemistry(heavy_molecule(GPCR_FOLDER / "ligand.sdf", numbers), protein)


def from_set(folder: Path) -> tuple[Snapshots, Chemistry]:
    """A complex of a reference set."""
    snapshots = read_run(folder)
    return snapshots, find_chemistry(folder / "ligand.sdf", snapshots)


def stretch_of(snapshots: Snapshots, share: float, ahead: int | None) -> Stretch:
    """Stretch that follows the first `share` of the snapshots, inside its replica."""
    first = round(share * len(snapshots))
    replica = next(part for part in snapshots.segments if first in part)
    own = snapshots[replica.start : replica.stop]
    begin = first - replica.start
    end = len(own) if ahead is None else min(len(own), begin + ahead)
    return Stretch(own, range(begin, end), ahead=end - begin, every=1)


def check_unseen(model: Model, trajectory: Path, first: int) -> None:
    """Refuse a model that has learned from what it would forecast."""
    learned = learned_snapshots(model, trajectory)
    if learned > first:
        raise InputError(
            f"model '{model.card.name}' has learned from snapshots 0 to {learned - 1} of this "
            f"trajectory, but the first to forecast is {first}; take a larger --share"
        )


def label_of(model: Model, path: str, models: list[Model]) -> str:
    """The dynamics, and the file where there are several of one dynamics."""
    same = sum(other.card.kind == model.card.kind for other in models) > 1
    return f"{model.card.kind}, {Path(path).stem}" if same else model.card.kind


def all_futures(stretch: Stretch, models: dict[str, Model]) -> dict[str, np.ndarray]:
    """Futures (R, S, n, 3) in Å of every method, models first."""
    known = stretch.snapshots.ligand[: stretch.part.start].copy()
    count, forecast = len(stretch.part), {}
    with progress_bar("futures", len(models) + len(STILL) + 2, "methods") as advance:
        for label, model in models.items():
            model.check(stretch.snapshots.complex, stretch.snapshots.interval_ps)
            forecast[label] = learned_samplers(model, stretch.snapshots, label)[label](known, count)
            advance(1, label)
        forecasts = naive_forecasts(stretch.bonds, stretch.others)
        for name in STILL:
            forecast[name] = forecasts[name](known, count)[None]
            advance(1, name)
        for name, sampler in naive_samplers(stretch.bonds, stretch.others).items():
            forecast[DRAWN[name]] = sampler(known, count)
            advance(1, name)
    return forecast


def details(measured: Oscillation) -> dict[str, Any]:
    """Curves and counts for the result file."""
    return {
        "curve": [round(value, 4) for value in measured.curve.tolist()],
        "torsion_shares": [[round(p, 4) for p in row] for row in measured.histograms.tolist()],
        "occupancy": listed(measured.occupancy or {}),
    }


def listed(occupancy: Occupancies) -> dict[str, float]:
    """Interactions by 'RESIDUE Kind', most frequent first."""
    ordered = sorted(occupancy.items(), key=lambda item: (-item[1], item[0]))
    return {f"{residue} {kind}": round(share, 4) for (residue, kind), share in ordered}


def measure(
    stretch: Stretch,
    chemistry: Chemistry,
    models: dict[str, Model],
    picture: Path,
    title: str,
) -> dict[str, Any]:
    """All numbers and the picture."""
    complex = stretch.snapshots.complex
    truth = stretch.snapshots.ligand[stretch.part.start : stretch.part.stop]
    futures = all_futures(stretch, models)
    quadruples = rotatable_torsions(stretch.bonds, truth.shape[1])
    measured = {}
    with progress_bar("interactions and torsions", len(futures) + 1, "methods") as advance:
        for name, x in {"truth": truth[None], **futures}.items():
            measured[name] = oscillation(x, quadruples, chemistry)
            advance(1, name)
    rows: dict[str, Any] = {
        name: {
            **compare(measured["truth"], measured[name]),
            "rmsf_difference": list(rmsf_difference(measured["truth"], measured[name])),
        }
        for name in futures
    }
    for name, value in torsion_divergences(truth, futures, stretch.bonds).items():
        rows[name]["torsion_divergence"] = value
    rows[HALF] = halves(truth, stretch, quadruples, chemistry)
    atoms = list(complex.topology.atoms())
    names = [atoms[i].name for i in complex.ligand_sites]
    drawn = list(futures)[: len(COLOURS)]
    picture.parent.mkdir(parents=True, exist_ok=True)
    oscillation_figure(
        picture,
        title=title,
        truth=truth,
        futures={name: futures[name] for name in drawn},
        measured={name: measured[name] for name in ("truth", *drawn)},
        quadruples=quadruples,
        names=names,
        first=stretch.part.start + 1,
    )
    return {
        "methods": {name: {k: _plain(v) for k, v in row.items()} for name, row in rows.items()},
        "torsions": [[names[i] for i in four] for four in quadruples.tolist()],
        "torsion_edges": TORSION_EDGES.tolist(),
        "details": {name: details(own) for name, own in measured.items()},
    }


def halves(
    truth: np.ndarray, stretch: Stretch, quadruples: np.ndarray, chemistry: Chemistry
) -> dict[str, float]:
    """The first half of the truth as a forecast of how the second is distributed."""
    middle = len(truth) // 2
    first, second = truth[None, :middle], truth[None, middle : 2 * middle]
    row = compare(*(oscillation(x, quadruples, chemistry) for x in (second, first)))
    del row["rmsf_time_correlation"]  # of other times
    divergence = torsion_divergences(second[0], {HALF: first}, stretch.bonds)[HALF]
    return {**row, "torsion_divergence": divergence}


def _plain(value: Any) -> Any:
    """Replace what is not a number by None, since JSON has no NaN."""
    if isinstance(value, list):
        return value
    return None if np.isnan(value) else float(value)


def main() -> None:
    """Forecast, measure, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*", help="bundled names, or model files")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--example", help="a packaged complex with a trajectory")
    where.add_argument("--set", type=Path, help="folder of a complex in a reference set")
    parser.add_argument(
        "--share", type=float, default=0.8, help="share of the snapshots that may be known"
    )
    parser.add_argument("--ahead", type=int, help="snapshots to forecast; default: to the end")
    parser.add_argument("--json", type=Path, help="result file, and the picture beside it")
    arguments = parser.parse_args()
    read = packaged(arguments.example) if arguments.example else from_set(arguments.set)
    snapshots, chemistry = read
    loaded = [load_model(path) for path in arguments.models]
    file = (
        example_trajectory(arguments.example)
        if arguments.example
        else arguments.set / "trajectory.xtc"
    )
    for model in loaded:
        check_unseen(model, file, round(arguments.share * len(snapshots)))
    models = {
        label_of(model, path, loaded): model
        for path, model in zip(arguments.models, loaded, strict=True)
    }
    stretch = stretch_of(snapshots, arguments.share, arguments.ahead)
    name = snapshots.complex.name
    pictures = arguments.json.parent if arguments.json else HERE.parent / "docs" / "images"
    stem = arguments.json.stem if arguments.json else f"oscillation-{name}"
    picture = pictures / f"{stem}.png"
    result = {
        "what": "oscillation of a ligand in forecasts, beside the truth",
        "complex": name,
        "interval_ps": snapshots.interval_ps,
        "known": stretch.part.start,
        "forecast": len(stretch.part),
        "models": {
            label: {"name": m.card.name, "kind": m.card.kind, "sha256": m.sha256}
            for label, m in models.items()
        },
        **measure(
            stretch, chemistry, models, picture, f"{name}: {len(stretch.part)} snapshots ahead"
        ),
    }
    save(f"oscillation-{name}", result, arguments.json)
    for method, row in result["methods"].items():
        values = ", ".join(f"{k} {v:.3g}" for k, v in row.items() if isinstance(v, float))
        print(f"{method}: {values}")
    print(f"wrote {picture}")


if __name__ == "__main__":
    main()
