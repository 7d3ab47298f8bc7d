"""Tables of mechanics, oscillation, and of GROMACS beside OpenMM, for render.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from openmm_neuralmd.analysis.markdown import interval, table
from openmm_neuralmd.assessment.check import Check
from result_files import machine, measured, missing, read

VERDICTS = {"pass": "passed", "fail": "**failed**", "reported": "–", "not measured": "–"}
SHOWN = {
    "rmsf_ratio": ("RMSF ratio", 2),
    "rmsf_difference": ("RMSF less the truth's, Å", 2),
    "rmsf_atom_correlation": ("over atoms", 2),
    "rmsf_time_correlation": ("over time", 2),
    "torsion_divergence": ("torsions, bits", 3),
    "interaction_recovery": ("interactions found, %", 0),
    "interaction_precision": ("that are true, %", 0),
}
"""Columns of the table of oscillation, with decimals."""
OBSERVED = {
    "rmsf_difference": ("RMSF of an atom, difference, Å", 3),
    "rmsf_correlation": ("RMSF, correlation over atoms", 3),
    "torsion_divergence": ("torsions, bits", 3),
}


def conservation(name: str, command: str) -> str:
    """Every check of a model's mechanics with its threshold."""
    if not measured(f"conservation-{name}"):
        return missing(command)
    result = read(f"conservation-{name}")
    rows = []
    for check in map(Check.model_validate, result["checks"]):
        value = f"{check.value[0]:.1e} {_unit(check.unit)}" if check.value else ""
        held = check.threshold if check.outcome in ("pass", "fail") else ""
        rows.append([check.what, value.strip(), held, VERDICTS[check.outcome], check.note])
    body = table(["", "value", "threshold", "", "note"], rows)
    return f"{_model(result)}\n\n{body}\n{machine(f'conservation-{name}')}"


def _unit(unit: str) -> str:
    return "" if unit in ("relative", "ratio", "order") else unit


def _model(result: dict[str, Any]) -> str:
    model = result["model"]
    return f"Model `{model['name']}` ({model['kind']}) on {result['complex']}."


def drift(name: str, command: str) -> str:
    """Table of both forces without a thermostat."""
    if not measured(f"conservation-{name}"):
        return missing(command)
    result = read(f"conservation-{name}")
    rows = [
        [
            f"{side} force",
            f"{drift_of['slope']:.1e} ± {drift_of['resolution']:.1e}",
            f"{drift_of['share']:.2g}",
            f"{drift_of['fluctuation']:.2g}",
            f"{drift_of['temperature']:.0f}",
            f"{drift_of['picoseconds']:.0f}",
        ]
        for side, drift_of in result["drift"].items()
    ]
    header = ["", "drift, kT/ns/dof", "over the run, by σ(K)", "σ(E) by σ(K)", "K", "ps"]
    chosen = result["nve"]
    how = f"{chosen['timestep_fs']:g} fs, {chosen['platform']}, {chosen['precision']} precision"
    return f"{_model(result)} Velocity Verlet, {how}.\n\n{table(header, rows)}"


def oscillation(name: str, command: str) -> str:
    """Table of the oscillation of every method and of the truth."""
    if not measured(f"oscillation-{name}"):
        return missing(command)
    result = read(f"oscillation-{name}")
    rows = [
        [method, *(_cell(row.get(key), decimals) for key, (_, decimals) in SHOWN.items())]
        for method, row in result["methods"].items()
    ]
    body = table(["", *(title for title, _ in SHOWN.values())], rows)
    length = result["forecast"] * result["interval_ps"]
    said = f"{result['complex']}: {result['forecast']} snapshots ahead ({length / 1000:g} ns)"
    return f"{said}, {result['known']} known.\n\n{body}\n{machine(f'oscillation-{name}')}"


def _cell(value: float | list[float] | None, decimals: int) -> str:
    if value is None:
        return "–"
    return interval(value if isinstance(value, list) else [value], decimals)


def energies(name: str, command: str) -> str:
    """Energies of both engines at the same positions."""
    if not measured(f"gromacs-{name}"):
        return missing(command)
    result = read(f"gromacs-{name}")
    both = {**result["energies"]["terms"], "total": result["energies"]["total"]}
    rows = [
        [
            term.replace("_", "–").replace("lennard–jones", "Lennard-Jones"),
            f"{row['openmm']:,.3f}",
            f"{row['gromacs']:,.3f}",
            f"{row['gromacs'] - row['openmm']:.3f}",
            f"{abs(row['gromacs'] / row['openmm'] - 1):.0e}",
        ]
        for term, row in both.items()
    ]
    body = table(["kJ/mol", "OpenMM", "GROMACS", "difference", "relative"], rows)
    counts = result["energies"]["atoms"]
    said = (
        f"{result['complex']}, mode {result['settings']['mode']}, {counts['kept']:,} atoms; "
        f"GROMACS {result['gromacs']['version']}, mixed precision; OpenMM in double."
    )
    return f"{said}\n\n{body}\n{machine(f'gromacs-{name}')}"


def ceiling(name: str, command: str) -> str:
    """Table of the agreement of two engines, and of two runs of one."""
    result = read(f"gromacs-{name}") if measured(f"gromacs-{name}") else {}
    data = result.get("observed")
    if not data:
        return missing(command)
    rows = [
        [title, f"{row['between']:.{d}f}", f"{row['within']:.{d}f}", interval(row["excess"], d)]
        for key, (title, d) in OBSERVED.items()
        if (row := data["agreement"].get(key))
    ]
    body = table(["", "GROMACS and OpenMM", "two runs of one", "difference"], rows)
    return (
        f"{result['complex']}: {data['replicas']} runs of {data['time_ps'] / 1000:g} ns "
        f"by each engine; blocks of {data['block_ps']:g} ps, {data['blocks']} in a run. RMSF, "
        f"GROMACS by OpenMM: {interval(data['rmsf_ratio'], 2)}.\n\n"
        f"{body}\n{machine(f'gromacs-{name}')}"
    )


_ENERGY = "python validation/conservation.py tyk2-energy --run validation/reference_sets/rigid/tyk2"
_TYK2 = "python validation/oscillation.py MODEL --set validation/reference_sets/pocket/tyk2"
_GPCR = "gpcr-ergotamine --example gpcr-ergotamine"
_T4L = "python validation/gromacs.py"

MECHANICS: dict[str, Callable[[], str]] = {
    "conservation-gpcr-ergotamine": partial(
        conservation, "gpcr-ergotamine", f"python validation/conservation.py {_GPCR}"
    ),
    "conservation-tyk2-energy": partial(conservation, "tyk2-energy", _ENERGY),
    "drift-tyk2-energy": partial(drift, "tyk2-energy", _ENERGY),
    "oscillation-gpcr-ergotamine": partial(
        oscillation, "gpcr-ergotamine", f"python validation/oscillation.py {_GPCR}"
    ),
    "oscillation-tyk2": partial(oscillation, "tyk2", _TYK2),
    "gromacs-energies": partial(energies, "t4l-p-xylene", _T4L),
    "gromacs-ceiling-t4l-p-xylene": partial(ceiling, "t4l-p-xylene", f"{_T4L} --time 500ps"),
}
"""Every table by its marker."""
