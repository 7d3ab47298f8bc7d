"""Options that belong together: a dataclass declares them, a command gets them as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command's parameters of dataclasses options of their own.

    Typer reads the options of a command from its signature. Here a parameter whose type is a
    dataclass stands for all of its fields, each an `Annotated` option with a default; the command
    is called with an instance.

    Parameters
    ----------
    command : callable
        With every annotation importable at run time.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            parameters += _options(groups[name])
        else:
            parameters.append(_option(name, hints[name], parameter.default))

    @wraps(command)
    def call(**words: Any) -> None:
        for name, kind in groups.items():
            words[name] = kind(**{f.name: words.pop(f.name) for f in fields(kind)})
        command(**words)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call


def _options(group: Any) -> list[inspect.Parameter]:
    """Parameters of a signature, one for each field of a dataclass."""
    hints = get_type_hints(group, include_extras=True)
    return [_option(field.name, hints[field.name], field.default) for field in fields(group)]


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    empty = inspect.Parameter.empty if default is MISSING else default
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=empty, annotation=annotation)
