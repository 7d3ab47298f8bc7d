"""A platform with its properties, a feature that is measured on it, and how far it may deviate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import openmm
from numpy.typing import NDArray

from openmm_neuralmd.utils.platforms import choose_platform, new_context

Array = NDArray[np.float64]

ANGSTROM, RELATIVE = "Å", "relative"
LIMITS = {
    ANGSTROM: {"single": 1e-3, "mixed": 1e-3, "double": 1e-6},
    RELATIVE: {"single": 1e-4, "mixed": 1e-4, "double": 1e-6},
}
"""Largest deviation from the Reference platform, by unit and precision of the platform."""


@dataclass(frozen=True)
class Place:
    """An OpenMM platform and its precision.

    Attributes
    ----------
    platform : str
    precision : str
        'single', 'mixed' or 'double'; a property of GPU platforms, fixed for CPU and Reference.
    """

    platform: str
    precision: str

    @property
    def properties(self) -> dict[str, str]:
        """Platform properties that set the precision, and one thread on the CPU."""
        names = choose_platform(self.platform).getPropertyNames()
        own = {"Precision": self.precision, "Threads": "1"}
        return {name: value for name, value in own.items() if name in names}

    def context(self, system: openmm.System, integrator: openmm.Integrator) -> openmm.Context:
        """A Context here."""
        return new_context(system, integrator, self.platform, self.properties)

    def __str__(self) -> str:
        return f"{self.platform} {self.precision}"


REFERENCE = Place("Reference", "double")
CPU = Place("CPU", "single")


def gpu_places(platform: str) -> tuple[Place, ...]:
    """The precisions of a GPU platform."""
    return tuple(Place(platform, precision) for precision in ("single", "mixed", "double"))


@dataclass(frozen=True)
class Feature:
    """Numbers that have to be the same on every platform.

    Attributes
    ----------
    title : str
        For the table.
    unit : str
        `ANGSTROM`, of coordinates, or `RELATIVE`, to the largest value.
    measure : callable
        Place to an array.
    least : float
        A limit is never below this; the rounding of a file format, for instance.
    """

    title: str
    unit: str
    measure: Callable[[Place], Array]
    least: float = 0.0
    _expected: dict[str, Array] = field(default_factory=dict, compare=False, repr=False)

    def limit(self, place: Place) -> float:
        """The largest deviation that is allowed."""
        return max(self.least, LIMITS[self.unit][place.precision])

    def deviation(self, place: Place) -> float:
        """The largest difference from the Reference platform; nan where a value is no number."""
        if not self._expected:
            self._expected["values"] = self.measure(REFERENCE)
        expected, values = self._expected["values"], self.measure(place)
        if not np.isfinite(values).all():
            return float("nan")
        scale = np.abs(expected).max() if self.unit == RELATIVE else 1.0
        return float(np.abs(values - expected).max() / scale)


def measured(features: Mapping[str, Feature], place: Place) -> dict[str, float]:
    """Deviation of every feature on one platform."""
    return {name: feature.deviation(place) for name, feature in features.items()}
