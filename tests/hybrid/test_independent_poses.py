"""Jumps to poses of the learned ensemble: drawn whatever is known, relaxed and checked."""

from __future__ import annotations

import copy
import csv
import pickle
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import openmm
import pytest
import yaml
from openmm import unit
from openmmtools import cache, states

from mm_models import make_model
from one_structure_cases import case
from openmm_neuralmd.bindingnet.chemistry import ligand_chemistry
from openmm_neuralmd.dynamics.rigid_torsion import displace, rotatable_bonds
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.hybrid import JumpSettings, NeuralMDJumpMove
from openmm_neuralmd.hybrid.drag import FRICTION, STAGE_STEPS, drag, pose_path
from openmm_neuralmd.hybrid.draws import Conditioned, WithPocket
from openmm_neuralmd.hybrid.engines import Dragged, Place
from openmm_neuralmd.hybrid.run import run_hybrid
from openmm_neuralmd.hybrid.settings import HybridSettings, read_hybrid
from openmm_neuralmd.hybrid.use import use_of_averages
from openmm_neuralmd.md import MDSettings
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs import Gmx
from openmm_neuralmd.md.masses import masses
from openmm_neuralmd.model import load_model
from openmm_neuralmd.units import BOLTZMANN, to_angstrom

MD_SETTINGS = MDSettings(
    mode="pocket",
    platform="CPU",
    properties={"Threads": "1"},
    pocket_radius=0.5,
    shell_radius=0.9,
    equilibration_ps=0.4,
)
DRAW = JumpSettings(
    draw="independent", interval_ps=0.4, relax_ps=0.2, iterations=50, energy_window=1e6
)


@pytest.fixture(scope="module")
def folder(t4l_folder: ComplexFolder) -> ComplexFolder:
    return t4l_folder


def move(folder: ComplexFolder, known: np.ndarray | None = None) -> NeuralMDJumpMove:
    return NeuralMDJumpMove(
        "neuralmd-ou", folder.path, md=MD_SETTINGS, settings=DRAW, known=known, seed=2
    )


def contexts() -> cache.ContextCache:
    return cache.ContextCache(openmm.Platform.getPlatformByName("CPU"), {"Threads": "1"})


def test_a_pose_is_drawn_whatever_is_known(folder: ComplexFolder) -> None:
    first = move(folder)
    thermodynamic, sampler = first.thermodynamic_state(), first.sampler_state()
    shared, poses = contexts(), []
    for _ in range(3):
        first.apply(thermodynamic, sampler, shared)
        assert first.last is not None
        poses.append(first.last.raw[first.complex.ligand_heavy])
    assert first.n_proposed == 3 and first.interval_ps == 0.4
    assert first.n_accepted >= 1, first.reasons
    apart = [np.abs(a - b).max() for a, b in pairwise(poses)]
    assert min(apart) > 0.02  # nm
    elsewhere = 10 * poses[0][None] + 1.0
    other = move(folder, known=elsewhere)
    other.apply(other.thermodynamic_state(), other.sampler_state(), shared)
    assert other.last is not None
    np.testing.assert_allclose(other.last.raw[first.complex.ligand_heavy], poses[0], atol=1e-6)


def test_a_pose_is_dragged_to_without_losing_the_heat(folder: ComplexFolder) -> None:
    settings = replace(DRAW, relaxation="drag", drag_ps=0.2)
    dragged = NeuralMDJumpMove(
        "neuralmd-ou", folder.path, md=MD_SETTINGS, settings=settings, seed=2
    )
    thermodynamic, sampler = dragged.thermodynamic_state(), dragged.sampler_state()
    heavy = dragged.complex.ligand_heavy
    remains = []
    for _ in range(3):
        before = sampler.positions[heavy]._value
        dragged.apply(thermodynamic, sampler, contexts())
        last = dragged.last
        assert last is not None and last.relaxed is not None and np.isfinite(last.energy)
        away, arrived = (np.abs(x - last.raw[heavy]) for x in (before, last.relaxed[heavy]))
        remains.append(arrived.mean())
        assert away.max() > 0.02
    assert np.mean(remains) < 0.08, remains  # nm; kT of the restraints is 0.05, the rest is haste
    assert dragged.n_accepted >= 1 and set(dragged.reasons) <= {"energy"}
    again = pickle.loads(pickle.dumps(dragged))
    assert again.settings == settings


