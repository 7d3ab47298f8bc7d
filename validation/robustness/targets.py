"""Kinds of files that the package reads, each with a small valid corpus and its reader."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import mdtraj
import numpy as np
import openmm
import torch
import yaml
from openmm import app, unit
from typing_extensions import override

from openmm_neuralmd.campaign.settings import read_campaign
from openmm_neuralmd.doctor.audit import audit
from openmm_neuralmd.dynamics.ode import NeuralODE, NeuralODESettings
from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.hybrid.settings import read_hybrid
from openmm_neuralmd.md.folder import RECORD, ComplexFolder
from openmm_neuralmd.md.folder_writer import write_folder
from openmm_neuralmd.misato.reader import list_entries, read_entry
from openmm_neuralmd.model import Model, ModelCard, load_model
from openmm_neuralmd.prepare.chemistry import read_ligand
from openmm_neuralmd.simulation.export import ForceModule, export, read_artifact
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.labelled import read_labels
from openmm_neuralmd.training.settings import read_settings
from openmm_neuralmd.training.state import Counters, load_state, save_state
from openmm_neuralmd.trajectory.readers import load, stamps
from openmm_neuralmd.utils.files import sha256
from openmm_neuralmd.utils.resume import PartialRun

Mutate = Callable[[bytes, random.Random, bool], bytes]


class BadValueError(Exception):
    """A reader accepted what cannot be."""


class Target:
    """A kind of file.  `make` writes the corpus, `read` opens it."""

    name = ""
    text = False

    @property
    def corpus(self) -> Path:
        """Folder with valid files, made once in a process."""
        return _corpus(type(self))

    def make(self, folder: Path) -> None:
        """Write the valid files."""
        raise NotImplementedError

    def choose(self, place: Path, random_: random.Random) -> Path:
        """The file to change."""
        return random_.choice(sorted(path for path in place.rglob("*") if path.is_file()))

    def change(self, content: bytes, random_: random.Random, mutate: Mutate) -> bytes:
        """The changed content."""
        return mutate(content, random_, self.text)

    def repair(self, place: Path, file: Path) -> None:
        """Repair hashes and the like after a mutation, as an attacker would."""

    def open(self, place: Path) -> None:
        """Open a file as the package does; raises what the package raises, or BadValueError."""
        raise NotImplementedError


@cache
def _corpus(kind: type[Target]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{kind.name}-"))
    kind().make(folder)
    return folder


def sane(*arrays: Any) -> None:
    """Numbers that a simulation can use."""
    for array in arrays:
        values = np.asarray(array, dtype=np.float64)
        if not np.isfinite(values).all() or (values.size and np.abs(values).max() > 1e12):
            raise BadValueError("numbers that are not finite, or beyond 1e12")


@cache
def pocket() -> Complex:
    """Twelve residues and the ligand of T4 lysozyme."""
    whole = example_complex("t4l-p-xylene")
    atoms = list(whole.topology.atoms())
    ligand = atoms[whole.ligand[0]].residue
    centre = whole.positions[whole.ligand].mean(axis=0)
    alphas = whole.backbone[:, 1]
    near = np.argsort(np.linalg.norm(whole.positions[alphas] - centre, axis=1))[:12]
    chosen = {atoms[i].residue for i in alphas[near]} | {ligand}
    topology, index = app.Topology(), {}
    for chain in whole.topology.chains():
        copy = topology.addChain(chain.id)
        for residue in chain.residues():
            if residue in chosen:
                new = topology.addResidue(residue.name, copy, residue.id)
                for atom in residue.atoms():
                    index[atom] = topology.addAtom(atom.name, atom.element, new)
    for a, b in whole.topology.bonds():
        if a in index and b in index:
            topology.addBond(index[a], index[b])
    chosen_atoms = [atom.index for atom in atoms if atom in index]
    return Complex.from_openmm(topology, whole.positions[chosen_atoms], name="pocket")


def _as_pdb_has_it(complex_: Complex, folder: Path) -> Complex:
    """Read the complex back from a PDB file, with the bonds that such a file holds."""
    file = folder / "pocket.pdb"
    with file.open("w") as text:
        app.PDBFile.writeFile(complex_.topology, complex_.positions * unit.nanometer, text)
    read = Complex.from_files(file)
    file.unlink()
    return read


def _model() -> Model:
    torch.manual_seed(0)
    network = {"hidden": 8, "vector_channels": 2, "ligand_layers": 1, "num_radial": 8}
    settings = NeuralODESettings.model_validate({"network": network, "memory": [5.0]})
    card = ModelCard(
        name="tiny",
        kind="neuralmd-ode",
        settings=settings.model_dump(mode="json"),
        interval_ps=10.0,
        elements=[6, 7, 8],
        residue_types=list(range(20)),
    )
    return Model(NeuralODE(settings), card)


class ModelFile(Target):
    """Weights and card of a model."""

    name, text = "model", True

    @override
    def make(self, folder: Path) -> None:
        _model().save(folder / "m.safetensors")

    @override
    def open(self, place: Path) -> None:
        model = load_model(place / "m.safetensors")
        sane(model.card.interval_ps, *(p.detach() for p in model.dynamics.parameters()))


class TrainingState(Target):
    """State of an interrupted training."""

    name, text = "training state", True

    @staticmethod
    def _parts() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        module = torch.nn.Linear(3, 2)
        optimizer = torch.optim.AdamW(module.parameters())
        module(torch.ones(3)).sum().backward()
        optimizer.step()
        return module, optimizer

    @override
    def make(self, folder: Path) -> None:
        module, optimizer = self._parts()
        weights = {"weights": module.state_dict(), "average": module.state_dict()}
        save_state(folder / "s.safetensors", "{}", Counters(3, 0.5, 1), weights, optimizer)

    @override
    def open(self, place: Path) -> None:
        _, optimizer = self._parts()
        counters, _ = load_state(place / "s.safetensors", "{}", optimizer)
        if not 0 <= counters.update < 2**40:
            raise BadValueError(f"update {counters.update}")


class Checkpoint(Target):
    """Checkpoint of an interrupted run."""

    name = "run checkpoint"

    @override
    def make(self, folder: Path) -> None:
        partial = PartialRun(folder / "run", "one")
        (partial.run / "t.xtc").write_bytes(bytes(500))
        partial.commit(_context().createCheckpoint(), 5, [partial.run / "t.xtc"])

    @override
    def choose(self, place: Path, random_: random.Random) -> Path:
        return place / ".run.partial" / "checkpoint.npz"

    @override
    def open(self, place: Path) -> None:
        context = _context()
        done = PartialRun(place / "run", "one").resume(context.loadCheckpoint, 9)
        if done != 5:
            raise BadValueError(f"{done} snapshots of 5")
        sane(context.getState(positions=True).getPositions(asNumpy=True)._value)


def _context() -> openmm.Context:
    system = openmm.System()
    system.addParticle(1.0)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.LangevinMiddleIntegrator(300, 1, 0.001), platform)
    context.setPositions([[0.1, 0.2, 0.3]])
    return context


class Settings(Target):
    """Settings of training, campaign and hybrid runs."""

    name, text = "settings", True

    @override
    def make(self, folder: Path) -> None:
        training = {
            "name": "tiny", "data": {"topology": "a.pdb", "trajectory": "a.xtc", "interval": 10.0},
            "model": {"network": {"hidden": 8}, "memory": [5.0]}, "horizon": 2, "epochs": 2,
            "learning_rate": 0.001, "seed": 3,
        }  # fmt: skip
        campaign = {
            "output": "out", "runs": {"a": {"time": "1ns", "settings": {"mode": "pocket"}}},
            "targets": {"x": {"complex": "c"}}, "cluster": {"kind": "slurm", "workers": 2},
        }  # fmt: skip
        hybrid = {
            "before": 4,
            "jumps": 1,
            "md": {"cutoff": 1.2, "seed": 1},
            "jump": {"radius": 0.5},
        }
        for name, content in (("t", training), ("c", campaign), ("h", hybrid)):
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))

    @override
    def open(self, place: Path) -> None:
        for name, read in (("t", read_settings), ("c", read_campaign), ("h", read_hybrid)):
            read(place / f"{name}.yaml")


class Folder(Target):
    """A prepared complex; its hashes are mended after the change."""

    name, text = "complex folder", True

    @override
    def make(self, folder: Path) -> None:
        complex_ = _as_pdb_has_it(pocket(), folder)
        system = openmm.System()
        bonds = openmm.HarmonicBondForce()
        for atom in complex_.topology.atoms():
            system.addParticle(atom.element.mass)
        for a, b in complex_.topology.bonds():
            bonds.addBond(a.index, b.index, 0.15, 1000.0)
        system.addForce(bonds)
        residue = list(complex_.topology.atoms())[complex_.ligand[0]].residue
        ligand = {"residue": f"{residue.chain.id}:{residue.id}", "name": residue.name}
        record = {"name": "pocket", "ligand": ligand}
        write_folder(
            folder / "c", complex_.topology, system, complex_.positions, "LIG\n$$$$\n", record
        )

    @override
    def repair(self, place: Path, file: Path) -> None:
        record = place / "c" / RECORD
        if file != record:
            content = yaml.safe_load(record.read_text())
            content["files"][file.name] = sha256(file)
            record.write_text(yaml.safe_dump(content))

    @override
    def open(self, place: Path) -> None:
        folder = ComplexFolder.open(place / "c")
        system, complex_ = folder.system(), folder.complex()
        sane(folder.positions, complex_.positions)
        folder.energy()
        if system.getNumParticles() != len(complex_.positions):
            raise BadValueError("particles and atoms differ")


class Labels(Target):
    """Forces and energies that an energy model learns from."""

    name = "labels"

    @override
    def make(self, folder: Path) -> None:
        random_ = np.random.default_rng(0)
        np.savez(
            folder / "labels.npz",
            groups=np.array(["a", "b"]),
            energies_kj_mol=random_.normal(size=(4, 2)),
            forces_kj_mol_nm=random_.normal(size=(4, 5, 3)),
            positions_nm=random_.normal(size=(4, 5, 3)),
            time_ps=np.arange(4.0),
            ligand=np.arange(5),
            atomic_numbers=np.full(5, 6),
        )

    @override
    def change(self, content: bytes, random_: random.Random, mutate: Mutate) -> bytes:
        """Damage an array inside in half of the cases, so that the archive's own sum is right."""
        if random_.random() < 0.5:
            return mutate(content, random_, False)
        import io
        import zipfile

        source, target = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
        damaged = random_.choice(source.namelist())
        with zipfile.ZipFile(target, "w") as archive:
            for name in source.namelist():
                part = source.read(name)
                archive.writestr(name, mutate(part, random_, True) if name == damaged else part)
        return target.getvalue()

    @override
    def open(self, place: Path) -> None:
        arrays = read_labels(place / "labels.npz", 5)
        sane(arrays["energies_kj_mol"], arrays["forces_kj_mol_nm"], arrays["positions_nm"])


