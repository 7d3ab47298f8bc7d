"""Settings files: YAML that is checked, with one line for whatever is wrong in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from .errors import InputError

T = TypeVar("T")


def read_mapping(path: Path, example: str) -> dict[str, Any]:
    """What a YAML file of 'name: value' lines holds.

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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
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
