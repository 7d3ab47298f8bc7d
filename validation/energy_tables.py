"""Tables of energy models, femtosecond runs, and hybrid moves, for render.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from openmm_neuralmd.analysis.markdown import interval, significant, table
from result_files import machine, measured, missing, read

COLUMNS = {
    "mae": ("force MAE, kJ/mol/nm", 1),
    "rmse": ("RMSE, kJ/mol/nm", 1),
    "cosine": ("cosine", 3),
    "energy": ("energy MAE, kJ/mol", 2),
}
LEARNED = "learned"
POSES = {"raw": "as jumped to", "relaxed": "relaxed", "kept": "kept", "md": "MD between"}


def forces(name: str, command: str) -> str:
    """Errors of an energy model and of forces without a network, at the held-out snapshots."""
    result = _result(f"forces-{name}")
    if result is None:
        return missing(command)
    spread, counts, models = result["spread"], result["geometries"], result["models"]
    rows = []
    for method, errors in result["errors"].items():
        title = "**learned**" if method == LEARNED else method
        gap = result["differences"].get(method)
        cells = [interval(errors[key], decimals) for key, (_, decimals) in COLUMNS.items()]
        rows.append([title, *cells, "" if gap is None else interval(gap, 1)])
    header = ["", *(title for title, _ in COLUMNS.values()), "learned less this, force MAE"]
    seeds = ", ".join(f"{model['seed']} (MAE {model['mae']:.1f})" for model in models)
    return (
        f"{name}: {result['atoms']} atoms; {counts['test']} held-out snapshots "
        f"{result['interval_ps']:g} ps apart, drawn in blocks of {result['block']}; trained on "
        f"{counts['training']} geometries, seed {seeds}. Spread of the labels: forces "
        f"{spread['force']:.1f} kJ/mol/nm, energies {spread['energy']:.2f} kJ/mol.\n\n"
        f"{table(header, rows)}\n{machine(f'forces-{name}')}"
    )


def without_thermostat(name: str, command: str) -> str:
    """Drift of both forces at every step."""
    result = _result(f"femtoseconds-{name}")
    if result is None:
        return missing(command)
    rows = []
    for run in result["nve"]:
        for side in ("learned", "all-atom"):
            drift = run["drift"].get(side)
            cells = (
                ["blew up", "", "", ""]
                if drift is None
                else [
                    f"{drift['slope']:.1e} ± {drift['resolution']:.1e}",
                    f"{drift['share']:.2g}",
                    f"{drift['fluctuation']:.2g}",
                    f"{drift['temperature']:.0f}",
                ]
            )
            rows.append([f"{run['timestep_fs']:g} fs, {side} force", *cells])
    header = ["NVE", "drift, kT/ns/dof", "over the run, by σ(K)", "σ(E) by σ(K)", "K"]
    return f"{_runs(result)}\n\n{table(header, rows)}\n{machine(f'femtoseconds-{name}')}"


def with_thermostat(name: str, command: str) -> str:
    """Table of the ligand's shape with a thermostat."""
    result = _result(f"femtoseconds-{name}")
    if result is None:
        return missing(command)
    rows = []
    for method, row in result["nvt"].items():
        if row.get("failed"):
            rows.append([method, row["failed"], "", ""])
            continue
        deviation = f"{row['largest_bond_deviation']:.3f}"
        rows.append([method, deviation, f"{row['bonds']:.4f}", f"{row['angles']:.4f}"])
    header = ["NVT", "largest deviation of a bond, Å", "bonds, bits", "angles, bits"]
    chosen = result["settings"]
    said = f"{chosen['timestep_fs']:g} fs, {chosen['temperature']:g} K"
    return f"{_runs(result)} {said}.\n\n{table(header, rows)}"


def _runs(result: dict[str, Any]) -> str:
    chosen = result["settings"]
    return (
        f"Model `{result['model']['name']}`, {chosen['picoseconds']:g} ps, {chosen['platform']}, "
        f"{result['precision']} precision."
    )


def hmc(name: str, command: str) -> str:
    """Table of the efficiency of samplers."""
    result = _result(f"hmc-{name}")
    if result is None:
        return missing(command)
    rows = []
    for sampler, row in result["samplers"].items():
        gap = result["energy_less_truth"].get(sampler)
        rows.append(
            [
                sampler,
                "" if row["accepted"] is None else f"{100 * row['accepted']:.1f}",
                f"{row['samples']:,}",
                _rate(row["samples_energy"]),
                _rate(row["samples_coordinates"]),
                significant(row["energy"]),
                "" if gap is None else significant(gap),
            ]
        )
    header = [
        "",
        "accepted, %",
        "samples",
        "effective per CPU s, energy",
        "coordinates",
        "mean energy, kJ/mol",
        f"less {result['truth']}",
    ]
    said = f"Model `{result['model']['name']}`, {result['atoms']} atoms, {result['chains']} chains."
    return f"{said}\n\n{table(header, rows)}\n{machine(f'hmc-{name}')}"


def _rate(chains: Sequence[float]) -> str:
    """Mean and range of the chains."""
    return f"{fmean(chains):.3g} ({min(chains):.3g} to {max(chains):.3g})"


def jumps(command: str) -> str:
    """Table of accepted and dropped jumps of every complex."""
    result = _result("jumps")
    if result is None:
        return missing(command)
    rows = []
    for row in result["complexes"]:
        why = ", ".join(f"{reason} {count}" for reason, count in row["reasons"].items())
        accepted = f"{row['kept']} of {row['jumps']}"
        rows.append(
            [row["complex"], row["model"]["name"], f"{row['interval_ps']:g}", accepted, why]
        )
    first = table(["complex", "model", "Δ, ps", "kept", "dropped"], rows)
    sound = [
        [row["complex"], *(_share(row["posebusters"].get(name)) for name in POSES)]
        for row in result["complexes"]
    ]
    titles = [f"{title}, %" for title in POSES.values()]
    return f"{first}\n{table(['PoseBusters', *titles], sound)}\n{machine('jumps')}"


def _share(rate: dict[str, Any] | None) -> str:
    return "–" if rate is None else f"{interval(rate['share'], 0)} of {rate['of']}"


def _result(name: str) -> dict[str, Any] | None:
    return read(name) if measured(name) else None


_FORCES = "python validation/forces.py validation/forces/{}.yaml"
_JUMPS = (
    "python validation/jumps.py runs/pocket/tyk2/complex=MODEL runs/pocket/mcl1/complex=MODEL "
    "runs/pocket/taf12/complex=MODEL"
)
LABELLED = ("t4l-p-xylene", "tyk2", "taf12")
"""Ligands with a learned force."""
RUN = LABELLED[0]
"""The one whose force was also run with, femtosecond by femtosecond."""


def _with(program: str) -> str:
    model = f"runs/forces/{RUN}-energy/seed-0/model.safetensors"
    return f"python validation/{program}.py {model} --run runs/forces/t4l/rigid"


ENERGIES: dict[str, Callable[[], str]] = {
    **{f"forces-{name}": partial(forces, name, _FORCES.format(name)) for name in LABELLED},
    f"nve-{RUN}": partial(without_thermostat, f"{RUN}-energy", _with("femtoseconds")),
    f"nvt-{RUN}": partial(with_thermostat, f"{RUN}-energy", _with("femtoseconds")),
    f"hmc-{RUN}": partial(hmc, f"{RUN}-energy", _with("hmc")),
    "jumps": partial(jumps, _JUMPS),
}
"""Every table by its marker."""
