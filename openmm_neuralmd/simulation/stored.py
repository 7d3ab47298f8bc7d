"""Reading of Systems with NeuralMD forces from XML, without running code in the XML.

OpenMM keeps the function of a PythonForce as a pickle.  Here it is thrown away: a NeuralMD force
is rebuilt from its name, which says quantity, hash and file of the exported module, and every
other PythonForce is refused.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import openmm

from ..errors import InputError, ModelError
from ..utils.openmm_xml import PROGRAMS, check_form, deserialize
from .backends import check_hash
from .export import read_artifact
from .force import PREFIX, cache_folder, force_from_artifact


def deserialize_system(text: str, *, trust: bool = False, source: str = "the XML") -> openmm.System:
    """A System from XML, with its NeuralMD forces rebuilt.

    The exported module is TorchScript, a program.  Its hash stands in the same XML, so it proves
    that both belong together and nothing about who made them.  By default only modules in this
    user's own cache are run.

    Parameters
    ----------
    text : str
        What `serialize_system` or `openmm.XmlSerializer` wrote.
    trust : bool
        Run exported modules from any folder: you know who made them.
    source : str
        File name, for messages.

    Raises
    ------
    InputError
        The XML holds another PythonForce, or cannot be read.
    ModelError
        A module is missing, was changed, or lies outside of the cache and `trust` is False.

    Examples
    --------
    >>> import openmm
    >>> empty = openmm.XmlSerializer.serialize(openmm.System())
    >>> deserialize_system(empty).getNumParticles()
    0
    """
    check_form(text, source)
    root = ElementTree.fromstring(text)
    nodes = root.find("Forces")
    ours: dict[int, openmm.Force] = {}
    for index, node in enumerate(list(nodes) if nodes is not None else ()):
        if node.get("type") in PROGRAMS and node.get("name", "").startswith(f"{PREFIX}:"):
            assert nodes is not None
            ours[index] = _rebuilt(node.get("name", ""), node.get("forceGroup", "0"), trust, source)
            nodes.remove(node)
    system = deserialize(ElementTree.tostring(root, encoding="unicode"), openmm.System, source)
    return _with_forces(system, ours)


def _rebuilt(name: str, group: str, trust: bool, source: str) -> openmm.Force:
    parts = name.split(":", 3)
    if len(parts) != 4 or not group.isdigit() or int(group) > 31:
        raise InputError(f"{source}: '{name[:60]}' names no exported NeuralMD force")
    _, quantity, digest, file = parts
    path = Path(file)
    check_hash(file, digest)
    if not trust and path.resolve().parent != cache_folder().resolve():
        raise ModelError(
            f"{source} runs {file}, which this user's own cache ({cache_folder()}) does not have; "
            "make the force again with NeuralMDForce, or read with trust=True"
        )
    artifact = read_artifact(path)
    if artifact.metadata["quantity"] != quantity:
        raise ModelError(f"{file}: it gives {artifact.metadata['quantity']}, not {quantity}")
    return force_from_artifact(artifact, forceGroup=int(group))


def _with_forces(system: openmm.System, ours: dict[int, openmm.Force]) -> openmm.System:
    """The System with each force of `ours` at its index."""
    if not ours:
        return system
    others = [openmm.XmlSerializer.clone(force) for force in system.getForces()]
    for index in reversed(range(system.getNumForces())):
        system.removeForce(index)
    remaining = iter(others)
    for index in range(len(others) + len(ours)):
        system.addForce(ours[index] if index in ours else next(remaining))
    return system