class Misato(Target):
    """Reader of MISATO's files under attack."""

    name = "MISATO"

    @override
    def make(self, folder: Path) -> None:
        with h5py.File(folder / "m.hdf5", "w") as file:
            group = file.create_group("1ABC")
            for name in ("element", "number", "residue", "type"):
                group[f"atoms_{name}"] = np.full(6, 6 if name == "number" else 1)
            group["molecules_begin_atom_index"] = np.array([0, 3])
            group["trajectory_coordinates"] = np.random.default_rng(0).normal(size=(4, 6, 3))

    @override
    def open(self, place: Path) -> None:
        for name in list_entries(place / "m.hdf5"):
            entry = read_entry(place / "m.hdf5", name)
            sane(entry.structure())
            for block in entry.blocks():
                if block.shape[1:] != (len(entry.number), 3):
                    raise BadValueError(f"block {block.shape}")


class Trajectory(Target):
    """Three snapshots of the pocket."""

    suffix = "dcd"

    @override
    def make(self, folder: Path) -> None:
        complex_ = pocket()
        shape = (3, *complex_.positions.shape)
        noise = np.random.default_rng(0).normal(scale=0.01, size=shape)
        topology = mdtraj.Topology.from_openmm(complex_.topology)
        frames = mdtraj.Trajectory(complex_.positions + noise, topology, time=[0, 5, 10])
        frames.save(str(folder / f"t.{self.suffix}"))

    @override
    def open(self, place: Path) -> None:
        file = place / f"t.{self.suffix}"
        atoms, count, _ = stamps(file)
        topology = mdtraj.Topology.from_openmm(pocket().topology)
        if atoms == topology.n_atoms:
            frames = load(file, topology)
            if frames.xyz.shape != (count, atoms, 3):
                raise BadValueError(f"{frames.xyz.shape}, not {(count, atoms, 3)}")