def test_the_pocket_is_dragged_with_the_ligand(folder: ComplexFolder) -> None:
    settings = replace(DRAW, draw="pocket", relaxation="drag", drag_ps=0.4, relax_ps=0.0)
    dragged = NeuralMDJumpMove(
        "neuralmd-ou", folder.path, md=MD_SETTINGS, settings=settings, seed=2
    )
    thermodynamic, sampler = dragged.thermodynamic_state(), dragged.sampler_state()
    residues = np.concatenate([body.atoms for body in dragged.draw.bodies])
    assert len(residues) > 20 and not set(residues) & set(dragged.complex.ligand)
    free = masses(dragged.setup.system) > 0
    topology = dragged.setup.topology
    bonds = np.array([(a.index, b.index) for a, b in topology.bonds()])
    names = {atom.index: atom.element.symbol for atom in topology.atoms()}
    hydrogens = np.array([pair for pair in bonds if "H" in (names[pair[0]], names[pair[1]])])
    jumped = 0
    for _ in range(3):
        before = np.array(sampler.positions._value)
        dragged.apply(thermodynamic, sampler, contexts())
        last = dragged.last
        assert last is not None and last.relaxed is not None
        np.testing.assert_allclose(last.relaxed[~free], before[~free], atol=1e-6)
        lengths = np.linalg.norm(np.diff(last.relaxed[hydrogens], axis=1)[:, 0], axis=-1)
        assert lengths.min() > 0.08 and lengths.max() < 0.14  # nm; sulfur's are the longest
        moving = residues[free[residues]]
        away, arrived = (
            np.linalg.norm(x[moving] - last.raw[moving], axis=-1) for x in (before, last.relaxed)
        )
        # kT of the restraints is 0.09 nm in three dimensions
        assert arrived.mean() < 0.06 and away.max() > 0.05
        jumped += last.kind == "jump"
    assert jumped >= 1, dragged.reasons
    again = pickle.loads(pickle.dumps(dragged))
    assert again.settings == settings and len(again.draw.bodies) == len(dragged.draw.bodies)


def test_drawn_residues_follow_the_drawn_ligand(folder: ComplexFolder) -> None:
    """Draws are those of the model: their mean and spread are its displacement and RMSF."""
    drawing = NeuralMDJumpMove(
        "neuralmd-ou",
        folder.path,
        md=MD_SETTINGS,
        settings=replace(DRAW, draw="pocket", relaxation="drag"),
    ).draw
    assert isinstance(drawing, WithPocket)
    nothing = np.zeros((0, 0, 3))
    draws = [np.concatenate(drawing(nothing, seed).residues) for seed in range(60)]
    np.testing.assert_array_equal(draws[3], np.concatenate(drawing(nothing, 3).residues))
    rows = np.concatenate(drawing.rows)
    side, motion = drawing.motion.side.start[rows], drawing.motion
    expected, spread = motion.displacement[rows], motion.rmsf()[rows]
    moved = np.mean(draws, axis=0) - side
    assert np.sqrt(((moved - expected) ** 2).sum(-1).mean()) < 0.25  # Å
    ratio = np.sqrt(np.var(draws, axis=0).sum(-1)) / spread
    assert 0.6 < np.median(ratio) < 1.4


def test_a_conditioned_pose_follows_the_run(folder: ComplexFolder) -> None:
    """400 ps of known snapshots 1 Å from the pose move the mean of the draws there."""
    complex = move(folder).complex
    every = replace(DRAW, interval_ps=10.0)
    drawing = Conditioned(every.fitted(load_model("neuralmd-ou")), complex)
    pose = to_angstrom(complex.positions[complex.ligand_heavy])
    generator = np.random.default_rng(0)
    shift = np.array([0.6, -0.6, 0.5])
    known = pose + shift + 0.1 * generator.normal(size=(40, *pose.shape))
    draws = np.array([drawing(known, seed).ligand for seed in range(40)])
    assert np.linalg.norm((draws - pose).mean(axis=(0, 1)) - shift) < 0.4  # of 0.99 Å
    spread = np.sqrt(np.var(draws, axis=0).sum(-1).mean())
    assert 0.1 < spread < 1.5  # poses, not the last snapshot again
    nothing = np.zeros((0, *pose.shape))
    free = np.array([drawing(nothing, seed).ligand for seed in range(40)])
    assert np.linalg.norm((free - pose).mean(axis=(0, 1))) < 0.6
    i, j = ligand_chemistry(complex.chemistry).bonds.T
    lengths, given = (np.linalg.norm(x[..., i, :] - x[..., j, :], axis=-1) for x in (free, pose))
    np.testing.assert_allclose(lengths, np.broadcast_to(given, lengths.shape), rtol=0.1)


