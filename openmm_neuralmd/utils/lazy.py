"""Packages whose names are imported at their first use: a command pays for what it needs alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def at_first_use(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package.

    Parameters
    ----------
    package : str
        Its `__name__`.
    modules : mapping of str to str
        The module of each public name, relative to the package: '.pipeline', '..model'.

    Examples
    --------
    >>> at_first_use("openmm_neuralmd", {"to_nm": ".units"})("to_nm")(10.0)
    1.0
    """

    def value(name: str) -> Any:
        if name in modules:
            return getattr(import_module(modules[name], package), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return value
