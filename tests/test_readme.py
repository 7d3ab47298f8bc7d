"""README.md is executed: its Python runs, and its command lines name what exists.

A block that cannot run in a test is marked in the README itself, on the line before it:
`<!-- not run: reason -->`.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+?) -->\s*\n)?```(?P<language>\w+)\n(?P<code>.*?)^```\s*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    line: int  # of its first line of code in the README
    not_run: str | None


def blocks_of(text: str) -> list[Block]:
    return [
        Block(
            found["language"],
            found["code"],
            text.count("\n", 0, found.start("code")) + 1,
            found["reason"],
        )
        for found in FENCE.finditer(text)
    ]


def blocks(*languages: str) -> list[Block]:
    return [block for block in blocks_of(README.read_text()) if block.language in languages]


def command_lines(code: str) -> list[list[str]]:
    """Words of each `neuralmd ...` command in a shell block, up to the next pipe or redirection."""
    commands = []
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words and Path(words[0]).name == "neuralmd":
            end = next((i for i, w in enumerate(words) if w in ("|", "&&", ";", ">", "&")), None)
            commands.append(words[1:end])
    return commands


@functools.cache
def help_of(command: str | None) -> str:
    program = Path(sys.executable).with_name("neuralmd")
    arguments = [command, "--help"] if command else ["--help"]
    environment = {**os.environ, "COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, f"neuralmd {command} --help: {done.stderr or done.stdout}"
    return done.stdout


def check_command(words: list[str]) -> None:
    command = words[0] if words and not words[0].startswith("-") else None
    known = re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", help_of(command))
    unknown = {w.split("=")[0] for w in words if re.match(r"--?[A-Za-z]", w)} - {*known, "--help"}
    assert not unknown, f"neuralmd {' '.join(words)}: no such option: {', '.join(sorted(unknown))}"


def test_the_blocks_are_found() -> None:
    text = "a\n```python\nx = 1\n```\n<!-- not run: needs a GPU -->\n```bash\nls\n```\n"
    assert blocks_of(text) == [
        Block("python", "x = 1\n", 3, None),
        Block("bash", "ls\n", 7, "needs a GPU"),
    ]


def test_the_commands_are_found() -> None:
    code = (
        "pip install x\n$ neuralmd train \\\n  --seed 1  # once\n.venv/bin/neuralmd info a | less\n"
    )
    assert command_lines(code) == [["train", "--seed", "1"], ["info", "a"]]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = blocks("python")
    assert any(block.not_run is None for block in found), "README.md has no Python that runs"
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for block in found:
        if block.not_run is None:
            padded = "\n" * (block.line - 1) + block.code  # tracebacks show the README's lines
            exec(compile(padded, str(README), "exec"), namespace)


def test_commands_and_their_options_exist() -> None:
    commands = [c for block in blocks("bash", "sh", "console") for c in command_lines(block.code)]
    assert commands, "README.md shows no neuralmd command"
    for words in commands:
        check_command(words)


def test_an_invented_option_is_noticed() -> None:
    with pytest.raises(AssertionError, match="--no-such-option"):
        check_command(["doctor", "--no-such-option"])
