"""The one-structure table from columns of each complex: means, pairs, intervals, equivalents."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from columns import bootstrap

Table = dict[str, dict[str, dict[str, float]]]
"""Row, complex, column."""
STRETCHES = (10, 30, 100, 300)
"""ps of MD after equilibration, from the first half of a run."""
PAIRED = (
    "nll",
    "nll_gaussian",
    "energy_score",
    "log_rmsf_error",
    "torsions_bits",
    "contact_brier",
)
"""Columns, the smaller the better, whose difference from the network has an interval."""


def mean_over_seeds(
    seeds: Sequence[Table],
) -> Table:
    """Each column of each complex, averaged over the seeds."""
    return {
        row: {
            name: {
                key: float(np.mean([one[row][name][key] for one in seeds]))
                for key in complexes[name]
            }
            for name in complexes
        }
        for row, complexes in seeds[0].items()
    }


def spread(seeds: Sequence[Table]) -> dict[str, dict[str, Any]]:
    """Mean difference of a row from the network by seed."""
    columns = ("nll", "energy_score", "log_rmsf_error")
    out: dict[str, dict[str, Any]] = {}
    for row in seeds[0]:
        for key in columns:
            values = [paired(one).get(row, {}).get(key, [None])[0] for one in seeds]
            if values[0] is not None:
                out.setdefault(row, {})[key] = values
    return out


def without(table: Table, name: str) -> Table:
    """The table without one complex."""
    return {row: {k: v for k, v in one.items() if k != name} for row, one in table.items()}


def summary(table: Table) -> dict[str, Any]:
    """Means and medians over complexes, and paired differences from the network."""
    rows: dict[str, Any] = {}
    for row, complexes in table.items():
        keys = {key for one in complexes.values() for key in one}
        rows[row] = {
            key: {
                "mean": float(np.mean([o[key] for o in complexes.values() if key in o])),
                "median": float(np.median([o[key] for o in complexes.values() if key in o])),
            }
            for key in sorted(keys)
        }
        rows[row]["r_between"] = between(complexes)
    return {
        "rows": rows,
        "row_minus_network": paired(table),
        "complexes": table,
        "md_equivalent_ps": equivalents(rows),
    }


def paired(table: Table) -> dict[str, Any]:
    """Mean difference of each row from the network over complexes, with its 95 % interval."""
    out: dict[str, Any] = {}
    for row, complexes in table.items():
        for key in PAIRED:
            names = [n for n in complexes if key in complexes[n] and key in table["network"][n]]
            if row != "network" and names:
                away = [complexes[n][key] - table["network"][n][key] for n in names]
                out.setdefault(row, {})[key] = bootstrap(np.array(away))
    return out


def between(complexes: dict[str, dict[str, float]]) -> float | None:
    """Correlation over complexes of the mean RMSF with the true one."""
    pairs = [(o["rmsf"], o["rmsf_true"]) for o in complexes.values() if "rmsf" in o]
    if len(pairs) < 3 or np.std([p for p, _ in pairs]) < 1e-9:
        return None
    return float(np.corrcoef(np.array(pairs).T)[0, 1])


def equivalents(rows: dict[str, Any]) -> dict[str, float]:
    """Length of MD in ps that is as good as the network, by column (interpolated in ln ps)."""
    out = {}
    for key in ("log_rmsf_error", "energy_score", "nll"):
        lengths = [n for n in STRETCHES if key in rows.get(f"MD of {n} ps", {})]
        values = [rows[f"MD of {n} ps"][key]["median"] for n in lengths]
        mine = rows["network"][key]["median"]
        order = np.argsort(values)
        log = np.interp(mine, np.array(values)[order], np.log(lengths)[order])
        out[key] = float(np.exp(log))
    return out


def machine() -> dict[str, Any]:
    """Machine and versions that the numbers were made with."""
    import rdkit
    import scipy

    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "rdkit": rdkit.__version__,
        "threads": torch.get_num_threads(),
    }


def show(result: dict[str, Any]) -> None:
    """Print the medians."""
    keys = (
        "nll",
        "nll_gaussian",
        "energy_score",
        "energy_score_whitened",
        "log_rmsf_error",
        "r_within",
        "u_cosine",
        "u_length",
        "u_error",
        "torsions_bits",
        "correlation_error",
        "contact_brier",
        "contact_auroc",
    )
    print("row".ljust(24), *[key[:9].rjust(9) for key in keys])
    for row, values in result["rows"].items():
        cells = [f"{values[k]['median']:9.3f}" if k in values else " " * 9 for k in keys]
        print(row.ljust(24), *cells)
    for row, values in result["row_minus_network"].items():
        print(row, "minus network:", {k: [round(x, 3) for x in v] for k, v in values.items()})
    print(result["md_equivalent_ps"])
