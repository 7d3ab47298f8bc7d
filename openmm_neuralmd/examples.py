"""Complexes to try things on: a GPCR with its trajectory, and T4 lysozyme with force field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .errors import InputError
from .structure.complex import Complex
from .trajectory.snapshots import Snapshots, read_snapshots
from .utils import quiet as _quiet  # noqa: F401  before openmmtools is imported

DATA = Path(__file__).parent / "data"
GPCR_FOLDER = DATA / "gpcr_ergotamine"
"""topology.pdb, trajectory.xtc and ligand.sdf; from ProLIF, Apache-2.0, see NOTICE."""


def example(name: str, *, hydrogens: bool = False) -> Snapshots:
    """Snapshots of a packaged example.

    'gpcr-ergotamine': serotonin receptor 5-HT1B with ergotamine, all-atom MD by the authors of
    ProLIF; 250 snapshots 6 ns apart in three replicas (84, 83, 83), protein heavy atoms only.

    Parameters
    ----------
    name : str
    hydrogens : bool
        See `Complex.with_hydrogens`.

    Raises
    ------
    InputError
        Unknown name, or an example that has no trajectory.

    Examples
    --------
    >>> from openmm_neuralmd import example
    >>> example("gpcr-ergotamine").ligand.shape
    (250, 43, 3)
    """
    complex = example_complex(name).with_hydrogens(hydrogens)
    return read_snapshots(example_trajectory(name), complex)


def example_trajectory(name: str) -> Path:
    """The trajectory file of an example.

    Raises
    ------
    InputError
        Unknown name, or an example that has no trajectory.
    """
    if not has_trajectory(name):
        raise InputError(
            f"example {name!r} has no trajectory; these have: {', '.join(_TRAJECTORIES)}"
        )
    return _TRAJECTORIES[name]


def example_sdf(name: str) -> Path | None:
    """The SDF of an example's ligand; None where the example has none.

    Raises
    ------
    InputError
        Unknown name.
    """
    return GPCR_FOLDER / "ligand.sdf" if has_trajectory(name) else None


def has_trajectory(name: str) -> bool:
    """Test whether an example has a trajectory; InputError if the name is unknown."""
    if name not in _COMPLEXES:
        raise _unknown(name)
    return name in _TRAJECTORIES


def example_complex(name: str) -> Complex:
    """The complex of an example.

    'gpcr-ergotamine' as in `example`; 't4l-p-xylene': T4 lysozyme L99A with p-xylene, 2,621 atoms,
    whose Amber parameters are `openmmtools.testsystems.LysozymeImplicit` (needs openmmtools).

    Raises
    ------
    InputError
        Unknown name; the message lists the known ones.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> example_complex("t4l-p-xylene").positions.shape
    (2621, 3)
    """
    if name not in _COMPLEXES:
        raise _unknown(name)
    return _COMPLEXES[name]()


def _unknown(name: str) -> InputError:
    return InputError(f"no example {name!r}; there are: {', '.join(_COMPLEXES)}")


def _gpcr() -> Complex:
    return Complex.from_files(
        GPCR_FOLDER / "topology.pdb",
        ligand="LIG",
        sdf=GPCR_FOLDER / "ligand.sdf",
        name="gpcr-ergotamine",
    )


def _t4l() -> Complex:
    try:
        from openmmtools.testsystems import LysozymeImplicit
    except ImportError as error:
        raise InputError(
            "example 't4l-p-xylene' comes from openmmtools; pip install openmmtools"
        ) from error
    system = LysozymeImplicit()
    return Complex.from_openmm(system.topology, system.positions, ligand="TMP", name="t4l-p-xylene")


_COMPLEXES: dict[str, Callable[[], Complex]] = {"gpcr-ergotamine": _gpcr, "t4l-p-xylene": _t4l}
_TRAJECTORIES = {"gpcr-ergotamine": GPCR_FOLDER / "trajectory.xtc"}


def predict_example() -> tuple[Path, Path]:
    """Files of a protein and a ligand for `predict`: MCL1 with a ligand of 26 heavy atoms.

    From protein-ligand-benchmark (NOTICE); the protein without hydrogens and water.
    """
    return DATA / "mcl1" / "protein.pdb", DATA / "mcl1" / "ligand.sdf"
