"""Model files: safetensors with a card as JSON metadata; nothing is ever unpickled."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import torch
from openmm.app import Element
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from .dynamics.contract import Dynamics
from .dynamics.energy import EnergyModel
from .dynamics.ou import NeuralOU
from .dynamics.registry import LEARNED
from .errors import ModelError, one_line
from .structure.complex import Complex
from .structure.residues import RESIDUE_TYPES
from .utils.files import complete, sha256

_LARGEST, _HUGE = 65536, 1e6
_MEMBER = 1024
"""Width or number of layers, and size of a weight, beyond which a file is no model."""

FORMAT = 1
"""Version of the file format and of the architecture; another one is refused."""


def kinds() -> dict[str, type[Dynamics]]:
    """Model classes by the name in a file: dynamics that jump, energy models, NeuralMD-OU."""
    return {
        **LEARNED,
        "bindingnet-energy": EnergyModel,
        "neuralmd-ou": NeuralOU,
    }


class ModelCard(BaseModel):
    """Identity of a model and of its training data; stored in the model file.

    Attributes
    ----------
    format : int
        Version of format and architecture.
    name, kind : str
        Name and dynamics.
    settings : dict
        Architecture and dynamics, as the kind's settings class writes it.
    interval_ps : float
        Snapshot interval Δ it was trained at; a run at another one is refused, unless its steps
        are exact at any (`Model.at_interval`).
    temperature_K : float or None
        Of the reference simulation, None where unknown.
    elements, residue_types : list of int
        Atomic numbers and residue types seen in training.
    ligand : str or None
        `Complex.ligand_fingerprint` of the only ligand it is of: one whose bonded terms it has.
    data : list of dict
        Name, SHA-256 and snapshot range of each training trajectory.
    training, metrics, versions : dict
        Training settings with the seed, validation metrics, package versions.

    Examples
    --------
    >>> from openmm_neuralmd import load_model
    >>> card = load_model("gpcr-ergotamine").card
    >>> card.kind, card.interval_ps, card.elements
    ('neuralmd-ode', 6000.0, [6, 7, 8])
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    name: str
    kind: str
    settings: dict[str, Any]
    interval_ps: float = Field(gt=0, lt=1e15)
    temperature_K: float | None = None
    elements: list[Annotated[int, Field(ge=1, le=118)]]
    residue_types: list[Annotated[int, Field(ge=0, lt=len(RESIDUE_TYPES))]]
    ligand: str | None = None
    data: list[dict[str, Any]] = []
    training: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    versions: dict[str, str] = {}


@dataclass(frozen=True)
class Model:
    """A dynamics with its card.

    Attributes
    ----------
    dynamics : Dynamics
        The network and its dynamics, in evaluation mode.
    card : ModelCard
    sha256 : str
        Of the file it came from; empty for a model that was never saved.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex, load_model
    >>> model = load_model("gpcr-ergotamine")
    >>> model.check(example_complex("gpcr-ergotamine"), interval_ps=6000.0)  # it fits: no error
    >>> model.hydrogens
    False
    """

    dynamics: Dynamics
    card: ModelCard
    sha256: str = ""

    def save(self, path: str | Path) -> Model:
        """Write the model file; returns the model with its hash."""
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.dynamics.state_dict().items()}
        with complete(path) as temporary:
            temporary.write_bytes(save(tensors, {"neuralmd": self.card.model_dump_json()}))
        return Model(self.dynamics, self.card, sha256(path))

    def origin(self) -> dict[str, str]:
        """Name, kind and hash of the model, for records."""
        return {"name": self.card.name, "kind": self.card.kind, "sha256": self.sha256}

    @property
    def hydrogens(self) -> bool:
        """True if the model was trained on ligands with their hydrogens."""
        return 1 in self.card.elements

    def fitted(self, complex: Complex) -> Complex:
        """The complex with the atoms of the ligand that this model reads, checked."""
        complex = complex.with_hydrogens(self.hydrogens)
        self.check(complex)
        return complex

    def check(self, complex: Complex, interval_ps: float | None = None) -> None:
        """Refuse a complex or a stride that the model does not know.

        Raises
        ------
        ModelError
            Naming both values.
        """
        numbers = complex.ligand_atomic_numbers[complex.sites]
        unseen = sorted(set(numbers.tolist()) - set(self.card.elements))
        if unseen:
            symbols = ", ".join(Element.getByAtomicNumber(z).symbol for z in unseen)
            known = ", ".join(Element.getByAtomicNumber(z).symbol for z in self.card.elements)
            raise ModelError(
                f"{complex.name}: the ligand has {symbols}, but model '{self.card.name}' was "
                f"trained on {known} only; train on a complex that has it"
            )
        if self.card.ligand not in (None, complex.ligand_fingerprint()):
            raise ModelError(
                f"{complex.name}: model '{self.card.name}' holds the bonded terms of another "
                "ligand, or of this one with its atoms in another order; train one for it"
            )
        if self.hydrogens and not complex.hydrogens:
            raise ModelError(
                f"model '{self.card.name}' was trained on ligands with their hydrogens, but "
                f"{complex.name} was read without; use its with_hydrogens()"
            )
        self.dynamics.check_complex(complex)
        if interval_ps is not None:
            self.at_interval(interval_ps, complex.name)

    def at_interval(self, interval_ps: float, what: str = "known snapshots") -> Model:
        """The model at another snapshot interval, which some models are exact at.

        Parameters
        ----------
        interval_ps : float
        what : str
            What has this interval, for the message.

        Raises
        ------
        ModelError
            The model knows the interval it was trained at, and no other.
        """
        if abs(interval_ps / self.card.interval_ps - 1) <= 1e-3:
            return self
        if not self.dynamics.any_interval:
            raise ModelError(
                f"{what}: snapshots every {interval_ps:g} ps, but model "
                f"'{self.card.name}' was trained at {self.card.interval_ps:g} ps; use that stride"
            )
        return replace(self, card=self.card.model_copy(update={"interval_ps": float(interval_ps)}))


