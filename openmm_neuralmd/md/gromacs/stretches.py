"""Short stretches of MD with GROMACS, from positions and velocities in memory and back to them.

What moves everything during and after a jump of `hybrid`.  A stretch costs one grompp and one
mdrun.  The neighbour list has a fixed margin, since computing one takes longer than the stretch.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from mdtraj.formats import XTCTrajectoryFile
from numpy.typing import NDArray

from ...errors import ProgramError, SimulationError
from ..masses import masses
from ..modes import Setup
from ..settings import MDSettings
from ..subsystem import nonbonded_force
from . import parameters
from .coordinates import AtomNames, read_coordinates, write_coordinates
from .energies import extent
from .parameters import Parameters
from .production import check
from .program import find_gmx
from .run import hardware
from .topology import GRO, GROUPS, TOP, export, with_restraints

Array = NDArray[np.float64]

EVERY = 5
"""Steps between two looks at the atoms that are dragged."""
_START, _FROM, _TO, _END = "start.g96", "from.g96", "to.g96", "end.g96"
_DRAGGED, _DRAGGED_TOP, _TRACK = "DRAGGED", "dragged.top", "track.xtc"


class Moment(NamedTuple):
    """State of all atoms.

    Attributes
    ----------
    positions : (N, 3) float64, nm
    velocities : (N, 3) float64, nm/ps, or None
        None: to be drawn at the temperature.
    box : (3, 3) float64, nm, or None
        None where there is no box.
    """

    positions: Array
    velocities: Array | None
    box: Array | None


class Pull(NamedTuple):
    """Restraints whose places move along straight lines during a stretch.

    Attributes
    ----------
    atoms : (n,) int64
    start, end : (n, 3) float64, nm
        Places at its begin and at its end.
    stiffness : float
        kJ/mol/nm².
    """

    atoms: NDArray[np.int64]
    start: Array
    end: Array
    stiffness: float


def nearest(vectors: Array, box: Array | None) -> Array:
    """Vectors (..., 3) in nm, short ones, between nearest images."""
    return vectors if box is None else vectors - np.round(vectors @ np.linalg.inv(box)) @ box


class Stretches:
    """MD of a System by GROMACS, a stretch at a time.

    Parameters
    ----------
    setup : Setup
        What is simulated; exported once.
    settings : MDSettings
        Time step, pressure, threads and device.

    Raises
    ------
    InputError
        Settings or forces that GROMACS cannot carry out.
    ProgramError
        gmx is missing.
    """

    def __init__(self, setup: Setup, settings: MDSettings) -> None:
        check(settings)
        self.setup, self.settings = setup, settings
        self.gmx = find_gmx()
        self._place = TemporaryDirectory(prefix="neuralmd-gmx-")
        self._folder = Path(self._place.name)
        positions = setup.complex.positions
        self._forces = parameters.nonbonded(nonbonded_force(setup.system), extent(positions))
        every = np.arange(len(positions))
        self._exported = export(setup, self._forces.cutoff, every, self._folder)
        self._names = AtomNames.of(self._folder / GRO)
        self._groups = (self._folder / GROUPS).read_text()
        self._fixed = masses(setup.system) == 0
        self._dragged: tuple[bytes, float] | None = None

    def __call__(
        self,
        moment: Moment,
        *,
        steps: int,
        temperature: float,
        friction: float,
        seed: int,
        constant_pressure: bool = False,
    ) -> Moment:
        """Langevin dynamics of everything.

        Parameters
        ----------
        moment : Moment
        steps : int
        temperature, friction : float
            K, 1/ps.
        seed : int
            1 to 2³¹ − 1.

        Raises
        ------
        SimulationError
            Constraints broke, or a coordinate is not a number.
        """
        mdp = parameters.stretch(
            self._forces, self.settings, self._exported.groups, steps, temperature, friction, seed
        )
        if constant_pressure:
            mdp |= parameters.pressure(self.settings)
        return self._run(moment, mdp, TOP)

    def dragged(
        self,
        moment: Moment,
        pull: Pull,
        *,
        steps: int,
        temperature: float,
        friction: float,
        seed: int,
    ) -> tuple[Moment, Array]:
        """Langevin dynamics while restraints move: what is reached, and the work of each restraint.

        Returns
        -------
        moment : Moment
        work : (n,) float64
            kJ/mol, from the force of each restraint at every `EVERY` steps.

        Raises
        ------
        SimulationError
            As above.
        """  # fmt: skip
        order = np.argsort(pull.atoms)  # a trajectory has its atoms in the order of the System
        atoms, start, end = pull.atoms[order], pull.start[order], pull.end[order]
        self._restrain(atoms, pull.stiffness)
        for name, places in ((_FROM, start), (_TO, end)):
            positions = moment.positions.copy()
            positions[atoms] = places
            self._write(name, Moment(positions, None, moment.box))
        mdp = parameters.stretch(
            self._forces, self.settings, self._exported.groups, steps, temperature, friction, seed
        )
        mdp |= parameters.moving_restraints(_DRAGGED, steps, EVERY)
        reached = self._run(moment, mdp, _DRAGGED_TOP, ("-r", _FROM, "-rb", _TO))
        with XTCTrajectoryFile(str(self._folder / _TRACK)) as file:
            track, _, done, _ = file.read()
        places = start + (done / steps)[:, None, None] * (end - start)
        away = places - (track.astype(np.float64) - self._exported.shift)
        force = pull.stiffness * nearest(away, moment.box)
        each = ((force[1:] + force[:-1]) / 2 * np.diff(places, axis=0)).sum(axis=(0, 2))
        work = np.empty_like(each)
        work[order] = each
        return reached, work

    def _restrain(self, atoms: NDArray[np.int64], stiffness: float) -> None:
        """Write topology and groups for these atoms, unless they are there."""
        key = atoms.tobytes(), stiffness
        if self._dragged == key:
            return
        top = (self._folder / TOP).read_text()
        restrained = with_restraints(top, _DRAGGED, atoms.tolist(), stiffness)
        (self._folder / _DRAGGED_TOP).write_text(restrained)
        group = f"[ {_DRAGGED} ]\n" + "\n".join(str(atom + 1) for atom in atoms.tolist()) + "\n"
        (self._folder / GROUPS).write_text(self._groups + group)
        self._dragged = key

    def _write(self, name: str, moment: Moment) -> None:
        box = self._exported.box if moment.box is None else moment.box
        positions = moment.positions + self._exported.shift
        write_coordinates(self._folder / name, self._names, positions, moment.velocities, box)

    def _run(
        self, moment: Moment, mdp: Parameters, top: str, references: tuple[str, ...] = ()
    ) -> Moment:
        if moment.velocities is None:
            # the temperature is that of the thermostat, which comes first
            mdp |= {"gen-vel": "yes", "gen-temp": str(mdp["ref-t"]).split()[0]}
            mdp |= {"gen-seed": mdp["ld-seed"], "continuation": "no"}
        self._write(_START, moment)
        (self._folder / "stretch.mdp").write_text(parameters.written(mdp))
        files = ("-f", "stretch.mdp", "-c", _START, "-p", top, "-n", GROUPS, "-o", "stretch.tpr")
        try:
            # It warns of the time step and of what is not in a box of its own; see `run.grompp`.
            self.gmx.run("grompp", *files, *references, "-maxwarn", 5, "-nobackup",
                          folder=self._folder)  # fmt: skip
            outputs = ("-s", "stretch.tpr", "-c", _END, "-x", _TRACK, "-reprod")
            self.gmx.run("mdrun", *outputs, *hardware(self.settings), "-nobackup",
                          folder=self._folder)  # fmt: skip
        except ProgramError as error:
            raise SimulationError(str(error)) from error
        positions, velocities, box = read_coordinates(self._folder / _END)
        if not (np.isfinite(positions).all() and np.isfinite(velocities).all()):
            raise SimulationError("a coordinate is not a number")
        positions -= self._exported.shift
        positions[self._fixed], velocities[self._fixed] = moment.positions[self._fixed], 0.0
        return Moment(positions, velocities, None if moment.box is None else box)
