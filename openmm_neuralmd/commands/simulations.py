"""The two simulations of `neuralmd simulate`: one run inside OpenMM, or many replicas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..utils.times import show_time
from .command import resumable, say_next

if TYPE_CHECKING:
    from ..model import Model
    from ..simulation.run import RunSettings
    from ..trajectory.history import History


def run_trajectory(
    model: Model,
    history: History,
    count: int,
    output: Path,
    settings: RunSettings,
    on_failure: str,
) -> None:
    """Simulate one trajectory, and print where it is and how much it moves."""
    from ..simulation.run import simulate as run_simulation
    from ..utils.progress import progress_bar

    hint = "run the same command again to continue from the last checkpoint"
    with resumable(hint), progress_bar(output.stem, count, "snapshots") as advance:
        done = run_simulation(
            model,
            history.complex,
            history,
            count,
            output,
            settings=settings,
            on_failure=on_failure,
            progress=advance,
        )
    new = done.snapshots - done.resumed_from
    typer.echo(f"trajectory: {done.trajectory} ({done.snapshots} snapshots)")
    typer.echo(f"topology: {done.topology}, record: {done.provenance}")
    typer.echo(_movement(model, history, done.trajectory, done.snapshots))
    if done.resumed_from:
        typer.echo(f"{done.resumed_from} snapshots are from the interrupted run")
    _say_restarts(done.restarts)
    if new:
        a_day = new * model.card.interval_ps / done.seconds * 86400
        typer.echo(f"speed: {done.seconds / new:.3g} s per snapshot, {show_time(a_day)} a day")
    say_next("vmd", done.topology, done.trajectory)


def run_replicas(
    model: Model,
    history: History,
    count: int,
    output: Path,
    replicas: int,
    seed: int | None,
    on_failure: str,
) -> None:
    """Simulate replicas in batches, and print where they are."""
    import torch

    from ..simulation.replicas import RECORD, TOPOLOGY, simulate_replicas
    from ..utils.progress import progress_bar
    from ..utils.settings import read_mapping

    hint = "run the same command again to continue after the last complete batch"
    with resumable(hint), progress_bar(output.name, count * replicas, "snapshots") as advance:
        folder = simulate_replicas(
            model,
            history.complex,
            history,
            count,
            output,
            replicas,
            seed=seed,
            device="cuda" if torch.cuda.is_available() else "cpu",
            on_failure=on_failure,
            progress=advance,
        )
    typer.echo(f"trajectories: {folder} ({replicas} replicas of {count} snapshots)")
    _say_restarts(len(read_mapping(folder / RECORD, "the run's record")["restarts"]))
    say_next("vmd", folder / TOPOLOGY, folder / "replica-0001.dcd")


def _say_restarts(number: int) -> None:
    if number:
        typer.echo(f"restarts: {number}; averages are those of runs that do not fail")


def _movement(model: Model, history: History, trajectory: Path, snapshots: int) -> str:
    """Say how much a finished trajectory moves beside the known snapshots."""
    from ..simulation.movement import mean_rmsf, simulated_rmsf, trajectory_kind

    own = simulated_rmsf(trajectory, model, history.complex) if snapshots > 1 else None
    if own is None:
        return f"movement: too few snapshots for an RMSF; {trajectory_kind(model)}"
    known = mean_rmsf(history.ligand)
    beside = f", the known snapshots {known:.2f} Å" if known else ""
    return f"movement: RMSF over 5 snapshots {own:.2f} Å{beside}; {trajectory_kind(model)}"
