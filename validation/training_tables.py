"""The table of benchmarks/training.py."""

from __future__ import annotations

import json
from collections.abc import Callable

from openmm_neuralmd.analysis.markdown import rounded, table
from result_files import ROOT, missing, origin

RESULT = ROOT / "benchmarks" / "results" / "training.json"


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


TRAINING: dict[str, Callable[[], str]] = {"training-speed": training_speed}
