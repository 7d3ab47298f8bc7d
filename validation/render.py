"""Write the tables of README.md and of pages in docs/ from result files and manifests.

python validation/render.py           # rewrites what stands between the markers
python validation/render.py --check   # exit 1 if that would change anything
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Callable
from functools import partial
from statistics import fmean
from typing import Any

from energy_tables import ENERGIES
from mechanics_tables import MECHANICS
from result_files import ROOT, machine, measured, missing, read

from openmm_neuralmd.analysis.markdown import (
    ENSEMBLES,
    ERRORS,
    interval,
    metric_table,
    rounded,
    table,
)

SETS = ROOT / "validation" / "reference_sets"
PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "results.md",
    ROOT / "docs" / "comparison.md",
    ROOT / "docs" / "energy.md",
    ROOT / "docs" / "hybrid.md",
    ROOT / "docs" / "mechanics.md",
    ROOT / "docs" / "reference.md",
    ROOT / "docs" / "reference-sets.md",
)
COMPARED = ("gpcr", "pocket", "pocket-left-out", "fine", "rigid")
MARKER = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

TITLES = {
    "neuralmd-ode": "**NeuralMD-ODE**",
    "neuralmd-ode-without-network": "the same with F = 0",
    "persistence": "persistence",
    "mean": "mean structure",
    "recent-mean": "recent mean",
    "projected-recent-mean": "projected recent mean",
    "ar1": "AR(1)",
}
LEARNED = {
    "neuralmd-ode": "**NeuralMD-ODE**",
    "neuralmd-sde": "**NeuralMD-SDE**, one future",
    "neuralmd-sde (mean of futures)": "**NeuralMD-SDE**, mean of futures",
    "verletmd": "VerletMD",
    "gnn-md": "GNN-MD",
    "denoising-ld": "DenoisingLD, one future",
    "denoising-ld (mean of futures)": "DenoisingLD, mean of futures",
    "cg-md": "CG-MD",
}
DRAWN = {
    "neuralmd-sde": "**NeuralMD-SDE**",
    "denoising-ld": "DenoisingLD",
    "ar1": "AR(1) with noise",
    "replay": "known stretches played again",
    "halves of the truth": "*one half of the truth for the other*",
}


def accuracy(name: str, protocol: str) -> str:
    """Every method and metric of one protocol, the learned model with its spread over seeds."""
    result = read(name)
    content = result["protocols"][protocol]
    rows = []
    for method, title in TITLES.items():
        cells = [title]
        for metric, (_, decimals) in ERRORS.items():
            cell = interval(content["methods"][method][metric], decimals)
            spread = content["seed_spread"].get(metric) if method == "neuralmd-ode" else None
            cells.append(cell if spread is None else f"{cell} ± {spread:.{decimals}f}")
        rows.append(cells)
    return table(["", *(title for title, _ in ERRORS.values())], rows)


def against(name: str, protocol: str) -> str:
    """Paired differences of the learned model to each trivial forecast."""
    content = read(name)["protocols"][protocol]["differences"]
    keys = [key for key in ERRORS if key in next(iter(content.values()))]
    rows = [
        [TITLES[other], *(interval(content[other][key], ERRORS[key][1] + 1) for key in keys)]
        for other in TITLES
        if other in content
    ]
    return table(["NeuralMD-ODE minus", *(ERRORS[key][0] for key in keys)], rows)


def autocorrelation(name: str) -> str:
    """The data's memory, which bounds what any forecast can do."""
    result = read(name)
    rows = [[f"{value:.2f}" for value in result["lag_autocorrelation"].values()]]
    lags = [
        f"{int(lag) * result['interval_ps'] / 1000:g} ns" for lag in result["lag_autocorrelation"]
    ]
    return table(["lag", *lags], [["autocorrelation", *rows[0]]])


def speed(name: str) -> str:
    """ns/day of both sides and the ratio, with what moves."""
    result = read(name)
    ratios = result["ratio_to_fastest_all_atom"]
    rows = []
    for side, row in result["rows"].items():
        ns = row["ns_per_day"]
        ratio = ratios.get(side)
        rows.append(
            [
                side,
                f"{row['moving_atoms']:,}",
                rounded(ns["median"]),
                f"{100 * (ns['greatest'] - ns['least']) / ns['median']:.0f} %",
                "1 (the fastest)" if ratio is None else rounded(ratio["at_model_interval"]),
                "" if ratio is None else rounded(ratio["at_80_ps"]),
            ]
        )
    fastest = max(
        (r["ns_per_day"]["median"], s) for s, r in result["rows"].items() if s not in ratios
    )
    for cells in rows:
        if cells[0] not in ratios and cells[0] != fastest[1]:
            cells[4] = ""
    interval_ns = result["interval_ps"] / 1000
    header = [
        "",
        "atoms that move",
        "ns/day",
        "range of repeats",
        f"ratio at {interval_ns:g} ns per snapshot",
        "ratio if it were 80 ps",
    ]
    return table(header, rows)


