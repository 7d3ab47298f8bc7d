"""create_system and simulate: what moves, what follows, what is written, and what stops a run."""

from __future__ import annotations

import warnings
from dataclasses import replace

import mdtraj
import numpy as np
import openmm
import pytest
import yaml
from openmm import app, unit

from mm_models import INTERVAL, make_context, make_known, make_model
from openmm_neuralmd.errors import InputError, ModelError, SimulationError
from openmm_neuralmd.simulation.force import find_forces
from openmm_neuralmd.simulation.guard import check_pocket
from openmm_neuralmd.simulation.integrator import NeuralMDIntegrator
from openmm_neuralmd.simulation.restarts import RestartWarning
from openmm_neuralmd.simulation.run import RunSettings, simulate
from openmm_neuralmd.simulation.start import initialise
from openmm_neuralmd.simulation.system import create_system, hydrogen_sites
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.structure.parts import nearest_alpha
from openmm_neuralmd.trajectory.dcd import read_dcd_header

FULL = {"refinement": 0.3, "memory": (3.0, 10.0), "coupling": 0.2}
REFERENCE = RunSettings(platform="Reference")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))


def make_simulation(complex, model, platform="Reference"):
    platform = openmm.Platform.getPlatformByName(platform)
    system, integrator = create_system(model, complex), NeuralMDIntegrator(model)
    simulation = app.Simulation(complex.topology, system, integrator, platform)
    initialise(simulation, model, complex, make_known(complex))
    return simulation


def positions_of(context):
    return context.getState(positions=True).getPositions(asNumpy=True)._value


def hydrogen_bonds(complex):
    """Pairs (H, parent) of particles."""
    heavy = set(complex.ligand_heavy.tolist())
    bonds = complex.ligand[complex.ligand_bonds].tolist()
    return np.array([pair for pair in bonds if len(heavy & set(pair)) == 1])


@pytest.mark.parametrize("name", ["t4l", "gpcr_complex"])
def test_only_heavy_ligand_atoms_have_mass_and_hydrogens_are_where_they_were(name, request):
    complex = request.getfixturevalue(name)
    system = create_system(make_model(), complex)
    masses = np.array([system.getParticleMass(i)._value for i in range(len(complex.positions))])
    assert np.flatnonzero(masses).tolist() == complex.ligand_heavy.tolist()
    assert masses[complex.ligand_heavy].tolist() == complex.ligand_masses[complex.heavy].tolist()
    hydrogens = np.setdiff1d(complex.ligand, complex.ligand_heavy)
    assert all(system.isVirtualSite(int(i)) for i in hydrogens)
    start = complex.positions.copy()
    start[hydrogens] += 0.3
    context = make_context(system, positions=start)
    context.computeVirtualSites()
    assert np.abs(positions_of(context) - complex.positions).max() < 1e-6


def test_forces_have_their_own_groups(t4l):
    system = create_system(make_model(**FULL), t4l, forceGroup=5)
    assert [found.quantity for found in find_forces(system)] == ["force", "refinement"]
    assert [force.getForceGroup() for force in system.getForces()] == [5, 6, 7]
    assert len(create_system(make_model(sweeps=0), t4l).getForces()) == 1


def test_periodic_complex_gives_a_periodic_system(gpcr_complex):
    system = create_system(make_model(), gpcr_complex)
    assert system.usesPeriodicBoundaryConditions()
    box = np.array([v._value for v in system.getDefaultPeriodicBoxVectors()])
    assert np.abs(box - gpcr_complex.box).max() == 0.0


def test_wrapping_keeps_ligand_and_pocket_together(gpcr_complex):
    """Where a reporter wraps positions into the box, nothing is torn apart."""
    context = make_context(create_system(make_model(), gpcr_complex))
    context.setPositions(gpcr_complex.positions + gpcr_complex.box.sum(axis=0) * [1, -1, 2] + 3.3)
    state = context.getState(positions=True, enforcePeriodicBox=True)
    wrapped = state.getPositions(asNumpy=True)._value
    selected = np.concatenate([gpcr_complex.ligand, gpcr_complex.backbone[:, 1]])
    shift = wrapped[selected] - gpcr_complex.positions[selected]
    assert np.abs(shift - shift[0]).max() < 1e-9


def test_ordinary_reporters_and_physical_time(t4l, tmp_path):
    simulation = make_simulation(t4l, make_model(**FULL))
    lengths = []
    simulation.reporters.append(app.DCDReporter(str(tmp_path / "a.dcd"), 2))
    simulation.reporters.append(
        app.StateDataReporter(str(tmp_path / "a.csv"), 2, step=True, time=True, temperature=True)
    )
    pairs = hydrogen_bonds(t4l)
    for _ in range(5):
        simulation.step(2)
        x = positions_of(simulation.context)
        lengths.append(np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1))
        assert (np.delete(x, t4l.ligand, axis=0) == np.delete(t4l.positions, t4l.ligand, 0)).all()
    simulation.reporters.clear()
    x = t4l.positions
    expected = np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1)
    assert np.abs(np.array(lengths) - expected).max() < 1e-9
    assert simulation.context.getTime() / unit.picosecond == pytest.approx(5 * INTERVAL)
    times = np.genfromtxt(tmp_path / "a.csv", delimiter=",", skip_header=1)[:, 1]
    assert times == pytest.approx(INTERVAL * np.arange(1, 6))
    header = read_dcd_header(tmp_path / "a.dcd")
    assert (header.snapshots, header.rest, header.atoms) == (5, 0, len(t4l.positions))
    assert header.interval_ps == pytest.approx(INTERVAL)


