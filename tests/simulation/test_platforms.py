"""The same numbers on every platform, and the faults that only GPU platforms have.

OpenCL runs on the CPU here, through the kernels that CUDA and HIP share with it: fixed-point
forces, reordered atoms, virtual sites that are placed when somebody asks.  With
NEURALMD_GPU_PLATFORM=CUDA the same tests run on a GPU.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import mdtraj
import numpy as np
import openmm
import pytest
import yaml
from openmm import unit

from mm_models import INTERVAL, bare_system, make_known, make_model
from openmm_neuralmd.errors import InputError, NeuralMDError
from openmm_neuralmd.hybrid.run import run_hybrid
from openmm_neuralmd.hybrid.settings import HybridSettings, JumpSettings
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.model import Model
from openmm_neuralmd.prepare.imports import import_amber
from openmm_neuralmd.simulation.fixed_point import RESOLUTION
from openmm_neuralmd.simulation.force import NeuralMDForce
from openmm_neuralmd.simulation.integrator import NeuralMDIntegrator
from openmm_neuralmd.simulation.run import RunSettings, make_simulation
from openmm_neuralmd.simulation.start import initialise
from openmm_neuralmd.simulation.system import create_system
from openmm_neuralmd.utils.platforms import OPENCL, installed, new_context
from platform_checks.ensemble import ENSEMBLE
from platform_checks.feature import CPU, REFERENCE, Place, gpu_places
from platform_checks.learned import LEARNED, lysozyme, receptor, started, virtual_sites
from platform_checks.mixed import MIXED
from platform_checks.surroundings import SURROUNDINGS
from reference_cases import INPCRD, PRMTOP

GPU = os.environ.get("NEURALMD_GPU_PLATFORM", OPENCL)
FEATURES = {**LEARNED, **ENSEMBLE, **SURROUNDINGS, **MIXED}
SINGLE, MIXED, DOUBLE = gpu_places(GPU)
BROAD = ("force", "ode", "ode-periodic")
"""Features for every precision; the others run in mixed precision, where kernels differ little."""


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def gpu(request: pytest.FixtureRequest) -> str:
    """The GPU platform; OpenCL is looked for, another one has to be there."""
    return request.getfixturevalue("opencl") if GPU == OPENCL else GPU


@pytest.mark.parametrize("name", FEATURES)
def test_cpu_is_as_the_reference(name: str) -> None:
    assert FEATURES[name].deviation(CPU) <= FEATURES[name].limit(CPU)


@pytest.mark.slow
@pytest.mark.opencl
@pytest.mark.parametrize("name", FEATURES)
def test_mixed_precision_is_as_the_reference(name: str, gpu: str) -> None:
    assert FEATURES[name].deviation(MIXED) <= FEATURES[name].limit(MIXED)


@pytest.mark.slow
@pytest.mark.opencl
@pytest.mark.parametrize("place", [SINGLE, DOUBLE], ids=str)
@pytest.mark.parametrize("name", BROAD)
def test_other_precisions_are_as_the_reference(name: str, place: Place, gpu: str) -> None:
    assert FEATURES[name].deviation(place) <= FEATURES[name].limit(place)


@pytest.mark.opencl
def test_hydrogens_follow_every_jump(gpu: str) -> None:
    """Virtual sites stayed behind by up to 1.4 Å: CustomIntegrator places them in constraints."""
    lengths = virtual_sites(MIXED)
    assert lengths.min() > 0.85 and lengths.max() < 1.25


@pytest.mark.opencl
def test_the_force_of_a_long_interval_does_not_vanish(gpu: str) -> None:
    """F = m a for Δ = 6 ns is below the fixed-point resolution in kJ/mol/nm."""
    model, complex, _ = receptor()
    with pytest.warns(UserWarning, match="GPU platforms round forces to multiples of 2.3e-10"):
        force = NeuralMDForce(model, complex)
    found = _largest(bare_system(complex, force), complex, REFERENCE, {1})
    assert 0 < found < 100 * RESOLUTION
    scaled = NeuralMDForce(model, complex, scale=1e10)
    on_gpu = _largest(bare_system(complex, scaled), complex, MIXED, {1})
    assert on_gpu == pytest.approx(1e10 * found, rel=1e-3)


def _largest(system, complex, place, groups) -> float:
    context = place.context(system, openmm.VerletIntegrator(0.001))
    context.setPositions(complex.positions)
    state = context.getState(forces=True, groups=groups)
    return float(np.abs(np.array(state.getForces(asNumpy=True)._value)).max())


def test_a_force_of_ordinary_size_is_not_warned_of(t4l, recwarn) -> None:
    NeuralMDForce(make_model(), t4l)
    create_system(receptor()[0], receptor()[1])
    assert not [w for w in recwarn if "round forces" in str(w.message)]


def test_an_energy_has_no_scale(t4l) -> None:
    with pytest.raises(NeuralMDError, match="an energy in kJ/mol is not scaled"):
        NeuralMDForce(make_model("energy"), t4l, scale=10.0)


def test_a_stored_system_without_a_scale_is_read_in_its_own_unit(t4l) -> None:
    """Systems of earlier versions hold forces in kJ/mol/nm; `initialise` sees it."""
    model, known = make_model(refinement=0.3, sweeps=0), make_known(t4l)
    paths = []
    for scaled in (True, False):
        system = create_system(model, t4l, known, precision="double")
        if not scaled:
            for index in reversed(range(system.getNumForces())):
                system.removeForce(index)
            for group, quantity in enumerate(("force", "refinement"), start=1):
                options = {"quantity": quantity, "forceGroup": group, "precision": "double"}
                system.addForce(NeuralMDForce(model, t4l, **options))
        context = new_context(system, NeuralMDIntegrator(model), "Reference")
        initialise(context, model, t4l, known)
        unit_now = context.getIntegrator().getGlobalVariableByName("force_unit")
        assert unit_now == pytest.approx(0.1 / INTERVAL**2 if scaled else 1.0)
        context.getIntegrator().step(4)
        paths.append(context.getState(positions=True).getPositions(asNumpy=True)._value)
    assert np.abs(paths[0] - paths[1]).max() < 1e-9


@pytest.mark.opencl
def test_a_new_context_starts_from_the_complex(gpu: str) -> None:
    """Virtual sites of a Context without positions are no numbers on GPU platforms."""
    model, complex, _ = lysozyme()
    context = started(DOUBLE, (model, complex, None))
    positions = context.getState(positions=True).getPositions(asNumpy=True)
    assert np.abs(positions.value_in_unit(unit.nanometer) - complex.positions).max() < 1e-6


@pytest.mark.opencl
def test_noise_of_the_sde_has_its_size(gpu: str) -> None:
    """Velocities after one step, over 300 seeds, have the spread of the Reference platform's."""
    case = lysozyme("pocket-sde")
    spreads = []
    for place in (REFERENCE, MIXED):
        context, drawn = started(place, case), []
        for _ in range(300):
            context.getIntegrator().step(1)
            velocities = context.getState(velocities=True).getVelocities(asNumpy=True)
            drawn.append(np.array(velocities._value)[case[1].ligand_sites].ravel())
            initialise(context, *case)  # the random generator goes on
        spreads.append(np.std(drawn, axis=0))
    ratio = spreads[1] / spreads[0]
    assert np.abs(np.log(ratio)).max() < 4.5 / 300**0.5 and spreads[0].min() > 0


