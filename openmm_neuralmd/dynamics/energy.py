"""A conservative potential: BindingNet with an energy head, for femtosecond runs in OpenMM."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import BindingNet, Protein
from ..bindingnet.settings import BindingNetSettings, EnergyNetwork
from .contract import Dynamics


class Counts(NamedTuple):
    """Numbers of terms of each kind in a molecule: the shapes of `BondedTerms`."""

    bonds: int = 0
    angles: int = 0
    torsions: int = 0
    pairs: int = 0


class BondedTerms(nn.Module):
    """Bonded energy of one molecule, in kJ/mol.

    Σ ½ k (r − r0)² + Σ ½ k (θ − θ0)² + Σ k (1 + cos(n φ − φ0))
    + Σ q/r + 4 ε ((σ/r)¹² − (σ/r)⁶)

    Parameters
    ----------
    counts : Counts
        Of the buffers that follow; all zero until they are set or loaded.

    Attributes
    ----------
    bond_atoms, angle_atoms, torsion_atoms, pair_atoms : Tensor, int64
        (b, 2), (a, 3), (t, 4) and (p, 2), local to the molecule.
    bond_terms : Tensor (b, 2)
        r0 in Å, k in kJ/mol/Å².
    angle_terms : Tensor (a, 2)
        θ0 in rad, k in kJ/mol/rad².
    torsion_terms : Tensor (t, 3)
        n, φ0 in rad, k in kJ/mol.
    pair_terms : Tensor (p, 3)
        q in kJ Å/mol, σ in Å, ε in kJ/mol.
    """

    if TYPE_CHECKING:  # TorchScript does not read postponed annotations
        bond_atoms: Tensor
        angle_atoms: Tensor
        torsion_atoms: Tensor
        pair_atoms: Tensor
        bond_terms: Tensor
        angle_terms: Tensor
        torsion_terms: Tensor
        pair_terms: Tensor

    def __init__(self, counts: Counts) -> None:
        super().__init__()
        shapes = (
            ("bond", counts.bonds, 2, 2),
            ("angle", counts.angles, 3, 2),
            ("torsion", counts.torsions, 4, 3),
            ("pair", counts.pairs, 2, 3),
        )
        for name, count, atoms, terms in shapes:
            self.register_buffer(f"{name}_atoms", torch.zeros(count, atoms, dtype=torch.int64))
            self.register_buffer(f"{name}_terms", torch.zeros(count, terms))

    def forward(self, x: Tensor) -> Tensor:
        """Energy (B,) of molecules at x (B, n, 3) Å."""
        energy = 0.0 * x.sum((1, 2))  # with a derivative, whatever terms there are
        if self.bond_atoms.shape[0] > 0:
            r = torch.linalg.vector_norm(between(x, self.bond_atoms, 0, 1), dim=-1)
            energy = energy + harmonic(r, self.bond_terms)
        if self.angle_atoms.shape[0] > 0:
            energy = energy + harmonic(angles(x, self.angle_atoms), self.angle_terms)
        if self.torsion_atoms.shape[0] > 0:
            phi = torsions(x, self.torsion_atoms)
            n, phase, k = self.torsion_terms.unbind(-1)
            energy = energy + (k * (1.0 + torch.cos(n * phi - phase))).sum(-1)
        if self.pair_atoms.shape[0] > 0:
            r = torch.linalg.vector_norm(between(x, self.pair_atoms, 0, 1), dim=-1)
            q, sigma, epsilon = self.pair_terms.unbind(-1)
            sixth = (sigma / r) ** 6
            energy = energy + (q / r + 4.0 * epsilon * sixth * (sixth - 1.0)).sum(-1)
        return energy


def counts(terms: BondedTerms) -> Counts:
    """Return the number of terms of each kind."""
    atoms = (terms.bond_atoms, terms.angle_atoms, terms.torsion_atoms, terms.pair_atoms)
    return Counts(*map(len, atoms))


def between(x: Tensor, atoms: Tensor, i: int, j: int) -> Tensor:
    """Vectors (B, k, 3) from column i to column j of atoms (k, m)."""
    return x[:, atoms[:, j]] - x[:, atoms[:, i]]


def harmonic(value: Tensor, terms: Tensor) -> Tensor:
    """Σ ½ k (value − v0)² over the last dimension."""
    v0, k = terms.unbind(-1)
    return 0.5 * (k * (value - v0) ** 2).sum(-1)


def angles(x: Tensor, atoms: Tensor) -> Tensor:
    """Angles (B, a) in rad at the middle one of three atoms."""
    a, b = between(x, atoms, 1, 0), between(x, atoms, 1, 2)
    # 1e-6 Å⁴ keeps the derivative of an angle of 0 or 180° finite.
    sine = (torch.linalg.cross(a, b).square().sum(-1) + 1e-6).sqrt()
    return torch.atan2(sine, (a * b).sum(-1))


def torsions(x: Tensor, atoms: Tensor) -> Tensor:
    """Dihedral angles (B, t) in rad, IUPAC's sign."""
    a, b, c = between(x, atoms, 0, 1), between(x, atoms, 1, 2), between(x, atoms, 2, 3)
    m, n = torch.linalg.cross(a, b), torch.linalg.cross(b, c)
    length = torch.linalg.vector_norm(b, dim=-1)
    return torch.atan2(length * (a * n).sum(-1), (m * n).sum(-1))


class EnergyModelSettings(BaseModel):
    """Settings of an energy model, stored in its file.

    Attributes
    ----------
    network : BindingNetSettings
        With head 'energy'.
    scale : float
        kJ/mol in one unit of the network's output, so that its weights need not be large.
    terms : Counts
        Of the ligand's own bonded terms, which the network's energy is added to; none by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: EnergyNetwork = BindingNetSettings(head="energy")
    scale: float = Field(1.0, gt=0)
    terms: Counts = Counts()


class EnergyModel(Dynamics):
    """The energy of a ligand in its pocket, kJ/mol, up to a constant of each complex.

    It does not jump: `NeuralMDForce` gives it to any OpenMM integrator.  With bonded terms it
    belongs to one ligand.

    Parameters
    ----------
    settings : EnergyModelSettings
    """

    settings_class = EnergyModelSettings
    title = "energy model"
    jumps = False
    instead = "use it as a NeuralMDForce with an OpenMM integrator"
    newtonian = True

    def __init__(self, settings: EnergyModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = BindingNet(settings.network)
        self.terms = BondedTerms(settings.terms)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the energy of the model as its only field."""
        return ("energy",)

    def learned(self, c: ComplexTensors, protein: Protein, x: Tensor) -> Tensor:
        """The network's part (B,) of the energy in kJ/mol, of ligands at x (B, n, 3) Å."""
        energy: Tensor = self.network(c.z, x, c.mask, protein)
        return self.settings.scale * energy

    def energy(self, c: ComplexTensors, protein: Protein, x: Tensor) -> Tensor:
        """Energy (B,) in kJ/mol of ligands at x (B, n, 3) Å."""
        own: Tensor = self.terms(x)
        return self.learned(c, protein, x) + own

    def energy_unit(self, interval_ps: float) -> float:
        """kJ/mol in one unit of the network's output."""
        return self.settings.scale
