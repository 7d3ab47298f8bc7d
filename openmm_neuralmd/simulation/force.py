"""`NeuralMDForce`: a learned force in any OpenMM System, identified by its name."""

from __future__ import annotations

import os
import tempfile
import xml.etree.ElementTree as ElementTree
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openmm
import torch

from ..errors import ModelError
from ..structure.complex import Complex
from .backends import BACKENDS, check_hash, choose_backend
from .export import (
    Artifact,
    ForceModule,
    export,
    read_artifact,
)
from .fixed_point import warn_of_rounding

if TYPE_CHECKING:
    from ..model import Model

PREFIX = "NeuralMD"


def NeuralMDForce(
    model: Model,
    complex: Complex,
    *,
    quantity: str | None = None,
    backend: str | None = None,
    forceGroup: int = 1,
    precision: str = "single",
    periodic: bool | None = None,
    scale: float = 1.0,
    device: str = "auto",
    file: str | Path | None = None,
) -> openmm.Force:
    """Make an OpenMM Force of a model on a complex.

    A model with an energy head gives an ordinary, conservative potential.  One with a force head
    gives forces on the ligand's atoms that it knows (`Complex.sites`) and energy 0: no statement
    about energies, no minimisation, no barostat.

    Parameters
    ----------
    model : Model
    complex : Complex
        Of the same particles, in the same order, as the System.
    quantity : str, optional
        'force', 'energy' or 'refinement'; the model's main one by default.
    backend : str, optional
        'TorchForce' or 'PythonForce'; both give the same numbers.  By default TorchForce where
        the installed one can be copied and serialized, else PythonForce.  A System with
        openmmtorch 1.5's TorchForce runs, but copy.deepcopy and XmlSerializer.deserialize crash
        Python on it; `serialize_system` writes XML that can be read.
    forceGroup : int
        Own group, 1 by default.
    precision : str
        'single' or 'double', of the network; geometry is always done in double.
    periodic : bool, optional
        Set it to True when the System is periodic though the complex has no box.
    scale : float
        Factor on a force or refinement.  GPU platforms round forces to multiples of 2e-10
        kJ/mol/nm, more than a force of a Δ of nanoseconds; a warning says so.  `create_system`
        sets it, and `NeuralMDIntegrator` divides by it; see `fixed_point`.
    device : str
        torch device of a PythonForce; TorchForce takes that of the Context.
    file : path, optional
        Where to keep the exported module; by default in `cache_folder()`, under its hash.  The
        System refers to this file.

    Raises
    ------
    ModelError, InputError
        Model and complex do not fit; unknown backend or precision; box too small.

    Examples
    --------
    >>> from openmm_neuralmd import NeuralMDForce, example_complex, load_model
    >>> complex, model = example_complex("gpcr-ergotamine"), load_model("gpcr-ergotamine")
    >>> force = NeuralMDForce(model, complex, backend="PythonForce", forceGroup=3, scale=1e6)
    >>> force.getForceGroup()
    3
    """
    backend = choose_backend(backend)
    complex = model.fitted(complex)
    module = ForceModule(
        model.dynamics,
        complex,
        model.card.interval_ps,
        quantity=quantity,
        precision=precision,
        periodic=periodic,
        scale=scale,
    )
    if scale == 1.0 and not module.conservative:
        points = torch.as_tensor(complex.positions[module.geometry.particles])
        box = None if complex.box is None else torch.as_tensor(complex.box)
        with suppress(RuntimeError):  # a force that is no number is reported with step and atom
            name = f"model '{model.card.name}' on {complex.name}"
            warn_of_rounding(module.evaluate(points, box)[1], name)
    information = {
        "model": model.card.name,
        "model_sha256": model.sha256,
        "interval_ps": model.card.interval_ps,
        "precision": precision,
        "complex": complex.fingerprint(),
    }
    artifact = read_artifact(store(module, file, information))
    return force_from_artifact(artifact, backend=backend, forceGroup=forceGroup, device=device)


def force_from_artifact(
    artifact: Artifact, *, backend: str | None = None, forceGroup: int = 1, device: str = "auto"
) -> openmm.Force:
    """A Force that runs an exported module."""
    force = BACKENDS[choose_backend(backend)](artifact, device)
    quantity = artifact.metadata["quantity"]
    force.setName(f"{PREFIX}:{quantity}:{artifact.sha256}:{artifact.path.resolve()}")
    force.setForceGroup(forceGroup)
    return force


def cache_folder() -> Path:
    """Folder of exported modules: $OPENMM_NEURALMD_CACHE, or ~/.cache/openmm_neuralmd/forces."""
    given = os.environ.get("OPENMM_NEURALMD_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "openmm_neuralmd" / "forces"


def store(module: ForceModule, file: str | Path | None, information: dict[str, Any]) -> Path:
    """Export to `file`, or into the cache under the file's own hash."""
    if file is not None:
        export(module, file, **information)
        return Path(file).resolve()
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "force.pt"
        digest = export(module, path, **information)
        return path.replace(folder / f"{digest}.pt").resolve()


@dataclass(frozen=True)
class FoundForce:
    """A NeuralMD force in a System.

    Attributes
    ----------
    index : int
        In the System.
    quantity : str
        'force', 'energy' or 'refinement'.
    sha256, path : str
        Of the exported module.
    force : openmm.Force
    """

    index: int
    quantity: str
    sha256: str
    path: str
    force: openmm.Force


def find_forces(system: openmm.System) -> list[FoundForce]:
    """The NeuralMD forces of a System, also of one that was read from XML."""
    forces = []
    for index, force in enumerate(system.getForces()):
        prefix, *parts = force.getName().split(":", 3)
        if prefix == PREFIX and len(parts) == 3:
            quantity, digest, path = parts
            forces.append(FoundForce(index, quantity, digest, path, force))
    return forces


def verify(system: openmm.System) -> list[FoundForce]:
    """Check the NeuralMD forces of a System before it is run.

    Raises
    ------
    ModelError
        If a file is missing or was changed, or if a barostat would act on a force without an
        energy.
    """
    forces = find_forces(system)
    for force in forces:
        check_hash(force.path, force.sha256)
    barostats = [f.getName() for f in system.getForces() if "Barostat" in type(f).__name__]
    if barostats and any(force.quantity != "energy" for force in forces):
        raise ModelError(
            f"the System has a {barostats[0]}, but a NeuralMD force without an energy: constant "
            "pressure means nothing for it; remove the barostat or use an energy model"
        )
    return forces


def serialize_system(system: openmm.System) -> str:
    """A System as XML that any installation reads back: its NeuralMD forces as PythonForce.

    `XmlSerializer` does the same unless a force is a TorchForce, which openmmtorch 1.5 writes but
    cannot read (`backends.ABI_BROKEN`).
    """
    root = ElementTree.fromstring(openmm.XmlSerializer.serialize(system))
    nodes = root.find("Forces")
    assert nodes is not None
    for force in find_forces(system):
        if nodes[force.index].get("type") == "TorchForce":
            artifact = read_artifact(force.path)
            group = force.force.getForceGroup()
            nodes[force.index] = _xml(
                force_from_artifact(artifact, backend="PythonForce", forceGroup=group)
            )
    return ElementTree.tostring(root, encoding="unicode")


def _xml(force: openmm.Force) -> ElementTree.Element:
    node = ElementTree.fromstring(openmm.XmlSerializer.serialize(force))
    node.tag = "Force"
    return node
