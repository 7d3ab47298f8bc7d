"""`neuralmd train --runs`: NeuralMD-OU from the statistics of runs, in stages, resumable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

from openmm_neuralmd.cli import app
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.model import bundled_models, load_model, read_card
from openmm_neuralmd.training.one_structure import (
    OneStructureSettings,
    OneStructureTrainer,
    errors,
    read_one_structure,
)
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.training.run_statistics import read_runs

ROOT = Path(__file__).parents[2]
MANY = ROOT / "validation" / "reference_sets" / "many"
POCKET = ROOT / "validation" / "reference_sets" / "pocket"
SMALL = {
    "network": {"hidden": 8, "vectors": 4, "layers": 1},
    "members": 2,
    "relaxation": {"hidden": 4},
}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first three complexes of set 'many' in a folder of their own."""
    folder = tmp_path_factory.mktemp("few")
    for npz in sorted(MANY.glob("*.npz"))[:3]:
        for suffix in (".npz", ".sdf", ".pdb.gz"):
            (folder / f"{npz.stem}{suffix}").symlink_to(MANY / f"{npz.stem}{suffix}")
    return folder


def settings(few: Path, **more: object) -> OneStructureSettings:
    content = {
        "name": "few",
        "runs": few,
        "model": SMALL,
        "fit": {"epochs": 2, "frames": 2},
        "relaxation_steps": 3,
    }
    return OneStructureSettings.model_validate({**content, **more})


