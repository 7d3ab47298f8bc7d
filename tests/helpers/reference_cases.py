"""What the tests of both engines start from, and how they kill a run."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import openmm
import openmmtools
import parmed
import pytest
from openmm import app, unit
from openmmtools import testsystems
from scipy.spatial import cKDTree

from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.prepare.imports import import_openmm

AMBER = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
PRMTOP, INPCRD = AMBER / "complex.prmtop", AMBER / "complex.crd"
BOX = 2.7  # nm
SIGMA, EPSILON = 0.31507524065751241, 0.635968  # of TIP3P's oxygen


def small_water_box(
    folder: ComplexFolder, place: Path, residues: Iterable[int] = range(97, 105)
) -> ComplexFolder:
    """Residues beside the ligand, and the ligand, in a box of water."""
    source = parmed.load_file(str(PRMTOP), str(INPCRD))
    whole = folder.complex()
    own = list(whole.topology.atoms())[whole.ligand[0]].residue.index
    part = source[[int(a.residue.idx in {own, *residues}) for a in source.atoms]]
    part.box = [10 * BOX] * 3 + [90] * 3
    method = {"nonbondedMethod": app.PME, "nonbondedCutoff": 0.9 * unit.nanometer}
    system = part.createSystem(constraints=app.HBonds, **method)
    topology = part.topology
    solute = np.array(part.positions.value_in_unit(unit.nanometer))
    solute += BOX / 2 - (solute.min(axis=0) + solute.max(axis=0)) / 2
    water = testsystems.WaterBox(box_edge=BOX * unit.nanometer).positions
    water = np.array(water.value_in_unit(unit.nanometer)).reshape(-1, 3, 3)
    # across the faces of the box too
    far, _ = cKDTree(solute % BOX, boxsize=BOX).query(water[:, 0] % BOX)
    water = water[far > 0.28]
    add_water(system, topology, len(water))
    (place / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    with (place / "start.pdb").open("w") as file:
        positions = np.concatenate([solute, water.reshape(-1, 3)])
        app.PDBFile.writeFile(topology, positions * unit.nanometer, file)
    return import_openmm(place / "system.xml", place / "start.pdb", place / "folder")


def add_water(system: openmm.System, topology: app.Topology, molecules: int) -> None:
    """TIP3P, rigid."""
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    chain = topology.addChain("W")
    kinds = [("O", -0.834, SIGMA, EPSILON), ("H1", 0.417, 1, 0), ("H2", 0.417, 1, 0)]
    for _ in range(molecules):
        residue = topology.addResidue("HOH", chain)
        first = system.getNumParticles()
        for name, *row in kinds:
            element = app.Element.getBySymbol(name[0])
            topology.addAtom(name, element, residue)
            system.addParticle(element.mass)
            nonbonded.addParticle(*row)
        for i, j, length in ((0, 1, 0.09572), (0, 2, 0.09572), (1, 2, 0.15139)):
            system.addConstraint(first + i, first + j, length)
            nonbonded.addException(first + i, first + j, 0, 1, 0)


def kill_when(ready: Path, words: list[str]) -> None:
    """Start a command, and kill -9 it once `ready` is written anew."""
    before = ready.stat().st_mtime_ns if ready.exists() else None
    with tempfile.TemporaryFile("w+") as said:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(words, env=environment, stdout=said, stderr=said)
        deadline = time.monotonic() + 600
        while not ready.exists() or ready.stat().st_mtime_ns == before:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                said.seek(0)
                pytest.fail(f"it could not be killed at work: {said.read()}")
            time.sleep(0.005)
        process.kill()
    assert process.wait() == -signal.SIGKILL
