"""Prepare the first ligand of each of 18 public targets, and run each for 10 ps at 2 and at 4 fs.

    python scripts/prepare_targets.py ../shared/data/structures --work runs/prepare

Each target is a folder with `protein.pdb` and `ligands.sdf`.  The 10 ps are without the implicit
solvent, which is some ten times slower on a CPU; where the ligand then leaves its place, they are
run again with it.  What is done is kept in --work: run the same command again after an
interruption, and it goes on.  Writes `validation/results/prepare-targets.json`, and the table of
docs/prepare.md beside it (.md); targets that are neither in --work nor named by --targets keep what
is there.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENMM_CPU_THREADS", "1")

import numpy as np
import openmm
from openmm import app, unit

from openmm_neuralmd.errors import NeuralMDError
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.masses import repartition
from openmm_neuralmd.md.minimise import with_cutoff
from openmm_neuralmd.prepare.pipeline import prepare
from openmm_neuralmd.prepare.settings import PrepareSettings
from openmm_neuralmd.prepare.soundness import ligand_shift
from openmm_neuralmd.utils.files import complete
from openmm_neuralmd.utils.platforms import choose_platform
from openmm_neuralmd.utils.provenance import provenance

RESULTS = Path(__file__).parent.parent / "validation" / "results"
DURATION = 10.0  # ps
TEMPERATURE = 300.0
HYDROGEN_MASS = 3.0  # amu, at 4 fs
FARTHEST = 3.0  # Å
SAMPLE = 1.0  # ps between looks at the ligand
IMPLICIT = (openmm.GBSAOBCForce, openmm.CustomGBForce)


def main() -> None:
    """Prepare all targets first, then simulate them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structures", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs/prepare"))
    parser.add_argument("--platform", default="CPU")
    parser.add_argument("--targets", nargs="*", help="only these")
    options = parser.parse_args()
    every = sorted(p.parent.name for p in options.structures.glob("*/*.sdf"))
    targets = options.targets or every
    results = {target: load(options.work, target) for target in every}
    for target in targets:
        result = results[target]
        if "prepared" not in result or not (options.work / target).exists():
            result |= prepare_target(options.structures / target, options.work / target)
            save(options.work, target, result)
            publish(results)
    for target in targets:
        result = results[target]
        for step in (2.0, 4.0):
            key = f"md_{step:g}fs"
            for implicit in (False, True):
                tried = result.get(key, {})
                wanted = not tried or (not tried["ok"] and implicit > tried["implicit_solvent"])
                if result.get("prepared") and wanted:
                    result[key] = simulate(options.work / target, step, implicit, options.platform)
                    save(options.work, target, result)
                    publish(results)


def load(work: Path, target: str) -> dict[str, Any]:
    """Load results of earlier runs, from here or from the repository."""
    path = work / f"{target}.json"
    if path.exists():
        return json.loads(path.read_text())
    published = RESULTS / "prepare-targets.json"
    known = json.loads(published.read_text())["results"] if published.exists() else {}
    return known.get(target, {})


def save(work: Path, target: str, result: dict[str, Any]) -> None:
    """Store the results of a target."""
    with complete(work / f"{target}.json") as path:
        path.write_text(json.dumps(result, indent=1))


def prepare_target(source: Path, output: Path) -> dict[str, Any]:
    """Prepare one target with the default settings."""
    notes: list[str] = []
    print(f"{source.name}: preparing", flush=True)
    start = time.perf_counter()
    try:
        if output.exists():
            folder = ComplexFolder.open(output)
        else:
            sdf, protein = source / "ligands.sdf", source / "protein.pdb"
            settings = PrepareSettings(platform="CPU")
            folder = prepare(
                protein, sdf, output, molecule="1", settings=settings, note=notes.append
            )
    except NeuralMDError as error:
        return {"prepared": False, "notes": notes, "why": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"prepared": False, "notes": notes, "why": f"unexpected: {error!r}"}
    record = folder.record
    return {
        "prepared": True,
        "seconds": round(time.perf_counter() - start, 1),
        "atoms": record["atoms"],
        "ligand": record["ligand"],
        "parameters": record["parameters"],
        "solvent": record["solvent"],
        "notes": record["notes"],
        "checks": record["checks"],
        "energy_kj_mol": record["energy"]["kj_mol"],
        "energy_read_back_kj_mol": folder.energy(),
    }


