"""XTC and TRR files: what is valid passes, and no damaged stream reaches the C readers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from mdtraj.formats import TRRTrajectoryFile, XTCTrajectoryFile

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.trajectory.headers import check_trr
from openmm_neuralmd.trajectory.xtc import check_xtc

STREAM = 92  # first byte of the compressed coordinates of the first frame
LARGE = 9000.0  # nm: axes are stored one by one


def written(path: Path, coordinates: np.ndarray) -> Path:
    kind = XTCTrajectoryFile if path.suffix == ".xtc" else TRRTrajectoryFile
    with kind(str(path), "w") as file:
        file.write(coordinates.astype(np.float32))
    return path


def chain(atoms: int, bond: float) -> np.ndarray:
    """Five snapshots (5, atoms, 3) of a random walk, which the format stores as differences."""
    random = np.random.default_rng(atoms)
    return np.cumsum(random.normal(scale=bond, size=(5, atoms, 3)), axis=1)


@pytest.mark.parametrize("atoms", [1, 9, 10, 11, 300, 5000])
@pytest.mark.parametrize("bond", [0.0, 0.001, 0.1, 3.0])
def test_every_valid_file_passes(tmp_path: Path, atoms: int, bond: float) -> None:
    assert check_xtc(written(tmp_path / "a.xtc", chain(atoms, bond))) == atoms
    assert check_trr(written(tmp_path / "a.trr", chain(atoms, bond))) == atoms


def test_axes_stored_one_by_one_pass(tmp_path: Path) -> None:
    coordinates = chain(50, 0.1)
    coordinates[:, 0, 1] += 2 * LARGE
    assert check_xtc(written(tmp_path / "a.xtc", coordinates)) == 50


@pytest.mark.parametrize("byte", [0x00, 0xFF, 0xAA])
def test_a_stream_that_does_not_end_at_its_last_atom_is_refused(tmp_path: Path, byte: int) -> None:
    path = written(tmp_path / "a.xtc", chain(300, 0.1))
    content = path.read_bytes()
    (length,) = struct.unpack(">i", content[STREAM - 4 : STREAM])
    path.write_bytes(content[:STREAM] + bytes([byte]) * length + content[STREAM + length :])
    with pytest.raises(InputError, match="snapshot 0: its coordinates do not fit"):
        check_xtc(path)


def test_a_later_snapshot_is_checked_as_the_first(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xtc", chain(300, 0.1))
    content = bytearray(path.read_bytes())
    content[-400:-100] = bytes([0xFF]) * 300
    path.write_bytes(content)
    with pytest.raises(InputError, match="snapshot 4"):
        check_xtc(path)


@pytest.mark.parametrize("field", range(11))
def test_a_trr_whose_lengths_contradict_each_other_is_refused(tmp_path: Path, field: int) -> None:
    path = written(tmp_path / "a.trr", chain(12, 0.1))
    content = bytearray(path.read_bytes())
    struct.pack_into(">i", content, 24 + 4 * field, 7)
    path.write_bytes(content)
    with pytest.raises(InputError, match="snapshot 0"):
        check_trr(path)
