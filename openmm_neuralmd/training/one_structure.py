"""Training of NeuralMD-OU from runs of many complexes, in stages and resumable.

The objective 'statistics' is no error of a forecast window: a complex enters by the mean and the
covariance of its runs, which are read once.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from safetensors import safe_open
from safetensors.torch import save as serialized

from ..dynamics.ou import NeuralOU, NeuralOUSettings
from ..dynamics.ou_prediction import predict_pose
from ..errors import InputError
from ..model import Model, ModelCard
from ..utils.files import complete
from ..utils.progress import Advance, silent
from ..utils.provenance import provenance
from ..utils.settings import read_mapping, validated
from .ou_domain import descriptors, ranges
from .ou_files import card, save
from .ou_fit import OUFitSettings, fit_constants, fit_member
from .ou_objective import example
from .ou_rates import fit_relaxation, fit_typical, fit_wells
from .run_folders import read_runs
from .run_statistics import RunStatistics

EXAMPLE = "examples/neuralmd-ou.yaml"


class OneStructureSettings(BaseModel):
    """One training of NeuralMD-OU.

    Attributes
    ----------
    name : str
        Name of the model.
    dynamics : {'neuralmd-ou'}
    runs : tuple of Path
        Folders, see `run_folders.read_runs`; one or a list of them.
    split : str or None
        Split of a manifest to learn from.
    held_out : tuple of str
        Targets that are not learned from; the errors on them stand in the card.
    model : NeuralOUSettings
    fit : OUFitSettings
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


class OneStructureTrainer:
    """Fits constants, then each member, then wells and rates; a stage that is done stays done.

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
    def stages(self) -> list[Callable[[Advance], None]]:
        """Every stage of the fit in order."""
        members = [self._member(number) for number in range(self.settings.model.members)]
        return [self._constants, *members, self._rates]

    @property
    def total(self) -> int:
        """Units of progress: one for the first and the last stage, one for each epoch."""
        return 2 + self.settings.model.members * self.settings.fit.epochs

    @property
    def begun(self) -> int:
        """Units of progress of the stages that are done."""
        epochs = max(0, min(self.done - 1, self.settings.model.members))
        return min(self.done, 1) + epochs * self.settings.fit.epochs

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
            stage(advance)
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

            for parameter in self.model.class_parameters():
                parameter.requires_grad_(False)
            fit_member(self.model, number, self.train, self.settings.fit, report)

        return fit

    def _rates(self, advance: Advance) -> None:
        how = self.settings
        fit_wells(self.model, self.train)
        fit_relaxation(self.model, self.train, steps=how.relaxation_steps, seed=how.fit.seed)
        fit_typical(self.model, self.train)
        advance(1, "wells and rates")

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
            "members": how.model.members,
            "targets": sorted({c.target for c in self.train}),
            "held_out": sorted({c.target for c in self.held_out}),
            "protocol": how.protocol,
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
        window = c.interval_ps * min(len(run) for run in c.runs)
        squared = np.mean([run.var(axis=0).sum(-1) for run in c.runs], axis=0)
        gap = np.log(full.rmsf(window) / np.sqrt(squared))
        columns["log_rmsf_error"].append(float(np.sqrt((gap**2).mean())))
    return {name: float(np.mean(values)) for name, values in columns.items()}