def bundled_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    folder = Path(str(resources.files("openmm_neuralmd") / "models"))
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}


def read_card(path: str | Path) -> ModelCard:
    """The card of a model file, without its weights.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or of another version.
    """
    path = Path(path)
    if not path.is_file():
        names = ", ".join(bundled_models()) or "none"
        raise ModelError(f"{path}: no such model file, and no bundled model (these are: {names})")
    try:
        with safe_open(str(path), "pt") as file:
            raw = (file.metadata() or {}).get("neuralmd")
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a model file, or damaged: {error}") from error
    if raw is None:
        raise ModelError(f"{path}: a safetensors file, but not of this package (no model card)")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: its model card is damaged: {one_line(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: its model card is damaged: it holds no settings")
    if content.get("format") != FORMAT:
        raise ModelError(
            f"{path}: model format {content.get('format')}, this version reads {FORMAT}; "
            "retrain it or install the version that wrote it"
        )
    try:
        return ModelCard.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{path}: bad model card: {first['loc']}: {first['msg']}") from error


def _check_size(settings: Any, path: Path) -> None:
    """The network of a card must have room in its file, before memory is taken for it.

    Every layer has a matrix of hidden × hidden numbers at least, every member `_MEMBER` bytes.
    """
    waiting = [settings]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        members = part.get("members", 1)
        # Without members the settings of their network have no weights.
        waiting += [value for key, value in part.items() if members != 0 or key != "network"]
        hidden = part.get("hidden", 0)
        layers = [part.get(name, 1) for name in ("layers", "ligand_layers", "complex_layers")]
        if isinstance(members, int) and members * _MEMBER > path.stat().st_size:
            raise ModelError(
                f"{path}: weights do not fit the model card: {members} members are larger than "
                "the file"
            )
        sizes = [size for size in (hidden, *layers) if isinstance(size, int)]
        bytes_ = 4 * max(sizes[:1] or [0]) ** 2 * max([1, *sizes[1:]])
        if bytes_ > path.stat().st_size or max(sizes, default=0) > _LARGEST:
            raise ModelError(
                f"{path}: weights do not fit the model card: a network of width {hidden} with "
                f"{max([1, *sizes[1:]])} layers is larger than the file"
            )


def _check_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    for name, tensor in weights.items():
        largest = tensor.double().abs().max().item() if tensor.numel() else 0.0
        if not largest < _HUGE:
            raise ModelError(
                f"{path}: weight {name} holds {largest:g}; the training failed or the file is "
                "damaged: train it again"
            )


def load_model(name_or_path: str | Path, dtype: torch.dtype = torch.float32) -> Model:
    """Load a bundled model by name, or a model file.

    Raises
    ------
    ModelError
        If the file is missing, damaged, of another version or of an unknown kind.

    Examples
    --------
    >>> from openmm_neuralmd import load_model
    >>> model = load_model("gpcr-ergotamine")
    >>> model.card.kind, model.card.interval_ps
    ('neuralmd-ode', 6000.0)
    """
    path = bundled_models().get(str(name_or_path), Path(name_or_path))
    card = read_card(path)
    known = kinds()
    if card.kind not in known:
        raise ModelError(f"{path}: unknown kind '{card.kind}'; known are: {', '.join(known)}")
    _check_size(card.settings, path)
    kind = known[card.kind]
    try:
        dynamics = kind(kind.settings_class.model_validate(card.settings))
        with safe_open(str(path), "pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}
        dynamics.load_state_dict(weights)
    except (SafetensorError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{path}: weights do not fit the model card: {reason}") from error
    _check_weights(weights, path)
    return Model(dynamics.to(dtype).eval(), card, sha256(path))
