"""Forecasts from 0, 1, 3, 10 and 30 known snapshots, by conditioning the bundled model.

    python validation/one_structure/history.py

No target of set 'pocket', which is forecast here, was seen by it in training.  Error: RMSD over
atoms of the forecast mean from the true snapshot, root mean square over origins.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from models import without_network
from summary import machine
from table import HERE, POCKET

from openmm_neuralmd.dynamics.ou import NeuralOU
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.prediction.run import MODEL
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.training.run_statistics import RunStatistics, read_trajectory

KNOWN = (0, 1, 3, 10, 30)
HORIZONS = (1.0, 10.0, 100.0)
"""ps."""
INTERVAL = 10.0
"""ps between known snapshots."""
ORIGINS = 20


def main() -> None:
    """Make the table over the length of the history."""
    torch.set_num_threads(1)
    model = load(bundled_models()[MODEL])
    pocket = [read_trajectory(f) for f in sorted(POCKET.iterdir()) if f.is_dir()]
    table = {c.name: errors(c, model) for c in pocket}
    result = {"errors": table, "median": medians(table), "machine": machine()}
    text = json.dumps(result, indent=1) + "\n"
    (HERE / "results" / "history.json").write_text(text, encoding="utf-8")
    for row, values in result["median"].items():
        print(row.ljust(24), values)


def errors(c: RunStatistics, model: NeuralOU) -> dict[str, dict[str, float]]:
    """RMS error (Å) by row, and by 'known/horizon'."""
    run, step = c.runs[0], round(INTERVAL / c.interval_ps)
    ahead = [round(h / c.interval_ps) for h in HORIZONS]
    first = 30 * step
    origins = np.linspace(first, len(run) - ahead[-1] - 1, ORIGINS).astype(int)
    models = {"network": model, "20-number H (F = 0)": without_network(model)}
    starts = {n: predict_pose(m, c.chemistry, c.start, c.pocket) for n, m in models.items()}
    squared: dict[str, dict[str, list[float]]] = {}
    for origin in origins:
        true = run[origin + np.array(ahead)]
        for count in KNOWN:
            known = run[origin - step * np.arange(count)[::-1]] if count else run[:0]
            means = {
                n: p.given(known, INTERVAL).process.forecast(HORIZONS) for n, p in starts.items()
            }
            last, recent = (known[-1], known.mean(0)) if count else (c.start, c.start)
            means["persistence"], means["recent mean"] = [last] * 3, [recent] * 3
            for name, values in means.items():
                for h, value, real in zip(HORIZONS, values, true):
                    key = f"{count} known, {h:g} ps"
                    error = float(((value - real) ** 2).sum(-1).mean())
                    squared.setdefault(name, {}).setdefault(key, []).append(error)
    return {
        row: {key: float(np.sqrt(np.mean(v))) for key, v in keys.items()}
        for row, keys in squared.items()
    }


def medians(table: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Median over complexes."""
    rows = next(iter(table.values()))
    return {
        row: {
            key: round(float(np.median([one[row][key] for one in table.values()])), 3)
            for key in keys
        }
        for row, keys in rows.items()
    }


if __name__ == "__main__":
    main()
