"""Tables of benchmarks/training.py and benchmarks/training_step.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from openmm_neuralmd.analysis.markdown import rounded, table
from result_files import ROOT, missing, origin

RESULTS = ROOT / "benchmarks" / "results"
Columns = dict[str, Callable[[dict[str, Any]], str]]
"""Title of each column, and its cell for a row."""


def training_speed() -> str:
    """Speed and memory for batches of several complexes."""
    columns: Columns = {
        "network, complexes": lambda row: f"{row['network']}, {row['complexes']}",
        "snapshots/s": lambda row: rounded(row["snapshots_per_second"]),
        "over one complex": lambda row: f"{row['rate_over_one_complex']:.2f}",
        "ms a gradient": spread,
        "peak, MB": lambda row: f"{row['peak_mb']:,.0f}",
    }
    return tabulated("training", columns)


def training_step() -> str:
    """One training step over one of the published code."""
    columns: Columns = {
        "complex, snapshots": lambda row: f"{row['complex']}, {row['window']}",
        "over the published step": lambda row: f"{row['over_published']:.2f}",
        "CPU ms": spread,
        "peak, MB": lambda row: f"{row['peak_mb']:,.0f}",
    }
    return tabulated("training_step", columns)


def spread(row: dict[str, Any]) -> str:
    """Least and greatest of the repeats."""
    return f"{row['ms']['least']:,.0f} to {row['ms']['greatest']:,.0f}"


def tabulated(name: str, columns: Columns) -> str:
    """A table of a benchmark's rows, or what to do where it was not run."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return missing(f"python benchmarks/{name}.py")
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = [[cell(row) for cell in columns.values()] for row in content["rows"]]
    return f"{content['what']}.\n\n{table(list(columns), rows)}\n{origin(content['provenance'])}"


TRAINING: dict[str, Callable[[], str]] = {
    "training-speed": training_speed,
    "training-step": training_step,
}