def test_it_learns_holds_out_and_writes_a_model(few: Path, tmp_path: Path) -> None:
    held_out = read_runs([few])[-1].target
    how = settings(few, held_out=[held_out], fit={"epochs": 60, "frames": 0})
    trainer = OneStructureTrainer(how, tmp_path / "run")
    steps: list[int] = []
    model = trainer.run(lambda units, note: steps.append(units))
    assert sum(steps) == trainer.total
    card = load_model(tmp_path / "run/model.safetensors").card
    assert card.kind == "neuralmd-ou" and card.name == "few"
    assert card.training["held_out"] == [held_out]
    assert held_out not in card.training["targets"]
    assert set(card.metrics) == {"nll", "nll_constants", "log_rmsf_error"}
    learned = errors(model.dynamics, trainer.train)
    assert learned["nll"] < learned["nll_constants"] - 0.02  # the network learns what it is shown
    rows = (tmp_path / "run/log.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 60


def test_an_interrupted_training_goes_on_exactly(few: Path, tmp_path: Path) -> None:
    whole = OneStructureTrainer(settings(few), tmp_path / "whole").run()

    class Stop(Exception):
        pass

    def stop(units: int, note: str) -> None:
        if note.startswith("member 2"):
            raise Stop

    with pytest.raises(Stop):
        OneStructureTrainer(settings(few), tmp_path / "part").run(stop)
    again = OneStructureTrainer(settings(few), tmp_path / "part")
    assert again.done == 2 and again.begun == 3
    model = again.run()
    for name, value in whole.dynamics.state_dict().items():
        torch.testing.assert_close(model.dynamics.state_dict()[name], value, rtol=0, atol=0)
    with pytest.raises(InputError, match="of a training with other settings"):
        OneStructureTrainer(settings(few, relaxation_steps=4), tmp_path / "part")


def test_the_command_and_the_settings_file(few: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    content = {"name": "few", "runs": str(few), "model": SMALL, "relaxation_steps": 2}
    file.write_text(yaml.safe_dump({**content, "fit": {"epochs": 3, "frames": 1}}))
    assert read_one_structure(file, {"epochs": 1, "seed": 4}).fit.model_dump()["seed"] == 4
    command = ["train", str(file), "--epochs", "1", "-o", str(tmp_path / "run")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "next: neuralmd predict" in done.output
    told = CliRunner().invoke(app, ["info", str(tmp_path / "run/model.safetensors")])
    assert "training.targets" in told.output and "The pocket stands still" in told.output
    state = CliRunner().invoke(app, ["info", str(tmp_path / "run/state.safetensors")])
    assert "stages done" in state.output
    both = CliRunner().invoke(app, [*command, "--runs", str(few)])
    assert both.exit_code == 2


def test_what_is_wrong_is_said(few: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no complex with a run"):
        read_runs([tmp_path])
    with pytest.raises(InputError, match="two complexes are called"):
        read_runs([few, few])
    every = sorted({c.target for c in read_runs([few])})
    with pytest.raises(InputError, match="every target is held out"):
        OneStructureTrainer(settings(few, held_out=every), tmp_path / "run")
    command = ["train", "--example", "gpcr-ergotamine", "--dynamics", "neuralmd-ou"]
    refused = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "x")])
    assert refused.exit_code != 0


def test_complex_folders_and_splits_are_read(few: Path, tmp_path: Path) -> None:
    (one,) = read_runs([POCKET / "chk1"])
    assert one.name == "chk1" and len(one.runs) == 1
    for file in few.iterdir():
        (tmp_path / file.name).symlink_to(file)
    first, *others = sorted(file.stem for file in few.glob("*.npz"))
    splits = {first: "test", **dict.fromkeys(others, "train")}
    manifest = {"complexes": {name: {"split": split} for name, split in splits.items()}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert [c.name for c in read_runs([tmp_path], split="train")] == others
    assert [c.name for c in read_runs([tmp_path])] == [first, *others]


def test_the_bundled_settings_are_valid() -> None:
    how = read_one_structure(ROOT / "examples" / "neuralmd-ou.yaml", {})
    assert how.runs == (MANY,)
    card = read_card(bundled_models()["neuralmd-ou"])
    assert card.settings == how.model.model_dump(mode="json")


@pytest.mark.parametrize("place", ["members", "side_chains"])
def test_a_card_that_asks_for_more_members_than_its_file_holds_is_refused(
    place: str, tmp_path: Path
) -> None:
    source = bundled_models()["neuralmd-ou"]
    card = read_card(source)
    many: dict[str, object] = {"members": 10**6}
    settings = card.settings | (
        many if place == "members" else {place: card.settings[place] | many}
    )
    bomb = card.model_copy(update={"settings": settings})
    path = tmp_path / "bomb.safetensors"
    with safe_open(str(source), "pt") as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}
        header = file.metadata()
    save_file(weights, path, {key: bomb.model_dump_json() for key in header})
    with pytest.raises(ModelError, match="1000000 members are larger than the file"):
        load(path)
    with pytest.raises(ModelError, match="1000000 members"):
        load_model(path)


def test_side_chains_are_learned_too_and_need_runs_with_the_pockets_atoms(tmp_path: Path) -> None:
    small = tmp_path / "small"  # the smallest pocket of the set
    small.mkdir()
    for suffix in (".npz", ".sdf", ".pdb.gz"):
        (small / f"jak2{suffix}").symlink_to(MANY / f"jak2_2_3E63{suffix}")
    side_chains = {"members": 1, "network": SMALL["network"]}
    more = {"model": {**SMALL, "side_chains": side_chains}, "side_chains": {"epochs": 1}}
    how = settings(small, **more)
    trainer = OneStructureTrainer(how, tmp_path / "run")
    steps: list[int] = []
    model = trainer.run(lambda units, note: steps.append(units))
    assert trainer.begun == trainer.total == sum(steps)
    side = load(tmp_path / "run" / "model.safetensors").side_chains
    assert side is not None and len(side.members) == 1
    assert float(side.log_typical.detach()) != 0.0
    assert model.card.training["side_chains"]["epochs"] == 1
    again = OneStructureTrainer(how, tmp_path / "run")
    assert again.done == len(again.stages)
    without = settings(POCKET / "chk1", **more)
    with pytest.raises(InputError, match="none has statistics of the pocket's atoms"):
        OneStructureTrainer(without, tmp_path / "other").run()
