"""A System with NeuralMD forces comes back by name, and never by what the XML would run."""

from __future__ import annotations

import openmm
import pytest

from mm_models import make_model, relative_error
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.simulation.force import NeuralMDForce, find_forces, serialize_system
from openmm_neuralmd.simulation.stored import deserialize_system


def forces_of(system: openmm.System, positions) -> object:
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(positions)
    return context.getState(forces=True).getForces(asNumpy=True)._value


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def system_of(t4l, **options) -> openmm.System:
    system = openmm.System()
    for _ in range(len(t4l.positions)):
        system.addParticle(12.0)
    system.addForce(NeuralMDForce(make_model(), t4l, forceGroup=4, **options))
    system.addForce(openmm.CMMotionRemover())
    return system


def test_forces_are_rebuilt_at_their_place(t4l, cache) -> None:
    system = system_of(t4l)
    again = deserialize_system(serialize_system(system))
    names = [type(force).__name__ for force in again.getForces()]
    assert names == [type(force).__name__ for force in system.getForces()]
    (found,) = find_forces(again)
    assert (found.index, found.force.getForceGroup()) == (0, 4)
    own = forces_of(system, t4l.positions)
    assert relative_error(forces_of(again, t4l.positions), own) == 0.0


def test_a_module_of_another_folder_needs_trust(t4l, cache, tmp_path) -> None:
    text = serialize_system(system_of(t4l, file=tmp_path / "theirs.pt"))
    with pytest.raises(ModelError, match=r"or read with trust=True"):
        deserialize_system(text)
    assert find_forces(deserialize_system(text, trust=True))


def test_the_pickle_of_our_own_name_is_not_run(t4l, cache) -> None:
    """A trap that calls itself a NeuralMD force: the pickle is thrown away."""
    system = system_of(t4l)
    text = serialize_system(system)
    name = find_forces(system)[0].force.getName()
    trap = openmm.PythonForce(print)
    trap.setName(name)
    trapped = openmm.System()
    trapped.addForce(trap)
    (found,) = find_forces(deserialize_system(openmm.XmlSerializer.serialize(trapped)))
    assert found.sha256 in text
    trap.setName("NeuralMDish")
    trapped = openmm.System()
    trapped.addForce(openmm.PythonForce(print))
    with pytest.raises(InputError, match="would run code"):
        deserialize_system(openmm.XmlSerializer.serialize(trapped))
