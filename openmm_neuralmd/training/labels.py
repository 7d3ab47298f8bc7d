"""Forces and energies that an energy model learns from, as batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..bindingnet.inputs import ComplexTensors, collate, complex_tensors, species
from ..dynamics.bonded_terms import BondedTerms
from ..structure.complex import Complex
from ..units import ANGSTROM_PER_NM


@dataclass(frozen=True, eq=False)
class Labels:
    """All-atom forces on a ligand and its energy, at some geometries of one rigid complex.

    Attributes
    ----------
    complex : Complex
        With the ligand's hydrogens.
    x : (S, n, 3) float64, Å
        In the frame of the complex.
    forces : (S, n, 3) float64, kJ/mol/nm
    energies : (S,) float64, kJ/mol
        Up to a constant.
    terms : BondedTerms
        Of the ligand.
    interval_ps : float
        Between the snapshots that the geometries are of.
    identity : dict
        Name, hash, and the dielectric between ligand and protein; kept in the model's card.
    """

    complex: Complex
    x: np.ndarray
    forces: np.ndarray
    energies: np.ndarray
    terms: BondedTerms
    interval_ps: float
    identity: dict[str, str]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, part: slice) -> Labels:
        """Select some of the geometries."""
        return replace(self, x=self.x[part], forces=self.forces[part], energies=self.energies[part])

    def joined(self, other: Labels) -> Labels:
        """The geometries of both, of one complex."""
        pairs = ((self.x, other.x), (self.forces, other.forces), (self.energies, other.energies))
        x, forces, energies = (np.concatenate(pair) for pair in pairs)
        return replace(self, x=x, forces=forces, energies=energies)

    def without(self, terms: BondedTerms) -> Labels:
        """Labels less the energy and forces of bonded terms."""
        x = torch.tensor(self.x, requires_grad=True)
        own = terms.double()(x)
        (gradient,) = torch.autograd.grad(own.sum(), x, allow_unused=True)
        slope = np.zeros_like(self.x) if gradient is None else gradient.numpy()
        return replace(
            self,
            forces=self.forces + ANGSTROM_PER_NM * slope,
            energies=self.energies - own.detach().numpy(),
        )

    def shifted(self, zero: float) -> Labels:
        """Copy with energies less `zero`, kJ/mol."""
        return replace(self, energies=self.energies - zero)


class LabelBatch(NamedTuple):
    """A batch of geometries, of any complexes; n is the atoms of the largest ligand.

    Attributes
    ----------
    complexes : ComplexTensors (C, ...)
    member : Tensor (B,), int64
        Row of `complexes` that each geometry is of.
    x : Tensor (B, n, 3)
        Å.
    forces : Tensor (B, n, 3)
        kJ/mol/nm.
    energies : Tensor (B,)
        kJ/mol.
    """

    complexes: ComplexTensors
    member: Tensor
    x: Tensor
    forces: Tensor
    energies: Tensor


class LabelItems:
    """Geometries of some complexes as a loop's `Items`: pairs of complex and geometry.

    Parameters
    ----------
    labels : sequence of Labels
    dtype : torch.dtype
    """

    def __init__(self, labels: Sequence[Labels], dtype: torch.dtype = torch.float32) -> None:
        self.labels = list(labels)
        self.dtype = dtype
        self._complexes = [complex_tensors(item.complex, dtype) for item in self.labels]

    def __len__(self) -> int:
        return sum(map(len, self.labels))

    def batches(
        self, size: int, generator: torch.Generator | None = None
    ) -> list[list[tuple[int, int]]]:
        """Divide all geometries into batches; shuffled by the generator, in order without one."""
        items = [(k, row) for k, item in enumerate(self.labels) for row in range(len(item))]
        if generator is not None:
            items = [items[i] for i in torch.randperm(len(items), generator=generator).tolist()]
        return [items[i : i + size] for i in range(0, len(items), size)]

    def batch(self, items: Sequence[tuple[int, int]]) -> LabelBatch:
        """Tensors of some geometries."""
        members = list(dict.fromkeys(k for k, _ in items))
        atoms = max(self.labels[k].x.shape[1] for k in members)

        def stacked(name: str) -> Tensor:
            rows = [torch.as_tensor(getattr(self.labels[k], name)[row]) for k, row in items]
            padded = [torch.nn.functional.pad(r, (0, 0, 0, atoms - len(r))) for r in rows]
            return torch.stack(padded).to(self.dtype)

        energies = [self.labels[k].energies[row] for k, row in items]
        return LabelBatch(
            collate([self._complexes[k] for k in members]),
            torch.tensor([members.index(k) for k, _ in items]),
            stacked("x"),
            stacked("forces"),
            torch.tensor(energies, dtype=self.dtype),
        )

    def seen(self, items: Sequence[tuple[int, int]]) -> tuple[set[int], set[int]]:
        """Atomic numbers and residue types of the complexes of some geometries."""
        return species(self._complexes[k] for k in {k for k, _ in items})
