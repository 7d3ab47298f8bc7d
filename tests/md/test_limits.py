"""Numbers that make no sense are one line, before any work."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from mm_models import make_model
from openmm_neuralmd.cli import app
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.hybrid.settings import JumpSettings
from openmm_neuralmd.md.settings import LIMITS, UNBOUNDED, MDSettings
from openmm_neuralmd.model import load_model
from openmm_neuralmd.prepare.settings import PrepareSettings
from openmm_neuralmd.utils.times import parse_time, whole_strides


@pytest.mark.parametrize("name", sorted(LIMITS))
@pytest.mark.parametrize("value", [math.nan, -1.0, 1e300, math.inf])
def test_numbers_of_a_run(name: str, value: float) -> None:
    if name in UNBOUNDED and value == math.inf:  # no cutoff, or the whole protein
        shell = {"shell_radius": math.inf, "pocket_radius": 1.0}
        MDSettings(**(shell | ({} if name == "pocket_radius" else {name: value}))).check()
        return
    with pytest.raises(InputError, match=rf"^{name} must be from") as caught:
        MDSettings(**{name: value}).check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cutoff", ["0", "-1", "nan", "1e-6"])
def test_cutoffs_of_the_issue(cutoff: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cutoff must be from 0\.4 to 100 nm"):
        MDSettings(cutoff=float(cutoff)).check()


def test_what_is_usual_passes() -> None:
    for settings in (
        MDSettings(),
        MDSettings(cutoff=0.9, hydrogen_mass=0, timestep_fs=2),
        MDSettings(mode="pocket", cutoff=1.2, equilibration_ps=0, seed=2**40),
    ):
        settings.check()


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_of_a_run(seed: int) -> None:
    with pytest.raises(InputError, match="seed must be from 0"):
        MDSettings(seed=seed).check()


def test_numbers_of_jumps_and_preparation() -> None:
    with pytest.raises(InputError, match="relax_ps"):
        JumpSettings(relax_ps=math.nan).check()
    with pytest.raises(InputError, match="ph must be from 0 to 14"):
        PrepareSettings(ph=math.nan).check()


@pytest.mark.parametrize("text", ["1e300ns", "1e400ns", "1e12ps", "-1ns", "nan", "inf", "0ns"])
def test_times_that_cannot_be(text: str) -> None:
    with pytest.raises(InputError):
        parse_time(text)


def test_more_snapshots_than_a_file_counts() -> None:
    with pytest.raises(InputError, match="a trajectory holds"):
        whole_strides(1e9, 1e-3)


def test_seed_option_is_bounded() -> None:
    words = ["simulate", "x", "--example", "t4l-p-xylene", "--snapshots", "1", "-o", "a.dcd"]
    done = CliRunner().invoke(app, [*words, "--seed", str(2**31)])
    assert done.exit_code == 2 and "2147483647" in done.output


def saved(path: Path, change) -> Path:
    model = make_model()
    with torch.no_grad():
        change(model)
    return Path(model.save(path / "m.safetensors") and path / "m.safetensors")


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e20])
def test_weights_that_cannot_be(tmp_path: Path, value: float) -> None:
    def change(model) -> None:
        next(model.dynamics.parameters()).view(-1)[0] = value

    with pytest.raises(ModelError, match="the training failed or the file is damaged"):
        load_model(saved(tmp_path, change))


@pytest.mark.parametrize("name", ["complex_layers", "ligand_layers", "hidden", "num_radial"])
@pytest.mark.parametrize("value", [2**31, 4000, -1])
def test_a_card_larger_than_its_file_takes_no_memory(tmp_path: Path, name: str, value) -> None:
    path = saved(tmp_path, lambda model: None)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    card = json.loads(header["__metadata__"]["neuralmd"])
    card["settings"]["network"][name] = value
    header["__metadata__"]["neuralmd"] = json.dumps(card)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    with pytest.raises(ModelError, match="weights do not fit the model card"):
        load_model(path)
