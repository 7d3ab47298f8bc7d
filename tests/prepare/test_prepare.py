"""Preparing a complex: chemistry, parameters, protein, checks, and one line for every bad input."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit
from rdkit import Chem
from scipy.spatial import cKDTree

from ambertools import require_ambertools
from openmm_neuralmd.errors import InputError, NeuralMDError, ProgramError
from openmm_neuralmd.md.folder import ComplexFolder, potential_energy
from openmm_neuralmd.md.minimise import minimise
from openmm_neuralmd.prepare import forcefield
from openmm_neuralmd.prepare.assembly import ligand_topology
from openmm_neuralmd.prepare.charges import assign_charges
from openmm_neuralmd.prepare.chemistry import Ligand, read_ligand
from openmm_neuralmd.prepare.forcefield import STANDARD, choose_parameters, make_forcefield
from openmm_neuralmd.prepare.gaff import _prmtop, gaff_template, residue_template
from openmm_neuralmd.prepare.pipeline import prepare
from openmm_neuralmd.prepare.programs import AmberTools, find_ambertools
from openmm_neuralmd.prepare.protein import ProteinOptions, complete_protein, positions_of
from openmm_neuralmd.prepare.settings import PrepareSettings
from openmm_neuralmd.prepare.solvents import SOLVENTS, add_water, build_system
from openmm_neuralmd.prepare.soundness import check_chirality, check_clashes

DATA = Path(__file__).parents[1] / "data"
PROTEIN, LIGANDS = DATA / "t4_lysozyme" / "protein.pdb", DATA / "t4_lysozyme" / "ligands.sdf"
CHARGED = DATA / "charged_ligand.sdf"
FAR = np.full((1, 3), 100.0)
NM = unit.nanometer


@pytest.fixture(scope="module")
def tools() -> AmberTools:
    return require_ambertools()


@pytest.fixture(scope="module")
def notes() -> list[str]:
    return []


@pytest.fixture(scope="module")
def prepared(
    tools: AmberTools, tmp_path_factory: pytest.TempPathFactory, notes: list[str]
) -> ComplexFolder:
    """T4 lysozyme L99A and a drug fragment, as the command line would prepare it."""
    output = tmp_path_factory.mktemp("prepared") / "t4l"
    return prepare(PROTEIN, LIGANDS, output, molecule="1", note=notes.append)


# --- what is written ---------------------------------------------------------------------------


@pytest.mark.slow
def test_prepared_folder_reads_back(prepared: ComplexFolder) -> None:
    again = ComplexFolder.open(prepared.path)
    assert again.energy() == pytest.approx(prepared.record["energy"]["kj_mol"], rel=1e-6)
    complex = again.complex()
    assert len(complex.ligand) == 21
    assert complex.n_residues == 162
    assert complex.linked.sum() == 161


@pytest.mark.slow
def test_choices_are_recorded_and_told(prepared: ComplexFolder, notes: list[str]) -> None:
    assert prepared.record["parameters"]["charges"] in ("am1bcc-sp", "mmff94")
    assert prepared.record["parameters"]["protein"] == "ff14SB"
    assert prepared.record["solvent"] == "obc2"
    assert re.match(r"\d+\.\d+", prepared.record["parameters"]["tools"]["antechamber"])
    assert prepared.record["parameters"]["tools"]["rdkit"]
    assert prepared.record["notes"] == notes
    assert any("by default" in line and "GAFF2" in line for line in notes)


@pytest.mark.slow
def test_ligand_keeps_its_chemistry(prepared: ComplexFolder) -> None:
    given = read_ligand(LIGANDS, "1")
    written = read_ligand(prepared.path / "ligand.sdf")
    assert written.smiles == given.smiles
    own = prepared.positions[prepared.complex().ligand]
    np.testing.assert_allclose(written.positions, own, atol=1e-5)


@pytest.mark.slow
def test_prepared_complex_is_relaxed(prepared: ComplexFolder) -> None:
    """Constraints hold, clashes are gone, and twenty femtoseconds at 2 fs do no harm."""
    system, positions = prepared.system(), prepared.positions
    for n in range(system.getNumConstraints()):
        i, j, length = system.getConstraintParameters(n)
        distance = np.linalg.norm(positions[i] - positions[j])
        assert distance == pytest.approx(length.value_in_unit(NM), rel=1e-4)
    check_clashes(prepared.topology, positions)
    integrator = openmm.LangevinMiddleIntegrator(300, 1, 0.002)
    platform = openmm.Platform.getPlatformByName("CPU")
    context = openmm.Context(system, integrator, platform)
    context.setPositions(positions)
    context.setVelocitiesToTemperature(300, 1)
    integrator.step(10)
    moved = np.array(context.getState(positions=True).getPositions(asNumpy=True)) - positions
    assert np.isfinite(moved).all()
    assert np.abs(moved).max() < 0.1


# --- parameters --------------------------------------------------------------------------------


def terms(system: openmm.System, positions: np.ndarray) -> dict[str, float]:
    copy = openmm.XmlSerializer.clone(system)
    for i, force in enumerate(copy.getForces()):
        force.setForceGroup(i)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(copy, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(positions)
    return {
        force.getName(): context.getState(energy=True, groups={i}).getPotentialEnergy()._value
        for i, force in enumerate(copy.getForces())
        if not isinstance(force, openmm.CMMotionRemover)
    }


@pytest.fixture(scope="module")
def charged() -> Ligand:
    return read_ligand(CHARGED)


@pytest.fixture(scope="module")
def quick_charges(charged: Ligand, tools: AmberTools) -> np.ndarray:
    return assign_charges(charged, "mmff94", tools)


@pytest.fixture(scope="module")
def good_charges(charged: Ligand, tools: AmberTools) -> np.ndarray:
    return assign_charges(charged, "am1bcc-sp", tools)


@pytest.fixture(scope="module")
def template(charged: Ligand, quick_charges: np.ndarray, tools: AmberTools) -> str:
    return gaff_template(charged, quick_charges, tools)


@pytest.mark.parametrize(("sdf", "name"), [(CHARGED, None), (LIGANDS, "1"), (LIGANDS, "2")])
def test_template_has_ambers_terms(
    sdf: Path, name: str | None, tools: AmberTools, tmp_path: Path
) -> None:
    """Each of the four force terms as the prmtop has it."""
    ligand = read_ligand(sdf, name)
    amber = app.AmberPrmtopFile(str(_prmtop(ligand, tools, tmp_path))).createSystem()
    charges = assign_charges(ligand, "gasteiger", tools)
    nonbonded = next(f for f in amber.getForces() if isinstance(f, openmm.NonbondedForce))
    set_charges(nonbonded, charges)
    template = StringIO(residue_template("LIG", ligand, amber, charges))
    ours = app.ForceField(template).createSystem(ligand_topology(ligand), constraints=None)
    expected = terms(amber, ligand.positions)
    found = terms(ours, ligand.positions)
    assert set(found) == set(expected)
    for term, energy in expected.items():
        assert found[term] == pytest.approx(energy, rel=1e-6, abs=1e-6), term


def set_charges(force: openmm.NonbondedForce, charges: np.ndarray) -> None:
    """Charges of particles, and of the 1–4 exceptions by Amber's scale."""
    for i, charge in enumerate(charges):
        _, sigma, epsilon = force.getParticleParameters(i)
        force.setParticleParameters(i, charge, sigma, epsilon)
    for n in range(force.getNumExceptions()):
        i, j, _, sigma, epsilon = force.getExceptionParameters(n)
        if epsilon._value != 0:
            force.setExceptionParameters(n, i, j, charges[i] * charges[j] / 1.2, sigma, epsilon)


