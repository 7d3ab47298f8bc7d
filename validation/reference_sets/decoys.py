"""Reference set 'decoys': poses of unseen ligands, right and wrong, and short MD of each.

    python validation/reference_sets/decoys.py ../shared/data/many --minutes 60

For complexes of the splits 'test' and 'validation' of set 'many': the given pose and three decoys
(`decoy_poses.py`), each in the water of the prepared complex, relaxed with its surroundings, then
MD in mode pocket (GROMACS, one thread).  Stored are the poses with the RMSD of their heavy atoms
from the pose, over the second half of the run and in the frame of the protein, and the energy
between ligand and protein after relaxing.  Work is kept in runs/decoys; the same command goes on.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENMM_CPU_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import openmm
from openmm import app
from rdkit import Chem
from scipy.spatial import cKDTree

from decoy_poses import KINDS, decoy
from many import MD, in_order, prepared, read_table
from openmm_neuralmd.errors import NeuralMDError, SimulationError
from openmm_neuralmd.hybrid.relaxation import Quench
from openmm_neuralmd.md.folder import LIGAND, ComplexFolder, potential_energy
from openmm_neuralmd.md.folder_writer import write_folder
from openmm_neuralmd.md.gromacs.production import run_gromacs
from openmm_neuralmd.md.interaction import interaction_force
from openmm_neuralmd.md.minimise import make_context
from openmm_neuralmd.md.selection import around_ligand, part_of_topology
from openmm_neuralmd.md.subsystem import nonbonded_force
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.structure.residues import WATER
from openmm_neuralmd.trajectory.snapshots import read_snapshots
from openmm_neuralmd.units import to_angstrom, to_nm
from openmm_neuralmd.utils.files import complete

HERE = Path(__file__).parent
SET = HERE / "decoys"
MANIFEST = SET / "manifest.json"
RUNS = HERE.parent.parent / "runs" / "decoys"
GIVEN = "given"
EQUILIBRATION_PS, PRODUCTION_PS, INTERVAL_PS = 10.0, 60.0, 1.0
ABOUT = (
    f"Poses of ligands whose targets no model learned from, and MD of {PRODUCTION_PS:g} ps of each "
    f"after {EQUILIBRATION_PS:g} ps of equilibration: mode pocket, GAFF2 and Amber ff14SB, TIP3P, "
    "300 K, 4 fs.  rmsd_angstrom is the mean over the second half."
)
STIFFNESS, RADIUS, ITERATIONS = 1000.0, 0.5, 120
"""Of relaxing: kJ/mol/nm² that hold the ligand, nm around it that move, steps."""
OVERLAP = 0.26
"""nm from a heavy atom of the ligand to the oxygen of a water that has to go elsewhere."""
LOST = 10.0
"""Å, taken for a ligand that left the pocket."""


def main() -> None:
    """Make what there is time for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structures", type=Path, help="folder with complexes.tsv and targets/")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no pose after this")
    parser.add_argument("--complexes", nargs="+", help="identifiers; all by default")
    arguments = parser.parse_args()
    began = time.monotonic()
    content: dict[str, Any] = {"set": "decoys", "about": ABOUT, "complexes": {}}
    if MANIFEST.is_file():
        content = json.loads(MANIFEST.read_text())
    rows = in_order(read_table(arguments.structures), arguments.structures)
    rows = [row for row in rows if row["split"] != "train"]
    chosen = set(arguments.complexes or (row["id"] for row in rows))
    for row in (row for row in rows if row["id"] in chosen):
        origin = {key: row[key] for key in ("target", "split", "source", "licence")}
        entry = content["complexes"].setdefault(row["id"], {**origin, "poses": {}})
        for kind in (GIVEN, *KINDS):
            if kind in entry["poses"] or "failed" in entry["poses"].get(GIVEN, {}):
                continue
            if time.monotonic() - began > 60 * arguments.minutes:
                return
            entry["poses"][kind] = attempt(row, arguments.structures, kind)
            print(row["id"], kind, entry["poses"][kind], flush=True)
            SET.mkdir(exist_ok=True)
            with complete(MANIFEST) as temporary:
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def attempt(row: dict[str, str], structures: Path, kind: str) -> dict[str, Any]:
    """The MD of one pose, which is then stored, or why there is none."""
    base = RUNS / row["id"]
    try:
        base.mkdir(parents=True, exist_ok=True)
        folder = prepared(row, structures, base / "complex")
        molecule = Chem.MolFromMolFile(str(folder.path / LIGAND), removeHs=False)
        complex, system = folder.complex(), folder.system()
        pose = to_angstrom(folder.positions[complex.ligand])
        if kind != GIVEN:
            seed = zlib.crc32(f"{row['id']}, {kind}".encode())
            protein = to_angstrom(folder.positions[protein_heavy(complex)])
            pose = decoy(molecule, protein, KINDS[kind], seed)
        relaxed = settled(folder, complex, system, pose)
        away = simulated(folder, base / kind.replace(" ", "-"), molecule, relaxed, pose)
    except (NeuralMDError, openmm.OpenMMException, ValueError) as error:
        return {"failed": " ".join(str(error).split())}
    given = to_angstrom(folder.positions[complex.ligand_heavy])
    store(row["id"], kind, complex, molecule, pose)
    return {
        "from_given_angstrom": rms(pose[heavy_rows(molecule)], given),
        "rmsd_angstrom": away,
        "interaction_kj_mol": interaction(system, complex, relaxed),
    }


