"""Small pieces of error messages."""

from __future__ import annotations

from collections.abc import Iterable


def shown(items: Iterable[str], most: int = 5) -> str:
    """A list for a message, cut after a few items."""
    every = list(items)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest


def one_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type when it has none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip("# \t")]
    return lines[0] if lines else type(error).__name__