def test_parameters_are_the_same_every_time(
    charged: Ligand, quick_charges: np.ndarray, template: str, tools: AmberTools
) -> None:
    """parmchk2 given 'gaff2' by name takes another parameter set in two of three runs."""
    for _ in range(7):
        assert gaff_template(charged, quick_charges, tools) == template


@pytest.mark.parametrize(("method", "worst"), [("mmff94", 0.3), ("gasteiger", 0.4)])
def test_charges_add_up(
    method: str, worst: float, charged: Ligand, good_charges: np.ndarray, tools: AmberTools
) -> None:
    """To the formal charge exactly, near AM1-BCC, and alike on the hydrogens of a methyl."""
    for charges in (good_charges, assign_charges(charged, method, tools)):
        assert charges.sum() == pytest.approx(1.0, abs=1e-12)
        methyl = [27, 28, 29]
        assert np.ptp(charges[methyl]) < 1e-9
        assert np.sqrt(((charges - good_charges) ** 2).mean()) < worst


@pytest.mark.slow
def test_single_point_is_near_am1bcc(tools: AmberTools) -> None:
    ligand = read_ligand(LIGANDS, "1")
    full = assign_charges(ligand, "am1bcc", tools)
    single = assign_charges(ligand, "am1bcc-sp", tools)
    assert np.sqrt(((full - single) ** 2).mean()) < 0.05


