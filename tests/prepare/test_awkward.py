"""Inputs that people really have: protonation by names, text that is not UTF-8, silent imports."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import openmmtools
import parmed
import pytest
from openmm import app, unit

from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.md.folder import potential_energy
from openmm_neuralmd.prepare.chemistry import read_ligand
from openmm_neuralmd.prepare.forcefield import check_matched, choose_parameters, make_forcefield
from openmm_neuralmd.prepare.hydrogens import standard_name
from openmm_neuralmd.prepare.imports import import_amber, import_gromacs
from openmm_neuralmd.prepare.protein import ProteinOptions, complete_protein
from openmm_neuralmd.structure.residues import PROTONATION
from openmm_neuralmd.utils.progress import LINE_EVERY, progress_bar

HYDROGENS = {
    "HID": {"HD1"}, "HIE": {"HE2"}, "HIP": {"HD1", "HE2"}, "ASH": {"HD2"}, "GLH": {"HE2"},
    "LYN": {"HZ1", "HZ2"}, "CYX": set(),
}  # fmt: skip
POLAR = {
    "HIS": {"HD1", "HE2"}, "ASP": {"HD1", "HD2"}, "GLU": {"HE1", "HE2"},
    "LYS": {"HZ1", "HZ2", "HZ3"}, "CYS": {"HG"},
}  # fmt: skip


@pytest.fixture(scope="module")
def heavy_pdb() -> str:
    """T4 lysozyme without hydrogens and ligand."""
    complex_ = example_complex("t4l-p-xylene")
    modeller = app.Modeller(complex_.topology, complex_.positions * unit.nanometer)
    light = [a for a in modeller.topology.atoms() if a.element.symbol == "H"]
    modeller.delete([*light, *(r for r in modeller.topology.residues() if r.name == "TMP")])
    text = io.StringIO()
    app.PDBFile.writeFile(modeller.topology, modeller.positions, text, keepIds=True)
    return text.getvalue()


def first_renamed(pdb: str, old: str, new: str) -> tuple[str, str]:
    """The PDB with the first residue of a name renamed, and that residue's number."""
    lines = pdb.splitlines(keepends=True)
    number = next(x[22:26] for x in lines if x.startswith("ATOM") and x[17:20] == old)
    changed = [
        x[:17] + f"{new:<4s}" + x[21:] if x.startswith("ATOM") and x[22:26] == number else x
        for x in lines
    ]
    return "".join(changed), number.strip()


def as_mmcif(pdb: str, names: dict[str, str]) -> str:
    """The same as mmCIF, with names of residues by their numbers."""
    read = app.PDBFile(io.StringIO(pdb))
    for residue in read.topology.residues():
        residue.name = names.get(residue.id, residue.name)
    text = io.StringIO()
    app.PDBxFile.writeFile(read.topology, read.positions, text, keepIds=True)
    return text.getvalue()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("pdb", "HIP ASH GLH LYN CYM"),
        ("pdb", "HID ASPP GLUP"),
        ("pdb", "HIE"),
        ("pdb", "HSP"),
        ("pdb", "HSE"),
        ("cif", "HIP ASH GLH LYN CYM"),
        ("cif", "HSE ASPP GLUP"),
    ],
)
def test_protonation_by_names_is_obeyed_and_printed(
    heavy_pdb: str, kind: str, said: str, tmp_path: Path
) -> None:
    text, _ = first_renamed(heavy_pdb, "SER", "CYS")  # T4 lysozyme L99A has none
    text = "".join(
        x.replace(" OG  CYS", " SG  CYS").replace("  O  ", "  S  ") if " OG  CYS" in x else x
        for x in text.splitlines(keepends=True)
    )
    places = {}
    for name in said.split():
        text, places[name] = first_renamed(text, standard_name(name), name)
    if kind == "cif":
        text = as_mmcif(text, {place: name for name, place in places.items()})
    (tmp_path / f"p.{kind}").write_text(text)
    notes: list[str] = []
    far = np.array([[50.0, 50.0, 50.0]])
    completed = complete_protein(
        tmp_path / f"p.{kind}", far, ProteinOptions(platform="CPU"), notes.append
    )
    residues = {residue.id: residue for residue in completed.topology.residues()}
    (note,) = (note for note in notes if "protonation taken from residue names" in note)
    for name, place in places.items():
        atoms = {atom.name for atom in residues[place].atoms()}
        assert atoms & POLAR[standard_name(name)] == HYDROGENS[PROTONATION[name]], name
        assert f"{name} " in note
    forcefield = make_forcefield(choose_parameters(completed.topology), (), ())
    check_matched(forcefield, completed.topology, "p")


