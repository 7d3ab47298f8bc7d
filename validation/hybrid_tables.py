"""Tables of what an independent sample costs; `render.py` puts them into pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openmm_neuralmd.analysis.markdown import rounded, table
from result_files import machine, measured, missing, read

LONG = "MD, by its 3 ns"
COSTS = ("coordinates", "slowest torsion", "contacts")
INDEPENDENT = "python validation/independent.py runs/independent/tyk2/complex"
TORSIONS = "python validation/torsions.py taf12"


def independent() -> str:
    """CPU time of an independent sample of every sampler and complex, and its quality."""
    if not measured("independent"):
        return missing(INDEPENDENT)
    result = read("independent")
    rows, quality = [], []
    for name, content in result["complexes"].items():
        rows.append([name, LONG, "3,000", "", "", *_long(content)])
        for sampler, row in content["samplers"].items():
            cost = row["cpu_seconds_per_independent_sample"]
            accepted = "" if row["kept"] is None else f"{100 * row['kept']:.0f}"
            seconds = rounded(row["cpu_seconds_per_sample"])
            costs = [_cost(cost[key], _gains(row, key)) for key in COSTS]
            rows.append([name, sampler, str(row["samples"]), accepted, seconds, *costs])
            mean, low, high = row["energy_less_md"]
            quality.append(
                [
                    name,
                    sampler,
                    f"{row['rmsf_ratio']:.2f}",
                    f"{row['mean_away_angstrom']:.2f}",
                    f"{row['torsion_divergence']:.3f}",
                    "" if sampler == "MD" else f"{mean:.0f} ({low:.0f} to {high:.0f})",
                ]
            )
        halves = content["halves_of_the_reference"]
        quality.append(
            [
                name,
                "second half of the 3 ns, against the first",
                f"{halves['rmsf_ratio']:.2f}",
                f"{halves['mean_away_angstrom']:.2f}",
                f"{halves['torsion_divergence']:.3f}",
                "",
            ]
        )
    costs_table = table(
        ["", "", "samples", "kept, %", "CPU s each", *(f"{key}, CPU s" for key in COSTS)], rows
    )
    quality_table = table(
        ["", "", "RMSF ratio", "mean away, Å", "torsions, bits", "energy less MD's"],
        quality,
    )
    return f"{costs_table}\n{quality_table}\n{machine('independent')}"


def _long(content: dict[str, Any]) -> list[str]:
    """Costs of MD by the memory of its 3 ns."""
    cost = content["long_md"]["cpu_seconds_per_independent_sample"]
    return [rounded(cost[key]) for key in COSTS]


def _gains(row: dict[str, Any], key: str) -> str:
    """Cost of MD of the same length, and of MD of 3 ns, in units of the row's cost."""
    names = ("gain_over_short_md", "gain_over_long_md")
    return " to ".join(rounded(row[name][key]) for name in names if name in row)


def _cost(seconds: float, gains: str) -> str:
    return rounded(seconds) if gains == "1.0" else f"{rounded(seconds)} ({gains} ×)"


def torsion_moves() -> str:
    """Crossings per CPU second of every sampler and complex."""
    if not measured("torsions"):
        return missing(TORSIONS)
    rows = []
    for name, content in read("torsions")["complexes"].items():
        reference = content["reference"]
        rows.append([name, *_reference(reference)])
        for sampler, row in content["samplers"].items():
            mean, low, high = row["energy_less_md"]
            accepted = "" if row["accepted"] is None else f"{100 * row['accepted']:.1f}"
            rows.append(
                [
                    name,
                    f"{sampler}, here",
                    str(row["crossings"]),
                    _rate(row["crossings_per_cpu_second"]),
                    accepted,
                    f"{row['torsion_divergence']:.3f}",
                    "" if sampler == "MD" else f"{mean:.1f} ({low:.1f} to {high:.1f})",
                ]
            )
    header = ["", "", "crossings", "per CPU s", "accepted, %", "torsions, bits", "energy less MD's"]
    return f"{table(header, rows)}\n{machine('torsions')}"


def _reference(reference: dict[str, Any]) -> list[str]:
    """Cells of the long run of MD that is known."""
    return [
        f"MD, {reference['picoseconds'] / 1000:.0f} ns of set 'rigid'",
        str(reference["crossings"]),
        _rate(reference["crossings_per_cpu_second"]),
        "",
        f"{reference['torsion_divergence_of_its_halves']:.3f} (its halves)",
        "",
    ]


def _rate(value: float) -> str:
    return rounded(value) if value else "0"


HYBRID: dict[str, Callable[[], str]] = {
    "independent": independent,
    "torsions": torsion_moves,
}
"""Every table by its marker."""
