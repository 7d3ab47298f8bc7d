"""Trajectory files as people have them, and as an attacker makes them."""

from __future__ import annotations

import pickle
import shutil
import struct
import tempfile
import warnings
from pathlib import Path

import h5py
import mdtraj
import numpy as np
import pytest

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import GPCR_FOLDER, example
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.dcd import read_dcd_header
from openmm_neuralmd.trajectory.readers import TrajectoryWarning, checked, read_frames
from openmm_neuralmd.trajectory.snapshots import read_snapshots

TOPOLOGY = str(GPCR_FOLDER / "topology.pdb")


@pytest.fixture(scope="module")
def few() -> mdtraj.Trajectory:
    """Six snapshots, 6 ns apart."""
    return mdtraj.load(str(GPCR_FOLDER / "trajectory.xtc"), top=TOPOLOGY)[:6]


@pytest.fixture(scope="module")
def complex_() -> Complex:
    return example("gpcr-ergotamine").complex


def saved(few: mdtraj.Trajectory, path: Path) -> Path:
    """MDTraj chooses by an ending in small letters, and writes ASCII names only."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"plain{path.suffix.lower()}"
        few.save(str(plain))
        return Path(shutil.move(plain, path))


@pytest.mark.parametrize("name", ["a.h5", "a.XTC", "a.DCD", "a.TRR", "a.NC", "a.H5"])
def test_endings_in_capitals(few, complex_, tmp_path: Path, name: str) -> None:
    read = read_snapshots(saved(few, tmp_path / name), complex_, interval=6000.0)
    assert read.ligand.shape == (6, 43, 3)


@pytest.mark.parametrize("suffix", ["xtc", "dcd", "trr", "nc", "h5"])
def test_names_that_are_not_ascii(few, complex_, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "Über uns – 分子"
    folder.mkdir()
    read = read_snapshots(saved(few, folder / f"räume.{suffix}"), complex_, interval=6000.0)
    assert read.ligand.shape == (6, 43, 3)


def test_hdf5_agrees_with_mdtraj(few, complex_, tmp_path: Path) -> None:
    frames = read_frames(saved(few, tmp_path / "a.h5"), complex_)
    np.testing.assert_array_equal(frames.selected, few.xyz[:, frames.atoms].astype(float))
    np.testing.assert_allclose(frames.times, few.time)
    np.testing.assert_allclose(frames.boxes, few.unitcell_vectors, atol=1e-5)


class Trap:
    def __reduce__(self):
        return spring, ()


SPRUNG: list[int] = []


def spring() -> int:
    SPRUNG.append(1)
    return 1


def test_a_pickled_attribute_is_not_run(few, complex_, tmp_path: Path) -> None:
    path = saved(few, tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file.attrs["title"] = np.bytes_(pickle.dumps(Trap(), protocol=0))
    assert len(read_snapshots(path, complex_, interval=6000.0)) == 6
    assert not SPRUNG


@pytest.mark.parametrize("link", ["external", "soft"])
def test_links_are_refused(few, complex_, tmp_path: Path, link: str) -> None:
    saved(few, tmp_path / "source.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        target = {
            "external": h5py.ExternalLink("source.h5", "/coordinates"),
            "soft": h5py.SoftLink("/coordinates"),
        }[link]
        file["coordinates"] = target
    with pytest.raises(InputError, match=r"a\.h5: coordinates is a link"):
        read_frames(tmp_path / "a.h5", complex_)


def test_virtual_and_external_data_are_refused(few, complex_, tmp_path: Path) -> None:
    layout = h5py.VirtualLayout(shape=few.xyz.shape, dtype="f4")
    layout[:] = h5py.VirtualSource("source.h5", "coordinates", shape=few.xyz.shape)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("coordinates", layout)
    with h5py.File(tmp_path / "e.h5", "w") as file:
        place = [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("coordinates", few.xyz.shape, "f4", external=place)
    for name in ("v.h5", "e.h5"):
        with pytest.raises(InputError, match="are in another file"):
            read_frames(tmp_path / name, complex_)


def test_an_array_of_nothing_takes_no_memory(complex_, tmp_path: Path) -> None:
    atoms = complex_.topology.getNumAtoms()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        shape, chunks = (10**8, atoms, 3), (1, atoms, 3)
        file.create_dataset("coordinates", shape, "f4", chunks=chunks, compression="gzip")
    assert (tmp_path / "a.h5").stat().st_size < 100_000
    with pytest.raises(InputError, match="bytes of content"):
        read_frames(tmp_path / "a.h5", complex_)


def test_a_netcdf_that_promises_more_than_it_holds_is_refused(few, tmp_path: Path) -> None:
    saved(few, tmp_path / "a.nc")
    content = bytearray((tmp_path / "a.nc").read_bytes())
    assert int.from_bytes(content[4:8]) == few.n_frames  # records, in the classic format
    content[4:8] = (2**24).to_bytes(4)
    (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read a\.nc, it may be damaged"):
        checked(tmp_path / "a.nc")  # opens no reader that allocates what is promised


def test_a_netcdf_without_times_asks_for_the_interval(few, complex_, tmp_path: Path) -> None:
    """MDTraj counts 1 ps a snapshot; the true interval here is 6 ns."""
    import netCDF4

    saved(few, tmp_path / "with.nc")
    with (
        netCDF4.Dataset(tmp_path / "with.nc") as source,
        netCDF4.Dataset(tmp_path / "a.nc", "w", format="NETCDF3_64BIT_OFFSET") as target,
    ):
        target.setncatts({name: source.getncattr(name) for name in source.ncattrs()})
        for name, size in source.dimensions.items():
            target.createDimension(name, None if size.isunlimited() else len(size))
        for name, old in source.variables.items():
            if name != "time":
                new = target.createVariable(name, old.dtype, old.dimensions)
                new.setncatts({key: old.getncattr(key) for key in old.ncattrs()})
                new[:] = old[:]
    with pytest.raises(InputError, match="interval"):
        read_snapshots(tmp_path / "a.nc", complex_)
    assert read_snapshots(tmp_path / "a.nc", complex_, interval=6000.0).interval_ps == 6000.0


@pytest.mark.parametrize(("delta", "steps"), [(0.0, 1000), (float("nan"), 1), (-1.0, 5), (3e38, 9)])
def test_a_dcd_without_a_true_time_step_asks(few, complex_, tmp_path, delta, steps) -> None:
    path = saved(few, tmp_path / "a.dcd")
    with path.open("r+b") as file:
        file.seek(16)
        file.write(struct.pack("<i", steps))
        file.seek(44)
        file.write(struct.pack("<f", delta))
    assert read_dcd_header(path).interval_ps is None
    with pytest.raises(InputError, match="interval"):
        read_snapshots(path, complex_)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.2, 1e6])
def test_an_absurd_cell_is_no_cell(few, complex_, tmp_path: Path, value: float) -> None:
    changed = few[:]
    changed.unitcell_lengths = np.full((6, 3), value, dtype=np.float32)
    changed.unitcell_angles = np.full((6, 3), 90.0, dtype=np.float32)
    path = saved(changed, tmp_path / "a.dcd")
    with pytest.warns(TrajectoryWarning, match="no cell of"):
        frames = read_frames(path, complex_)
    assert frames.boxes is None


@pytest.mark.parametrize("suffix", ["nc", "h5", "trr", "xtc"])
@pytest.mark.parametrize("value", [np.nan, 1e30, 0.0])
def test_an_absurd_cell_of_any_format(few, complex_, tmp_path, suffix: str, value: float) -> None:
    bad = few[:]
    bad.unitcell_lengths = np.full((6, 3), value)
    bad.unitcell_angles = np.full((6, 3), 90.0)
    path = saved(bad, tmp_path / f"a.{suffix}")
    if suffix == "xtc" and value != 0.0:
        with pytest.raises(InputError, match="time or cell is not a number"):
            read_frames(path, complex_)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrajectoryWarning)
        assert read_frames(path, complex_).boxes is None


@pytest.mark.parametrize("suffix", ["nc", "h5", "trr", "xtc"])
def test_times_that_do_not_differ_ask_for_the_interval(few, complex_, tmp_path, suffix) -> None:
    still = few[:]
    still.time = np.zeros(6)
    path = saved(still, tmp_path / f"a.{suffix}")
    with pytest.raises(InputError, match="does not say how much time"):
        read_snapshots(path, complex_)


def test_hdf5_without_times_asks_for_the_interval(few, complex_, tmp_path: Path) -> None:
    path = saved(few, tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["time"]
    with pytest.raises(InputError, match="does not say how much time"):
        read_snapshots(path, complex_)


def test_a_damaged_dcd_header_is_one_line(few, complex_, tmp_path: Path) -> None:
    path = saved(few, tmp_path / "a.dcd")
    whole = path.read_bytes()
    for offset in (40, 268):  # fixed atoms; atoms
        path.write_bytes(whole[:offset] + struct.pack("<i", -5) + whole[offset + 4 :])
        with pytest.raises(InputError):
            read_frames(path, complex_)


@pytest.mark.parametrize("suffix", ["lh5", "dtr", "gsd", "xyz", ""])
def test_formats_whose_readers_are_not_checked_are_refused(complex_, tmp_path, suffix) -> None:
    """MDTraj reads .lh5 through PyTables, which unpickles; the others in C, without checks."""
    path = tmp_path / f"a.{suffix}"
    shutil.copy(GPCR_FOLDER / "trajectory.xtc", path)
    with pytest.raises(InputError, match="convert it to XTC or DCD"):
        read_frames(path, complex_)
