"""Every row of docs/errors.md is what a user sees for some real bad input, and the reverse."""

from __future__ import annotations

import copy
import gzip
import json
import re
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import mdtraj
import numpy as np
import openmm
import openmmtools
import pytest
import torch
from openmm import app, unit
from safetensors.torch import save_file
from typer.testing import CliRunner

from mm_models import make_known, make_model
from openmm_neuralmd.assessment.check import read_checks
from openmm_neuralmd.campaign.settings import read_campaign
from openmm_neuralmd.cli import app as app_
from openmm_neuralmd.commands import simulate as simulate_command
from openmm_neuralmd.commands import train as train_command
from openmm_neuralmd.dynamics.gnn import GNNMD, GNNMDSettings
from openmm_neuralmd.dynamics.sde import NeuralSDE, NeuralSDESettings
from openmm_neuralmd.errors import NeuralMDError, SimulationError
from openmm_neuralmd.examples import GPCR_FOLDER, example, example_complex
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs.production import run_gromacs
from openmm_neuralmd.md.gromacs.topology import refuse_foreign
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.model import bundled_models, load_model
from openmm_neuralmd.prepare.imports import import_amber
from openmm_neuralmd.prepare.settings import PrepareSettings
from openmm_neuralmd.report.speed import read_speed
from openmm_neuralmd.rollouts import rollout
from openmm_neuralmd.simulation.force import NeuralMDForce
from openmm_neuralmd.simulation.integrator import NeuralMDIntegrator
from openmm_neuralmd.simulation.run import RunSettings, simulate
from openmm_neuralmd.simulation.stored import deserialize_system
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.settings import DataSettings, TrainingSettings, read_settings
from openmm_neuralmd.training.windows import Trajectory
from openmm_neuralmd.trajectory.history import History
from openmm_neuralmd.trajectory.snapshots import Snapshots, read_snapshots, write_trajectory
from openmm_neuralmd.utils.openmm_xml import deserialize
from openmm_neuralmd.utils.resume import PartialRun

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"
AMBER = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
NM = unit.nanometer


@dataclass
class Bench:
    """A complex to spoil, and a place for the files."""

    folder: Path
    t4l: Complex
    gpcr: Snapshots
    pdb: list[str] = field(default_factory=list)  # lines of the complex

    def read(self, lines: list[str] | str, name: str = "x.pdb", **options: object) -> Complex:
        text = lines if isinstance(lines, str) else "\n".join(lines) + "\n"
        (self.folder / name).write_text(text)
        return Complex.from_files(self.folder / name, **options)  # type: ignore[arg-type]

    def take(self, positions: np.ndarray) -> Complex:
        return Complex.from_openmm(self.t4l.topology, positions)

    def moved(self, atom: int, to: np.ndarray) -> np.ndarray:
        positions = self.t4l.positions.copy()
        positions[atom] = to
        return positions

    def trajectory(self, name: str, snapshots: np.ndarray, times: np.ndarray) -> Snapshots:
        topology = mdtraj.Topology.from_openmm(self.t4l.topology)
        path = self.folder / name
        mdtraj.Trajectory(snapshots, topology, time=times).save(str(path))
        return read_snapshots(path, self.t4l)

    def still(self, count: int) -> np.ndarray:
        return np.repeat(self.t4l.positions[None], count, axis=0)

    def dcd(self, count: int = 4) -> Path:
        return write_trajectory(self.folder / "x.dcd", self.t4l, self.still(count), 80.0)

    def cut(self, path: Path, keep: float) -> Path:
        data = path.read_bytes()
        path.write_bytes(data[: int(keep * len(data))])
        return path


CASES: dict[str, Callable[[Bench], object]] = {}


def case(name: str) -> Callable[[Callable[[Bench], object]], Callable[[Bench], object]]:
    def register(function: Callable[[Bench], object]) -> Callable[[Bench], object]:
        CASES[name] = function
        return function

    return register


# --- files ---------------------------------------------------------------------------------


@case("no-file")
def _(b: Bench) -> object:
    return Complex.from_files(b.folder / "missing.pdb")


@case("empty-file")
def _(b: Bench) -> object:
    return b.read("")


@case("unknown-kind")
def _(b: Bench) -> object:
    return b.read(b.pdb, "x.mol2")


