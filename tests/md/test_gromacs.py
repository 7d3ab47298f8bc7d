"""GROMACS: the same energies term by term, the same run, resumption, and what it cannot do."""

from __future__ import annotations

import csv
import itertools
import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import mdtraj
import networkx as nx
import numpy as np
import openmm
import pytest
import yaml
from openmm import app, unit
from scipy.spatial.distance import cdist
from typer.testing import CliRunner

from gromacs import reaction_field_of_excluded_pairs
from openmm_neuralmd.cli import app as cli
from openmm_neuralmd.errors import InputError, NeuralMDError, ProgramError, SimulationError
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs.box import reduced, relax_box
from openmm_neuralmd.md.gromacs.energies import TERMS, gromacs_terms, openmm_terms
from openmm_neuralmd.md.gromacs.production import run_gromacs
from openmm_neuralmd.md.gromacs.program import Gmx, find_gmx, reason
from openmm_neuralmd.md.gromacs.topology import export, held_atoms
from openmm_neuralmd.md.interaction import COULOMB
from openmm_neuralmd.md.masses import masses
from openmm_neuralmd.md.modes import build
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.md.subsystem import nonbonded_force
from openmm_neuralmd.prepare.imports import import_openmm
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import read_snapshots
from reference_cases import kill_when, small_water_box

pytestmark = pytest.mark.gromacs
COULOMB_GROMACS = 138.935458
"""1/(4πε₀) in kJ mol⁻¹ nm e⁻² of GROMACS 2022; OpenMM uses 138.935456 (CODATA 2018)."""
SHORT = {"equilibration_ps": 2.0, "interval_ps": 0.1, "platform": "CPU"}
POCKET = MDSettings(
    mode="pocket",
    pocket_radius=0.5,
    shell_radius=0.9,
    properties={"Threads": "1"},
    **SHORT,  # type: ignore[arg-type]
)


@pytest.fixture(scope="module")
def folder(t4l_folder: ComplexFolder) -> ComplexFolder:
    return t4l_folder


@pytest.fixture(scope="module")
def explicit(t4l_water: ComplexFolder) -> ComplexFolder:
    return t4l_water


# --- Energies


def compare(found: dict[str, float], expected: dict[str, float], relative: float = 1e-4) -> None:
    for term in TERMS:
        assert found[term] == pytest.approx(expected[term], rel=relative), term


def test_energies_of_a_complex_in_vacuum(gmx: Gmx, folder: ComplexFolder) -> None:
    """Every term to 1e-4, Coulomb with the other program's constant too."""
    setup = build(folder, MDSettings())
    found = gromacs_terms(setup, gmx)
    expected = openmm_terms(setup.system, setup.complex.positions, None, "Reference")
    compare(found, expected)
    expected["coulomb"] *= COULOMB_GROMACS / COULOMB
    compare(found, expected, 2e-5)
    total = sum(expected.values())
    assert total == pytest.approx(folder.energy(), rel=1e-6)


def test_energies_in_a_box_of_water(gmx: Gmx, explicit: ComplexFolder) -> None:
    """PME of both programs, with the long-range correction of Lennard-Jones."""
    setup = build(explicit, MDSettings())
    nonbonded_force(setup.system).setEwaldErrorTolerance(1e-5)
    expected = openmm_terms(setup.system, setup.complex.positions, setup.complex.box, "Reference")
    found = gromacs_terms(setup, gmx)
    for term in ("angle", "torsion", "lennard_jones", "coulomb"):
        assert found[term] == pytest.approx(expected[term], rel=1e-4), term


def test_energies_of_a_pocket(gmx: Gmx, folder: ComplexFolder) -> None:
    """Atoms that stand still included; the reaction field of excluded pairs is GROMACS's own.

    GROMACS counts the reaction field also between excluded pairs and of each atom with itself;
    OpenMM does not.  What that adds is written out here.
    """
    setup = build(folder, POCKET)
    found = gromacs_terms(setup, gmx)
    expected = openmm_terms(setup.system, setup.complex.positions, None, "Reference")
    expected["coulomb"] += reaction_field_of_excluded_pairs(setup)
    compare(found, expected)


