"""`NeuralMDJumpMove`: jump a snapshot, relax, check, and fall back to MD where the check fails."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm import unit
from openmmtools import states
from openmmtools.mcmc import MCMCMove
from rdkit import Chem

from ..errors import InputError, ModelError, one_line
from ..md.folder import LIGAND, ComplexFolder
from ..md.modes import Setup, build
from ..md.settings import MDSettings
from ..model import load_model
from ..structure.complex import Complex
from ..units import nanometers
from ..utils.progress import Stopwatch
from .checks import Pose, fault
from .contexts import shared_cache
from .draws import DRAWS
from .engines import ENGINES, FAILURES, Place
from .history import RunHistory
from .jumped import FAILED, FELL_BACK, JUMPED, Jump
from .settings import JumpSettings
from .settling import SETTLING, Drawn


class NeuralMDJumpMove(MCMCMove):
    """One snapshot Δ by a learned model, relaxed by all-atom physics, or by MD where that fails.

    With `draw` 'independent' the pose is one of the learned ensemble, whatever came before; with
    'conditioned' the ensemble knows the run; with 'pocket', too, and the residues around the pose
    are drawn and dragged with it.

    The model moves the ligand's heavy atoms and hydrogens follow.  The pose is then minimised with
    its surroundings, or the ligand is dragged to it (`settling`); everything then moves for
    `relax_ps`.  A pose that fails a check (`checks.CHECKS`) is dropped, and Δ of MD is run from
    where the jump began.

    **This is no unbiased sampler.**  A jump has no known probability, so nothing corrects for it:
    averages over its snapshots are the model's as much as the force field's.  `NeuralMDHMCMove` is
    exact.

    Parameters
    ----------
    model : str or path
        Bundled name or file, of a dynamics that jumps.
    folder : path
        Of the complex (`prepare`).
    md : MDSettings, optional
        What moves (mode), time step, friction: the System is `setup.system`.
    settings : JumpSettings, optional
    known : (T, n, 3) float64, Å, optional
        Snapshots before the present, see `RunHistory`.
    engine : 'openmm' or 'gromacs'
        Program that makes the MD; GROMACS knows no mode 'rigid' and no implicit solvent.
    seed : int
        Of the model's noise and of MD: the same seed gives the same moves.

    Attributes
    ----------
    setup : Setup
    complex : Complex
        Of the System's particles.
    history : RunHistory
        Grows by a snapshot with every move.  Where something else moves the System for a Δ in
        between, call `observe` after it.
    reasons : Counter
        How often each check failed.
    last : Jump or None

    Raises
    ------
    InputError, ModelError
        Folder, settings or model cannot be used, or do not fit each other.

    Examples
    --------
    >>> from openmm_neuralmd.hybrid import JumpSettings, NeuralMDJumpMove
    >>> from openmm_neuralmd.md import MDSettings
    >>> move = NeuralMDJumpMove(
    ...     "neuralmd-ou",
    ...     folder.path,
    ...     md=MDSettings(mode="rigid"),
    ...     settings=JumpSettings(relax_ps=0.1, interval_ps=1.0),
    ... )
    >>> target, sampler = move.thermodynamic_state(), move.sampler_state()
    >>> move.apply(target, sampler)
    >>> move.last.kind, move.last.reason
    ('jump', '')
    """

    def __init__(
        self,
        model: str | Path,
        folder: str | Path,
        *,
        md: MDSettings | None = None,
        settings: JumpSettings | None = None,
        known: np.ndarray | None = None,
        engine: str = "openmm",
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.model_path, self.folder_path = str(model), str(folder)
        self.md, self.settings, self.seed = md or MDSettings(), settings or JumpSettings(), seed
        opened = ComplexFolder.open(folder)
        self.model = self.settings.fitted(load_model(model))
        self.setup: Setup = build(opened, self.md)
        self.ligand = Chem.MolFromMolFile(str(opened.path / LIGAND), removeHs=False)
        known_bonds = self.ligand is not None  # without valid bond orders most models go on
        complex = self.setup.complex
        complex = complex.with_molecule(self.ligand) if known_bonds else complex
        self.complex: Complex = self.model.fitted(complex)
        self.draw = DRAWS[self.settings.draw](self.model, self.complex)
        self.steps = self._whole_steps(self.model.card.interval_ps)
        self.engine_name, self.engine = engine, ENGINES[engine](self.setup, self.md)
        self.settle = SETTLING[self.settings.relaxation](
            self.setup.system, self.complex, self.settings, self.engine
        )
        nothing = np.zeros((0, len(self.complex.ligand_sites), 3))
        self.history = RunHistory(self.complex, nothing if known is None else known)
        self.n_proposed = self.n_accepted = 0
        self.reasons: Counter[str] = Counter()
        self.last: Jump | None = None

    @property
    def interval_ps(self) -> float:
        """The stride Δ in ps."""
        return self.model.card.interval_ps

    @property
    def statistics(self) -> dict[str, Any]:
        """Counts of jumps proposed, accepted, and dropped by reason."""
        counts = {"n_proposed": self.n_proposed, "n_accepted": self.n_accepted}
        return {**counts, "reasons": dict(self.reasons)}

    @statistics.setter
    def statistics(self, value: dict[str, Any]) -> None:
        self.n_proposed, self.n_accepted = value["n_proposed"], value["n_accepted"]
        self.reasons = Counter(value["reasons"])

    def thermodynamic_state(self) -> states.ThermodynamicState:
        """The System at the settings' temperature and, in a box with ensemble npt, pressure."""
        pressure = None
        if self.setup.periodic and self.md.ensemble == "npt":
            pressure = self.md.pressure * unit.bar
        return states.ThermodynamicState(
            self.setup.system, self.md.temperature * unit.kelvin, pressure
        )

    def sampler_state(self) -> states.SamplerState:
        """The folder's own positions and box."""
        box = self.setup.topology.getPeriodicBoxVectors() if self.setup.periodic else None
        return states.SamplerState(self.complex.positions * unit.nanometer, box_vectors=box)

    def observe(self, sampler_state: Any) -> None:
        """Take the present positions into the history."""
        self.history.observe(*self.present(sampler_state))

    def present(self, sampler_state: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Positions (N, 3) and box (3, 3) in nm; no box for a System that has none.

        OpenMM gives every System a box, of 2 nm where nobody has set one, and openmmtools takes it
        over: positions must not be imaged in that.
        """
        box = sampler_state.box_vectors if self.setup.periodic else None
        return nanometers(sampler_state.positions), None if box is None else nanometers(box)

    def apply(
        self, thermodynamic_state: Any, sampler_state: Any, context_cache: Any = None
    ) -> None:
        """Advance by one Δ.

        Parameters
        ----------
        thermodynamic_state : openmmtools.states.ThermodynamicState
            Of `setup.system`.
        sampler_state : openmmtools.states.SamplerState
            Changed in place.
        context_cache : openmmtools.cache.ContextCache, optional
            openmmtools' global one by default; its platform is the one of everything here.

        Raises
        ------
        openmm.OpenMMException, SimulationError
            The MD of a fallback failed too; the latter by GROMACS.
        """
        target, _ = shared_cache(context_cache).get_context(thermodynamic_state)
        seed = int(np.random.SeedSequence([self.seed, self.n_proposed]).generate_state(1)[0] >> 1)
        before = copy.deepcopy(sampler_state)
        self.last = self.attempt(target, thermodynamic_state, sampler_state, seed)
        self.n_proposed += 1
        if self.last.kind == JUMPED:
            self.n_accepted += 1
        else:
            self.reasons[self.last.reason] += 1
            _restore(sampler_state, before)
            self.run(target, thermodynamic_state, sampler_state, self.steps, seed)
        self.observe(sampler_state)

    def run(
        self,
        target: openmm.Context,
        thermodynamic_state: Any,
        sampler_state: Any,
        steps: int,
        seed: int,
        fresh: bool = False,
    ) -> None:
        """Run MD of all atoms by the settings; see `engines.Engine`."""
        self.engine.run(
            Place(target, thermodynamic_state, sampler_state),
            steps=steps,
            seed=seed + 1,  # OpenMM draws a seed of its own for 0
            fresh=fresh,
        )

    def attempt(
        self, target: openmm.Context, thermodynamic_state: Any, sampler_state: Any, seed: int
    ) -> Jump:
        """Forecast, relax and check, without the fallback.

        Parameters
        ----------
        target : Context
            Of the platform to take.
        thermodynamic_state : see `apply`
        sampler_state : SamplerState
            Is the new one where it is a jump; not to be gone on from otherwise.
        seed : int
        """
        if not len(self.history.known):
            self.observe(sampler_state)
        part = Stopwatch()
        positions, box = self.present(sampler_state)
        whole = self.history.whole(positions, box)
        with part("jump"):
            drawn = self.draw(self.history.known, seed)
        with part("hydrogens"):
            bodies = self.draw.bodies
            residues = zip((body.atoms for body in bodies), drawn.residues, strict=True)
            raw = self.history.placed(drawn.ligand, whole, residues)
        energy, relaxed = float("nan"), None
        try:
            with part("relaxation"):
                relaxed, energy = self.settle(
                    Drawn(whole, raw, box, bodies),
                    Place(target, thermodynamic_state, sampler_state),
                    seed,
                )
            with part("check"):
                fault = self._fault(whole, relaxed, energy, box)
            if fault is None:
                steps = min(self.steps, self._whole_steps(self.settings.relax_ps))
                with part("relaxation"):
                    self.run(target, thermodynamic_state, sampler_state, steps, seed)
                moved, box = self.present(sampler_state)
                # the window is for the way to the pose: an energy at 300 K is none
                with part("check"):
                    fault = self._fault(whole, self.history.whole(moved, box), 0.0, box)
        except FAILURES as error:
            fault = FAILED, one_line(error)
        reason, message = fault or ("", "")
        kind = FELL_BACK if fault else JUMPED
        return Jump(kind, reason, message, energy, raw, relaxed, part.seconds)

    def _fault(
        self, before: np.ndarray, after: np.ndarray, energy: float, box: np.ndarray | None
    ) -> tuple[str, str] | None:
        pose = Pose(self.complex, self.ligand, before, after, energy, box)
        return fault(pose, self.settings)

    def _whole_steps(self, time_ps: float) -> int:
        steps = time_ps * 1000 / self.md.timestep_fs
        if abs(steps - round(steps)) > 1e-6 * max(steps, 1.0):
            raise InputError(
                f"{time_ps:g} ps is no whole number of steps of {self.md.timestep_fs:g} fs; "
                "change the time step"
            )
        return round(steps)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "model": self.model_path,
            "model_sha256": self.model.sha256,
            "folder": self.folder_path,
            "md": asdict(self.md),
            "settings": asdict(self.settings),
            "known": self.history.known,
            "engine": self.engine_name,
            "seed": self.seed,
            "statistics": self.statistics,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(  # type: ignore[misc]
            state["model"],
            state["folder"],
            md=MDSettings(**state["md"]),
            settings=JumpSettings(**state["settings"]),
            known=state["known"],
            engine=state.get("engine", "openmm"),  # a state of before there was a choice
            seed=state["seed"],
        )
        self.statistics = state["statistics"]
        if self.model.sha256 != state["model_sha256"]:
            raise ModelError(
                f"{state['model']}: SHA-256 is {self.model.sha256[:12]}…, but the move was stored "
                f"with {state['model_sha256'][:12]}…: give it its own model"
            )


def _restore(sampler_state: Any, before: Any) -> None:
    sampler_state.box_vectors = before.box_vectors
    sampler_state.positions = before.positions
    sampler_state.velocities = before.velocities