@case("gromacs-structure")
def _(b: Bench) -> object:
    return b.read(b.pdb, "x.gro")


@case("unreadable-structure")
def _(b: Bench) -> object:
    return b.read("this is no structure\n", "x.cif")


@case("coordinates-not-due")
def _(b: Bench) -> object:
    return b.read(b.pdb, coordinates=AMBER / "complex.crd")


@case("prmtop-alone")
def _(b: Bench) -> object:
    return Complex.from_files(AMBER / "complex.prmtop")


@case("prmtop-other-coordinates")
def _(b: Bench) -> object:
    return Complex.from_files(AMBER / "complex.prmtop", coordinates=AMBER / "receptor.crd")


@case("duplicate-names")
def _(b: Bench) -> object:
    return b.read([x.replace(" C2  TMP", " C1  TMP") for x in b.pdb])


@case("compressed-too-large")
def _(b: Bench) -> object:
    path = b.folder / "x.pdb.gz"
    path.write_bytes(gzip.compress(bytes(2**28 + 1), 1))
    return Complex.from_files(path)


@case("no-element-column")
def _(b: Bench) -> object:
    return b.read([x[:76] if "TMP" in x else x for x in b.pdb])


@case("unknown-atoms")
def _(b: Bench) -> object:
    place = f"{90:8.3f}" * 3 + "  1.00  0.00           X  "
    return b.read([*b.pdb, f"HETATM 9999 UNK  UNX X 900    {place}"])


# --- ligand --------------------------------------------------------------------------------


def _listed(b: Bench, bonds: np.ndarray, shift: int) -> Complex:
    """CONECT records of some bonds, with serial numbers that are off by `shift`."""
    lines = [x for x in b.pdb if not x.startswith(("CONECT", "END"))]
    serials = np.roll([int(x[6:11]) for x in lines if x.startswith("HETATM")], shift)
    return b.read([*lines, *(f"CONECT{serials[i]:5d}{serials[j]:5d}" for i, j in bonds)])


@case("bonds-contradicted")
def _(b: Bench) -> object:
    return _listed(b, b.t4l.ligand_bonds, 1)


@case("bonds-completed")
def _(b: Bench) -> object:
    return _listed(b, b.t4l.ligand_bonds[:5], 0)


@case("no-bond-orders")
def _(b: Bench) -> object:
    return b.take(b.t4l.positions).chemistry


@case("known-snapshots")
def _(b: Bench) -> object:
    return History.of(0.1 * b.gpcr.ligand[:5], b.gpcr.complex)


@case("known-in-one-place")
def _(b: Bench) -> object:
    known = b.gpcr.ligand[:5].copy()
    known[-1, 0] = known[-1, 1]
    return History.of(known, b.gpcr.complex)


@case("no-ligand")
def _(b: Bench) -> object:
    return b.read([x for x in b.pdb if "TMP" not in x])


@case("selection-fits-nothing")
def _(b: Bench) -> object:
    return b.read(b.pdb, ligand="LIG")


@case("several-ligands")
def _(b: Bench) -> object:
    again = [x for x in b.pdb if x.startswith("HETATM")]
    second = [f"{x[:21]}Z{x[22:30]}{float(x[30:38]) + 40:8.3f}{x[38:]}" for x in again]
    return b.read([x for x in b.pdb if x.startswith("ATOM")] + again + second)


@case("several-ligands-of-one-number")
def _(b: Bench) -> object:
    again = [x for x in b.pdb if x.startswith("HETATM")]
    second = [f"{x[:30]}{float(x[30:38]) + 40:8.3f}{x[38:]}" for x in again]
    return b.read([x for x in b.pdb if x.startswith("ATOM")] + again + ["TER"] + second)


@case("ligand-too-small")
def _(b: Bench) -> object:
    ion = "HETATM 9999 ZN    ZN Z   1      90.000  90.000  90.000  1.00  0.00          ZN  "
    return b.read([*[x for x in b.pdb if x.startswith("ATOM")], ion], ligand="ZN")


@case("unknown-element")
def _(b: Bench) -> object:
    topology = copy.deepcopy(b.t4l.topology)
    list(topology.atoms())[b.t4l.ligand[3]].element = None
    return Complex.from_openmm(topology, b.t4l.positions)


