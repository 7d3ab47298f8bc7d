"""plugins/openmm-ml: what a mixed System contains, that it runs, and what is refused."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import openmm
import pytest
import torch
from openmm import app, unit
from openmmml import MLPotential
from openmmtools.testsystems import LysozymeImplicit

from document_blocks import blocks_of, check_command, command_lines
from dynamics_cases import small
from mm_models import energy_and_forces, make_context, make_model, relative_error
from openmm_neuralmd import InputError, ModelError, NeuralMDForce, load_model
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.masses import degrees_of_freedom, repartition
from openmm_neuralmd.md.modes import build
from openmm_neuralmd.md.production import run_reference
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.simulation.backends import torch_force_crashes
from openmm_neuralmd.training.energy import energy_trainer
from openmm_neuralmd.training.force_matching import ForceMatchingSettings
from openmm_neuralmd.units import BOLTZMANN

assert "neuralmd" in MLPotential._implFactories, "the plug-in is missing: make install"

README = Path(__file__).parents[2] / "plugins/openmm-ml/README.md"
EMBEDDING = "neuralmd"
NETWORK = {"hidden": 16, "vector_channels": 4, "ligand_layers": 1, "num_radial": 16}


@dataclass(frozen=True)
class Case:
    """A complex with its force field, and an energy model that was trained on it, a little."""

    folder: ComplexFolder
    model: Path
    system: openmm.System

    def __post_init__(self) -> None:
        object.__setattr__(self, "complex", self.folder.complex())

    def mixed(self, system: openmm.System | None = None, **options) -> openmm.System:
        c = self.complex
        potential = MLPotential("neuralmd", modelPath=self.model)
        options = {"positions": c.positions, "embedding": EMBEDDING, **options}
        atoms = options.pop("atoms", c.ligand.tolist())
        return potential.createMixedSystem(c.topology, system or self.system, atoms, **options)

    def nonbonded(self) -> openmm.NonbondedForce:
        return next(f for f in self.system.getForces() if isinstance(f, openmm.NonbondedForce))


@pytest.fixture(scope="module")
def vacuum(t4l_folder: ComplexFolder) -> ComplexFolder:
    return t4l_folder


@pytest.fixture(scope="module")
def water(t4l_water: ComplexFolder) -> ComplexFolder:
    return t4l_water


@pytest.fixture(scope="module")
def model(water: ComplexFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained for two epochs on 6 ps: what holds the molecule together are its bonded terms."""
    place = tmp_path_factory.mktemp("model")
    settings = MDSettings(
        mode="rigid",
        interval_ps=0.2,
        equilibration_ps=1.0,
        dielectric="vacuum",
        labels=True,
        platform="CPU",
    )
    run_reference(water, place / "rigid", 6.0, settings=settings)
    content = {"name": "p-xylene", "labels": [place / "rigid"], "network": NETWORK}
    content |= {"perturbed": 8, "epochs": 2, "learning_rate": 1e-2, "warmup": 2}
    trainer, _ = energy_trainer(ForceMatchingSettings.model_validate(content), place / "model")
    trainer.run()
    return place / "model" / "model.safetensors"


@pytest.fixture(scope="module")
def implicit(vacuum: ComplexFolder, model: Path) -> Case:
    """Whole T4 lysozyme with p-xylene in OBC2."""
    system = LysozymeImplicit(implicitSolvent=app.OBC2, flexibleConstraints=True).system
    return Case(vacuum, model, system)


@pytest.fixture(scope="module")
def explicit(water: ComplexFolder, model: Path) -> Case:
    return Case(water, model, water.system())


@pytest.fixture(params=["implicit", "explicit"])
def case(request: pytest.FixtureRequest) -> Case:
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Exported forces of a test go with it; pockets are left free here on purpose.

    One thread for torch: its own and OpenMM's would wait for each other on a busy machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no longer feel it", UserWarning)
        yield
    torch.set_num_threads(threads)


def moved(case: Case) -> np.ndarray:
    """Positions with the ligand's atoms displaced, so that nothing is at rest."""
    positions = case.folder.positions
    shift = 0.005 * np.random.default_rng(3).normal(size=(len(case.complex.ligand), 3))
    positions[case.complex.ligand] += shift
    return positions


# --- energies ------------------------------------------------------------------------------


