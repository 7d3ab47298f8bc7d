"""README.md is executed: its Python runs, and its command lines name what exists.

A block that cannot run in a test is marked in the README itself, on the line before it:
`<!-- not run: reason -->`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from document_blocks import Block, blocks_of, check_command, command_lines

README = Path(__file__).parents[2] / "README.md"


def blocks(*languages: str) -> list[Block]:
    return [block for block in blocks_of(README.read_text()) if block.language in languages]


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