def test_the_work_of_dragging_is_the_energy_of_a_spring() -> None:
    """A free atom dragged slowly costs friction alone: W = mγv²t, within its thermal noise."""
    system = openmm.System()
    system.addParticle(12.0)
    still = openmm.CustomExternalForce("0")
    still.addParticle(0, [])
    system.addForce(still)
    thermodynamic = states.ThermodynamicState(system, 300 * unit.kelvin)
    target = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    stages, step = 400, 0.002
    path = np.zeros((stages, 1, 3))
    path[:, 0, 0] = np.linspace(0.0, 1.0, stages)
    time = stages * STAGE_STEPS * step
    works = []
    for seed in range(1, 31):
        sampler = states.SamplerState(np.zeros((1, 3)) * unit.nanometer)
        work = drag(
            target, thermodynamic, sampler, path, np.array([0]),
            steps=STAGE_STEPS, stiffness=5000.0, timestep=step, seed=seed,
        )  # fmt: skip
        arrived = sampler.positions._value[0, 0]
        assert abs(arrived - 1.0) < 0.15
        works.append(work.sum())
    # letting go gives back, on average, 3 kT/2 that the thermal motion put into the spring
    expected = 12.0 * FRICTION * (1.0 / time) ** 2 * time - 1.5 * BOLTZMANN * 300.0
    error = np.std(works, ddof=1) / np.sqrt(len(works))
    assert abs(np.mean(works) - expected) < 4 * error


def test_a_path_turns_torsions_and_keeps_bonds() -> None:
    chemistry, pose, _ = case()
    rotatable = rotatable_bonds(chemistry)
    q = np.zeros(6 + len(rotatable.bonds))
    q[:6], q[6] = (1.0, -0.5, 0.3, 0.4, -0.3, 0.2), 2.5
    target = displace(pose, rotatable, q[None])[0]
    path = pose_path(pose, target, rotatable, 12)
    np.testing.assert_allclose(path[-1], target, atol=1e-9)
    i, j = chemistry.bonds.T
    lengths = np.linalg.norm(path[:, i] - path[:, j], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), rtol=0.01)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=-1).max()
    assert steps < 1.5  # Å: no atom is torn along


def test_a_run_keeps_or_falls_back(folder: ComplexFolder, tmp_path: Path) -> None:
    settings = HybridSettings(before=0, md=MD_SETTINGS, jump=DRAW)
    run = run_hybrid("neuralmd-ou", folder.path, tmp_path / "run", 1.6, settings=settings)
    assert run.snapshots == 4 and run.kinds["md"] == 2
    assert run.kinds["jump"] + run.kinds["fallback"] == 2
    record = yaml.safe_load((run.path / "run.yaml").read_text())
    assert list(record)[-1] == "use" and record["use"] == run.use
    assert ("not as equilibrium averages" in run.use) == (run.kinds["jump"] > 0)
    with run.log.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] == "md" for row in rows] == [False, True, False, True]
    assert [float(row["time_ps"]) for row in rows] == pytest.approx([0.4, 0.8, 1.2, 1.6])


def test_a_run_without_a_kept_jump_is_md() -> None:
    assert "may be used as those of MD" in use_of_averages(Counter(fallback=3, md=2), "forecast")
    said = use_of_averages(Counter(jump=1, fallback=3, md=2), "independent")
    assert "1 of 6 snapshots follow poses drawn from the learned ensemble" in said