def test_interpolation_goes_from_the_force_field_to_the_mixed_system(case: Case) -> None:
    positions = moved(case)
    conventional = energy_and_forces(case.system, positions)
    mixed = energy_and_forces(case.mixed(), positions)
    interpolated = openmm.XmlSerializer.clone(case.mixed(interpolate=True))
    context = make_context(interpolated, positions=positions)

    def at(value: float) -> tuple[float, np.ndarray]:
        context.setParameter("lambda_interpolate", value)
        state = context.getState(energy=True, forces=True)
        return state.getPotentialEnergy()._value, np.array(state.getForces(asNumpy=True)._value)

    for value, (energy, forces) in ((0.0, conventional), (1.0, mixed)):
        found = at(value)
        assert found[0] == pytest.approx(energy, rel=1e-6)
        assert relative_error(found[1], forces) < 1e-6
    half = at(0.5)
    assert half[0] == pytest.approx((conventional[0] + mixed[0]) / 2, rel=1e-9)
    assert relative_error(2 * half[1], conventional[1] + mixed[1]) < 1e-6
    assert abs(conventional[0] - mixed[0]) > 10


def test_the_model_replaces_what_its_labels_are_made_of(case: Case) -> None:
    """Force field less the labels' own System, which is built another way, plus the model."""
    positions, c = moved(case), case.complex
    # in the box: so near that no pair is longer than half of it
    radius = 1.5 if c.box is None else 0.5
    mixed = case.mixed(forceGroup=7, radius=radius)
    settings = MDSettings(mode="rigid", dielectric="vacuum", rigid_radius=radius)
    setup = build(case.folder, settings)
    own = openmm.XmlSerializer.clone(setup.system)
    if c.box is not None:
        own.addForce(beyond_cutoff(case, setup.particles))
    replaced, pulled = energy_and_forces(own, positions[setup.particles])
    learned, force = energy_and_forces(mixed, positions, groups={7})
    conventional, everything = energy_and_forces(case.system, positions)
    energy, forces = energy_and_forces(mixed, positions)
    ewald = 0.02 if c.box is not None else 1e-4  # kJ/mol
    assert energy == pytest.approx(conventional - replaced + learned, abs=ewald)
    expected = everything + force
    expected[c.ligand] -= pulled[np.searchsorted(setup.particles, c.ligand)]
    np.testing.assert_allclose(forces[c.ligand], expected[c.ligand], atol=20 * ewald)
    assert abs(replaced) > 20


def beyond_cutoff(case: Case, kept: np.ndarray) -> openmm.CustomNonbondedForce:
    """Less the Lennard-Jones pairs of labels that the box's cutoff leaves to nobody."""
    pairs = openmm.CustomNonbondedForce(
        "-step(r - 0.9) * 4 * sqrt(e1 * e2) * ((s / r)^12 - (s / r)^6); s = (s1 + s2) / 2"
    )
    pairs.addPerParticleParameter("s")
    pairs.addPerParticleParameter("e")
    for particle in kept.tolist():
        pairs.addParticle(case.nonbonded().getParticleParameters(particle)[1:])
    own = set(np.searchsorted(kept, case.complex.ligand).tolist())
    pairs.addInteractionGroup(own, set(range(len(kept))) - own)
    return pairs


def test_the_models_energy_is_that_of_neuralmdforce(explicit: Case) -> None:
    positions, c = moved(explicit), explicit.complex
    system = openmm.System()
    for _ in positions:
        system.addParticle(1.0)
    system.setDefaultPeriodicBoxVectors(*c.box)
    system.addForce(NeuralMDForce(load_model(explicit.model), c))
    expected = energy_and_forces(system, positions)[0]
    mixed = explicit.mixed(forceGroup=7)
    assert energy_and_forces(mixed, positions, groups={7})[0] == pytest.approx(expected, rel=1e-6)
    context = make_context(explicit.mixed(forceGroup=7, interpolate=True), positions=positions)
    for value in (0.25, 1.0):
        context.setParameter("lambda_interpolate", value)
        found = context.getState(energy=True, groups={7}).getPotentialEnergy()._value
        assert found == pytest.approx(value * expected, rel=1e-6)


def test_a_smaller_radius_leaves_more_to_the_force_field(implicit: Case) -> None:
    exceptions = {
        radius: next(
            force.getNumExceptions()
            for force in implicit.mixed(radius=radius).getForces()
            if isinstance(force, openmm.NonbondedForce)
        )
        for radius in (0.4, 1.5, None)
    }
    assert exceptions[0.4] < exceptions[1.5] == exceptions[None]


