"""Complex: every way to read one gives the same one, and its parts are what they should be."""

from __future__ import annotations

import copy
import io
import warnings
from pathlib import Path

import numpy as np
import openmmtools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openmm import Vec3, app, unit

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import GPCR_FOLDER, example_complex
from openmm_neuralmd.structure import imaging
from openmm_neuralmd.structure.alternates import AlternateLocationWarning
from openmm_neuralmd.structure.bonds import perceive_bonds
from openmm_neuralmd.structure.checks import PocketWarning
from openmm_neuralmd.structure.complex import RESIDUE_TYPES, Complex
from openmm_neuralmd.structure.residues import PARENT, residue_key

AMBER = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
TYPE = {name: index for index, name in enumerate(RESIDUE_TYPES)}


def pdb_text(complex_: Complex) -> str:
    """The complex as PDB, with its own numbers."""
    text = io.StringIO()
    positions = complex_.positions * unit.nanometer
    app.PDBFile.writeFile(complex_.topology, positions, text, keepIds=True)
    return text.getvalue()


def same_complex(a: Complex, b: Complex, tolerance_nm: float = 1e-4) -> bool:
    parts = ("ligand", "ligand_bonds", "backbone", "residue_types", "linked")
    return all(np.array_equal(getattr(a, p), getattr(b, p)) for p in parts) and np.allclose(
        a.positions, b.positions, rtol=0, atol=tolerance_nm
    )


# --- the two example complexes -------------------------------------------------------------


def test_t4_lysozyme_has_p_xylene_as_ligand(t4l: Complex) -> None:
    assert t4l.topology.getNumAtoms() == 2621
    assert t4l.ligand_atomic_numbers.tolist() == [6] * 8 + [1] * 10
    assert t4l.n_residues == 162
    # a benzene ring and two methyl groups: 6 + 2 bonds of heavy atoms, 10 to hydrogens
    assert len(t4l.site_bonds) == 8 and len(t4l.ligand_bonds) == 18
    assert sorted(np.bincount(t4l.site_bonds.ravel()).tolist()) == [1, 1, 2, 2, 2, 2, 3, 3]
    assert t4l.ligand_masses.sum() == pytest.approx(106.168, abs=0.01)
    assert np.flatnonzero(~t4l.linked).tolist() == [161]
    assert t4l.box is None


def test_gpcr_has_a_gap_and_ergotamine(gpcr_complex: Complex) -> None:
    assert gpcr_complex.n_residues == 302
    assert (len(gpcr_complex.ligand), len(gpcr_complex.heavy)) == (79, 43)
    # C33H35N5O5 has eight rings: bonds = atoms + rings - 1
    assert len(gpcr_complex.site_bonds) == 43 + 8 - 1
    assert np.flatnonzero(~gpcr_complex.linked).tolist() == [211, 301]
    assert gpcr_complex.box is not None and gpcr_complex.box.shape == (3, 3)


def test_backbone_atoms_are_n_ca_c_in_sequence_order(gpcr_complex: Complex) -> None:
    atoms = list(gpcr_complex.topology.atoms())
    for column, name in enumerate(("N", "CA", "C")):
        assert {atoms[i].name for i in gpcr_complex.backbone[:, column]} == {name}
    assert (np.diff(gpcr_complex.backbone[:, 1]) > 0).all()
    types = [atoms[i].residue.name for i in gpcr_complex.backbone[:, 1]]
    assert [RESIDUE_TYPES[t] for t in gpcr_complex.residue_types] == [PARENT[t] for t in types]


def test_perceived_bonds_equal_the_force_fields(t4l: Complex) -> None:
    perceived = perceive_bonds(t4l.ligand_atomic_numbers.tolist(), t4l.positions[t4l.ligand])
    assert {frozenset(p) for p in perceived} == {frozenset(p) for p in t4l.ligand_bonds.tolist()}


# --- every way to read it ------------------------------------------------------------------


def test_amber_files_pdb_and_mmcif_agree_with_openmm(t4l: Complex, tmp_path: Path) -> None:
    prmtop = Complex.from_files(AMBER / "complex.prmtop", coordinates=AMBER / "complex.crd")
    with_pdb = Complex.from_files(AMBER / "complex.prmtop", coordinates=AMBER / "complex.pdb")
    assert same_complex(t4l, prmtop) and same_complex(prmtop, with_pdb, tolerance_nm=1e-4)
    (tmp_path / "t4l.pdb").write_text(pdb_text(t4l))
    assert same_complex(t4l, Complex.from_files(tmp_path / "t4l.pdb", ligand="TMP"))
    with (tmp_path / "t4l.cif").open("w") as file:
        app.PDBxFile.writeFile(t4l.topology, t4l.positions * unit.nanometer, file)
    cif = Complex.from_files(tmp_path / "t4l.cif")
    assert same_complex(t4l, cif) and cif.name == "t4l"
    assert cif.fingerprint() == t4l.fingerprint()


