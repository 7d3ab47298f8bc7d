"""Fitting of the one-structure model for the table, with its weights kept on disk."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openmm_neuralmd.bindingnet.pocket import POCKET_FEATURES, PocketAtoms
from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.training.ou_files import card, load, save
from openmm_neuralmd.training.ou_fit import OUFitSettings, example, fit_constants, fit_member
from openmm_neuralmd.training.ou_rates import fit_relaxation, fit_typical, fit_wells
from openmm_neuralmd.training.run_statistics import RunStatistics


def fit(
    train: Sequence[RunStatistics],
    settings: NeuralOUSettings,
    how: OUFitSettings,
    cache: Path,
    name: str,
    rates: bool = True,
) -> NeuralOU:
    """Fit a model to the training complexes, or read it from an earlier run.

    `rates` False: wells and relaxation, on which no likelihood of single snapshots depends, stay
    as they are.  Runs with and without have to differ in their name.
    """
    key = [name, [[c.name, len(c.frames)] for c in train], settings.model_dump(), how.model_dump()]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
    path = cache / f"{name}-{digest}.safetensors"
    if path.is_file():
        return load(path)
    began = time.process_time()
    torch.manual_seed(how.seed)
    model = NeuralOU(settings)
    fit_constants(model, [example(c) for c in train], how.prior)
    for member in range(settings.members):
        fit_member(model, member, train, how)
    if rates:
        fit_wells(model, train)
        fit_relaxation(model, train, steps=200, seed=how.seed)
        fit_typical(model, train)
    spent: dict[str, Any] = {**how.model_dump(), "cpu_seconds": time.process_time() - began}
    save(path, model, card(name, model, list(train), training=spent))
    return model


def without_network(model: NeuralOU) -> NeuralOU:
    """Copy with the class constants, wells and rates, without the network (F = 0)."""
    bare = NeuralOU(model.settings.model_copy(update={"members": 0}))
    keep = bare.state_dict().keys()
    bare.load_state_dict({k: v for k, v in model.state_dict().items() if k in keep})
    return bare


def without_displacement(model: NeuralOU) -> NeuralOU:
    """Copy with u = 0."""
    still = NeuralOU(model.settings.model_copy(update={"displaced": False}))
    still.load_state_dict(model.state_dict())
    return still


def strain_alone(model: NeuralOU) -> NeuralOU:
    """Copy whose mean is displaced by the relief of the pose's strain, and by no network."""
    held = NeuralOU(model.settings.model_copy(update={"displacement_share": 0.0}))
    held.load_state_dict(model.state_dict())
    return held


def without_pocket(c: RunStatistics) -> RunStatistics:
    """The complex with no pocket atoms."""
    none = PocketAtoms(
        np.zeros(0, dtype=np.int64),
        np.zeros((0, 3)),
        np.zeros((0, POCKET_FEATURES)),
        np.zeros(0, dtype=np.int64),
    )
    return replace(c, pocket=none)


def shuffled_pocket(c: RunStatistics, seed: int = 0) -> RunStatistics:
    """The complex with the chemistry of its pocket atoms permuted; their places stay."""
    order = np.random.default_rng(seed).permutation(len(c.pocket.atoms))
    return replace(c, pocket=c.pocket._replace(features=c.pocket.features[order]))
