"""Model files of NeuralMD-OU: safetensors with a card, as for every other dynamics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..bindingnet.chemistry import ELEMENTS as LIGAND_ELEMENTS
from ..dynamics.ou import NeuralOU
from ..errors import ModelError
from ..model import Model, ModelCard, load_model, read_card
from .run_statistics import RunStatistics

KIND = "neuralmd-ou"


def elements(complexes: list[RunStatistics]) -> list[int]:
    """Atomic numbers of the ligands' heavy atoms; columns without a number are left out."""
    columns = np.concatenate([c.chemistry.features[:, : len(LIGAND_ELEMENTS)] for c in complexes])
    return sorted(z for z, seen in zip(LIGAND_ELEMENTS, columns.max(axis=0)) if seen > 0)


def card(name: str, model: NeuralOU, complexes: list[RunStatistics], **more: Any) -> ModelCard:
    """Card of a fitted model; `more` are further fields of `ModelCard`."""
    residues = {int(k) for c in complexes for k in c.pocket.residue_types if k >= 0}
    return ModelCard(
        name=name,
        kind=KIND,
        settings=model.settings.model_dump(mode="json"),
        interval_ps=complexes[0].interval_ps,
        temperature_K=300.0,
        elements=elements(complexes),
        residue_types=sorted(residues),
        data=[{"name": c.name, "snapshots": sum(map(len, c.runs))} for c in complexes],
        **more,
    )


def save(path: str | Path, model: NeuralOU, content: ModelCard) -> Model:
    """Write the model file."""
    return Model(model, content).save(path)


def load(path: str | Path) -> NeuralOU:
    """Read a model file.

    Raises
    ------
    ModelError
        If the file is missing, damaged, of another version, or holds another kind of model.
    """
    content = read_card(path)
    if content.kind != KIND:
        raise ModelError(f"{path}: holds a model of kind '{content.kind}', not '{KIND}'")
    model = load_model(path).dynamics
    assert isinstance(model, NeuralOU)  # that of its kind
    return model
