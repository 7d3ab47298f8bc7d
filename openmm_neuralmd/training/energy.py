"""Training of an energy model on labelled runs, and its errors on the test part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..analysis.coordinates import Array
from ..bindingnet.inputs import complex_tensors
from ..errors import InputError
from ..model import Model
from ..units import ANGSTROM_PER_NM
from ..utils.nested import rows
from .force_matching import ForceMatcher, ForceMatchingSettings, parts
from .labelled import LabelledRun
from .labels import Labels

BATCH = 32


def energy_trainer(
    settings: ForceMatchingSettings, folder: Path
) -> tuple[ForceMatcher, list[Labels]]:
    """A trainer, and the labels that it does not see.

    Raises
    ------
    InputError
        No labels, or not of a run in which only the ligand moves.
    """
    every = read_parts(settings)
    training, validation = [part.training for part in every], [part.validation for part in every]
    trainer = ForceMatcher(settings, training, validation, folder)
    return trainer, [part.test for part in every]


class LabelParts(NamedTuple):
    """The labels of one run, divided in time.

    Attributes
    ----------
    training : Labels
        Of the gradient, the perturbed geometries included.
    validation : Labels
        Of early stopping.
    test : Labels
        What training does not see.
    known : Labels
        All snapshots before the test, as the run has them: what a baseline is fitted to.
    """

    training: Labels
    validation: Labels
    test: Labels
    known: Labels


def read_parts(settings: ForceMatchingSettings) -> list[LabelParts]:
    """The parts of every run that the settings name.

    Raises
    ------
    InputError
        See `energy_trainer`.
    """
    labelled = []
    for place in settings.labels:
        run = LabelledRun.open(place)
        gradient, early, rest = parts(settings, len(run.labels))
        ours = run.labels[gradient]
        if settings.perturbed:
            ours = ours.joined(run.perturbed(ours, settings.perturbed, settings.seed))
        known = run.labels[slice(rest.start)]
        labelled.append(LabelParts(ours, run.labels[early], run.labels[rest], known))
    return labelled


@dataclass(frozen=True)
class ForceScores:
    """Errors of an energy model against all-atom labels.

    Attributes
    ----------
    mae, rmse, spread : float
        Of components of forces, kJ/mol/nm; spread: standard deviation of the labels.
    cosine : float
        Mean over atoms of the cosine between the two forces.
    energy_mae, energy_spread : float
        kJ/mol, both energies less their means.
    geometries : int
    """

    mae: float
    rmse: float
    spread: float
    cosine: float
    energy_mae: float
    energy_spread: float
    geometries: int

    def in_words(self) -> str:
        """Return the errors as one line of text."""
        return (
            f"{self.geometries} held-out geometries: force MAE {self.mae:.1f} kJ/mol/nm "
            f"(spread {self.spread:.1f}), cosine {self.cosine:.3f}, energy MAE "
            f"{self.energy_mae:.2f} kJ/mol (spread {self.energy_spread:.2f})"
        )


def force_scores(model: Model, labels: Labels) -> ForceScores:
    """Errors of a model at labelled geometries."""
    forces, energies = predicted(model, labels)
    errors = force_errors(labels.forces, labels.energies, forces, energies)
    means = {name: float(values.mean()) for name, values in errors.items()}
    return ForceScores(
        mae=means["mae"],
        rmse=float(np.sqrt(means["square"])),
        spread=float(labels.forces.std()),
        cosine=means["cosine"],
        energy_mae=means["energy"],
        energy_spread=float(labels.energies.std()),
        geometries=len(labels),
    )


def predicted(model: Model, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Forces (S, n, 3) in kJ/mol/nm and energies (S,) in kJ/mol of an energy model."""
    dynamics: Any = model.dynamics
    dtype = next(dynamics.parameters()).dtype
    c = complex_tensors(labels.complex, dtype)
    with torch.no_grad():
        protein = dynamics.encode(c)
    forces, energies = [], []
    for start in range(0, len(labels), BATCH):
        x = torch.tensor(labels.x[start : start + BATCH], dtype=dtype, requires_grad=True)
        every = torch.zeros(len(x), dtype=torch.int64)
        energy = dynamics.energy(rows(c, every), rows(protein, every), x)
        (gradient,) = torch.autograd.grad(energy.sum(), x)
        forces.append(-ANGSTROM_PER_NM * gradient.double().numpy())
        energies.append(energy.detach().double().numpy())
    return np.concatenate(forces), np.concatenate(energies)


SHORTEST = 1e-9
"""kJ/mol/nm; a shorter force has no direction, and a cosine of 0."""


def force_errors(
    truth: ArrayLike, energies: ArrayLike, forces: ArrayLike, predicted: ArrayLike
) -> dict[str, Array]:
    """Errors (S,) of each geometry; their means are what tables have.

    Parameters
    ----------
    truth, forces : array (S, n, 3)
        All-atom and predicted forces, kJ/mol/nm.
    energies, predicted : array (S,)
        All-atom and predicted energies, kJ/mol, each up to a constant: both are taken less their
        means.

    Returns
    -------
    dict
        ``mae`` (mean over atoms and coordinates, kJ/mol/nm), ``square`` (mean squared error of a
        coordinate: its mean is the square of the RMSE), ``cosine`` (mean over atoms of the cosine
        between the two forces), ``energy`` (absolute error, kJ/mol).
    """
    true, ours = (np.asarray(f, dtype=np.float64) for f in (truth, forces))
    if true.ndim != 3 or true.shape != ours.shape or not len(true):
        raise InputError(f"forces of shapes {true.shape} and {ours.shape} cannot be compared")
    error = ours - true
    lengths = np.linalg.norm(ours, axis=-1) * np.linalg.norm(true, axis=-1)
    products = (ours * true).sum(-1)
    e, p = (np.asarray(values, dtype=np.float64) for values in (energies, predicted))
    return {
        "mae": np.abs(error).mean((1, 2)),
        "square": np.square(error).mean((1, 2)),
        "cosine": (products / np.maximum(lengths, SHORTEST**2)).mean(1),
        "energy": np.abs((p - p.mean()) - (e - e.mean())),
    }
