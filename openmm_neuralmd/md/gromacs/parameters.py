"""Run parameters (mdp) that make GROMACS compute what a System of OpenMM computes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import openmm
from openmm import unit

from ..platforms import seed_for
from ..settings import MDSettings

FRICTION = 5.0  # 1/ps while equilibrating, as with OpenMM
LIST_MARGIN = 0.1  # nm beyond the cutoff, for ten steps of 4 fs
COMPRESSIBILITY = 4.5e-5  # 1/bar, of water
_RANDOM, _VELOCITIES = 11, 12  # purposes of random numbers
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Nonbonded:
    """The cutoffs of a System's NonbondedForce as mdp parameters.

    Attributes
    ----------
    parameters : dict
        Of mdp.
    cutoff : float, nm
    """

    parameters: Parameters
    cutoff: float


def nonbonded(force: openmm.NonbondedForce, extent: float) -> Nonbonded:
    """Copy without modification of the Lennard-Jones energy at the cutoff.

    Parameters
    ----------
    force : NonbondedForce
    extent : float, nm
        Largest distance of two particles; a force without a cutoff gets one beyond it.
    """
    method = force.getNonbondedMethod()
    if method == openmm.NonbondedForce.NoCutoff:
        cutoff = extent + 1.0
        coulomb: Parameters = {"coulombtype": "Cut-off", "coulomb-modifier": "None"}
        coulomb["epsilon-rf"] = 1
    else:
        cutoff = force.getCutoffDistance().value_in_unit(unit.nanometer)
        if method in (openmm.NonbondedForce.PME, openmm.NonbondedForce.LJPME):
            coulomb = {"coulombtype": "PME", "coulomb-modifier": "None"}
            coulomb |= {"fourierspacing": 0.12, "pme-order": 4, "ewald-rtol": 1e-5}
        else:
            coulomb = {"coulombtype": "Reaction-Field"}
            coulomb["epsilon-rf"] = force.getReactionFieldDielectric()
    dispersion = force.getUseDispersionCorrection() and method == openmm.NonbondedForce.PME
    lennard_jones: Parameters = {"vdwtype": "Cut-off", "vdw-modifier": "None"}
    if force.getUseSwitchingFunction() and method != openmm.NonbondedForce.NoCutoff:
        begin = force.getSwitchingDistance().value_in_unit(unit.nanometer)
        lennard_jones = {"vdwtype": "Cut-off", "vdw-modifier": "Potential-switch"}
        lennard_jones["rvdw-switch"] = begin
    common = {"cutoff-scheme": "Verlet", "pbc": "xyz", "nstlist": 20}
    common |= {"rcoulomb": cutoff, "rvdw": cutoff, "DispCorr": "EnerPres" if dispersion else "no"}
    return Nonbonded(common | coulomb | lennard_jones, cutoff)


def single_point(forces: Nonbonded) -> Parameters:
    """Parameters of one energy evaluation with harmonic bonds and fine electrostatics."""
    fine = {"nsteps": 0, "integrator": "md", "define": "-DFLEXIBLE", "constraints": "none"}
    fine |= {"continuation": "yes", "nstenergy": 1, "nstcalcenergy": 1, "nstlist": 1}
    if forces.parameters["coulombtype"] == "PME":
        fine |= {"fourierspacing": 0.06, "pme-order": 6, "ewald-rtol": 1e-6}
    return forces.parameters | fine


def minimisation(forces: Nonbonded, frozen: bool) -> Parameters:
    """Parameters of steepest descent, which ends soon from minimised positions."""
    descent = {"integrator": "steep", "nsteps": 500, "emtol": 200.0, "emstep": 0.01}
    return forces.parameters | descent | _constraints() | _frozen(frozen)


def restrained(
    forces: Nonbonded, settings: MDSettings, groups: tuple[str, ...], steps: int, periodic: bool
) -> Parameters:
    """Parameters of the first half: half the time step, heavy atoms of the solute restrained."""
    chosen = _dynamics(settings, groups, settings.timestep_fs / 2, steps, 1, FRICTION)
    chosen |= {"define": "-DPOSRES", "refcoord-scaling": "com", "continuation": "no"}
    chosen |= {"gen-vel": "yes", "gen-temp": settings.temperature}
    chosen["gen-seed"] = seed_for(settings, _VELOCITIES)
    return forces.parameters | chosen | _pressure(settings, periodic)


def free(
    forces: Nonbonded, settings: MDSettings, groups: tuple[str, ...], steps: int, periodic: bool
) -> Parameters:
    """Parameters of the second half of the equilibration."""
    chosen = _dynamics(settings, groups, settings.timestep_fs, steps, 2, FRICTION)
    chosen |= {"continuation": "yes", "gen-vel": "no"}
    return forces.parameters | chosen | _pressure(settings, periodic)


def production(
    forces: Nonbonded, settings: MDSettings, groups: tuple[str, ...], steps: int, periodic: bool
) -> Parameters:
    """Parameters of production, with snapshots and energies at every interval."""
    every = settings.steps_per_snapshot()
    chosen = _dynamics(settings, groups, settings.timestep_fs, steps, 3, settings.friction)
    chosen |= {"continuation": "yes", "gen-vel": "no", "nstxout-compressed": every}
    chosen |= {"compressed-x-grps": "Written", "nstenergy": every, "nstcalcenergy": every}
    constant_pressure = periodic and settings.ensemble == "npt"
    return forces.parameters | chosen | _pressure(settings, constant_pressure)


def stretch(
    forces: Nonbonded,
    settings: MDSettings,
    groups: tuple[str, ...],
    steps: int,
    temperature: float,
    friction: float,
    seed: int,
) -> Parameters:
    """Parameters of a short stretch of Langevin dynamics that goes on from given velocities.

    The neighbour list has a fixed margin: computing one takes longer than the stretch.
    """
    own = replace(settings, temperature=temperature)
    chosen = _dynamics(own, groups, settings.timestep_fs, steps, 0, friction)
    chosen |= {"ld-seed": seed, "continuation": "yes", "gen-vel": "no", "nstenergy": 0}
    chosen |= {"verlet-buffer-tolerance": -1, "rlist": forces.cutoff + LIST_MARGIN, "nstlist": 10}
    return forces.parameters | chosen | {"pcoupl": "no"}


def moving_restraints(group: str, steps: int, every: int) -> Parameters:
    """Parameters of restraints (#ifdef `group`) that move from one place to another.

    Nothing but the restraints depends on λ, which grows from 0 to 1.  The trajectory holds the
    group every so many steps.
    """
    chosen: Parameters = {"define": f"-D{group}", "refcoord-scaling": "no"}
    chosen |= {"free-energy": "yes", "init-lambda": 0, "delta-lambda": 1 / steps, "nstdhdl": 0}
    chosen |= {"nstxout-compressed": every, "compressed-x-grps": group}
    return chosen | {"compressed-x-precision": 1_000_000}


def _dynamics(
    settings: MDSettings,
    groups: tuple[str, ...],
    timestep_fs: float,
    steps: int,
    stage: int,
    friction: float,
) -> Parameters:
    """Langevin dynamics; every group at the same temperature."""
    many = len(groups)
    chosen: Parameters = {
        "integrator": "sd",
        "dt": timestep_fs / 1000,
        "nsteps": steps,
        "ld-seed": seed_for(settings, _RANDOM, stage),
        "tc-grps": " ".join(groups),
        "tau-t": " ".join([f"{1 / friction:g}"] * many),
        "ref-t": " ".join([f"{settings.temperature:g}"] * many),
        "comm-mode": "None" if "Fixed" in groups else "Linear",
        "nstlog": 0,
    }
    return chosen | _constraints() | _frozen("Fixed" in groups)


def _constraints() -> Parameters:
    return {
        "constraints": "h-bonds",
        "constraint-algorithm": "lincs",
        "lincs-order": 4,
        "lincs-iter": 2,
    }


def _frozen(frozen: bool) -> Parameters:
    return {"freezegrps": "Fixed", "freezedim": "Y Y Y", "comm-mode": "None"} if frozen else {}


def _pressure(settings: MDSettings, constant: bool) -> Parameters:
    return pressure(settings) if constant else {"pcoupl": "no"}


def pressure(settings: MDSettings) -> Parameters:
    """Parameters of constant pressure."""
    return {
        "pcoupl": "C-rescale",
        "pcoupltype": "isotropic",
        "tau-p": 2.0,
        "ref-p": settings.pressure,
        "compressibility": COMPRESSIBILITY,
    }


def written(parameters: Parameters) -> str:
    """An mdp file."""
    return "".join(f"{name:24s} = {value}\n" for name, value in parameters.items())