def test_other_models_have_no_ensemble_to_draw_from(folder: ComplexFolder, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    make_model().save(path)
    with pytest.raises(ModelError, match="no ensemble to draw independent poses from"):
        NeuralMDJumpMove(path, folder.path, md=MD_SETTINGS, settings=DRAW)
    with pytest.raises(ModelError, match="no ensemble to draw independent poses from"):
        replace(DRAW, draw="pocket").fitted(make_model())
    with pytest.raises(ModelError, match="no ensemble to draw independent poses from"):
        replace(DRAW, draw="conditioned").fitted(make_model())
    with pytest.raises(ModelError, match="use that stride"):
        JumpSettings(interval_ps=0.4).fitted(make_model())


def test_a_pocket_is_drawn_only_where_it_can_be(folder: ComplexFolder) -> None:
    with pytest.raises(InputError, match="add relaxation: drag"):
        replace(DRAW, draw="pocket").check()
    model = load_model("neuralmd-ou")
    dynamics = copy.copy(model.dynamics)
    dynamics.side_chains = None
    complex = NeuralMDJumpMove("neuralmd-ou", folder.path, md=MD_SETTINGS, settings=DRAW).complex
    with pytest.raises(ModelError, match="moves no residue of this complex"):
        WithPocket(replace(model, dynamics=dynamics), complex)


def test_the_example_is_valid() -> None:
    settings = read_hybrid(Path(__file__).parents[2] / "examples" / "hybrid-independent.yaml")
    assert settings.jump.draw == "conditioned" and settings.before == 0


# --- GROMACS makes the MD

BY_GROMACS = replace(
    DRAW, relaxation="drag", drag_ps=0.2, relax_ps=0.2, draw="conditioned", interval_ps=0.4
)


@pytest.mark.gromacs
def test_gromacs_drags_to_a_pose(gmx: Gmx, folder: ComplexFolder) -> None:
    jumps = NeuralMDJumpMove(
        "neuralmd-ou", folder.path, md=MD_SETTINGS, settings=BY_GROMACS, engine="gromacs", seed=2
    )
    thermodynamic, sampler = jumps.thermodynamic_state(), jumps.sampler_state()
    heavy, shared = jumps.complex.ligand_heavy, contexts()
    for _ in range(2):
        jumps.apply(thermodynamic, sampler, shared)
        last = jumps.last
        assert last is not None and last.relaxed is not None and np.isfinite(last.energy)
        arrived = np.abs(last.relaxed[heavy] - last.raw[heavy])
        assert arrived.mean() < 0.06  # nm; kT of the restraints is 0.05
    assert jumps.n_accepted >= 1 and set(jumps.reasons) <= {"energy"}
    again = pickle.loads(pickle.dumps(jumps))
    assert again.engine.describe()["name"] == "gromacs"
    copied = states.SamplerState(sampler.positions, sampler.velocities)
    again.apply(thermodynamic, copied, shared)
    jumps.apply(thermodynamic, sampler, shared)
    np.testing.assert_array_equal(copied.positions._value, sampler.positions._value)
    foreign = openmm.XmlSerializer.clone(jumps.setup.system)
    foreign.addForce(openmm.CustomExternalForce("x"))
    other = states.ThermodynamicState(foreign, 300 * unit.kelvin)
    with pytest.raises(InputError, match="another System than the jump"):
        jumps.apply(other, sampler, shared)


@pytest.mark.gromacs
def test_a_wide_turn_is_made_in_parts(gmx: Gmx, folder: ComplexFolder) -> None:
    jumps = NeuralMDJumpMove(
        "neuralmd-ou", folder.path, md=MD_SETTINGS, settings=BY_GROMACS, engine="gromacs"
    )
    assert jumps.engine.stages(0.2, 0.1) == (1, 50)
    stages, steps = jumps.engine.stages(0.2, 3.1)
    assert stages == 4 and stages * steps == pytest.approx(50, abs=2)
    thermodynamic, sampler = jumps.thermodynamic_state(), jumps.sampler_state()
    target, _ = contexts().get_context(thermodynamic)
    atoms = jumps.complex.ligand_heavy
    start = sampler.positions[atoms]._value
    path = start + np.linspace(0.01, 0.04, 4)[:, None, None] * np.array([1.0, 0.0, 0.0])
    work = jumps.engine.drag(
        Place(target, thermodynamic, sampler), Dragged(path, atoms, 20_000.0), steps=steps, seed=3
    )
    moved = (sampler.positions[atoms]._value - start).mean(axis=0)
    assert work.shape == (len(atoms),) and 0.02 < moved[0] < 0.06


@pytest.mark.gromacs
@pytest.mark.slow
def test_a_run_by_gromacs_goes_on_where_it_was(
    gmx: Gmx, folder: ComplexFolder, tmp_path: Path
) -> None:
    md = replace(MD_SETTINGS, seed=5)
    settings = HybridSettings(before=0, engine="gromacs", md=md, jump=BY_GROMACS)
    whole = run_hybrid("neuralmd-ou", folder.path, tmp_path / "whole", 1.6, settings=settings)
    record = yaml.safe_load((whole.path / "run.yaml").read_text())
    assert record["engine"]["name"] == "gromacs" and record["settings"]["engine"] == "gromacs"

    class Stop(Exception):
        pass

    def stop(advance: int, text: str) -> None:
        if advance == 1:
            raise Stop

    with pytest.raises(Stop):
        run_hybrid(
            "neuralmd-ou", folder.path, tmp_path / "cut", 1.6, settings=settings, progress=stop
        )
    resumed = run_hybrid("neuralmd-ou", folder.path, tmp_path / "cut", 1.6, settings=settings)
    assert resumed.resumed_from == 1
    assert resumed.trajectory.read_bytes() == whole.trajectory.read_bytes()
    assert resumed.log.read_text() == whole.log.read_text()


def test_an_engine_that_cannot_run_the_mode_is_refused_before_any_work() -> None:
    settings = HybridSettings(engine="gromacs", md=MDSettings(mode="rigid"))
    with pytest.raises(InputError, match="take flexible or pocket"):
        settings.check()
    with pytest.raises(InputError, match="unknown engine 'amber'; known: openmm, gromacs"):
        HybridSettings(engine="amber").check()
