"""Forces on the ligand and energies at each snapshot, for force matching."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openmm
from openmm import unit

from ..utils.files import complete
from .modes import GROUPS, Setup

DTYPE = np.dtype("<f8")
KEYS = (
    "groups",
    "energies_kj_mol",
    "forces_kj_mol_nm",
    "positions_nm",
    "time_ps",
    "ligand",
    "atomic_numbers",
)
"""Arrays of labels.npz."""


class LabelFile:
    """Rows of float64, one a snapshot: energies (G,), forces (G, L, 3), positions (L, 3).

    G force groups of the System that was simulated (`Setup.groups`), L atoms of the ligand,
    hydrogens included.  Forces are those of the force field: what constraints, thermostat and
    barostat add is not in them.

    Parameters
    ----------
    path : Path
        Grows by a row at every snapshot.
    setup : Setup
    append : bool
        Keep the rows that are there.
    """

    def __init__(self, path: Path, setup: Setup, append: bool) -> None:
        self.path = path
        self.groups = setup.groups
        self.ligand = setup.complex.ligand
        self.numbers = setup.complex.ligand_atomic_numbers
        self._file = path.open("ab" if append else "wb")

    def write(self, context: openmm.Context) -> None:
        """Add a row for the present state of a Context."""
        energies, forces = [], []
        for name in self.groups:
            state = context.getState(energy=True, forces=True, groups={GROUPS[name]})
            energies.append(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))
            forces.append(np.asarray(state.getForces(asNumpy=True)._value)[self.ligand])
        positions = context.getState(positions=True).getPositions(asNumpy=True)
        own = np.asarray(positions.value_in_unit(unit.nanometer))[self.ligand]
        row = np.concatenate([np.ravel(part) for part in (energies, forces, own)])
        self._file.write(row.astype(DTYPE).tobytes())
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def save(self, target: Path, times: np.ndarray, ligand: np.ndarray) -> None:
        """Write the rows as an npz file of named arrays.

        Parameters
        ----------
        target : Path
        times : (T,) ps
        ligand : (L,) int64
            Indices of the ligand's atoms in the topology that is beside the file.
        """
        groups, atoms = len(self.groups), len(self.ligand)
        width = groups + 3 * atoms * (groups + 1)
        rows = np.fromfile(self.path, dtype=DTYPE).reshape(-1, width)
        energies, forces, positions = np.split(rows, [groups, groups + 3 * groups * atoms], axis=1)
        with complete(target) as temporary:
            np.savez_compressed(
                temporary,
                groups=np.array(self.groups),
                energies_kj_mol=energies,
                forces_kj_mol_nm=forces.reshape(-1, groups, atoms, 3),
                positions_nm=positions.reshape(-1, atoms, 3),
                time_ps=times,
                ligand=ligand,
                atomic_numbers=self.numbers,
            )