@case("ligand-alternates")
def _(b: Bench) -> object:
    lines = []
    for x in b.pdb:
        two = " C1  TMP" in x
        lines += [x[:16] + label + x[17:] for label in "AB"] if two else [x]
    return b.read(lines)


@case("ligand-bonded")
def _(b: Bench) -> object:
    topology = copy.deepcopy(b.t4l.topology)
    atoms = list(topology.atoms())
    topology.addBond(atoms[b.t4l.ligand[0]], atoms[b.t4l.backbone[98, 1]])
    return Complex.from_openmm(topology, b.t4l.positions)


# by distance: a carbon 1.5 Å from a Cα
def _close(b: Bench) -> object:
    carbon = b.t4l.positions[b.t4l.backbone[98, 1]]
    shift = carbon + [0.15, 0, 0] - b.t4l.positions[b.t4l.ligand[0]]
    positions = b.t4l.positions.copy()
    positions[b.t4l.ligand] += shift
    return b.take(positions)


@case("ligand-in-pieces")
def _(b: Bench) -> object:
    lines = [x for x in b.pdb if not x.startswith("CONECT")]
    far = [f"{x[:30]}{-90:8.3f}{x[38:]}" if " H10 TMP" in x else x for x in lines]
    return b.read(far)


@case("sdf-of-another-molecule")
def _(b: Bench) -> object:
    return b.read(b.pdb, sdf=GPCR_FOLDER / "ligand.sdf")


@case("sdf-unreadable")
def _(b: Bench) -> object:
    (b.folder / "x.sdf").write_text("no molecule\n")
    return b.read(b.pdb, sdf=b.folder / "x.sdf")


# --- protein and coordinates ---------------------------------------------------------------


@case("no-protein")
def _(b: Bench) -> object:
    return b.read([x for x in b.pdb if "TMP" in x])


@case("missing-backbone")
def _(b: Bench) -> object:
    return b.read([x for x in b.pdb if not (x[12:16] == " CA " and x[22:26] == "  50")])


@case("too-few-residues")
def _(b: Bench) -> object:
    keep = {0, 1, 162}
    modeller = app.Modeller(b.t4l.topology, b.t4l.positions * NM)
    modeller.delete([r for r in modeller.topology.residues() if r.index not in keep])
    small = Complex.from_openmm(modeller.topology, modeller.positions, name="small")
    twice = np.repeat(small.positions[None], 2, axis=0)
    return read_snapshots(write_trajectory(b.folder / "x.dcd", small, twice, 80.0), small)


@case("positions-shape")
def _(b: Bench) -> object:
    return b.take(b.t4l.positions[:-3])


@case("not-numbers")
def _(b: Bench) -> object:
    return b.take(b.moved(5, np.array([0, np.nan, 0])))


@case("angstrom-for-nm")
def _(b: Bench) -> object:
    return b.take(10 * b.t4l.positions)


@case("nm-for-angstrom")
def _(b: Bench) -> object:
    return b.read(
        [
            x[:30] + "".join(f"{float(x[i : i + 8]) / 10:8.4f}" for i in (30, 38, 46)) + x[54:]
            if x.startswith(("ATOM", "HETATM"))
            else x
            for x in b.pdb
        ]
    )


@case("not-this-topology")
def _(b: Bench) -> object:
    return b.take(np.random.default_rng(0).permutation(b.t4l.positions))


@case("overlap")
def _(b: Bench) -> object:
    return b.take(b.moved(30, b.t4l.positions[400] + 0.01))


# --- trajectories --------------------------------------------------------------------------


@case("other-atoms")
def _(b: Bench) -> object:
    return read_snapshots(GPCR_FOLDER / "trajectory.xtc", b.t4l)


@case("truncated-dcd")
def _(b: Bench) -> object:
    return read_snapshots(b.cut(b.dcd(), 0.6), b.t4l)


@case("no-dcd")
def _(b: Bench) -> object:
    (b.folder / "x.dcd").write_bytes(b"no trajectory " * 100)
    return read_snapshots(b.folder / "x.dcd", b.t4l)


@case("dcd-header-cut")
def _(b: Bench) -> object:
    path = b.dcd()
    path.write_bytes(path.read_bytes()[:200])
    return read_snapshots(path, b.t4l)


