"""Description of a file: model, structure, trajectory, exported force, run or settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from ..structure.complex import Complex

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Information:
    """Description of a file: its kind, and rows of a table.

    Attributes
    ----------
    kind : str
        In words: 'model', 'trajectory', ...
    rows : list of (name, value)
    """

    kind: str
    rows: Rows


@dataclass(frozen=True)
class _Request:
    path: Path
    complex: Complex | None
    interval: float | None
    ligand: str | None
    coordinates: Path | None


def describe_file(
    file: str | Path,
    *,
    complex: Complex | None = None,
    interval: float | None = None,
    ligand: str | None = None,
    coordinates: Path | None = None,
) -> Information:
    """Describe a file, by its suffix and its content.

    Parameters
    ----------
    file : path or str
        A bundled model may be given by its name.
    complex : Complex, optional
        Whose trajectory it is.
    interval : float, optional
        ps between its snapshots, where the file does not say.
    ligand, coordinates
        For a structure: see `Complex.from_files`.

    Raises
    ------
    InputError, ModelError
        File missing, damaged, or of no kind that is known here.
    """
    path = Path(file)
    if not path.exists():
        from ..model import bundled_models

        models = bundled_models()
        if str(file) not in models:
            names = ", ".join(models) or "none"
            raise InputError(f"{file}: no such file, and no bundled model (these are: {names})")
        path = models[str(file)]
    if path.is_dir():
        raise InputError(f"{path}: a folder; name a file in it")
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        known = ", ".join(_READERS)
        raise InputError(f"{path}: '{suffix}' is no kind of file known here; known are: {known}")
    return _READERS[suffix](_Request(path, complex, interval, ligand, coordinates))


def _table(values: dict[str, Any], prefix: str = "") -> Rows:
    """Flatten nested values into rows, 'outer.inner'."""
    rows: Rows = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += _table(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, entry in enumerate(value):
                rows += _table(entry, f"{prefix}{key}.{number}.")
        else:
            rows += [] if value is None else [(f"{prefix}{key}", _shown(value))]
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        shown = [_shown(entry) for entry in value]
        more = f", ... ({len(shown)} in all)" if len(shown) > 12 else ""
        return ", ".join(shown[:12]) + more
    return str(value)


def _safetensors(request: _Request) -> Information:
    """Describe a model, or the state of a training run."""
    from safetensors import SafetensorError, safe_open

    from ..errors import ModelError

    try:
        with safe_open(str(request.path), "pt") as file:
            header = file.metadata() or {}
            weights = sum(file.get_tensor(key).numel() for key in file.keys())
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{request.path}: damaged, or not a safetensors file: {error}") from error
    if "counters" in header:
        return _training_state(header)
    if "stages" in header:
        done = {"stages done": json.loads(header["stages"])["stages"]}
        rows = _table(done) + _table(json.loads(header["settings"]), "settings.")
        return Information("state of a training run", rows)
    return _model(request.path, weights)


def _training_state(header: dict[str, str]) -> Information:
    counters = json.loads(header["counters"])
    best = {"best validation error": counters["best"], "of epoch": counters["best_epoch"]}
    done = {"updates done": counters["update"], "epochs done": len(counters["history"]), **best}
    rows = _table(done) + _table(json.loads(header["settings"]), "settings.")
    return Information("state of a training run", rows)


def _model(path: Path, weights: int) -> Information:
    from openmm.app import Element

    from ..model import kinds, read_card
    from ..structure.residues import RESIDUE_TYPES
    from ..utils.files import sha256

    card = read_card(path).model_dump(mode="json")
    card["elements"] = [Element.getByAtomicNumber(z).symbol for z in card["elements"]]
    card["residue_types"] = [RESIDUE_TYPES[i] for i in card["residue_types"]]
    rows = [("file", str(path)), ("sha256", sha256(path)), ("weights", f"{weights:,}")]
    kind = kinds().get(card["kind"])
    limits = [] if kind is None else [("limit", sentence) for sentence in kind.limits]
    return Information("model", rows + _table(card) + limits)


def _structure(request: _Request) -> Information:
    """Describe residues, chains, gaps and ligand; or say why this cannot be used as a complex."""
    from ..structure.complex import Complex
    from ..structure.readers import read_structure

    structure = read_structure(request.path, request.coordinates)
    topology = structure.topology
    chains = [f"{c.id} ({len(list(c.residues()))} residues)" for c in topology.chains()]
    rows = [("atoms", str(topology.getNumAtoms())), ("chains", _shown(chains))]
    try:
        complex = Complex.from_files(
            request.path, ligand=request.ligand, coordinates=request.coordinates
        )
    except InputError as error:
        names = Counter(residue.name for residue in topology.residues())
        rows.append(("residues", _shown([f"{n} {count}" for n, count in names.items()])))
        return Information("structure", [*rows, ("as a complex", f"not usable: {error}")])
    return Information("complex", rows + _complex_rows(complex))


def _complex_rows(complex: Complex) -> Rows:
    from ..structure.residues import describe

    residues = list(complex.topology.residues())
    atoms = list(complex.topology.atoms())
    ligand = atoms[complex.ligand[0]].residue
    protein = [atoms[i].residue for i in complex.backbone[:, 1]]
    breaks = [
        f"{describe(a)} | {describe(b)}"
        for a, b, linked in zip(protein[:-1], protein[1:], complex.linked)
        if not linked and a.chain is b.chain
    ]
    others = Counter(r.name for r in residues if r is not ligand and r not in set(protein))
    box = "none" if complex.box is None else _shown(complex.box.diagonal().tolist()) + " nm"
    heavy, bonds = len(complex.heavy), len(complex.ligand_bonds)
    return [
        ("amino acids", str(complex.n_residues)),
        ("gaps in chains", _shown(breaks) or "none"),
        (
            "ligand",
            f"{describe(ligand)}: {len(complex.ligand)} atoms, {heavy} heavy, {bonds} bonds",
        ),
        ("other residues", _shown([f"{n} {count}" for n, count in others.items()]) or "none"),
        ("box", box),
        ("fingerprint", complex.fingerprint()),
    ]


def _trajectory(request: _Request) -> Information:
    from .describe_trajectory import describe_trajectory

    rows = describe_trajectory(request.path, request.complex, request.interval)
    return Information("trajectory", rows)


def _force(request: _Request) -> Information:
    from ..simulation.export import read_artifact

    artifact = read_artifact(request.path)
    return Information("exported force", [("sha256", artifact.sha256), *_table(artifact.metadata)])


def _yaml(request: _Request) -> Information:
    """Describe the provenance of a run, or the settings of a training."""
    from ..utils.settings import read_mapping

    content = read_mapping(request.path, "examples/train.yaml")
    if {"command", "versions"} <= content.keys():
        return Information("record of a run", _table(content))
    if "runs" in content:
        from ..training.one_structure import read_one_structure

        settings = read_one_structure(request.path, {}).model_dump(mode="json")
        return Information("training settings", _table(settings))
    if "data" in content:
        from ..training.settings import read_settings

        settings = read_settings(request.path).model_dump(mode="json")
        return Information("training settings", _table(settings))
    raise InputError(f"{request.path}: YAML, but neither the record of a run nor training settings")


_READERS: dict[str, Callable[[_Request], Information]] = {
    ".safetensors": _safetensors,
    **dict.fromkeys((".pdb", ".ent", ".cif", ".mmcif", ".pdbx", ".prmtop", ".parm7"), _structure),
    **dict.fromkeys(
        (".dcd", ".xtc", ".trr", ".nc", ".netcdf", ".ncdf", ".h5", ".hdf5"), _trajectory
    ),
    ".pt": _force,
    **dict.fromkeys((".yaml", ".yml"), _yaml),
}
