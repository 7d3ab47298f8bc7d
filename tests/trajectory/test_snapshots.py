"""Snapshots: order, superposition, images, time; and what is written is what is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import MDAnalysis
import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openmm import app, unit

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import GPCR_FOLDER, example
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.structure.hydrogens import full_positions
from openmm_neuralmd.trajectory.dcd import read_dcd_header
from openmm_neuralmd.trajectory.readers import RawFrames, read_frames
from openmm_neuralmd.trajectory.snapshots import (
    Snapshots,
    in_protein_frame,
    read_snapshots,
    write_trajectory,
)
from openmm_neuralmd.trajectory.timestamps import find_interval, find_replicas, take_every

XTC = GPCR_FOLDER / "trajectory.xtc"


def shaken(complex_: Complex, snapshots: int, scale_nm: float = 0.005) -> np.ndarray:
    """Snapshots (T, N, 3) in nm, each a little off the complex and itself a rigid motion of it."""
    rng = np.random.default_rng(0)
    shape = (snapshots, *complex_.positions.shape)
    positions = complex_.positions + rng.normal(scale=scale_nm, size=shape)
    return np.einsum("tai,tij->taj", positions, rotations(rng, snapshots)) + rng.normal(
        size=(snapshots, 1, 3)
    )


def rotations(rng: np.random.Generator, count: int) -> np.ndarray:
    """Proper rotations (T, 3, 3)."""
    turned = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    turned[:, :, 0] *= np.linalg.det(turned)[:, None]
    return turned


# --- the packaged trajectory -----------------------------------------------------------------


def test_gpcr_has_three_replicas_six_nanoseconds_apart(gpcr: Snapshots) -> None:
    assert gpcr.ligand.shape == (250, 43, 3) and gpcr.ligand.dtype == np.float64
    assert gpcr.interval_ps == pytest.approx(6000.0)
    assert gpcr.breaks == (84, 167)
    assert [len(segment) for segment in gpcr.segments] == [84, 83, 83]


def test_persistence_has_the_published_error(gpcr: Snapshots) -> None:
    """20 snapshots ahead, origins every 4 from the 30th of each replica: 27 origins, 1.52 Å.

    The figure was computed independently; it comes out only if the superposition, the order of
    the atoms and snapshots, and the breaks are all right.
    """
    errors = [
        np.sqrt(((gpcr.ligand[o + 1 : o + 21] - gpcr.ligand[o]) ** 2).sum(-1).mean())
        for segment in gpcr.segments
        for o in range(segment.start + 29, segment.stop - 20, 4)
    ]
    assert len(errors) == 27
    assert np.mean(errors) == pytest.approx(1.52, abs=0.03)


def test_first_snapshot_is_the_complex(gpcr: Snapshots) -> None:
    first = 10 * gpcr.complex.positions[gpcr.complex.ligand_heavy]
    assert np.allclose(gpcr.ligand[0], first, rtol=0, atol=1e-6)


def test_ligand_keeps_its_shape_and_its_pocket(gpcr: Snapshots) -> None:
    """Bond lengths are those of a molecule in every snapshot, and the protein stays around it."""
    bonds = gpcr.complex.site_bonds
    length = np.linalg.norm(gpcr.ligand[:, bonds[:, 0]] - gpcr.ligand[:, bonds[:, 1]], axis=-1)
    assert length.min() > 1.1 and length.max() < 1.8
    alphas = 10 * gpcr.complex.positions[gpcr.complex.backbone[:, 1]]
    nearest = np.linalg.norm(gpcr.ligand[:, :, None] - alphas, axis=-1).min(axis=(1, 2))
    assert nearest.max() < 6.0


def test_superposition_agrees_with_mdtraj(gpcr: Snapshots) -> None:
    reference = mdtraj.load(str(XTC), top=str(GPCR_FOLDER / "topology.pdb"))
    reference.superpose(reference, 0, atom_indices=gpcr.complex.backbone[:, 1])
    ligand = 10 * reference.xyz[:, gpcr.complex.ligand_heavy]
    assert np.abs(gpcr.ligand - ligand).max() < 5e-3  # MDTraj works in float32


# --- superposition and images, in float64 ----------------------------------------------------


@pytest.fixture(scope="module")
def raw() -> RawFrames:
    frames = read_frames(XTC, example("gpcr-ergotamine").complex)
    return replace(frames, selected=frames.selected[:6], times=None, boxes=None)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_rigid_motion_of_a_snapshot_changes_nothing(
    raw: RawFrames, gpcr: Snapshots, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    expected, _ = in_protein_frame(raw, gpcr.complex)
    moved = np.einsum("tai,tij->taj", raw.selected, rotations(rng, 6))
    moved += rng.normal(scale=5, size=(6, 1, 3))
    found, _ = in_protein_frame(replace(raw, selected=moved), gpcr.complex)
    assert np.allclose(found, expected, rtol=0, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), tilt=st.sampled_from([0.0, 0.5]))
def test_wrapped_atoms_give_the_whole_ligand(
    raw: RawFrames, gpcr: Snapshots, seed: int, tilt: float
) -> None:
    """Every atom of every snapshot moved by its own whole number of box vectors."""
    rng = np.random.default_rng(seed)
    expected, first = in_protein_frame(raw, gpcr.complex)
    box = np.array([[9.0, 0, 0], [tilt, 8.8, 0], [-tilt, tilt, 10.2]])
    boxes = box * rng.uniform(0.98, 1.02, size=(6, 1, 1))  # a barostat at work
    shifts = rng.integers(-1, 2, size=raw.selected.shape)
    shifts[0, 0] = 0  # the Cα by which the first snapshot's image is chosen
    wrapped = raw.selected + np.einsum("tai,tij->taj", shifts, boxes)
    whole = raw.first.copy()
    whole[raw.atoms] = wrapped[0]
    found, found_first = in_protein_frame(
        replace(raw, selected=wrapped, first=whole, boxes=boxes), gpcr.complex
    )
    assert np.allclose(found, expected, rtol=0, atol=1e-6)
    assert np.allclose(found_first[raw.atoms], first[raw.atoms], rtol=0, atol=1e-9)


# --- slices and splits -----------------------------------------------------------------------

cuts = st.lists(st.integers(1, 59), unique=True, max_size=5).map(sorted)


def counted(gpcr: Snapshots, breaks: list[int]) -> Snapshots:
    """60 snapshots that carry their own index."""
    ligand = np.broadcast_to(np.arange(60.0)[:, None, None], (60, 43, 3))
    return Snapshots(gpcr.complex, ligand, 80.0, tuple(breaks))


@given(breaks=cuts, start=st.integers(0, 59), length=st.integers(1, 60))
def test_slices_keep_their_breaks(
    gpcr: Snapshots, breaks: list[int], start: int, length: int
) -> None:
    whole = counted(gpcr, breaks)
    part = whole[start : start + length]
    assert np.array_equal(part.ligand[:, 0, 0], np.arange(60)[start : start + length])
    assert part.interval_ps == 80.0 and part.complex is whole.complex
    # two neighbours are in one segment of the part exactly if they were in one of the whole
    for k in range(len(part) - 1):
        together = any(k in s and k + 1 in s for s in part.segments)
        before = any(start + k in s and start + k + 1 in s for s in whole.segments)
        assert together == before


@given(breaks=cuts, fraction=st.floats(0.05, 0.95))
def test_split_covers_all_and_overlaps_nowhere(
    gpcr: Snapshots, breaks: list[int], fraction: float
) -> None:
    known, unknown = counted(gpcr, breaks).split(fraction)
    assert np.array_equal(np.concatenate([known.ligand, unknown.ligand])[:, 0, 0], np.arange(60))
    assert len(known) == round(60 * fraction)
    assert [i for s in known.segments for i in s] == list(range(len(known)))


def test_slices_that_would_lie_are_refused(gpcr: Snapshots) -> None:
    with pytest.raises(InputError, match="stride"):
        gpcr[::2]
    with pytest.raises(InputError, match="no snapshots"):
        gpcr[10:10]
    with pytest.raises(TypeError):
        gpcr[3]  # type: ignore[index]


# --- time ------------------------------------------------------------------------------------


@given(
    lengths=st.lists(st.integers(2, 9), min_size=1, max_size=5),
    step=st.floats(0.01, 1e5),
    start=st.sampled_from([0.0, 1.0]),
)
def test_replicas_and_stride_come_back_from_float32_stamps(
    lengths: list[int], step: float, start: float
) -> None:
    times = np.concatenate([(np.arange(n) + start) * step for n in lengths]).astype(np.float32)
    times = times.astype(np.float64)
    breaks = find_replicas("x", len(times), times, None)
    assert breaks == tuple(np.cumsum(lengths)[:-1].tolist())
    assert find_interval("x", times, breaks, None) == pytest.approx(step, rel=1e-4)


@given(breaks=cuts, stride=st.integers(1, 20))
def test_stride_never_steps_across_a_break(breaks: list[int], stride: int) -> None:
    kept, left = take_every(stride, 60, tuple(breaks))
    assert {0, *breaks} <= set(kept.tolist())
    assert np.array_equal(kept[list(left)], breaks)
    inside = np.delete(np.diff(kept), np.array(left, dtype=int) - 1)
    assert (inside == stride).all()


def test_the_callers_interval_and_boundaries_override_the_stamps(gpcr: Snapshots) -> None:
    hours = 6 * unit.nanosecond
    found = read_snapshots(XTC, gpcr.complex, interval=hours, boundaries=[167, 84])
    assert found.interval_ps == 6000.0 and found.breaks == (84, 167)
    assert read_snapshots(XTC, gpcr.complex, interval=80).interval_ps == 80.0


def test_stride_thins_each_replica(gpcr: Snapshots) -> None:
    thin = read_snapshots(XTC, gpcr.complex, stride=10)
    assert len(thin) == 9 + 9 + 9 and thin.breaks == (9, 18)
    assert thin.interval_ps == pytest.approx(60000.0)
    assert np.array_equal(thin.ligand[9], gpcr.ligand[84])


# --- writing and reading back ------------------------------------------------------------------


@pytest.mark.parametrize("interval", [0.002, 80.0, 6000.0, 80 * unit.picosecond])
def test_dcd_carries_time_and_coordinates(t4l: Complex, tmp_path: Path, interval: object) -> None:
    picoseconds = interval / unit.picosecond if unit.is_quantity(interval) else interval
    positions = shaken(t4l, 4)
    path = write_trajectory(tmp_path / "x.dcd", t4l, positions, interval)
    header = read_dcd_header(path)
    assert (header.snapshots, header.complete, header.rest, header.atoms) == (4, 4, 0, 2621)
    assert header.interval_ps == pytest.approx(picoseconds, rel=1e-6)
    universe = MDAnalysis.Universe(str(path), topology_format="DCD", format="DCD", to_guess=())
    assert universe.trajectory.dt == pytest.approx(picoseconds, rel=1e-5)
    found = read_snapshots(path, t4l)
    assert found.interval_ps == pytest.approx(picoseconds, rel=1e-6)
    assert np.allclose(found.complex.positions, positions[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("ending", ["xtc", "nc", "trr", "h5"])
def test_other_formats_give_the_same_snapshots(t4l: Complex, tmp_path: Path, ending: str) -> None:
    if ending == "h5":
        pytest.importorskip("tables")
    positions = shaken(t4l, 4)
    topology = mdtraj.Topology.from_openmm(t4l.topology)
    path = tmp_path / f"x.{ending}"
    mdtraj.Trajectory(positions, topology, time=80.0 * np.arange(4)).save(str(path))
    found = read_snapshots(path, t4l)
    dcd = read_snapshots(write_trajectory(tmp_path / "x.dcd", t4l, positions, 80.0), t4l)
    assert found.interval_ps == pytest.approx(80.0)
    assert np.allclose(found.ligand, dcd.ligand, rtol=0, atol=0.02 if ending == "xtc" else 1e-3)


def test_a_ligand_before_the_protein_is_read_as_one_behind_it(t4l: Complex, tmp_path: Path) -> None:
    """Atoms are found by their index, whatever the order of the molecules."""
    protein = np.setdiff1d(np.arange(2621), t4l.ligand)
    order = np.concatenate([t4l.ligand, protein])
    front = app.Modeller(t4l.topology, t4l.positions * unit.nanometer)
    front.delete([r for r in front.topology.residues() if r.name != "TMP"])
    back = app.Modeller(t4l.topology, t4l.positions * unit.nanometer)
    back.delete([r for r in back.topology.residues() if r.name == "TMP"])
    front.add(back.topology, back.positions)
    swapped = Complex.from_openmm(front.topology, front.positions)
    positions = shaken(t4l, 4)
    one = read_snapshots(write_trajectory(tmp_path / "a.dcd", t4l, positions, 80.0), t4l)
    path = write_trajectory(tmp_path / "b.dcd", swapped, positions[:, order], 80.0)
    assert np.allclose(read_snapshots(path, swapped).ligand, one.ligand, rtol=0, atol=1e-4)


def test_box_is_written_for_a_periodic_complex(gpcr: Snapshots, tmp_path: Path) -> None:
    positions = np.repeat(gpcr.complex.positions[None], 2, axis=0)
    path = write_trajectory(tmp_path / "x.dcd", gpcr.complex, positions, 80.0)
    topology = mdtraj.Topology.from_openmm(gpcr.complex.topology)
    box = mdtraj.load(str(path), top=topology).unitcell_vectors
    assert np.allclose(box, gpcr.complex.box, atol=1e-5)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(t4l: Complex, tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "x.dcd", t4l, shaken(t4l, 2), 80.0)
    before = path.read_bytes()
    with pytest.raises(InputError, match="shape"):
        write_trajectory(path, t4l, shaken(t4l, 2)[:, :-1], 80.0)
    with pytest.raises(InputError, match="not numbers"):
        write_trajectory(path, t4l, shaken(t4l, 2) * np.nan, 80.0)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# --- hydrogens -------------------------------------------------------------------------------


def test_hydrogens_follow_a_rigid_motion_exactly(t4l: Complex) -> None:
    rng = np.random.default_rng(3)
    turn, shift = rotations(rng, 5), rng.normal(size=(5, 1, 3))
    moved = np.einsum("ai,tij->taj", t4l.positions[t4l.ligand], turn) + shift
    found = full_positions(t4l, 10 * moved[:, t4l.heavy])
    assert np.allclose(found[:, t4l.ligand], moved, rtol=0, atol=1e-9)
    protein = np.setdiff1d(np.arange(2621), t4l.ligand)
    assert np.array_equal(found[3, protein], t4l.positions[protein])


def test_hydrogens_keep_their_bond_length_in_real_motion(gpcr: Snapshots) -> None:
    complex_ = gpcr.complex
    found = full_positions(complex_, gpcr.ligand)[:, complex_.ligand]
    light = complex_.ligand_atomic_numbers == 1
    bonds = complex_.ligand_bonds[light[complex_.ligand_bonds].any(axis=1)]
    assert len(bonds) == light.sum() == 36
    length = 10 * np.linalg.norm(found[:, bonds[:, 0]] - found[:, bonds[:, 1]], axis=-1)
    assert np.allclose(length, length[0], atol=1e-6) and 0.9 < length.min() < length.max() < 1.2