def test_ligand_without_a_plane_for_its_hydrogens(t4l):
    """Two heavy atoms cannot hold a hydrogen's axes."""
    lone = replace(t4l)
    carbon = int(lone.heavy[0])
    hydrogen = int(np.setdiff1d(np.arange(len(lone.ligand)), lone.heavy)[0])
    object.__setattr__(lone, "ligand_bonds", np.array([sorted((carbon, hydrogen))]))
    with pytest.raises(InputError, match=r"hydrogen .* is not bonded to three heavy atoms"):
        hydrogen_sites(lone)


def test_simulate_writes_everything_and_only_when_complete(t4l, tmp_path):
    model, known, seen = make_model(**FULL), make_known(t4l), []
    run = simulate(
        model,
        t4l,
        known,
        4,
        tmp_path / "out.dcd",
        settings=REFERENCE,
        progress=lambda units, note: seen.append(
            (units, sorted(path.name for path in tmp_path.glob("*.*")))
        ),
    )
    assert [units for units, _ in seen] == [1, 1, 1, 1]
    assert all("out.dcd" not in names for _, names in seen)
    written = sorted(path.name for path in tmp_path.iterdir() if path.name != "cache")
    assert written == ["out.dcd", "out.pdb", "out.run.yaml"]
    trajectory = mdtraj.load(str(run.trajectory), top=str(run.topology))
    assert trajectory.n_frames == 4
    assert read_dcd_header(run.trajectory).interval_ps == pytest.approx(INTERVAL)
    simulation = make_simulation(t4l, model)
    simulation.step(8)
    assert np.abs(trajectory.xyz[-1] - positions_of(simulation.context)).max() < 1e-5
    assert np.abs(mdtraj.load(str(run.topology)).xyz[0] - t4l.positions).max() < 1e-3
    provenance = yaml.safe_load(run.provenance.read_text())
    assert provenance["complex"]["fingerprint"] == t4l.fingerprint()
    assert provenance["platform"]["name"] == "Reference"
    assert provenance["versions"]["openmm"] == openmm.version.short_version


class Interrupt(Exception):
    """Stands for a kill."""


def interrupt_at(snapshot):
    done = []

    def progress(units, note):
        done.append(units)
        if len(done) == snapshot:
            raise Interrupt

    return progress


SDE = {"kind": "neuralmd-sde", "modes": 4, "poses": 3, "window": 2}


@pytest.mark.parametrize("settings", [FULL, SDE], ids=["ode", "sde"])
@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_interrupted_run_resumes_exactly(t4l, tmp_path, platform, settings):
    model, known = make_model(**settings), make_known(t4l, 8)
    options = {"settings": RunSettings(platform=platform), "checkpoint_every": 2}
    whole = simulate(model, t4l, known, 7, tmp_path / "whole.dcd", **options)
    for stop in (1, 4):  # before the first checkpoint, and between two of them
        with pytest.raises(Interrupt):
            simulate(
                model, t4l, known, 7, tmp_path / "cut.dcd", progress=interrupt_at(stop), **options
            )
        assert not (tmp_path / "cut.dcd").exists()
    cut = simulate(model, t4l, known, 7, tmp_path / "cut.dcd", **options)
    assert cut.resumed_from > 0
    header = 276  # the rest of the header is the date
    a, b = whole.trajectory.read_bytes(), cut.trajectory.read_bytes()
    assert a[:100] == b[:100]
    assert a[header:] == b[header:]


FAILING = {"checkpoint_every": 2, "pocket_limit": 0.3525}
"""A pocket that ends within the ligand's own motion, so that the guard trips now and then."""


def failing(t4l, file, seed, on_failure="restart", **options):
    settings = replace(REFERENCE, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RestartWarning)
        return simulate(
            *(make_model(**SDE), t4l, make_known(t4l, 8), 9, file),
            settings=settings,
            on_failure=on_failure,
            **{**FAILING, **options},
        )


# With these seeds it begins anew from the start several times, and from three checkpoints.
@pytest.mark.parametrize(("seed", "after"), [(2, [0, 0, 0, 0, 2]), (3, [2, 4, 8])])
def test_a_failed_run_begins_again_and_survives_interruptions(t4l, tmp_path, seed, after):
    whole = failing(t4l, tmp_path / "whole.dcd", seed)
    restarts = yaml.safe_load(whole.provenance.read_text())["restarts"]
    assert [one["after"] for one in restarts] == after
    assert len({one["seed"] for one in restarts} | {seed}) == whole.restarts + 1 == len(after) + 1
    assert all("the ligand left the pocket" in one["reason"] for one in restarts)
    for stop in (1, 3, 4):
        with pytest.raises(Interrupt):
            failing(t4l, tmp_path / "cut.dcd", seed, progress=interrupt_at(stop))
    cut = failing(t4l, tmp_path / "cut.dcd", seed)
    assert yaml.safe_load(cut.provenance.read_text())["restarts"] == restarts
    assert whole.trajectory.read_bytes()[276:] == cut.trajectory.read_bytes()[276:]
    for frame in mdtraj.load(str(whole.trajectory), top=str(whole.topology)).xyz:
        assert nearest_alpha(t4l, frame, t4l.box)[0] < FAILING["pocket_limit"] + 1e-5