ETHANOL = """{title}
  x

  9  8  0  0  0  0  0  0  0  0999 V2000
   -0.8883    0.1670   -0.0273 C   0  0
    0.4658   -0.5116   -0.0368 C   0  0
    1.4311    0.3229    0.5867 O   0  0
   -0.8487    1.1175   -0.5695 H   0  0
   -1.6471   -0.4704   -0.4896 H   0  0
   -1.1964    0.3978    0.9977 H   0  0
    0.7920   -0.7224   -1.0597 H   0  0
    0.4246   -1.4559    0.5138 H   0  0
    1.4671    1.1550    0.0848 H   0  0
  1  2  1  0
  2  3  1  0
  1  4  1  0
  1  5  1  0
  1  6  1  0
  2  7  1  0
  2  8  1  0
  3  9  1  0
M  END
> <IC50>
3 {field}M

$$$$
"""


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_an_sdf_need_not_be_utf8(encoding: str, tmp_path: Path) -> None:
    text = ETHANOL.format(title="Weiß", field="µ")
    (tmp_path / "l.sdf").write_bytes(text.encode(encoding))
    assert read_ligand(tmp_path / "l.sdf").name == "Weiß"


IMPORTS = """
import importlib, pkgutil, openmm_neuralmd
for module in pkgutil.walk_packages(openmm_neuralmd.__path__, "openmm_neuralmd."):
    importlib.import_module(module.name)
"""


def test_importing_any_module_prints_nothing() -> None:
    words = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "" and done.stderr == ""


def test_progress_without_a_terminal_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("run", 3, "snapshots") as advance:
        for _ in range(3):
            advance(1, "fine")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("run: 1/3 snapshots") and lines[-1].startswith("run: 3/3 snapshots")
    assert len(lines) == 2 and LINE_EVERY > 1  # the second came too soon after the first


def pdb_line(name: str, like: str, x: np.ndarray) -> str:
    """A hydrogen of the residue that another line of a PDB belongs to, at x in Å."""
    place = "".join(f"{value:8.3f}" for value in x)
    return f"{like[:12]}{name:<4s}{like[16:30]}{place}{like[54:76]} H{like[78:]}"


@pytest.mark.parametrize("names", [["HXT"], ["1HXT", "2HXT", "3HXT"]])
def test_hydrogens_that_end_a_cut_chain_give_way_to_a_carboxylate(
    heavy_pdb: str, names: list[str], tmp_path: Path
) -> None:
    """Maestro ends a cut chain by an aldehyde (HXT) or a methyl group (1HXT to 3HXT)."""
    lines = heavy_pdb.splitlines(keepends=True)
    last = next(x[22:26] for x in reversed(lines) if x.startswith("ATOM"))
    own = [x for x in lines if x.startswith("ATOM") and x[22:26] == last]
    carbon = next(x for x in own if x[12:16].strip() == "C")
    lost = {"OXT", "O"} if len(names) == 3 else {"OXT"}
    kept = [x for x in lines if x not in own or x[12:16].strip() not in lost]
    at = np.array([float(carbon[30 + 8 * k : 38 + 8 * k]) for k in range(3)])
    new = [pdb_line(name, carbon, at + 0.9 * np.eye(3)[k]) for k, name in enumerate(names)]
    place = kept.index(carbon) + 1
    (tmp_path / "p.pdb").write_text("".join([*kept[:place], *new, *kept[place:]]))
    notes: list[str] = []
    completed = complete_protein(
        tmp_path / "p.pdb",
        np.array([[50.0, 50.0, 50.0]]),
        ProteinOptions(platform="CPU"),
        notes.append,
    )
    chain = next(c for c in completed.topology.chains() if len(list(c.residues())) > 10)
    end = {atom.name for atom in list(chain.residues())[-1].atoms()}
    assert {"C", "O", "OXT"} <= end and not any("HXT" in name for name in end)
    assert any(note.startswith("HXT replaced by carboxylates") for note in notes)


