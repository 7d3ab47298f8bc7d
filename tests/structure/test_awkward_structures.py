"""Structure files that people have: stale bonds, unknown atoms, no element column, sugars."""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from openmm import app, unit

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.prepare.protein import ProteinOptions, complete_protein
from openmm_neuralmd.structure.bonds import BondWarning
from openmm_neuralmd.structure.cell import CellWarning
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.structure.pdb_text import ElementWarning
from openmm_neuralmd.structure.readers import read_structure


@pytest.fixture(scope="module")
def t4l() -> Complex:
    return example_complex("t4l-p-xylene")


@pytest.fixture(scope="module")
def pdb(t4l: Complex) -> list[str]:
    text = io.StringIO()
    app.PDBFile.writeFile(t4l.topology, t4l.positions * unit.nanometer, text, keepIds=True)
    return text.getvalue().splitlines(keepends=True)


def conect(pairs: np.ndarray, serials: list[int]) -> list[str]:
    return [f"CONECT{serials[i]:5d}{serials[j]:5d}\n" for i, j in pairs]


def serials(lines: list[str]) -> list[int]:
    """Serial numbers of the ligand's atoms."""
    return [int(x[6:11]) for x in lines if x.startswith("HETATM") and x[17:20] == "TMP"]


def with_bonds(lines: list[str], records: list[str], path: Path) -> Path:
    body = [x for x in lines if not x.startswith(("CONECT", "END"))]
    path.write_text("".join([*body, *records, "END\n"]))
    return path


def test_bonds_that_their_lengths_contradict_are_replaced(
    t4l: Complex, pdb: list[str], tmp_path: Path
) -> None:
    """Serial numbers shifted by one, as after an atom was added."""
    own = serials(pdb)
    stale = conect(t4l.ligand_bonds, [*own[1:], own[0]])
    path = with_bonds(pdb, stale, tmp_path / "stale.pdb")
    with pytest.warns(BondWarning, match="listed bond .* Å long; its bonds were taken from dist"):
        read = Complex.from_files(path)
    assert np.array_equal(read.ligand_bonds, t4l.ligand_bonds)


def test_bonds_that_are_missing_are_completed(t4l: Complex, pdb: list[str], tmp_path: Path) -> None:
    """Records of heavy atoms alone; hydrogens were added later."""
    heavy = set(t4l.heavy.tolist())
    part = np.array([bond for bond in t4l.ligand_bonds if set(bond.tolist()) <= heavy])
    path = with_bonds(pdb, conect(part, serials(pdb)), tmp_path / "part.pdb")
    with pytest.warns(BondWarning, match="8 bonds are listed, 10 more were taken from distances"):
        read = Complex.from_files(path)
    assert np.array_equal(read.ligand_bonds, t4l.ligand_bonds)


def test_sound_bonds_are_taken_without_a_word(t4l: Complex, pdb: list[str], tmp_path: Path) -> None:
    path = with_bonds(pdb, conect(t4l.ligand_bonds, serials(pdb)), tmp_path / "sound.pdb")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(Complex.from_files(path).ligand_bonds, t4l.ligand_bonds)


@pytest.mark.parametrize("name", ["UNX", "UNK", "UNL"])
def test_atoms_of_unknown_element_are_left_out(
    t4l: Complex, pdb: list[str], name: str, tmp_path: Path
) -> None:
    unknown = (
        f"HETATM 9999 UNK  {name} X 900      10.000  10.000  10.000  1.00  0.00           X  \n"
    )
    path = with_bonds([*pdb, unknown], [], tmp_path / "x.pdb")
    with pytest.warns(ElementWarning, match=f"unknown element left out: {name} X:900"):
        structure = read_structure(path)
    assert structure.topology.getNumAtoms() == t4l.topology.getNumAtoms()


def renamed(lines: list[str], rename: Callable[[str, int], str]) -> list[str]:
    """The ligand's heavy atoms under other names, the element column empty everywhere."""
    out, count = [], 0
    for line in lines:
        if line.startswith(("ATOM", "HETATM")):
            if line[17:20] == "TMP" and line[76:78].strip() != "H":
                line = line[:12] + rename(line, count) + line[16:]
                count += 1
            line = line[:76].rstrip() + "\n"
        out.append(line)
    return out


