"""The ML region of a complex: its checks, and what the model's labels include."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
from openmm import app

from openmm_neuralmd import Complex, InputError, ModelError
from openmm_neuralmd.errors import shown
from openmm_neuralmd.md.selection import around_ligand
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.simulation.backends import torch_force_crashes
from openmm_neuralmd.structure.residues import describe, selection_of

if TYPE_CHECKING:
    from openmm_neuralmd.model import Model


def complex_of(topology: app.Topology, positions: Any, atoms: Sequence[int]) -> Complex:
    """The complex whose ligand is an ML region.

    Raises
    ------
    InputError
        A region that a bond leaves, or that is not one whole residue.
    """
    every, chosen = list(topology.atoms()), {int(i) for i in atoms}
    for a, b in topology.bonds():
        if (a.index in chosen) != (b.index in chosen):
            raise InputError(
                f"the ML region is cut through the bond {a.name} of {describe(a.residue)} – "
                f"{b.name} of {describe(b.residue)}: BindingNet has no link atoms; take all atoms "
                "of a ligand that is not bound covalently"
            )
    residues = list(dict.fromkeys(every[i].residue for i in sorted(chosen)))
    if len(residues) != 1:
        raise InputError(
            f"the ML region is {len(residues)} residues ({shown(map(describe, residues))}); it has "
            "to be the model's ligand and nothing else"
        )
    missing = {atom.index for atom in residues[0].atoms()} - chosen
    if missing:
        raise InputError(
            f"the ML region leaves out {every[min(missing)].name} of {describe(residues[0])}; take "
            "all atoms of the ligand"
        )
    return whole_complex(topology, positions, selection_of(residues[0]))


def whole_complex(topology: app.Topology, positions: Any, ligand: str | None) -> Complex:
    """The complex of a topology.

    Raises
    ------
    InputError
        No positions, no ligand, or a structure that is not sound.
    """
    if positions is None:
        raise InputError(
            "positions= is missing: BindingNet reads the protein's backbone from them; give "
            "createSystem or createMixedSystem the positions of all atoms"
        )
    return Complex.from_openmm(topology, positions, ligand=ligand)


def fitted(model: Model, complex: Complex) -> Complex:
    """The complex with the atoms that the model acts on, which have to be the whole ligand.

    Raises
    ------
    ModelError
        Another ligand than the model's, or one whose hydrogens nothing would hold.
    """
    complex = model.fitted(complex)
    free = len(complex.ligand) - len(complex.sites)
    if free:
        raise ModelError(
            f"model '{model.card.name}' acts on heavy atoms alone: nothing would hold the ligand's "
            f"{free} hydrogens, whose force field terms it replaces; train one with hydrogens"
        )
    return complex


def freeze_surroundings(system: openmm.System, complex: Complex) -> None:
    """Mass 0 for everything but the ligand."""
    for particle in set(range(system.getNumParticles())).difference(complex.ligand.tolist()):
        system.setParticleMass(particle, 0.0)


def replaced_atoms(complex: Complex, radius: float | None) -> np.ndarray:
    """Particles (P,) int64 whose interaction with the ligand the model has learned.

    They are those that labels are made with (`neuralmd reference --mode rigid`): residues with an
    atom within a radius in nm of the ligand, metals and cofactors included, no water and no salt.
    """
    reach = MDSettings().rigid_radius if radius is None else radius
    return np.setdiff1d(around_ligand(complex, 0.0, reach).particles, complex.ligand)


def check_backend(name: str | None, interpolate: bool) -> None:
    """Refuse a TorchForce that would have to be copied where copying ends the process.

    Raises
    ------
    InputError
    """
    if interpolate and name == "TorchForce" and torch_force_crashes():
        raise InputError(
            "interpolate=True copies the force, and copying this openmmtorch's TorchForce crashes "
            "Python; leave backend= out: PythonForce gives the same numbers"
        )
