"""All-atom MD as a contestant: a complex folder, an engine, a mode and a time step."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openmm

from ...errors import NeuralMDError, one_line
from ...md.field import running_system
from ...md.folder import ComplexFolder
from ...md.gromacs import parameters as mdp
from ...md.gromacs.energies import extent
from ...md.gromacs.production import check as check_gromacs
from ...md.gromacs.program import find_gmx
from ...md.gromacs.run import DEVICES, Work, grompp
from ...md.gromacs.topology import export
from ...md.modes import Setup, build
from ...md.platforms import make_context
from ...md.settings import MDSettings
from ...md.subsystem import IMPLICIT_SOLVENTS, nonbonded_force
from ...utils.platforms import choose_platform, describe_platform, minimise_energy
from .timing import SECONDS_PER_DAY, paced

ENGINES = {"openmm": "OpenMM", "gromacs": "GROMACS"}
FEWEST = 200
"""Steps of a run of GROMACS, of which half are timed."""
_PERFORMANCE = re.compile(r"^Performance:\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Pace:
    """Durations of a repeat and of the simulation before the first.

    Attributes
    ----------
    seconds : float
        Wall time of a repeat, about.
    warm_ps : float
        Simulated before the first.
    """

    seconds: float
    warm_ps: float = 2.0


@dataclass(frozen=True)
class Contestant:
    """Contestant whose speed can be measured, already warmed up.

    Attributes
    ----------
    measure : callable
        Simulated ns/day of another repeat.
    moving, atoms : int
        Atoms that move, and all that are there.
    platform : str
    copies : int
        Replicas that are all the same.
    """

    measure: Callable[[], float]
    moving: int
    atoms: int
    platform: str
    copies: int = 1


@dataclass(frozen=True)
class Variant:
    """All-atom MD of one kind.

    Attributes
    ----------
    engine : 'openmm' or 'gromacs'
    folder : ComplexFolder
    settings : MDSettings
    pair_by_pair : bool
        Mode rigid by OpenMM's interaction group, in place of a `Field`.
    """

    engine: str
    folder: ComplexFolder
    settings: MDSettings
    pair_by_pair: bool = False

    @property
    def what(self) -> str:
        """Mode, surroundings, cutoff, without the engine."""
        mode = self.settings.mode
        solvent = "none (4r dielectric)" if mode == "rigid" else surroundings(self.folder, mode)
        cutoff = self.settings.cutoff
        cut = f", cutoff {cutoff:g} nm" if cutoff else ""
        return f"{mode}, {solvent}{cut}{', pair by pair' if self.pair_by_pair else ''}"

    def contestant(self, place: Path, pace: Pace) -> Contestant:
        """Prepare this variant for the race, with a folder for its files.

        Raises
        ------
        NeuralMDError
            The engine cannot do that, or is not there.
        """
        if self.engine == "gromacs":
            return _gromacs(self, place, pace)
        return _openmm(self, pace)


def surroundings(folder: ComplexFolder, mode: str = "flexible") -> str:
    """Name of a folder's solvent, as far as a mode includes it."""
    implicit = [f for f in folder.system().getForces() if isinstance(f, IMPLICIT_SOLVENTS)]
    if folder.record["periodic"]:
        return "explicit (TIP3P)" if folder.solvent == "explicit" else "periodic"
    if not implicit or mode == "pocket":
        return "vacuum"
    if isinstance(implicit[0], openmm.GBSAOBCForce):
        return "implicit (OBC2)"
    return f"implicit ({folder.solvent})"


def threads_of(platform: str, threads: int) -> dict[str, str]:
    """Platform properties for a number of threads, where it is one."""
    return {"Threads": str(threads)} if platform == "CPU" else {}


def ready(
    makers: Mapping[str, Callable[[], Contestant]], tell: Callable[[str], None]
) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Contestants by name, and the reasons for those that cannot run.

    Parameters
    ----------
    makers : mapping of callables
        Each makes and warms up one.
    tell : callable
        Told the name of each.
    """
    contestants, left_out = {}, {}
    for name, make in makers.items():
        tell(name)
        try:
            contestants[name] = make()
        except (NeuralMDError, openmm.OpenMMException) as error:
            left_out[name] = one_line(error)
    return contestants, left_out


def _openmm(variant: Variant, pace: Pace) -> Contestant:
    settings = variant.settings
    setup = build(variant.folder, settings)
    system = setup.system if variant.pair_by_pair else running_system(setup, settings)
    context = make_context(system, settings, settings.timestep_fs, settings.friction, 1)
    if setup.periodic:
        context.setPeriodicBoxVectors(*setup.topology.getPeriodicBoxVectors())
    context.setPositions(setup.complex.positions)
    minimise_energy(context, 100.0, 100)
    context.setVelocitiesToTemperature(settings.temperature, 1)
    integrator = context.getIntegrator()
    measure = paced(
        integrator.step,
        settings.timestep_fs / 1000,
        pace.seconds,
        first=round(pace.warm_ps * 1000 / settings.timestep_fs),
        wait=lambda: context.getState(positions=True),
    )
    return _contestant(measure, setup, str(describe_platform(context)["name"]))


def _gromacs(variant: Variant, place: Path, pace: Pace) -> Contestant:
    """Time mdrun by its log; half of each repeat, in which it tunes, is not counted."""
    settings = variant.settings
    check_gromacs(settings)
    setup = build(variant.folder, settings)
    forces = mdp.nonbonded(nonbonded_force(setup.system), extent(setup.complex.positions))
    exported = export(setup, forces.cutoff, np.arange(setup.system.getNumParticles()), place)
    work = Work(find_gmx(), place, setup, settings, forces, exported, 600.0)
    groups, periodic = exported.groups, setup.periodic
    warm = round(2 * pace.warm_ps * 1000 / settings.timestep_fs)
    threads = settings.properties.get("Threads") or len(os.sched_getaffinity(0))
    device = DEVICES.get(settings.platform or "", ())
    options = ("-ntmpi", 1, "-ntomp", threads, *device)
    frozen = "Fixed" in groups
    stages = {
        "minimised": ("start.gro", mdp.minimisation(forces, frozen)),
        "restrained": ("minimised.gro", mdp.restrained(forces, settings, groups, warm, periodic)),
        "production": ("restrained.gro", mdp.production(forces, settings, groups, -1, periodic)),
    }
    for name, (start, chosen) in stages.items():
        grompp(work, name, start, chosen)
        if name != "production":
            work.gmx.run("mdrun", "-deffnm", name, *options, folder=place)
    steps = max(FEWEST, warm)

    def measure() -> float:
        nonlocal steps
        files = ("-s", "production.tpr", "-deffnm", "timed", "-nsteps", steps, "-resethway")
        work.gmx.run("mdrun", *files, *options, "-noconfout", folder=place)
        rate = float(_PERFORMANCE.findall((place / "timed.log").read_text())[-1])
        taken = steps * settings.timestep_fs * 1e-6 / rate * SECONDS_PER_DAY
        steps = max(FEWEST, round(steps * pace.seconds / taken))
        return rate

    measure()
    return _contestant(measure, setup, settings.platform or choose_platform().getName())


def _contestant(measure: Callable[[], float], setup: Setup, platform: str) -> Contestant:
    counts = setup.counts()
    return Contestant(measure, counts["moving"], counts["kept"], platform)