def test_hydrogens_that_overlap_are_added_anew(tmp_path: Path) -> None:
    """A hydrogen on carbon that lies upon another one is placed again; its atom keeps its own."""
    complex_ = example_complex("t4l-p-xylene")
    modeller = app.Modeller(complex_.topology, complex_.positions * unit.nanometer)
    modeller.delete([r for r in modeller.topology.residues() if r.name == "TMP"])
    atoms = {(a.residue.id, a.name): a.index for a in modeller.topology.atoms()}
    x = np.array(modeller.positions.value_in_unit(unit.angstrom))
    residue = next(r for r in modeller.topology.residues() if r.name == "LEU")
    lost, other = atoms[residue.id, "HB2"], atoms[residue.id, "HA"]
    x[lost] = x[other] + [0.3, 0.0, 0.0]
    with (tmp_path / "p.pdb").open("w") as file:
        app.PDBFile.writeFile(modeller.topology, x * unit.angstrom, file, keepIds=True)
    notes: list[str] = []
    completed = complete_protein(
        tmp_path / "p.pdb",
        np.array([[50.0, 50.0, 50.0]]),
        ProteinOptions(platform="CPU"),
        notes.append,
    )
    assert "overlapping hydrogens replaced: 2" in notes
    assert completed.topology.getNumAtoms() == modeller.topology.getNumAtoms()
    place = {(a.residue.id, a.name): a.index for a in completed.topology.atoms()}
    y = np.array(completed.positions.value_in_unit(unit.angstrom))
    for hydrogen, carbon in (("HB2", "CB"), ("HA", "CA")):
        bond = y[place[residue.id, hydrogen]] - y[place[residue.id, carbon]]
        assert np.linalg.norm(bond) == pytest.approx(1.09, abs=0.15)
    gap = np.linalg.norm(y[place[residue.id, "HB2"]] - y[place[residue.id, "HA"]])
    assert gap > 1.5


def test_four_point_water_keeps_the_energy_of_its_source(tmp_path: Path) -> None:
    """OPC water and ff19SB's CMAP: Amber bonds the virtual sites, which a PDB file cannot say."""
    for name in ("small.prmtop", "small.rst7"):
        data = (Path(__file__).parents[1] / "data" / "opc" / f"{name}.gz").read_bytes()
        (tmp_path / name).write_bytes(gzip.decompress(data))
    prmtop, rst7 = tmp_path / "small.prmtop", tmp_path / "small.rst7"
    folder = import_amber(prmtop, rst7, tmp_path / "folder")
    start = app.AmberInpcrdFile(str(rst7))
    source = app.AmberPrmtopFile(str(prmtop), periodicBoxVectors=start.boxVectors)
    system = source.createSystem(
        nonbondedMethod=app.PME, nonbondedCutoff=0.9 * unit.nanometer, flexibleConstraints=True
    )
    positions = np.array(start.positions.value_in_unit(unit.nanometer))
    expected = potential_energy(system, positions, start.boxVectors)
    assert folder.energy() == pytest.approx(expected, rel=1e-9)
    imported = folder.system()
    sites = [i for i in range(177) if imported.isVirtualSite(i)]
    assert len(sites) == 20 and folder.complex().topology.getNumAtoms() == 177


def test_virtual_sites_of_gromacs_keep_the_energy_of_their_source(tmp_path: Path) -> None:
    """The same water through ParmEd, which lists the third edge of a rigid water as a bond."""
    for name in ("small.prmtop", "small.rst7"):
        data = (Path(__file__).parents[1] / "data" / "opc" / f"{name}.gz").read_bytes()
        (tmp_path / name).write_bytes(gzip.decompress(data))
    whole = parmed.load_file(str(tmp_path / "small.prmtop"), str(tmp_path / "small.rst7"))
    top, gro = tmp_path / "small.top", tmp_path / "small.gro"
    whole.save(str(top))
    whole.save(str(gro))
    for file, mark in ((top, b"; Gr\xf6\xdfe\n"), (gro, b"Gr\xf6\xdfe ")):  # not UTF-8
        file.write_bytes(mark + file.read_bytes())
    folder = import_gromacs(top, gro, tmp_path / "folder")
    whole.save(str(tmp_path / "plain.top"))
    whole.save(str(tmp_path / "plain.gro"))
    start = app.GromacsGroFile(str(tmp_path / "plain.gro"))
    box = start.getPeriodicBoxVectors()
    source = app.GromacsTopFile(str(tmp_path / "plain.top"), periodicBoxVectors=box)
    system = source.createSystem(
        nonbondedMethod=app.PME, nonbondedCutoff=0.9 * unit.nanometer, rigidWater=False
    )
    positions = np.array(start.positions.value_in_unit(unit.nanometer))
    assert folder.energy() == pytest.approx(potential_energy(system, positions, box), rel=1e-9)
    assert sum(folder.system().isVirtualSite(i) for i in range(177)) == 20


def test_included_files_of_a_topology_need_not_be_utf8(tmp_path: Path) -> None:
    """A comment in another encoding, in a file that a file in a folder beside includes."""
    data = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
    whole = parmed.load_file(str(data / "complex.prmtop"), str(data / "complex.crd"))
    top, gro = tmp_path / "t4l.top", tmp_path / "t4l.gro"
    whole.save(str(top))
    whole.save(str(gro))
    expected = import_gromacs(top, gro, tmp_path / "plain").energy()
    text = top.read_bytes()
    defaults = text.index(b"[ defaults ]")
    atoms, molecules = text.index(b"[ moleculetype ]"), text.index(b"[ system ]")
    field = tmp_path / "field.ff"
    field.mkdir()
    note = b"; Gr\xf6\xdfe \x85 [ no category ]\n"  # \x85 ends a line in Unicode
    (field / "atoms.itp").write_bytes(note + text[defaults:atoms])
    (field / "all.itp").write_bytes(note + b'#include "atoms.itp"\n#include "../molecules.itp"\n')
    (tmp_path / "molecules.itp").write_bytes(text[atoms:molecules] + note)
    top.write_bytes(note + b'#include \\ \n"field.ff/all.itp"\n' + text[molecules:])
    assert import_gromacs(top, gro, tmp_path / "split").energy() == pytest.approx(expected)


