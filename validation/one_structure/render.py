"""Print the tables of docs/one-structure.md from the results.

python validation/one_structure/render.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COLUMNS = {
    "nll": "NLL",
    "nll_gaussian": "NLL, Gaussian",
    "energy_score": "energy score, Å",
    "energy_score_whitened": "whitened",
    "log_rmsf_error": "ln RMSF error",
    "r_within": "r within",
    "u_cosine": "cosine of u",
    "u_length": "length of u, Å",
    "torsions_bits": "torsions, bits",
    "correlation_error": "correlation error",
    "contact_brier": "contacts, Brier",
    "contact_auroc": "contacts, AUROC",
}
RIVALS = {
    "mae": "MAE, Å",
    "rmse": "RMSE, Å",
    "matching": "Matching, Å",
    "stability": "Stability, %",
    "rmsf": "RMSF, Å",
    "energy_score": "energy score, Å",
}
PAIRED = {"nll": "NLL", "energy_score": "energy score, Å", "log_rmsf_error": "ln RMSF error"}


def main() -> None:
    """Print both protocols, the rivals and the learning curve."""
    for name in ("many", "leave-out"):
        path = RESULTS / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text())
            print(f"\n### {name}\n\n{medians(result)}\n\n{paired(result)}\n")
            print({k: round(v) for k, v in result["md_equivalent_ps"].items()})
    print(rivals(json.loads((RESULTS / "rivals.json").read_text())))
    curve = json.loads((RESULTS / "learning_curve.json").read_text())["curve"]
    for size, one in curve.items():
        cells = [
            interval(one[f"{key}_mean_and_interval"]) for key in ("gain", "shuffled", "cosine")
        ]
        print(f"| {size} | " + " | ".join(cells) + " |")


def medians(result: dict[str, Any]) -> str:
    """Medians over complexes, a line for each row."""
    lines = ["| | " + " | ".join(COLUMNS.values()) + " | r between |"]
    lines.append("| --- |" + " ---: |" * (len(COLUMNS) + 1))
    for row, values in result["rows"].items():
        cells = [f"{values[key]['median']:.2f}" if key in values else "–" for key in COLUMNS]
        between = values["r_between"]
        cells.append("–" if between is None else f"{between:.2f}")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def paired(result: dict[str, Any]) -> str:
    """Mean of each row minus the network with its interval."""
    lines = ["| minus the network | " + " | ".join(PAIRED.values()) + " |"]
    lines.append("| --- |" + " ---: |" * len(PAIRED))
    for row, values in result["row_minus_network"].items():
        cells = [interval(values[key]) if key in values else "–" for key in PAIRED]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rivals(result: dict[str, Any]) -> str:
    """Medians of the other dynamics, and their energy score minus that of NeuralMD-OU."""
    lines = ["| | " + " | ".join(RIVALS.values()) + " | minus NeuralMD-OU |"]
    lines.append("| --- |" + " ---: |" * (len(RIVALS) + 1))
    for row, values in result["rows"].items():
        cells = [
            f"{values[key]:.{2 if key != 'stability' else 0}f}" if key in values else "–"
            for key in RIVALS
        ]
        away = result["row_minus_ou"][row]["energy_score"]
        cells.append("–" if row == "neuralmd-ou" else interval(away))
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def interval(values: list[float]) -> str:
    """Mean with its 95 % interval."""
    mean, low, high = values
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