class DCD(Trajectory):
    """Reader of DCD files under attack."""

    name, suffix = "DCD", "dcd"


class XTC(Trajectory):
    """Reader of GROMACS's XTC files under attack."""

    name, suffix = "XTC", "xtc"


class TRR(Trajectory):
    """Reader of GROMACS's TRR files under attack."""

    name, suffix = "TRR", "trr"


class NetCDF(Trajectory):
    """Reader of Amber's NetCDF files under attack."""

    name, suffix = "NetCDF", "nc"


class HDF5(Trajectory):
    """Reader of MDTraj's HDF5 files under attack."""

    name, suffix = "HDF5", "h5"


class PDB(Target):
    """A complex as PDB."""

    name, text, suffix = "PDB", True, "pdb"

    @override
    def make(self, folder: Path) -> None:
        complex_ = pocket()
        writer = app.PDBFile if self.suffix == "pdb" else app.PDBxFile
        with (folder / f"s.{self.suffix}").open("w") as file:
            positions = complex_.positions * unit.nanometer
            writer.writeFile(complex_.topology, positions, file, keepIds=True)

    @override
    def open(self, place: Path) -> None:
        sane(Complex.from_files(place / f"s.{self.suffix}").positions)


class MMCIF(PDB):
    """A complex as mmCIF."""

    name, suffix = "mmCIF", "cif"


