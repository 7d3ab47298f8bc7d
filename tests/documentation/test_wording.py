"""Wording of docstrings, help texts, names and pages: the worst patterns do not come back.

`unmended.txt` lists files that still have some of them. A file on the list without any has to be
taken off it, so that the list only shrinks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("openmm_neuralmd", "plugins", "validation", "scripts", "examples", "benchmarks")
UNMENDED = Path(__file__).with_name("unmended.txt")
FRAGMENT = re.compile(
    r"(What|Whether|Everything|Something|Of|As|Those|That|So|Told|Tell|Made|Half|Both|Nothing|No"
    r"|None|Better|Worse|Its|Their|For|From|By|With|Without|Within|Until|Before|In|On|At|To|How"
    r"|Why|Where|Which)\b(?! (soon|long|far) as\b)"
    r"|\(|\S+\Z|[A-Z][a-z]+ it\b(?! is\b)"
)
"""Docstring that is neither a sentence nor names a thing: 'Of the model as it is now.', 'Do it.'"""
NAMES = {"found", "told", "made", "kept"}
"""Participles that say nothing about what a name holds."""
HELP = re.compile(
    r"\b(at most so|so many|so long|what it is worth|how right|new beginning)\b"
    r"|^(Of|What|How|Which|Where|From|With|As)\b",
    re.IGNORECASE,
)
LINE = re.compile(
    r"\b(to go on|going on|added anew|trains anew|owe nothing|kept:|stands? (at|in|on))(?!\w)"
)
"""Private English in lines that commands print."""
PRINTED = {"say", "echo", "note", "tell"}
PAGE = re.compile(
    r"\b(how\s+right|what\s+(it\s+is|they\s+are)\s+worth|trivial\s+forecast|told\s+otherwise|nobody"
    r"|at\s+hand|stands?\s+still|level\s+with|laid\s+on|in\s+no\s+way\s+like|comes?\s+near"
    r"|goes\s+on\s+(as|from|where|with)|begins\s+behind|says\s+of\s+(itself|each))\b",
    re.IGNORECASE,
)
"""Private English on pages; 'standing still' is a verdict of the report."""


def wording(text: str) -> Iterator[str]:
    """Faults of a Python file, each with its line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring and FRAGMENT.match(docstring):
                line = node.body[0].lineno
                yield f"{line}: docstring is a fragment: {docstring.splitlines()[0]}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in NAMES:
            yield f"{node.lineno}: '{node.id}' does not say what it holds"
        elif isinstance(node, ast.keyword) and node.arg == "help":
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and HELP.search(str(part.value)):
                    yield f"{part.lineno}: help text: {part.value}"
        elif isinstance(node, ast.Call) and _name(node.func) in PRINTED:
            for part in (part for word in node.args for part in ast.walk(word)):
                if isinstance(part, ast.Constant) and LINE.search(str(part.value)):
                    yield f"{part.lineno}: printed line: {part.value}"


def _name(function: ast.expr) -> str:
    """Name of a function or method that is called."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def unmended() -> set[str]:
    lines = UNMENDED.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def programs() -> list[Path]:
    return sorted(path for folder in PROGRAMS for path in (ROOT / folder).rglob("*.py"))


def pages() -> list[Path]:
    return sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def faults(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return list(wording(text))
    plain = re.sub(r"<!-- table: .*?<!-- end of table -->", "", text, flags=re.DOTALL)
    return [f"'{match[0]}'" for match in PAGE.finditer(plain)]


def test_every_fault_is_seen() -> None:
    text = (
        '"""Of this module."""\nfound = 1\n'
        "def f(): ...\nf(help='At most so many.')\nf(help='Of the network.')\n"
    )
    assert [fault.split(":")[0] for fault in wording(text)] == ["1", "2", "4", "5"]
    assert list(wording("say(f'going on from update {n}')")) == [
        "1: printed line: going on from update "
    ]
    for first in ("What a file is.", "Whether it is there.", "(N, 3) in nm.", "Take it up again."):
        assert len(list(wording(f'def f():\n    """{first}"""\n'))) == 1
    for first in ("How a target is prepared.", "From a structure.", "That of its solver.", "Its."):
        assert len(list(wording(f'def f():\n    """{first}"""\n'))) == 1
    assert not list(wording('"""Read a file."""\nresult = f(help="Maximum number of epochs.")\n'))


@pytest.mark.parametrize("path", [*programs(), *pages()], ids=lambda p: str(p.relative_to(ROOT)))
def test_wording(path: Path) -> None:
    name, wrong = path.relative_to(ROOT).as_posix(), faults(path)
    if name in unmended():
        assert wrong, f"{name} is mended: take it off {UNMENDED.name}"
    else:
        assert not wrong, f"{name}: " + "; ".join(wrong)


def test_the_list_names_files() -> None:
    assert all((ROOT / name).is_file() for name in unmended())
