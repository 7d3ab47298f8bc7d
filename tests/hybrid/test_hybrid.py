"""Hybrid moves: exactness of HMC against analytic truth; jumps, their checks and their runs."""

from __future__ import annotations

import csv
import pickle
import shutil
import sys
from collections import Counter
from pathlib import Path

import mdtraj
import numpy as np
import openmm
import pytest
import yaml
from openmm import unit
from openmmtools import cache, mcmc, states
from openmmtools.utils import deserialize, serialize
from scipy import stats

from mm_models import make_model
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.hybrid.checks import CHECKS, Pose, fault
from openmm_neuralmd.hybrid.hmc import NeuralMDHMCMove, VelocityVerletIntegrator, proposal_system
from openmm_neuralmd.hybrid.jump import NeuralMDJumpMove
from openmm_neuralmd.hybrid.jumped import PARTS
from openmm_neuralmd.hybrid.run import run_hybrid
from openmm_neuralmd.hybrid.sdf import read_poses
from openmm_neuralmd.hybrid.settings import HybridSettings, JumpSettings, read_hybrid
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.units import BOLTZMANN
from pose_rates import pose_rates
from reference_cases import kill_when

KT = BOLTZMANN * 300.0
REFERENCE = openmm.Platform.getPlatformByName("Reference")


def well(expression: str, atoms: int, **values: float) -> openmm.CustomExternalForce:
    force = openmm.CustomExternalForce(expression)
    for name, value in values.items():
        force.addGlobalParameter(name, value)
    for atom in range(atoms):
        force.addParticle(atom, [])
    return force


def system_of(force: openmm.Force, atoms: int) -> openmm.System:
    system = openmm.System()
    for _ in range(atoms):
        system.addParticle(12.0)
    system.addForce(force)
    return system


def contexts() -> cache.ContextCache:
    return cache.ContextCache(REFERENCE)


def sampled(move: NeuralMDHMCMove, thermodynamic, sampler, count: int) -> np.ndarray:
    kept, shared = [], contexts()
    for _ in range(count):
        move.apply(thermodynamic, sampler, shared)
        kept.append(sampler.positions.value_in_unit(unit.nanometer).copy())
    return np.array(kept)


# ------------------------------------------------------------------------------------- exactness


@pytest.mark.parametrize("stiffness", [400.0, 260.0])
def test_hmc_samples_the_target_whatever_force_proposes(stiffness: float) -> None:
    """Quartic wells in 12 coordinates; the proposal's harmonic force is wrong by a factor."""
    atoms = 4
    target = "quartic*(x^4+y^4+z^4)+400*(x^2+y^2+z^2)/2"
    system = system_of(well(target, atoms, quartic=3e4), atoms)
    proposal = well("stiffness*(x^2+y^2+z^2)/2", atoms, stiffness=stiffness)
    thermodynamic = states.ThermodynamicState(system, 300 * unit.kelvin)
    sampler = states.SamplerState(np.zeros((atoms, 3)) * unit.nanometer)
    move = NeuralMDHMCMove(proposal, range(atoms), n_steps=8, timestep=0.02, seed=3)
    x = sampled(move, thermodynamic, sampler, 6000)[400:]
    assert 0.05 < move.fraction_accepted < 0.98
    assert move.statistics["n_failed"] == 0
    grid = np.linspace(-0.5, 0.5, 4001)
    weight = np.exp(-(3e4 * grid**4 + 200 * grid**2) / KT)
    exact = np.cumsum(weight) / weight.sum()
    # All coordinates are alike and independent; along the chain they are not: every 10th.
    values = x[::10].ravel()
    distance = stats.ks_1samp(values, lambda v: np.interp(v, grid, exact)).statistic
    assert distance < 1.63 / np.sqrt(len(values))  # the 1 % point
    energy = (3e4 * x**4 + 200 * x**2).sum((1, 2))
    mean = atoms * 3 * float(((3e4 * grid**4 + 200 * grid**2) * weight).sum() / weight.sum())
    blocks = energy.reshape(20, -1).mean(axis=1)
    assert abs(energy.mean() - mean) < 3.5 * blocks.std(ddof=1) / np.sqrt(len(blocks))
    # The distribution of the proposal's own force is another one: the test can tell.
    wrong = stats.norm(0, np.sqrt(KT / stiffness)).cdf
    assert stats.ks_1samp(values, wrong).statistic > 1.63 / np.sqrt(len(values))