def test_energies_of_a_pocket_with_water(gmx: Gmx, explicit: ComplexFolder) -> None:
    """Molecules of water that move and that stand still."""
    setup = build(explicit, POCKET)
    moving = masses(setup.system) > 0
    residues = [r for r in setup.topology.residues() if r.name == "HOH"]
    assert 0 < sum(moving[next(r.atoms()).index] for r in residues) < len(residues)
    found = gromacs_terms(setup, gmx)
    expected = openmm_terms(setup.system, setup.complex.positions, None, "Reference")
    expected["coulomb"] += reaction_field_of_excluded_pairs(setup)
    for term in ("angle", "torsion", "lennard_jones", "coulomb"):
        assert found[term] == pytest.approx(expected[term], rel=1e-4), term


def test_a_molecule_with_others_between_its_parts(
    gmx: Gmx, folder: ComplexFolder, tmp_path: Path
) -> None:
    """A bond between two parts of a cropped protein, as a disulfide: the same energies."""
    setup = build(small_water_box(folder, tmp_path, (97, 98, 100, 103, 104)), POCKET)
    atoms, x = list(setup.topology.atoms()), setup.complex.positions
    # A PDB file's reader bonds residues that follow each other, however far apart they are.
    bonds = list(setup.topology.bonds())
    real = [b for b in bonds if np.linalg.norm(x[b[0].index] - x[b[1].index]) < 0.25]
    setup.topology._bonds = real
    near = nx.Graph((a.index, b.index) for a, b in real)
    alpha = [atom.index for atom in atoms if atom.name == "CA"]
    first, last = alpha[0], alpha[-1]
    assert nx.number_connected_components(near.subgraph(range(first, last))) >= 3
    ends = [nx.single_source_shortest_path_length(near, i, cutoff=2) for i in (first, last)]
    length = float(np.linalg.norm(x[first] - x[last]))
    force = next(f for f in setup.system.getForces() if isinstance(f, openmm.HarmonicBondForce))
    force.addBond(first, last, length - 0.1, 50.0)
    nonbonded = nonbonded_force(setup.system)
    cutoff = nonbonded.getCutoffDistance().value_in_unit(unit.nanometer)
    for (i, a), (j, b) in itertools.product(*(end.items() for end in ends)):
        if a + b < 3 and np.linalg.norm(x[i] - x[j]) < cutoff:
            nonbonded.addException(i, j, 0.0, 0.3, 0.0)
    setup.topology.addBond(atoms[first], atoms[last])
    expected = openmm_terms(setup.system, x, None, "Reference")
    expected["coulomb"] += reaction_field_of_excluded_pairs(setup)
    measured = gromacs_terms(setup, gmx)
    for term in ("angle", "torsion", "lennard_jones", "coulomb"):
        assert measured[term] == pytest.approx(expected[term], rel=1e-4), term


# --- Runs