def test_quantity_and_plain_nanometers_are_the_same(t4l: Complex) -> None:
    angstrom = unit.Quantity(t4l.positions * 10, unit.angstrom)
    assert same_complex(t4l, Complex.from_openmm(t4l.topology, angstrom), 1e-12)


@pytest.mark.parametrize("selection", [None, "TMP", "1:163", "1:163:TMP"])
def test_selections_of_one_ligand_agree(t4l: Complex, selection: str | None) -> None:
    found = Complex.from_openmm(t4l.topology, t4l.positions, ligand=selection)
    assert np.array_equal(found.ligand, t4l.ligand)


def test_an_amino_acid_can_be_the_ligand_when_it_is_named(t4l: Complex) -> None:
    """A free glutamate in a receptor: moved away from the chain, selected by number."""
    modeller = app.Modeller(t4l.topology, t4l.positions * unit.nanometer)
    residues = list(t4l.topology.residues())
    copy = app.Modeller(t4l.topology, t4l.positions * unit.nanometer)
    glutamate = next(r for r in residues if r.name == "GLU")
    copy.delete([r for r in copy.topology.residues() if r.index != glutamate.index])
    far = [p + Vec3(6, 0, 0) for p in copy.positions.value_in_unit(unit.nanometer)]
    modeller.add(copy.topology, far * unit.nanometer)
    last = list(modeller.topology.residues())[-1]
    last.chain.id = "L"
    found = Complex.from_openmm(
        modeller.topology, modeller.positions, ligand=f"{residue_key(last)}:GLU"
    )
    assert found.n_residues == 162 and len(found.heavy) == 9


# --- SDF -----------------------------------------------------------------------------------


def test_sdf_in_another_order_gives_the_same_bonds(tmp_path: Path) -> None:
    from rdkit import Chem

    molecule = Chem.MolFromMolFile(str(GPCR_FOLDER / "ligand.sdf"), removeHs=False)
    order = np.random.default_rng(1).permutation(molecule.GetNumAtoms()).tolist()
    shuffled = Chem.RemoveHs(Chem.RenumberAtoms(molecule, order))
    Chem.MolToMolFile(shuffled, str(tmp_path / "shuffled.sdf"))
    # without CONECT, so that nothing but the SDF and the geometry knows the bonds
    lines = (GPCR_FOLDER / "topology.pdb").read_text().splitlines(keepends=True)
    (tmp_path / "x.pdb").write_text("".join(x for x in lines if not x.startswith("CONECT")))
    reference = example_complex("gpcr-ergotamine")
    for sdf in (None, tmp_path / "shuffled.sdf", GPCR_FOLDER / "ligand.sdf"):
        found = Complex.from_files(tmp_path / "x.pdb", sdf=sdf)
        assert np.array_equal(found.ligand_bonds, reference.ligand_bonds)


# --- residues ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parent"),
    [
        *[(n, "HIS") for n in ("HID", "HIE", "HIP", "HSD", "HSE", "HSP")],
        *[("CYX", "CYS"), ("CYM", "CYS"), ("ASH", "ASP"), ("GLH", "GLU"), ("LYN", "LYS")],
        *[("MSE", "MET"), ("NALA", "ALA"), ("CHIE", "HIS"), ("TPO", "other"), ("XYZ", "other")],
    ],
)
def test_protonation_variants_map_to_their_parent(t4l: Complex, name: str, parent: str) -> None:
    residues = list(t4l.topology.residues())
    original = residues[4].name
    try:
        residues[4].name = name
        found = Complex.from_openmm(t4l.topology, t4l.positions)
    finally:
        residues[4].name = original
    assert found.residue_types[4] == TYPE[parent]
    assert found.n_residues == 162  # an unknown name inside the chain is no second ligand


def test_insertion_codes_are_residues_of_their_own(t4l: Complex, tmp_path: Path) -> None:
    """Residues 10 and 11 numbered 10 and 10A, as antibodies and proteases are."""
    lines = [
        line[:22] + "  10A" + line[27:] if line[17:26].endswith("1  11") else line
        for line in pdb_text(t4l).splitlines()
    ]
    (tmp_path / "x.pdb").write_text("\n".join(lines))
    found = Complex.from_files(tmp_path / "x.pdb")
    assert same_complex(found, t4l)
    residue = list(found.topology.residues())[10]
    assert residue_key(residue) == "1:10A" and found.linked[9] and found.linked[10]


