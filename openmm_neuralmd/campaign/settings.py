"""Settings of a campaign as one YAML file: complexes, preparation, runs, and workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..errors import InputError
from ..md.engines import ENGINES
from ..md.settings import MDSettings
from ..prepare.settings import PrepareSettings
from ..utils.settings import made, read_mapping, validated
from ..utils.times import parse_time
from .cluster_settings import ClusterSettings

_NAME = r"^\w[\w.+-]*$"  # no path: '..' would leave the output folder


def _time(value: Any) -> float:
    try:
        return parse_time(str(value))
    except InputError as error:
        raise ValueError(str(error)) from error


Time = Annotated[float, BeforeValidator(_time)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSettings(_Settings):
    """A reference run that every target gets.

    Attributes
    ----------
    time : str
        Of the production: '3ns'.
    engine : 'openmm' or 'gromacs'
    settings : dict
        Of `MDSettings`, under its names: {mode: pocket, interval_ps: 1, seed: 7}.
    checkpoint_seconds : float
        Wall time between checkpoints.
    """

    time: Time
    engine: Literal["openmm", "gromacs"] = "openmm"
    settings: dict[str, Any] = {}
    checkpoint_seconds: float = Field(10.0, ge=0)

    def md(self, where: str) -> MDSettings:
        """Checked settings; an error names `where`."""
        settings = made(MDSettings, self.settings, where)
        with _told(where):
            ENGINES[self.engine].check(settings)
        return settings


class TargetSettings(_Settings):
    """A complex: files to prepare it from, or a complex folder that exists.

    Attributes
    ----------
    protein, ligand : Path or None
        PDB or mmCIF, and SDF; relative paths count from the settings file.
    molecule : str or None
        Title or number (from 1) in the SDF.
    complex : Path or None
        A complex folder, in place of both.
    prepare : dict
        What differs from the campaign's `prepare`.
    runs : tuple of str or None
        Names of the runs it gets; all by default.
    """

    protein: Path | None = None
    ligand: Path | None = None
    molecule: str | None = None
    complex: Path | None = None
    prepare: dict[str, Any] = {}
    runs: tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, content: Any) -> Any:
        """Convert a molecule's number to text."""
        if isinstance(content, dict) and isinstance(content.get("molecule"), int):
            return content | {"molecule": str(content["molecule"])}
        return content

    @model_validator(mode="after")
    def _one_source(self) -> TargetSettings:
        files = self.protein is not None and self.ligand is not None
        if files == (self.complex is not None):
            raise ValueError("a target needs either 'protein' and 'ligand', or 'complex'")
        return self


class CampaignSettings(_Settings):
    """Settings of a campaign.

    Attributes
    ----------
    output : Path
        Folder; gets TARGET/complex and TARGET/RUN.  Counts from the settings file.
    targets : dict
        By name.
    prepare : dict
        Of `PrepareSettings`, for every target.
    runs : dict
        By name.
    cluster : ClusterSettings

    Examples
    --------
    >>> from openmm_neuralmd.campaign import CampaignSettings
    >>> campaign = CampaignSettings(
    ...     output="all", targets={"t4l": {"protein": "protein.pdb", "ligand": "ligand.sdf"}}
    ... )
    >>> campaign.cluster.kind, list(campaign.targets)
    ('local', ['t4l'])
    """

    output: Path
    targets: dict[Annotated[str, Field(pattern=_NAME)], TargetSettings] = Field(min_length=1)
    prepare: dict[str, Any] = {}
    runs: dict[Annotated[str, Field(pattern=_NAME)], RunSettings] = {}
    cluster: ClusterSettings = ClusterSettings()

    def runs_of(self, target: str) -> dict[str, RunSettings]:
        """The runs that a target gets."""
        wanted = self.targets[target].runs
        names = self.runs if wanted is None else wanted
        return {name: self.runs[name] for name in names}

    def preparation(self, target: str, where: str) -> PrepareSettings:
        """Return the settings by which a target is prepared; an error names `where`."""
        chosen = {**self.prepare, **self.targets[target].prepare}
        settings = made(PrepareSettings, chosen, where)
        with _told(where):
            settings.check()
        return settings

    def on_platform(
        self, platform: str | None = None, properties: dict[str, str] | None = None
    ) -> CampaignSettings:
        """Copy with another platform of OpenMM; GROMACS keeps its own.

        Parameters
        ----------
        platform : str, optional
            Without it nothing changes.
        properties : dict, optional
            Of the platform, for runs.
        """
        if platform is None:
            return self
        there = {"platform": platform}
        device = {**there, "properties": properties or {}}
        targets = {
            name: target.model_copy(update={"prepare": {**target.prepare, **there}})
            for name, target in self.targets.items()
        }
        runs = {
            name: run.model_copy(update={"settings": {**run.settings, **device}})
            if run.engine == "openmm"
            else run
            for name, run in self.runs.items()
        }
        return self.model_copy(update={"targets": targets, "runs": runs})


def read_campaign(path: str | Path) -> CampaignSettings:
    r"""Read and check a whole campaign, before any work.

    Raises
    ------
    InputError
        With the file, the setting and what is wrong with it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from openmm_neuralmd.campaign import count_snapshots, read_campaign, report_path
    >>> runs = "runs: {short: {time: 10ps, settings: {interval_ps: 1.0}}}\n"
    >>> targets = "targets: {t4l: {protein: protein.pdb, ligand: ligand.sdf}}\n"
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "campaign.yaml"
    ...     _ = file.write_text("output: out\n" + runs + targets)
    ...     campaign = read_campaign(file)
    >>> list(campaign.targets), count_snapshots(campaign), report_path(campaign).parent.name
    (['t4l'], 10, 'out')
    """
    path = Path(path)
    content = read_mapping(path, "examples/campaign.yaml")
    campaign = validated(CampaignSettings, content, str(path))
    base = path.parent.resolve()
    targets = {name: _from(base, target) for name, target in campaign.targets.items()}
    campaign = campaign.model_copy(update={"output": base / campaign.output, "targets": targets})
    for name, run in campaign.runs.items():
        run.md(f"{path}: runs.{name}.settings")
    for name, target in campaign.targets.items():
        unknown = [run for run in target.runs or () if run not in campaign.runs]
        if unknown:
            known = ", ".join(campaign.runs)
            raise InputError(
                f"{path}: targets.{name}.runs: no run '{unknown[0]}'; there are: {known}"
            )
        campaign.preparation(name, f"{path}: prepare of {name}")
    if "complex" in campaign.runs:
        raise InputError(f"{path}: runs.complex: a run cannot be named like the complex folder")
    return campaign


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Add the place of the setting to an error raised in this block."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _from(base: Path, target: TargetSettings) -> TargetSettings:
    paths = {name: getattr(target, name) for name in ("protein", "ligand", "complex")}
    absolute = {name: base / path for name, path in paths.items() if path is not None}
    return target.model_copy(update=absolute)
