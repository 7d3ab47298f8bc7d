"""All-atom reference runs: forces of the reduced systems, bookkeeping, resumption."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import mdtraj
import numpy as np
import openmm
import pytest
import yaml
from openmm.app.internal.customgbforces import GBSAOBC2Force
from scipy.spatial import cKDTree
from typer.testing import CliRunner

from cli_files import SETTINGS
from compact import compact
from openmm_neuralmd.cli import app as cli
from openmm_neuralmd.errors import InputError, SimulationError
from openmm_neuralmd.md.equilibration import relax_box
from openmm_neuralmd.md.field import running_system
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.folder_writer import write_folder
from openmm_neuralmd.md.gromacs.topology import held_atoms
from openmm_neuralmd.md.interaction import COULOMB
from openmm_neuralmd.md.masses import degrees_of_freedom, masses
from openmm_neuralmd.md.modes import Setup, build
from openmm_neuralmd.md.outcome import ReferenceRun
from openmm_neuralmd.md.production import run_reference
from openmm_neuralmd.md.settings import LIMITS, MDSettings
from openmm_neuralmd.prepare.imports import import_openmm
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import read_snapshots
from openmm_neuralmd.units import BOLTZMANN
from reference_cases import BOX, kill_when

INF = float("inf")
ONE_THREAD = {"platform": "CPU", "properties": {"Threads": "1"}}
SHORT = {"equilibration_ps": 0.2, "interval_ps": 0.02}
POCKET = MDSettings(
    mode="pocket", pocket_radius=0.35, shell_radius=0.7, labels=True, **SHORT, **ONE_THREAD
)


def platform_names() -> list[str]:
    count = openmm.Platform.getNumPlatforms()
    return [openmm.Platform.getPlatform(i).getName() for i in range(count)]


RIGID = MDSettings(mode="rigid", rigid_radius=0.6, labels=True, platform="Reference", **SHORT)


@pytest.fixture(scope="module")
def folder(t4l_folder: ComplexFolder) -> ComplexFolder:
    return t4l_folder


@pytest.fixture(scope="module")
def pocket_run(folder: ComplexFolder, tmp_path_factory: pytest.TempPathFactory) -> ReferenceRun:
    output = tmp_path_factory.mktemp("pocket") / "run"
    return run_reference(folder, output, 1.0, settings=replace(POCKET, equilibration_ps=8.0))


@pytest.fixture(scope="module")
def rigid_run(folder: ComplexFolder, tmp_path_factory: pytest.TempPathFactory) -> ReferenceRun:
    output = tmp_path_factory.mktemp("rigid") / "run"
    return run_reference(folder, output, 0.4, settings=RIGID)


def state_of(system: openmm.System, positions: np.ndarray) -> openmm.State:
    reference = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
    context.setPositions(positions)
    return context.getState(energy=True, forces=True)


def forces(system: openmm.System, positions: np.ndarray) -> np.ndarray:
    return np.asarray(state_of(system, positions).getForces(asNumpy=True)._value)


def energy(system: openmm.System, positions: np.ndarray) -> float:
    return float(state_of(system, positions).getPotentialEnergy()._value)


def shaken(positions: np.ndarray, particles: np.ndarray) -> np.ndarray:
    """Particles displaced by 0.01 nm, so that no force vanishes."""
    moved = positions.copy()
    moved[particles] += np.random.default_rng(0).normal(scale=0.01, size=(len(particles), 3))
    return moved


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


def energies(run: ReferenceRun) -> list[dict[str, float]]:
    with (run.path / "energies.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


# --- What is simulated


def test_a_folder_with_the_least_record_runs(folder: ComplexFolder, tmp_path: Path) -> None:
    """`write_folder` asks for a name and the ligand's residue: a run needs no more."""
    parts = folder.topology, folder.system(), folder.positions
    least = {"name": "bare", "ligand": {"residue": folder.record["ligand"]["residue"]}}
    sdf = (folder.path / "ligand.sdf").read_text()
    bare = write_folder(tmp_path / "bare", *parts, sdf, least)
    run = run_reference(bare, tmp_path / "run", 0.1, settings=replace(RIGID, interval_ps=0.1))
    assert run.snapshots == 1
    assert yaml.safe_load((run.path / "run.yaml").read_text())["complex"]["solvent"] == "as given"