def store(name: str, kind: str, complex: Complex, molecule: Chem.Mol, pose: np.ndarray) -> None:
    """Add a pose to the ligand's SDF, and write the heavy atoms of the protein."""
    posed = Chem.Mol(molecule)
    posed.GetConformer().SetPositions(pose)
    posed.SetProp("_Name", f"{name}, {kind}")
    path = SET / f"{name}.sdf"
    SET.mkdir(exist_ok=True)
    before = path.read_text() if path.is_file() else ""
    with complete(path) as temporary:
        temporary.write_text(before + Chem.MolToMolBlock(posed) + "$$$$\n")
    heavy = protein_heavy(complex)
    text = io.StringIO()
    part = part_of_topology(complex.topology, heavy)
    part.setPeriodicBoxVectors(None)
    app.PDBFile.writeFile(part, to_angstrom(complex.positions[heavy]), text, keepIds=True)
    with complete(SET / f"{name}.pdb.gz") as temporary:
        temporary.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def rms(x: np.ndarray, y: np.ndarray) -> float:
    """RMSD without superposition."""
    return float(np.sqrt(((x - y) ** 2).sum(-1).mean()))


def heavy_rows(molecule: Chem.Mol) -> list[bool]:
    """Rows of the atoms that are not hydrogen."""
    return [atom.GetAtomicNum() > 1 for atom in molecule.GetAtoms()]


def protein_heavy(complex: Complex) -> np.ndarray:
    """Particle indices of heavy atoms: everything but ligand and water."""
    own = set(complex.ligand.tolist())
    return np.array(
        [
            atom.index
            for atom in complex.topology.atoms()
            if atom.index not in own
            and atom.element is not None
            and atom.element.symbol != "H"
            and atom.residue.name not in WATER
        ]
    )


def settled(
    folder: ComplexFolder, complex: Complex, system: openmm.System, pose: np.ndarray
) -> np.ndarray:
    """Positions (N, 3) in nm with the ligand near `pose` and its surroundings relaxed."""
    x = folder.positions
    before = x.copy()
    x[complex.ligand] = to_nm(pose)
    move_water(x, before, complex)
    target = make_context(system, x, "CPU")
    quench = Quench(system, complex, (before, x), RADIUS, STIFFNESS, target)
    relaxed, _ = quench(x, folder.box, ITERATIONS)
    return relaxed


def move_water(x: np.ndarray, before: np.ndarray, complex: Complex) -> None:
    """Put each water that the ligand overlaps into the emptiest place nearby, in place."""
    ligand = x[complex.ligand_heavy]
    waters = [r for r in complex.topology.residues() if r.name in WATER]
    oxygens = np.array([next(a.index for a in r.atoms()) for r in waters])
    near, _ = cKDTree(ligand).query(x[oxygens])
    heavy = np.concatenate([protein_heavy(complex), complex.ligand_heavy, oxygens[near > OVERLAP]])
    occupied = x[heavy]
    both = np.concatenate([ligand, before[complex.ligand_heavy]])
    axes = [np.arange(a, b, 0.05) for a, b in zip(both.min(0) - 0.3, both.max(0) + 0.3)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    gap, _ = cKDTree(occupied).query(places)
    for number in np.flatnonzero(near <= OVERLAP):
        best = places[int(np.argmax(gap))]
        atoms = [atom.index for atom in waters[number].atoms()]
        x[atoms] += best - x[oxygens[number]]
        gap = np.minimum(gap, np.linalg.norm(places - best, axis=-1))


def interaction(system: openmm.System, complex: Complex, x: np.ndarray) -> float:
    """Energy in kJ/mol between ligand and protein, with a dielectric of four times the Å."""
    solute = around_ligand(complex, 0.0, np.inf)
    pairs = openmm.System()
    for _ in solute.particles:
        pairs.addParticle(1.0)
    force = nonbonded_force(system)
    pairs.addForce(interaction_force(force, solute, complex.ligand, "4r"))
    return potential_energy(pairs, x[solute.particles])


def simulated(
    folder: ComplexFolder, base: Path, molecule: Chem.Mol, x: np.ndarray, pose: np.ndarray
) -> float:
    """Mean RMSD in Å from `pose` over the second half of a run of MD."""
    base.mkdir(parents=True, exist_ok=True)
    here = base / "complex"
    complex = folder.complex()
    if not here.is_dir():
        placed = Chem.Mol(molecule)
        placed.GetConformer().SetPositions(to_angstrom(x[complex.ligand]))
        record = folder.record | {"name": f"{folder.name}-{base.name}"}
        sdf = Chem.MolToMolBlock(placed) + "$$$$\n"
        write_folder(here, folder.topology, folder.system(), x, sdf, record)
    run = base / "run"
    settings = replace(MD, interval_ps=INTERVAL_PS, equilibration_ps=EQUILIBRATION_PS)
    if not (run / "run.yaml").is_file():
        try:
            run_gromacs(here, run, PRODUCTION_PS, settings=settings)
        except SimulationError:
            return LOST
    written = Complex.from_files(run / "topology.pdb", sdf=here / LIGAND)
    frames = read_snapshots(run / "trajectory.xtc", written).ligand
    heavy = pose[heavy_rows(molecule)]
    away = np.sqrt(((frames - heavy) ** 2).sum(-1).mean(-1))
    return float(away[len(away) // 2 :].mean())


if __name__ == "__main__":
    main()
