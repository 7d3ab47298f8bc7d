"""`run_campaign`: prepare many complexes and run each; a failure stops only its own complex."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils.files import complete
from ..utils.progress import Advance, silent
from ..utils.provenance import provenance
from .cluster import LOST, connected, dask
from .settings import CampaignSettings
from .tasks import (
    TOPIC,
    Existing,
    Outcome,
    Preparation,
    Run,
    Task,
    carry_out,
)

if TYPE_CHECKING:
    from distributed import Client, Future

COMPLEX, REPORT, LOG = "complex", "campaign.json", "errors"


def run_campaign(campaign: CampaignSettings, *, progress: Advance = silent) -> tuple[Outcome, ...]:
    """Do every task of a campaign that is not done yet.

    Each complex is prepared, then its runs begin; what fails does not keep the others from going
    on.  A task is resumed where an interrupted campaign left it.  Writes campaign.json.

    Parameters
    ----------
    campaign : CampaignSettings
    progress : callable, optional
        See `progress.Advance`; counts snapshots.

    Returns
    -------
    tuple of Outcome
        One for every task, in the order of the settings.

    Raises
    ------
    InputError
        The cluster cannot be made.

    Examples
    --------
    >>> from openmm_neuralmd.campaign import CampaignSettings, failures, run_campaign
    >>> campaign = CampaignSettings(
    ...     output=scratch / "all",
    ...     targets={"t4l": {"protein": "protein.pdb", "ligand": "ligand.sdf"}},
    ...     runs={"short": {"time": "10ps", "settings": {"interval_ps": 1.0}}},
    ...     cluster={"workers": 1},
    ... )
    >>> outcomes = run_campaign(campaign)  # neither file is there
    >>> [(outcome.task, outcome.state) for outcome in outcomes]
    [('t4l/complex', 'failed'), ('t4l/short', 'not tried')]
    """
    campaign.output.mkdir(parents=True, exist_ok=True)
    ended: dict[str, Outcome] = {}
    with connected(campaign.cluster) as client:
        client.subscribe_topic(TOPIC, lambda event: _forward(event, progress))
        futures = _submit(client, campaign)
        for future in dask().as_completed(futures):
            outcome = _outcome(futures[future], future)
            ended[outcome.task] = outcome
            progress(0, outcome.task)
            _write_report(campaign, futures, ended)
    return tuple(ended[name] for name in futures.values())


def tasks_of(campaign: CampaignSettings, target: str) -> tuple[Task, tuple[Run, ...]]:
    """The preparation of a target, and its runs."""
    source, home = campaign.targets[target], campaign.output / target
    name, folder = f"{target}/{COMPLEX}", source.complex or home / COMPLEX
    first: Task
    if source.protein is None or source.ligand is None:
        first = Existing(name, folder)
    else:
        settings = campaign.preparation(target, name)
        first = Preparation(name, folder, source.protein, source.ligand, source.molecule, settings)
    runs = []
    for run, chosen in campaign.runs_of(target).items():
        md = chosen.md(f"runs.{run}.settings")
        snapshots = md.snapshots(chosen.time)
        task = f"{target}/{run}"
        runs.append(
            Run(
                task,
                folder,
                home / run,
                chosen.engine,
                chosen.time,
                md,
                snapshots,
                chosen.checkpoint_seconds,
            )
        )
    return first, tuple(runs)


def count_snapshots(campaign: CampaignSettings) -> int:
    """Count the snapshots of all runs.

    Examples
    --------
    >>> from openmm_neuralmd.campaign import CampaignSettings, count_snapshots
    >>> campaign = CampaignSettings(
    ...     output=scratch / "all",
    ...     targets={"t4l": {"protein": "protein.pdb", "ligand": "ligand.sdf"}},
    ...     runs={"short": {"time": "10ps", "settings": {"interval_ps": 1.0}}},
    ... )
    >>> count_snapshots(campaign)
    10
    """
    return sum(run.snapshots for name in campaign.targets for run in tasks_of(campaign, name)[1])


def _submit(client: Client, campaign: CampaignSettings) -> dict[Future, str]:
    log = campaign.output / LOG
    options: dict[str, Any] = {"pure": False, "retries": 0}
    futures = {}
    for rank, name in enumerate(campaign.targets):
        first, runs = tasks_of(campaign, name)
        options["priority"] = -rank  # a complex is finished before another is begun
        prepared = client.submit(carry_out, first, log, key=first.task, **options)
        futures[prepared] = first.task
        for run in runs:
            future = client.submit(carry_out, run, log, prepared, key=run.task, **options)
            futures[future] = run.task
    return futures


def _outcome(task: str, future: Future) -> Outcome:
    """Outcome of a task, or the failure of its worker."""
    error = future.exception()
    if error is None:
        result: Outcome = future.result()
        return result
    if isinstance(error, dask().scheduler.KilledWorker):
        why = f"its worker died {LOST + 1} times (out of memory? a crash?)"
        return Outcome(task, "failed", why)
    return Outcome(task, "failed", f"unexpected {type(error).__name__}: {error}")


def _forward(event: tuple[float, dict[str, Any]], progress: Advance) -> None:
    _, message = event
    progress(message["units"], message["note"])


def _write_report(
    campaign: CampaignSettings, futures: dict[Future, str], ended: dict[str, Outcome]
) -> None:
    outcomes = [asdict(ended[name]) for name in futures.values() if name in ended]
    report = {"outcomes": outcomes, "waiting": len(futures) - len(ended), **provenance()}
    with complete(campaign.output / REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def failures(outcomes: tuple[Outcome, ...]) -> list[str]:
    """Lines for the tasks that failed.

    Examples
    --------
    >>> from openmm_neuralmd.campaign import Outcome, failures
    >>> failures((Outcome("t4l/complex", "done"), Outcome("t4l/pocket", "failed", "no gmx")))
    ['t4l/pocket: failed: no gmx']
    """
    return [f"{o.task}: {o.state}: {o.why}" for o in outcomes if not o.ok]


def report_path(campaign: CampaignSettings) -> Path:
    """Return the path of the report.

    Examples
    --------
    >>> from openmm_neuralmd.campaign import CampaignSettings, report_path
    >>> campaign = CampaignSettings(
    ...     output=scratch / "all",
    ...     targets={"t4l": {"protein": "protein.pdb", "ligand": "ligand.sdf"}},
    ...     runs={"short": {"time": "10ps", "settings": {"interval_ps": 1.0}}},
    ... )
    >>> report_path(campaign).name
    'campaign.json'
    """
    return campaign.output / REPORT
