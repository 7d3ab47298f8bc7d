"""Base class of the commands: errors become one line on standard error and an exit code."""

from __future__ import annotations

import errno
import logging
import shlex
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from ..errors import NeuralMDError, system_error


class Command(TyperCommand):
    """A command without tracebacks, unless `neuralmd --debug` asks for them.

    Exit codes: 0 done, 1 failed for the reason shown, 2 wrong usage (typer's own).
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        debug = bool(ctx.find_root().params.get("debug"))
        try:
            with nullcontext() if debug else _only_our_warnings():
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(1) from None
        except Exception as error:
            if debug or getattr(error, "errno", None) == errno.EPIPE:
                raise
            say(f"error: {explain(error)}")
            raise typer.Exit(1) from None


def explain(error: Exception) -> str:
    """An exception in one line: what is wrong, or where to find out."""
    text = " ".join(str(error).split())
    if isinstance(error, NeuralMDError):
        return text
    if isinstance(error, OSError) and error.errno is not None:
        return system_error(error)
    return f"unexpected {type(error).__name__}: {text}; run again with 'neuralmd --debug ...'"


def say(text: str) -> None:
    """Print one line on standard error; results go to standard output."""
    typer.echo(f"neuralmd: {text}", err=True)


def say_next(*words: str | Path) -> None:
    """Print the command that usually follows, quoted for a shell, on standard output."""
    typer.echo(f"next: {shlex.join(map(str, words))}")


@contextmanager
def resumable(hint: str) -> Iterator[None]:
    """End this block at Ctrl-C with a line that says how to continue."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; {hint}")
        raise typer.Exit(1) from None


@contextmanager
def _only_our_warnings() -> Iterator[None]:
    """Show warnings about the user's input in one line, and none of libraries."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category.__module__.startswith("openmm_neuralmd"):
            say(f"note: {' '.join(str(message).split())}")

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield
    finally:
        logging.disable(before)


def set_aside(files: Iterable[Path], folder: Path) -> None:
    """Move what exists of `files` into the first unused of `folder`-1, `folder`-2, ... and say so.

    This is what --restart does with earlier output.
    """
    present = [file for file in files if file.exists()]
    if not present:
        say("no earlier output to set aside")
        return
    names = (folder.with_name(f"{folder.name}-{number}") for number in count(1))
    unused = next(name for name in names if not name.exists())
    unused.mkdir(parents=True)
    for file in present:
        file.rename(unused / file.name)
    say(f"the earlier output is now in {unused}")
