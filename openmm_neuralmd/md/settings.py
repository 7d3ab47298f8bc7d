"""Settings of an all-atom run: everything that can change a number in its trajectory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..errors import InputError
from ..utils.times import whole_strides

MODES = ("flexible", "pocket", "rigid")
FORMATS = ("xtc", "dcd")
DIELECTRICS = ("4r", "vacuum")
ENSEMBLES = ("npt", "nvt")
WRITE = ("solute", "all")

LIMITS: dict[str, tuple[float, float, str]] = {
    "interval_ps": (1e-3, 1e9, "ps"),
    "timestep_fs": (1e-2, 10, "fs"),
    "hydrogen_mass": (1, 8, "amu, or 0 for masses as they are"),
    "temperature": (1, 2000, "K"),
    "friction": (1e-6, 1e4, "1/ps"),
    "pressure": (1e-6, 1e5, "bar"),
    "equilibration_ps": (0, 1e9, "ps"),
    "cutoff": (0.4, 100, "nm"),
    "pocket_radius": (0.1, 100, "nm"),
    "shell_radius": (0.1, 100, "nm"),
    "rigid_radius": (0.1, 100, "nm"),
    "pocket_limit": (0.01, 1e3, "nm"),
}
"""Least and largest value of each number, and its unit.

A cutoff below 0.4 nm leaves out the forces that hold a molecule together.
"""

FASTEST = 2.5  # fs; a longer step needs hydrogens of `HEAVY_HYDROGEN` at least
HEAVY_HYDROGEN = 3.0  # amu


UNBOUNDED = ("cutoff", "shell_radius", "rigid_radius", "pocket_radius")
"""Lengths that may be infinite: no cutoff, or the whole protein."""


@dataclass(frozen=True)
class MDSettings:
    """Settings of an all-atom run.  Lengths in nm, masses in amu, temperatures in K.

    Attributes
    ----------
    mode : 'flexible', 'pocket' or 'rigid'
        See `modes`.
    interval_ps : float
        Between snapshots; a whole number of time steps.
    timestep_fs : float
    hydrogen_mass : float
        Of hydrogens bonded to a heavy atom, which gives the difference; water excepted.  0 leaves
        masses as they are.
    temperature, friction : float
        K, 1/ps: of the Langevin middle integrator.
    ensemble : 'npt' or 'nvt'
        Of the production in a periodic box; equilibration is NPT there.  No meaning without a box.
    pressure : float
        bar.
    equilibration_ps : float, optional
        Half of it with restraints on heavy atoms, half without; by default 200 in a periodic box
        and 20 otherwise.
    cutoff : float, optional
        Of forces that have none in the complex folder; none by default in flexible mode, 1.2 in
        pocket mode.  No meaning in rigid mode.
    dielectric : '4r' or 'vacuum'
        Rigid mode: of the electrostatics between ligand and protein.
    pocket_radius, shell_radius, rigid_radius : float
        Distances from the ligand; see `modes`.
    platform : str, optional
        OpenMM's fastest by default.
    properties : dict
        Platform properties, such as {'Precision': 'mixed', 'Threads': '2'}.
    seed : int
    labels : bool
        Keep ligand forces and energies at each snapshot.
    format : 'xtc' or 'dcd'
    write : 'solute' or 'all'
        Whether water and salt are left out of the trajectory.
    pocket_limit : float
        The run stops where the ligand is farther from every Cα.

    Examples
    --------
    >>> from openmm_neuralmd.md import MDSettings
    >>> settings = MDSettings(mode="pocket", interval_ps=2.0)
    >>> settings.check()  # nothing is wrong: no error
    >>> settings.snapshots(100.0), settings.steps_per_snapshot()
    (50, 500)
    """

    mode: str = "flexible"
    interval_ps: float = 1.0
    timestep_fs: float = 4.0
    hydrogen_mass: float = 4.0
    temperature: float = 300.0
    friction: float = 1.0
    ensemble: str = "npt"
    pressure: float = 1.0
    equilibration_ps: float | None = None
    cutoff: float | None = None
    dielectric: str = "4r"
    pocket_radius: float = 0.9
    shell_radius: float = 1.4
    rigid_radius: float = 1.5
    platform: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    seed: int = 1
    labels: bool = False
    format: str = "xtc"
    write: str = "solute"
    pocket_limit: float = 1.0

    def check(self) -> None:
        """Refuse what cannot be run, before any work.

        Raises
        ------
        InputError
        """
        for name, known in (
            ("mode", MODES),
            ("format", FORMATS),
            ("dielectric", DIELECTRICS),
            ("ensemble", ENSEMBLES),
            ("write", WRITE),
        ):
            if getattr(self, name) not in known:
                raise InputError(
                    f"unknown {name} {getattr(self, name)!r}; known: {', '.join(known)}"
                )
        self._check_numbers()
        if self.pocket_radius >= self.shell_radius:
            raise InputError(
                f"the fixed shell ends at {self.shell_radius:g} nm, inside what moves "
                f"({self.pocket_radius:g} nm); choose a wider shell"
            )
        if self.timestep_fs > FASTEST and self.hydrogen_mass < HEAVY_HYDROGEN:
            raise InputError(
                f"a time step of {self.timestep_fs:g} fs needs heavy hydrogens (hydrogen mass 4); "
                "take 2 fs without them"
            )
        self.steps_per_snapshot()

    def _check_numbers(self) -> None:
        """Refuse numbers with which a run is nonsense or does not end."""
        for name, (least, most, unit) in LIMITS.items():
            value = getattr(self, name)
            off = name == "hydrogen_mass" and value == 0
            if value is None or off or (name in UNBOUNDED and value == math.inf):
                continue
            if not least <= value <= most:
                raise InputError(
                    f"{name} must be from {least:g} to {most:g} {unit}, not {value:g}".replace(
                        "  ", " "
                    )
                )
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed must be from 0 to 2^63 - 1, not {self.seed}")

    def steps_per_snapshot(self) -> int:
        """Time steps between snapshots.

        Raises
        ------
        InputError
            When the interval is no whole number of steps.
        """
        steps = self.interval_ps * 1000 / self.timestep_fs
        if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
            raise InputError(
                f"{self.interval_ps:g} ps between snapshots is no whole number of steps of "
                f"{self.timestep_fs:g} fs; change one of them"
            )
        return round(steps)

    def snapshots(self, time_ps: float) -> int:
        """The fewest snapshots that cover a time."""
        return whole_strides(time_ps, self.interval_ps)