def test_the_proposal_is_reversible_with_constraints(t4l) -> None:
    from openmmtools.testsystems import LysozymeImplicit

    system = LysozymeImplicit().system
    force = well("100*((x-1)^2+(y-2)^2+z^2)+50*x*y*z", 0)
    for atom in t4l.ligand.tolist():
        force.addParticle(atom, [])
    proposal = proposal_system(system, force, t4l.ligand.tolist())
    assert proposal.getNumConstraints() > 0
    context = openmm.Context(proposal, VelocityVerletIntegrator(0.001), REFERENCE)
    context.setPositions(t4l.positions)
    context.applyConstraints(1e-10)
    context.setVelocitiesToTemperature(300.0, 1)
    start = context.getState(positions=True, velocities=True)
    context.getIntegrator().step(50)
    there = context.getState(positions=True, velocities=True)
    moved = there.getPositions(asNumpy=True)._value - start.getPositions(asNumpy=True)._value
    assert np.abs(moved[t4l.ligand]).max() > 1e-3
    assert np.abs(np.delete(moved, t4l.ligand, axis=0)).max() == 0.0
    context.setVelocities(-there.getVelocities(asNumpy=True))
    context.getIntegrator().step(50)
    back = context.getState(positions=True, velocities=True)
    error = back.getPositions(asNumpy=True)._value - start.getPositions(asNumpy=True)._value
    assert np.abs(error).max() < 1e-6
    velocity = back.getVelocities(asNumpy=True)._value + start.getVelocities(asNumpy=True)._value
    assert np.abs(velocity).max() < 1e-4


def test_hmc_goes_on_exactly_after_serialization_and_tells_failures() -> None:
    atoms = 3
    thermodynamic = states.ThermodynamicState(
        system_of(well("200*(x^2+y^2+z^2)", atoms), atoms), 300 * unit.kelvin
    )
    start = np.full((atoms, 3), 0.01) * unit.nanometer
    force = well("180*(x^2+y^2+z^2)", atoms)

    def made() -> NeuralMDHMCMove:
        return NeuralMDHMCMove(force, range(atoms), seed=5)

    move, sampler = made(), states.SamplerState(start)
    sampled(move, thermodynamic, sampler, 4)
    other = deserialize(serialize(move))
    assert other.statistics == move.statistics and pickle.loads(pickle.dumps(move)).seed == 5
    copy = states.SamplerState(sampler.positions)
    mine = sampled(move, thermodynamic, sampler, 3)
    np.testing.assert_array_equal(mine, sampled(other, thermodynamic, copy, 3))
    broken = NeuralMDHMCMove(well("sqrt(-1-x^2)", atoms), range(atoms), seed=1)
    before = sampler.positions.copy()
    broken.apply(thermodynamic, sampler, contexts())
    assert broken.statistics == {"n_proposed": 1, "n_accepted": 0, "n_failed": 1}
    np.testing.assert_array_equal(before, sampler.positions)


def test_hmc_refuses_what_it_cannot_move() -> None:
    system = system_of(well("x^2", 2), 2)
    system.addConstraint(0, 1, 0.1)
    with pytest.raises(InputError, match="a constraint joins particle 0 to 1"):
        proposal_system(system, well("x^2", 2), [0])
    with pytest.raises(InputError, match="particle 7 is not one"):
        proposal_system(system, well("x^2", 2), [0, 1, 7])
    with pytest.raises(InputError, match="none was given"):
        proposal_system(system, well("x^2", 2), [])
    with pytest.raises(InputError, match="1 is the least"):
        NeuralMDHMCMove(well("x^2", 2), [0, 1], n_steps=0)


# ----------------------------------------------------------------------------------------- jumps

