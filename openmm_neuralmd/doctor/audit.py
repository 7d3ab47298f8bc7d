"""Audit of files from other people: they are read as bytes and plain data, and never run."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py

from ..errors import InputError, NeuralMDError, one_line
from ..utils.files import sha256
from ..utils.hdf5 import opened
from ..utils.openmm_xml import check_harmless

DATA, PROGRAM, DAMAGED = "data", "program", "damaged"

_PROGRAMS = {".py", ".sh", ".pkl", ".pickle", ".pth", ".ckpt", ".so", ".lh5", ".ipynb"}
_IMPORTING = {"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE"}
_MOST_FILES = 10_000


@dataclass(frozen=True)
class Finding:
    """Audit result of one file.

    Attributes
    ----------
    file : Path
    verdict : 'data', 'program' or 'damaged'
    text : str
        What opening it would do, in one line.
    """

    file: Path
    verdict: str
    text: str


def audit(path: str | Path) -> list[Finding]:
    """Findings for a file, or for every file of a folder.

    Raises
    ------
    InputError
        No such file or folder.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"no such file: {path}")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if not p.is_dir())
    if len(files) > _MOST_FILES:
        raise InputError(f"{path}: more than {_MOST_FILES} files; name a part of it")
    return [_finding(file, path) for file in files]


def _finding(file: Path, top: Path) -> Finding:
    if file.is_symlink() and top not in file.resolve().parents and top.is_dir():
        return Finding(file, PROGRAM, f"a link out of the folder, to {file.resolve()}")
    look = _LOOKS.get(file.suffix.lower(), _unknown)
    if file.suffix.lower() in _PROGRAMS:
        look = _program
    try:
        return Finding(file, *look(file))
    except (NeuralMDError, OSError, ValueError, RuntimeError) as error:
        return Finding(file, DAMAGED, one_line(error))


def _program(file: Path) -> tuple[str, str]:
    return PROGRAM, "runs when it is opened by what it is made for; neuralmd never opens it"


def _xml(file: Path) -> tuple[str, str]:
    try:
        check_harmless(file.read_text(errors="replace"), file.name)
    except InputError as error:
        held = "would run" in str(error) or "needs '" in str(error)
        return (PROGRAM if held else DAMAGED), str(error)
    return DATA, "OpenMM's own classes and numbers"


def _torchscript(file: Path) -> tuple[str, str]:
    from ..simulation.export import read_artifact

    metadata = read_artifact(file).metadata
    return PROGRAM, (
        f"TorchScript of a {metadata['quantity']}, SHA-256 {sha256(file)[:12]}…; it runs where a "
        "System that names it makes a Context; 'neuralmd info' only reads its metadata"
    )


def _hdf5(file: Path) -> tuple[str, str]:
    with opened(file) as content:
        findings = list(_in_hdf5(content))
    if findings:
        return PROGRAM, f"{findings[0]} ({len(findings)} such); neuralmd reads the arrays alone"
    return DATA, "arrays"


def _in_hdf5(content: h5py.File) -> Iterator[str]:
    """Links out of the file and pickles; each object once, however it is linked."""
    waiting, seen = [content["/"]], set()
    while waiting:
        node = waiting.pop()
        token = h5py.h5o.get_info(node.id).addr
        if token in seen:
            continue
        seen.add(token)
        for name in node.attrs:
            if _is_pickle(node.attrs.get_id(name), node.attrs, name):
                yield f"attribute {name} of {node.name} is a pickle, which PyTables would run"
        if isinstance(node, h5py.Dataset):
            if node.is_virtual or node.external:
                yield f"{node.name} has its numbers in another file"
            continue
        for name in node:
            if isinstance(node.get(name, getlink=True), h5py.HardLink):
                waiting.append(node[name])
            else:
                yield f"{node.name.rstrip('/')}/{name} is a link"


def _is_pickle(identity: h5py.h5a.AttrID, attributes: h5py.AttributeManager, name: str) -> bool:
    if identity.get_storage_size() > 2**24 or identity.dtype.kind not in "SOV":
        return False
    value = attributes[name]
    content = value.encode("latin-1", "replace") if isinstance(value, str) else bytes(value)
    try:
        return any(code.name in _IMPORTING for code, _, _ in pickletools.genops(content))
    except (ValueError, IndexError, UnicodeError):
        return False


def _npz(file: Path) -> tuple[str, str]:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                if b"'|O'" in member.read(256):
                    return PROGRAM, f"{name} is pickled; neuralmd refuses it"
    return DATA, "arrays"


def _yaml(file: Path) -> tuple[str, str]:
    from ..utils.settings import read_mapping

    content = read_mapping(file, "examples")
    paths = [str(v) for v in _values(content) if isinstance(v, str) and _leaves(v)]
    if paths:
        return DATA, f"settings; names files outside of its folder: {', '.join(paths[:3])}"
    return DATA, "settings or a record"


def _values(content: object) -> Iterator[object]:
    if isinstance(content, dict):
        for value in content.values():
            yield from _values(value)
    elif isinstance(content, list):
        for value in content:
            yield from _values(value)
    else:
        yield content


def _leaves(text: str) -> bool:
    return text.startswith(("/", "~")) or ".." in text.split("/")


def _plain(file: Path) -> tuple[str, str]:
    return DATA, "read as text or numbers"


def _unknown(file: Path) -> tuple[str, str]:
    return DATA, "no kind of file that neuralmd opens"


_LOOKS: dict[str, Callable[[Path], tuple[str, str]]] = {
    ".xml": _xml,
    ".pt": _torchscript,
    **dict.fromkeys((".h5", ".hdf5"), _hdf5),
    ".npz": _npz,
    **dict.fromkeys((".yaml", ".yml"), _yaml),
    **dict.fromkeys(
        (".pdb", ".ent", ".cif", ".sdf", ".prmtop", ".rst7", ".xtc", ".dcd", ".trr", ".nc"), _plain
    ),
    **dict.fromkeys((".csv", ".json", ".gro", ".top", ".safetensors", ".gz"), _plain),
}