@pytest.mark.parametrize(
    "letters", [" {}A", "{}AA "], ids=["in the second column", "in the first column"]
)
def test_a_nitrogen_is_not_sodium_where_the_element_column_is_empty(
    pdb: list[str], letters: str, tmp_path: Path
) -> None:
    """NAA, NAI, CAB, KXX: the first letter is the element, whatever the second one is."""

    def rename(line: str, count: int) -> str:
        first = "N" if count == 0 else "C"
        name = letters.format(first)[:3] + "ABCDEFGHIJ"[count]
        return f"{name:<4s}"

    path = with_bonds(renamed(pdb, rename), [], tmp_path / "bare.pdb")
    with pytest.warns(ElementWarning, match="elements of TMP were taken from the atoms' names"):
        structure = read_structure(path)
    ligand = next(r for r in structure.topology.residues() if r.name == "TMP")
    symbols = [a.element.symbol for a in ligand.atoms()]
    assert symbols.count("N") == 1 and symbols.count("C") == 7 and symbols.count("H") == 10


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("CL1 ", "Cl"), (" CL1", "C"), ("BR  ", "Br"), (" N1 ", "N"), ("NA1 ", "N"), ("1HB ", "H")],
)
def test_names_and_their_elements(name: str, symbol: str, tmp_path: Path) -> None:
    line = "HETATM{:5d} {} {} A 900    {:8.3f}   0.000   0.000  1.00  0.00\n"
    second = line.format(2, " C9 ", "ABC", 1.5)
    (tmp_path / "x.pdb").write_text(line.format(1, name, "ABC", 0.0) + second + "END\n")
    with pytest.warns(ElementWarning):
        atom = next(read_structure(tmp_path / "x.pdb").topology.atoms())
    assert atom.element.symbol == symbol


def test_a_metal_alone_is_a_metal(tmp_path: Path) -> None:
    line = "HETATM    1 GD   GD3 A 900       0.000   0.000   0.000  1.00  0.00\nEND\n"
    (tmp_path / "x.pdb").write_text(line)
    with pytest.warns(ElementWarning):
        atom = next(read_structure(tmp_path / "x.pdb").topology.atoms())
    assert atom.element.symbol == "Gd"


def test_a_sugar_on_an_amino_acid_is_the_cause_that_is_named(
    pdb: list[str], tmp_path: Path
) -> None:
    """Dropping ASN would delete every asparagine; the message never offers that."""
    from openmm_neuralmd.prepare.forcefield import check_matched, choose_parameters, make_forcefield

    protein = [x for x in pdb if x[17:20] != "TMP" and not x.startswith(("CONECT", "END", "TER"))]
    amide = next(x for x in protein if x[17:20] == "ASN" and x[12:16].strip() == "ND2")
    place = [float(amide[30 + 8 * k : 38 + 8 * k]) for k in range(3)]
    kept = [x for x in protein if not (x[17:27] == amide[17:27] and x[12:16].strip() == "HD22")]
    sugar = [
        f"HETATM {9000 + k:4d}  {name:<3s} NAG A 900    {place[0] + 1.4 * (k + 1):8.3f}"
        f"{place[1]:8.3f}{place[2]:8.3f}  1.00  0.00           {name[0]}  \n"
        for k, name in enumerate(("C1", "C2", "O5"))
    ]
    link = f"CONECT{int(amide[6:11]):5d} 9000\n"
    (tmp_path / "x.pdb").write_text("".join([*kept, "TER\n", *sugar, link, "END\n"]))
    completed = complete_protein(
        tmp_path / "x.pdb",
        np.array([[50.0, 50.0, 50.0]]),
        ProteinOptions(platform="CPU"),
        lambda _: None,
    )
    forcefield = make_forcefield(choose_parameters(completed.topology), (), ())
    with pytest.raises(InputError) as error:
        check_matched(forcefield, completed.topology, "x.pdb")
    message = str(error.value)
    assert "NAG A:900 bonded to ASN 1:" in message and "--drop NAG" in message
    assert "--drop ASN" not in message


def test_an_amino_acid_without_parameters_is_never_offered_to_be_dropped(pdb: list[str]) -> None:
    from openmm_neuralmd.prepare.forcefield import check_matched, choose_parameters, make_forcefield

    modeller = app.PDBFile(io.StringIO("".join(x for x in pdb if x[17:20] != "TMP")))
    bad = app.Modeller(modeller.topology, modeller.positions)
    leucine = next(r for r in bad.topology.residues() if r.name == "LEU")
    bad.delete([next(a for a in leucine.atoms() if a.name == "CD1")])
    forcefield = make_forcefield(choose_parameters(bad.topology), (), ())
    with pytest.raises(InputError, match=r"for LEU 1:\d+ \(18 atoms\); mend") as error:
        check_matched(forcefield, bad.topology, "x.pdb")
    assert "--drop" not in str(error.value)


def test_compressed_structures_are_read(t4l: Complex, pdb: list[str], tmp_path: Path) -> None:
    """As the PDB serves them."""
    (tmp_path / "x.pdb.gz").write_bytes(gzip.compress("".join(pdb).encode()))
    read = Complex.from_files(tmp_path / "x.pdb.gz")
    assert np.allclose(read.positions, t4l.positions, atol=1e-4)
    for name, data in (("cut", gzip.compress(b"ATOM" * 99)[:-9]), ("text", b"ATOM")):
        (tmp_path / f"{name}.pdb.gz").write_bytes(data)
        with pytest.raises(InputError, match=f"cannot read .*{name}.pdb.gz: "):
            read_structure(tmp_path / f"{name}.pdb.gz")
    (tmp_path / "bomb.pdb.gz").write_bytes(gzip.compress(bytes(2**28 + 1), 1))
    with pytest.raises(InputError, match=r"bomb.pdb.gz: unpacked it is more than \d+ times larger"):
        read_structure(tmp_path / "bomb.pdb.gz")