def test_charges_of_the_sdf(
    charged: Ligand, quick_charges: np.ndarray, tools: AmberTools, tmp_path: Path
) -> None:
    """Read back as they were written, and refused where they do not fit the formal charge."""
    molecule = Chem.Mol(charged.molecule)
    own = quick_charges
    write_charges(molecule, own, tmp_path / "own.sdf")
    ligand = read_ligand(tmp_path / "own.sdf")
    assert assign_charges(ligand, "sdf", tools) == pytest.approx(own, abs=1e-5)
    write_charges(molecule, own + 0.01, tmp_path / "wrong.sdf")
    with pytest.raises(InputError, match=r"sdf gives ligand .* add up to 1.* not 1"):
        assign_charges(read_ligand(tmp_path / "wrong.sdf"), "sdf", tools)
    with pytest.raises(
        InputError, match=r"no partial charge for atom 1 .*atom.dprop.PartialCharge"
    ):
        assign_charges(charged, "sdf", tools)


def write_charges(molecule: Chem.Mol, charges: np.ndarray, path: Path) -> None:
    """An SDF with charges in OpenFE's convention."""
    for atom, charge in zip(molecule.GetAtoms(), charges, strict=True):
        atom.SetDoubleProp("PartialCharge", float(charge))
    Chem.CreateAtomDoublePropertyList(molecule, "PartialCharge")
    with Chem.SDWriter(str(path)) as writer:
        writer.write(molecule)


def test_native_obc2_is_obc2(charged: Ligand, template: str) -> None:
    topology = ligand_topology(charged)
    native = build_system(app.ForceField(StringIO(template)), topology, SOLVENTS["obc2"])
    custom = app.ForceField(StringIO(template), "implicit/obc2.xml").createSystem(topology)
    a, b = terms(native, charged.positions), terms(custom, charged.positions)
    assert a["GBSAOBCForce"] == pytest.approx(b["CustomGBForce"], rel=1e-6)
    assert a["GBSAOBCForce"] < -50


@pytest.mark.slow
def test_water_box_around_a_ligand(charged: Ligand, template: str) -> None:
    """Neutral, periodic, PME; the ligand first, then water; the same terms in the box."""
    files = make_forcefield(STANDARD, (template,))
    modeller = app.Modeller(ligand_topology(charged), charged.positions * NM)
    add_water(modeller, files, padding=1.3)
    system = build_system(files, modeller.topology, SOLVENTS["explicit"])
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    assert nonbonded.getNonbondedMethod() == openmm.NonbondedForce.PME
    charges = [
        nonbonded.getParticleParameters(i)[0].value_in_unit(unit.elementary_charge)
        for i in range(system.getNumParticles())
    ]
    assert sum(charges) == pytest.approx(0, abs=1e-6)
    assert next(r.name for r in modeller.topology.residues()) == "LIG"
    before = positions_of(modeller)
    after = minimise(system, modeller.topology, before, "CPU")
    assert potential_energy(system, after) < potential_energy(system, before)


# --- the ligand's chemistry --------------------------------------------------------------------


def test_hydrogens_are_added_where_there_are_none(charged: Ligand, tmp_path: Path) -> None:
    bare = Chem.RemoveHs(charged.molecule)
    with Chem.SDWriter(str(tmp_path / "bare.sdf")) as writer:
        writer.write(bare)
    read = read_ligand(tmp_path / "bare.sdf")
    assert read.formula == charged.formula
    assert read.smiles == charged.smiles
    assert read.added_hydrogens == sum(symbol == "H" for symbol in charged.elements)