def test_custom_pairs_are_excluded_as_the_others_are(explicit: Case) -> None:
    """A force field with a CustomNonbondedForce: nothing of it acts within the region."""
    system = openmm.XmlSerializer.clone(explicit.system)
    pairs = openmm.CustomNonbondedForce("1/r")
    pairs.setNonbondedMethod(pairs.CutoffPeriodic)
    pairs.setCutoffDistance(0.9)
    own = explicit.complex.ligand.tolist()
    for _ in range(system.getNumParticles()):
        pairs.addParticle([])
    nonbonded = explicit.nonbonded()
    for n in range(nonbonded.getNumExceptions()):
        pairs.addExclusion(*nonbonded.getExceptionParameters(n)[:2])
    kept = set(range(system.getNumParticles())) - set(own)
    inside = set(build(explicit.folder, MDSettings(mode="rigid")).particles.tolist()) - set(own)
    pairs.addInteractionGroup(own, inside)
    pairs.setForceGroup(9)
    assert inside < kept
    system.addForce(pairs)
    positions = explicit.folder.positions
    assert energy_and_forces(system, positions, groups={9})[0] > 1
    mixed = explicit.mixed(system)
    assert energy_and_forces(mixed, positions, groups={9})[0] == 0


def test_create_system_is_the_ligand_in_a_protein_that_stands_still(implicit: Case) -> None:
    c = implicit.complex
    potential = MLPotential("neuralmd", modelPath=implicit.model)
    system = potential.createSystem(c.topology, positions=c.positions, removeCMMotion=False)
    moving = [i for i in range(system.getNumParticles()) if system.getParticleMass(i)._value > 0]
    assert moving == c.ligand.tolist()
    assert [type(force).__name__ for force in system.getForces()] == ["PythonForce"]
    context = make_context(
        system, "CPU", c.positions, openmm.LangevinMiddleIntegrator(300, 1, 1e-3)
    )
    before = context.getState(energy=True).getPotentialEnergy()._value
    openmm.LocalEnergyMinimizer.minimize(context, maxIterations=50)
    assert context.getState(energy=True).getPotentialEnergy()._value < before
    context.getIntegrator().step(20)
    after = context.getState(positions=True).getPositions(asNumpy=True)._value
    still = np.setdiff1d(np.arange(len(after)), c.ligand)
    np.testing.assert_array_equal(after[still], c.positions[still].astype(after.dtype))
    assert np.abs(after - c.positions)[c.ligand].max() > 1e-4


# --- dynamics ------------------------------------------------------------------------------