@case("damaged-trajectory")
def _(b: Bench) -> object:
    b.trajectory("x.xtc", b.still(4), np.arange(4.0))
    return read_snapshots(b.cut(b.folder / "x.xtc", 0.6), b.t4l)


@case("no-hdf5")
def _(b: Bench) -> object:
    (b.folder / "x.h5").write_bytes(b"no trajectory " * 100)
    return read_snapshots(b.folder / "x.h5", b.t4l)


@case("strange-snapshot")
def _(b: Bench) -> object:
    snapshots = b.still(4)
    snapshots[2, b.t4l.backbone[50, 1]] += 2.0
    b.trajectory("x.nc", snapshots, np.arange(4.0))
    return read_snapshots(b.folder / "x.nc", b.t4l)


@case("one-snapshot")
def _(b: Bench) -> object:
    return read_snapshots(b.dcd(1), b.t4l)


@case("snapshot-not-numbers")
def _(b: Bench) -> object:
    path = b.dcd()
    data = bytearray(path.read_bytes())
    frame = 3 * (4 * 2621 + 8)
    first = len(data) - 4 * frame
    place = first + 2 * frame + 4 + 4 * int(b.t4l.ligand[0])
    data[place : place + 4] = struct.pack("<f", np.nan)
    path.write_bytes(bytes(data))
    return read_snapshots(path, b.t4l)


@case("uneven-times")
def _(b: Bench) -> object:
    return b.trajectory("x.xtc", b.still(4), np.array([0.0, 80.0, 160.0, 400.0]))


@case("no-times")
def _(b: Bench) -> object:
    return b.trajectory("x.dcd", b.still(4), np.arange(4.0))


@case("bad-interval")
def _(b: Bench) -> object:
    return read_snapshots(b.dcd(), b.t4l, interval=-80)


@case("bad-boundaries")
def _(b: Bench) -> object:
    return read_snapshots(b.dcd(), b.t4l, boundaries=[7])


@case("lonely-snapshots")
def _(b: Bench) -> object:
    return read_snapshots(b.dcd(2), b.t4l, boundaries=[1])


@case("bad-stride")
def _(b: Bench) -> object:
    return read_snapshots(b.dcd(), b.t4l, stride=0)


@case("torn-ligand")
def _(b: Bench) -> object:
    snapshots = b.still(3)
    snapshots[2, b.t4l.ligand_heavy[:4]] += [6.0, 0, 0]  # cut by a box the file does not have
    return read_snapshots(write_trajectory(b.folder / "x.dcd", b.t4l, snapshots, 80.0), b.t4l)


@case("slice-with-step")
def _(b: Bench) -> object:
    return b.gpcr[::2]


@case("empty-slice")
def _(b: Bench) -> object:
    return b.gpcr[5:5]


@case("empty-split")
def _(b: Bench) -> object:
    return b.gpcr.split(1.0)


@case("written-shape")
def _(b: Bench) -> object:
    return write_trajectory(b.folder / "x.dcd", b.t4l, b.t4l.positions, 80.0)


@case("written-not-numbers")
def _(b: Bench) -> object:
    return write_trajectory(b.folder / "x.dcd", b.t4l, b.still(2) * np.inf, 80.0)


@case("cannot-write")
def _(b: Bench) -> object:
    (b.folder / "file").write_text("")
    return write_trajectory(b.folder / "file" / "x.dcd", b.t4l, b.still(2), 80.0)


# --- examples and warnings -----------------------------------------------------------------


@case("no-example")
def _(b: Bench) -> object:
    return example_complex("lysozyme")


@case("no-example-trajectory")
def _(b: Bench) -> object:
    return example("t4l-p-xylene")


@case("no-model")
def _(b: Bench) -> object:
    return load_model(b.folder / "nowhere.safetensors")


@case("damaged-model")
def _(b: Bench) -> object:
    cut = b.folder / "cut.safetensors"
    cut.write_bytes(bundled_models()["gpcr-ergotamine"].read_bytes()[:-100])
    return load_model(cut)


@case("foreign-model")
def _(b: Bench) -> object:
    save_file({"weight": torch.zeros(1)}, b.folder / "foreign.safetensors")
    return load_model(b.folder / "foreign.safetensors")


@case("unseen-element")
def _(b: Bench) -> object:
    model = load_model("gpcr-ergotamine")
    card = model.card.model_copy(update={"elements": [7, 8]})
    return replace(model, card=card).check(b.t4l)


