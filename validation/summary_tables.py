"""The two short tables of README.md; the full ones are on docs/results.md."""

from __future__ import annotations

from collections.abc import Callable

from accuracy_tables import COMMAND, LEARNED, NAIVE, result_of
from hybrid_tables import INDEPENDENT, gain
from openmm_neuralmd.analysis.markdown import interval, rounded, table
from result_files import measured, missing, read

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
JUMPS = "jumps by GROMACS, dragged, given the run"
"""Sampler of `independent.py` in the table of speed."""


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
    """Return the CPU time of an independent pose, by MD and by jumps, for each complex."""
    if not measured("independent"):
        return missing(INDEPENDENT)
    rows = []
    for name, content in read("independent")["complexes"].items():
        jumps, pose = content["samplers"][JUMPS], "coordinates"
        of_md = [content[key] for key in ("long_md", "long_md_by_gromacs")]
        costs = [one["cpu_seconds_per_independent_sample"][pose] for one in (*of_md, jumps)]
        rows.append(
            [
                name,
                *map(rounded, costs),
                *(gain(jumps, "gain_over_gromacs", key) for key in (pose, "slowest torsion")),
                f"{jumps['rmsf_ratio']:.2f}",
            ]
        )
    header = [
        "CPU seconds for an independent pose",
        "MD, OpenMM",
        "MD, GROMACS",
        "hybrid jumps",
        "gain over GROMACS",
        "gain, slowest torsion",
        "RMSF over that of MD",
    ]
    return table(header, rows)


SUMMARY: dict[str, Callable[[], str]] = {"accuracy-summary": accuracy, "speed-summary": speed}
"""Every table by its marker."""
