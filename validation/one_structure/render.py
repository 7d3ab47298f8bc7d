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
POCKET = {
    "log_rmsf_error": "ln RMSF error",
    "r": "r",
    "displacement_error": "error of the mean, Å",
    "cosine": "cosine of u",
    "contact_brier": "contacts, Brier",
    "contact_auroc": "contacts, AUROC",
    "nearest": "nearest atoms (5 %), Å",
}
MINUS = ("log_rmsf_error", "displacement_error", "contact_brier")
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
    print(unseen(json.loads((RESULTS / "unseen.json").read_text())))
    print(pocket(json.loads((RESULTS / "pocket.json").read_text())))
    print(stability(json.loads((RESULTS / "stability.json").read_text())["judged"]))
    curve = json.loads((RESULTS / "learning_curve.json").read_text())["curve"]
    for size, one in curve.items():
        cells = [
            interval(one[f"{key}_mean_and_interval"]) for key in ("gain", "shuffled", "cosine")
        ]
        print(f"| {size} | " + " | ".join(cells) + " |")


def stability(judged: dict[str, Any]) -> str:
    """AUROC of 'stays' and rank correlation, a line for each row."""
    lines = ["| | AUROC | rank correlation | Brier |", "| --- |" + " ---: |" * 3]
    for row, values in judged["rows"].items():
        cells = [
            "{:.2f} ({:.2f} to {:.2f})".format(*values[key])
            for key in ("auroc", "rank correlation")
        ]
        brier = judged["brier"].get(row)
        cells.append("–" if brier is None else f"{brier:.2f}")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


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


def unseen(result: dict[str, Any]) -> str:
    """Differences from the network on set 'many' alone and with set 'pocket', and RMSF errors."""
    own, both = result["over_targets"], result["over_targets_with_set_pocket"]
    columns = [
        (part, key) for part in (own, both) for key in ("nll", "energy_score", "log_rmsf_error")
    ]
    count = [part["u = 0"]["nll"]["targets"] for part in (own, both)]
    names = [f"{name}, {n} targets" for n in count for name in PAIRED.values()]
    lines = ["| minus the network | " + " | ".join(names) + " |"]
    lines.append("| --- |" + " ---: |" * len(names))
    for row in own:
        cells = [
            interval(part[row][key]["mean"]) if key in part[row] else "–" for part, key in columns
        ]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    for row, errors in result["rmsf_errors_with_set_pocket"].items():
        lines.append(f"{row}: profile {errors['profile']:.3f}, size {errors['size']:.3f}")
    return "\n".join(lines)


def pocket(result: dict[str, Any]) -> str:
    """Medians and differences of the side chains, for each part."""
    lines = []
    for part, one in result.items():
        if part in ("settings", "machine") or one is None:
            continue
        lines += [
            f"\n{part}: {len(one['complexes']['network'])} complexes, {one['targets']} targets\n"
        ]
        names = [*POCKET.values(), *(f"{POCKET[key]}, minus the network" for key in MINUS)]
        lines.append("| | " + " | ".join(names) + " |")
        lines.append("| --- |" + " ---: |" * len(names))
        for row, values in one["medians"].items():
            away = one["row_minus_network"].get(row, {})
            cells = [f"{values[key]:.2f}" if key in values else "–" for key in POCKET]
            cells += [interval(away[key], 3) if key in away else "–" for key in MINUS]
            lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def interval(values: list[float], digits: int = 2) -> str:
    """Mean with its 95 % interval."""
    mean, low, high = (f"{value:+.{digits}f}" for value in values)
    return f"{mean} ({low} to {high})"


if __name__ == "__main__":
    main()