@case("other-stride")
def _(b: Bench) -> object:
    return load_model("gpcr-ergotamine").check(b.gpcr.complex, interval_ps=80.0)


@case("known-shape")
def _(b: Bench) -> object:
    return rollout(load_model("gpcr-ergotamine"), b.gpcr.complex, b.gpcr.ligand[:3, :40], 1)


@case("known-not-numbers")
def _(b: Bench) -> object:
    known = np.full_like(b.gpcr.ligand[:3], np.nan)
    return rollout(load_model("gpcr-ergotamine"), b.gpcr.complex, known, 1)


@case("unknown-backend")
def _(b: Bench) -> object:
    return NeuralMDForce(load_model("gpcr-ergotamine"), b.t4l, backend="Fortran")


@case("unreadable-settings")
def _(b: Bench) -> object:
    (b.folder / "run.yaml").write_text("name: [")
    return read_settings(b.folder / "run.yaml")


@case("too-short-to-learn")
def _(b: Bench) -> object:
    settings = TrainingSettings(name="x", data={"example": "gpcr-ergotamine"}, horizon=30)
    return Trainer(settings, [Trajectory.of(b.gpcr[:30])], b.folder / "run")


@case("two-strides")
def _(b: Bench) -> object:
    trajectory = b.dcd()
    topology = b.folder / "t4l.pdb"
    with topology.open("w") as file:
        app.PDBFile.writeFile(b.t4l.topology, b.t4l.positions * NM, file, keepIds=True)
    own = DataSettings(topology=topology, trajectory=trajectory)
    return read_trajectories([own, DataSettings(example="gpcr-ergotamine")])


@case("no-entry")
def _(b: Bench) -> object:
    (b.folder / "names.txt").write_text("9ZZZ\n")
    file = Path(__file__).parents[1] / "data" / "misato" / "11gs.hdf5"
    return read_trajectories([DataSettings(misato=file, entries=b.folder / "names.txt")])


@case("unknown-dynamics-to-train")
def _(b: Bench) -> object:
    text = "name: x\ndynamics: magic\ndata: {example: gpcr-ergotamine}\n"
    (b.folder / "run.yaml").write_text(text)
    return read_settings(b.folder / "run.yaml")


@case("other-objective")
def _(b: Bench) -> object:
    text = "name: x\ndynamics: neuralmd-sde\ndata: {example: gpcr-ergotamine}\n"
    (b.folder / "run.yaml").write_text(text + "objective: {kind: mae}\n")
    return read_settings(b.folder / "run.yaml")


@case("does-not-jump")
def _(b: Bench) -> object:
    model = load_model("gpcr-ergotamine")
    gnn = GNNMD(GNNMDSettings(network=model.dynamics.settings.network))  # type: ignore[union-attr]
    card = model.card.model_copy(update={"kind": "gnn-md"})
    return NeuralMDIntegrator(replace(model, dynamics=gnn, card=card))


@case("no-noise")
def _(b: Bench) -> object:
    model = NeuralSDE(NeuralSDESettings())
    return model.integrate(None, None, None, 1)  # type: ignore[arg-type]


@case("learned-from-it")
def _(b: Bench) -> object:
    words = ["gpcr-ergotamine", "--example", "gpcr-ergotamine", "--from", "100"]
    result = CliRunner().invoke(app_, ["--debug", "validate", *words, "-o", str(b.folder / "v")])
    assert result.exception is not None
    raise result.exception


@case("no-speed")
def _(b: Bench) -> object:
    (b.folder / "speed.json").write_text("{}")
    return read_speed(b.folder / "speed.json")


@case("no-checks")
def _(b: Bench) -> object:
    (b.folder / "checks.json").write_text("{}")
    return read_checks(b.folder / "checks.json")


@case("warning-alternates")
def _(b: Bench) -> object:
    lines = []
    for x in b.pdb:
        two = x[17:26].endswith("   5")
        lines += [x[:16] + label + x[17:] for label in "AB"] if two else [x]
    return b.read(lines)