def simulate(path: Path, step: float, implicit: bool, platform_name: str) -> dict[str, Any]:
    """10 ps of Langevin dynamics; the farthest the ligand was from its start, Cα superposed."""
    solvent = ", with implicit solvent" if implicit else ""
    print(f"{path.name}: {DURATION:g} ps at {step:g} fs{solvent}", flush=True)
    folder = ComplexFolder.open(path)
    system = with_cutoff(folder.system())
    if not implicit:
        for index in reversed(range(system.getNumForces())):
            if isinstance(system.getForce(index), IMPLICIT):
                system.removeForce(index)
    if step > 2:
        repartition(system, folder.topology, HYDROGEN_MASS)
    integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE, 1.0, step * 1e-3)
    integrator.setRandomNumberSeed(1)
    platform = choose_platform(platform_name)
    simulation = app.Simulation(folder.topology, system, integrator, platform)
    simulation.context.setPositions(folder.positions)
    simulation.context.setVelocitiesToTemperature(TEMPERATURE, 1)
    complex, start, farthest = folder.complex(), time.perf_counter(), 0.0
    try:
        for _ in range(round(DURATION / SAMPLE)):
            simulation.step(round(SAMPLE * 1000 / step))
            state = simulation.context.getState(positions=True, energy=True)
            positions = np.array(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
            if not np.isfinite(positions).all():
                raise openmm.OpenMMException("positions are not numbers")
            farthest = max(farthest, 10 * ligand_shift(complex, positions))
    except openmm.OpenMMException as error:
        return {"ok": False, "why": str(error), "implicit_solvent": implicit}
    return {
        "ok": farthest < FARTHEST,
        "ligand_rmsd_max_angstrom": round(farthest, 2),
        "potential_energy_kj_mol": state.getPotentialEnergy().value_in_unit(
            unit.kilojoule_per_mole
        ),
        "implicit_solvent": implicit,
        "seconds": round(time.perf_counter() - start, 1),
    }


def publish(results: dict[str, dict[str, Any]]) -> None:
    """Write the JSON and the table for the docs, as far as they are known."""
    prepared = sum(bool(r.get("prepared")) for r in results.values())
    passed = sum(
        all(r.get(f"md_{step}fs", {}).get("ok") for step in (2, 4)) for r in results.values()
    )
    summary = {
        "targets": len(results),
        "prepared": prepared,
        "passed_md": passed,
        "md": {
            "duration_ps": DURATION,
            "temperature_k": TEMPERATURE,
            "cutoff_nm": 1.2,
            "hydrogen_mass_at_4fs": HYDROGEN_MASS,
        },
        "provenance": provenance(),
        "results": results,
    }
    with complete(RESULTS / "prepare-targets.json") as path:
        path.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    with complete(RESULTS / "prepare-targets.md") as path:
        path.write_text(table(results, prepared, passed))


def table(results: dict[str, dict[str, Any]], prepared: int, passed: int) -> str:
    """Table of the results in Markdown."""
    head = (
        f"{prepared} of {len(results)} prepared; {passed} also ran {DURATION:g} ps at 2 fs and at "
        f"4 fs with the ligand within {FARTHEST:g} Å (*: with the implicit solvent, after the "
        "ligand had left its place without).\n\n"
        "| target | ligand (charge) | atoms | contact Å | moved Å | 2 fs: farthest Å "
        "| 4 fs: farthest Å | what was done, or why it failed |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "".join(row(target, result) for target, result in results.items())


def row(target: str, result: dict[str, Any]) -> str:
    """Prepare and run one target, and store its results."""
    if not result.get("prepared"):
        why = result.get("why", "not tried yet")
        return f"| {target} | | | | | | | {why} |\n"
    runs = [result.get(f"md_{step}fs") for step in (2, 4)]
    shown = [
        "–"
        if r is None
        else str(r.get("ligand_rmsd_max_angstrom", r.get("why")))
        + ("*" if r["implicit_solvent"] else "")
        for r in runs
    ]
    telling = [n for n in result["notes"] if not n.startswith(("ligand ", "protein "))]
    ligand, checks = result["ligand"], result["checks"]
    cells = [
        target,
        f"{ligand['molecule']} ({ligand['charge']:+d})",
        str(result["atoms"]),
        f"{checks['shortest_contact_angstrom']:.2f}",
        f"{checks['ligand_moved_angstrom']:.2f}",
        *shown,
        "; ".join(telling),
    ]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main()
