"""Former names of modules, which documentation, users' programs and stored files have."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import warnings

import numpy as np
import openmm
import pytest

import openmm_neuralmd as nmd
from openmm_neuralmd import former
from openmm_neuralmd.simulation.backends import ForceCallback
from openmm_neuralmd.simulation.force import NeuralMDForce
from tests.helpers.mm_models import bare_system, energy_and_forces, make_model

NAMES = {
    "alternates.AlternateLocationWarning": "structure.alternates",
    "assessment.Stretch": "assessment.stretch",
    "assessment.learned_snapshots": "assessment.stretch",
    "checks.PocketWarning": "structure.checks",
    "complexes.Complex": "structure.complex",
    "complexes.RESIDUE_TYPES": "structure.complex",
    "dynamics.learned.LEARNED": "dynamics.registry",
    "dynamics.rollout": "rollouts",
    "dynamics.rollouts.rollout": "rollouts",
    "dynamics.trivial.AR1": "dynamics.naive",
    "dynamics.trivial.NAIVE": "dynamics.naive",
    "energy_training.energy_trainer": "training.energy",
    "files.complete": "utils.files",
    "hydrogens.full_positions": "structure.hydrogens",
    "messages.shown": "errors",
    "md.gromacs.relax_box": "md.gromacs.box",
    "md.relax_box": "md.equilibration",
    "mm.backends.torch_force_crashes": "simulation.backends",
    "mm.force.find_forces": "simulation.force",
    "mm.force.serialize_system": "simulation.force",
    "mm.force.verify": "simulation.force",
    "mm.ode_step.write_ode_step": "dynamics.openmm_steps",
    "mm.run.RunSettings": "simulation.run",
    "mm.run.simulate": "simulation.run",
    "progress.progress_bar": "utils.progress",
    "reference.ComplexFolder": "prepare",
    "reference.PrepareSettings": "prepare",
    "reference.campaign.read_campaign": "campaign",
    "reference.campaign.run_campaign": "campaign",
    "reference.campaign.settings.CampaignSettings": "campaign.settings",
    "reference.folder.ComplexFolder": "md.folder",
    "reference.gromacs.run_gromacs": "md.gromacs",
    "reference.gromacs.production.run_gromacs": "md.gromacs.production",
    "reference.import_amber": "prepare",
    "reference.labelled.LabelledRun": "training.labelled",
    "reference.md.MDSettings": "md",
    "reference.md.run_reference": "md",
    "reference.md.selection.around_ligand": "md.selection",
    "reference.md.subsystem.IMPLICIT_SOLVENTS": "md.subsystem",
    "reference.prepare.prepare": "prepare.pipeline",
    "reference.programs.AmberTools": "prepare.programs",
    "residues.describe": "structure.residues",
    "residues.selection_of": "structure.residues",
    "training.checkpoints.Model": "model",
    "training.checkpoints.bundled_models": "model",
    "trajectories.read_snapshots": "trajectory.snapshots",
    "validation.assess_all": "assessment.run",
    "validity.Check": "assessment.check",
    "validity.conservation.conservation": "assessment.mechanics.conservation",
    "validity.nve.nve": "assessment.mechanics.nve",
}
"""What README, documentation and examples named before the package was laid out in rooms."""


@pytest.mark.parametrize("name", NAMES)
def test_a_former_name_is_the_present_object(name: str) -> None:
    place, _, last = name.rpartition(".")
    module = importlib.import_module(f"openmm_neuralmd.{place}")
    present = importlib.import_module(f"openmm_neuralmd.{NAMES[name]}")
    message = rf"openmm_neuralmd\.{name} is now openmm_neuralmd\.{NAMES[name]}\.{last};"
    with pytest.warns(DeprecationWarning, match=message):
        assert getattr(module, last) is getattr(present, last)


@pytest.mark.parametrize("name", former.MODULES)
def test_every_line_of_the_table_leads_to_modules(name: str) -> None:
    assert isinstance(importlib.import_module(f"openmm_neuralmd.{name}"), former.FormerModule)
    for place in former.MODULES[name]:
        importlib.import_module(f"openmm_neuralmd.{place}")


def test_the_statement_of_a_user_warns_in_the_users_line() -> None:
    program = (
        "from openmm_neuralmd.reference.md import selection\n"
        "from openmm_neuralmd.complexes import Complex\n"
        "import openmm_neuralmd, openmm_neuralmd.md.selection\n"
        "assert Complex is openmm_neuralmd.Complex\n"
        "assert selection.around_ligand is openmm_neuralmd.md.selection.around_ligand\n"
    )
    command = [sys.executable, "-W", "always::DeprecationWarning:__main__", "-c", program]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "<string>:2: DeprecationWarning: openmm_neuralmd.complexes.Complex" in finished.stderr


def test_what_never_was_there_is_missing_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("openmm_neuralmd.nothing")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("openmm_neuralmd.mm.nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from openmm_neuralmd.complexes import nothing")


def test_a_stored_force_keeps_its_name(t4l, tmp_path, monkeypatch) -> None:
    """The pickle inside an XML file of an earlier version gives the same energies, silently."""
    system = bare_system(
        t4l, NeuralMDForce(make_model(), t4l, backend="PythonForce", file=tmp_path / "force.pt")
    )
    with monkeypatch.context() as earlier:
        earlier.setattr(ForceCallback, "__module__", "openmm_neuralmd.mm.callback")
        text = openmm.XmlSerializer.serialize(system)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        other = openmm.XmlSerializer.deserialize(text)
        assert pickle.loads(b"copenmm_neuralmd.mm.callback\nForceCallback\n.") is ForceCallback
    forces = [energy_and_forces(s, t4l.positions)[1] for s in (system, other)]
    np.testing.assert_array_equal(forces[0], forces[1])


@pytest.mark.parametrize("name", ["hmc.NeuralMDHMCMove", "jump.NeuralMDJumpMove"])
def test_a_stored_move_keeps_its_name(name: str) -> None:
    """Moves store module and class by name: these are the names that files have."""
    module, _, last = name.partition(".")
    stored = pickle.loads(f"copenmm_neuralmd.hybrid.{module}\n{last}\n.".encode())
    assert (stored.__module__, stored.__name__) == (f"openmm_neuralmd.hybrid.{module}", last)


def test_the_public_surface_is_small_and_costs_nothing() -> None:
    assert len(nmd.__all__) <= 20
    program = (
        "import sys, openmm_neuralmd\n"
        "print(*[name for name in sys.modules if name.startswith('openmm_neuralmd.')])\n"
        "print(*{'openmm', 'numpy', 'torch', 'pydantic'} & set(sys.modules))\n"
    )
    command = [sys.executable, "-c", program]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    own, libraries = finished.stdout.split("\n")[:2]
    light = {f"openmm_neuralmd.{name}" for name in ("former", "utils", "utils.lazy")}
    assert set(own.split()) == light and not libraries


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        (
            "from openmm_neuralmd import predict",
            "mdtraj parmed netCDF4 h5py matplotlib distributed lightning_fabric",
        ),
        ("import openmm_neuralmd.md, openmm_neuralmd.campaign.tasks", "torch"),
    ],
)
def test_nobody_waits_for_what_he_does_not_use(statement: str, heavy: str) -> None:
    """Readers and force fields take longer to import than a prediction takes, torch than MD."""
    program = f"import sys\n{statement}\nprint(*sorted({set(heavy.split())} & set(sys.modules)))\n"
    command = [sys.executable, "-c", program]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ""