def test_a_prmtop_need_not_be_utf8(tmp_path: Path) -> None:
    amber = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
    content, crd = (amber / "complex.prmtop").read_bytes(), tmp_path / "a.crd"
    head, title, rest = content.partition(b"%FORMAT(20a4)")
    line, _, after = rest.lstrip(b" ").partition(b"\n")
    _, _, after = after.partition(b"\n")
    (tmp_path / "a.prmtop").write_bytes(head + title + line + b"\nGr\xf6\xdfe\n" + after)
    start = (amber / "complex.crd").read_bytes()
    crd.write_bytes(b"Gr\xf6\xdfe\n" + start.partition(b"\n")[2])
    folder = import_amber(tmp_path / "a.prmtop", crd, tmp_path / "folder")
    assert folder.topology.getNumAtoms() == 2621


def test_repartitioned_masses_of_a_prmtop_change_no_energy(tmp_path: Path) -> None:
    amber = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
    files = amber / "complex.prmtop", amber / "complex.crd"
    heavy = parmed.load_file(*map(str, files))
    parmed.tools.HMassRepartition(heavy).execute()
    heavy.save(str(tmp_path / "heavy.prmtop"))
    plain = import_amber(*files, tmp_path / "plain")
    folder = import_amber(tmp_path / "heavy.prmtop", files[1], tmp_path / "folder")
    assert folder.energy() == pytest.approx(plain.energy(), rel=1e-9)
    both = folder.system(), plain.system()
    masses = [sum(one.getParticleMass(i)._value for i in range(2621)) for one in both]
    assert masses[0] == pytest.approx(masses[1], abs=1.0)


@pytest.mark.parametrize("names", [("O", "1H", "2H"), ("OW", "HW1", "HW2")])
def test_water_is_water_whatever_its_atoms_are_called(
    heavy_pdb: str, names: tuple[str, str, str], tmp_path: Path
) -> None:
    places = np.array([[90.0, 90.0, 90.0], [90.96, 90.0, 90.0], [89.76, 90.93, 90.0]])
    water = "".join(
        f"HETATM {9000 + k}  {name:<3s} HOH W   1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00"
        f"           {'OHH'[k]}  \n"
        for k, (name, (x, y, z)) in enumerate(zip(names, places, strict=True))
    )
    body = [x for x in heavy_pdb.splitlines(keepends=True) if x.startswith("ATOM")]
    (tmp_path / "p.pdb").write_text("".join([*body, "TER\n", water, "END\n"]))
    completed = complete_protein(
        tmp_path / "p.pdb",
        np.array([[50.0, 50.0, 50.0]]),
        ProteinOptions(waters=True, platform="CPU"),
        lambda _: None,
    )
    residue = next(r for r in completed.topology.residues() if r.name == "HOH")
    assert sorted(atom.name for atom in residue.atoms()) == ["H1", "H2", "O"]


@pytest.mark.parametrize("names", [{"H": "H11"}, {"HD21": "HD1", "HD22": "HD2"}])
def test_hydrogens_of_unknown_names_are_added_anew(names: dict[str, str], tmp_path: Path) -> None:
    """Amides named as a sugar had been cut off: the force field has no such hydrogens."""
    complex_ = example_complex("t4l-p-xylene")
    modeller = app.Modeller(complex_.topology, complex_.positions * unit.nanometer)
    modeller.delete([r for r in modeller.topology.residues() if r.name == "TMP"])
    residue = next(r for r in modeller.topology.residues() if r.name == "ASN")
    for atom in residue.atoms():
        atom.name = names.get(atom.name, atom.name)
    with (tmp_path / "p.pdb").open("w") as file:
        app.PDBFile.writeFile(modeller.topology, modeller.positions, file, keepIds=True)
    notes: list[str] = []
    completed = complete_protein(
        tmp_path / "p.pdb",
        np.array([[50.0, 50.0, 50.0]]),
        ProteinOptions(platform="CPU"),
        notes.append,
    )
    assert any(note.startswith("hydrogens with unknown names replaced: H") for note in notes)
    same = next(r for r in completed.topology.residues() if r.id == residue.id)
    kept = {atom.name for atom in same.atoms()}
    assert len(kept) == 14 and set(names) <= kept
