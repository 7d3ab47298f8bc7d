"""Training of NeuralMD-OU from runs of many complexes, in stages and resumable.

The objective 'statistics' is no error of a forecast window: a complex enters by the mean and the
covariance of its runs, which are read once.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from safetensors import safe_open
from safetensors.torch import save as serialized

from ..dynamics.ou import NeuralOU, NeuralOUSettings
from ..dynamics.ou_prediction import predict_pose
from ..dynamics.side_chain_network import SideChainNetwork
from ..errors import InputError
from ..model import Model, ModelCard
from ..utils.files import complete
from ..utils.progress import Advance, silent
from ..utils.provenance import provenance
from ..utils.settings import read_mapping, validated
from .ou_domain import descriptors, ranges
from .ou_files import card, save
from .ou_fit import OUFitSettings, example, fit_constants, fit_member
from .ou_rates import fit_relaxation, fit_typical, fit_wells
from .run_statistics import RunStatistics, read_runs
from .side_chain_fit import (
    SideChainExample,
    SideChainFitSettings,
    fit_side_chain_constants,
    fit_side_chain_member,
    fit_side_chain_scale,
    side_chain_examples,
)

EXAMPLE = "examples/neuralmd-ou.yaml"


class OneStructureSettings(BaseModel):
    """One training of NeuralMD-OU.

    Attributes
    ----------
    name : str
        Name of the model.
    dynamics : {'neuralmd-ou'}
    runs : tuple of Path
        Folders, see `run_statistics.read_runs`; one or a list of them.
    split : str or None
        Split of a manifest to learn from.
    held_out : tuple of str
        Targets that are not learned from; the errors on them stand in the card.
    model : NeuralOUSettings
    fit : OUFitSettings
    side_chains : SideChainFitSettings
        Used where `model` has side chains.
    relaxation_steps : int
        Steps of the fit of relaxation times and weights.
    protocol : str
        How the runs were made, for the card.
    metrics : dict of float
        Errors that were measured elsewhere, for the card.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    dynamics: Literal["neuralmd-ou"] = "neuralmd-ou"
    runs: tuple[Path, ...] = Field(min_length=1)
    split: str | None = None
    held_out: tuple[str, ...] = ()
    model: NeuralOUSettings = NeuralOUSettings(members=3)
    fit: OUFitSettings = OUFitSettings()
    side_chains: SideChainFitSettings = SideChainFitSettings()
    relaxation_steps: int = Field(200, ge=0)
    protocol: str = ""
    metrics: dict[str, float] = {}

    @field_validator("runs", mode="before")
    @classmethod
    def _one_or_many(cls, runs: object) -> object:
        return (runs,) if isinstance(runs, str | Path) else runs


def read_one_structure(path: Path, overrides: dict[str, Any]) -> OneStructureSettings:
    """Read a settings file; relative paths count from it.

    Parameters
    ----------
    path : Path
        YAML.
    overrides : dict
        See `with_overrides`.

    Raises
    ------
    InputError
        With the file, the setting and what is wrong with it.
    """
    content = read_mapping(path, EXAMPLE)
    runs = content.get("runs")
    given = [runs] if isinstance(runs, str) else runs
    if isinstance(given, list):
        content["runs"] = [(path.parent / str(one)).resolve() for one in given]
    return validated(OneStructureSettings, with_overrides(content, overrides), str(path))


