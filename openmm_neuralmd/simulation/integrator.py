"""`NeuralMDIntegrator`: a learned dynamics as an openmm.CustomIntegrator, on any platform.

One step of the dynamics (`Dynamics.write_step`), then the sweeps of the projection on bonds and
angles, whose displacements come from a force group of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openmm
from openmm import unit

from ..errors import ModelError
from ..model import kinds
from ..units import strip
from .fixed_point import add_unit

if TYPE_CHECKING:
    from ..model import Model
    from ..structure.complex import Complex

REFINEMENT_OFFSET = 1
"""Force group of the velocity refinement, counted from that of the learned force."""
PROJECTION_OFFSET = REFINEMENT_OFFSET + 1
"""Force group of the projection, counted from that of the learned force."""


class NeuralMDIntegrator(openmm.CustomIntegrator):
    """Propagates a ligand by a model: `stepsPerSnapshot` steps make one snapshot of Δ.

    It reads the forces of the groups that `create_system` uses, in the model's units (see
    `fixed_point`; `initialise` sets the unit of forces with another scale).  Particles of mass 0
    stay.  There is no thermostat: the temperature is the one that the model was trained at.
    NeuralMD-SDE draws its noise from OpenMM: `setRandomNumberSeed` repeats a trajectory.

    Parameters
    ----------
    model : Model
        Of a NeuralMD-ODE, a NeuralMD-SDE or a NeuralMD-OU.
    temperature : Quantity or float in K, optional
        Checked against the model's; an error if they differ.
    solver : str, optional
        Of a NeuralMD-ODE: 'euler', 'midpoint' or 'rk4'; the model's own by default.
    complex : Complex, optional
        Whose ligand it moves; NeuralMD-OU needs it, since its steps are those of one ligand.
    forceGroup : int
        Group of F; the velocity refinement is in the next, the projection in the one after.

    Raises
    ------
    ModelError
        Model of another kind, another temperature, or a solver that cannot run here.

    Examples
    --------
    >>> from openmm_neuralmd import NeuralMDIntegrator, load_model
    >>> integrator = NeuralMDIntegrator(load_model("gpcr-ergotamine"))
    >>> integrator.getStepSize() * integrator.stepsPerSnapshot
    6000.0 ps
    """

    def __init__(
        self,
        model: Model,
        temperature: Any = None,
        solver: str | None = None,
        *,
        complex: Complex | None = None,
        forceGroup: int = 1,
    ) -> None:
        check_propagator(model)
        _check_temperature(model, temperature)
        dynamics = model.dynamics.inside_openmm(complex)
        self._steps = dynamics.steps
        interval = model.card.interval_ps
        super().__init__(interval / self._steps)
        fields = {
            quantity: add_unit(self, quantity, interval, forceGroup + place)
            for place, quantity in enumerate(dynamics.fields)
        }
        first = forceGroup + len(fields)
        native = {name: f"f{first + place}" for place, name in enumerate(dynamics.native)}
        dynamics.write_step(self, interval, fields | native, solver)
        for _ in range(dynamics.sweeps):
            self.addComputePerDof("x", f"x+f{forceGroup + PROJECTION_OFFSET}")
        # GPU platforms place virtual sites anew in constraint steps alone, not where x is computed.
        self.addConstrainPositions()

    @property
    def stepsPerSnapshot(self) -> int:
        """Steps that make one snapshot interval Δ; what a reporter's interval has to be."""
        return self._steps


def check_propagator(model: Model) -> None:
    """Refuse a model whose steps are not written for OpenMM."""
    if not model.dynamics.runs_in_openmm:
        names = " or ".join(kind.title for kind in kinds().values() if kind.runs_in_openmm)
        raise ModelError(
            f"model '{model.card.name}' is a '{model.card.kind}', not a {names}: it does not jump "
            "inside OpenMM; use NeuralMDForce with one of OpenMM's integrators, or rollout()"
        )


def _check_temperature(model: Model, temperature: Any) -> None:
    if temperature is None or model.card.temperature_K is None:
        return
    given, trained = float(strip(temperature, unit.kelvin)), model.card.temperature_K
    if abs(given - trained) > 0.5:
        raise ModelError(
            f"model '{model.card.name}' was trained at {trained:g} K, not {given:g} K; "
            "it has no thermostat: use its own temperature"
        )
