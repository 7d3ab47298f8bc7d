"""A run of mode rigid with labels, as what an energy model learns from."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit
from scipy.spatial.transform import Rotation

from ..errors import InputError, one_line
from ..md.folder import SYSTEM
from ..md.interaction import dielectric_of
from ..md.labels import KEYS
from ..md.ligand_terms import ligand_terms
from ..md.minimise import make_context
from ..md.outcome import PACKED_SYSTEM, START, TOPOLOGY
from ..md.records import LABELS
from ..structure.complex import Complex
from ..units import to_angstrom, to_nm
from ..utils.files import read_arrays, sha256, unpacked
from ..utils.openmm_xml import deserialize
from .labels import Labels

_HUGE = 1e12

ATOMS, SHIFT, TURN = 0.03, 0.1, 0.03
"""Standard deviations of a perturbation: Å of each coordinate of each atom and of the whole ligand,
rad of its orientation about each axis."""


@dataclass(frozen=True, eq=False)
class LabelledRun:
    """A finished run, or its folder in a reference set, opened.

    Attributes
    ----------
    path : Path
    complex : Complex
        With the ligand's hydrogens; every atom that the System has.
    system : System
        That was simulated: only the ligand moves.
    labels : Labels
        At its snapshots.
    """

    path: Path
    complex: Complex
    system: openmm.System
    labels: Labels

    @classmethod
    def open(cls, path: str | Path) -> LabelledRun:
        """Open `reference --mode rigid --labels`' folder, or one that `compact` made of it.

        Raises
        ------
        InputError
            No labels there, or a run in which more than the ligand moved.
        """
        path = Path(path)
        structure, system = _either(path, (TOPOLOGY, SYSTEM), (START, PACKED_SYSTEM))
        pdb = app.PDBFile(io.StringIO(structure))
        complex = Complex.from_openmm(
            pdb.topology, pdb.getPositions(asNumpy=True), name=path.parent.name
        ).with_hydrogens()
        built = deserialize(system, openmm.System, f"{path / SYSTEM}")
        _check_rigid(path, built, complex)
        data = read_labels(path / LABELS, len(complex.ligand))
        forces = np.asarray(data["forces_kj_mol_nm"], dtype=np.float64)
        if forces.ndim == 4:  # by force group; `compact` has added them up
            forces = forces.sum(axis=1)
        times = data["time_ps"]
        identity = {
            "name": f"{path.parent.name}/{path.name}",
            "sha256": sha256(path / LABELS),
            "dielectric": _dielectric(built),
        }
        labels = Labels(
            complex=complex,
            x=to_angstrom(np.asarray(data["positions_nm"], dtype=np.float64)),
            forces=forces,
            energies=data["energies_kj_mol"].sum(axis=1),
            terms=ligand_terms(built, complex),
            interval_ps=float(times[1] - times[0]),
            identity=identity,
        )
        return cls(path, complex, built, labels)

    def perturbed(self, of: Labels, count: int, seed: int) -> Labels:
        """Labels of geometries that no snapshot has: a force has to know what it must undo.

        Each is one of the geometries of `of`, drawn at random, with every atom displaced and the
        whole ligand moved and turned.
        """
        random = np.random.default_rng([seed, 1])
        start = of.x[random.integers(len(of), size=count)]
        centre = start.mean(axis=1, keepdims=True)
        turns = Rotation.from_rotvec(TURN * random.normal(size=(count, 3))).as_matrix()
        turned = np.einsum("sij,slj->sli", turns, start - centre)
        moved = turned + centre + SHIFT * random.normal(size=(count, 1, 3))
        x = moved + ATOMS * random.normal(size=start.shape)
        forces, energies = self.evaluate(x)
        identity = {**of.identity, "perturbed": str(count)}
        return Labels(self.complex, x, forces, energies, of.terms, of.interval_ps, identity)

    def evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All-atom forces (S, n, 3) in kJ/mol/nm and energies (S,) in kJ/mol at x (S, n, 3) Å."""
        positions = np.array(self.complex.positions)
        context = make_context(self.system, positions, "Reference")
        forces, energies = [], []
        for ligand in to_nm(x):
            positions[self.complex.ligand] = ligand
            context.setPositions(positions * unit.nanometer)
            state = context.getState(forces=True, energy=True)
            energies.append(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))
            force = state.getForces(asNumpy=True)
            forces.append(force.value_in_unit(unit.kilojoule_per_mole / unit.nanometer))
        return np.array(forces)[:, self.complex.ligand], np.array(energies)


def read_labels(path: Path, atoms: int) -> dict[str, np.ndarray]:
    """Arrays of labels.npz, checked: T ≥ 2 snapshots, G force groups, L atoms of the ligand.

    Parameters
    ----------
    path : Path
    atoms : int
        L.

    Raises
    ------
    InputError
        Damaged, of another ligand, or with values that are not finite.
    """
    try:
        data = read_arrays(path, KEYS)
        numbers = {name: np.asarray(data[name], dtype=np.float64) for name in KEYS[1:5]}
    except (ValueError, TypeError) as error:
        raise InputError(f"cannot read {path}: {one_line(error)}") from error
    energies, forces, positions, times = numbers.values()
    count = len(times) if times.ndim == 1 else 0
    groups = forces.shape[1:-2] if forces.ndim == 4 else ()
    fits = (
        count >= 2
        and energies.ndim == 2
        and len(energies) == count
        and positions.shape == (count, atoms, 3)
        and forces.shape in ((count, atoms, 3), (count, *groups, atoms, 3))
    )
    if not fits:
        raise InputError(
            f"{path}: energies {energies.shape}, forces {forces.shape}, positions "
            f"{positions.shape} and times {times.shape} are not those of {atoms} atoms at two or "
            "more snapshots"
        )
    if not all((np.abs(array) < _HUGE).all() for array in numbers.values()):
        raise InputError(f"{path}: values that are not finite, or beyond {_HUGE:g}; run it again")
    if not (np.diff(times) > 0).all():
        raise InputError(f"{path}: times do not increase; run it again")
    return {**data, **numbers}


def _either(path: Path, *layouts: tuple[str, str]) -> tuple[str, str]:
    """Texts of a structure and of a System, in the layout that the folder has."""
    if not (path / LABELS).is_file():
        raise InputError(f"{path}: no {LABELS}; make it with neuralmd reference --labels")
    for names in layouts:
        if all((path / name).is_file() for name in names):
            structure, system = (_text(path / name) for name in names)
            return structure, system
    wanted = " or ".join(" and ".join(names) for names in layouts)
    raise InputError(f"{path}: no {wanted}; is it the folder of a whole run?")


def _text(path: Path) -> str:
    content = unpacked(path) if path.suffix == ".gz" else path.read_bytes()
    return content.decode(errors="replace")


def _dielectric(system: openmm.System) -> str:
    """Dielectric of the electrostatics between ligand and protein."""
    pairs = (f for f in system.getForces() if isinstance(f, openmm.CustomNonbondedForce))
    return dielectric_of(next(pairs))


def _check_rigid(path: Path, system: openmm.System, complex: Complex) -> None:
    if system.getNumParticles() != len(complex.positions):
        raise InputError(
            f"{path}: {system.getNumParticles()} particles in the System, "
            f"{len(complex.positions)} in the structure; was water left out of it?"
        )
    masses = [system.getParticleMass(i)._value for i in range(system.getNumParticles())]
    if set(np.flatnonzero(masses).tolist()) != set(complex.ligand.tolist()):
        raise InputError(
            f"{path}: more than the ligand moves; an energy of the ligand alone is learned from a "
            "run of mode rigid"
        )
