"""`make demo`: a learned trajectory of a real complex, through OpenMM, beside the truth.

Serotonin receptor 5-HT1B with ergotamine (all-atom MD by the authors of ProLIF, 6 ns between
snapshots).  The bundled NeuralMD-ODE knows the first 80 %; the last 50 snapshots are forecast from
there without looking at them, written as a DCD that VMD and PyMOL open, read back and compared.
Then a model is trained from scratch for about a minute, to show how that looks.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from rich.console import Console

import openmm_neuralmd as nmd
from openmm_neuralmd.analysis.metrics import metrics_table
from openmm_neuralmd.analysis.plots import report_figure
from openmm_neuralmd.dynamics.naive import TRIVIAL
from openmm_neuralmd.simulation.run import simulate
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.settings import read_settings
from openmm_neuralmd.utils.progress import progress_bar

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "demo"
EXAMPLE = "gpcr-ergotamine"
SHOWN = ("persistence", "recent-mean", "projected-recent-mean")
console = Console(stderr=True)


def forecast() -> None:
    """Simulate the test part through OpenMM, and compare."""
    snapshots = nmd.example(EXAMPLE)
    model = nmd.load_model(EXAMPLE)
    training = model.card.data[0]["training_snapshots"][1]
    replica = next(part for part in snapshots.segments if training in part)
    known, truth = snapshots.ligand[replica.start : training], snapshots.ligand[training:]

    with progress_bar("NeuralMD in OpenMM", len(truth), "snapshot") as advance:
        run = simulate(
            model, snapshots.complex, known, len(truth), OUTPUT / "trajectory.dcd", progress=advance
        )
    topology = run.topology.replace(OUTPUT / "topology.pdb")

    # Read back what VMD will read, so that the figures below are those of the files.
    complex = nmd.Complex.from_files(topology, ligand="LIG", name=EXAMPLE)
    written = nmd.read_snapshots(run.trajectory, complex)
    predictions = {"NeuralMD-ODE": written.ligand}
    segments = [
        torch.as_tensor(snapshots.ligand[p.start : min(p.stop, training)])
        for p in snapshots.segments
        if p.start < training
    ]
    bonds = torch.as_tensor(snapshots.complex.site_bonds)
    for name in SHOWN:
        method = TRIVIAL[name].fit(segments, bonds=bonds, horizon=len(truth))
        predictions[name] = method.forecast(torch.as_tensor(known), len(truth)).numpy()
    table = {
        name: metrics_table(truth, x, bonds=snapshots.complex.site_bonds, reference=known)
        for name, x in predictions.items()
    }
    report_figure(
        OUTPUT / "report.png",
        title=f"5-HT1B with ergotamine: snapshots {training}–{len(snapshots) - 1} forecast from "
        f"snapshot {training - 1}",
        truth=truth,
        predictions=predictions,
        start=known[-1],
        interval_ps=snapshots.interval_ps,
        table=table,
        first=training,
        footnote="One forecast of one trajectory: README has three seeds, many origins and "
        "intervals. Valid: snapshots with all bonds and angles within 25 % of their known means.",
    )
    speed = run.snapshots * snapshots.interval_ps / 1000 / run.seconds
    console.print(f"{run.snapshots} snapshots, {speed:,.0f} ns per second of wall time")
    for name, row in table.items():
        console.print(f"  {name:22s} RMSE {row['rmse']:.2f} Å   Stability {row['stability']:.1f} %")


def train_for_a_minute() -> None:
    """The same training as the bundled model's, the first epochs of it."""
    shutil.rmtree(OUTPUT / "training", ignore_errors=True)
    settings = read_settings(HERE / "gpcr-ergotamine.yaml", {"name": "demo", "epochs": 4})
    trainer = Trainer(settings, read_trajectories(settings.data), OUTPUT / "training")
    before = trainer.validation_error()
    with progress_bar("training", trainer.total, "update") as advance:
        trainer.run(advance)
    console.print(f"validation error {before:.3f} → {trainer.counters.best:.3f}")


if __name__ == "__main__":
    OUTPUT.mkdir(exist_ok=True)
    forecast()
    train_for_a_minute()
    console.print(
        f"\nOpen [bold]{OUTPUT / 'report.png'}[/], and the trajectory:\n"
        f"  vmd {OUTPUT / 'topology.pdb'} {OUTPUT / 'trajectory.dcd'}\n"
        f"  pymol {OUTPUT / 'topology.pdb'} -d 'load_traj {OUTPUT / 'trajectory.dcd'}, topology'"
    )
