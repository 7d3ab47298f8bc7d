"""Blocks of code in a Markdown page, and the commands in them."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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
        [program, *arguments], capture_output=True, text=True, env=environment, timeout=900
    )
    assert done.returncode == 0, f"neuralmd {command} --help: {done.stderr or done.stdout}"
    return done.stdout


def check_command(words: list[str]) -> None:
    command = words[0] if words and not words[0].startswith("-") else None
    known = re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", help_of(command))
    unknown = {w.split("=")[0] for w in words if re.match(r"--?[A-Za-z]", w)} - {*known, "--help"}
    assert not unknown, f"neuralmd {' '.join(words)}: no such option: {', '.join(sorted(unknown))}"