def test_rigid_forces_are_those_of_the_full_vacuum_system(folder: ComplexFolder) -> None:
    setup = build(folder, replace(RIGID, rigid_radius=INF, dielectric="vacuum"))
    ligand = folder.complex().ligand
    assert setup.counts() == {"kept": 2621, "moving": len(ligand)}
    positions = shaken(folder.positions, ligand)
    close(forces(setup.system, positions)[ligand], forces(folder.system(), positions)[ligand])


def test_rigid_interaction_has_a_distance_dependent_dielectric(folder: ComplexFolder) -> None:
    """Energy of the group, written out: E = 138.9 q q' / (4r/Å · r) + Lennard-Jones."""
    setup = build(folder, RIGID)
    positions = setup.complex.positions
    force = next(f for f in folder.system().getForces() if isinstance(f, openmm.NonbondedForce))
    rows = [force.getParticleParameters(int(i)) for i in setup.particles]
    q, sigma, epsilon = np.array([[value._value for value in row] for row in rows]).T
    own = setup.complex.ligand
    rest = np.setdiff1d(np.arange(len(setup.particles)), own)
    r = np.linalg.norm(positions[own][:, None] - positions[rest], axis=-1)
    ratio = 0.5 * (sigma[own][:, None] + sigma[rest]) / r
    depth = np.sqrt(epsilon[own][:, None] * epsilon[rest])
    coulomb = COULOMB * q[own][:, None] * q[rest] / (4 * (10 * r) * r)
    expected = (coulomb + 4 * depth * (ratio**12 - ratio**6)).sum()
    reference = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(setup.system, openmm.VerletIntegrator(0.001), reference)
    context.setPositions(positions)
    found = context.getState(energy=True, groups={3}).getPotentialEnergy()._value
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("dielectric", ["4r", "vacuum"])
def test_a_field_in_matrix_form_is_the_same_force(dielectric: str, folder: ComplexFolder) -> None:
    """What runs on a CPU in place of OpenMM's interaction group."""
    setup = build(folder, replace(RIGID, dielectric=dielectric))
    running = running_system(setup, RIGID)
    kinds = [type(force).__name__ for force in running.getForces()]
    assert "PythonForce" in kinds and "CustomNonbondedForce" not in kinds
    own = setup.complex.ligand
    positions = shaken(setup.complex.positions, own)
    found, expected = (forces(system, positions)[own] for system in (running, setup.system))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert energy(running, positions) == pytest.approx(energy(setup.system, positions), rel=1e-12)
    # Copies read from XML are the same too, also in another process's order of things.
    again = openmm.XmlSerializer.clone(running)
    np.testing.assert_array_equal(forces(again, positions), forces(running, positions))
    if "OpenCL" not in platform_names():
        return
    on_gpu = running_system(setup, replace(RIGID, platform="OpenCL")).getForces()
    assert "CustomNonbondedForce" in {type(force).__name__ for force in on_gpu}


@pytest.mark.parametrize(("cutoff", "shell"), [(INF, INF), (0.5, 2.0)])
def test_pocket_forces_are_those_of_the_full_vacuum_system(
    cutoff: float, shell: float, folder: ComplexFolder
) -> None:
    """With all that is within the cutoff kept, what moves feels what it feels in the whole."""
    setup = build(folder, replace(POCKET, cutoff=cutoff, shell_radius=shell))
    full = folder.system()
    if np.isfinite(cutoff):
        force = next(f for f in full.getForces() if isinstance(f, openmm.NonbondedForce))
        force.setNonbondedMethod(openmm.NonbondedForce.CutoffNonPeriodic)
        force.setCutoffDistance(cutoff)
    moving = np.flatnonzero(masses(setup.system) > 0)
    positions = shaken(folder.positions, setup.particles[moving])
    found = forces(setup.system, positions[setup.particles])[moving]
    close(found, forces(full, positions)[setup.particles[moving]])


