"""XML from a stranger: data is read, programs are refused before OpenMM sees them."""

from __future__ import annotations

from pathlib import Path

import openmm
import openmmtools
import pytest
from openmm import app

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.utils.openmm_xml import deserialize

SPRUNG: list[str] = []


class Trap:
    """Unpickling it leaves a mark here."""

    def __reduce__(self):
        return spring, ()

    def __call__(self, state):
        raise AssertionError


def spring() -> Trap:
    SPRUNG.append("sprung")
    return Trap()


def trapped_force() -> openmm.PythonForce:
    return openmm.PythonForce(Trap())


def plain_system() -> openmm.System:
    system = openmm.System()
    system.addParticle(1.0)
    force = openmm.CustomExternalForce("k*x^2")
    force.addGlobalParameter("k", 1.0)
    force.addParticle(0)
    system.addForce(force)
    system.addForce(openmm.CMMotionRemover())
    return system


def nested(force: openmm.Force) -> openmm.Force:
    outer = openmm.CustomCVForce("a")
    outer.addCollectiveVariable("a", force)
    return outer


@pytest.mark.parametrize("wrap", [lambda force: force, nested], ids=["plain", "nested"])
def test_a_python_force_is_refused_unread(wrap) -> None:
    system = plain_system()
    system.addForce(wrap(trapped_force()))
    text = openmm.XmlSerializer.serialize(system)
    with pytest.raises(InputError, match=r"a\.xml holds a PythonForce, which would run code"):
        deserialize(text, openmm.System, "a.xml")
    assert not SPRUNG
    openmm.XmlSerializer.deserialize(text)  # OpenMM itself runs it: the trap is real
    assert SPRUNG.pop()


def test_the_name_cannot_be_hidden() -> None:
    system = plain_system()
    system.addForce(trapped_force())
    text = openmm.XmlSerializer.serialize(system)
    for hidden in (
        text.replace("PythonForce", "&#80;ythonForce"),
        text.replace("PythonForce", "&p;").replace("<System", "<!DOCTYPE a><System", 1),
        text.replace("PythonForce", "PluginForce"),
        text.replace('"PythonForce"', "'PluginForce'"),
    ):
        with pytest.raises(InputError):
            deserialize(hidden, openmm.System, "a.xml")


@pytest.mark.parametrize(
    "value",
    [plain_system(), openmm.LangevinMiddleIntegrator(300, 1, 0.002)],
    ids=["System", "Integrator"],
)
def test_data_comes_through_unchanged(value) -> None:
    text = openmm.XmlSerializer.serialize(value)
    again = deserialize(text, type(value), "a.xml")
    assert openmm.XmlSerializer.serialize(again) == text


def test_every_class_of_an_amber_system_comes_through() -> None:
    folder = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
    prmtop = app.AmberPrmtopFile(str(folder / "complex.prmtop"))
    system = prmtop.createSystem(implicitSolvent=app.GBn2, constraints=app.HBonds)
    text = openmm.XmlSerializer.serialize(system)
    assert deserialize(text, openmm.System, "a").getNumForces() == system.getNumForces()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot read a.xml"),
        ("<System", "cannot read a.xml"),
        ("<a>" * 100 + "</a>" * 100, "nested too deeply"),
        ('<System type="System" version="1"/>', "cannot read a.xml"),
    ],
)
def test_damage_is_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        deserialize(text, openmm.System, "a.xml")
    assert "\n" not in str(caught.value)


def test_another_class_is_refused() -> None:
    text = openmm.XmlSerializer.serialize(openmm.VerletIntegrator(0.001))
    with pytest.raises(InputError, match="holds a VerletIntegrator, not a System"):
        deserialize(text, openmm.System, "a.xml")
