"""Tables of what an independent sample costs; `render.py` puts them into pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scipy.stats import beta, chi2

from openmm_neuralmd.analysis.markdown import rounded, table
from result_files import machine, measured, missing, read

LONG = "MD, by its 3 ns"
SIDE, AWAY = "side chains", "side_chains_mean_away_angstrom"
LIGAND = ("coordinates", "slowest torsion", "contacts")
COSTS = (*LIGAND, SIDE)
GAINS = {"gain_over_long_md": "OpenMM", "gain_over_gromacs": "GROMACS"}
INDEPENDENT = "python validation/independent.py runs/independent/tyk2/complex"
TORSIONS = "python validation/torsions.py taf12"


def independent() -> str:
    """CPU time of an independent sample of every sampler and complex, its gain, its quality."""
    return _independent("independent", costs, gains, quality)


def variants() -> str:
    """Gain and quality of other ways to jump, with the MD of OpenMM."""
    return _independent("independent-variants", gains, quality)


def _independent(name: str, *tables: Callable[[dict[str, Any]], str]) -> str:
    """Tables of a result of independent.py, or a line that says how to measure it."""
    if not measured(name):
        return missing(INDEPENDENT)
    complexes = read(name)["complexes"]
    return "\n".join([*(one(complexes) for one in tables), machine(name)])


def costs(complexes: dict[str, Any]) -> str:
    """CPU time of a sample, and of an independent one."""
    rows = []
    for name, content in complexes.items():
        for engine, one in of_long_md(content).items():
            cost = one["cpu_seconds_per_independent_sample"]
            rows.append([name, f"{LONG}, {engine}", "3,000", "", "", *_seconds(cost)])
        for sampler, row in content["samplers"].items():
            accepted = "" if row["kept"] is None else f"{100 * row['kept']:.0f}"
            each = rounded(row["cpu_seconds_per_sample"])
            cost = row["cpu_seconds_per_independent_sample"]
            rows.append([name, sampler, str(row["samples"]), accepted, each, *_seconds(cost)])
    header = ["", "", "samples", "kept, %", "CPU s each", *(f"{key}, CPU s" for key in COSTS)]
    return table(header, rows)


def gains(complexes: dict[str, Any]) -> str:
    """Cost of an independent sample of MD, by the memory of its 3 ns, over that of jumps."""
    rows = []
    for name, content in complexes.items():
        for sampler, row in content["samplers"].items():
            if "gain_over_long_md" in row:
                ratios = [gain(row, engine, key) for key in LIGAND for engine in GAINS]
                rows.append([name, sampler, *ratios])
    header = [f"{key}, over {engine}" for key in LIGAND for engine in GAINS.values()]
    return table(["", "", *header], rows)


def gain(row: dict[str, Any], over: str, key: str) -> str:
    """A ratio, with the 95 % interval of both memories where it was measured."""
    value, factor = row[over][key], row.get("gain_interval", {}).get(key)
    if factor is None or over != "gain_over_gromacs":
        return rounded(value)
    return f"{rounded(value)} ({rounded(value / factor)} to {rounded(value * factor)})"


def quality(complexes: dict[str, Any]) -> str:
    """Samples beside the 3 ns of MD, side chains and energy beside MD here."""
    rows = []
    for name, content in complexes.items():
        for sampler, row in content["samplers"].items():
            mean, low, high = row["energy_less_md"]
            ours = [f"{row[key]:.2f}" for key in ("side_chains_rmsf_ratio", AWAY)]
            ours.append(f"{mean:.0f} ({low:.0f} to {high:.0f})")
            beside = ["", "", ""] if sampler == "MD" else ours
            rows.append([name, sampler, *_beside(row), *beside])
        halves = content["halves_of_the_reference"]
        rows.append([name, "second half of the 3 ns, against the first", *_beside(halves)])
        rows[-1] += ["", "", ""]
    return table(
        [
            "",
            "",
            "RMSF ratio",
            "mean away, Å",
            "torsions, bits",
            "side chains, RMSF ratio",
            "side chains, mean away, Å",
            "energy less MD's",
        ],
        rows,
    )


def of_long_md(content: dict[str, Any]) -> dict[str, Any]:
    """Costs of MD by the memory of its 3 ns, by engine."""
    out = {"OpenMM": content["long_md"]}
    if content.get("long_md_by_gromacs"):
        out["GROMACS"] = content["long_md_by_gromacs"]
    return out


def _seconds(cost: dict[str, float]) -> list[str]:
    return [rounded(cost[key]) if key in cost else "" for key in COSTS]


def _beside(row: dict[str, float]) -> list[str]:
    return [
        f"{row['rmsf_ratio']:.2f}",
        f"{row['mean_away_angstrom']:.2f}",
        f"{row['torsion_divergence']:.3f}",
    ]


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
                    _crossing_rate(row["crossings"], row["cpu_seconds"]),
                    "" if sampler == "MD" else _over_md(row, content["samplers"]["MD"]),
                    _rate(row["slowest_torsion_samples_per_cpu_second"]),
                    _rate(row["coordinates_samples_per_cpu_second"]),
                    accepted,
                    f"{row['torsion_divergence']:.3f}",
                    "" if sampler == "MD" else f"{mean:.1f} ({low:.1f} to {high:.1f})",
                ]
            )
    header = ["", "", "crossings", "per CPU s", "over MD", "slowest torsion, samples per CPU s"]
    header += ["coordinates, samples per CPU s"]
    header += ["accepted, %", "torsions, bits", "energy less MD's"]
    return f"{table(header, rows)}\n{machine('torsions')}"


def _reference(reference: dict[str, Any]) -> list[str]:
    """Cells of the long run of MD that is known; its snapshots are too far apart for rates."""
    length, every = reference["picoseconds"] / 1000, reference["interval_ps"]
    return [
        f"MD, {length:.0f} ns of set 'rigid', seen every {every:g} ps",
        str(reference["crossings"]),
        "",
        "",
        "",
        "",
        "",
        f"{reference['torsion_divergence_of_its_halves']:.3f} (its halves)",
        "",
    ]


def _crossing_rate(count: int, seconds: float) -> str:
    """Rate with its 95 % interval, as if crossings were independent of each other (Poisson)."""
    low = chi2.ppf(0.025, 2 * count) / 2 / seconds if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2 / seconds
    return f"{_rate(count / seconds)} ({_rate(low)} to {_rate(high)})"


def _over_md(row: dict[str, Any], md: dict[str, Any]) -> str:
    """Crossings per CPU second over those of MD here, with the exact 95 % interval (Poisson)."""
    ours, theirs = row["crossings"], md["crossings"]
    time = md["cpu_seconds"] / row["cpu_seconds"]
    share = beta.ppf(0.025, ours, theirs + 1)
    low = time * share / (1 - share)
    if not theirs:
        return f"> {rounded(low)}"
    share = beta.ppf(0.975, ours + 1, theirs)
    high = time * share / (1 - share)
    return f"{rounded(time * ours / theirs)} ({rounded(low)} to {rounded(high)})"


def _rate(value: float) -> str:
    return rounded(value) if value else "0"


HYBRID: dict[str, Callable[[], str]] = {
    "independent": independent,
    "independent-variants": variants,
    "torsions": torsion_moves,
}
"""Every table by its marker."""
