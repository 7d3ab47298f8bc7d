"""Training on several complexes at once, in several processes, from a file that stays on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dynamics_cases import SMALL
from openmm_neuralmd.dynamics.registry import LEARNED
from openmm_neuralmd.dynamics.sde import NeuralSDE
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import example, example_complex
from openmm_neuralmd.misato.writer import write_entry
from openmm_neuralmd.model import load_model
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training import data
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.devices import make_fabric
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.objectives import OBJECTIVES
from openmm_neuralmd.training.settings import (
    DataSettings,
    ObjectiveSettings,
    TrainingSettings,
)
from openmm_neuralmd.training.windows import Trajectory, Windows
from openmm_neuralmd.trajectory.snapshots import Snapshots

NETWORK = SMALL.model_dump(exclude={"head"})


def settings(**changes: object) -> TrainingSettings:
    content = {
        "name": "many",
        "data": {"example": "gpcr-ergotamine"},
        "model": {"network": NETWORK},
        "horizon": 2,
        "validation_horizon": 2,
        "history": 6,
        "epochs": 2,
        "batch_size": 4,
        "warmup": 2,
    }
    return TrainingSettings.model_validate({**content, **changes})


def wandering(complex: Complex, length: int, seed: int = 0) -> Snapshots:
    """Snapshots about the complex's own, 0.1 Å a step."""
    here = 10 * complex.positions[complex.ligand_heavy]
    noise = np.random.default_rng(seed).normal(0, 0.1, (length, *here.shape))
    return Snapshots(complex, here + np.cumsum(noise, axis=0), 6000.0)


@pytest.fixture(scope="module")
def both(gpcr: Snapshots, t4l: Complex) -> list[Trajectory]:
    """43 and 8 heavy atoms, 302 and 162 residues."""
    return [Trajectory.of(gpcr[:24]), Trajectory.of(wandering(t4l, 24))]


def errors(windows: Windows, kind: str, objective: str, part: list) -> Tensor:
    torch.manual_seed(0)
    module = LEARNED[kind](LEARNED[kind].settings_class.model_validate({"network": NETWORK}))
    noise = torch.Generator().manual_seed(1)
    chosen = ObjectiveSettings(kind=objective, samples=2)
    return OBJECTIVES[objective](module.double(), windows.batch(part), chosen, noise)


def double(both: list[Trajectory]) -> Windows:
    return Windows(both, [range(20)] * 2, 2, 6, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["neuralmd-ode", "gnn-md", "verletmd"])
def test_a_window_has_the_same_error_in_any_batch(both: list[Trajectory], kind: str) -> None:
    windows = double(both)
    mixed = [windows.of_trajectory[0][3], windows.of_trajectory[1][5], windows.of_trajectory[0][9]]
    together = errors(windows, kind, "mae", mixed)
    alone = torch.cat([errors(windows, kind, "mae", [window]) for window in mixed])
    assert torch.allclose(together, alone, atol=1e-9)


@pytest.mark.parametrize("kind", list(LEARNED))
def test_every_dynamics_learns_from_several_complexes(
    both: list[Trajectory], kind: str, tmp_path: Path
) -> None:
    objective = {"kind": LEARNED[kind].objectives[0], "samples": 2}
    chosen = settings(dynamics=kind, objective=objective, epochs=1)
    trainer = Trainer(chosen, both, tmp_path)
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    model = trainer.run()
    changed = [
        key for key, value in model.dynamics.state_dict().items() if (value != before[key]).any()
    ]
    assert len(changed) > 0.8 * len(before)
    assert model.card.elements == [6, 7, 8] and len(model.card.data) == 2
    loaded = load_model(tmp_path / "model.safetensors")
    assert type(loaded.dynamics) is type(model.dynamics) and loaded.card.kind == kind
    assert (tmp_path / "last.safetensors").is_file()


def test_other_complexes_can_decide_when_to_stop(both: list[Trajectory], tmp_path: Path) -> None:
    chosen = settings(validation_data=[{"example": "gpcr-ergotamine"}], train_fraction=1.0)
    trainer = Trainer(chosen, both[1:], tmp_path, both[:1])
    assert trainer.parts[0][0] == range(24)
    assert {w.trajectory for w in trainer.validation.batches(99)[0]} == {0}
    assert trainer.run().card.elements == [6]  # those of the validation were not learnt from


def test_accumulated_gradients_are_those_of_the_whole_batch(
    both: list[Trajectory], tmp_path: Path
) -> None:
    weights = []
    for parts in (1, 3):
        trainer = Trainer(settings(accumulate=parts, epochs=1), both, tmp_path / str(parts))
        weights.append(torch.cat([p.flatten() for p in trainer.run().dynamics.parameters()]))
    assert torch.allclose(*weights, atol=1e-5)


def test_mixed_precision_trains(both: list[Trajectory], tmp_path: Path) -> None:
    trainer = Trainer(settings(precision="bf16-mixed"), both[1:], tmp_path)
    model = trainer.run()
    assert np.isfinite([row["loss"] for row in trainer.counters.history]).all()
    assert all(p.dtype == torch.float32 for p in model.dynamics.parameters())


