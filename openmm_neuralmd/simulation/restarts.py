"""Restarts of a run from its last checkpoint, with new noise, after a guard has tripped.

The list of restarts is on disk before anything is computed anew, so that a run which is killed and
resumed makes the same restarts with the same noise.  Of several replicas each has its own
restarts; a replica has no checkpoint but its start.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from ..errors import InputError, SimulationError, one_line
from ..utils.files import complete

if TYPE_CHECKING:
    from ..model import Model

STOP, RESTART = "stop", "restart"
ON_FAILURE = (STOP, RESTART)
MOST = 10
"""Restarts of a run; one that needs more is outside of what its model knows."""


class RestartWarning(UserWarning):
    """A run or a replica began again from its last checkpoint."""


class _Restart(BaseModel):
    """One restart: how many snapshots were good, the seed from then on, and what had happened.

    `replica` counts from 1, as the files do; None where there is one trajectory.
    """

    replica: int | None = Field(default=None, ge=1)
    after: int = Field(ge=0, lt=2**31)
    seed: int = Field(ge=0, lt=2**31)
    reason: str


_ENTRIES = TypeAdapter(list[_Restart])


def check_on_failure(model: Model, on_failure: str) -> None:
    """Refuse a word that is not of `ON_FAILURE`, and restarts of a model without noise.

    Raises
    ------
    InputError
    """
    if on_failure not in ON_FAILURE:
        raise InputError(f"on_failure is {' or '.join(ON_FAILURE)}, not '{on_failure}'")
    if on_failure == RESTART and not model.dynamics.stochastic:
        raise InputError(
            f"model '{model.card.name}' ({model.card.kind}) has no noise: begun again, it "
            "fails again; leave --on-failure restart out"
        )


class Restarts:
    """The restarts of a run, or of each of its replicas, in `restarts.json` of its hidden folder.

    Parameters
    ----------
    folder : Path
    on_failure : str
        See `check_on_failure`.
    seed : int
        Of the run; those of its restarts follow from it.

    Raises
    ------
    InputError
        The list is damaged.
    """

    def __init__(self, folder: Path, on_failure: str, seed: int) -> None:
        self.file, self.seed = folder / "restarts.json", seed
        self.allowed = MOST if on_failure == RESTART else 0
        self.entries = _read(self.file)

    def seed_from(self, done: int, replica: int | None = None) -> int | None:
        """Seed of the latest restart from this number of snapshots, None if there was none."""
        latest = reversed(self._of(replica))
        return next((one.seed for one in latest if one.after == done), None)

    def keep(self, replicas: int) -> None:
        """Forget the restarts of all but the first replicas: the others are computed anew."""
        self.entries = [one for one in self.entries if (one.replica or 0) <= replicas]

    def _of(self, replica: int | None) -> list[_Restart]:
        return [one for one in self.entries if one.replica == replica]

    def add(
        self, done: int, error: SimulationError, kept: Path, replica: int | None = None
    ) -> None:
        """Enter a restart from `done` snapshots; where none is allowed, raise what went wrong.

        Parameters
        ----------
        done : int
            Snapshots up to the last checkpoint.
        error : SimulationError
        kept : Path
            The trajectory, for the message.
        replica : int, optional
            Which one has failed, from 1.

        Raises
        ------
        SimulationError
        """
        reason = str(error).rstrip(".")
        number = len(self._of(replica)) + 1
        if number > self.allowed:
            many = f" after {self.allowed} restarts" if self.allowed else ""
            raise SimulationError(
                f"{reason}{many}; the snapshots before it are kept in {kept}"
            ) from error
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0] >> 1)
        self.entries.append(_Restart(replica=replica, after=done, seed=seed, reason=reason))
        with complete(self.file) as temporary:
            temporary.write_bytes(_ENTRIES.dump_json(self.entries))
        warnings.warn(
            f"restart {number} of {self.allowed} at most, from snapshot {done}: {reason}",
            RestartWarning,
            stacklevel=2,
        )

    def record(self) -> list[dict[str, Any]]:
        """Records of the restarts, for run.yaml."""
        return [one.model_dump(exclude_none=True) for one in self.entries]


def _read(file: Path) -> list[_Restart]:
    if not file.is_file():
        return []
    try:
        return _ENTRIES.validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(
            f"{file} is damaged ({one_line(error)}); remove its folder to start anew"
        ) from error


def renew(context: openmm.Context, seed: int) -> None:
    """Continue from the same state with the noise of another seed.

    OpenMM takes a seed when a Context begins, and a checkpoint holds the noise that follows.
    """
    state = context.getState(
        positions=True, velocities=True, parameters=True, integratorParameters=True
    )
    context.getIntegrator().setRandomNumberSeed(seed)
    context.reinitialize()
    context.setState(state)
