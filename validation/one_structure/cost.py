"""Cost of a prediction and of the MD that is as good: CPU time of both.

    python validation/one_structure/cost.py

The prediction: `predict` from PDB and SDF to 200 snapshots, for each complex of set 'pocket', after
imports.  The MD: preparation (parameters, minimisation, water box), 100 ps of equilibration and the
MD-equivalent length of results/many.json, at the CPU time that the complexes of set 'many' took.
"""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from summary import machine

from openmm_neuralmd import predict

HERE = Path(__file__).parent
SETS = HERE.parent / "reference_sets"
EQUILIBRATION_PS, SIMULATED_PS = 100.0, 350.0  # of each of the two runs of set 'many'


def main() -> None:
    """Measure, compare and write results/cost.json."""
    torch.set_num_threads(1)
    seconds = predictions()
    equivalent = json.loads((HERE / "results" / "many.json").read_text())["md_equivalent_ps"]
    entries = json.loads((SETS / "many" / "manifest.json").read_text())["complexes"].values()
    spent = [entry["cpu_seconds"] for entry in entries]
    prepare = np.array([one["prepare"] for one in spent])
    rate = np.array([(one["seed1"] + one["seed2"]) / (2 * SIMULATED_PS) for one in spent])
    result: dict[str, Any] = {
        "prediction_cpu_seconds": seconds,
        "md_prepare_cpu_seconds": quartiles(prepare),
        "md_cpu_seconds_per_ps": quartiles(rate),
        "engines": sorted({entry["platform"]["properties"]["simd"] for entry in entries}),
        "complexes": len(spent),
        "machine": machine(),
    }
    median = float(np.median(list(seconds.values())))
    for column, length in equivalent.items():
        cost = prepare + (EQUILIBRATION_PS + length) * rate
        result[column] = {
            "md_equivalent_ps": length,
            "md_cpu_seconds": quartiles(cost),
            "ratio": quartiles(cost / median),
        }
        print(column, result[column])
    print(f"prediction: {median:.2f} s ({min(seconds.values()):.2f}-{max(seconds.values()):.2f})")
    text = json.dumps(result, indent=1) + "\n"
    (HERE / "results" / "cost.json").write_text(text, encoding="utf-8")


def predictions() -> dict[str, float]:
    """CPU seconds of a prediction of each complex of set 'pocket', the first call not counted."""
    folders = sorted(folder for folder in (SETS / "pocket").iterdir() if folder.is_dir())
    seconds = {}
    with TemporaryDirectory() as place:
        protein = Path(place) / "protein.pdb"
        for folder in [folders[0], *folders]:
            protein.write_bytes(gzip.decompress((folder / "start.pdb.gz").read_bytes()))
            began = time.process_time()
            predict(protein, folder / "ligand.sdf")
            seconds[folder.name] = time.process_time() - began
    return seconds


def quartiles(values: np.ndarray) -> list[float]:
    """First quartile, median, third quartile."""
    return [round(float(v), 4) for v in np.quantile(values, (0.25, 0.5, 0.75))]


if __name__ == "__main__":
    main()