def mmcif(t4l: Complex) -> str:
    text = io.StringIO()
    app.PDBxFile.writeFile(t4l.topology, t4l.positions * unit.nanometer, text, keepIds=True)
    return text.getvalue()


@pytest.mark.parametrize("symbol", ["X", "?", ".", "UNK"])
def test_atoms_of_unknown_element_are_left_out_of_mmcif(
    t4l: Complex, symbol: str, tmp_path: Path
) -> None:
    lines = mmcif(t4l).splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if line.startswith("HETATM"))
    words = lines[last].split()
    words[1], words[2] = "9999", symbol
    words = ["UNX" if word == "TMP" else "900" if word == "163" else word for word in words]
    path = tmp_path / "x.cif"
    path.write_text("".join([*lines[: last + 1], " ".join(words) + "\n", *lines[last + 1 :]]))
    with pytest.warns(ElementWarning, match="unknown element left out: UNX 1:900"):
        structure = read_structure(path)
    assert structure.topology.getNumAtoms() == t4l.topology.getNumAtoms()


RIGHT = ("80.0", "80.0", "80.0", "90.0", "90.0", "90.0")


@pytest.mark.parametrize("kind", ["pdb", "cif"])
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (RIGHT, None),
        (("0.0", "0.0", "0.0", "90.0", "90.0", "90.0"), None),
        (("1.0", "1.0", "1.0", "90.0", "90.0", "90.0"), None),
        (("nan", "nan", "nan", "90.0", "90.0", "90.0"), "no unit cell"),
        (("80.0", "80.0", "80.0", "0.0", "0.0", "0.0"), "no unit cell"),
        (("80.0", "80.0", "80.0", "170.0", "170.0", "170.0"), "no unit cell"),
        (("9e9", "80.0", "80.0", "90.0", "90.0", "90.0"), "no unit cell"),
        (("*****", "80.0", "80.0", "90.0", "90.0", "90.0"), "no unit cell"),
        (("15.0", "15.0", "15.0", "90.0", "90.0", "90.0"), "too small for 2621 atoms"),
    ],
)
def test_a_cell_that_is_none_is_left_out_with_a_note(
    t4l: Complex, pdb: list[str], kind: str, cell: tuple[str, ...], said: str | None, tmp_path: Path
) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "pdb":
        numbers = "".join(f"{x:>9s}" for x in cell[:3]) + "".join(f"{x:>7s}" for x in cell[3:])
        path.write_text("".join([f"CRYST1{numbers} P 1           1\n", *pdb]))
    else:
        path.write_text(with_cell(mmcif(t4l), cell))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CellWarning)
        read = Complex.from_files(path)
    notes = [str(w.message) for w in caught if issubclass(w.category, CellWarning)]
    assert (read.box is not None) == (cell == RIGHT)
    assert len(notes) == (said is not None) and all(str(said) in note for note in notes)


def with_cell(text: str, cell: tuple[str, ...]) -> str:
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    items = "".join(f"_cell.{name} {x}\n" for name, x in zip(names, cell, strict=True))
    return text.replace("loop_", f"{items}#\nloop_", 1)


def test_an_mmcif_without_lengths_has_no_cell(t4l: Complex, tmp_path: Path) -> None:
    """As files of NMR and of predicted structures have it."""
    (tmp_path / "x.cif").write_text(with_cell(mmcif(t4l), ("?",) * 6))
    with warnings.catch_warnings():
        warnings.simplefilter("error", CellWarning)
        assert Complex.from_files(tmp_path / "x.cif").box is None


def test_structures_need_not_be_utf8(t4l: Complex, pdb: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.pdb").write_bytes("REMARK Größe µM\n".encode("latin-1") + "".join(pdb).encode())
    titled = mmcif(t4l).replace("loop_", "_struct.title 'Größe µM'\nloop_", 1)
    (tmp_path / "x.cif").write_bytes(titled.encode("latin-1"))
    for name in ("x.pdb", "x.cif"):
        read = Complex.from_files(tmp_path / name)
        np.testing.assert_allclose(read.positions, t4l.positions, atol=1e-4)


@pytest.mark.parametrize("name", ["A.PDB", "a.ENT", "a.CIF", "Ä 分.pdb", "a b'c.pdb", "a.PDB.GZ"])
def test_names_of_structure_files(t4l: Complex, pdb: list[str], name: str, tmp_path: Path) -> None:
    text = (mmcif(t4l) if "CIF" in name else "".join(pdb)).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    assert len(Complex.from_files(tmp_path / name).ligand) == 18