STRIDE = 0.4  # ps
MD = {
    "mode": "pocket",
    "platform": "CPU",
    "properties": {"Threads": "1"},
    "pocket_radius": 0.5,
    "shell_radius": 0.9,
    "equilibration_ps": 0.4,
    "format": "dcd",
}


@pytest.fixture(scope="module")
def folder(t4l_folder: ComplexFolder) -> ComplexFolder:
    return t4l_folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model that hardly moves the ligand, and one that tears it."""
    place, made = tmp_path_factory.mktemp("models"), {}
    for name, factor in (("calm", 1e-6), ("wild", 1e4)):
        model = make_model(seed=1)
        for parameter in model.dynamics.network.head.parameters():
            parameter.data.mul_(factor)
        card = model.card.model_copy(update={"interval_ps": STRIDE})
        made[name] = place / f"{name}.safetensors"
        type(model)(model.dynamics, card).save(made[name])
    return made


def jumping(models: dict[str, Path], folder: ComplexFolder, name: str) -> NeuralMDJumpMove:
    settings = JumpSettings(relax_ps=0.2, iterations=50)
    return NeuralMDJumpMove(
        models[name], folder.path, md=MDSettings(**MD), settings=settings, seed=2
    )


def one_thread() -> cache.ContextCache:
    return cache.ContextCache(openmm.Platform.getPlatformByName("CPU"), {"Threads": "1"})


def test_a_jump_is_relaxed_and_kept_or_md_takes_its_place(models, folder) -> None:
    kept, dropped = (jumping(models, folder, name) for name in ("calm", "wild"))
    assert isinstance(kept, mcmc.MCMCMove)
    ends = []
    for move in (kept, dropped):
        sampler, shared = move.sampler_state(), one_thread()
        move.apply(move.thermodynamic_state(), sampler, shared)
        move.apply(move.thermodynamic_state(), sampler, shared)
        ends.append(sampler.positions.value_in_unit(unit.nanometer))
        assert move.n_proposed == 2 and len(move.history.known) == 3
        assert np.isfinite(ends[-1]).all()
        fixed = np.array(
            [move.setup.system.getParticleMass(i)._value for i in range(len(ends[-1]))]
        )
        np.testing.assert_allclose(
            ends[-1][fixed == 0], move.complex.positions[fixed == 0], atol=1e-6
        )
        seen = move.history.known[-1]
        assert np.abs(seen - 10 * move.complex.positions[move.complex.ligand_sites]).max() < 5.0
    assert kept.statistics == {"n_proposed": 2, "n_accepted": 2, "reasons": {}}
    assert kept.last.kind == "jump" and abs(kept.last.energy) < 60.0
    assert set(kept.last.seconds) == set(PARTS) and min(kept.last.seconds.values()) > 0.0
    assert {"jump", "hydrogens", "relaxation"} <= set(dropped.last.seconds)
    assert dropped.n_accepted == 0 and sum(dropped.reasons.values()) == 2
    assert set(dropped.reasons) <= {*CHECKS, "failed"} and dropped.last.message
    # the fallback is MD from where the jump began: another one, from the same start, is the same
    again = jumping(models, folder, "wild")
    sampler, shared = again.sampler_state(), one_thread()
    for _ in range(2):
        again.apply(again.thermodynamic_state(), sampler, shared)
    np.testing.assert_array_equal(sampler.positions.value_in_unit(unit.nanometer), ends[1])


def test_a_jump_takes_the_protein_as_it_lies(models, folder) -> None:
    move = jumping(models, folder, "calm")
    x = move.complex.positions
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    elsewhere = x @ turn + 1.5
    move.history.observe(elsewhere, None)
    here = 10 * x[move.complex.ligand_sites]
    np.testing.assert_allclose(move.history.known[-1], here, atol=1e-9)
    np.testing.assert_allclose(move.history.placed(here, elsewhere), elsewhere, atol=1e-9)


def test_openmms_own_box_is_none(models, folder) -> None:
    """A System without a box has one of 2 nm in OpenMM, which its state carries after any MD."""
    move = jumping(models, folder, "calm")
    sampler, state = move.sampler_state(), move.thermodynamic_state()
    move.observe(sampler)
    sampler.box_vectors = 0.5 * np.eye(3) * unit.nanometer
    move.observe(sampler)
    np.testing.assert_array_equal(move.history.known[0], move.history.known[1])
    positions, box = move.present(sampler)
    assert box is None
    np.testing.assert_array_equal(positions, move.complex.positions)
    target, _ = one_thread().get_context(state)
    move.run(target, state, sampler, 2, seed=1)
    assert sampler.box_vectors is not None and move.present(sampler)[1] is None


def test_the_move_is_stored_and_read_back(models, folder, tmp_path: Path) -> None:
    move = jumping(models, folder, "calm")
    move.observe(move.sampler_state())
    move.reasons.update(["clash"])
    other = deserialize(serialize(move))
    assert other.statistics == move.statistics and other.settings == move.settings
    np.testing.assert_array_equal(other.history.known, move.history.known)
    stored = serialize(move)
    with pytest.raises(ModelError, match="the move was stored with"):
        deserialize({**stored, "model_sha256": "0" * 64})


def pose(move: NeuralMDJumpMove, after: np.ndarray, energy: float = 0.0) -> Pose:
    return Pose(move.complex, move.ligand, move.complex.positions, after, energy, None)


def test_a_clash_of_atoms_that_stand_still_is_not_the_jumps(models, folder) -> None:
    move = jumping(models, folder, "calm")
    i, j = move.complex.backbone[20, 1], move.complex.backbone[40, 1]
    before = move.complex.positions.copy()
    before[j] = before[i] + 0.05  # as a prepared structure may have it
    after = before.copy()
    after[move.complex.ligand] += 0.001
    jumped = Pose(move.complex, move.ligand, before, after, 0.0, None)
    assert not CHECKS["clash"](jumped, JumpSettings())
    jumped.after[j] += 0.001
    assert "clashes stay" in CHECKS["clash"](jumped, JumpSettings())


def test_every_check_finds_its_fault(models, folder) -> None:
    move = jumping(models, folder, "calm")
    sound, limits, own = move.complex.positions, JumpSettings(), move.complex.ligand

    def changed(change) -> np.ndarray:
        positions = sound.copy()
        change(positions)
        return positions

    def lose(x: np.ndarray) -> None:
        x[own[2]] = np.nan

    def leave(x: np.ndarray) -> None:
        x[own] += 8.0

    def stretch(x: np.ndarray) -> None:
        x[own[0]] += 0.5 * (x[own[0]] - x[own].mean(axis=0))

    def clash(x: np.ndarray) -> None:
        alpha = x[move.complex.backbone[50, 1]]
        x[own] += alpha + 0.05 - x[own[0]]

    def mirror(x: np.ndarray) -> None:
        residue = next(r for r in move.complex.topology.residues() if r.name == "LEU")
        atoms = {atom.name: atom.index for atom in residue.atoms()}
        for one, other in (("N", "C"),):
            x[[atoms[one], atoms[other]]] = x[[atoms[other], atoms[one]]]

    assert fault(pose(move, sound), limits) is None
    expected = {
        "not a number": (pose(move, changed(lose)), "position of particle"),
        "energy": (pose(move, sound, 61.0), "61 kJ/mol above the pose before"),
        "pocket": (pose(move, changed(leave)), "nm from any CA"),
        "bonds": (pose(move, changed(stretch)), "bond of particles"),
        "clash": (pose(move, changed(clash)), "clashes stay"),
        "chirality": (pose(move, changed(mirror)), "chirality changed"),
    }
    assert set(expected) == set(CHECKS)
    for name, (bad, told) in expected.items():
        message = CHECKS[name](bad, limits)
        assert told in message, name
    assert fault(expected["energy"][0], limits)[0] == "energy"


# ------------------------------------------------------------------------------------------ runs


def settings_file(place: Path, **changes: object) -> Path:
    content = {
        "before": 2,
        "jumps": 1,
        "strides": 1,
        "md": MD,
        "jump": {"relax_ps": 0.2, "iterations": 50},
        **changes,
    }
    path = place / "hybrid.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_killed_run_goes_on_exactly_and_its_log_says_what_was_jumped(
    models, folder, tmp_path: Path
) -> None:
    settings = read_hybrid(settings_file(tmp_path))
    words = [sys.executable, "-m", "openmm_neuralmd.cli", "hybrid", str(models["calm"])]
    words += ["--complex", str(folder.path), "--time", f"{8 * STRIDE}ps"]
    words += ["--settings", str(tmp_path / "hybrid.yaml"), "-o", str(tmp_path / "killed")]
    partial = tmp_path / ".killed.partial"
    kill_when(partial / "checkpoint.npz", words)
    # Equilibration minimises on all threads, so it ends elsewhere each time: both start from one.
    (tmp_path / ".whole.partial").mkdir()
    for name in ("minimised.xml", "restrained.xml", "free.xml"):
        shutil.copy(partial / name, tmp_path / ".whole.partial" / name)
    whole = run_hybrid(
        models["calm"], folder.path, tmp_path / "whole", 8 * STRIDE, settings=settings
    )
    assert whole.snapshots == 8 and whole.kinds == Counter(md=5, jump=3)
    rows = list(csv.DictReader(whole.log.open()))
    assert [row["kind"] for row in rows] == ["md", "md", *["jump", "md"] * 3]
    assert [float(row["time_ps"]) for row in rows] == pytest.approx(
        STRIDE * np.arange(1, 9), rel=1e-9
    )
    trajectory = mdtraj.load(str(whole.trajectory), top=str(whole.topology))
    assert len(trajectory) == 8
    told = yaml.safe_load((whole.path / "run.yaml").read_text())
    assert told["unbiased"] is False and told["kinds"] == {"md": 5, "jump": 3}
    poses = list(read_poses(whole.poses))
    assert [pose.snapshot for pose in poses] == [3, 3, 5, 5, 7, 7]
    assert [pose.stage for pose in poses] == ["raw", "relaxed"] * 3
    rates = pose_rates(whole.path)
    assert {name: rate.of for name, rate in rates.items()} == {
        "raw": 3,
        "relaxed": 3,
        "kept": 3,
        "md": 5,
    }
    assert rates["md"].share[0] == 100.0  # p-xylene in MD is p-xylene
    resumed = run_hybrid(
        models["calm"], folder.path, tmp_path / "killed", 8 * STRIDE, settings=settings
    )
    assert 0 < resumed.resumed_from < 8
    again = mdtraj.load(str(resumed.trajectory), top=str(resumed.topology))
    np.testing.assert_array_equal(again.xyz, trajectory.xyz)
    for one, other in zip(read_poses(resumed.poses), poses, strict=True):
        assert (one.snapshot, one.stage, one.kind) == (other.snapshot, other.stage, other.kind)
        np.testing.assert_allclose(one.x, other.x, atol=1e-3)
    ours = list(csv.DictReader(resumed.log.open()))
    for one, other in zip(ours, rows, strict=True):
        # OpenMM's CPU platform adds up energies in the order of a list that a new Context makes.
        assert float(one.pop("potential_kj_mol")) == pytest.approx(
            float(other.pop("potential_kj_mol")), rel=1e-5
        )
        assert one == other


def test_bad_settings_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"hybrid\.yaml: jump: relax: Unexpected keyword"):
        read_hybrid(settings_file(tmp_path, jump={"relax": 1}))
    with pytest.raises(InputError, match=r"hybrid\.yaml: before=2, jumps=0"):
        read_hybrid(settings_file(tmp_path, jumps=0))
    with pytest.raises(InputError, match=r"hybrid\.yaml: radius must be positive"):
        read_hybrid(settings_file(tmp_path, jump={"radius": 0}))
    assert [HybridSettings(before=1, jumps=2, strides=1).jumps_at(n) for n in range(1, 8)] == [
        False,
        *[True, True, False] * 2,
    ]
