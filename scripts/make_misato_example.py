"""Make tests/data/misato/11gs.hdf5 from MISATO's 11GS restart file and topology arrays.

Usage: make_misato_example.py 11GS_lastframe_misato_schema.hdf5 tests/data/misato/11gs.hdf5

The source has the types of the protein's atoms only; the ligand's are approximated by
`openmm_neuralmd.misato.gaff`, and its bonds are those of MISATO's QM file.
"""

from __future__ import annotations

import sys

import h5py
import numpy as np

from openmm_neuralmd.misato.chemistry import perceive
from openmm_neuralmd.misato.codes import element_code, type_code
from openmm_neuralmd.misato.gaff import approximate_types

source, target = sys.argv[1:]
with h5py.File(source) as file:
    group = file["11GS"]
    number, residue = group["atoms_number"][:], group["atoms_residue"][:]
    begins, protein = group["molecules_begin_atom_index"][:], group["atoms_type_protein_only"][:]
    coordinates = group["trajectory_coordinates"][:].round(3)  # as a PDB file has them
    bonds = np.unique(np.sort(group["ligand_bonds_qm"][:, :2].astype(int), axis=1), axis=0)
ligand = slice(begins[-1], None)
if bonds.min() == 1 or bonds.max() == len(number[ligand]):
    bonds -= 1
chemistry = perceive(number[ligand], coordinates[0, ligand], bonds)
types = [type_code(kind) for kind in approximate_types(chemistry.molecule)]
with h5py.File(target, "w") as file:
    group = file.create_group("11GS")
    for name, data in {
        "atoms_element": [element_code(int(z)) for z in number],
        "atoms_number": number,
        "atoms_residue": residue,
        "atoms_type": [*protein, *types],
        "molecules_begin_atom_index": begins,
    }.items():
        group.create_dataset(name, data=data, dtype="i8", compression="gzip", compression_opts=9)
    group.create_dataset(
        "trajectory_coordinates",
        data=coordinates,
        compression="gzip",
        compression_opts=9,
        shuffle=True,
    )
