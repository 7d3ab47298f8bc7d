"""Forecasts from 0, 1, 3, 10 and 30 known snapshots, by conditioning the bundled model.

    python validation/one_structure/history.py

No target of set 'pocket', which is forecast here, was seen by it in training.  Error: RMSD over
atoms of the forecast mean from the true snapshot, root mean square over origins.  Energy score: of
the forecast distribution, mean over origins; beside it the known snapshots as an ensemble.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from columns import energy_score
from models import without_network
from numpy.typing import NDArray
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
DRAWS = 200
Array = NDArray[np.float64]


def main() -> None:
    """Make the table over the length of the history."""
    torch.set_num_threads(1)
    model = load(bundled_models()[MODEL])
    pocket = [read_trajectory(f) for f in sorted(POCKET.iterdir()) if f.is_dir()]
    table = {c.name: errors(c, model) for c in pocket}
    scores = {c.name: energy_scores(c, model) for c in pocket}
    result = {
        "errors": table,
        "median": medians(table),
        "energy_scores": scores,
        "median_energy_score": medians(scores),
        "machine": machine(),
    }
    text = json.dumps(result, indent=1) + "\n"
    (HERE / "results" / "history.json").write_text(text, encoding="utf-8")
    for key in ("median", "median_energy_score"):
        for row, values in result[key].items():
            print(row.ljust(24), values)


def errors(c: RunStatistics, model: NeuralOU) -> dict[str, dict[str, float]]:
    """RMS error (Å) by row, and by 'known/horizon'."""
    run, step, ahead, origins = chosen(c)
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


def chosen(c: RunStatistics) -> tuple[Array, int, list[int], NDArray[np.int64]]:
    """The run, snapshots between known ones, snapshots ahead, and the origins of the forecasts."""
    run, step = c.runs[0], round(INTERVAL / c.interval_ps)
    ahead = [round(h / c.interval_ps) for h in HORIZONS]
    origins = np.linspace(max(KNOWN) * step, len(run) - ahead[-1] - 1, ORIGINS).astype(int)
    return run, step, ahead, origins


def energy_scores(c: RunStatistics, model: NeuralOU) -> dict[str, dict[str, float]]:
    """Energy score (Å) by row, and by 'known, horizon'."""
    run, step, ahead, origins = chosen(c)
    models = {"network": model, "20-number H (F = 0)": without_network(model)}
    starts = {n: predict_pose(m, c.chemistry, c.start, c.pocket) for n, m in models.items()}
    scores: dict[str, dict[str, list[float]]] = {}
    for origin in origins:
        true = run[origin + np.array(ahead)].reshape(len(ahead), -1)
        for count in KNOWN:
            known = run[origin - step * np.arange(count)[::-1]] if count else run[:0]
            drawn = {}
            for name, start in starts.items():
                process = start.given(known, INTERVAL).process
                generator = np.random.default_rng(int(origin))
                moved = process.draw(HORIZONS, DRAWS, generator)
                drawn[name] = process.centre.reshape(-1) + moved
            if count:
                # Each many times over: these snapshots are the forecast, not draws of a better one.
                ensemble = known.reshape(count, 1, -1).repeat(len(ahead), axis=1)
                drawn["known snapshots"] = np.tile(ensemble, (DRAWS // count, 1, 1))
            for name, x in drawn.items():
                for k, horizon in enumerate(HORIZONS):
                    key = f"{count} known, {horizon:g} ps"
                    score = energy_score(x[:, k], true[k : k + 1])
                    scores.setdefault(name, {}).setdefault(key, []).append(score)
    return {
        row: {key: float(np.mean(v)) for key, v in keys.items()} for row, keys in scores.items()
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