def test_no_link_leads_from_one_chain_to_another(t4l: Complex, tmp_path: Path) -> None:
    """Even where the file puts a chain's end a peptide bond away from the next one's start."""
    lines = [
        line[:21] + "B" + line[22:] if line.startswith("ATOM") and int(line[22:26]) > 80 else line
        for line in pdb_text(t4l).splitlines()
    ]
    (tmp_path / "x.pdb").write_text("\n".join(lines))
    found = Complex.from_files(tmp_path / "x.pdb")
    assert np.flatnonzero(~found.linked).tolist() == [79, 161]


def test_caps_are_not_residues(tmp_path: Path) -> None:
    """ACE and NME from a force field's own peptide, beside a ligand."""
    from openmmtools.testsystems import AlanineDipeptideVacuum

    peptide = AlanineDipeptideVacuum()
    dimer = app.Modeller(peptide.topology, peptide.positions)
    t4l = example_complex("t4l-p-xylene")
    ligand = app.Modeller(t4l.topology, t4l.positions * unit.nanometer)
    ligand.delete([r for r in ligand.topology.residues() if r.name != "TMP"])
    dimer.add(ligand.topology, ligand.positions)
    found = Complex.from_openmm(dimer.topology, dimer.positions)
    assert found.n_residues == 1 and not found.linked[0]


# --- alternate locations and cofactors -------------------------------------------------------


def with_alternates(text: str, residue: str, shift: float) -> str:
    """PDB text in which a residue's atoms have location A (0.3) and B (0.7), B shifted along x."""
    lines = []
    for line in text.splitlines():
        if line[17:26] == residue:
            x = float(line[30:38])
            lines.append(line[:16] + "A" + line[17:54] + "  0.30" + line[60:])
            moved = line[:16] + "B" + line[17:30] + f"{x + shift:8.3f}" + line[38:54]
            lines.append(moved + "  0.70" + line[60:])
        else:
            lines.append(line)
    return "\n".join(lines)


def test_protein_takes_the_highest_occupancy_and_says_so(t4l: Complex, tmp_path: Path) -> None:
    residue = list(t4l.topology.residues())[4]
    text = with_alternates(pdb_text(t4l), f"{residue.name} 1   5", 0.1)
    (tmp_path / "x.pdb").write_text(text)
    with pytest.warns(AlternateLocationWarning, match=r"x.pdb: alternate locations in 1:5"):
        found = Complex.from_files(tmp_path / "x.pdb")
    atoms = [atom.index for atom in residue.atoms()]
    moved = found.positions - t4l.positions
    assert np.allclose(moved[atoms], [0.01, 0, 0], atol=1e-4)
    assert np.allclose(np.delete(moved, atoms, axis=0), 0, atol=1e-4)


def test_mmcif_takes_the_highest_occupancy_and_says_so(t4l: Complex, tmp_path: Path) -> None:
    with (tmp_path / "x.cif").open("w") as file:
        app.PDBxFile.writeFile(t4l.topology, t4l.positions * unit.nanometer, file)
    lines = (tmp_path / "x.cif").read_text().splitlines()
    columns = [x.split(".")[1] for x in lines if x.startswith("_atom_site.")]
    at = {name: i for i, name in enumerate(columns)}
    text = []
    for line in lines:
        cells = line.split()
        if line.startswith("ATOM") and cells[at["auth_seq_id"]] == "5":
            for label, occupancy, shift in (("A", "0.3", 0.0), ("B", "0.7", 0.1)):
                row = list(cells)
                row[at["label_alt_id"]], row[at["occupancy"]] = label, occupancy
                row[at["Cartn_x"]] = f"{float(cells[at['Cartn_x']]) + shift:.4f}"
                text.append(" ".join(row))
        else:
            text.append(line)
    (tmp_path / "x.cif").write_text("\n".join(text))
    with pytest.warns(AlternateLocationWarning, match="x.cif: alternate locations"):
        found = Complex.from_files(tmp_path / "x.cif")
    atoms = [a.index for r in t4l.topology.residues() if r.id == "5" for a in r.atoms()]
    moved = found.positions - t4l.positions
    assert np.allclose(moved[atoms], [0.01, 0, 0], atol=1e-4)
    assert np.allclose(np.delete(moved, atoms, axis=0), 0, atol=1e-4)


