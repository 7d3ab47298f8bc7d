"""How much one force evaluation does: operations and bytes, which no load of a machine changes.

The most that is allowed is what was counted when this was written, and a few per cent for another
version of torch.  Below it nothing fails: lower the numbers when the code has become leaner.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from harness.counts import Counted

from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics.energy import EnergyModel, EnergyModelSettings
from openmm_neuralmd.dynamics.ode import NeuralODE, NeuralODESettings
from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.simulation.export import ForceModule
from openmm_neuralmd.structure.complex import Complex

MARGIN = 1.03


def module(kind: str, complex: Complex) -> ForceModule:
    """What both backends export, at the paper's size."""
    torch.manual_seed(0)
    network = BindingNetSettings(head=kind)
    dynamics: Any = (
        EnergyModel(EnergyModelSettings(network=network))
        if kind == "energy"
        else NeuralODE(NeuralODESettings(network=network))
    )
    return ForceModule(dynamics.eval(), complex, 80.0)


def counted(kind: str, complex: Complex, evaluations: int = 1) -> Counted:
    force = module(kind, complex)
    positions = torch.as_tensor(complex.positions)
    box = None if complex.box is None else torch.as_tensor(complex.box)
    with Counted() as count:
        for _ in range(evaluations):
            force(positions, box)
    return count


LIMITS = {
    ("force", "gpcr-ergotamine"): (419, 42.1),
    ("force", "t4l-p-xylene"): (393, 6.0),
    ("energy", "gpcr-ergotamine"): (867, 95.9),
    ("energy", "t4l-p-xylene"): (841, 13.1),
}
"""Operations that are no views, and megabytes of their results, in one evaluation."""


@pytest.mark.parametrize(("kind", "name"), LIMITS)
def test_a_force_evaluation_does_not_grow(kind: str, name: str) -> None:
    count = counted(kind, example_complex(name))
    most, megabytes = LIMITS[kind, name]
    common = ", ".join(f"{key} {n}" for key, n in count.operations.most_common(8))
    assert count.operations.total() <= MARGIN * most, common
    assert count.megabytes <= MARGIN * megabytes


def test_every_evaluation_costs_the_same() -> None:
    """Nothing is kept from one evaluation to the next, and nothing piles up."""
    complex = example_complex("t4l-p-xylene")
    one, three = counted("force", complex), counted("force", complex, evaluations=3)
    assert three.operations.total() == 3 * one.operations.total()
    assert three.megabytes == pytest.approx(3 * one.megabytes, rel=1e-9)
