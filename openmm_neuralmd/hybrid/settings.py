"""Settings of jumps and of hybrid runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError, ModelError
from ..md.engines import choose_engine
from ..md.settings import MDSettings
from ..model import Model
from ..utils.settings import made, read_mapping

EXAMPLE = "examples/hybrid.yaml"


@dataclass(frozen=True)
class JumpSettings:
    """Settings by which a jump is relaxed and judged.

    Attributes
    ----------
    radius : float
        nm; residues so near to the ligand, before or after, are minimised with it.
    stiffness : float
        kJ/mol/nm², holds the ligand's heavy atoms at the jumped pose meanwhile.
    iterations : int
        Of the minimiser, at most.
    relaxation : {'minimise', 'drag'}
        How the pose is reached: ligand and surroundings are minimised there, or restraints drag
        the ligand there in damped dynamics of everything, which stays at its temperature.
    drag_ps : float
        Time of that dragging.
    relax_ps : float
        MD of everything after it, from fresh velocities where it was minimised; not more than
        the stride.
    energy_window : float
        kJ/mol by which the minimised pose may be worse than the one before, or that dragging the
        ligand may cost.
    pocket_limit : float
        nm from the ligand to the nearest Cα.
    draw : {'forecast', 'independent', 'conditioned', 'pocket'}
        What a jump is: the snapshot after the known ones; a pose drawn from the learned ensemble
        whatever is known, which needs a model that starts from one structure; a pose of that
        ensemble as far as the run has changed its mean; or such a pose with the residues around
        it, which are dragged along.
    interval_ps : float or None
        Stride Δ of a model that is exact at any, in ps; the model's own by default.

    Examples
    --------
    >>> from openmm_neuralmd.hybrid import JumpSettings
    >>> settings = JumpSettings(relaxation="drag", energy_window=40.0)
    >>> settings.check()  # nothing is wrong: no error
    >>> settings.drag_ps
    0.4
    """

    radius: float = 0.5
    stiffness: float = 1000.0
    iterations: int = 200
    relaxation: Literal["minimise", "drag"] = "minimise"
    drag_ps: float = 0.4
    relax_ps: float = 1.0
    energy_window: float = 60.0
    pocket_limit: float = 1.0
    draw: Literal["forecast", "independent", "conditioned", "pocket"] = "forecast"
    interval_ps: float | None = None

    def fitted(self, model: Model) -> Model:
        """The model at this stride.

        Raises
        ------
        ModelError
            It knows another stride only, or cannot draw without known snapshots.
        """
        if self.draw != "forecast" and model.dynamics.least_known > 0:
            raise ModelError(
                f"model '{model.card.name}' forecasts from known snapshots and has no ensemble to "
                "draw independent poses from; use neuralmd-ou, or draw: forecast"
            )
        if self.interval_ps is None:
            return model
        return model.at_interval(self.interval_ps, "interval_ps of the jumps")

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises
        ------
        InputError
        """
        for name in ("radius", "stiffness", "iterations", "drag_ps", "pocket_limit"):
            if not 0 < getattr(self, name) < 1e9:
                raise InputError(f"{name} must be positive, not {getattr(self, name):g}")
        if self.interval_ps is not None and not 0 < self.interval_ps < 1e9:
            raise InputError(f"interval_ps must be positive, not {self.interval_ps:g}")
        if not 0 <= self.relax_ps < 1e9:
            raise InputError(f"relax_ps must not be negative, and is {self.relax_ps:g}")
        if not self.energy_window < math.inf:
            raise InputError(f"energy_window must be a number, not {self.energy_window:g}")
        if self.draw == "pocket" and self.relaxation != "drag":
            raise InputError(
                "draw: pocket moves residues without their hydrogens: add relaxation: drag"
            )


@dataclass(frozen=True)
class HybridSettings:
    """Settings by which jumps and MD alternate, in units of the model's stride Δ.

    Attributes
    ----------
    before : int
        Strides of MD that come first: what the model knows when it jumps for the first time.
    jumps, strides : int
        Jumps in a row, and strides of MD after them; over and over.
    engine : 'openmm' or 'gromacs'
        Program that makes all the MD after the equilibration, that of the jumps too.
    md : MDSettings
        Of the MD and of the System; its `interval_ps` is not read.
    jump : JumpSettings

    Examples
    --------
    >>> from openmm_neuralmd.hybrid import HybridSettings
    >>> settings = HybridSettings(before=2, jumps=1, strides=3)
    >>> [settings.jumps_at(number) for number in range(1, 8)]
    [False, False, True, False, False, False, True]
    """

    before: int = 4
    jumps: int = 1
    strides: int = 1
    engine: Literal["openmm", "gromacs"] = "openmm"
    md: MDSettings = field(default_factory=MDSettings)
    jump: JumpSettings = field(default_factory=JumpSettings)

    def check(self) -> None:
        """Refuse what cannot be run, before any work.

        Raises
        ------
        InputError
        """
        if self.before < 0 or self.strides < 0 or self.jumps < 1:
            raise InputError(
                f"before={self.before}, jumps={self.jumps}, strides={self.strides}: at least one "
                "jump in a row is needed, and no negative number"
            )
        choose_engine(self.engine).check(self.md)
        self.jump.check()

    def jumps_at(self, number: int) -> bool:
        """Test whether snapshot `number`, counted from 1, is a jump."""
        place = number - 1 - self.before
        return place >= 0 and place % (self.jumps + self.strides) < self.jumps


def read_hybrid(path: str | Path) -> HybridSettings:
    """Read and check a settings file.

    Raises
    ------
    InputError
        With the file, the setting and what is wrong with it.

    Examples
    --------
    >>> from openmm_neuralmd.hybrid import read_hybrid
    >>> _ = (scratch / "hybrid.yaml").write_text("{jumps: 2, md: {mode: pocket}}")
    >>> settings = read_hybrid(scratch / "hybrid.yaml")
    >>> settings.jumps, settings.md.mode
    (2, 'pocket')
    """
    content: dict[str, Any] = dict(read_mapping(Path(path), EXAMPLE))
    parts = {
        name: made(kind, content.pop(name, {}), f"{path}: {name}")
        for name, kind in (("md", MDSettings), ("jump", JumpSettings))
    }
    settings = made(HybridSettings, content | parts, str(path))
    try:
        settings.check()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return settings