@case("warning-pocket")
def _(b: Bench) -> object:
    middle = 10 * b.t4l.positions[b.t4l.ligand_heavy].mean(axis=0)
    xyz = "".join(f"{x:8.3f}" for x in middle + [0, 0, 3.0])
    ion = f"HETATM 9999 ZN    ZN Z   1    {xyz}  1.00  0.00          ZN  "
    return b.read([*[x for x in b.pdb if x.startswith(("ATOM", "HETATM"))], ion])


# --- files that hold programs ----------------------------------------------------------------


def system_with(force: openmm.Force) -> str:
    system = openmm.System()
    system.addForce(force)
    return openmm.XmlSerializer.serialize(system)


@case("code-in-xml")
def _(b: Bench) -> object:
    return deserialize(system_with(openmm.PythonForce(print)), openmm.System, "system.xml")


@case("hidden-in-xml")
def _(b: Bench) -> object:
    text = system_with(openmm.PythonForce(print)).replace("PythonForce", "&#80;ythonForce")
    return deserialize(text, openmm.System, "system.xml")


@case("foreign-force")
def _(b: Bench) -> object:
    text = system_with(openmm.CMMotionRemover()).replace("CMMotionRemover", "PlumedForce")
    return deserialize(text, openmm.System, "system.xml")


@case("foreign-module")
def _(b: Bench) -> object:
    force = NeuralMDForce(make_model(), b.t4l, file=b.folder / "theirs.pt")
    return deserialize_system(system_with(force))


def h5(b: Bench, fill: Callable[[h5py.File], object]) -> object:
    with h5py.File(b.folder / "x.h5", "w") as file:
        fill(file)
    return read_snapshots(b.folder / "x.h5", b.t4l)


@case("hdf5-link")
def _(b: Bench) -> object:
    return h5(b, lambda file: file.__setitem__("coordinates", h5py.SoftLink("/a")))


@case("hdf5-elsewhere")
def _(b: Bench) -> object:
    place = [("other.raw", 0, h5py.h5f.UNLIMITED)]
    return h5(b, lambda file: file.create_dataset("coordinates", (2, 3, 3), external=place))


@case("hdf5-empty")
def _(b: Bench) -> object:
    shape, chunks = (10**7, 100, 3), (1, 100, 3)
    return h5(b, lambda file: file.create_dataset("coordinates", shape, chunks=chunks))


@case("unsafe-format")
def _(b: Bench) -> object:
    return read_snapshots(b.dcd().rename(b.folder / "x.lh5"), b.t4l)


def leaving(b: Bench, kind: str, **options: Any) -> object:
    request = (make_model(kind=kind), b.t4l, make_known(b.t4l, 6), 2, b.folder / "a.dcd")
    return simulate(*request, settings=RunSettings(platform="CPU"), pocket_limit=0.01, **options)


@case("left-pocket")
def _(b: Bench) -> object:
    return leaving(b, "neuralmd-ode")


@case("nothing-to-restart")
def _(b: Bench) -> object:
    return leaving(b, "neuralmd-ode", on_failure="restart")


@case("warning-restart")
def _(b: Bench) -> object:
    with suppress(SimulationError):
        return leaving(b, "neuralmd-sde", on_failure="restart")
    return None


CRYST1 = "CRYST1{0:>9s}{0:>9s}{0:>9s}  90.00  90.00  90.00 P 1           1"


@case("no-cell")
def _(b: Bench) -> object:
    return b.read([CRYST1.format("nan"), *b.pdb])


@case("tight-cell")
def _(b: Bench) -> object:
    return b.read([CRYST1.format("15.000"), *b.pdb])


@case("absurd-cell")
def _(b: Bench) -> object:
    topology = mdtraj.Topology.from_openmm(b.t4l.topology)
    bad = mdtraj.Trajectory(b.still(3), topology)
    bad.unitcell_lengths, bad.unitcell_angles = np.full((3, 3), np.nan), np.full((3, 3), 90.0)
    bad.save(str(b.folder / "x.dcd"))
    return read_snapshots(b.folder / "x.dcd", b.t4l, interval=1.0)


# --- the test ------------------------------------------------------------------------------

# --- preparing and reference runs ------------------------------------------------------------


def amber_folder(b: Bench) -> ComplexFolder:
    files = (AMBER / "complex.prmtop", AMBER / "complex.crd")
    return import_amber(*files, b.folder / "folder")


