"""Tables of speed, for render.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from openmm_neuralmd.analysis.markdown import rounded, table
from openmm_neuralmd.utils.times import show_time
from result_files import machine, measured, missing, read
from speed.validity import counts, verdict

ENGINES = {"openmm": "OpenMM", "gromacs": "GROMACS"}


def speed(name: str) -> str:
    """Independent samples where they are known, then ns/day, and the ratios to MD."""
    result = read(name)
    ratios, rows = result["ratio_to_fastest_all_atom"], result["rows"]
    others = {side: row["ns_per_day"]["median"] for side, row in rows.items() if side not in ratios}
    fastest = max(others, key=others.__getitem__)
    sampled, card = result["memory"] is not None, result["validity"]
    body = []
    for side, row in rows.items():
        ns, ratio = row["ns_per_day"], ratios.get(side, {})
        cells = [side, f"{row['moving_atoms']:,}"]
        if sampled:
            cells += [_cell(row["independent_per_day"]), _cell(ratio.get("per_independent_sample"))]
        cells += [
            rounded(ns["median"]),
            f"{100 * (ns['greatest'] - ns['least']) / ns['median']:.0f} %",
            "1 (the fastest)" if side == fastest else _cell(ratio.get("at_model_interval")),
            _cell(ratio.get("at_80_ps")),
        ]
        cells.append(counts(card) if ratio else "")
        body.append(cells)
    header = ["", "atoms that move"]
    header += ["independent samples a day", "ratio of these"] if sampled else []
    header += [
        "ns/day",
        "range of repeats",
        f"ratio at {show_time(result['interval_ps'])} per snapshot",
        "ratio if it were 80 ps",
        "checks of the validity card",
    ]
    return table(header, body)


def _cell(value: float | None) -> str:
    return "" if value is None else rounded(value)


def parts(name: str) -> str:
    """Seconds of everything that a jump needs."""
    rows = [
        [
            part,
            rounded(row["median"]),
            f"{rounded(row['least'])} to {rounded(row['greatest'])}",
        ]
        for part, row in read(name)["parts"].items()
    ]
    return table(["", "s, median", "range of repeats"], rows)


def caveats(name: str) -> str:
    """Sentences on the two sides of the speed table, and on what was not timed."""
    result = read(name)
    sentences = list(result["in_words"])
    if (card := result["validity"]) is not None:
        sentences.append(f"The validity card says: {verdict(card)}.")
    reasons: dict[str, list[str]] = {}
    for side, why in result["left_out"].items():
        reasons.setdefault(why, []).append(side)
    sentences += [f"Not timed: {'; '.join(sides)}. Why: {why}" for why, sides in reasons.items()]
    return "".join(f"- {sentence}\n" for sentence in sentences)


def engines(name: str) -> str:
    """ns/day of modes, solvents and engines."""
    if not measured(name):
        return missing("python validation/engines.py")
    result = read(name)
    rows = [
        [
            f"{row['what']}: {ENGINES[row['engine']]}",
            f"{row['atoms']:,}",
            f"{row['moving']:,}",
            rounded(row["ns_per_day"]["median"]),
            f"{rounded(row['ns_per_day']['least'])} to {rounded(row['ns_per_day']['greatest'])}",
        ]
        for row in result["rows"]
    ]
    body = table(["", "atoms", "that move", "ns/day", f"range of {result['repeats']}"], rows)
    gmx = result["gromacs"]
    said = f"GROMACS {gmx['version']} ({gmx['simd']}), {result['threads']} threads each."
    return f"{body}\n{result['what']}. {said} {machine(name)}"


_OF = {"": "speedup-t4l-p-xylene", "-water": "speedup-p38"}
_TABLES = {"": speed, "-parts": parts, "-caveats": caveats, "-machine": machine}
SPEED: dict[str, Callable[[], str]] = {
    "engines": partial(engines, "engines-t4l"),
    **{
        f"speed{table_of}{complex_of}": partial(make, name)
        for table_of, make in _TABLES.items()
        for complex_of, name in _OF.items()
    },
}
"""Every table by its marker."""
