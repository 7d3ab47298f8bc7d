"""The complex folder: what is written comes back; parameters of others are not touched."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import openmm
import openmmtools
import parmed
import pytest
import typer
from openmm import app, unit
from rdkit import Chem
from typer.testing import CliRunner

from openmm_neuralmd.commands import prepare as prepare_command
from openmm_neuralmd.commands.command import Command
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.md.folder import ComplexFolder, potential_energy
from openmm_neuralmd.md.folder_writer import write_folder
from openmm_neuralmd.prepare.imports import import_amber, import_gromacs, import_openmm
from openmm_neuralmd.structure.complex import Complex

AMBER = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
PRMTOP, INPCRD = AMBER / "complex.prmtop", AMBER / "complex.crd"
NM = unit.nanometer


def amber_positions() -> np.ndarray:
    return np.array(app.AmberInpcrdFile(str(INPCRD)).positions.value_in_unit(NM))


@pytest.fixture(scope="module")
def amber(tmp_path_factory: pytest.TempPathFactory) -> ComplexFolder:
    return import_amber(PRMTOP, INPCRD, tmp_path_factory.mktemp("amber") / "t4l")


def test_amber_parameters_are_untouched(amber: ComplexFolder) -> None:
    source = app.AmberPrmtopFile(str(PRMTOP)).createSystem(constraints=None, rigidWater=False)
    expected = potential_energy(source, amber_positions())
    assert amber.record["energy"]["kj_mol"] == pytest.approx(expected, rel=1e-6)
    assert ComplexFolder.open(amber.path).energy() == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(amber.positions, amber_positions(), atol=1e-12)


def test_constraints_keep_their_terms(amber: ComplexFolder) -> None:
    """An export that removes the constraints has every bond."""
    system = amber.system()
    bonds = next(f for f in system.getForces() if isinstance(f, openmm.HarmonicBondForce))
    hydrogens = sum(a.element.symbol == "H" for a in amber.topology.atoms())
    assert bonds.getNumBonds() == amber.topology.getNumBonds()
    assert system.getNumConstraints() == hydrogens


def test_complex_of_a_folder(amber: ComplexFolder) -> None:
    direct = Complex.from_files(PRMTOP, coordinates=INPCRD)
    assert amber.complex().fingerprint() == direct.fingerprint()
    np.testing.assert_array_equal(amber.complex().ligand, direct.ligand)


def test_perceived_ligand_is_p_xylene(amber: ComplexFolder) -> None:
    molecule = Chem.MolFromMolFile(str(amber.path / "ligand.sdf"), removeHs=False)
    assert Chem.MolToSmiles(Chem.RemoveHs(molecule)) == "Cc1ccc(C)cc1"
    assert amber.record["ligand"]["bond_orders"] == "perceived"
    own = amber.positions[amber.complex().ligand]
    np.testing.assert_allclose(molecule.GetConformer().GetPositions() / 10, own, atol=1e-5)


def test_bond_orders_from_an_sdf(amber: ComplexFolder, tmp_path: Path) -> None:
    """Atoms of the SDF in another order; those of the folder stay in the System's."""
    molecule = Chem.MolFromMolFile(str(amber.path / "ligand.sdf"), removeHs=False)
    order = list(reversed(range(molecule.GetNumAtoms())))
    sdf = tmp_path / "other.sdf"
    Chem.SDWriter(str(sdf)).write(Chem.RenumberAtoms(molecule, order))
    folder = import_amber(PRMTOP, INPCRD, tmp_path / "folder", sdf=sdf)
    again = Chem.MolFromMolFile(str(folder.path / "ligand.sdf"), removeHs=False)
    assert [a.GetSymbol() for a in again.GetAtoms()] == [a.GetSymbol() for a in molecule.GetAtoms()]
    assert folder.record["ligand"]["bond_orders"] == "sdf"


def test_gromacs_parameters_are_untouched(tmp_path: Path) -> None:
    structure = parmed.load_file(str(PRMTOP), str(INPCRD))
    structure.box = None
    structure.save(str(tmp_path / "x.top"))
    structure.box = [100, 100, 100, 90, 90, 90]
    structure.save(str(tmp_path / "x.gro"))
    folder = import_gromacs(tmp_path / "x.top", tmp_path / "x.gro", tmp_path / "folder")
    assert folder.record["periodic"]
    gro = app.GromacsGroFile(str(tmp_path / "x.gro"))
    top = app.GromacsTopFile(
        str(tmp_path / "x.top"), periodicBoxVectors=gro.getPeriodicBoxVectors()
    )
    source = top.createSystem(
        nonbondedMethod=app.PME, nonbondedCutoff=0.9, constraints=None, rigidWater=False
    )
    positions = np.array(gro.getPositions(asNumpy=True).value_in_unit(NM))
    expected = potential_energy(source, positions, gro.getPeriodicBoxVectors())
    assert folder.record["energy"]["kj_mol"] == pytest.approx(expected, rel=1e-6)
    assert folder.system().getNumConstraints() > 1000
    read = folder.topology.getPeriodicBoxVectors().value_in_unit(NM)
    np.testing.assert_allclose(np.diag(np.array(read)), 10.0)


def test_openmm_system_is_untouched(amber: ComplexFolder, tmp_path: Path) -> None:
    folder = import_openmm(
        amber.path / "system.xml", amber.path / "topology.pdb", tmp_path / "folder"
    )
    assert (folder.path / "system.xml").read_text() == (amber.path / "system.xml").read_text()
    in_pdb = app.PDBFile(str(amber.path / "topology.pdb")).positions.value_in_unit(NM)
    expected = potential_energy(amber.system(), np.array(in_pdb))
    assert folder.energy() == pytest.approx(expected, rel=1e-6)