def with_overrides(content: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Settings with other values of `name`, or of `epochs` and `seed` of the fit."""
    fit = {key: value for key, value in overrides.items() if key in ("epochs", "seed")}
    rest = {key: value for key, value in overrides.items() if key not in fit}
    return {**content, **rest, "fit": {**dict(content.get("fit", {})), **fit}}


class Stage(NamedTuple):
    """A part of the fit and its units of progress."""

    fit: Callable[[Advance], None]
    units: int


class OneStructureTrainer:
    """Fits constants, members, wells and rates, then the side chains; finished stages stay done.

    Parameters
    ----------
    settings : OneStructureSettings
    folder : Path
        Gets state.safetensors after every stage, log.csv and model.safetensors.

    Attributes
    ----------
    train, held_out : list of RunStatistics
    done : int
        Stages that are done.
    """

    def __init__(self, settings: OneStructureSettings, folder: Path) -> None:
        self.settings, self.folder = settings, Path(folder)
        every = read_runs(settings.runs, settings.split)
        self.held_out = [c for c in every if c.target in settings.held_out]
        self.train = [c for c in every if c.target not in settings.held_out]
        if not self.train:
            raise InputError("runs: every target is held out; there is nothing to learn from")
        torch.manual_seed(settings.fit.seed)
        self.model = NeuralOU(settings.model)
        self.losses: list[tuple[int, int, float]] = []
        self.spent = 0.0
        self.done = self._resumed()

    @property
    def state_file(self) -> Path:
        """File with the state of an interrupted training."""
        return self.folder / "state.safetensors"

    @property
    def stages(self) -> list[Stage]:
        """Every stage of the fit in order."""
        how = self.settings
        stages = [Stage(self._constants, 1)]
        stages += [Stage(self._member(k), how.fit.epochs) for k in range(how.model.members)]
        stages.append(Stage(self._rates, 1))
        if how.model.side_chains is not None:
            members, epochs = how.model.side_chains.members, how.side_chains.epochs
            stages.append(Stage(self._side_chain_constants, 1))
            stages += [Stage(self._side_chain_member(k), epochs) for k in range(members)]
            stages.append(Stage(self._side_chain_scale, 1))
        return stages

    @property
    def total(self) -> int:
        """Units of progress of all stages: one, or one for each epoch."""
        return sum(stage.units for stage in self.stages)

    @property
    def begun(self) -> int:
        """Units of progress of the stages that are done."""
        return sum(stage.units for stage in self.stages[: self.done])

    def run(self, advance: Advance = silent) -> Model:
        """Run the remaining stages, and write the model.

        Parameters
        ----------
        advance : callable, optional
            See `utils.progress.Advance`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for number, stage in enumerate(self.stages):
            if number < self.done:
                continue
            began = time.process_time()
            stage.fit(advance)
            self.spent += time.process_time() - began
            self.done = number + 1
            self._write_state()
        return save(self.folder / "model.safetensors", self.model.eval(), self._card())

    def _constants(self, advance: Advance) -> None:
        fit_constants(self.model, [example(c) for c in self.train], self.settings.fit.prior)
        advance(1, "class constants")

    def _member(self, number: int) -> Callable[[Advance], None]:
        def fit(advance: Advance) -> None:
            def report(epoch: int, loss: float) -> None:
                self.losses.append((number, epoch, loss))
                advance(1, f"member {number + 1}, loss {loss:.3f}")

            fit_member(self.model, number, self.train, self.settings.fit, report)

        return fit

    def _rates(self, advance: Advance) -> None:
        how = self.settings
        fit_wells(self.model, self.train)
        fit_relaxation(self.model, self.train, steps=how.relaxation_steps, seed=how.fit.seed)
        fit_typical(self.model, self.train)
        advance(1, "wells and rates")

    def _side_chain_constants(self, advance: Advance) -> None:
        fit_side_chain_constants(self._side_chains, self._examples, self.settings.side_chains.prior)
        advance(1, "class constants of the side chains")

    def _side_chain_member(self, number: int) -> Callable[[Advance], None]:
        def fit(advance: Advance) -> None:
            def report(epoch: int, loss: float) -> None:
                self.losses.append((self.settings.model.members + number, epoch, loss))
                advance(1, f"side chains, member {number + 1}, loss {loss:.3f}")

            network, how = self._side_chains, self.settings.side_chains
            fit_side_chain_member(network, number, self._examples, how, report)

        return fit

    def _side_chain_scale(self, advance: Advance) -> None:
        fit_side_chain_scale(self.model, self.train)
        advance(1, "scale of the side chains")

    @property
    def _side_chains(self) -> SideChainNetwork:
        network = self.model.side_chains
        assert network is not None  # `stages` has no stage of side chains without it
        return network

    @cached_property
    def _examples(self) -> list[SideChainExample]:
        examples = side_chain_examples(self.train)
        if not examples:
            raise InputError(
                "runs: none has statistics of the pocket's atoms; leave `side_chains` out of the "
                "model's settings, or give a packed set (validation/reference_sets/many.py)"
            )
        return examples

    def _write_state(self) -> None:
        state = {"stages": self.done, "cpu_seconds": self.spent, "losses": self.losses}
        header = {"stages": json.dumps(state), "settings": self.settings.model_dump_json()}
        tensors = {key: value.contiguous() for key, value in self.model.state_dict().items()}
        with complete(self.state_file) as temporary:
            temporary.write_bytes(serialized(tensors, header))
        with complete(self.folder / "log.csv") as place, Path(place).open("w", newline="") as file:
            csv.writer(file).writerows([("member", "epoch", "loss"), *self.losses])

    def _resumed(self) -> int:
        """Restore an earlier state; return the number of finished stages."""
        if not self.state_file.is_file():
            return 0
        with safe_open(str(self.state_file), "pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}
        if header.get("settings") != self.settings.model_dump_json():
            raise InputError(
                f"{self.state_file}: of a training with other settings; choose another folder, or "
                "--restart sets it aside"
            )
        self.model.load_state_dict(tensors)
        state = json.loads(header["stages"])
        self.losses = [tuple(row) for row in state["losses"]]
        self.spent = state["cpu_seconds"]
        return int(state["stages"])

    def _card(self) -> ModelCard:
        how = self.settings
        measured = errors(self.model, self.held_out) if self.held_out else {}
        training: dict[str, Any] = {
            **how.fit.model_dump(),
            "side_chains": how.side_chains.model_dump() if how.model.side_chains else None,
            "members": how.model.members,
            "targets": sorted({c.target for c in self.train}),
            "held_out": sorted({c.target for c in self.held_out}),
            "protocol": how.protocol,
            "window_ps": float(np.median([c.window_ps for c in self.train])),
            "ranges": ranges([descriptors(c.chemistry, c.start, c.pocket) for c in self.train]),
            "cpu_seconds": round(self.spent),
        }
        installed: Any = provenance()["versions"]
        versions = {key: str(value) for key, value in installed.items()}
        metrics = {**measured, **how.metrics}
        return card(
            how.name, self.model, self.train, training=training, metrics=metrics, versions=versions
        )


def errors(model: NeuralOU, complexes: Sequence[RunStatistics]) -> dict[str, float]:
    """Errors of a model on complexes, from their starts; means over the complexes.

    Returns
    -------
    dict
        'nll' and 'nll_constants': negative log-likelihood of snapshots in nats per degree of
        freedom, with the network and with the class constants alone; 'log_rmsf_error' of the RMSF
        about the mean of a run.
    """
    bare = model.without_network() or model
    columns: dict[str, list[float]] = {"nll": [], "nll_constants": [], "log_rmsf_error": []}
    for c in complexes:
        full, constants = (predict_pose(m, c.chemistry, c.start, c.pocket) for m in (model, bare))
        size = 3 * len(c.start)
        columns["nll"].append(-full.process.log_likelihood(c.frames).mean() / size)
        columns["nll_constants"].append(-constants.process.log_likelihood(c.frames).mean() / size)
        squared = np.mean([run.var(axis=0).sum(-1) for run in c.runs], axis=0)
        gap = np.log(full.rmsf(c.window_ps) / np.sqrt(squared))
        columns["log_rmsf_error"].append(float(np.sqrt((gap**2).mean())))
    return {name: float(np.mean(values)) for name, values in columns.items()}