def test_pocket_is_made_of_whole_residues(folder: ComplexFolder) -> None:
    setup, whole = build(folder, POCKET), folder.complex()
    residues = np.array([a.residue.index for a in whole.topology.atoms()])
    kept = set(residues[setup.particles])
    assert np.array_equal(np.flatnonzero(np.isin(residues, list(kept))), setup.particles)
    moving = set(residues[setup.particles[masses(setup.system) > 0]])
    for a, b in whole.topology.bonds():
        if {a.residue.index, b.residue.index} & moving:
            assert {a.residue.index, b.residue.index} <= kept
    assert residues[whole.ligand[0]] in moving
    assert len(moving) < len(kept) < whole.topology.getNumResidues()
    np.testing.assert_array_equal(setup.particles[setup.complex.ligand], whole.ligand)


def test_repartitioning_keeps_the_mass_of_what_moves(folder: ComplexFolder) -> None:
    setup = build(folder, replace(POCKET, mode="flexible"))
    before = masses(folder.system())
    after = masses(setup.system)
    light = [a.index for a in setup.topology.atoms() if a.element.symbol == "H"]
    np.testing.assert_array_equal(after[light], 4.0)
    assert after.sum() == pytest.approx(before.sum(), rel=1e-12)
    freedom = 3 * 2621 - folder.system().getNumConstraints() - 3
    assert degrees_of_freedom(setup.system) == freedom
    untouched = build(folder, replace(POCKET, mode="flexible", hydrogen_mass=0, timestep_fs=2))
    np.testing.assert_array_equal(masses(untouched.system), before)


def test_bonds_to_hydrogen_are_constrained_where_they_were_not(
    folder: ComplexFolder, tmp_path: Path
) -> None:
    system = folder.system()
    for index in reversed(range(system.getNumConstraints())):
        system.removeConstraint(index)
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    free = import_openmm(tmp_path / "system.xml", folder.path / "topology.pdb", tmp_path / "free")
    setup = build(free, MDSettings())
    assert setup.system.getNumConstraints() == folder.system().getNumConstraints()
    assert any("bonds to hydrogens constrained" in note for note in setup.notes)


# --- What a run leaves behind


def test_a_run_can_be_read_back(pocket_run: ReferenceRun, folder: ComplexFolder) -> None:
    complex = Complex.from_files(pocket_run.topology)
    setup = build(folder, POCKET)
    assert complex.fingerprint() == setup.complex.fingerprint()
    assert not complex.linked.all()
    snapshots = read_snapshots(pocket_run.trajectory, complex)
    assert len(snapshots) == pocket_run.snapshots == 50
    assert snapshots.interval_ps == pytest.approx(0.02)
    assert snapshots.breaks == ()
    assert np.ptp(snapshots.ligand, axis=0).max() > 0.05  # Å: it moves
    record = yaml.safe_load((pocket_run.path / "run.yaml").read_text())
    assert record["atoms"] == {**setup.counts(), "written": len(setup.particles)}
    assert record["platform"]["properties"]["Threads"] == "1"
    assert record["versions"]["openmm"]
    assert any("atoms are left out" in note for note in record["notes"])


def test_fixed_atoms_stay_and_others_move(pocket_run: ReferenceRun, folder: ComplexFolder) -> None:
    moving = masses(build(folder, POCKET).system) > 0
    trajectory = mdtraj.load(pocket_run.trajectory, top=pocket_run.topology)
    spread = np.ptp(trajectory.xyz, axis=0).max(axis=1)
    assert spread[~moving].max() == 0
    assert spread[moving].min() > 0.002


def test_energies_add_up(pocket_run: ReferenceRun) -> None:
    rows = energies(pocket_run)
    np.testing.assert_allclose([row["time_ps"] for row in rows], 0.02 * np.arange(1, 51))
    system = openmm.XmlSerializer.deserialize((pocket_run.path / "system.xml").read_text())
    freedom = degrees_of_freedom(system)
    for row in rows:
        kinetic = 0.5 * freedom * BOLTZMANN * row["temperature_k"]
        assert row["kinetic_kj_mol"] == pytest.approx(kinetic, rel=1e-5)
    labels = np.load(pocket_run.path / "labels.npz")
    assert labels["groups"].tolist() == ["bonded", "nonbonded"]
    potential = [row["potential_kj_mol"] for row in rows]
    np.testing.assert_allclose(labels["energies_kj_mol"].sum(axis=1), potential, rtol=1e-5)
    # The mean of a few correlated snapshots of some 500 degrees of freedom spreads by 3 %.
    assert pocket_run.temperature == pytest.approx(300, rel=0.12)


