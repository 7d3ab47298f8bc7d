"""Libraries that a plain installation lacks, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from ..errors import InputError


def installed(library: str) -> bool:
    """Test whether a library of an extra is installed, without importing it."""
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:
        return False


def optional_import(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a library of an extra, or say in one line how to install it.

    Parameters
    ----------
    module : str
        Name of the module, such as 'prolif' or 'distributed.scheduler'.
    extra : str
        The extra of `setup.py` that installs it.
    purpose : str
        What needs it, as the subject of the message.

    Raises
    ------
    InputError
        The library is not installed. An error inside an installed library is passed on unchanged.

    Examples
    --------
    >>> optional_import("json", extra="test", purpose="this example").dumps([1])
    '[1]'
    >>> optional_import("no_such_library", extra="test", purpose="this example")
    Traceback (most recent call last):
    openmm_neuralmd.errors.InputError: this example needs no_such_library, which is not installed: \
pip install 'openmm_neuralmd[test]'
    """
    library = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        raise InputError(
            f"{purpose} needs {library}, which is not installed: "
            f"pip install 'openmm_neuralmd[{extra}]'"
        ) from error