class SDF(Target):
    """A ligand with its chemistry."""

    name, text = "SDF", True

    @override
    def make(self, folder: Path) -> None:
        from rdkit import Chem
        from rdkit.Chem import AllChem

        molecule = Chem.AddHs(Chem.MolFromSmiles("CC(=O)Nc1ccccc1"))
        AllChem.EmbedMolecule(molecule, randomSeed=1)
        molecule.SetProp("_Name", "acetanilide")
        (folder / "l.sdf").write_text(Chem.MolToMolBlock(molecule) + "> <a>\n1.5\n\n$$$$\n")

    @override
    def open(self, place: Path) -> None:
        sane(read_ligand(place / "l.sdf").positions)


class Export(Target):
    """An exported force, which is not run."""

    name = "exported force"

    @override
    def make(self, folder: Path) -> None:
        export(ForceModule(_model().dynamics, pocket(), 10.0), folder / "f.pt")

    @override
    def open(self, place: Path) -> None:
        json.dumps(read_artifact(place / "f.pt").metadata)


class Names(Target):
    """Valid files under names that need not be UTF-8."""

    name = "file names"

    @override
    def make(self, folder: Path) -> None:
        for kind in (DCD, XTC, HDF5, PDB, SDF, ModelFile):
            kind().make(folder)

    @override
    def change(self, content: bytes, random_: random.Random, mutate: Mutate) -> bytes:
        self.random_ = random_
        return content

    @override
    def repair(self, place: Path, file: Path) -> None:
        odd = b"\xff\xfe\xe9 a'\"$%\n\\;&*?~\x01\xc3\xa9"
        name = bytes(self.random_.choice(odd) for _ in range(9)) + os.fsencode(file.suffix)
        file.rename(os.fsdecode(os.fsencode(place) + b"/" + name))

    @override
    def open(self, place: Path) -> None:
        topology = mdtraj.Topology.from_openmm(pocket().topology)
        readers: dict[str, Callable[[Path], object]] = {
            **dict.fromkeys((".dcd", ".xtc", ".h5"), lambda file: load(file, topology)),
            ".pdb": Complex.from_files,
            ".sdf": read_ligand,
            ".safetensors": load_model,
        }
        for file in sorted(place.iterdir()):
            readers[file.suffix](file)
        audit(place)


KINDS: tuple[type[Target], ...] = (
    *(ModelFile, TrainingState, Checkpoint, Settings, Folder, Labels, Misato),
    *(DCD, XTC, TRR, NetCDF, HDF5, PDB, MMCIF, SDF, Export, Names),
)
TARGETS = {kind.name: kind for kind in KINDS}