def spoiled_sdf(change: Callable[[str], str]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "ligand.sdf"
        path.write_text(change(CHARGED.read_text()))
        return path

    return write


def all_single(text: str) -> str:
    """The bond block with every order 1."""
    return re.sub(r"(?m)^((?: {1,2}\d{1,2}){2}  )[23](  0  0  0)", r"\g<1>1\2", text)


def without_hydrogens(text: str) -> str:
    molecule = Chem.MolFromMolBlock(text, sanitize=False, removeHs=False)
    bare = Chem.RWMol(molecule)
    for index in reversed(range(molecule.GetNumAtoms())):
        if molecule.GetAtomWithIdx(index).GetAtomicNum() == 1:
            bare.RemoveAtom(index)
    bare.UpdatePropertyCache(strict=False)
    return Chem.MolToMolBlock(bare, kekulize=False) + "$$$$\n"


def apart(text: str) -> str:
    """The first carbon, a methyl's, no longer bonded to the rest."""
    return text.replace("  1  2  1  0  0  0\n", "").replace(" 44 47", " 44 46")


SPOILED = {
    "five bonds": (lambda t: t.replace("  1  2  1  0", "  1  2  3  0"), "wrong bond orders or ch"),
    "single bonds": (all_single, "wrong bond orders, or not all its hydrogens"),
    "single bonds, bare": (lambda t: without_hydrogens(all_single(t)), "wrong bond orders or a d"),
    "boron": (lambda t: t.replace(" Cl  0", " B   0"), r"no parameters for: B \(atom 17\)"),
    "no element": (lambda t: t.replace(" Cl  0", " Xx  0"), "GAFF2 has no parameters for|cannot b"),
    "flat": (
        lambda t: re.sub(r"(?m)^([ \d.-]{20})[ \d.-]{10}", r"\1    0.0000", t),
        "no three-dim",
    ),
    "cut": (lambda t: t[: len(t) // 3], "cannot be read|holds no molecule"),
    "salt": (lambda t: apart(t), "is 2 molecules in one"),
    "text": (lambda t: "hello\n", "cannot be read|holds no molecule"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_bad_ligand(case: str, tmp_path: Path) -> None:
    change, message = SPOILED[case]
    path = spoiled_sdf(change)(tmp_path)
    assert path.read_text() != CHARGED.read_text()
    with pytest.raises(InputError, match=message) as caught:
        read_ligand(path)
    assert "\n" not in str(caught.value)


def test_choice_of_the_molecule(tmp_path: Path) -> None:
    first, second = read_ligand(LIGANDS, "1"), read_ligand(LIGANDS, "2")
    assert read_ligand(LIGANDS, second.name).smiles == second.smiles != first.smiles
    with pytest.raises(InputError, match=r"holds 2 molecules that fit: .*choose one"):
        read_ligand(LIGANDS)
    with pytest.raises(InputError, match="holds no molecule 'imatinib'; it holds "):
        read_ligand(LIGANDS, "imatinib")


# --- the protein -------------------------------------------------------------------------------


def residues_up_to(last: int) -> list[str]:
    return [
        line
        for line in PROTEIN.read_text().splitlines()
        if line.startswith("ATOM") and int(line[22:26]) <= last
    ]


def completed(
    lines: list[str], folder: Path, options: ProteinOptions | None = None, ligand: np.ndarray = FAR
) -> tuple[app.Modeller, str]:
    path = folder / "protein.pdb"
    path.write_text("\n".join(lines) + "\nEND\n")
    said: list[str] = []
    modeller = complete_protein(path, ligand, options or ProteinOptions(), said.append)
    return modeller, "; ".join(said)


def test_missing_atoms_and_hydrogens_are_added(tmp_path: Path) -> None:
    """Without hydrogens and side chain atoms the protein comes back as it was."""
    lines = residues_up_to(20)
    whole, _ = completed(lines, tmp_path)
    bare = [x for x in lines if x[76:78].strip() != "H" and x[12:16].strip() not in ("CG", "CD1")]
    mended, said = completed(bare, tmp_path)
    assert mended.topology.getNumAtoms() == whole.topology.getNumAtoms()
    assert "missing heavy atoms added" in said
    assert "protonation at pH 7.4" in said
    assert app.ForceField("amber14-all.xml").getUnmatchedResidues(mended.topology) == []


def test_protonation_of_the_file_is_kept(tmp_path: Path) -> None:
    """Neutral lysines stay neutral where the rest has its hydrogens."""
    lines = [x for x in residues_up_to(20) if not (x[17:20] == "LYS" and x[12:16].strip() == "HZ1")]
    removed = len(residues_up_to(20)) - len(lines)
    assert removed > 0
    whole, _ = completed(residues_up_to(20), tmp_path)
    neutral, _ = completed(lines, tmp_path)
    assert whole.topology.getNumAtoms() - neutral.topology.getNumAtoms() == removed


def test_gaps_end_in_termini(tmp_path: Path) -> None:
    lines = [x for x in residues_up_to(20) if not 9 <= int(x[22:26]) <= 11]
    modeller, said = completed(lines, tmp_path)
    assert "gaps in the chain" in said
    assert len(list(modeller.topology.chains())) == 2
    assert app.ForceField("amber14-all.xml").getUnmatchedResidues(modeller.topology) == []


def selenomethionine(lines: list[str]) -> list[str]:
    """The methionine 6 as MSE, its sulphur as selenium."""
    changed = []
    for x in lines:
        if x[17:20] == "MET" and int(x[22:26]) == 6:
            x = "HETATM" + x[6:17] + "MSE" + x[20:]
            if x[12:16].strip() == "SD":
                x = x[:12] + "SE  " + x[16:76] + "SE" + x[78:]
        changed.append(x)
    return changed


def test_modified_residue_is_replaced_or_refused(tmp_path: Path) -> None:
    lines = selenomethionine(residues_up_to(20))
    modeller, said = completed(lines, tmp_path)
    assert re.search(r"replaced: MSE A:6 by MET", said)
    assert app.ForceField("amber14-all.xml").getUnmatchedResidues(modeller.topology) == []
    with pytest.raises(InputError, match=r"modified residues without parameters: MSE A:6"):
        completed(lines, tmp_path, ProteinOptions(nonstandard="refuse"))


def test_phosphothreonine_is_kept_or_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With phosaa14SB's parameters, dianionic; by threonine where they are not installed."""
    if importlib.util.find_spec("openmmforcefields") is None and not os.environ.get("CI"):
        pytest.skip("needs openmmforcefields, for phosaa14SB")
    lines = (DATA / "phosphothreonine.pdb").read_text().splitlines()[:-2]
    kept, said = completed(lines, tmp_path)
    assert "modified residues that have parameters: TPO A:160" in said
    system = build_system(
        make_forcefield(choose_parameters(kept.topology), ()), kept.topology, SOLVENTS["vacuum"]
    )
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    own = [a.index for a in kept.topology.atoms() if a.residue.name == "TPO"]
    charges = [nonbonded.getParticleParameters(i)[0]._value for i in own]
    assert sum(charges) == pytest.approx(-2, abs=1e-4)
    assert np.isfinite(potential_energy(system, positions_of(kept)))
    monkeypatch.setattr(forcefield, "phospho_file", lambda: None)
    replaced, said = completed(lines, tmp_path)
    assert "replaced: TPO A:160 by THR" in said
    assert app.ForceField("amber14-all.xml").getUnmatchedResidues(replaced.topology) == []


def hetero(name: str, element: str, position: np.ndarray, atom: str | None = None) -> str:
    x, y, z = position
    label = (atom or element).rjust(2).ljust(4)
    return (
        f"HETATM 9000 {label} {name:>3} A 900    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          "
        f"{element:>2}"
    )


def test_metal_in_the_pocket(tmp_path: Path) -> None:
    ligand = read_ligand(LIGANDS, "1").positions
    spot = ligand[0] * 10 + [3.0, 0.0, 0.0]
    lines = [*residues_up_to(162), hetero("ZN", "ZN", spot)]
    with pytest.raises(InputError, match=r"metal in the pocket: ZN A:900 is \d\.\d Å from the lig"):
        completed(lines, tmp_path, ligand=ligand)
    _, said = completed(lines, tmp_path, ProteinOptions(drop=("ZN",)), ligand)
    assert "left out as asked: 1 ZN" in said
    far = [*residues_up_to(20), hetero("ZN", "ZN", ligand[0] * 10 + 40)]
    modeller, _ = completed(far, tmp_path, ligand=ligand)
    assert "ZN" in {r.name for r in modeller.topology.residues()}


def test_water_and_what_stands_in_the_ligands_place(tmp_path: Path) -> None:
    ligand = read_ligand(LIGANDS, "1").positions
    here, there = ligand[0] * 10, ligand[0] * 10 + 40
    lines = residues_up_to(20)
    lines += [hetero("HOH", "O", there), hetero("BNZ", "C", here).replace(" 900", " 901")]
    modeller, said = completed(lines, tmp_path, ligand=ligand)
    assert "left out water: 1 HOH" in said
    assert "the SDF replaces it" in said
    modeller, _ = completed(lines, tmp_path, ProteinOptions(waters=True), ligand)
    waters = [r for r in modeller.topology.residues() if r.name == "HOH"]
    assert [sum(1 for _ in r.atoms()) for r in waters] == [3]


# --- the whole, refused ------------------------------------------------------------------------


def moved_ligand(folder: Path, shift: np.ndarray) -> Path:
    """The first ligand, shifted (Å)."""
    ligand = read_ligand(LIGANDS, "1")
    molecule = Chem.Mol(ligand.molecule)
    molecule.GetConformer().SetPositions(molecule.GetConformer().GetPositions() + shift)
    path = folder / "moved.sdf"
    with Chem.SDWriter(str(path)) as writer:
        writer.write(molecule)
    return path


def test_covalent_and_distant_ligands(tools: AmberTools, tmp_path: Path) -> None:
    pdb = app.PDBFile(str(PROTEIN))
    positions = np.array(pdb.positions.value_in_unit(unit.angstrom))
    sulphur = next(a.index for a in pdb.topology.atoms() if a.name == "SD" and a.residue.id == "1")
    molecule = read_ligand(LIGANDS, "1").molecule
    carbon = molecule.GetConformer().GetPositions()[0]
    beside = positions[sulphur] + [1.8, 0, 0] - carbon
    with pytest.raises(InputError, match=r"the ligand is bonded to its surroundings|overlapping"):
        prepare(PROTEIN, moved_ligand(tmp_path, beside), tmp_path / "x")
    with pytest.raises(InputError, match=r"the ligand is \d+\.\d Å from the protein; are both"):
        prepare(PROTEIN, moved_ligand(tmp_path, np.full(3, 80.0)), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_residue_without_parameters(tools: AmberTools, tmp_path: Path) -> None:
    ligand = read_ligand(LIGANDS, "1").positions
    spot = ligand[0] * 10 + 40
    path = tmp_path / "holo.pdb"
    cofactor = [hetero("NAP", "P", spot), hetero("NAP", "O", spot + 1.5)]
    path.write_text("\n".join([*residues_up_to(162), *cofactor, "END\n"]))
    with pytest.raises(InputError, match=r"no parameters for NAP A:900 \(2 atoms\).*--drop NAP"):
        prepare(path, LIGANDS, tmp_path / "x", molecule="1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"charges": "resp"}, "unknown charge method 'resp'; known: am1bcc, am1bcc-sp"),
        ({"solvent": "gas"}, "unknown solvent 'gas'; known: vacuum"),
        ({"waters": "some"}, "waters is 'keep' or 'drop'"),
        ({"nonstandard": "x"}, "nonstandard is 'replace' or 'refuse'"),
        ({"ph": 20}, "ph must be from 0 to 14, not 20"),
    ],
)
def test_wrong_choices(settings: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        prepare(
            PROTEIN, LIGANDS, tmp_path / "x", molecule="1", settings=PrepareSettings(**settings)
        )


def broken_tools(tools: AmberTools, folder: Path, program: str, script: str) -> AmberTools:
    """The same programs, but one of them does something else."""
    (folder / "bin").mkdir()
    for file in (tools.home / "bin").iterdir():
        (folder / "bin" / file.name).symlink_to(file)
    for name in ("dat", "lib", "amber.sh"):
        if (tools.home / name).exists():
            (folder / name).symlink_to(tools.home / name)
    (folder / "bin" / program).unlink()
    if script:
        (folder / "bin" / program).write_text(script)
        (folder / "bin" / program).chmod(0o755)
    return AmberTools(folder, tools.carried)


def test_sqm_that_fails(charged: Ligand, tools: AmberTools, tmp_path: Path) -> None:
    script = "#!/bin/sh\necho ' QMMM: ERROR! Unable to achieve SCF convergence' >sqm.out\nexit 1\n"
    broken = broken_tools(tools, tmp_path, "sqm", script)
    expected = r"AM1-BCC charges of ligand 'CAT-13n': .*SCF convergence.*--charges mmff94"
    with pytest.raises(ProgramError, match=expected) as caught:
        assign_charges(charged, "am1bcc-sp", broken)
    assert "\n" not in str(caught.value)
    assert assign_charges(charged, "mmff94", broken).sum() == pytest.approx(1.0)


def test_program_that_is_missing(charged: Ligand, tools: AmberTools, tmp_path: Path) -> None:
    broken = broken_tools(tools, tmp_path, "tleap", "")
    with pytest.raises(ProgramError, match=r"tleap is missing in .*; install AmberTools"):
        gaff_template(charged, np.zeros(len(charged.elements)), broken)


def test_no_antechamber(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProgramError, match=r"no antechamber found.*pip install acpype") as caught:
        find_ambertools()
    assert isinstance(caught.value, NeuralMDError)
    assert "\n" not in str(caught.value)


def test_programs_on_path_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "antechamber"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.delenv("AMBERHOME", raising=False)
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_ambertools() == AmberTools(tmp_path.resolve(), False)


# --- checks of the relaxed complex -------------------------------------------------------------


def test_clashes_and_chirality_are_noticed(tmp_path: Path) -> None:
    modeller, _ = completed(residues_up_to(20), tmp_path)
    topology, positions = modeller.topology, positions_of(modeller)
    check_clashes(topology, positions)
    atoms = {(a.name, a.residue.id): a.index for a in topology.atoms()}
    close = positions.copy()
    close[atoms["CB", "3"]] = close[atoms["CB", "18"]] + [0.1, 0.05, 0]
    with pytest.raises(InputError, match=r"clashes stay after minimisation: CB of"):
        check_clashes(topology, close)
    ligand = read_ligand(CHARGED)
    own = len(positions) + np.arange(len(ligand.elements))
    before = np.concatenate([positions, ligand.positions])
    check_chirality(topology, before, before.copy(), ligand.molecule, own)
    mirrored = np.concatenate([positions, ligand.positions * [1, 1, -1]])
    with pytest.raises(InputError, match="chirality changed while minimising: atom 6 of the lig"):
        check_chirality(topology, before, mirrored, ligand.molecule, own)
    flipped = before * [1, 1, -1]
    with pytest.raises(InputError, match="chirality changed while minimising: MET A:1"):
        check_chirality(topology, before, flipped, ligand.molecule, own)


@pytest.mark.slow
@pytest.mark.gromacs
def test_an_explicit_box_is_relaxed_before_it_is_used(tools: AmberTools, tmp_path: Path) -> None:
    """A piece of the protein around the ligand, in water: the box shrinks to water's density."""
    if shutil.which("gmx") is None:
        assert not os.environ.get("CI")
        pytest.skip("gmx is not installed")
    piece = around_the_ligand(tmp_path / "piece.pdb")
    settings = PrepareSettings(
        solvent="explicit", charges="gasteiger", platform="CPU", relax_ps=12, engine="gromacs"
    )
    notes: list[str] = []
    folder = prepare(
        piece, LIGANDS, tmp_path / "x", molecule="1", settings=settings, note=notes.append
    )
    assert any("box relaxed at 1 bar for 12 ps" in note for note in notes)
    assert folder.record["settings"]["relax_ps"] == 12
    assert folder.energy() == pytest.approx(folder.record["energy"]["kj_mol"], rel=1e-6)
    assert folder.complex().box is not None
    names = [atom.residue.name for atom in folder.topology.atoms()]
    water = names.count("HOH") / 3
    solute = len(names) - 3 * water
    volume = float(np.linalg.det(np.array(folder.box.value_in_unit(NM))))
    # 33.4 molecules a nm³ of water at 300 K, TIP3P 33.0; protein takes 0.0086 nm³ an atom.  A box
    # as it was filled has some 7 % less.
    assert 31.8 < water / (volume - 0.0086 * solute) < 35, (water, solute, volume)


def around_the_ligand(path: Path) -> Path:
    """Stretches of T4 lysozyme that hold the residues around its ligand."""
    protein = app.PDBFile(str(PROTEIN))
    ligand = read_ligand(LIGANDS, "1").positions
    positions = np.array(protein.getPositions(asNumpy=True).value_in_unit(NM))
    near = cKDTree(ligand).query(positions)[0] < 0.45
    kept = {atom.residue.index for atom, close in zip(protein.topology.atoms(), near) if close}
    wanted = {i + k for i in kept for k in (-1, 0, 1)}
    modeller = app.Modeller(protein.topology, protein.positions)
    modeller.delete([r for r in protein.topology.residues() if r.index not in wanted])
    with path.open("w") as file:
        app.PDBFile.writeFile(modeller.topology, modeller.positions, file, keepIds=True)
    return path
