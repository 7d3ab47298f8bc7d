"""A model's force on the ligand alone, in double precision, as OpenMM would evaluate it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from ...analysis.coordinates import Array
from ...bindingnet.inputs import complex_tensors
from ...model import Model
from ...simulation.export import ForceModule
from ...structure.complex import Complex

VectorField = Callable[[Array], Array]
"""Positions (n, 3) to vectors (n, 3)."""


def has_field(model: Model) -> bool:
    """Test whether a model gives one vector per atom, or one energy, for a geometry."""
    return bool(model.dynamics.fields)


class LigandField:
    """Energy and force of a model on a ligand in a rigid protein.

    It is the module that `NeuralMDForce` exports, evaluated without OpenMM.

    Parameters
    ----------
    model : Model
        One that `has_field`.
    complex : Complex
        The protein at its own positions.

    Attributes
    ----------
    complex : Complex
        With the atoms of the ligand that the model reads.
    conservative : bool
        Whether the force is the gradient of an energy.
    masses : array (n,)
        Of the ligand's `sites`, amu.
    start : array (n, 3)
        Where they are in the complex, nm.
    """

    def __init__(self, model: Model, complex: Complex) -> None:
        self.complex = model.fitted(complex)
        interval = model.card.interval_ps
        self._module = ForceModule(model.dynamics, self.complex, interval, precision="double")
        self._positions = torch.as_tensor(self.complex.positions, dtype=torch.float64)
        self._sites: NDArray[np.int64] = self.complex.ligand_sites
        self.conservative = self._module.conservative
        self.masses: Array = complex_tensors(self.complex, torch.float64).mass[0].numpy()
        self.start: Array = self.complex.positions[self._sites]

    def evaluate(self, x: Array) -> tuple[float, Array]:
        """Energy in kJ/mol (0 where there is none) and forces (n, 3) in kJ/mol/nm at x in nm."""
        positions = self._positions.clone()
        positions[torch.as_tensor(self._sites)] = torch.as_tensor(x, dtype=torch.float64)
        energy, forces = self._module(positions)
        return float(energy), forces[torch.as_tensor(self._sites)].numpy()

    def forces(self, x: Array) -> Array:
        """See `evaluate`."""
        return self.evaluate(x)[1]

    def acceleration(self, x: Array) -> Array:
        """Forces by masses, (n, 3) in nm/ps²."""
        return self.forces(x) / self.masses[:, None]
