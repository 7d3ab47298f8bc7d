"""Tables of docs/one-structure.md, from the results of validation/one_structure/, for render.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openmm_neuralmd.analysis.markdown import table

RESULTS = Path(__file__).parent / "one_structure" / "results"
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
OURS = "neuralmd-ou"
MINUS = ("log_rmsf_error", "displacement_error", "contact_brier")
PAIRED = {"nll": "NLL", "energy_score": "energy score, Å", "log_rmsf_error": "ln RMSF error"}


def stability(judged: dict[str, Any]) -> str:
    """AUROC of 'stays' and rank correlation, a line for each row."""
    rows = []
    for row, values in judged["rows"].items():
        cells = [
            "{:.2f} ({:.2f} to {:.2f})".format(*values[key])
            for key in ("auroc", "rank correlation")
        ]
        rows.append([row, *cells, number(judged["brier"].get(row))])
    return table(["", "AUROC", "rank correlation", "Brier"], rows)


def medians(result: dict[str, Any]) -> str:
    """Medians over complexes, a line for each row."""
    rows = [
        [
            row,
            *(number(values.get(key, {}).get("median")) for key in COLUMNS),
            number(values["r_between"]),
        ]
        for row, values in result["rows"].items()
    ]
    return table(["", *COLUMNS.values(), "r between"], rows)


def paired(result: dict[str, Any]) -> str:
    """Mean of each row minus the network with its interval."""
    rows = [
        [row, *(interval(values.get(key)) for key in PAIRED)]
        for row, values in result["row_minus_network"].items()
    ]
    return table(["minus the network", *PAIRED.values()], rows)


def rivals(result: dict[str, Any]) -> str:
    """Medians of the other dynamics, and their energy score minus that of NeuralMD-OU."""
    rows = []
    for row, values in result["rows"].items():
        cells = [number(values.get(key), 0 if key == "stability" else 2) for key in RIVALS]
        away = None if row == OURS else result["row_minus_ou"][row]["energy_score"]
        rows.append([row, *cells, interval(away)])
    return table(["", *RIVALS.values(), "minus NeuralMD-OU"], rows)


def unseen(result: dict[str, Any]) -> str:
    """Differences from the network on set 'many' alone and with set 'pocket'."""
    parts = [result["over_targets"], result["over_targets_with_set_pocket"]]
    targets = [part["u = 0"]["nll"]["targets"] for part in parts]
    names = [f"{name}, {count} targets" for count in targets for name in PAIRED.values()]
    rows = [
        [row, *(interval(part[row].get(key, {}).get("mean")) for part in parts for key in PAIRED)]
        for row in parts[0]
    ]
    return table(["minus the network", *names], rows)


def rmsf_errors(result: dict[str, Any]) -> str:
    """RMSF error over the atoms of a complex, and that of its overall size, of both sets."""
    header = ["ln RMSF error, both sets", "profile over the atoms", "overall size"]
    errors = result["rmsf_errors_with_set_pocket"].items()
    return table(
        header, [[row, f"{one['profile']:.3f}", f"{one['size']:.3f}"] for row, one in errors]
    )


def learning_curve(result: dict[str, Any]) -> str:
    """Gain of the network against the number of training complexes."""
    keys = ("gain", "shuffled", "cosine")
    rows = [
        [size, *(interval(one[f"{key}_mean_and_interval"]) for key in keys)]
        for size, one in result["curve"].items()
    ]
    return table(["complexes in training", "gain", "shuffled pocket", "cosine of u"], rows)


def kinases(result: dict[str, Any]) -> str:
    """Models that learned from all targets, from no kinase, and from as many at random."""
    rows = [
        [
            name,
            *(
                interval(result[part][name][f"{key}_mean_and_interval"])
                for part in ("kinases", "others")
                for key in ("gain", "cosine")
            ),
        ]
        for name in result["kinases"]
    ]
    header = ["trained on", "kinases: gain", "cosine of u", "others: gain", "cosine of u"]
    return table(header, rows)


def protocols(result: dict[str, Any]) -> str:
    """Tabulate the model, MD, and how far the mean goes, in both modes of each complex."""
    cases = [(name, mode, one) for name, one in result["complexes"].items() for mode in one["rows"]]
    header = ["", *(f"{name}, {mode}" for name, mode, _ in cases)]
    lines = [
        [f"{label}: {row}", *(f"{one['rows'][mode][row][key]:.2f}" for _, mode, one in cases)]
        for key, label, rows in (
            ("nll", "NLL", ("network", "u = 0", "20-number H (F = 0)", "other half of the MD")),
            ("log_rmsf_error", "ln RMSF error", ("network", "other half of the MD")),
            ("u_cosine", "cosine of u", ("network",)),
        )
        for row in rows
    ]
    moved = [f"{one['displacement_angstrom'][mode]:.2f}" for _, mode, one in cases]
    return table(header, [*lines, ["displacement of the MD, Å", *moved]])


def history(key: str) -> Callable[[dict[str, Any]], str]:
    """Errors of forecasts from known snapshots, at 10 and 100 ps."""

    def rendered(result: dict[str, Any]) -> str:
        rows = result[key]
        columns = [
            one for h in ("10 ps", "100 ps") for one in rows["network"] if one.endswith(f" {h}")
        ]
        lines = [
            [row, *(f"{values[one]:.2f}" if one in values else "–" for one in columns)]
            for row, values in rows.items()
        ]
        return table(["", *columns], lines)

    return rendered


def pocket(result: dict[str, Any]) -> str:
    """Medians and differences of the side chains, for each part."""
    texts = []
    for part, one in result.items():
        if part in ("settings", "machine") or one is None:
            continue
        rows = [
            [
                row,
                *(number(values.get(key)) for key in POCKET),
                *(interval(one["row_minus_network"].get(row, {}).get(key), 3) for key in MINUS),
            ]
            for row, values in one["medians"].items()
        ]
        header = ["", *POCKET.values(), *(f"{POCKET[key]}, minus the network" for key in MINUS)]
        count = len(one["complexes"]["network"])
        title = f"{part}: {count} complexes, {one['targets']} targets"
        texts.append(f"{title}\n\n{table(header, rows)}")
    return "\n".join(texts)


def number(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(values: list[float] | None, digits: int = 2) -> str:
    """Mean with its 95 % interval, or a dash where there is none."""
    if values is None:
        return "–"
    mean, low, high = (f"{value:+.{digits}f}" for value in values)
    return f"{mean} ({low} to {high})"


def _of(name: str, text: Callable[[dict[str, Any]], str]) -> Callable[[], str]:
    """A table of a result file."""
    return lambda: text(json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")))


ONE_STRUCTURE: dict[str, Callable[[], str]] = {
    "ou-medians": _of("many", medians),
    "ou-differences": _of("many", paired),
    "ou-learning-curve": _of("learning_curve", learning_curve),
    "ou-kinases": _of("kinases", kinases),
    "ou-unseen": _of("unseen", unseen),
    "ou-unseen-rmsf": _of("unseen", rmsf_errors),
    "ou-side-chains": _of("pocket", pocket),
    "ou-protocols": _of("protocols", protocols),
    "ou-stability": _of("stability", lambda result: stability(result["judged"])),
    "ou-rivals": _of("rivals", rivals),
    "ou-rivals-four-grains": _of("rivals-four-grains", rivals),
    "ou-history": _of("history", history("median")),
    "ou-history-scores": _of("history", history("median_energy_score")),
}
