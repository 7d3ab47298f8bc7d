"""One option, one meaning: the whole command tree is walked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openmm
import openmmtools
import pytest
import typer
from typer.testing import CliRunner

from cli_files import write_inputs
from openmm_neuralmd.campaign.settings import CampaignSettings
from openmm_neuralmd.cli import app as cli
from openmm_neuralmd.commands import options
from openmm_neuralmd.commands.sources import Source
from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.prepare.imports import import_amber

WITHOUT_CONTEXT = {"predict", "train", "convert", "info"}
EVERY_PLATFORM = {"doctor"}  # it tries each one that is installed


def commands() -> dict[str, Any]:
    """Each command as Typer makes it."""
    return dict(vars(typer.main.get_command(cli))["commands"])


def option(command: Any, name: str) -> Any:
    """An option by its long name, None where the command has none."""
    given = [p for p in command.params if p.param_type_name == "option" and name in p.opts]
    return given[0] if given else None


def test_complex_means_one_thing() -> None:
    named = {name: option(command, "--complex") for name, command in commands().items()}
    having = {name: one for name, one in named.items() if one is not None}
    assert {"train", "simulate", "hybrid", "validate", "info"} <= having.keys()
    for name, one in having.items():
        assert (one.help or "").startswith(options.COMPLEX), name
        assert one.metavar == "PATH", name


def test_a_platform_can_be_named_wherever_a_context_is_made() -> None:
    for name, command in commands().items():
        one = option(command, "--platform")
        if name in WITHOUT_CONTEXT | EVERY_PLATFORM:
            assert one is None, name
        else:
            assert one is not None, name
            assert (one.help or "").startswith("OpenMM platform"), name


def test_options_of_one_name_take_one_kind_of_value() -> None:
    """An output is a folder or a trajectory; every other option is the same in all commands."""
    kinds: dict[str, set[str | None]] = {}
    for command in commands().values():
        for parameter in command.params:
            for flag in parameter.opts if parameter.param_type_name == "option" else ():
                kinds.setdefault(flag, set()).add(parameter.metavar)
    more = {flag for flag, kind in kinds.items() if len(kind) > 1}
    assert more == {"--output", "-o"}


@pytest.fixture
def no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a Context was made")

    monkeypatch.setattr(openmm.Context, "__init__", refuse)


def test_commands_without_the_option_make_no_context(no_context: None, tmp_path: Path) -> None:
    protein, ligand = predict_example()
    settings = write_inputs(tmp_path, epochs=1)
    for words in (
        ["predict", protein, ligand, "--time", "20ps", "-o", tmp_path / "p"],
        ["train", settings, "-o", tmp_path / "t"],
        ["info", tmp_path / "known.xtc", "--complex", tmp_path / "complex.pdb"],
    ):
        done = CliRunner().invoke(cli, [str(word) for word in words])
        assert done.exit_code == 0, done.output


def test_a_prepared_folder_is_a_complex_for_every_command(tmp_path: Path) -> None:
    amber = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
    folder = import_amber(amber / "complex.prmtop", amber / "complex.crd", tmp_path / "t4l")
    source = Source(complex_file=folder.path).check()
    assert set(source.files) >= {folder.path / "topology.pdb", folder.path / "ligand.sdf"}
    complex_, _ = source.read()
    assert complex_.fingerprint() == folder.complex().fingerprint()
    assert complex_.molecule is not None
    np.testing.assert_allclose(complex_.positions, folder.positions, atol=1e-3)
    with pytest.raises(typer.BadParameter, match="says what its ligand is"):
        Source(complex_file=folder.path, ligand="TMP").check()
    run = ["hybrid", "neuralmd-ou", "--complex", folder.path / "topology.pdb", "--time", "1ps"]
    done = CliRunner().invoke(cli, [str(word) for word in (*run, "-o", tmp_path / "h")])
    assert done.exit_code == 1 and "no complex folder" in done.stderr


def test_a_campaign_runs_on_the_platform_that_is_named() -> None:
    runs = {"a": {"time": "1ps"}, "b": {"time": "1ps", "engine": "gromacs"}}
    campaign = CampaignSettings.model_validate(
        {"output": "x", "targets": {"t": {"complex": "c"}}, "runs": runs}
    )
    moved = campaign.on_platform("Reference", {})
    assert moved.runs["a"].md("a").platform == "Reference"
    assert moved.runs["b"].md("b").platform is None
    assert moved.preparation("t", "t").platform == "Reference"
    assert campaign.on_platform() == campaign
