"""Unit conversion between Å and nm, and between the snapshot interval Δ and ps.

Inside the network lengths are Å, masses amu and time is counted in snapshot intervals Δ.
At every OpenMM boundary they are nm, ps, amu and kJ/mol (amu nm²/ps²).  Nothing else in the
package multiplies by ten.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openmm import unit

ANGSTROM_PER_NM = 10.0
NM_PER_ANGSTROM = 0.1
BOLTZMANN = 0.00831446261815324
"""Boltzmann's constant in kJ/mol/K (CODATA 2018, exact)."""


def strip(value: Any, default_unit: unit.Unit) -> Any:
    """Return `value` as plain numbers in `default_unit`.

    Parameters
    ----------
    value : Quantity, float or array
        A Quantity of a compatible dimension, or numbers that already are in `default_unit`.
    default_unit : openmm.unit.Unit
        The unit of the result, one of OpenMM's defaults (nm, ps, amu, kJ/mol, K).
    """
    if unit.is_quantity(value):
        return value.value_in_unit(default_unit)
    return value


def nanometers(positions: Any) -> np.ndarray:
    """Positions (N, 3) as float64 in nm, from a Quantity or from numbers in nm."""
    return np.asarray(strip(positions, unit.nanometer), dtype=np.float64)


def picoseconds(time: Any) -> float:
    """A time as a float in ps, from a Quantity or from a number in ps."""
    return float(strip(time, unit.picosecond))


def to_angstrom(positions_nm: np.ndarray) -> np.ndarray:
    """Lengths in nm as lengths in Å."""
    return positions_nm * ANGSTROM_PER_NM


def to_nm(positions_angstrom: np.ndarray) -> np.ndarray:
    """Lengths in Å as lengths in nm."""
    return positions_angstrom * NM_PER_ANGSTROM


def velocity_factor(interval_ps: float) -> float:
    """Factor from Å/Δ to nm/ps."""
    return NM_PER_ANGSTROM / interval_ps


def acceleration_factor(interval_ps: float) -> float:
    """Factor from Å/Δ² to nm/ps², and from amu Å/Δ² to kJ/mol/nm."""
    return NM_PER_ANGSTROM / interval_ps**2


def per_ps(rate: float, interval_ps: float) -> float:
    """A rate in 1/Δ as one in 1/ps."""
    return rate / interval_ps


def per_ps2(stiffness: float, interval_ps: float) -> float:
    """A stiffness by mass in 1/Δ² as one in 1/ps²."""
    return stiffness / interval_ps**2