def test_nothing_is_left_of_a_failure(amber: ComplexFolder, tmp_path: Path) -> None:
    """A bond that PDB cannot hold: between standard residues, not a disulfide."""
    topology = app.PDBFile(str(amber.path / "topology.pdb")).topology
    first, *_, last = (a for a in topology.atoms() if a.name == "CA")
    topology.addBond(first, last)
    with pytest.raises(InputError, match="does not survive as a PDB file"):
        write_folder(tmp_path / "x", topology, amber.system(), amber.positions, "", amber.record)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"name": "x"}, r"record of .*x: ligand: Field required"),
        ({"ligand": {"residue": "A:1"}}, r"record of .*x: name: Field required"),
        ({"name": "x", "ligand": {"name": "LIG"}}, r"x: ligand\.residue: Field required"),
        ({"name": "x", "ligand": {"residue": "Q:9999"}}, r"Q:9999"),
    ],
)
def test_incomplete_record_leaves_nothing(
    record: dict[str, object], message: str, amber: ComplexFolder, tmp_path: Path
) -> None:
    parts = amber.topology, amber.system(), amber.positions
    with pytest.raises(InputError, match=message) as caught:
        write_folder(tmp_path / "x", *parts, "", record)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def copy(folder: ComplexFolder, target: Path) -> Path:
    target.mkdir()
    for file in folder.path.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_changed_and_missing_files_are_named(amber: ComplexFolder, tmp_path: Path) -> None:
    changed = copy(amber, tmp_path / "changed")
    text = (changed / "system.xml").read_text()
    (changed / "system.xml").write_text(text[:-50])
    with pytest.raises(InputError, match=r"system\.xml is not the file"):
        ComplexFolder.open(changed)
    (changed / "state.xml").unlink()
    (changed / "system.xml").write_text(text)
    with pytest.raises(InputError, match=r"state\.xml is missing"):
        ComplexFolder.open(changed)
    (changed / "complex.yaml").write_text("format: [")
    with pytest.raises(InputError, match=r"complex\.yaml: not a readable settings file"):
        ComplexFolder.open(changed)
    (changed / "complex.yaml").write_text("format: 99\nfiles: {}\n")
    with pytest.raises(InputError, match="folder format 99"):
        ComplexFolder.open(changed)
    with pytest.raises(InputError, match="no complex folder"):
        ComplexFolder.open(tmp_path)


def test_nothing_is_overwritten(amber: ComplexFolder) -> None:
    with pytest.raises(InputError, match="exists; choose another name"):
        import_amber(PRMTOP, INPCRD, amber.path)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_half_written_prmtop(part: float, tmp_path: Path) -> None:
    text = PRMTOP.read_text()
    (tmp_path / "cut.prmtop").write_text(text[: int(part * len(text))])
    with pytest.raises(InputError, match=r"cannot read cut\.prmtop") as caught:
        import_amber(tmp_path / "cut.prmtop", INPCRD, tmp_path / "folder")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "folder").exists()


def test_damaged_gromacs_and_openmm_files(amber: ComplexFolder, tmp_path: Path) -> None:
    (tmp_path / "x.top").write_text("[ defaults ]\n1 2 yes 0.5 0.8333\n[ atoms ]\nnonsense\n")
    (tmp_path / "x.gro").write_text("title\n5\n    1LIG")
    with pytest.raises(InputError, match=r"cannot read x\.gro"):
        import_gromacs(tmp_path / "x.top", tmp_path / "x.gro", tmp_path / "folder")
    app.PDBFile.writeFile(amber.topology, amber.positions * NM, (tmp_path / "x.pdb").open("w"))
    (tmp_path / "x.xml").write_text("<System")
    with pytest.raises(InputError, match=r"cannot read x\.xml"):
        import_openmm(tmp_path / "x.xml", tmp_path / "x.pdb", tmp_path / "folder")
    (tmp_path / "x.xml").write_text(openmm.XmlSerializer.serialize(openmm.System()))
    with pytest.raises(InputError, match=re.escape("x.xml has 0 atoms")):
        import_openmm(tmp_path / "x.xml", tmp_path / "x.pdb", tmp_path / "folder")


# --- on the command line -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def command_line() -> typer.Typer:
    line = typer.Typer()
    line.command(cls=Command)(prepare_command.prepare)
    return line


def test_import_by_command(command_line: typer.Typer, tmp_path: Path) -> None:
    arguments = [str(PRMTOP), str(INPCRD), "-o", str(tmp_path / "x"), "--name", "t4l"]
    result = CliRunner().invoke(command_line, arguments)
    assert result.exit_code == 0, result.output
    assert "2621 atoms, potential energy -15649.0 kJ/mol" in result.output
    assert ComplexFolder.open(tmp_path / "x").name == "t4l"
    again = CliRunner().invoke(command_line, arguments)
    assert again.exit_code == 1
    assert "exists; choose another name" in again.output
    assert "Traceback" not in again.output
    aside = CliRunner().invoke(command_line, [*arguments, "--restart"])
    assert aside.exit_code == 0, aside.output
    assert (tmp_path / "x.previous-1" / "x" / "complex.yaml").exists()


@pytest.mark.parametrize(
    ("files", "option"),
    [
        (("a.prmtop", "b.rst7"), ("--charges", "am1bcc")),
        (("a.prmtop", "b.rst7"), ("--include", "x")),
        (("a.pdb", "b.sdf"), ("--sdf", "c.sdf")),
    ],
)
def test_options_without_effect_are_wrong_usage(
    files: tuple[str, str], option: tuple[str, str], command_line: typer.Typer
) -> None:
    result = CliRunner().invoke(command_line, [*files, *option, "-o", "x"])
    assert result.exit_code == 2
    assert f"{option[0]} has no meaning for" in result.output