def test_label_positions_are_those_of_the_trajectory(pocket_run: ReferenceRun) -> None:
    labels = np.load(pocket_run.path / "labels.npz")
    trajectory = mdtraj.load(pocket_run.trajectory, top=pocket_run.topology)
    np.testing.assert_allclose(
        trajectory.xyz[:, labels["ligand"]], labels["positions_nm"], atol=6e-4
    )
    np.testing.assert_allclose(trajectory.time, labels["time_ps"], rtol=1e-6)
    complex = Complex.from_files(pocket_run.topology)
    np.testing.assert_array_equal(labels["ligand"], complex.ligand)
    np.testing.assert_array_equal(labels["atomic_numbers"], complex.ligand_atomic_numbers)


def test_labels_are_the_forces_and_their_own_energy_differences(
    rigid_run: ReferenceRun, folder: ComplexFolder
) -> None:
    """In mode rigid energy and force are functions of the ligand's positions alone."""
    labels = np.load(rigid_run.path / "labels.npz")
    assert labels["groups"].tolist() == ["bonded", "nonbonded", "interaction"]
    system = openmm.XmlSerializer.deserialize((rigid_run.path / "system.xml").read_text())
    positions, own = build(folder, RIGID).complex.positions.copy(), labels["ligand"]
    for n in (0, 19):
        positions[own] = labels["positions_nm"][n]
        total = labels["forces_kj_mol_nm"][n].sum(axis=0)
        close(forces(system, positions)[own], total)
        assert energy(system, positions) == pytest.approx(labels["energies_kj_mol"][n].sum())
    step = 1e-5
    for atom, axis in ((0, 0), (5, 1), (len(own) - 1, 2)):
        ends = []
        for sign in (1, -1):
            there = positions.copy()
            there[own[atom], axis] += sign * step
            ends.append(energy(system, there))
        slope = (ends[1] - ends[0]) / (2 * step)
        assert total[atom, axis] == pytest.approx(slope, rel=1e-5, abs=1e-2)


def test_a_run_trains_a_model(pocket_run: ReferenceRun, tmp_path: Path) -> None:
    data = {"topology": str(pocket_run.topology), "trajectory": str(pocket_run.trajectory)}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({**SETTINGS, "data": data}))
    words = ["train", tmp_path / "settings.yaml", "--epochs", 1, "-o", tmp_path / "model"]
    result = CliRunner().invoke(cli, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "model" / "model.safetensors").is_file()


# --- Boiled down


def test_compact_keeps_the_ligand_s_motion(pocket_run: ReferenceRun, tmp_path: Path) -> None:
    made = compact(pocket_run.path, tmp_path / "small", reach=0.8)
    small = Complex.from_files(made.path / "topology.pdb", sdf=made.path / "ligand.sdf")
    whole = Complex.from_files(pocket_run.topology)
    assert 3 <= small.n_residues < whole.n_residues
    np.testing.assert_array_equal(small.ligand_atomic_numbers, whole.ligand_atomic_numbers)
    np.testing.assert_array_equal(small.ligand_bonds, whole.ligand_bonds)
    names = {a.name for a in small.topology.atoms() if a.residue.name != "TMP"}
    assert names - set(ligand_names(small)) == {"N", "CA", "C"}
    found = mdtraj.load(made.path / "trajectory.xtc", top=made.path / "topology.pdb")
    full = mdtraj.load(pocket_run.trajectory, top=pocket_run.topology)
    np.testing.assert_array_equal(found.xyz[:, small.ligand], full.xyz[:, whole.ligand])
    np.testing.assert_allclose(found.time, full.time)
    far = np.linalg.norm(
        whole.positions[whole.backbone[:, 1]][:, None] - whole.positions[whole.ligand], axis=-1
    ).min(axis=1)
    assert small.n_residues == int((far <= 0.8).sum())
    told = made.manifest
    assert told["snapshots"] == 50 and told["atoms"]["compact"] == found.n_atoms
    names = {"labels.npz", "ligand.sdf", "start.pdb.gz", "topology.pdb", "trajectory.xtc"}
    names |= {"system.xml.gz"}
    assert set(told["files"]) == names
    assert len(read_snapshots(made.path / "trajectory.xtc", small)) == 50
    with pytest.raises(InputError, match="no finished reference run"):
        compact(tmp_path, tmp_path / "other")


