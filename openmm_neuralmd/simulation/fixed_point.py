"""Learned forces in units that survive the fixed-point sums of GPU platforms.

CUDA, HIP and OpenCL add forces as 64-bit integers of 2⁻³² kJ/mol/nm.  A directly predicted force
F = m a is of order 1 in amu Å/Δ², but one amu Å/Δ² is 3e-9 kJ/mol/nm for Δ = 6 ns, so that the
force would be rounded to a few multiples of that, or to 0.  `create_system` therefore exports its
forces in the model's units, and `NeuralMDIntegrator` turns them back where it reads them.

| force group | unit in the group | unit in the integrator | global variable |
| --- | --- | --- | --- |
| force | amu Å/Δ² | kJ/mol/nm | `force_unit` |
| refinement | Å/Δ | nm/ps | `refinement_unit` |
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import openmm
from torch import Tensor

from ..units import acceleration_factor, velocity_factor

RESOLUTION = 2.0**-32
"""kJ/mol/nm; forces of GPU platforms are whole multiples of it."""
_RELATIVE = 1e-4
"""A rounding error larger than this part of the largest force is worth a warning."""

_UNITS: dict[str, Callable[[float], float]] = {
    "force": acceleration_factor,
    "refinement": velocity_factor,
}


def model_unit(quantity: str, interval_ps: float) -> float:
    """One unit of a model's output in OpenMM's units: kJ/mol/nm, or nm/ps for a refinement.

    An energy head's output is in kJ/mol, so its unit is 1.
    """
    return _UNITS[quantity](interval_ps) if quantity in _UNITS else 1.0


def unit_variable(quantity: str) -> str:
    """Name of the integrator's global variable with the unit of a force group."""
    return f"{quantity}_unit"


def add_unit(
    integrator: openmm.CustomIntegrator, quantity: str, interval_ps: float, force_group: int
) -> str:
    """Add the variable of one force group; return the expression that uses it."""
    name = unit_variable(quantity)
    integrator.addGlobalVariable(name, model_unit(quantity, interval_ps))
    return f"{name}*f{force_group}"


def warn_of_rounding(forces: Tensor, name: str) -> None:
    """Warn where forces (P, 3) in kJ/mol/nm are lost in the rounding of GPU platforms."""
    largest = float(forces.abs().max())
    if 0.0 < largest < RESOLUTION / _RELATIVE:
        warnings.warn(
            f"{name}: the largest component of the force is {largest:.1e} kJ/mol/nm, and GPU "
            f"platforms round forces to multiples of {RESOLUTION:.1e}; use create_system and "
            "NeuralMDIntegrator, or give scale= and divide by it in a CustomIntegrator",
            stacklevel=3,
        )
