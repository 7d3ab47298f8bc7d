"""Training an energy model on all-atom forces: force matching (Ercolessi and Adams, 1994)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ..bindingnet.settings import BindingNetSettings, EnergyNetwork
from ..dynamics.bonded_terms import BondedTerms, Counts, counts
from ..dynamics.energy import EnergyModel, EnergyModelSettings
from ..errors import InputError
from ..model import ModelCard
from ..units import ANGSTROM_PER_NM, NM_PER_ANGSTROM
from ..utils.nested import rows
from ..utils.provenance import package_versions
from ..utils.settings import read_mapping, validated
from .labels import LabelBatch, LabelItems, Labels
from .loop import Loop
from .settings import LoopSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

EXAMPLE = "examples/energy.yaml"


class ForceMatchingSettings(LoopSettings):
    """One training run of an energy model; see `LoopSettings` too.

    Attributes
    ----------
    labels : tuple of Path
        Reference runs of mode rigid with labels, or folders of a reference set; relative paths
        count from the settings file.
    network : BindingNetSettings
        With head 'energy'.
    residual : bool
        Learn what the ligand's own bonded terms leave; they become part of the model, which then
        belongs to this one ligand.
    energy_weight : float
        Of the squared error of energies beside that of forces, each in units of its spread.
    perturbed : int
        Geometries beside the snapshots of the training part, see `LabelledRun.perturbed`.
    train_fraction : float
        Share of the snapshots, from the beginning, that training may see at all.
    validation_fraction : float
        Last share of that part, held out of the gradient for early stopping.
    """

    labels: tuple[Path, ...] = Field(min_length=1)
    network: EnergyNetwork = BindingNetSettings(head="energy")
    residual: bool = True
    energy_weight: float = Field(0.1, ge=0)
    perturbed: int = Field(1000, ge=0)
    train_fraction: float = Field(0.8, gt=0, le=1)
    validation_fraction: float = Field(0.15, gt=0, lt=1)


def read_energy_settings(
    path: str | Path, overrides: dict[str, Any] | None = None
) -> ForceMatchingSettings:
    """Read a settings file.

    Raises
    ------
    InputError
        With the file, the setting and what is wrong with it, in one line.
    """
    path = Path(path)
    content = {**read_mapping(path, EXAMPLE), **(overrides or {})}
    settings = validated(ForceMatchingSettings, content, str(path))
    places = tuple(path.parent / place for place in settings.labels)
    return settings.model_copy(update={"labels": places})


class ForceErrors(nn.Module):
    """An energy model with its objective.

    Mean squared error of the forces over their variance, plus the weighted one of the energy over
    its variance; 1 for a model that says nothing.

    Parameters
    ----------
    model : EnergyModel
    force_spread, energy_spread : float
        Standard deviations, kJ/mol/nm and kJ/mol.
    energy_weight : float
    """

    def __init__(
        self, model: EnergyModel, force_spread: float, energy_spread: float, energy_weight: float
    ) -> None:
        super().__init__()
        self.model = model
        self.force_spread, self.energy_spread = force_spread, energy_spread
        self.energy_weight = energy_weight

    def forward(self, batch: LabelBatch, generator: torch.Generator) -> Tensor:
        """Error (B,) of each geometry."""
        c = rows(batch.complexes, batch.member)
        protein = rows(self.model.encode(batch.complexes), batch.member)
        training = torch.is_grad_enabled()
        with torch.enable_grad():
            x = batch.x.detach().requires_grad_()
            energy = self.model.learned(c, protein, x)
            (gradient,) = torch.autograd.grad(energy.sum(), x, create_graph=training)
        forces = -ANGSTROM_PER_NM * gradient
        weight = c.mask.to(x.dtype)
        square = ((forces - batch.forces) / self.force_spread).square().mean(-1)
        error = (square * weight).sum(1) / weight.sum(1)
        return error + self.energy_weight * ((energy - batch.energies) / self.energy_spread) ** 2


class ForceMatcher(Loop):
    """Trains an energy model on the labels of one complex or of several.

    Parameters
    ----------
    settings : ForceMatchingSettings
    training, validation : sequence of Labels
        One of each for each complex, see `parts`.
    folder : Path
        See `Loop`.
    fabric : Fabric, optional

    Raises
    ------
    InputError
        Bonded terms of several ligands at once.
    """

    def __init__(
        self,
        settings: ForceMatchingSettings,
        training: Sequence[Labels],
        validation: Sequence[Labels],
        folder: Path,
        fabric: Fabric | None = None,
    ) -> None:
        if settings.residual and len(training) > 1:
            raise InputError(
                f"{settings.name}: {len(training)} complexes, but bonded terms are those of one "
                "ligand; set 'residual: false', or train a model for each"
            )
        nothing = BondedTerms(Counts()).double()
        terms = [item.terms if settings.residual else nothing for item in training]
        ours, held_out = (
            [item.without(own) for item, own in zip(labels, terms, strict=True)]
            for labels in (training, validation)
        )
        self.zero = [float(item.energies.mean()) for item in ours]
        ours, held_out = (
            [item.shifted(zero) for item, zero in zip(labels, self.zero, strict=True)]
            for labels in (ours, held_out)
        )
        force = float(np.concatenate([item.forces.ravel() for item in ours]).std())
        energy = float(np.concatenate([item.energies for item in ours]).std())
        torch.manual_seed(settings.seed)
        model = EnergyModel(
            EnergyModelSettings(
                network=settings.network, scale=force * NM_PER_ANGSTROM, terms=counts(terms[0])
            )
        )
        model.terms.load_state_dict(terms[0].state_dict())
        errors = ForceErrors(model, force, energy, settings.energy_weight)
        items = LabelItems(ours), LabelItems(held_out)
        data = [item.identity for item in training]
        self.interval_ps = training[0].interval_ps
        self.ligand = training[0].complex.ligand_fingerprint() if settings.residual else None
        super().__init__(settings, folder, model, errors, *items, data, fabric)

    def card(self) -> ModelCard:
        """Return a model card for the current weights."""
        settings, counters = self.settings, self.counters
        data = [
            {**identity, "zero_kj_mol": zero}
            for identity, zero in zip(self.data, self.zero, strict=True)
        ]
        return ModelCard(
            name=settings.name,
            kind="bindingnet-energy",
            settings=self.model.settings.model_dump(mode="json"),
            interval_ps=self.interval_ps,
            temperature_K=settings.temperature,
            elements=counters.elements,
            residue_types=counters.residue_types,
            ligand=self.ligand,
            data=data,
            training=settings.model_dump(mode="json", exclude={"network", "name", "labels"}),
            metrics={"validation": counters.best, "epoch": float(counters.best_epoch)},
            versions=package_versions(),
        )


def parts(settings: ForceMatchingSettings, snapshots: int) -> tuple[slice, slice, slice]:
    """Snapshots for the gradient, for early stopping, and for the test that nobody looks at."""
    training = round(snapshots * settings.train_fraction)
    gradient = round(training * (1.0 - settings.validation_fraction))
    return slice(0, gradient), slice(gradient, training), slice(training, snapshots)
