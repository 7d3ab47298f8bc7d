"""Former module names: they stay importable for one release, with a DeprecationWarning.

`MODULES` says where the content of a former module is today.  `install` registers a finder before
Python's own, which would take a folder that an update left behind (with nothing but bytecode in
it) for the module.  A former module is an empty one that looks its names up in the present ones.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PACKAGE = "openmm_neuralmd"

STORED = {"mm.callback": ("simulation.backends",)}
"""Former modules that stored files name for ever: the pickle in the XML of a PythonForce.
They give no warning, because who reads such a file can change nothing about it."""

MODULES: dict[str, tuple[str, ...]] = {
    **STORED,
    "alternates": ("structure.alternates",),
    "analysis.forces": ("training.energy",),
    "bindingnet.frames": ("bindingnet.vector_frames",),
    "bonded": ("structure.pairs",),
    "bonds": ("structure.bonds",),
    "checks": ("structure.checks",),
    "commands.aside": ("commands.command",),
    "commands.properties": ("commands.options",),
    "complexes": ("structure.complex",),
    "dcd": ("trajectory.dcd", "trajectory.readers"),
    "diagnosis": ("doctor.diagnosis",),
    "doctor_probe": ("doctor.probe",),
    "doctor_programs": ("doctor.programs",),
    "dynamics.learned": ("dynamics.registry",),
    "dynamics.noise": ("dynamics.generators",),
    "dynamics.rollouts": ("rollouts",),
    "dynamics.terms": ("dynamics.bonded_terms",),
    "dynamics.trivial": ("dynamics.naive",),
    "energy_training": ("training.energy",),
    "files": ("utils.files",),
    "frames": ("trajectory.readers",),
    "hybrid.pose": ("hybrid.checks",),
    "hybrid.poses": ("hybrid.sdf",),
    "hybrid.verlet": ("hybrid.hmc",),
    "hydrogens": ("structure.hydrogens",),
    "imaging": ("structure.imaging",),
    "information": ("commands.describe",),
    "ligands": ("structure.ligand",),
    "messages": ("errors",),
    "mm": ("simulation",),
    "mm.ode_step": ("dynamics.openmm_steps",),
    "mm.partial": ("utils.resume",),
    "mm.sde_step": ("dynamics.openmm_steps",),
    "nested": ("utils.nested",),
    "progress": ("utils.progress",),
    "provenance": ("utils.provenance",),
    "reference": ("prepare",),
    "reference.campaign": ("campaign",),
    "reference.engines": ("md.engines",),
    "reference.folder": ("md.folder", "md.folder_writer"),
    "reference.gromacs": ("md.gromacs",),
    "reference.labelled": ("training.labelled",),
    "reference.md": ("md",),
    "reference.md.partial": ("utils.resume",),
    "reference.prepare": ("prepare.pipeline", "prepare.settings"),
    "reference.relax": ("md.minimise",),
    "residues": ("structure.residues",),
    "settings_files": ("utils.settings",),
    "structures": ("structure.readers",),
    "thresholds": ("assessment.check",),
    "timeline": ("trajectory.timestamps",),
    "times": ("utils.times",),
    "training.checkpoints": ("model",),
    "training.trajectory": ("training.windows",),
    "trajectories": ("trajectory.snapshots",),
    "trajectory_information": ("commands.describe_trajectory",),
    "validation": ("assessment.run",),
    "validity": ("assessment.mechanics", "assessment.check"),
    "validity.check": ("assessment.check",),
}
"""Present modules by former one.  A module below a former package is found under the present name
of that package: `reference.md.selection` is `md.selection`."""

NAMES: dict[str, tuple[str, ...]] = {
    "assessment": ("assessment.stretch",),
    "dynamics": ("rollouts", "dynamics.registry", "dynamics.naive"),
    "dynamics.naive": ("dynamics.naive",),
    "md": ("md.equilibration",),
    "md.gromacs": ("md.gromacs.box",),
}
"""Where names are that a package or module had, which is there under the same name today."""

RENAMED = {"TRIVIAL": "NAIVE", "Trivial": "NaiveBaseline"}
"""Present names of objects by former one, where they still are in the same place."""


class FormerModule(ModuleType):
    """A module under its former name, whose content is looked up in present modules."""

    places: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        former = self.__name__.removeprefix(f"{PACKAGE}.")
        return look_up(former, self.places, name)


def look_up(former: str, places: Sequence[str], name: str) -> Any:
    """The object that a former module had under a name.

    Parameters
    ----------
    former : str
        Name of the former module, without that of the package.
    places : sequence of str
        Present modules, searched in this order.
    name : str
        Name of the object.

    Raises
    ------
    AttributeError
        None of the present modules has it.
    """
    present = RENAMED.get(name, name)
    if not name.startswith("__"):
        for place in places:
            module = import_module(f"{PACKAGE}.{place}")
            if present in vars(module) or present in getattr(module, "__all__", ()):
                if former not in STORED:
                    warnings.warn(
                        f"{PACKAGE}.{former}.{name} is now {PACKAGE}.{place}.{present}; "
                        "the former name goes with the next release",
                        DeprecationWarning,
                        stacklevel=3,
                    )
                return getattr(module, present)
    raise AttributeError(f"module '{PACKAGE}.{former}' has no attribute {name!r}")


def names_of(package: str) -> Callable[[str], Any]:
    """`__getattr__` for a package of today that had the names of `NAMES` too."""
    former = package.removeprefix(f"{PACKAGE}.")

    def look(name: str) -> Any:
        return look_up(former, NAMES[former], name)

    return look


def places(former: str) -> tuple[str, ...]:
    """Present modules that hold the content of a former module; empty if it never was one."""
    if former in MODULES:
        return MODULES[former]
    package, _, child = former.rpartition(".")
    below = (f"{above}.{child}" for above in MODULES.get(package, ()))
    return tuple(place for place in below if exists(place))


def exists(place: str) -> bool:
    """Test whether the package has such a module; this imports the packages above it."""
    try:
        return find_spec(f"{PACKAGE}.{place}") is not None
    except ModuleNotFoundError:  # what stands above it is no package
        return False


class FormerFinder(MetaPathFinder, Loader):
    """Finds the modules of `MODULES`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec of a former module; None of any other."""
        if not fullname.startswith(f"{PACKAGE}."):
            return None
        # Every former module is a package without a folder, so that Python looks nowhere for
        # what is below it: a file of the present package would be loaded a second time.
        known = bool(places(fullname.removeprefix(f"{PACKAGE}.")))
        return ModuleSpec(fullname, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module that knows where its content is."""
        module = FormerModule(spec.name)
        module.places = places(spec.name.removeprefix(f"{PACKAGE}."))
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing: names are looked up when they are asked for."""


def install() -> None:
    """Make former names importable; once in a process."""
    if not any(isinstance(finder, FormerFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, FormerFinder())
