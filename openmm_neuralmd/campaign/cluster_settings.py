"""Settings of the workers of a campaign: processes of this machine, or jobs of SLURM."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Word = Annotated[str, Field(pattern=r"^[\w.:/@+-]+$", max_length=300)]
_Directive = Annotated[
    str,
    Field(
        pattern=r"^--(gres|gpus|gpus-per-node|gpus-per-task|constraint|qos|nodelist|exclude|"
        r"reservation|licenses|mem-per-cpu|nice|hint|exclusive)(=[\w.:,/@+&|()-]+)?$",
        max_length=300,
    ),
]


class SlurmOptions(BaseModel):
    """Resources and options of a SLURM job.

    These words stand in the job's script, so each is checked to be a word: a settings file is data
    and cannot bring commands along.  No other option reaches Dask; some of them import modules,
    run programs or open ports.

    Attributes
    ----------
    queue, account, walltime, memory : str
        `-p`, `-A`, `-t` and `--mem` of sbatch.
    cores, job_cpu : int
        Threads of OpenMM and GROMACS, and `--cpus-per-task` where it differs.
    job_extra_directives : tuple of str
        Further lines for sbatch: '--gres=gpu:1'.
    modules : tuple of str
        Environment modules to load first: 'cuda/12.4'.
    local_directory, log_directory : str
        Where a job's scratch files and logs go.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    queue: _Word | None = None
    account: _Word | None = None
    walltime: _Word | None = None
    memory: _Word = "4GB"
    cores: int = Field(1, ge=1, le=4096)
    job_cpu: int | None = Field(None, ge=1, le=4096)
    job_extra_directives: tuple[_Directive, ...] = ()
    modules: tuple[_Word, ...] = ()
    local_directory: _Word | None = None
    log_directory: _Word | None = None


class ClusterSettings(BaseModel):
    """Workers that the tasks run on.

    Attributes
    ----------
    kind : 'local' or 'slurm'
    workers : int or None
        Tasks at once; by default one for each core (local), or one (slurm: jobs).
    interface : str or None
        slurm: network interface on which the jobs reach this machine ('ib0').  Without it the
        scheduler listens on this machine alone.
    dashboard : bool
        Dask's web page, on this machine alone.
    options : SlurmOptions
        slurm: what a job asks for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["local", "slurm"] = "local"
    workers: int | None = Field(None, ge=1, le=100_000)
    interface: str | None = Field(None, pattern=r"^[\w.:-]+$")
    dashboard: bool = False
    options: SlurmOptions = SlurmOptions()
