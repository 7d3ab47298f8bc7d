"""Training: it learns, it never sees the test part, windows respect breaks, files are checked."""

from __future__ import annotations

import dataclasses
import json
import re
import resource
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import load_file, save_file

from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics.energy import EnergyModel, EnergyModelSettings
from openmm_neuralmd.dynamics.ode import NeuralODESettings
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.model import Model, ModelCard, load_model, read_card
from openmm_neuralmd.rollouts import rollout
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.objectives import (
    distance_error,
    mae,
    pair_distances,
    pair_mask,
    rmse,
)
from openmm_neuralmd.training.settings import TrainingSettings, read_settings
from openmm_neuralmd.training.windows import Trajectory, Windows
from openmm_neuralmd.trajectory.snapshots import Snapshots

TINY = {
    "name": "tiny",
    "data": {"example": "gpcr-ergotamine"},
    "model": {
        "network": {"hidden": 8, "vector_channels": 2, "ligand_layers": 1, "num_radial": 8},
        "memory": [5.0],
    },
    "horizon": 2,
    "validation_horizon": 2,
    "history": 8,
    "epochs": 2,
    "warmup": 2,
    "learning_rate": 3e-3,
}


def tiny(**changes: object) -> TrainingSettings:
    return TrainingSettings.model_validate({**TINY, **changes})


@pytest.fixture(scope="module")
def short(gpcr: Snapshots) -> Snapshots:
    return gpcr[60:110]  # one replica break inside, at 84


def other_end(short: Snapshots, ligand: np.ndarray) -> Trajectory:
    """The same trajectory with other coordinates."""
    return Trajectory.of(dataclasses.replace(short, ligand=ligand))


@pytest.fixture(scope="module")
def trained(short: Snapshots, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Model]:
    trainer = Trainer(tiny(), [Trajectory.of(short)], tmp_path_factory.mktemp("run"))
    return trainer, trainer.run()


def test_training_lowers_the_error(trained: tuple[Trainer, Model]) -> None:
    trainer, _ = trained
    losses = [row["loss"] for row in trainer.counters.history]
    assert losses[-1] < losses[0]
    assert (trainer.folder / "log.csv").read_text().count("\n") == len(losses) + 1


def test_the_test_part_is_never_read(
    short: Snapshots, trained: tuple[Trainer, Model], tmp_path: Path
) -> None:
    poisoned = short.ligand.copy()
    poisoned[trained[0].parts[0][1].stop :] = np.nan
    other = Trainer(tiny(), [other_end(short, poisoned)], tmp_path).run()
    for key, value in trained[1].dynamics.state_dict().items():
        assert torch.equal(value, other.dynamics.state_dict()[key])


def test_the_validation_part_is_not_in_the_gradient(
    short: Snapshots, trained: tuple[Trainer, Model], tmp_path: Path
) -> None:
    poisoned = short.ligand.copy()
    poisoned[trained[0].parts[0][0].stop :] += 1.0
    other = Trainer(tiny(), [other_end(short, poisoned)], tmp_path)
    other.run()
    for key, value in trained[0].average.items():
        assert torch.equal(value, other.average[key])


def test_seed_decides_and_repeats(short: Snapshots, tmp_path: Path) -> None:
    runs = [
        Trainer(tiny(epochs=1, seed=seed), [Trajectory.of(short)], tmp_path / name).run()
        for seed, name in ((0, "a"), (0, "b"), (42, "c"))
    ]
    weights = [run.dynamics.network.ligand.embedding.weight for run in runs]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_early_stopping_keeps_the_best(short: Snapshots, tmp_path: Path) -> None:
    trainer = Trainer(
        tiny(epochs=40, patience=2, learning_rate=0.1, coefficient_rate=0.01, ema=0.0),
        [Trajectory.of(short)],
        tmp_path,
    )
    trainer.run()
    history = trainer.counters.history
    assert len(history) < 40
    assert history[-1]["epoch"] - trainer.counters.best_epoch == 2
    assert trainer.counters.best == min(row["validation"] for row in history)


def test_not_finite_updates_are_skipped_then_refused(short: Snapshots, tmp_path: Path) -> None:
    trainer = Trainer(tiny(epochs=12), [Trajectory.of(short)], tmp_path)
    with torch.no_grad():
        trainer.model.network.ligand.embedding.weight.fill_(float("nan"))
    before = trainer.average["raw_friction"].clone()
    with pytest.raises(ModelError, match="no finite gradient at update 10"):
        trainer.run()
    assert torch.equal(trainer.average["raw_friction"], before)


