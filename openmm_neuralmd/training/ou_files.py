"""Model files of NeuralMD-OU: safetensors with a card, as for every other dynamics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from ..bindingnet.chemistry import ELEMENTS as LIGAND_ELEMENTS
from ..dynamics.ou import NeuralOU, NeuralOUSettings
from ..errors import ModelError
from ..model import Model, ModelCard, read_card
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
    model = NeuralOU(NeuralOUSettings.model_validate(content.settings))
    with safe_open(str(path), "pt") as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:  # other names or shapes
        raise ModelError(
            f"{path}: its weights are those of another version of NeuralMD-OU; train it anew"
        ) from error
    return model.to(torch.float32).eval()