def held(case: Case) -> openmm.System:
    """The force field with the solute's heavy atoms restrained, and hydrogens of 4 amu."""
    system = openmm.XmlSerializer.clone(case.system)
    repartition(system, case.complex.topology, 4.0)
    hold = openmm.CustomExternalForce("500*periodicdistance(x, y, z, x0, y0, z0)^2")
    for name in ("x0", "y0", "z0"):
        hold.addPerParticleParameter(name)
    ligand = set(case.complex.ligand.tolist())
    for atom in case.complex.topology.atoms():
        heavy = atom.element.symbol != "H" and atom.residue.name != "HOH"
        if heavy and atom.index not in ligand:
            hold.addParticle(atom.index, case.complex.positions[atom.index])
    system.addForce(hold)
    return system


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_picoseconds_at_constant_pressure(explicit: Case) -> None:
    """Minimised, then 5 ps; temperature and bonds stay what they are."""
    c = explicit.complex
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what is held is not warned of
        system = explicit.mixed(held(explicit), removeConstraints=False)
    system.addForce(openmm.MonteCarloBarostat(1 * unit.bar, 300 * unit.kelvin, 25))
    integrator = openmm.LangevinMiddleIntegrator(300, 5, 0.004)
    integrator.setRandomNumberSeed(1)
    context = make_context(system, "CPU", c.positions, integrator)
    before = context.getState(energy=True).getPotentialEnergy()
    openmm.LocalEnergyMinimizer.minimize(context, maxIterations=200)
    assert context.getState(energy=True).getPotentialEnergy() < before
    context.setVelocitiesToTemperature(300, 1)
    bonds = c.ligand[c.ligand_bonds]
    start = np.linalg.norm(np.diff(c.positions[bonds], axis=1)[:, 0], axis=-1)
    temperatures, volumes = [], []
    for _ in range(50):
        integrator.step(25)
        state = context.getState(energy=True, positions=True)
        thermal = 0.5 * BOLTZMANN * degrees_of_freedom(system)
        temperatures.append(state.getKineticEnergy()._value / thermal)
        volumes.append(state.getPeriodicBoxVolume()._value)
        positions = state.getPositions(asNumpy=True)._value
        lengths = np.linalg.norm(np.diff(positions[bonds], axis=1)[:, 0], axis=-1)
        assert np.abs(lengths - start).max() < 0.05  # nm
    assert np.mean(temperatures[20:]) == pytest.approx(300, abs=10)
    assert len(set(volumes)) > 10


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_readme_runs(
    explicit: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """Every Python block, in order, on the box of water; every command's options exist."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "complex").symlink_to(explicit.folder.path.resolve())
    (tmp_path / "energy.safetensors").symlink_to(explicit.model)
    namespace = {"__name__": "__main__"}
    found = blocks_of(README.read_text())
    assert {block.language for block in found} == {"bash", "python"}
    for block in found:
        assert block.not_run is None
        if block.language == "bash":
            for words in command_lines(block.code):
                check_command(words)
        else:
            padded = "\n" * (block.line - 1) + block.code
            exec(compile(padded, str(README), "exec"), namespace)
    assert capsys.readouterr().out.count("kJ/mol") == 4


# --- what is said and what is refused ------------------------------------------------------


def test_openmmls_default_embedding_is_not_taken_silently(explicit: Case) -> None:
    potential = MLPotential("neuralmd", modelPath=explicit.model)
    assert EMBEDDING in potential.getSupportedEmbeddings()
    with pytest.warns(UserWarning, match="'mechanical' would count the ligand's interaction"):
        system = explicit.mixed(embedding="mechanical")
    positions = moved(explicit)
    ours = energy_and_forces(explicit.mixed(), positions)[0]
    assert energy_and_forces(system, positions)[0] == pytest.approx(ours, rel=1e-9)


def test_free_side_chains_and_a_double_solvent_are_warned_of(
    explicit: Case, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=r"7 side chain atoms near the ligand \(ALA A:2, .*\)"):
        explicit.mixed()
    model = load_model(explicit.model)
    assert [data["dielectric"] for data in model.card.data] == ["vacuum"]
    data = [{**model.card.data[0], "dielectric": "4r"}]
    screened = replace(model, card=model.card.model_copy(update={"data": data}))
    screened.save(tmp_path / "4r.safetensors")
    with pytest.warns(UserWarning, match="screening is counted twice"):
        replace(explicit, model=tmp_path / "4r.safetensors").mixed()


def test_other_regions_are_refused(explicit: Case) -> None:
    c = explicit.complex
    own, atoms = c.ligand.tolist(), list(c.topology.atoms())
    with pytest.raises(InputError, match="the ML region is cut through the bond"):
        explicit.mixed(atoms=own[:-1])
    with pytest.raises(InputError, match=r"cut through the bond C of .* N of"):
        explicit.mixed(atoms=own + [a.index for a in atoms[0].residue.atoms()])
    water = next(r for r in c.topology.residues() if r.name == "HOH")
    with pytest.raises(InputError, match="the ML region is 2 residues"):
        explicit.mixed(atoms=own + [a.index for a in water.atoms()])
    with pytest.raises(InputError, match="the ML region is 0 residues"):
        explicit.mixed(atoms=[])
    with pytest.raises(InputError, match="positions= is missing"):
        explicit.mixed(positions=None)


def test_a_covalent_ligand_is_refused(explicit: Case) -> None:
    """By the topology, and by the force field where the topology does not say so."""
    c = explicit.complex
    atoms = list(c.topology.atoms())
    own, other = int(c.ligand[0]), int(c.backbone[3, 1])
    joined = copy.deepcopy(c.topology)
    joined.addBond(*(list(joined.atoms())[i] for i in (own, other)))
    potential = MLPotential("neuralmd", modelPath=explicit.model)
    with pytest.raises(InputError, match=f"cut through the bond.*{atoms[own].name}"):
        potential.createMixedSystem(
            joined, explicit.system, c.ligand.tolist(), positions=c.positions, embedding=EMBEDDING
        )
    tied = openmm.XmlSerializer.clone(explicit.system)
    nonbonded = next(f for f in tied.getForces() if isinstance(f, openmm.NonbondedForce))
    nonbonded.addException(own, other, 0.0, 1.0, 0.0)
    with pytest.raises(InputError, match="is the ligand covalently bound"):
        explicit.mixed(tied)


def test_other_models_are_refused(explicit: Case, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"

    def attempt() -> None:
        replace(explicit, model=path).mixed()

    with pytest.raises(ModelError, match="no such model file"):
        attempt()
    jumping = make_model("force")
    verlet = small("verletmd")  # it has an energy head, but in units of its stride
    change = {"kind": "verletmd", "settings": verlet.settings.model_dump()}
    card = jumping.card.model_copy(update=change)
    for ours in (jumping, replace(jumping, dynamics=verlet, card=card)):
        ours.save(path)
        with pytest.raises(ModelError, match=f"'{ours.card.kind}' forecasts snapshots and is no"):
            attempt()
    make_model("energy").save(path)
    with pytest.raises(ModelError, match="nothing would hold the ligand's 10 hydrogens"):
        attempt()
    model = load_model(explicit.model)
    card = model.card.model_copy(update={"ligand": "0" * 64})
    replace(model, card=card).save(path)
    with pytest.raises(ModelError, match="holds the bonded terms of another ligand"):
        attempt()
    with pytest.raises(InputError, match="needs modelPath="):
        MLPotential("neuralmd")


def test_other_systems_are_refused(explicit: Case) -> None:
    strange = openmm.XmlSerializer.clone(explicit.system)
    strange.addForce(openmm.GayBerneForce())
    with pytest.raises(InputError, match="a GayBerneForce, out of which the ligand cannot be"):
        explicit.mixed(strange)
    restrained = openmm.XmlSerializer.clone(explicit.system)
    distance = openmm.CustomBondForce("r^2")
    distance.addBond(0, int(explicit.complex.ligand[0]))
    restrained.addForce(distance)
    names = [type(force).__name__ for force in explicit.mixed(restrained).getForces()]
    assert "CustomBondForce" in names
    restrained.getForces()[-1].addBond(*map(int, explicit.complex.ligand[:2]))
    with pytest.raises(InputError, match="a CustomBondForce acts within the ligand"):
        explicit.mixed(restrained)
    smaller = openmm.System()
    with pytest.raises(InputError, match="the System has 0 particles, the topology 1791 atoms"):
        explicit.mixed(smaller)
    stiff = openmm.XmlSerializer.clone(explicit.system)
    bonds = next(f for f in stiff.getForces() if isinstance(f, openmm.HarmonicBondForce))
    constrained = {
        frozenset(stiff.getConstraintParameters(n)[:2]) for n in range(stiff.getNumConstraints())
    }
    kept = openmm.HarmonicBondForce()
    for n in range(bonds.getNumBonds()):
        row = bonds.getBondParameters(n)
        if frozenset(row[:2]) not in constrained:
            kept.addBond(*row)
    stiff.removeForce(next(i for i, f in enumerate(stiff.getForces()) if type(f) is type(kept)))
    stiff.addForce(kept)
    with pytest.raises(InputError, match="flexibleConstraints=True"):
        explicit.mixed(stiff, interpolate=True)
    assert explicit.mixed(stiff).getNumParticles() == stiff.getNumParticles()


def test_a_torchforce_that_cannot_be_copied_is_not_copied(explicit: Case) -> None:
    if not torch_force_crashes():
        pytest.skip("this openmmtorch's TorchForce can be copied")
    with pytest.raises(InputError, match="leave backend= out"):
        explicit.mixed(backend="TorchForce", interpolate=True)


# --- what `import openmmml` loads ----------------------------------------------------------


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_openmmml_stays_light() -> None:
    code = (
        "import sys, openmmml\n"
        "print('neuralmd' in openmmml.MLPotential._implFactories, *sys.modules)\n"
    )
    known, *modules = run_python(code).split()
    assert known == "True"
    heavy = {"torch", "openmm_neuralmd", "mdtraj", "scipy", "rdkit", "pydantic", "openmmtools"}
    assert not heavy & set(modules)
    assert run_python("import openmmml_neuralmd.potential as p; print(p.EMBEDDING)") == "neuralmd\n"


@pytest.mark.parametrize("missing", ["torch", "openmm_neuralmd"])
def test_what_is_missing_is_named_and_openmmml_goes_on(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import openmmml\n"
        "try:\n    openmmml.MLPotential('neuralmd', modelPath='x')\n"
        "except ImportError as error:\n    print(error)\n"
    )
    assert f"pip install {missing}" in run_python(code)
