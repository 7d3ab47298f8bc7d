"""A small NeuralMD-OU model and an SDF of several poses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openmm_neuralmd.bindingnet.structure_network import StructureNetSettings
from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.spring_network import SpringNetworkSettings
from openmm_neuralmd.model import ModelCard
from openmm_neuralmd.training import ou_files


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with class constants and untrained members, of the ligand and the pocket."""
    torch.manual_seed(0)
    small = StructureNetSettings(hidden=8, vectors=2, num_radial=4)
    side_chains = SpringNetworkSettings(network=small)
    network = NeuralOU(NeuralOUSettings(members=2, side_chains=side_chains))
    card = ModelCard(
        name="small",
        kind="neuralmd-ou",
        settings=network.settings.model_dump(mode="json"),
        interval_ps=1.0,
        elements=[6, 7, 8],
        residue_types=list(range(20)),
        metrics={"log_rmsf_error": 0.2},
    )
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    ou_files.save(path, network, card)
    return path
