"""Evidence for reports: a small untrained model on the packaged trajectory, really assessed."""

from __future__ import annotations

import torch

from dynamics_cases import SMALL
from openmm_neuralmd.assessment.run import assess_all
from openmm_neuralmd.assessment.stretch import Stretch
from openmm_neuralmd.dynamics.registry import LEARNED
from openmm_neuralmd.model import Model, ModelCard
from openmm_neuralmd.report.evidence import Evidence
from openmm_neuralmd.trajectory.snapshots import Snapshots

AHEAD = 6
ORIGIN = {
    "trajectory": {"file": "trajectory.xtc", "sha256": "0" * 64},
    "trajectory_seen_in_training": False,
    "seed": 0,
    "provenance": {
        "command": "neuralmd validate small",
        "machine": {"processor": "x", "cores": 2, "system": "Linux", "python": "3.11"},
        "versions": {"openmm_neuralmd": "0.1.0"},
    },
}


def small_model(kind: str, snapshots: Snapshots) -> Model:
    torch.manual_seed(0)
    settings = LEARNED[kind].settings_class.model_validate(
        {"network": SMALL.model_dump(exclude={"head"})}
    )
    card = ModelCard(
        name="small",
        kind=kind,
        settings=settings.model_dump(mode="json"),
        interval_ps=snapshots.interval_ps,
        elements=[6, 7, 8],
        residue_types=list(range(21)),
        training={"seed": 42},
    )
    return Model(LEARNED[kind](settings).eval(), card)


def small_evidence(snapshots: Snapshots, kind: str = "neuralmd-ode", first: int = 42) -> Evidence:
    """Forecasts of six snapshots of the first replica: four in two stretches, from 42 on."""
    part = snapshots[:60]
    stretch = Stretch(part, range(first, 60), ahead=AHEAD, every=4)
    model = small_model(kind, snapshots)
    found = assess_all(model, [stretch])
    return Evidence({**found.result, **ORIGIN}, found.record, model.card, part.complex)