def campaign(b: Bench, **changes: object) -> object:
    content = {"output": "out", "targets": {"x": {"complex": "c"}}, **changes}
    (b.folder / "targets.yaml").write_text(json.dumps(content))
    return read_campaign(b.folder / "targets.yaml")


@case("no-gmx")
def _(b: Bench) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(b.folder))
        return run_gromacs(amber_folder(b), b.folder / "run", 1.0)


@case("gromacs-rigid")
def _(b: Bench) -> object:
    return run_gromacs(b.folder, b.folder / "run", 1.0, settings=MDSettings(mode="rigid"))


@case("gromacs-implicit")
def _(b: Bench) -> object:
    system = amber_folder(b).system()
    system.addForce(openmm.GBSAOBCForce())
    return refuse_foreign(system)


@case("locked-run")
def _(b: Bench) -> object:
    words = "import sys; from pathlib import Path; from openmm_neuralmd.utils.lock import Lock"
    words += "; Lock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    place = b.folder / ".run.partial"
    place.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", words, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        try:
            return PartialRun(b.folder / "run", "the same")
        finally:
            other.stdin.close()


@case("other-run")
def _(b: Bench) -> object:
    PartialRun(b.folder / "run", "one")
    return PartialRun(b.folder / "run", "another")


@case("fewer-snapshots")
def _(b: Bench) -> object:
    partial = PartialRun(b.folder / "run", "one")
    (partial.run / "a").write_bytes(b"12345")
    partial.commit(b"state", 5, [partial.run / "a"])
    return PartialRun(b.folder / "run", "one").resume(lambda state: None, 3)


@case("output-exists")
def _(b: Bench) -> object:
    (b.folder / "run").touch()
    return PartialRun(b.folder / "run", "one")


@case("output-is-input")
def _(b: Bench) -> object:
    (b.folder / "c.pdb").touch()
    dcd, pdb = b.folder / "c.dcd", b.folder / "c.pdb"
    return simulate_command._make_room(dcd, [dcd, pdb], [pdb], restart=True)


@case("train-foreign")
def _(b: Bench) -> object:
    (b.folder / "log.csv").touch()
    return train_command._make_room(b.folder, restart=False)


@case("relax-without-box")
def _(b: Bench) -> object:
    return PrepareSettings(relax_ps=10).check()


@case("campaign-unknown-run")
def _(b: Bench) -> object:
    return campaign(b, targets={"x": {"complex": "c", "runs": ["y"]}}, runs={"a": {"time": "1ns"}})


@case("campaign-setting")
def _(b: Bench) -> object:
    return campaign(b, runs={"a": {"time": "1ns", "settings": {"mod": "rigid"}}})


def documented() -> dict[str, str]:
    """Row id to message, from the tables of docs/errors.md."""
    rows = re.findall(r'^\| <a id="([^"]+)"></a>`([^`]+)` \|', DOCUMENT.read_text(), re.MULTILINE)
    assert len(rows) == len(dict(rows)), "an id stands twice"
    return dict(rows)


@pytest.fixture
def bench(tmp_path: Path, t4l: Complex, gpcr: Snapshots) -> Bench:
    lines = Path(tmp_path / "base.pdb")
    with lines.open("w") as file:
        app.PDBFile.writeFile(t4l.topology, t4l.positions * NM, file, keepIds=True)
    return Bench(tmp_path, t4l, gpcr, lines.read_text().splitlines())


def message_of(function: Callable[[Bench], object], bench: Bench) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            function(bench)
        except NeuralMDError as error:
            return str(error)
    own = [str(w.message) for w in caught if "neuralmd" in type(w.message).__module__]
    assert own, "accepted without a word"
    return own[0]


ALL = [pytest.param(n, f, id=n) for n, f in CASES.items()] + [
    pytest.param("ligand-bonded", _close, id="ligand-bonded-by-distance"),
]


@pytest.mark.parametrize(("name", "function"), ALL)
def test_bad_input_gives_the_documented_message(
    name: str, function: Callable[[Bench], object], bench: Bench
) -> None:
    message = message_of(function, bench)
    pattern = ".+".join(re.escape(part) for part in documented()[name].split("…"))
    assert "\n" not in message
    assert re.fullmatch(pattern, message), f"{message!r} is not the documented one"


def test_every_documented_message_has_its_bad_input() -> None:
    assert documented().keys() == CASES.keys()
