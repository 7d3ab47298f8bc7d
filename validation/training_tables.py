"""Tables of benchmarks/training.py and benchmarks/training_step.py."""

from __future__ import annotations

import json
from collections.abc import Callable

from openmm_neuralmd.analysis.markdown import rounded, table
from result_files import ROOT, missing, origin

RESULT = ROOT / "benchmarks" / "results" / "training.json"
STEP = RESULT.with_name("training_step.json")


def training_speed() -> str:
    """Speed and memory for batches of several complexes."""
    if not RESULT.is_file():
        return missing("python benchmarks/training.py")
    content = json.loads(RESULT.read_text(encoding="utf-8"))
    rows = [
        [
            f"{row['network']}, {row['complexes']}",
            rounded(row["snapshots_per_second"]),
            f"{row['rate_over_one_complex']:.2f}",
            f"{row['ms']['least']:,.0f} to {row['ms']['greatest']:,.0f}",
            f"{row['peak_mb']:,.0f}",
        ]
        for row in content["rows"]
    ]
    header = ["network, complexes", "snapshots/s", "over one complex", "ms a gradient", "peak, MB"]
    return f"{content['what']}.\n\n{table(header, rows)}\n{origin(content['provenance'])}"


def training_step() -> str:
    """One training step over one of the published code."""
    if not STEP.is_file():
        return missing("python benchmarks/training_step.py")
    content = json.loads(STEP.read_text(encoding="utf-8"))
    rows = [
        [
            f"{row['complex']}, {row['window']}",
            f"{row['over_published']:.2f}",
            f"{row['ms']['least']:,.0f} to {row['ms']['greatest']:,.0f}",
            f"{row['peak_mb']:,.0f}",
        ]
        for row in content["rows"]
    ]
    header = ["complex, snapshots", "over the published step", "CPU ms", "peak, MB"]
    return f"{table(header, rows)}\n{origin(content['provenance'])}"


TRAINING: dict[str, Callable[[], str]] = {
    "training-speed": training_speed,
    "training-step": training_step,
}
