"""GROMACS and OpenMM on one complex: energies term by term, and the ceiling for any model.

    python validation/gromacs.py                                   # energies of T4 lysozyme
    python validation/gromacs.py COMPLEX --time 3ns --replicas 2   # and runs of both engines

Without COMPLEX (a folder of `neuralmd prepare`) it is T4 lysozyme L99A with p-xylene (openmmtools;
real Amber parameters).  With --time both engines simulate it, each from seeds of its own; finished
runs stay in --work and are read again, interrupted ones go on.  How well the ligand's fluctuations
of one engine agree with those of the other, beside how well two runs of one engine agree, is what
no model can do better.  Needs gmx.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from openmm import unit

from ceiling import atom_rmsf, ceiling
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.md.engines import ENGINES, choose_engine
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs.energies import (
    TERMS,
    gromacs_terms,
    openmm_terms,
)
from openmm_neuralmd.md.gromacs.program import find_gmx
from openmm_neuralmd.md.interaction import COULOMB
from openmm_neuralmd.md.modes import Setup, build
from openmm_neuralmd.md.outcome import RECORD
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.md.subsystem import nonbonded_force, nonbonded_parameters
from openmm_neuralmd.prepare.imports import import_amber
from openmm_neuralmd.trajectory.snapshots import Snapshots
from openmm_neuralmd.utils.progress import progress_bar
from openmm_neuralmd.utils.times import parse_time, show_time
from result_files import save
from runs import read_run
from t4_lysozyme import NAME, amber_files


def without_solvent(work: Path) -> ComplexFolder:
    """T4 lysozyme in vacuum, imported from openmmtools once: GROMACS has no implicit solvent."""
    path = work / NAME / "complex"
    if path.exists():
        return ComplexFolder.open(path)
    return import_amber(*amber_files(), path, name=NAME)


def reaction_field_of_excluded_pairs(setup: Setup) -> float:
    """GROMACS's Coulomb energy minus OpenMM's where there is a cutoff, in kJ/mol.

    GROMACS includes the reaction field between excluded pairs and of each atom with itself, and has
    a separate vacuum term for 1–4 pairs.  The result is 0 without a reaction field.
    """
    force = nonbonded_force(setup.system)
    if force.getNonbondedMethod() not in (force.CutoffNonPeriodic, force.CutoffPeriodic):
        return 0.0
    cutoff = force.getCutoffDistance().value_in_unit(unit.nanometer)
    epsilon = force.getReactionFieldDielectric()
    k = (epsilon - 1) / (2 * epsilon + 1) / cutoff**3
    c = 3 * epsilon / (2 * epsilon + 1) / cutoff
    charge = nonbonded_parameters(force, np.arange(force.getNumParticles()))[:, 0]
    energy = -0.5 * c * float((charge**2).sum())
    positions = setup.complex.positions
    for n in range(force.getNumExceptions()):
        i, j, *_ = force.getExceptionParameters(n)
        r = np.linalg.norm(positions[i] - positions[j])
        energy += charge[i] * charge[j] * (k * r * r - c)
    return float(COULOMB * energy)


def energies(folder: ComplexFolder, settings: MDSettings) -> dict[str, Any]:
    """Compare both engines at the same positions, in kJ/mol; OpenMM in double precision."""
    setup = build(folder, settings)
    ours = openmm_terms(setup.system, setup.complex.positions, setup.complex.box, "Reference")
    field = reaction_field_of_excluded_pairs(setup)
    theirs = gromacs_terms(setup)
    theirs["coulomb"] -= field
    return {
        "atoms": setup.counts(),
        "terms": {name: {"openmm": ours[name], "gromacs": theirs[name]} for name in TERMS},
        "total": {"openmm": sum(ours.values()), "gromacs": sum(theirs.values())},
        "reaction_field_of_excluded_pairs": field,
    }


def simulated(
    folder: ComplexFolder, engine: str, settings: MDSettings, time_ps: float, work: Path
) -> Snapshots:
    """A run of one engine and seed, made now or read again."""
    place = work / folder.name / f"{engine}-{settings.mode}-{settings.seed}"
    total = settings.snapshots(time_ps)
    if not (place / RECORD).is_file():
        title = f"{engine}, seed {settings.seed}"
        with progress_bar(title, total, "snapshots") as advance:
            choose_engine(engine).run(folder, place, time_ps, settings=settings, progress=advance)
    record = yaml.safe_load((place / RECORD).read_text(encoding="utf-8"))
    if record["settings"] != asdict(settings) or record["snapshots"] != total:
        raise InputError(f"{place}: a run with other settings; remove it, or choose another --work")
    return read_run(place)


def observed(
    folder: ComplexFolder, settings: MDSettings, time_ps: float, replicas: int, work: Path
) -> dict[str, Any]:
    """The ligand in runs of both engines."""
    runs: dict[str, list[np.ndarray]] = {}
    for engine in ENGINES:
        for seed in range(1, replicas + 1):
            own = MDSettings(**{**asdict(settings), "seed": seed})
            snapshots = simulated(folder, engine, own, time_ps, work)
            runs.setdefault(engine, []).append(snapshots.ligand)
    complex = snapshots.complex
    values = ceiling(runs["openmm"], runs["gromacs"], complex.site_bonds)
    atoms = list(complex.topology.atoms())
    return {
        "time_ps": time_ps,
        "replicas": replicas,
        "interval_ps": settings.interval_ps,
        "block_ps": values.block * settings.interval_ps,
        "blocks": values.blocks,
        "rmsf_ratio": list(values.rmsf_ratio),
        "agreement": {
            name: {"between": row.between, "within": row.within, "excess": list(row.excess)}
            for name, row in values.agreement.items()
        },
        "atoms": [atoms[i].name for i in complex.ligand_sites],
        "rmsf": {engine: atom_rmsf(own).round(4).tolist() for engine, own in runs.items()},
    }


def report(result: dict[str, Any]) -> None:
    """The numbers in words."""
    for name, row in {**result["energies"]["terms"], "total": result["energies"]["total"]}.items():
        gap = row["gromacs"] - row["openmm"]
        print(f"{name:14s} {row['openmm']:16.4f} {row['gromacs']:16.4f} {gap:12.2g} kJ/mol")
    if result["observed"] is None:
        return
    ratio = result["observed"]["rmsf_ratio"]
    print("RMSF, GROMACS by OpenMM: {:.3f} ({:.3f} to {:.3f})".format(*ratio))
    for name, row in result["observed"]["agreement"].items():
        excess = "{:.3f} ({:.3f} to {:.3f})".format(*row["excess"])
        print(
            f"{name:20s} engines {row['between']:.3f}, runs of one {row['within']:.3f}, "
            f"more {excess}"
        )


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("complex", nargs="?", type=Path, help="complex folder")
    parser.add_argument("--mode", default="pocket", choices=["flexible", "pocket"])
    parser.add_argument(
        "--time", type=parse_time, help="simulated time of each run; without it, no runs"
    )
    parser.add_argument("--replicas", type=int, default=2, help="runs of each engine")
    parser.add_argument("--interval", type=parse_time, default=1.0, help="between snapshots")
    parser.add_argument("--equilibration", type=parse_time, help="default: as neuralmd reference")
    parser.add_argument("--platform", default="CPU")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("runs/gromacs"))
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    if arguments.replicas < 2:
        parser.error("two runs of each engine at least: one does not say how sure it is")
    folder = (
        ComplexFolder.open(arguments.complex)
        if arguments.complex
        else without_solvent(arguments.work)
    )
    gmx = find_gmx()
    settings = MDSettings(
        mode=arguments.mode,
        interval_ps=arguments.interval,
        equilibration_ps=arguments.equilibration,
        platform=arguments.platform,
        properties={"Threads": str(arguments.threads)} if arguments.platform == "CPU" else {},
    )
    choices = settings, arguments.time, arguments.replicas, arguments.work
    result = {
        "what": "OpenMM and GROMACS on one complex",
        "complex": folder.name,
        "solvent": folder.record["solvent"],
        "settings": asdict(settings),
        "gromacs": {"version": gmx.version, "simd": gmx.simd},
        "energies": energies(folder, settings),
        "observed": observed(folder, *choices) if arguments.time else None,
    }
    save(f"gromacs-{folder.name}", result, arguments.json)
    report(result)
    if arguments.time:
        print(f"{arguments.replicas} runs of {show_time(arguments.time)} by each engine")


if __name__ == "__main__":
    main()
