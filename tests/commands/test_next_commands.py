"""The command that a command names next is complete, and quoted for a shell."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import openmm_neuralmd.commands
from openmm_neuralmd.cli import app
from openmm_neuralmd.commands.command import say_next
from reference_cases import INPCRD, PRMTOP


def next_of(*words: object) -> list[str]:
    """Run a command; the words of the one that it names."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    (line,) = re.findall(r"^next: neuralmd (.*)$", done.output, re.MULTILINE)
    return shlex.split(line)


def parse(words: list[str]) -> typer.Context:
    """Parse as the shell would have it parsed; nothing is run."""
    group = typer.main.get_command(app)
    return group.commands[words[0]].make_context(words[0], list(words[1:]))


def test_preparation_names_a_run_and_the_run_a_training(tmp_path: Path) -> None:
    place = tmp_path / "two words"
    place.mkdir()
    run = next_of("prepare", PRMTOP, INPCRD, "-o", place / "t4l")
    assert Path(parse(run).params["folder"]) == place / "t4l"
    quick = "--mode rigid --interval 0.02ps --equilibration 0.02ps --platform Reference"
    short = [word if word != "3ns" else "0.06ps" for word in run]
    training = next_of(*short, *quick.split(), "-o", place / "run")
    given = parse(training).params
    source = {name: Path(given[name]) for name in ("complex_file", "trajectory", "sdf")}
    assert all(file.is_file() for file in source.values()), source
    from openmm_neuralmd.commands.sources import Source

    complex_, known = Source(**source, ligand=given["ligand"]).read()
    assert known is not None and len(known) == 3 and len(complex_.ligand) == 18


def test_words_are_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    say_next("vmd", Path("a b/$x.pdb"), "it's")
    line = capsys.readouterr().out.removeprefix("next: ")
    assert shlex.split(line) == ["vmd", "a b/$x.pdb", "it's"]


def test_every_command_names_the_next_one_in_this_way() -> None:
    for file in Path(openmm_neuralmd.commands.__path__[0]).glob("*.py"):
        text = file.read_text()
        assert file.name == "command.py" or "next: " not in text, file.name