def caveats(name: str) -> str:
    """What the two sides of the speed table do, in words."""
    return "".join(f"- {sentence}\n" for sentence in read(name)["in_words"])


ENGINES = {"openmm": "OpenMM", "gromacs": "GROMACS"}


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
    made = table(["", "atoms", "that move", "ns/day", f"range of {result['repeats']}"], rows)
    gmx = result["gromacs"]
    said = f"GROMACS {gmx['version']} ({gmx['simd']}), {result['threads']} threads each."
    return f"{made}\n{result['what']}. {said} {machine(name)}"


def reference_set(name: str) -> str:
    """What is in a reference set, and how its ligands move."""
    path = SETS / name / "manifest.json"
    if not path.is_file():
        return f"Not made yet: `neuralmd campaign validation/reference_sets/{name}.yaml`.\n"
    content = json.loads(path.read_text(encoding="utf-8"))
    complexes = content["complexes"].values()
    found = {lag for told in complexes for lag in told["motion"]["autocorrelation"]}
    lags = sorted(found, key=lambda lag: float(lag.split()[0]))
    rows = []
    for target, told in content["complexes"].items():
        motion = told["motion"]
        rows.append(
            [
                f"{target}, {told['ligand']['molecule']} ({told['ligand']['charge']:+d})",
                str(told["ligand_heavy_atoms"]),
                f"{told['atoms']['moving']:,}",
                f"{told['snapshots'] * told['interval_ps'] / 1000:g}",
                f"{motion['spread_angstrom']:.2f}",
                f"{motion['from_start_angstrom'][-1]:.1f}",
                *(f"{motion['autocorrelation'].get(lag, math.nan):.2f}" for lag in lags),
            ]
        )
    header = ["complex", "heavy atoms", "that move", "ns", "spread, Å", "from start, Å"]
    made = table([*header, *(f"after {lag}" for lag in lags)], rows)
    return f"{content['about']}\n\n{made}"


def compared(name: str) -> dict[str, Any] | None:
    """The result of validation/compare.py, None where it was not run yet."""
    return read(name) if measured(name) else None


COMPARE = "python validation/compare.py validation/compare/{}.yaml"


def comparison(name: str) -> str:
    """Forecast errors of every method."""
    result = compared(f"compare-{name}")
    if result is None:
        return missing(COMPARE.format(name))
    trivial = {key: title for key, title in TITLES.items() if not key.startswith("neuralmd")}
    made = metric_table(result["errors"], ERRORS, LEARNED | trivial, result["seed_spread"])
    lags = result["autocorrelation"].items()
    memory = [f"{fmean(values):.2f} after {lag}" for lag, values in lags]
    return (
        f"{result['what']}: {result['origins']} origins, {result['settings']['ahead']} snapshots "
        f"ahead, in {result['clusters']} stretches; seeds "
        f"{', '.join(map(str, result['settings']['seeds']))}. Autocorrelation, in snapshots: "
        f"{', '.join(memory)}.\n\n{made}\n{machine(f'compare-{name}')}"
    )


def ensembles(name: str) -> str:
    """Ensemble metrics of every method that draws noise."""
    result = compared(f"compare-{name}")
    if result is None:
        return missing(COMPARE.format(name))
    return metric_table(result["ensembles"], ENSEMBLES, DRAWN)


TABLES: dict[str, Callable[[], str]] = {
    "accuracy-single": lambda: accuracy("accuracy-gpcr-ergotamine", "single"),
    "accuracy-rolling": lambda: accuracy("accuracy-gpcr-ergotamine", "rolling"),
    "differences-rolling": lambda: against("accuracy-gpcr-ergotamine", "rolling"),
    "autocorrelation": lambda: autocorrelation("accuracy-gpcr-ergotamine"),
    "accuracy-machine": lambda: machine("accuracy-gpcr-ergotamine"),
    **{f"compare-{name}": partial(comparison, name) for name in COMPARED},
    **{f"ensembles-{name}": partial(ensembles, name) for name in COMPARED},
    "speed": lambda: speed("speedup-t4l-p-xylene"),
    "speed-caveats": lambda: caveats("speedup-t4l-p-xylene"),
    "speed-machine": lambda: machine("speedup-t4l-p-xylene"),
    "engines": lambda: engines("engines-t4l"),
    **MECHANICS,
    **ENERGIES,
    "set-pocket": lambda: reference_set("pocket"),
    "set-fine": lambda: reference_set("fine"),
    "set-dry": lambda: reference_set("dry"),
    "set-rigid": lambda: reference_set("rigid"),
    "set-flexible": lambda: reference_set("flexible"),
}


def rendered(text: str) -> str:
    """The text with every table between markers made anew."""
    return MARKER.sub(lambda m: m[1] + "\n" + TABLES[m[2]]() + "\n" + m[3], text)


def main() -> None:
    """Rewrite the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if rendered(text) != text:
            stale.append(page.name)
            if not check:
                page.write_text(rendered(text), encoding="utf-8")
    if check and stale:
        sys.exit(f"stale tables in {', '.join(stale)}: run python validation/render.py")


if __name__ == "__main__":
    main()
