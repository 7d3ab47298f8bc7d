"""Energy conservation of a learned force, compared with the all-atom force it learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import openmm

from ...errors import SimulationError
from ...hybrid.hmc import proposal_system
from ...model import Model
from ...simulation.force import NeuralMDForce
from ...training.labelled import LabelledRun
from ...units import to_nm
from ..check import (
    Check,
    judged,
    reported,
    skipped,
    thresholds,
)
from .drift import Drift, drift, run_nve

DRIFT, SHARE = "nve-drift", "nve-drift-share"
NO_ENERGY = "no energy model: nothing that a run without a thermostat could keep"
NO_RUN = "no labelled run was given: it has the all-atom forces to set beside"


@dataclass(frozen=True)
class NVESettings:
    """Settings of the runs without a thermostat.

    Attributes
    ----------
    picoseconds, timestep_fs, interval_ps, thermalisation_ps
        See `drift.run_nve`.
    platform : str
    precision : str
        'single' or 'double', of the network.
    seed : int

    Examples
    --------
    >>> from openmm_neuralmd.assessment.mechanics import NVESettings
    >>> NVESettings(picoseconds=20.0, interval_ps=0.5).energies
    40
    """

    picoseconds: float = 200.0
    timestep_fs: float = 1.0
    interval_ps: float = 0.1
    thermalisation_ps: float = 2.0
    platform: str = "CPU"
    precision: str = "single"
    seed: int = 1

    @property
    def energies(self) -> int:
        """Number of energies that a run measures."""
        return max(3, round(self.picoseconds / self.interval_ps))


def nve(
    model: Model,
    run: LabelledRun | None,
    settings: NVESettings | None = None,
    advance: Callable[[int, str], None] | None = None,
) -> tuple[list[Check], dict[str, Drift]]:
    """Run the ligand under both forces, from one start, with one integrator.

    Returns
    -------
    list of Check
        Of the learned force; skipped, saying why, for a model without an energy or no run.
    dict
        The drift of 'learned' and 'all-atom'; what blew up is not there.

    Examples
    --------
    >>> from openmm_neuralmd import load_model
    >>> from openmm_neuralmd.assessment.mechanics import nve
    >>> checks, drifts = nve(load_model("gpcr-ergotamine"), None)  # this model has no energy
    >>> [check.outcome for check in checks], drifts
    (['not measured', 'not measured'], {})
    """
    settings = settings or NVESettings()
    if model.dynamics.jumps:
        return [skipped(name, NO_ENERGY) for name in (DRIFT, SHARE)], {}
    if run is None:
        return [skipped(name, NO_RUN) for name in (DRIFT, SHARE)], {}
    force = NeuralMDForce(model, run.complex, precision=settings.precision)
    learned = proposal_system(run.system, force, run.complex.ligand.tolist())
    drifts: dict[str, Drift] = {"all-atom": _drift(run.system, run, settings, advance)}
    try:
        drifts["learned"] = _drift(learned, run, settings, advance)
    except SimulationError as error:
        return [judged(name, np.inf, str(error)) for name in (DRIFT, SHARE)], drifts
    return [slope_check(drifts["learned"]), judged(SHARE, drifts["learned"].share)], drifts


def _drift(
    system: openmm.System,
    run: LabelledRun,
    settings: NVESettings,
    advance: Callable[[int, str], None] | None,
) -> Drift:
    positions = np.array(run.complex.positions)
    positions[run.complex.ligand] = to_nm(run.labels.x[-1])
    energies = run_nve(
        system,
        positions,
        picoseconds=settings.picoseconds,
        timestep_fs=settings.timestep_fs,
        interval_ps=settings.interval_ps,
        thermalisation_ps=settings.thermalisation_ps,
        platform=settings.platform,
        seed=settings.seed,
        advance=advance,
    )
    return drift(energies)


def slope_check(measured: Drift) -> Check:
    """Compare a drift with its threshold, if the run was long enough to tell."""
    held, size = thresholds()[DRIFT], abs(measured.slope)
    if held.passes(size - measured.resolution) != held.passes(size + measured.resolution):
        note = f"not decided: known to ± {measured.resolution:.1e}; a longer run would tell"
        return reported(DRIFT, size, note)
    return judged(DRIFT, size, f"± {measured.resolution:.1e}")