def ligand_names(complex: Complex) -> list[str]:
    atoms = list(complex.topology.atoms())
    return [atoms[i].name for i in complex.ligand]


def test_compact_labels_are_sums_over_groups(rigid_run: ReferenceRun, tmp_path: Path) -> None:
    made = compact(rigid_run.path, tmp_path / "small", labels=7)
    small, full = np.load(made.path / "labels.npz"), np.load(rigid_run.path / "labels.npz")
    assert len(small["time_ps"]) == 7
    rows = np.searchsorted(full["time_ps"], small["time_ps"])
    assert (rows[0], rows[-1]) == (0, len(full["time_ps"]) - 1)
    total = full["forces_kj_mol_nm"][rows].sum(axis=1)
    np.testing.assert_allclose(small["forces_kj_mol_nm"], total, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(small["positions_nm"], full["positions_nm"][rows], atol=1e-6)
    np.testing.assert_array_equal(small["energies_kj_mol"], full["energies_kj_mol"][rows])
    complex = Complex.from_files(made.path / "topology.pdb")
    np.testing.assert_array_equal(small["ligand"], complex.ligand)


# --- Solvents


@pytest.fixture(scope="module")
def implicit(folder: ComplexFolder, tmp_path_factory: pytest.TempPathFactory) -> ComplexFolder:
    """With native OBC2."""
    system = folder.system()
    charges = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    solvent = openmm.GBSAOBCForce()
    for i, row in enumerate(GBSAOBC2Force.getStandardParameters(folder.topology)):
        solvent.addParticle(charges.getParticleParameters(i)[0], *row)
    system.addForce(solvent)
    place = tmp_path_factory.mktemp("implicit")
    (place / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    return import_openmm(place / "system.xml", folder.path / "topology.pdb", place / "t4l")


@pytest.mark.slow
def test_flexible_in_implicit_solvent(implicit: ComplexFolder, tmp_path: Path) -> None:
    settings = MDSettings(
        cutoff=1.0, labels=True, equilibration_ps=0.08, interval_ps=0.02, **ONE_THREAD
    )
    run = run_reference(implicit, tmp_path / "run", 0.06, settings=settings)
    labels = np.load(run.path / "labels.npz")
    assert labels["groups"].tolist() == ["bonded", "nonbonded", "solvent"]
    potential = [row["potential_kj_mol"] for row in energies(run)]
    np.testing.assert_allclose(labels["energies_kj_mol"].sum(axis=1), potential, rtol=1e-5)
    assert len(read_snapshots(run.trajectory, Complex.from_files(run.topology))) == 3


def test_reduced_modes_say_that_the_solvent_is_left_out(implicit: ComplexFolder) -> None:
    for settings in (POCKET, RIGID):
        assert "forces left out: GBSAOBCForce" in build(implicit, settings).notes


@pytest.fixture(scope="module")
def explicit(t4l_water: ComplexFolder) -> ComplexFolder:
    return t4l_water


@pytest.mark.slow
def test_explicit_water_at_constant_pressure(explicit: ComplexFolder, tmp_path: Path) -> None:
    settings = MDSettings(labels=True, equilibration_ps=2, interval_ps=0.1, **ONE_THREAD)
    run = run_reference(explicit, tmp_path / "npt", 1.0, settings=settings)
    rows = energies(run)
    volumes = np.array([row["volume_nm3"] for row in rows])
    assert 0.001 < np.ptp(volumes) < 2
    assert volumes.mean() == pytest.approx(BOX**3, rel=0.15)
    assert run.temperature == pytest.approx(300, rel=0.1)
    complex = Complex.from_files(run.topology)
    assert complex.n_residues == 8
    assert {r.name for r in complex.topology.residues()}.isdisjoint({"HOH", "WAT"})
    assert len(read_snapshots(run.trajectory, complex)) == 10
    lengths = mdtraj.load(run.trajectory, top=run.topology).unitcell_volumes
    np.testing.assert_allclose(lengths, volumes, rtol=1e-4)
    labels = np.load(run.path / "labels.npz")
    potential = [row["potential_kj_mol"] for row in rows]
    np.testing.assert_allclose(labels["energies_kj_mol"].sum(axis=1), potential, rtol=1e-4)


@pytest.mark.slow
def test_explicit_water_at_constant_volume(explicit: ComplexFolder, tmp_path: Path) -> None:
    settings = MDSettings(ensemble="nvt", write="all", equilibration_ps=0.4, interval_ps=0.02)
    settings = replace(settings, **ONE_THREAD)
    run = run_reference(explicit, tmp_path / "nvt", 0.06, settings=settings)
    assert len({row["volume_nm3"] for row in energies(run)}) == 1
    trajectory = mdtraj.load(run.trajectory, top=run.topology)
    assert trajectory.n_atoms == explicit.system().getNumParticles()


def test_rigid_mode_drops_water(explicit: ComplexFolder) -> None:
    setup = build(explicit, RIGID)
    assert not setup.periodic and setup.complex.box is None
    assert "HOH" not in {r.name for r in setup.topology.residues()}


def test_pocket_mode_keeps_the_water_around_the_ligand(explicit: ComplexFolder) -> None:
    """Each molecule at its image nearest to the ligand, those within the radius free to move."""
    settings = replace(POCKET, pocket_radius=0.5, shell_radius=0.8)
    setup, whole = build(explicit, settings), explicit.complex()
    assert not setup.periodic and setup.complex.box is None
    positions, moving = setup.complex.positions, masses(setup.system) > 0
    ligand = positions[setup.complex.ligand]
    box = np.diag(whole.box)
    kept = 0
    for residue in whole.topology.residues():
        if residue.name != "HOH":
            continue
        own = whole.positions[[a.index for a in residue.atoms()]]
        vectors = own[:, None] - whole.positions[whole.ligand]
        vectors -= np.round(vectors / box) * box
        kept += np.linalg.norm(vectors, axis=-1).min() < settings.shell_radius
    waters = [r for r in setup.topology.residues() if r.name == "HOH"]
    assert len(waters) == kept > 20
    free = 0
    for residue in waters:
        atoms = [a.index for a in residue.atoms()]
        distance = cKDTree(ligand).query(positions[atoms])[0].min()
        assert distance < settings.shell_radius
        assert moving[atoms].all() == (distance < settings.pocket_radius) == moving[atoms].any()
        free += int(moving[atoms].all())
    assert 0 < free < kept
    # Water that stands still keeps its three constraints: every molecule is like the others.
    rigid = {
        n
        for n in range(setup.system.getNumConstraints())
        if all_water(setup, setup.system.getConstraintParameters(n)[:2])
    }
    assert len(rigid) == 3 * kept


def all_water(setup: Setup, particles: list[int]) -> bool:
    atoms = list(setup.topology.atoms())
    return all(atoms[i].residue.name == "HOH" for i in particles)


@pytest.mark.slow
def test_a_pocket_with_water_runs(explicit: ComplexFolder, tmp_path: Path) -> None:
    settings = replace(POCKET, pocket_radius=0.5, shell_radius=0.9, equilibration_ps=2.0)
    run = run_reference(explicit, tmp_path / "run", 0.2, settings=settings)
    assert 200 < run.temperature < 400
    complex = Complex.from_files(run.topology)
    assert "HOH" not in {r.name for r in complex.topology.residues()}
    assert len(read_snapshots(run.trajectory, complex)) == 10


@pytest.mark.slow
def test_a_relaxed_box_has_the_density_of_water(explicit: ComplexFolder) -> None:
    """The box was cut from bulk water with the solute's place left empty: it shrinks."""
    setup = build(explicit, MDSettings())
    settings = MDSettings(**ONE_THREAD)
    positions, box = relax_box(setup, settings, 4.0)
    assert np.linalg.det(box) != np.linalg.det(setup.complex.box)
    heavy = held_atoms(setup)
    moved = np.linalg.norm(positions[heavy] - setup.complex.positions[heavy], axis=1)
    assert moved.mean() < 0.05  # nm
    for residue in setup.topology.residues():
        atoms = [a.index for a in residue.atoms()]
        assert np.ptp(positions[atoms], axis=0).max() < 1.5  # whole


# --- Interruptions


class Stop(Exception):
    """In place of a kill, within the process."""


@pytest.mark.parametrize("kind", ["xtc", "dcd"])
def test_a_resumed_run_is_the_uninterrupted_one(
    kind: str, folder: ComplexFolder, tmp_path: Path
) -> None:
    """Two snapshots that the checkpoint does not know of are cut off, and made again."""
    whole, cut = interrupted(folder, tmp_path, replace(RIGID, format=kind))
    same(whole.path, cut.path)


def test_resumption_on_the_cpu_platform(folder: ComplexFolder, tmp_path: Path) -> None:
    """There the order of sums, and so their rounding, depends on when neighbours were looked for.

    Rounding grows to some kJ/mol within such a run.  Random numbers that started anew would make
    it another run, as far from this one as its snapshots are from each other.
    """
    whole, cut = (energies(run) for run in interrupted(folder, tmp_path, POCKET))
    assert [row["time_ps"] for row in whole] == [row["time_ps"] for row in cut]
    for name in ("potential_kj_mol", "kinetic_kj_mol"):
        a, b = (np.array([row[name] for row in run]) for run in (whole, cut))
        assert np.sqrt(np.mean((a - b) ** 2)) < 0.5 * a.std()


def interrupted(
    folder: ComplexFolder, tmp_path: Path, settings: MDSettings
) -> tuple[ReferenceRun, ReferenceRun]:
    """A run of 12 snapshots, and one that stopped after 7, of which its checkpoint has 5."""
    checkpoint = tmp_path / ".cut.partial" / "checkpoint.npz"
    made, at_five = [], []

    def stop(units: int, note: str) -> None:
        made.append(units)
        if sum(made) == 5:
            at_five.append(checkpoint.read_bytes())
        if sum(made) == 7:
            raise Stop

    whole = run_reference(folder, tmp_path / "whole", 0.24, settings=settings)
    request = {"settings": settings, "checkpoint_seconds": 0}
    with pytest.raises(Stop):
        run_reference(folder, tmp_path / "cut", 0.24, progress=stop, **request)
    assert not (tmp_path / "cut").exists()
    checkpoint.write_bytes(at_five[0])
    cut = run_reference(folder, tmp_path / "cut", 0.24, **request)
    assert (cut.resumed_from, cut.snapshots) == (5, 12)
    assert not checkpoint.parent.exists()
    return whole, cut


def same(first: Path, second: Path) -> None:
    """Two runs with the same numbers in them."""
    assert (first / "energies.csv").read_text() == (second / "energies.csv").read_text()
    assert (first / "topology.pdb").read_text() == (second / "topology.pdb").read_text()
    kind = next(first.glob("trajectory.*")).name
    one, other = (mdtraj.load(run / kind, top=run / "topology.pdb") for run in (first, second))
    np.testing.assert_array_equal(one.xyz, other.xyz)
    np.testing.assert_array_equal(one.time, other.time)
    labels = [np.load(run / "labels.npz") for run in (first, second)]
    for name in labels[0].files:
        np.testing.assert_array_equal(labels[0][name], labels[1][name])


NEURALMD = [sys.executable, "-m", "openmm_neuralmd.cli"]


def command(folder: ComplexFolder, output: Path) -> list[str]:
    words = ["reference", folder.path, "--mode", "rigid", "--time", "8ps", "--interval", "0.02ps"]
    words += ["--equilibration", "2ps", "--checkpoint", 0, "--platform", "Reference", "--labels"]
    return [*NEURALMD, *map(str, words), "-o", str(output)]


@pytest.mark.slow
def test_kill_9_costs_nothing(folder: ComplexFolder, tmp_path: Path) -> None:
    """Killed in equilibration and twice in production: every snapshot once, in order."""
    words = command(folder, tmp_path / "cut")
    partial = tmp_path / ".cut.partial"
    kill_when(partial / "restrained.xml", words)
    assert not (partial / "checkpoint.npz").exists()
    for _ in range(2):
        kill_when(partial / "checkpoint.npz", words)
        assert not (tmp_path / "cut").exists()
    for output in ("cut", "whole"):
        words = command(folder, tmp_path / output)[len(NEURALMD) :]
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output
    record = yaml.safe_load((tmp_path / "cut" / "run.yaml").read_text())
    assert 0 < record["resumed_from"] < record["snapshots"] == 400
    times = np.loadtxt(tmp_path / "cut" / "energies.csv", delimiter=",", skiprows=1)[:, 0]
    np.testing.assert_allclose(times, 0.02 * np.arange(1, 401))
    same(tmp_path / "whole", tmp_path / "cut")


def test_another_request_does_not_continue_a_run(folder: ComplexFolder, tmp_path: Path) -> None:
    def stop(units: int, note: str) -> None:
        if units:
            raise Stop

    with pytest.raises(Stop):
        run_reference(
            folder, tmp_path / "x", 0.1, settings=RIGID, checkpoint_seconds=0, progress=stop
        )
    with pytest.raises(InputError, match="interrupted run of another model, complex"):
        run_reference(folder, tmp_path / "x", 0.1, settings=replace(RIGID, seed=2))


# --- What goes wrong


def test_a_ligand_that_leaves_stops_the_run(folder: ComplexFolder, tmp_path: Path) -> None:
    settings = replace(RIGID, pocket_limit=0.05)
    with pytest.raises(SimulationError, match=r"after step 5 .*left the pocket.*kept in") as caught:
        run_reference(folder, tmp_path / "x", 0.1, settings=settings)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_not_a_number_names_step_and_atom(
    folder: ComplexFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        LIMITS, "timestep_fs", (0.01, 1e3, "fs")
    )  # a step that no molecule survives
    settings = replace(RIGID, timestep_fs=200.0, interval_ps=0.2, equilibration_ps=40.0)
    with pytest.raises(SimulationError, match=r"after step \d+ .*: atom .*not a number"):
        run_reference(folder, tmp_path / "x", 1.0, settings=settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "stiff"}, "unknown mode 'stiff'; known: flexible, pocket, rigid"),
        ({"interval_ps": 0.001}, "no whole number of steps"),
        ({"interval_ps": 0.03}, "no whole number of steps"),
        ({"hydrogen_mass": 0.0}, "needs heavy hydrogens"),
        ({"hydrogen_mass": 6.0}, "choose a smaller hydrogen mass"),
        ({"temperature": -1.0}, "temperature must be from 1 to 2000 K, not -1"),
        ({"shell_radius": 0.1}, "choose a wider shell"),
        ({"platform": "Abacus"}, "platform 'Abacus' is not installed"),
        (
            {"properties": {"Threads": "1", "Beads": "7"}},
            "OpenMM cannot make a Context on platform",
        ),
    ],
)
def test_bad_settings(
    changes: dict[str, object], message: str, folder: ComplexFolder, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        run_reference(folder, tmp_path / "x", 0.1, settings=replace(POCKET, **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_force_that_cannot_be_taken_apart(folder: ComplexFolder, tmp_path: Path) -> None:
    system = folder.system()
    system.addForce(openmm.CustomExternalForce("x"))
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    odd = import_openmm(tmp_path / "system.xml", folder.path / "topology.pdb", tmp_path / "odd")
    for settings in (POCKET, RIGID):
        with pytest.raises(InputError, match="CustomExternalForce, which a reduced run"):
            build(odd, settings)


def test_command_line(folder: ComplexFolder, tmp_path: Path) -> None:
    def call(*words: object) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["reference", *map(str, words)])
        return result.exit_code, result.output

    target = tmp_path / "out"
    short = ("--interval", "20fs", "--equilibration", "0.1ps", "--mode", "rigid", "-o", target)
    request = (folder.path, "--time", "0.1ps", "--platform", "Reference", *short)
    code, said = call(*request)
    assert code == 0, said
    assert "5 snapshots" in said and "ns/day" in said and "neuralmd train --complex" in said
    code, said = call(*request)
    assert code == 1 and "exists; choose another name" in said
    code, said = call(*request, "--restart")
    assert code == 0 and (tmp_path / "out.previous-1" / "out" / "run.yaml").is_file()
    assert call(*request, "--engine", "abacus")[0] == 2
    code, said = call(tmp_path, "--time", "1ps")
    assert code == 1 and "no complex folder" in said
