"""Sufficient statistics of reference MD: all that the one-structure model learns from.

Reads the packed files of reference set 'many' (ID.sdf, ID.pdb.gz, ID.npz) and complex folders with
a trajectory (ligand.sdf, start.pdb.gz, topology.pdb, trajectory.xtc).  Positions in Å.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from openmm import app, unit
from rdkit import Chem

from ..bindingnet.chemistry import LigandChemistry, ligand_chemistry
from ..bindingnet.pocket import PocketAtoms, pocket_atoms
from ..bindingnet.side_chains import side_chains
from ..bindingnet.structure import POCKET_CUTOFF
from ..errors import InputError
from ..trajectory.xtc import check_xtc
from ..units import to_angstrom
from .side_chain_statistics import SideChainStatistics, side_chain_statistics

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RunStatistics:
    """A complex and what its runs did.

    Attributes
    ----------
    name, target : str
    molecule : rdkit.Chem.Mol
    chemistry : LigandChemistry
    start : (n, 3)
        Heavy atoms of the given pose.
    pocket : PocketAtoms
        Heavy atoms of the protein around the given pose.
    runs : list of (T, n, 3)
        Snapshots of each run.
    interval_ps : float
    side_chains : SideChainStatistics or None
        Of the side chains around the given pose, where the runs have them.
    """

    name: str
    target: str
    molecule: Chem.Mol
    chemistry: LigandChemistry
    start: Array
    pocket: PocketAtoms
    runs: list[Array]
    interval_ps: float
    side_chains: SideChainStatistics | None = None

    @property
    def frames(self) -> Array:
        """Every snapshot (S, n, 3)."""
        return np.concatenate(self.runs)

    @property
    def window_ps(self) -> float:
        """Length of the shortest run, ps: RMSFs are about the mean of a run."""
        return self.interval_ps * min(len(run) for run in self.runs)

    @cached_property
    def mean(self) -> Array:
        """Mean structure (n, 3), each run with the same weight."""
        return np.mean([run.mean(axis=0) for run in self.runs], axis=0)

    @cached_property
    def covariance(self) -> Array:
        """Covariance (3n, 3n) about `mean`, in Å²: within the runs and between them."""
        size = 3 * len(self.start)
        total = np.zeros((size, size))
        for run in self.runs:
            away = (run - self.mean).reshape(len(run), size)
            total += away.T @ away / len(run)
        return total / len(self.runs)

    def part(self, first: float, last: float) -> RunStatistics:
        """Copy with a share of each run, from `first` to `last` (0 to 1)."""
        cut = [run[int(first * len(run)) : int(last * len(run))] for run in self.runs]
        return replace(self, runs=cut)


def read_packed(folder: Path, names: Iterable[str] | None = None) -> list[RunStatistics]:
    """Complexes of a folder with ID.sdf, ID.pdb.gz and ID.npz; those not complete are left out.

    Targets are those of `manifest.json`, where the folder has one.
    """
    manifest = Path(folder) / "manifest.json"
    entries = json.loads(manifest.read_text())["complexes"] if manifest.is_file() else {}
    statistics = []
    for path in sorted(Path(folder).glob("*.npz")):
        base = path.with_suffix("")
        files = [Path(f"{base}.sdf"), Path(f"{base}.pdb.gz")]
        if (names is not None and base.name not in names) or not all(f.is_file() for f in files):
            continue
        with np.load(path) as arrays:
            start = arrays["start"].astype(np.float64)
            runs = [start + 0.01 * run.astype(np.float64) for run in arrays["frames"]]
            interval = float(arrays["interval_ps"])
            pocket = [arrays[key] for key in ("pocket", "pocket_mean", "pocket_covariance")]
        one = _complex(base.name, files[0], files[1], runs, interval)
        target = entries.get(base.name, {}).get("target", one.target)
        side = side_chains(*read_protein(files[1]), one.chemistry, one.start)
        moving = side_chain_statistics(side, *pocket)
        statistics.append(replace(one, target=target, side_chains=moving))
    return statistics


def read_trajectory(folder: Path, name: str | None = None) -> RunStatistics:
    """A complex folder with one run; the snapshots stand in the frame of start.pdb.gz."""
    import mdtraj

    path = Path(folder)
    check_xtc(path / "trajectory.xtc")
    trajectory = mdtraj.load(str(path / "trajectory.xtc"), top=str(path / "topology.pdb"))
    molecule = read_ligand(path / "ligand.sdf")
    heavy = ligand_chemistry(molecule).atoms
    residues = [r for r in trajectory.topology.residues if r.n_atoms == molecule.GetNumAtoms()]
    ligand = next((r for r in residues if _elements(r) == _elements(molecule)), None)
    if ligand is None:
        raise InputError(f"{path}: topology.pdb has no residue with the atoms of ligand.sdf")
    atoms = np.array([atom.index for atom in ligand.atoms])[heavy]
    frames = to_angstrom(trajectory.xyz[:, atoms].astype(np.float64))
    interval = float(trajectory.time[1] - trajectory.time[0])
    files = (path / "ligand.sdf", path / "start.pdb.gz")
    return _complex(name or path.name, *files, [frames], interval)


def read_ligand(path: Path) -> Chem.Mol:
    """First molecule of an SDF, with its hydrogens."""
    molecule = next(iter(Chem.SDMolSupplier(str(path), removeHs=False)), None)
    if molecule is None:
        raise InputError(f"{path}: RDKit cannot read a molecule from it")
    return molecule


def read_protein(path: Path) -> tuple[app.Topology, Array]:
    """Topology and positions (N, 3) in Å of a PDB file, which may be compressed."""
    data = Path(path).read_bytes()
    text = gzip.decompress(data) if str(path).endswith(".gz") else data
    pdb = app.PDBFile(StringIO(text.decode()))
    return pdb.topology, np.asarray(pdb.getPositions(asNumpy=True).value_in_unit(unit.angstrom))


def _complex(
    name: str,
    ligand: Path,
    protein: Path,
    runs: list[Array],
    interval_ps: float,
    targets: dict[str, str] | None = None,
) -> RunStatistics:
    molecule = read_ligand(ligand)
    chemistry = ligand_chemistry(molecule)
    start = molecule.GetConformer().GetPositions()[chemistry.atoms]
    topology, positions = read_protein(protein)
    # Random frames serve as given poses too: they may reach atoms that the start does not.
    pocket = pocket_atoms(topology, positions, start, radius=POCKET_CUTOFF + 2.0)
    target = (targets or {}).get(name, name.split("_")[0])
    return RunStatistics(name, target, molecule, chemistry, start, pocket, runs, interval_ps)


def _elements(group: object) -> list[str]:
    if isinstance(group, Chem.Mol):
        return [atom.GetSymbol() for atom in group.GetAtoms()]
    return [atom.element.symbol for atom in group.atoms]  # type: ignore[attr-defined]


FILES = ("ligand.sdf", "start.pdb.gz", "topology.pdb", "trajectory.xtc")
"""What makes a folder that of a complex with a run."""


def read_runs(folders: Sequence[Path], split: str | None = None) -> list[RunStatistics]:
    """Read every complex of some folders.

    Parameters
    ----------
    folders : sequence of Path
        Each a packed set (ID.sdf, ID.pdb.gz and ID.npz, see `run_statistics`), a complex folder
        with a run (`FILES`), or a folder of such folders.
    split : str, optional
        Take the complexes of this split alone, where a folder's manifest.json names splits.

    Raises
    ------
    InputError
        A folder holds no complex with a run; two complexes have one name.
    """
    every = [one for folder in folders for one in _read(Path(folder), split)]
    names = [one.name for one in every]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"runs: two complexes are called {twice[0]!r}; leave one of them out")
    return every


def _read(folder: Path, split: str | None) -> list[RunStatistics]:
    if any(folder.glob("*.npz")):
        complexes = read_packed(folder, _of_split(folder, split))
    else:
        places = [folder, *sorted(folder.glob("*/"))]
        complete = [one for one in places if all((one / file).is_file() for file in FILES)]
        complexes = [read_trajectory(one) for one in complete]
    if not complexes:
        raise InputError(
            f"{folder}: no complex with a run; a folder of ID.sdf, ID.pdb.gz and ID.npz, or one "
            f"with {', '.join(FILES)}, is needed"
            + (f" (and split {split!r} in its manifest.json)" if split else "")
        )
    return complexes


def _of_split(folder: Path, split: str | None) -> set[str] | None:
    """Names of the complexes of a split; None for all of them."""
    manifest = folder / "manifest.json"
    if split is None or not manifest.is_file():
        return None
    entries = json.loads(manifest.read_text(encoding="utf-8"))["complexes"]
    return {name for name, one in entries.items() if one.get("split", split) == split}