def test_a_run_that_stopped_goes_on_with_restarts(t4l, tmp_path):
    whole = failing(t4l, tmp_path / "whole.dcd", 3)
    for _ in range(2):  # the same noise, the same end
        with pytest.raises(SimulationError, match=r"\(240 ps\): the ligand left .*; the snapshots"):
            failing(t4l, tmp_path / "a.dcd", 3, "stop")
    again = failing(t4l, tmp_path / "a.dcd", 3)
    assert again.resumed_from == 2 and again.restarts == whole.restarts
    assert whole.trajectory.read_bytes()[276:] == again.trajectory.read_bytes()[276:]


def test_restarts_are_bounded_and_need_noise(t4l, tmp_path):
    with pytest.raises(SimulationError, match=r"left the pocket.*after 10 restarts; .*kept in"):
        failing(t4l, tmp_path / "a.dcd", 2, pocket_limit=0.30)
    with pytest.raises(InputError, match="is stop or restart, not 'retry'"):
        failing(t4l, tmp_path / "b.dcd", 2, "retry")
    with pytest.raises(InputError, match="has no noise: begun again, it fails again"):
        simulate(make_model(**FULL), t4l, None, 1, tmp_path / "c.dcd", on_failure="restart")


def test_a_run_of_another_start_is_not_continued(t4l, tmp_path):
    model, known = make_model(**FULL), make_known(t4l)
    options = {"settings": REFERENCE, "checkpoint_every": 1}
    with pytest.raises(Interrupt):
        simulate(model, t4l, known, 4, tmp_path / "a.dcd", progress=interrupt_at(2), **options)
    with pytest.raises(InputError, match="interrupted run of another model, complex, start"):
        simulate(model, t4l, known + 0.1, 4, tmp_path / "a.dcd", **options)


def test_a_ligand_that_leaves_stops_the_run_and_keeps_what_was_good(t4l, tmp_path):
    model = make_model(memory=(), velocity_map=False, sweeps=0, friction=1e-3)
    here = t4l.positions[t4l.ligand_heavy] * 10.0
    flying = np.stack([here - 2.0, here])  # 3.5 Å per snapshot
    with pytest.raises(
        SimulationError, match=r"after step \d+ .*the ligand left the pocket"
    ) as error:
        simulate(model, t4l, flying, 50, tmp_path / "a.dcd", settings=REFERENCE, pocket_limit=0.6)
    kept = tmp_path / ".a.dcd.partial" / "run" / "trajectory.dcd"
    assert str(kept) in str(error.value)
    assert read_dcd_header(kept).complete >= 1
    assert not (tmp_path / "a.dcd").exists()


def test_pocket_check_sees_periodic_images(gpcr_complex):
    context = make_context(create_system(make_model(), gpcr_complex))
    moved = gpcr_complex.positions.copy()
    moved[gpcr_complex.ligand] += gpcr_complex.box.sum(axis=0)
    context.setPositions(moved)
    assert check_pocket(context, gpcr_complex) < 0.6
    moved[gpcr_complex.ligand] += 0.5 * gpcr_complex.box.sum(axis=0)
    context.setPositions(moved)
    with pytest.raises(SimulationError, match="left the pocket: its nearest atom"):
        check_pocket(context, gpcr_complex)


def test_unknown_platform_and_no_snapshots(t4l, tmp_path):
    model = make_model()
    with pytest.raises(InputError, match="platform 'Abacus' is not installed; there are: "):
        simulate(model, t4l, None, 1, tmp_path / "a.dcd", settings=RunSettings(platform="Abacus"))
    with pytest.raises(InputError, match="0 snapshots were asked for"):
        simulate(model, t4l, None, 0, tmp_path / "a.dcd")


def test_an_energy_model_cannot_propagate(t4l):
    verlet = make_model("energy")
    with pytest.raises(ModelError, match="does not jump inside OpenMM; use NeuralMDForce"):
        NeuralMDIntegrator(verlet)
    with pytest.raises(ModelError, match="does not jump inside OpenMM; use NeuralMDForce"):
        create_system(verlet, t4l)


def test_heavy_atoms_only_needs_no_virtual_sites(gpcr_complex):
    modeller = app.Modeller(gpcr_complex.topology, gpcr_complex.positions * unit.nanometer)
    hydrogens = [a for a in gpcr_complex.topology.atoms() if a.element == app.element.hydrogen]
    modeller.delete(hydrogens)
    bare = Complex.from_openmm(modeller.topology, modeller.positions)
    assert hydrogen_sites(bare) == {}
    create_system(make_model(), bare)