def test_noise_learns_the_size_of_the_fluctuations(t4l: Complex, tmp_path: Path) -> None:
    """An amplitude that starts four times too small grows to about the true one, 1."""
    here = 10 * t4l.positions[t4l.ligand_heavy]
    rng = np.random.default_rng(0)
    shake = rng.normal(0, 0.05, (80, *here.shape)) + rng.normal(0, 0.3, (80, 1, 3))
    snapshots = Snapshots(t4l, here + shake, 6000.0)
    model = {"network": NETWORK, "velocity_map": False}
    chosen = settings(
        dynamics="neuralmd-sde", model=model, coefficient_rate=300, epochs=6, horizon=3, history=40
    )
    torch.manual_seed(0)
    trainer = Trainer(chosen, [Trajectory.of(snapshots)], tmp_path)
    with torch.no_grad():
        trainer.model.raw_amplitude.fill_(-1.3)
    assert isinstance(trainer.model, NeuralSDE)
    before = trainer.model.amplitude[0].item()
    trainer.run()
    assert before < 0.25 and 0.6 < trainer.model.amplitude[0].item() < 1.5


def test_a_batch_holds_ligands_of_like_size(both: list[Trajectory]) -> None:
    windows = double(both)
    batches = windows.batches(4, torch.Generator().manual_seed(0))
    assert sorted(w for batch in batches for w in batch) == sorted(
        w for own in windows.of_trajectory for w in own
    )
    mixed = sum(len({w.trajectory for w in batch}) > 1 for batch in batches)
    assert mixed <= 1
    other = windows.batches(4, torch.Generator().manual_seed(1))
    assert batches != other


def test_windows_may_be_taken_sparsely(both: list[Trajectory]) -> None:
    dense, sparse = (Windows(both, [range(20)] * 2, 2, 6, every=n) for n in (1, 5))
    for all_windows, some in zip(dense.of_trajectory, sparse.of_trajectory, strict=True):
        assert some == all_windows[::5]


def test_trajectories_are_read_when_they_are_needed_and_let_go(t4l: Complex) -> None:
    read: list[int] = []

    def trajectory(index: int) -> Trajectory:
        snapshots = wandering(t4l, 8, index)

        def load() -> Snapshots:
            read.append(index)
            return snapshots

        return replace(Trajectory.of(snapshots), load=load)

    windows = Windows([trajectory(i) for i in range(6)], [range(8)] * 6, 2, 4, keep=2)
    assert read == []
    for batch in windows.batches(3, torch.Generator().manual_seed(0)):
        windows.batch(batch)
        assert len(windows._loaded) <= 2
    assert sorted(read) == list(range(6))  # each once in an epoch


def test_misato_streams_into_training(t4l: Complex, tmp_path: Path) -> None:
    file = tmp_path / "MD.hdf5"
    rng = np.random.default_rng(0)
    for name in ("1AAA", "2BBB", "3CCC"):
        blocks = t4l.positions + rng.normal(0, 0.003, (6, *t4l.positions.shape))
        write_entry(file, name, t4l, [blocks], 80.0)
    (tmp_path / "train.txt").write_text("1aaa\n2bbb\n3ccc\n")
    (tmp_path / "peptides.txt").write_text("2BBB\n")
    part = DataSettings(
        misato=file, entries=tmp_path / "train.txt", without=tmp_path / "peptides.txt"
    )
    found = read_trajectories([part])
    assert [t.identity["name"] for t in found] == ["MD.hdf5:1AAA", "MD.hdf5:3CCC"]
    assert len(found[0]) == 6 and found[0].interval_ps == 80.0
    assert found[0].load().ligand.shape[1] == len(t4l.heavy)
    (tmp_path / "train.txt").write_text("1AAA\n9ZZZ\n")
    with pytest.raises(InputError, match=r"MD.hdf5 has no entry 9ZZZ; is it the whole file\?"):
        read_trajectories([part])


def test_one_model_learns_one_stride(monkeypatch: pytest.MonkeyPatch) -> None:
    part = DataSettings(example="gpcr-ergotamine")
    (trajectory,) = read_trajectories([part])
    strides = iter((6000.0, 12000.0))
    monkeypatch.setattr(
        data, "_trajectories", lambda _: [replace(trajectory, interval_ps=next(strides))]
    )
    with pytest.raises(InputError, match=r"every 6000 ps and .* every 12000 ps"):
        read_trajectories([part, part])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"dynamics": "magic"}, "unknown dynamics 'magic'; choose one of: neuralmd-ode"),
        ({"dynamics": "neuralmd-sde", "objective": {"kind": "mae"}}, "not trained by 'mae'"),
        ({"model": {"poses": 3}}, "Extra inputs"),
        ({"data": []}, "at least 1 item"),
        ({"data": {"example": "gpcr-ergotamine", "entries": "a.txt"}}, "belong to 'misato'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(content: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**content)


TWO_PROCESSES = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from test_many_complexes import settings, two_processes
two_processes(Path(sys.argv[1]))
"""


def two_processes(folder: Path) -> None:
    """What each of the two processes does."""
    both = [
        Trajectory.of(example("gpcr-ergotamine")[:24]),
        Trajectory.of(wandering(example_complex("t4l-p-xylene"), 24)),
    ]
    chosen = settings(epochs=1)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    fabric = make_fabric(chosen, "cpu", processes)
    assert fabric.world_size == processes
    Trainer(chosen, both, folder, fabric=fabric).run()


def test_two_processes_learn_what_one_does_with_the_whole_batch(
    both: list[Trajectory], tmp_path: Path
) -> None:
    alone = Trainer(settings(epochs=1), both, tmp_path / "one")
    expected = alone.run()
    script = tmp_path / "run.py"
    script.write_text(TWO_PROCESSES)
    launch = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    done = subprocess.run(
        [sys.executable, *launch, str(script), str(tmp_path / "two")],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = load_model(tmp_path / "two" / "model.safetensors")
    assert found.card.metrics["validation"] == pytest.approx(
        expected.card.metrics["validation"], rel=1e-4
    )
    for key, value in expected.dynamics.state_dict().items():
        assert torch.allclose(found.dynamics.state_dict()[key], value, atol=1e-5), key