@given(
    st.integers(12, 60),
    st.sets(st.integers(1, 59), max_size=3),
    st.integers(1, 4),
    st.integers(2, 9),
)
@settings(deadline=None, max_examples=40)
def test_no_window_crosses_a_break_or_leaves_its_part(
    t4l: Complex, length: int, breaks: set[int], horizon: int, history: int
) -> None:
    inside = tuple(sorted(b for b in breaks if b < length))
    ligand = np.arange(length, dtype=float)[:, None, None] * np.ones((1, 8, 3))
    snapshots = Snapshots(complex=t4l, ligand=ligand, interval_ps=1.0, breaks=inside)
    part = range(length // 3, length - 2)
    try:
        windows = Windows([Trajectory.of(snapshots)], [part], horizon, history)
    except InputError as error:
        advice = re.search(r"set horizon: (\d+)", str(error))
        longest = int(advice[1]) if advice else 0
        assert longest < horizon
        if longest:
            Windows([Trajectory.of(snapshots)], [part], longest, history)
        with pytest.raises(InputError):
            Windows([Trajectory.of(snapshots)], [part], longest + 1, history)
        return
    batch = windows.batch(windows.of_trajectory[0])
    segment = np.searchsorted(inside, np.arange(length), side="right")
    for known, valid, target in zip(batch.known, batch.valid, batch.target, strict=True):
        past = known[valid][:, 0, 0].int().tolist()
        future = target[:, 0, 0].int().tolist()
        assert len(past) >= 2
        assert past + future == list(range(past[0], past[0] + len(past) + horizon))
        assert len({int(segment[i]) for i in past + future}) == 1
        assert part.start <= future[0] and future[-1] < part.stop


def test_objectives_by_hand() -> None:
    """Two atoms, one snapshot; a third atom is padding."""
    truth = torch.tensor([[[[0.0, 0, 0], [1.0, 0, 0], [0.0, 0, 0]]]])
    forecast = torch.tensor([[[[0.0, 0, 0], [3.0, 0, 0], [9.0, 9, 9]]]])
    mask = torch.tensor([[True, True, False]])
    assert torch.isclose(mae(forecast, truth, mask), torch.tensor([2 / 6]))
    assert torch.isclose(rmse(forecast, truth, mask), torch.tensor([2.0]) ** 0.5)
    assert torch.isclose(distance_error(forecast, truth, mask), torch.tensor([2.0]))
    assert pair_distances(forecast)[..., 0].item() == pytest.approx(3.0)
    assert pair_mask(mask).tolist() == [[True, False, False]]


def test_model_file_round_trip(
    short: Snapshots, trained: tuple[Trainer, Model], tmp_path: Path
) -> None:
    saved = trained[1]
    loaded = load_model(trained[0].folder / "model.safetensors")
    assert loaded.card == saved.card and loaded.sha256 == saved.sha256
    known = short.ligand[:10]
    assert np.array_equal(
        rollout(loaded, short.complex, known, 5), rollout(saved, short.complex, known, 5)
    )
    assert loaded.card.interval_ps == short.interval_ps
    assert loaded.card.elements == [6, 7, 8]


def test_rollout_of_replicas_equals_single_rollouts(
    short: Snapshots, trained: tuple[Trainer, Model]
) -> None:
    histories = np.stack([short.ligand[:10], short.ligand[5:15]])
    together = rollout(trained[1], short.complex, histories, 4)
    for i, history in enumerate(histories):
        alone = rollout(trained[1], short.complex, history, 4)
        assert np.abs(together[i] - alone).max() < 1e-4


def test_bad_known_snapshots_are_refused(short: Snapshots, trained: tuple[Trainer, Model]) -> None:
    with pytest.raises(InputError, match=r"expected \(T, 43, 3\)"):
        rollout(trained[1], short.complex, short.ligand[:5, :40], 2)
    holes = short.ligand[:5].copy()
    holes[3, 2, 1] = np.nan
    with pytest.raises(InputError, match="not finite"):
        rollout(trained[1], short.complex, holes, 2)


def test_model_refuses_what_it_never_saw(trained: tuple[Trainer, Model], t4l) -> None:
    model = trained[1]
    model.check(t4l)
    card = model.card.model_copy(update={"elements": [7, 8]})
    with pytest.raises(ModelError, match="the ligand has C, but model 'tiny' was trained on N, O"):
        Model(model.dynamics, card).check(t4l)
    with pytest.raises(ModelError, match=r"every 80 ps.*trained at 6000 ps"):
        model.check(t4l, interval_ps=80.0)


def test_damaged_model_files_are_refused(trained: tuple[Trainer, Model], tmp_path: Path) -> None:
    good = trained[0].folder / "model.safetensors"
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        load_model(cut)
    with pytest.raises(ModelError, match="no such model file"):
        load_model(tmp_path / "missing.safetensors")
    tensors = load_file(good)
    foreign = tmp_path / "foreign.safetensors"
    save_file(tensors, foreign)
    with pytest.raises(ModelError, match="no model card"):
        load_model(foreign)
    card = json.loads(read_card(good).model_dump_json())
    newer = tmp_path / "newer.safetensors"
    save_file(tensors, newer, {"neuralmd": json.dumps({**card, "format": 99})})
    with pytest.raises(ModelError, match="format 99, this version reads 1"):
        load_model(newer)
    tensors.pop("raw_friction")
    fewer = tmp_path / "fewer.safetensors"
    save_file(tensors, fewer, {"neuralmd": json.dumps(card)})
    with pytest.raises(ModelError, match="do not fit the model card"):
        load_model(fewer)


def test_settings_errors_name_file_and_setting(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    cases = {
        "name: x\ndata: {example: gpcr-ergotamine}\nhorizon: 0\n": r"horizon: .*equal to 1",
        "name: x\ndata: {example: gpcr-ergotamine}\nhorizen: 3\n": r"run.yaml: horizen: Extra",
        "name: x\ndata: {}\n": r"run.yaml: data.*needs one of: 'example'",
        "- 1\n": r"run.yaml: settings must be",
        "name: [\n": r"run.yaml: not a readable settings file",
    }
    for content, pattern in cases.items():
        file.write_text(content)
        with pytest.raises(InputError, match=pattern) as caught:
            read_settings(file)
        assert "\n" not in str(caught.value)


def test_a_state_of_other_settings_is_not_resumed(short: Snapshots, tmp_path: Path) -> None:
    Trainer(tiny(epochs=1), [Trajectory.of(short)], tmp_path).run()
    with pytest.raises(InputError, match="belongs to a run with other settings"):
        Trainer(tiny(epochs=1, seed=1), [Trajectory.of(short)], tmp_path)


def test_energy_models_are_saved_and_loaded_and_do_not_jump(
    short: Snapshots, tmp_path: Path
) -> None:
    network = BindingNetSettings(**TINY["model"]["network"], head="energy")
    settings_ = EnergyModelSettings(network=network)
    dynamics = EnergyModel(settings_)
    card = ModelCard(
        name="energy",
        kind="bindingnet-energy",
        settings=settings_.model_dump(),
        interval_ps=1.0,
        elements=[6],
        residue_types=[0],
    )
    Model(dynamics, card).save(tmp_path / "energy.safetensors")
    loaded = load_model(tmp_path / "energy.safetensors")
    for key, value in dynamics.state_dict().items():
        assert torch.equal(loaded.dynamics.state_dict()[key], value)
    with pytest.raises(ModelError, match="does not jump snapshots"):
        rollout(loaded, short.complex, short.ligand[:3], 2)
    with pytest.raises(ValueError, match="needs head 'force', not 'energy'"):
        NeuralODESettings(network=network)
    with pytest.raises(ValueError, match="needs head 'energy', not 'force'"):
        EnergyModelSettings(network=network.model_copy(update={"head": "force"}))


def test_a_disk_that_is_full_keeps_the_model_before(tmp_path: Path) -> None:
    model = load_model("gpcr-ergotamine")
    model.save(tmp_path / "a.safetensors")
    before, limits = (
        (tmp_path / "a.safetensors").read_bytes(),
        resource.getrlimit(resource.RLIMIT_FSIZE),
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(OSError, match="File too large"):
            model.save(tmp_path / "a.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a.safetensors").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