@pytest.fixture(scope="module")
def pocket_run(gmx: Gmx, folder: ComplexFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("pocket") / "run"
    return run_gromacs(folder, output, 4.0, settings=POCKET).path


@pytest.mark.slow
def test_a_run_can_be_read_back(pocket_run: Path, folder: ComplexFolder) -> None:
    complex = Complex.from_files(pocket_run / "topology.pdb")
    setup = build(folder, POCKET)
    assert complex.fingerprint() == setup.complex.fingerprint()
    snapshots = read_snapshots(pocket_run / "trajectory.xtc", complex)
    assert len(snapshots) == 40 and snapshots.breaks == ()
    assert snapshots.interval_ps == pytest.approx(0.1)
    assert np.ptp(snapshots.ligand, axis=0).max() > 0.05  # Å
    record = yaml.safe_load((pocket_run / "run.yaml").read_text())
    assert record["engine"] == "gromacs"
    assert record["platform"]["properties"]["version"] == find_gmx().version
    assert (pocket_run / "topol.top").is_file() and (pocket_run / "production.mdp").is_file()


@pytest.mark.slow
def test_fixed_atoms_stay_and_bonds_to_hydrogen_keep_their_length(
    pocket_run: Path, folder: ComplexFolder
) -> None:
    setup = build(folder, POCKET)
    moving = masses(setup.system) > 0
    trajectory = mdtraj.load(pocket_run / "trajectory.xtc", top=pocket_run / "topology.pdb")
    spread = np.ptp(trajectory.xyz, axis=0).max(axis=1)
    assert spread[~moving].max() <= 0.00101  # XTC rounds to 0.001 nm
    assert np.median(spread[moving]) > 0.02
    start = setup.complex.positions
    assert np.abs(trajectory.xyz[:, ~moving] - start[~moving]).max() < 0.0011
    for n in range(setup.system.getNumConstraints()):
        i, j, length = setup.system.getConstraintParameters(n)
        found = np.linalg.norm(trajectory.xyz[:, i] - trajectory.xyz[:, j], axis=1)
        np.testing.assert_allclose(found, length._value, atol=0.002)


@pytest.mark.slow
def test_energies_of_snapshots_are_those_of_openmm(pocket_run: Path, folder: ComplexFolder) -> None:
    """Differences between snapshots, where the constant part of the fixed atoms drops out."""
    with (pocket_run / "energies.csv").open() as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([float(r["time_ps"]) for r in rows], 0.1 * np.arange(1, 41))
    temperature = np.array([float(r["temperature_k"]) for r in rows])
    assert temperature.mean() == pytest.approx(300, rel=0.06)
    told = np.array([float(r["potential_kj_mol"]) for r in rows])
    setup = build(folder, POCKET)
    trajectory = mdtraj.load(pocket_run / "trajectory.xtc", top=pocket_run / "topology.pdb")
    context = openmm.Context(
        setup.system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    computed = []
    for positions in trajectory.xyz:
        context.setPositions(positions.astype(float))
        computed.append(context.getState(energy=True).getPotentialEnergy()._value)
    slope, _ = np.polyfit(np.array(computed), told, 1)
    # Rounding of XTC alone moves an energy by some kJ/mol; the snapshots' own spread is larger.
    assert np.corrcoef(computed, told)[0, 1] > 0.95
    assert slope == pytest.approx(1, abs=0.15)


@pytest.mark.slow
def test_explicit_water(gmx: Gmx, explicit: ComplexFolder, tmp_path: Path) -> None:
    settings = MDSettings(properties={"Threads": "1"}, **SHORT)  # type: ignore[arg-type]
    run = run_gromacs(explicit, tmp_path / "npt", 2.0, settings=settings)
    with (run.path / "energies.csv").open() as file:
        volumes = [float(row["volume_nm3"]) for row in csv.DictReader(file)]
    assert len(set(volumes)) > 5  # the barostat acts
    assert np.mean(volumes) == pytest.approx(2.7**3, rel=0.15)
    assert run.temperature == pytest.approx(300, rel=0.1)
    complex = Complex.from_files(run.topology)
    assert {r.name for r in complex.topology.residues()}.isdisjoint({"HOH", "WAT"})
    assert len(read_snapshots(run.trajectory, complex)) == 20
    boxes = mdtraj.load(run.trajectory, top=run.topology).unitcell_volumes
    np.testing.assert_allclose(boxes, volumes, rtol=1e-3)


@pytest.mark.slow
def test_a_run_in_vacuum(gmx: Gmx, folder: ComplexFolder, tmp_path: Path) -> None:
    """Mode flexible without a cutoff: every stage accepts the empty box, all pairs are in reach.

    GROMACS makes its neighbour list 5 % longer than the cutoff, which is some 7 nm here.
    """
    short = {"equilibration_ps": 0.02, "interval_ps": 0.02, "platform": "CPU"}
    settings = MDSettings(properties={"Threads": "1"}, **short)  # type: ignore[arg-type]
    run = run_gromacs(folder, tmp_path / "run", 0.02, settings=settings)
    assert run.snapshots == 1
    production = (run.path / "production.mdp").read_text()
    cutoff = float(re.search(r"rcoulomb += (\S+)", production)[1])  # type: ignore[index]
    xyz = mdtraj.load(run.trajectory, top=run.topology).xyz[0]
    assert cdist(xyz, xyz).max() < cutoff


def test_water_is_of_one_kind_whatever_its_hydrogens_are_called(
    explicit: ComplexFolder, tmp_path: Path
) -> None:
    """GROMACS refuses two kinds of rigid water; a file may list H2 before H1."""
    setup = build(ComplexFolder.open(explicit.path), MDSettings())
    waters = [r for r in setup.topology.residues() if r.name == "HOH"]
    for water in waters[3:5]:
        first, second = (atom for atom in water.atoms() if atom.element.symbol == "H")
        first.name, second.name = second.name, first.name
    export(setup, 0.9, np.arange(1), tmp_path)
    listed = (tmp_path / "topol.top").read_text().split("[ molecules ]")[1]
    rows = [line.split() for line in listed.splitlines() if line.startswith("HOH")]
    assert rows == [["HOH", str(len(waters))]]


def test_a_protein_chain_of_the_ligands_letter(folder: ComplexFolder) -> None:
    """Chain and number of a residue of the protein are the ligand's too: thrombin's CYS L:1."""
    again = ComplexFolder.open(folder.path)
    ligand = next(r for r in again.topology.residues() if r.name == "TMP")
    first = next(again.topology.residues())
    first.chain.id, first.id = ligand.chain.id, ligand.id
    setup = build(again, POCKET)
    atoms = list(setup.topology.atoms())
    assert {atoms[i].residue.name for i in setup.complex.ligand} == {"TMP"}


@pytest.mark.parametrize("beyond", [-1e-6, 0.0, 1e-6])
def test_a_box_of_single_precision_is_one_for_openmm(beyond: float) -> None:
    """A rhombic dodecahedron, rounded to either side of the half."""
    half = 2.5 * (1 + beyond)
    box = np.array([[5, 0, 0], [0, 5, 0], [half, half, 3.5355339]], dtype=np.float32)
    found = reduced(box)
    app.Topology().setPeriodicBoxVectors([openmm.Vec3(*row) for row in found] * unit.nanometer)
    whole = found @ np.linalg.inv(box.astype(float))  # the same lattice: whole numbers
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-6)
    assert abs(np.linalg.det(whole)) == pytest.approx(1)


@pytest.mark.slow
def test_a_box_is_relaxed_and_its_molecules_are_whole(gmx: Gmx, explicit: ComplexFolder) -> None:
    setup = build(explicit, MDSettings())
    settings = MDSettings(platform="CPU", properties={"Threads": "1"})
    positions, box = relax_box(setup, settings, 4.0)
    assert np.linalg.det(box) != np.linalg.det(setup.complex.box)
    heavy = held_atoms(setup)
    moved = positions[heavy] - setup.complex.positions[heavy]
    assert np.linalg.norm(moved, axis=1).mean() < 0.05  # nm
    for residue in setup.topology.residues():
        atoms = [a.index for a in residue.atoms()]
        assert np.ptp(positions[atoms], axis=0).max() < 1.5


@pytest.mark.slow
def test_a_pocket_with_water_runs(gmx: Gmx, explicit: ComplexFolder, tmp_path: Path) -> None:
    run = run_gromacs(explicit, tmp_path / "run", 2.0, settings=POCKET)
    assert run.temperature == pytest.approx(300, rel=0.15)
    assert len(read_snapshots(run.trajectory, Complex.from_files(run.topology))) == 20


@pytest.mark.slow
def test_kill_9_costs_nothing(gmx: Gmx, folder: ComplexFolder, tmp_path: Path) -> None:
    """Killed in production, mdrun with it: every snapshot once, in order, at its time."""
    words = ["reference", folder.path, "--engine", "gromacs", "--mode", "pocket", "--time", "20ps"]
    words += ["--interval", "0.1ps", "--equilibration", "1ps", "--checkpoint", 1]
    words += ["--platform", "CPU", "--property", "Threads=1", "-o", tmp_path / "cut"]
    words = [str(word) for word in words]
    partial = tmp_path / ".cut.partial"
    for _ in range(2):
        kill_when(partial / "production.cpt", [sys.executable, "-m", "openmm_neuralmd.cli", *words])
        assert not (tmp_path / "cut").exists()
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    record = yaml.safe_load((tmp_path / "cut" / "run.yaml").read_text())
    assert 0 < record["resumed_from"] < record["snapshots"] == 200
    trajectory = mdtraj.load(tmp_path / "cut" / "trajectory.xtc", top=tmp_path / "cut/topology.pdb")
    np.testing.assert_allclose(trajectory.time, 0.1 * np.arange(1, 201), rtol=1e-5)
    steps = np.abs(np.diff(trajectory.xyz, axis=0)).max(axis=(1, 2))
    assert (steps > 0).all()  # no snapshot twice
    times = np.loadtxt(tmp_path / "cut" / "energies.csv", delimiter=",", skiprows=1)[:, 0]
    np.testing.assert_allclose(times, 0.1 * np.arange(1, 201), rtol=1e-5)


# --- What goes wrong


def test_gmx_not_installed(
    folder: ComplexFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match="gmx is not installed; install GROMACS") as caught:
        run_gromacs(folder, tmp_path / "x", 1.0, settings=POCKET)
    assert "\n" not in str(caught.value)
    words = ["reference", folder.path, "--engine", "gromacs", "--mode", "pocket", "--time", "1ps"]
    result = CliRunner().invoke(cli, [*map(str, words), "-o", str(tmp_path / "x")])
    assert result.exit_code == 1 and "gmx is not installed" in result.output


def test_gmx_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gmx"
    program.write_text("#!/bin/sh\necho 'GROMACS version:    2018.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ProgramError, match=r"is GROMACS 2018\.1, too old"):
        find_gmx()


def test_what_gmx_says_becomes_one_line(gmx: Gmx, tmp_path: Path) -> None:
    (tmp_path / "a.mdp").write_text("integrator = abacus\n")
    with pytest.raises(ProgramError, match=r"gmx grompp failed: .*") as caught:
        gmx.run("grompp", "-f", "a.mdp", "-c", "none.gro", "-p", "none.top", folder=tmp_path)
    assert "\n" not in str(caught.value) and "none.gro" in str(caught.value)
    assert reason("") == "it printed nothing"
    settled = "step 7: One or more water molecules can not be settled.\nWrote pdb files\n"
    lincs = "\nStep 4825, time 9.65 (ps)  LINCS WARNING\nrelative constraint deviation\n"
    assert reason(settled).startswith("constraints broke at step 7: take a shorter --timestep")
    assert reason(lincs + settled).startswith("constraints broke at step 4825: ")


def test_a_failure_of_mdrun_keeps_what_was_done(
    gmx: Gmx, folder: ComplexFolder, tmp_path: Path
) -> None:
    """A checkpoint that is damaged."""
    partial = tmp_path / ".x.partial"
    partial.mkdir()
    (partial / "restrained.cpt").write_bytes(b"damaged")
    with pytest.raises(NeuralMDError, match="gmx mdrun failed: ") as caught:
        run_gromacs(folder, tmp_path / "x", 1.0, settings=POCKET)
    assert "\n" not in str(caught.value) and "is kept in" in str(caught.value)
    assert (partial / "minimised.done").exists() and not (tmp_path / "x").exists()


@pytest.mark.slow
def test_a_ligand_that_leaves_the_pocket(gmx: Gmx, folder: ComplexFolder, tmp_path: Path) -> None:
    settings = replace(POCKET, pocket_limit=0.05)
    with pytest.raises(SimulationError, match=r"in snapshot 1 \(0\.1 ps\) the ligand has left"):
        run_gromacs(folder, tmp_path / "x", 0.2, settings=settings)
    assert not (tmp_path / "x").exists() and (tmp_path / ".x.partial").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "rigid"}, "mode rigid.* is for --engine openmm"),
        ({"labels": True}, r"labels .* need --engine openmm"),
        ({"platform": "Abacus"}, "GROMACS has no platform 'Abacus'; there are: CPU, CUDA, OpenCL"),
    ],
)
def test_what_gromacs_cannot_do(
    changes: dict[str, object], message: str, folder: ComplexFolder, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        run_gromacs(folder, tmp_path / "x", 1.0, settings=replace(POCKET, **changes))


def test_forces_without_equivalent(gmx: Gmx, folder: ComplexFolder, tmp_path: Path) -> None:
    for force, message in (
        (openmm.CustomExternalForce("x"), "CustomExternalForce, which GROMACS has no equivalent"),
        (solvent(folder), "GROMACS has no implicit solvent"),
    ):
        system = folder.system()
        system.addForce(force)
        place = tmp_path / type(force).__name__
        place.mkdir()
        (place / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
        odd = import_openmm(place / "system.xml", folder.path / "topology.pdb", place / "odd")
        with pytest.raises(InputError, match=message):
            run_gromacs(odd, place / "x", 1.0, settings=MDSettings(**SHORT))  # type: ignore[arg-type]
        shutil.rmtree(place)


def solvent(folder: ComplexFolder) -> openmm.GBSAOBCForce:
    force = openmm.GBSAOBCForce()
    for _ in range(folder.system().getNumParticles()):
        force.addParticle(0.0, 0.15, 0.8)
    return force