@pytest.mark.slow
@pytest.mark.opencl
def test_a_whole_hybrid_run_is_as_on_the_cpu(gpu: str, tmp_path: Path) -> None:
    """MD draws other noise on each platform: all that noise does not touch has to be the same."""
    folder = import_amber(PRMTOP, INPCRD, tmp_path / "complex")
    model = make_model(seed=1)
    for parameter in model.dynamics.network.head.parameters():
        parameter.data.mul_(1e-6)  # a model that hardly moves the ligand: its jump is kept
    card = model.card.model_copy(update={"interval_ps": 0.2})
    file = tmp_path / "calm.safetensors"
    Model(model.dynamics, card).save(file)
    runs = {}
    for place in (CPU, MIXED):
        md = MDSettings(
            mode="pocket",
            equilibration_ps=0.1,
            platform=place.platform,
            properties=place.properties,
            seed=3,
        )
        jump = JumpSettings(relax_ps=0.1, iterations=50)
        settings = HybridSettings(before=1, md=md, jump=jump)
        output = tmp_path / place.platform
        runs[place] = run_hybrid(file, folder.path, output, 0.4, settings=settings)
    for place, run in runs.items():
        record = yaml.safe_load((run.path / "run.yaml").read_text())
        assert record["platform"]["name"] == place.platform
        assert run.kinds == {"md": 1, "jump": 1}
    ours, theirs = (
        mdtraj.load(str(runs[place].trajectory), top=str(runs[place].topology))
        for place in (MIXED, CPU)
    )
    moved = np.abs(theirs.xyz - theirs.xyz[0]).max((0, 2)) > 0
    assert moved.any() and not moved.all()
    np.testing.assert_array_equal(ours.xyz[:, ~moved], theirs.xyz[:, ~moved])
    bonds = [
        [a.index, b.index]
        for a, b in ours.topology.bonds
        if "H" in (a.element.symbol, b.element.symbol)
    ]
    lengths = [mdtraj.compute_distances(t, bonds, periodic=False) for t in (ours, theirs)]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=0.03)  # nm; noise is 0.005
    np.testing.assert_allclose(lengths[0].mean(), lengths[1].mean(), atol=5e-4)
    energies = [
        [float(row["potential_kj_mol"]) for row in csv.DictReader(run.log.open())]
        for run in runs.values()
    ]
    np.testing.assert_allclose(energies[0], energies[1], rtol=0.15)


def test_torchforce_on_opencl_is_refused_in_one_line(t4l) -> None:
    names = {platform.getName() for platform in installed()}
    if OPENCL not in names:
        pytest.skip("OpenMM has no OpenCL platform here")
    settings = RunSettings(platform=OPENCL, backend="TorchForce")
    with pytest.raises(InputError, match="'TorchForce' does not work on platform OpenCL"):
        make_simulation(make_model(), t4l, settings)
