"""The two short tables of README.md; the full ones are on docs/results.md."""

from __future__ import annotations

from collections.abc import Callable

from accuracy_tables import COMMAND, LEARNED, NAIVE, result_of
from openmm_neuralmd.analysis.markdown import interval, rounded, table
from openmm_neuralmd.utils.times import show_time
from result_files import missing, read
from speed.validity import counts

SETS = {"gpcr": "5-HT1B, 6 ns", "flexible": "flexible, 1 ps"}
"""Comparisons in the table of accuracy, with their column titles."""
METHODS = (
    "neuralmd-ode",
    "neuralmd-ode, F = 0",
    "gnn-md",
    "verletmd",
    "projected-recent-mean",
    "persistence",
)
TIMED = {
    "all-atom, OpenMM: flexible, implicit (OBC2), cutoff 1.2 nm, 4 fs with heavy hydrogens": (
        "all-atom MD, OpenMM, implicit solvent, 4 fs"
    ),
    "all-atom, GROMACS: flexible, explicit (TIP3P), 4 fs with heavy hydrogens": (
        "all-atom MD, GROMACS, explicit solvent, 4 fs"
    ),
    "NeuralMD in OpenMM, TorchForce": "NeuralMD in OpenMM",
    "NeuralMD in torch, 64 replicas at once": "NeuralMD in torch, 64 replicas",
}
"""Rows of the speed comparison in the short table, with their short titles."""


def accuracy() -> str:
    """Return RMSE and Stability of six methods on two sets, with 95 % intervals."""
    results = {name: result_of(name) for name in SETS}
    absent = [name for name, result in results.items() if result is None]
    if absent:
        return missing(COMMAND.format(absent[0]))
    header = [""]
    for title in SETS.values():
        header += [f"{title}: RMSE, Å", "Stability, %"]
    titles = LEARNED | NAIVE
    rows = []
    for method in METHODS:
        row = [titles[method]]
        for result in results.values():
            assert result is not None
            errors = result["errors"][method]
            row += [interval(errors["rmse"], 2), interval(errors["stability"], 1)]
        rows.append(row)
    return table(header, rows)


def speed() -> str:
    """Return simulated time per day of four ways to simulate T4 lysozyme with p-xylene."""
    result = read("speedup-t4l-p-xylene")
    ratios = result["ratio_to_fastest_all_atom"]
    rows = []
    for side, title in TIMED.items():
        row, ratio = result["rows"][side], ratios.get(side, {})
        rows.append(
            [
                title,
                f"{row['moving_atoms']:,}",
                rounded(row["ns_per_day"]["median"]),
                rounded(ratio["at_model_interval"]) if ratio else "",
                counts(result["validity"]) if ratio else "",
            ]
        )
    interval_of_model = show_time(result["interval_ps"])
    header = [
        "",
        "moving atoms",
        "ns/day",
        f"ratio to the fastest MD, interval {interval_of_model}",
        "checks on the validity card",
    ]
    return table(header, rows)


SUMMARY: dict[str, Callable[[], str]] = {"accuracy-summary": accuracy, "speed-summary": speed}
"""Every table by its marker."""
