"""Settings files: YAML that is checked, with one line for each error in it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from ..errors import InputError

T = TypeVar("T")


_ALIASES = 20


class PlainLoader(yaml.SafeLoader):
    """YAML with a few aliases only: many of them can stand for more values than memory holds."""

    aliases = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """One value of the file."""
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > _ALIASES:
                raise yaml.YAMLError(f"more than {_ALIASES} aliases (*); write the values out")
        return super().compose_node(parent, index)


def read_mapping(path: Path, example: str) -> dict[str, Any]:
    """Read a YAML file of 'name: value' lines.

    Parameters
    ----------
    path : Path
    example : str
        A file that shows how it is done, for the message.

    Raises
    ------
    InputError
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), PlainLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a readable settings file: {reason}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: settings must be 'name: value' lines, see {example}")
    return content


def validated(kind: type[T], content: Any, source: str) -> T:
    """Settings of a type, or an InputError that names `source` and the first bad setting."""
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        raise InputError(f"{source}: {where}: {first['msg']}") from error


def made(kind: type[T], content: Any, source: str) -> T:
    """A dataclass of settings from what a file holds; settings it does not know are refused.

    Parameters
    ----------
    kind : type
        A plain dataclass.
    content, source
        See `validated`.
    """
    strict: Any = checked(kind, frozen=True, config=ConfigDict(extra="forbid"))
    settings = validated(strict, content, source)
    return kind(**{field.name: getattr(settings, field.name) for field in fields(strict)})
