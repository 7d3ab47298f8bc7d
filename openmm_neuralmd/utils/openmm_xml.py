"""OpenMM's XML read as data; content that would run code or load a file is refused.

`XmlSerializer.deserialize` unpickles the function of a PythonForce, and a pickle is a program.  It
also lets plug-ins read files that the XML names (TorchForce).  The text is therefore scanned first:
only classes that OpenMM itself brings, without PythonForce, may be in it.
"""

from __future__ import annotations

import re
from typing import TypeVar
from xml.parsers import expat

import openmm

from ..errors import InputError, one_line

T = TypeVar("T")

PROGRAMS = ("PythonForce", "TorchForce")
"""Forces that hold code, or name a file that does."""

_DEPTH = 32
"""Levels of elements; OpenMM's own files have eight."""

_TYPE = re.compile(r"""\btype\s*=\s*['"]?([^'">\s/]*)""")


def deserialize(text: str, kind: type[T], source: str) -> T:
    """The System, State or Integrator in an XML text.

    Parameters
    ----------
    text : str
    kind : type
        Class that the text must hold.
    source : str
        File name, for messages.

    Raises
    ------
    InputError
        The text holds code, another class, or cannot be read.
    """
    check_harmless(text, source)
    try:
        value = openmm.XmlSerializer.deserialize(text)
    except Exception as error:  # the reader raises whatever a damaged value leads to
        raise InputError(f"cannot read {source}: {one_line(error)}") from error
    if not isinstance(value, kind):
        raise InputError(
            f"cannot read {source}: it holds a {type(value).__name__}, not a {kind.__name__}"
        )
    return value


def check_harmless(text: str, source: str) -> None:
    """Refuse XML that would run code, load a plug-in's file or exhaust the reader.

    The rules hold whichever parser reads the text: a class name cannot be hidden by character
    references, entities, quotes or comments, because those are refused or scanned too.

    Raises
    ------
    InputError
    """
    for name in PROGRAMS:
        if name in text:
            raise InputError(
                f"{source} holds a {name}, which would run code of whoever wrote the file; "
                "it was not opened (docs/security.md)"
            )
    if "&#" in text or "<!" in text.replace("<!--", ""):
        raise InputError(
            f"{source} has character references or a document type, which OpenMM does not write; "
            "it was not opened (docs/security.md)"
        )
    for name in sorted(set(_TYPE.findall(text))):
        if not name.lstrip("-").isdigit() and not isinstance(getattr(openmm, name, None), type):
            raise InputError(
                f"{source} needs '{name[:40]}', which OpenMM itself does not have; "
                "only classes of OpenMM are read"
            )
    check_form(text, source)


def check_form(text: str, source: str) -> None:
    """Refuse XML that is malformed or deep: OpenMM's reader calls itself for each level."""
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH:
            raise InputError(f"cannot read {source}: its elements are nested too deeply")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(text.encode("utf-8", "surrogatepass"), True)
    except expat.ExpatError as error:
        raise InputError(f"cannot read {source}: {one_line(error)}; it may be damaged") from error
