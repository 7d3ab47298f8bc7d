"""A model's force on one complex as a self-contained TorchScript module, and as a file.

Both backends run this file, so they give the same numbers.  It holds no protein network: the
representation of the residues is a constant in it.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from ..bindingnet.inputs import complex_tensors
from ..bindingnet.pocket import complex_pocket
from ..errors import ModelError
from ..structure.complex import Complex
from ..units import ANGSTROM_PER_NM
from ..utils.files import complete, sha256
from .archive import write_in_order
from .fields import make_field
from .fixed_point import model_unit
from .geometry import PocketGeometry, check_box

PRECISIONS: dict[str, torch.dtype] = {"single": torch.float32, "double": torch.float64}
METADATA = "neuralmd.json"
_DAMAGE = (OSError, ValueError, RuntimeError, EOFError)
_INFLATION = 200  # what unpacking may multiply; more is made to fill memory


class _Metadata(BaseModel):
    """Metadata of an exported force; further values are allowed."""

    model_config = ConfigDict(extra="allow")

    quantity: Literal["force", "energy", "refinement"]
    periodic: bool
    particles: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field(min_length=1, max_length=2**24)
    units: dict[str, str] = {}


class ForceModule(nn.Module):
    """Energy (kJ/mol) and forces (kJ/mol/nm) of one quantity of a model on one complex.

    With a force head the energy is 0 and only the ligand's `Complex.sites` feel a force: it is not
    conservative, momentum is not conserved, and energies, minimisation and constant pressure
    mean nothing.  With an energy head the forces are −dE/dx, also on the protein's backbone atoms.
    A refinement is a velocity in nm/ps in the place of a force, for `NeuralMDIntegrator`.

    Parameters
    ----------
    dynamics : torch.nn.Module
        What `Model.dynamics` is.
    complex : Complex
        Its positions give the rigid protein's representation.
    interval_ps : float
        Snapshot interval Δ.
    quantity : str, optional
        'force', 'energy' or 'refinement'; the model's main one by default.
    precision : str
        'single' or 'double', of the network.
    periodic : bool, optional
        Whether positions are periodic; by default if the complex has a box.
    scale : float
        Factor on a force or a refinement; see `fixed_point`.

    Raises
    ------
    ModelError
        An unknown quantity or precision; a scaled energy.
    """

    __constants__ = ["conservative", "periodic"]
    if TYPE_CHECKING:  # TorchScript does not read postponed annotations
        particles: Tensor

    def __init__(
        self,
        dynamics: Any,
        complex: Complex,
        interval_ps: float,
        *,
        quantity: str | None = None,
        precision: str = "single",
        periodic: bool | None = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ModelError(f"precision '{precision}' is unknown; use {' or '.join(PRECISIONS)}")
        if not dynamics.fields:
            raise ModelError(
                f"{dynamics.title} offers OpenMM no force; {dynamics.instead or 'use rollout'}"
            )
        dtype = PRECISIONS[precision]
        self.quantity = quantity or dynamics.fields[0]
        self.conservative = self.quantity == "energy"
        self.periodic = complex.box is not None if periodic is None else periodic
        c = complex_tensors(complex, dtype)
        self.field = make_field(dynamics, self.quantity, c, interval_ps, dtype)
        fourth = getattr(dynamics.network, "pocket", None) is not None
        self.geometry = PocketGeometry(complex, dtype, complex_pocket(complex) if fourth else None)
        self.n = self.geometry.n
        interaction = dynamics.network.interaction
        self.cutoff, self.capacity = float(interaction.cutoff), int(interaction.capacity)
        if self.periodic:
            check_box(complex, self.cutoff)
        if self.conservative and scale != 1.0:
            raise ModelError(f"an energy in kJ/mol is not scaled; leave scale={scale:g} out")
        self.scale = scale
        self.factor = model_unit(self.quantity, interval_ps) * scale
        self.register_buffer("particles", torch.as_tensor(self.geometry.particles))

    def forward(self, positions: Tensor, box: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Energy and forces (N, 3) from the positions (N, 3) in nm of all particles."""
        with torch.no_grad():  # OpenMM-Torch's positions ask for a gradient, which nobody takes
            energy, forces = self.evaluate(positions[self.particles], box)
            everywhere = torch.zeros(positions.shape, dtype=forces.dtype, device=forces.device)
            everywhere[self.particles] = forces
            return energy.to(positions.dtype), everywhere.to(positions.dtype)

    @torch.jit.export
    def evaluate(self, points: Tensor, box: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Energy and forces (P, 3) from the positions (P, 3) in nm of `particles` alone."""
        points = points.detach().to(torch.float64)
        vectors = None if box is None else box.to(torch.float64)
        if not self.periodic:
            vectors = None
        if self.conservative:
            energy, forces = self.gradient(points, vectors)
        else:
            energy, forces = self.direct(points, vectors)
        if not bool(torch.isfinite(forces).all()):
            raise RuntimeError(self.diagnosis(points, forces, vectors))
        return energy, forces

    def direct(self, points: Tensor, box: Tensor | None) -> tuple[Tensor, Tensor]:
        """A vector per ligand atom, nothing on the protein, energy 0."""
        with torch.no_grad():
            x, ca, frames = self.geometry(points, box)
            forces = torch.zeros_like(points)
            forces[: self.n] = self.field(x, ca, frames)[0].to(points.dtype) * self.factor
            return torch.zeros(1, dtype=points.dtype, device=points.device)[0], forces

    def gradient(self, points: Tensor, box: Tensor | None) -> tuple[Tensor, Tensor]:
        """Energy and its negative gradient."""
        x, ca, frames, stored = self.geometry.keep(points, box)
        field = self.field.gradient(x, ca, frames)  # type: ignore[operator]
        energy, g_x, g_ca, g_frames = field
        gradient = self.geometry.pullback(g_x, g_ca, g_frames, stored)
        return energy[0].to(points.dtype), -gradient

    def diagnosis(self, points: Tensor, forces: Tensor, box: Tensor | None) -> str:
        """Give the reason why a force is not a number; `guard.py` adds step and atom name."""
        lost = torch.nonzero(~torch.isfinite(points).all(1)).flatten()
        if lost.numel() > 0:
            particle = int(self.particles[lost[0]])
            return f"NeuralMD particle {particle}: its position is not a number."
        x, ca, _ = self.geometry(points.detach(), box)
        d = torch.linalg.vector_norm(x[0].unsqueeze(1) - ca, dim=-1)
        count = (d < self.cutoff).sum(-1)
        atom = int(count.argmax())
        if int(count[atom]) > self.capacity:
            particle = int(self.particles[atom])
            return (
                f"NeuralMD particle {particle}: {int(count[atom])} residues within "
                f"{self.cutoff} Å, but the model was made for {self.capacity}."
            )
        bad = int(torch.nonzero(~torch.isfinite(forces).all(1))[0, 0])
        return f"NeuralMD particle {int(self.particles[bad])}: the force on it is not a number."


@dataclass(frozen=True)
class Artifact:
    """An exported force module.

    Attributes
    ----------
    path : Path
    sha256 : str
    metadata : dict
        'quantity', 'scale', 'periodic', 'particles', 'interval_ps', 'units', 'model_sha256',
        'complex'.
    """

    path: Path
    sha256: str
    metadata: dict[str, Any]


def describe(module: ForceModule, **more: Any) -> dict[str, Any]:
    """Metadata that travels inside the file."""
    units = {"length": f"{ANGSTROM_PER_NM:g} Å per nm", "time": "ps", "force": "kJ/mol/nm"}
    if module.quantity == "refinement":
        units["force"] = "nm/ps (a velocity)"
    return {
        "quantity": module.quantity,
        "scale": module.scale,
        "periodic": module.periodic,
        "particles": module.particles.tolist(),
        "units": units,
        **more,
    }


def export(module: ForceModule, path: str | Path, **metadata: Any) -> str:
    """Write a force module as TorchScript under its final name once complete; return its SHA-256.

    Parameters
    ----------
    metadata : JSON values
        Kept in the file: hash of the model, interval, fingerprint of the complex.
    """
    content = json.dumps(describe(module, **metadata), sort_keys=True)
    # Through memory: torch's own writer puts the file's name into the file, so that no two hashes
    # are the same, and ends the process when the disk is full.
    archive = io.BytesIO()
    torch.jit.save(torch.jit.script(module), archive, _extra_files={METADATA: content})
    with complete(path) as temporary:
        write_in_order(archive, temporary)
    return sha256(path)


def read_artifact(path: str | Path) -> Artifact:
    """Hash and metadata of an exported force module, read without running anything in it.

    TorchScript is a program, and `torch.jit.load` already runs parts of it.  The file is a zip
    archive, and what `export` added is plain JSON in it.

    Raises
    ------
    ModelError
        If the file is missing or was not written by `export`.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(f"/extra/{METADATA}")]
            modules = [n for n in archive.namelist() if n.endswith(("/data.pkl", "/constants.pkl"))]
            largest = max((entry.file_size for entry in archive.infolist()), default=0)
            if len(modules) < 2 or largest > _INFLATION * path.stat().st_size:
                raise ValueError("not a TorchScript archive")
            if archive.testzip() is not None:
                raise ValueError("damaged")
            content = archive.read(names[0]) if names else None
    except (zipfile.BadZipFile, zlib.error, *_DAMAGE) as error:
        raise _no_export(path) from error
    if content is None:
        raise ModelError(f"{path}: a TorchScript file, but not one of this package")
    try:
        return Artifact(path, sha256(path), _Metadata.model_validate_json(content).model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or METADATA
        raise ModelError(f"{path}: damaged metadata: {where}: {first['msg']}") from error


def _no_export(path: Path) -> ModelError:
    return ModelError(f"{path}: not an exported force, or damaged; export it again")
