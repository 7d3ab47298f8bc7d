"""Words of Tcl: what VMD's commands take and give back."""

from __future__ import annotations

import re


def due(given: object, expected: object) -> None:
    """ValueError unless both are the same."""
    if given != expected:
        raise ValueError(f"{given}, {expected} is due")


def natural(word: str) -> int:
    if not word.isdecimal():
        raise ValueError(f"{word}: a number from 0 on is due")
    return int(word)


def vector(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def tcl(value: object) -> str:
    """As Tcl writes it: a list is its elements, braces around those with spaces or of nothing."""
    if value is None:
        return ""
    if not isinstance(value, list):
        return str(value)
    return " ".join(_element(item) for item in value)


def _element(item: object) -> str:
    text = tcl(item)
    return text if text and not re.search(r"[\s{}]", text) else f"{{{text}}}"
