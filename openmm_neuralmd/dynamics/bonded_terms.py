"""Bonded energy of one molecule, and its derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn


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

    def gradient(self, x: Tensor) -> Tensor:
        """Derivative (B, n, 3) of the energy by x, as autograd gives it."""
        g = torch.zeros_like(x)
        if self.bond_atoms.shape[0] > 0:
            v = between(x, self.bond_atoms, 0, 1)
            r = torch.linalg.vector_norm(v, dim=-1)
            r0, k = self.bond_terms.unbind(-1)
            between_pullback((k * (r - r0) / r).unsqueeze(-1) * v, self.bond_atoms, 0, 1, g)
        if self.angle_atoms.shape[0] > 0:
            theta0, k = self.angle_terms.unbind(-1)
            slope = k * (angles(x, self.angle_atoms) - theta0)
            angles_pullback(slope, x, self.angle_atoms, g)
        if self.torsion_atoms.shape[0] > 0:
            n, phase, k = self.torsion_terms.unbind(-1)
            slope = -k * n * torch.sin(n * torsions(x, self.torsion_atoms) - phase)
            torsions_pullback(slope, x, self.torsion_atoms, g)
        if self.pair_atoms.shape[0] > 0:
            v = between(x, self.pair_atoms, 0, 1)
            r = torch.linalg.vector_norm(v, dim=-1)
            q, sigma, epsilon = self.pair_terms.unbind(-1)
            sixth = (sigma / r) ** 6
            slope = -(q / r + 24.0 * epsilon * sixth * (2.0 * sixth - 1.0)) / (r * r)
            between_pullback(slope.unsqueeze(-1) * v, self.pair_atoms, 0, 1, g)
        return g


def counts(terms: BondedTerms) -> Counts:
    """Return the number of terms of each kind."""
    atoms = (terms.bond_atoms, terms.angle_atoms, terms.torsion_atoms, terms.pair_atoms)
    return Counts(*map(len, atoms))


def between(x: Tensor, atoms: Tensor, i: int, j: int) -> Tensor:
    """Vectors (B, k, 3) from column i to column j of atoms (k, m)."""
    return x[:, atoms[:, j]] - x[:, atoms[:, i]]


def between_pullback(g_v: Tensor, atoms: Tensor, i: int, j: int, g: Tensor) -> None:
    """Add to g (B, n, 3) the derivative by x, from that by the vectors of `between`."""
    g.index_add_(1, atoms[:, j], g_v).index_add_(1, atoms[:, i], -g_v)


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


def angles_pullback(g_theta: Tensor, x: Tensor, atoms: Tensor, g: Tensor) -> None:
    """Add to g (B, n, 3) the derivative by x, from that by the angles."""
    a, b = between(x, atoms, 1, 0), between(x, atoms, 1, 2)
    across = torch.linalg.cross(a, b)
    sine = (across.square().sum(-1) + 1e-6).sqrt()
    cosine = (a * b).sum(-1)
    over = g_theta / (sine * sine + cosine * cosine)
    g_across = (over * cosine / sine).unsqueeze(-1) * across
    g_cosine = -(over * sine).unsqueeze(-1)
    between_pullback(torch.linalg.cross(b, g_across) + g_cosine * b, atoms, 1, 0, g)
    between_pullback(torch.linalg.cross(g_across, a) + g_cosine * a, atoms, 1, 2, g)


def torsions(x: Tensor, atoms: Tensor) -> Tensor:
    """Dihedral angles (B, t) in rad, IUPAC's sign."""
    a, b, c = between(x, atoms, 0, 1), between(x, atoms, 1, 2), between(x, atoms, 2, 3)
    m, n = torch.linalg.cross(a, b), torch.linalg.cross(b, c)
    length = torch.linalg.vector_norm(b, dim=-1)
    return torch.atan2(length * (a * n).sum(-1), (m * n).sum(-1))


def torsions_pullback(g_phi: Tensor, x: Tensor, atoms: Tensor, g: Tensor) -> None:
    """Add to g (B, n, 3) the derivative by x, from that by the dihedral angles."""
    a, b, c = between(x, atoms, 0, 1), between(x, atoms, 1, 2), between(x, atoms, 2, 3)
    m, n = torch.linalg.cross(a, b), torch.linalg.cross(b, c)
    length = torch.linalg.vector_norm(b, dim=-1).unsqueeze(-1)
    # The angle turns about b with the distance of the outer atoms from it.
    g_phi = g_phi.unsqueeze(-1)
    g_a = g_phi * length / (m * m).sum(-1, keepdim=True) * m
    g_c = g_phi * length / (n * n).sum(-1, keepdim=True) * n
    along = b / (length * length)
    g_b = -(a * along).sum(-1, keepdim=True) * g_a - (c * along).sum(-1, keepdim=True) * g_c
    for vector, (i, j) in ((g_a, (0, 1)), (g_b, (1, 2)), (g_c, (2, 3))):
        between_pullback(vector, atoms, i, j, g)