def with_extra(t4l: Complex, name: str, element: str, distance_nm: float) -> app.Modeller:
    """T4 lysozyme with one more atom, `distance_nm` beyond the ligand's tip."""
    topology = app.Topology()
    residue = topology.addResidue(name, topology.addChain("M"))
    topology.addAtom(name, app.Element.getBySymbol(element), residue)
    heavy = t4l.positions[t4l.ligand_heavy]
    arms = heavy - heavy.mean(axis=0)
    tip = np.linalg.norm(arms, axis=1).argmax()  # a methyl group's carbon
    place = heavy[tip] + distance_nm * arms[tip] / np.linalg.norm(arms[tip])
    modeller = app.Modeller(t4l.topology, t4l.positions * unit.nanometer)
    modeller.add(topology, [Vec3(*place)] * unit.nanometer)
    return modeller


def test_a_metal_in_the_pocket_is_a_warning_with_its_distance(t4l: Complex) -> None:
    zinc = with_extra(t4l, "ZN", "Zn", 0.45)
    with pytest.warns(PocketWarning, match=r"ZN of ZN M:1 is 4\.5 Å .* invisible"):
        found = Complex.from_openmm(zinc.topology, zinc.positions)
    assert np.array_equal(found.ligand, t4l.ligand)


def test_a_modified_residue_in_the_pocket_is_a_warning(t4l: Complex) -> None:
    topology = copy.deepcopy(t4l.topology)
    next(r for r in topology.residues() if r.id == "99").name = "TPO"
    with pytest.warns(PocketWarning, match=r"of TPO 1:99 is .* counts as residue type 'other'"):
        Complex.from_openmm(topology, t4l.positions)


@pytest.mark.parametrize(("name", "element", "nm"), [("HOH", "O", 0.45), ("ZN", "Zn", 0.6)])
def test_water_and_distant_metals_are_not_worth_a_warning(
    t4l: Complex, name: str, element: str, nm: float
) -> None:
    modeller = with_extra(t4l, name, element, nm)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Complex.from_openmm(modeller.topology, modeller.positions)


# --- identity ------------------------------------------------------------------------------


def test_fingerprint_is_of_the_topology_not_of_the_coordinates(t4l: Complex) -> None:
    moved = t4l.with_positions(t4l.positions + 1.0)
    assert moved.fingerprint() == t4l.fingerprint()
    assert np.allclose(moved.positions - t4l.positions, 1.0)
    assert example_complex("gpcr-ergotamine").fingerprint() != t4l.fingerprint()


def test_with_positions_refuses_what_from_files_refuses(t4l: Complex) -> None:
    with pytest.raises(InputError, match="2621 atoms"):
        t4l.with_positions(t4l.positions[:-1])
    with pytest.raises(InputError, match="Å where nm is due"):
        t4l.with_positions(10 * t4l.positions)
    broken = t4l.positions.copy()
    broken[7, 1] = np.nan
    with pytest.raises(InputError, match="index 7"):
        t4l.with_positions(broken)


# --- periodic images -------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), tilt=st.sampled_from([0.0, 0.3]))
def test_a_wrapped_structure_is_read_as_the_whole_one(seed: int, tilt: float) -> None:
    whole = example_complex("gpcr-ergotamine")
    box = np.diag([9.0, 8.8, 10.2]) + np.array([[0, 0, 0], [tilt, 0, 0], [tilt, -tilt, 0]])
    shifts = np.random.default_rng(seed).integers(-1, 2, size=whole.positions.shape)
    shifts[whole.backbone[0, 1]] = 0  # the Cα that stays
    topology = whole.topology  # of this example only
    topology.setPeriodicBoxVectors(box * unit.nanometer)
    found = Complex.from_openmm(topology, whole.positions + shifts @ box)
    assert np.allclose(found.positions, whole.positions, rtol=0, atol=1e-9)
    assert np.array_equal(found.ligand_bonds, whole.ligand_bonds)
    assert np.array_equal(found.linked, whole.linked)


def test_a_placeholder_cell_is_no_box(t4l: Complex, tmp_path: Path) -> None:
    text = "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1 \n"
    (tmp_path / "x.pdb").write_text(text + pdb_text(t4l))
    found = Complex.from_files(tmp_path / "x.pdb")
    assert found.box is None and same_complex(found, t4l)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_superpose_undoes_any_rigid_motion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(rng.integers(3, 20), 3))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation[:, 0] *= np.linalg.det(rotation)
    moving = (reference @ rotation + rng.normal(size=3))[None]
    back, shift = imaging.superpose(moving, reference)
    assert np.allclose(moving @ back + shift[:, None], reference, atol=1e-10)
    assert np.allclose(np.linalg.det(back), 1.0)
