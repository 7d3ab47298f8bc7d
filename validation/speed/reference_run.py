"""All-atom MD of the complex that is timed, in snapshots that a model can be compared on."""

from __future__ import annotations

from pathlib import Path

from openmm_neuralmd.assessment.speed.samples import KNOWN, SHORTEST, Run
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.model import Model
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots
from openmm_neuralmd.utils.times import show_time


def open_run(model: Model, complex: Complex, fine: Snapshots, folder: Path) -> Run:
    """A run of MD whose snapshots are as fine as the model's interval, or finer.

    Parameters
    ----------
    model : Model
    complex : Complex
        The complex that is timed.
    fine : Snapshots
        The run.
    folder : Path
        Where it was read from.

    Raises
    ------
    InputError, ModelError
        Another ligand than in `complex`, another stride, or too short a run.
    """
    _check_ligand(fine, complex, folder)
    strided = _at_stride(fine, model.card.interval_ps, folder)
    model.check(strided.complex, strided.interval_ps)
    if len(strided) < KNOWN + SHORTEST:
        raise InputError(
            f"{folder}: {len(strided)} snapshots at the model's stride are too few to compare "
            f"memories; {KNOWN + SHORTEST} are the least"
        )
    return Run(folder.name, fine, strided)


def _at_stride(run: Snapshots, interval_ps: float, folder: Path) -> Snapshots:
    """The first segment's snapshots at another interval, a whole multiple of its own."""
    every = round(interval_ps / run.interval_ps)
    if every < 1 or abs(every * run.interval_ps - interval_ps) > 1e-3 * interval_ps:
        raise InputError(
            f"{folder}: snapshots every {show_time(run.interval_ps)}; the model's stride, "
            f"{show_time(interval_ps)}, has to be a whole multiple: take a finer run"
        )
    first = run.segments[0]
    ligand = run.ligand[first.start : first.stop : every]
    return Snapshots(run.complex, ligand, interval_ps)


def _check_ligand(run: Snapshots, complex: Complex, folder: Path) -> None:
    mine, other = (
        sorted(c.ligand_atomic_numbers[c.sites].tolist()) for c in (complex, run.complex)
    )
    if mine != other:
        raise InputError(
            f"{folder}: a ligand of {len(other)} atoms that is not the {len(mine)} of "
            f"{complex.name}; take a run of the complex that is timed"
        )
