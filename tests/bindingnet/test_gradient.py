"""The derivative written by hand against autograd's, against differences, and turned."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from openmm_neuralmd.bindingnet.inputs import complex_tensors
from openmm_neuralmd.bindingnet.network import BindingNet, Protein
from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.bindingnet.vector_frames import (
    keep_residue_frames,
    residue_frames,
    residue_frames_pullback,
)
from openmm_neuralmd.dynamics.bonded_terms import BondedTerms, Counts
from openmm_neuralmd.dynamics.verlet import VerletMD, VerletMDSettings
from openmm_neuralmd.simulation.export import ForceModule
from openmm_neuralmd.structure.complex import Complex

DOUBLE = torch.float64
SEEDS = st.integers(0, 2**31 - 1)
FEW = settings(max_examples=25, deadline=None)
SLOW = settings(max_examples=6, deadline=None)


class Case(NamedTuple):
    """A network of an energy, and its input."""

    network: BindingNet
    z: Tensor
    x: Tensor
    mask: Tensor
    protein: Protein

    def energy(self) -> Tensor:
        return self.network(self.z, self.x, self.mask, self.protein)

    def places(self) -> list[Tensor]:
        """The tensors by which `BindingNet.gradient` derives, in its order."""
        p = self.protein
        return [self.x, p.ca, p.frames, p.pocket_atoms, p.pocket_frames]

    def at(self, places: list[Tensor]) -> Case:
        x, ca, frames, atoms, near = places
        moved = self.protein._replace(ca=ca, frames=frames, pocket_atoms=atoms, pocket_frames=near)
        return self._replace(x=x, protein=moved)

    def gradient(self) -> list[Tensor]:
        with torch.no_grad():
            _, places, near = self.network.gradient(self.z, self.x, self.mask, self.protein)
        return [*places, near.ca, near.frames]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Ligands and proteins of any size, padded, some out of reach, in networks with any option."""
    torch.manual_seed(draw(SEEDS))
    few, cutoffs = st.integers(1, 3), st.floats(1.5, 6.0)
    grain = draw(st.none() | cutoffs)
    chosen = BindingNetSettings(
        hidden=draw(st.sampled_from([4, 8])),
        vector_channels=draw(few),
        num_radial=draw(st.integers(2, 5)),
        ligand_layers=draw(few),
        complex_layers=draw(few),
        ligand_cutoff=draw(cutoffs),
        complex_cutoff=draw(cutoffs),
        pocket_cutoff=grain,
        head="energy",
    )
    batch, atoms, residues = draw(few), draw(st.integers(1, 6)), draw(st.integers(1, 7))
    near = 0 if grain is None else draw(st.integers(1, 7))

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, dtype=DOUBLE)

    def some(count: int) -> Tensor:
        """Mask with padding behind the first."""
        return torch.arange(count) <= torch.randint(0, max(count, 1), (batch, 1))

    protein = Protein(
        normal(residues, chosen.hidden),
        3.0 * normal(residues, 3),
        torch.linalg.qr(normal(residues, 3, 3))[0],
        some(residues),
        normal(near, chosen.hidden),
        3.0 * normal(near, 3),
        torch.linalg.qr(normal(near, 3, 3))[0],
        some(near),
    )
    network = BindingNet(chosen).to(DOUBLE).requires_grad_(False)
    z = torch.randint(1, 20, (batch, atoms))
    return Case(network, z, 1.5 * normal(atoms, 3), some(atoms), protein)


def assert_close(values: list[Tensor], expected: list[Tensor]) -> None:
    for value, other in zip(values, expected, strict=True):
        torch.testing.assert_close(value, other, rtol=1e-9, atol=1e-10)


def by_autograd(case: Case) -> list[Tensor]:
    places = [place.clone().requires_grad_() for place in case.places()]
    energy = case.at(places).energy().sum()
    pulled = torch.autograd.grad(energy, places, allow_unused=True, materialize_grads=True)
    return list(pulled)


@FEW
@given(cases())
def test_gradient_is_that_of_autograd(case: Case) -> None:
    assert_close(case.gradient(), by_autograd(case))
    with torch.no_grad():
        energy = case.network.gradient(case.z, case.x, case.mask, case.protein)[0]
    assert_close([energy], [case.energy()])


@SLOW
@given(cases())
def test_scripted_gradient_is_the_eager_one(case: Case) -> None:
    class Scripted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = case.network

        def forward(self, z: Tensor, x: Tensor, mask: Tensor, protein: Protein) -> list[Tensor]:
            _, places, near = self.network.gradient(z, x, mask, protein)
            return [places.x, places.ca, places.frames, near.ca, near.frames]

    script = torch.jit.script(Scripted())
    for _ in range(3):  # the profiling executor changes what runs after the first calls
        with torch.no_grad():
            scripted = script(case.z, case.x, case.mask, case.protein)
        assert_close(scripted, case.gradient())


@FEW
@given(cases(), SEEDS)
def test_gradient_turns_with_the_complex(case: Case, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    q = torch.linalg.qr(torch.randn(3, 3, dtype=DOUBLE, generator=generator))[0]
    q = q * torch.sign(torch.linalg.det(q))
    turned = case.at([place @ q.T for place in case.places()])
    assert_close(turned.gradient(), [pulled @ q.T for pulled in case.gradient()])


@FEW
@given(cases(), SEEDS)
def test_gradient_is_the_limit_of_differences(case: Case, seed: int) -> None:
    torch.manual_seed(seed)
    pushes = [torch.randn_like(place) for place in case.places()]
    h = 1e-5

    def energy(steps: float) -> float:
        places = [place + steps * h * push for place, push in zip(case.places(), pushes)]
        return float(case.at(places).energy().sum())

    numeric = (energy(-2) - 8 * energy(-1) + 8 * energy(1) - energy(2)) / (12 * h)
    slope = sum(float((pulled * push).sum()) for pulled, push in zip(case.gradient(), pushes))
    assert slope == pytest.approx(numeric, rel=1e-4, abs=1e-6)


@FEW
@given(SEEDS, st.integers(0, 6), st.booleans())
def test_residue_frames_are_pulled_back_as_by_autograd(
    seed: int, residues: int, line: bool
) -> None:
    torch.manual_seed(seed)
    points = torch.randn(2, residues, 3, 3, dtype=DOUBLE)
    if line:  # axes that are not defined
        points = points[..., :1] * torch.ones(3, dtype=DOUBLE)
    points.requires_grad_()
    isolated = torch.rand(2, residues) < 0.5
    frames, stored = keep_residue_frames(points, isolated)
    g = torch.randn_like(frames)
    expected = torch.autograd.grad(residue_frames(points, isolated), points, g)[0]
    scale = 1.0 + float(expected.abs().max()) if residues else 1.0
    assert_close([residue_frames_pullback(g, isolated, stored) / scale], [expected / scale])


@FEW
@given(SEEDS, st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_bonded_terms_have_the_gradient_of_autograd(seed: int, numbers: list[int]) -> None:
    torch.manual_seed(seed)
    terms = BondedTerms(Counts(*numbers)).to(DOUBLE)
    for name, values in terms.named_buffers():
        if name.endswith("atoms"):
            values.copy_(torch.rand(len(values), 7).argsort(1)[:, : values.shape[1]])
        else:
            values.uniform_(0.5, 3.0)
    x = (2.0 * torch.randn(2, 7, 3, dtype=DOUBLE)).requires_grad_()
    expected = torch.autograd.grad(terms(x).sum(), x)[0]
    scale = 1.0 + expected.abs().max()
    assert_close([terms.gradient(x.detach()) / scale], [expected / scale])


@pytest.mark.parametrize("name", ["t4l", "gpcr_complex"])
@pytest.mark.parametrize("grain", [None, 6.0], ids=["three grains", "four grains"])
def test_forces_on_all_particles_are_those_of_autograd(
    name: str, grain: float | None, request: pytest.FixtureRequest
) -> None:
    """Through frames and imaging, to the atoms of the backbone."""
    complex: Complex = request.getfixturevalue(name)
    torch.manual_seed(5)
    network = BindingNetSettings(hidden=8, num_radial=8, pocket_cutoff=grain, head="energy")
    dynamics = VerletMD(VerletMDSettings(network=network))
    module = ForceModule(dynamics, complex, 1.0, precision="double")
    box = None if complex.box is None else torch.as_tensor(complex.box)
    points = torch.as_tensor(complex.positions)[module.particles].requires_grad_()
    energy, forces = module.evaluate(points, box)
    expected = module.field.unit * module.field.field(*module.geometry(points, box))[0]
    assert_close([energy], [expected])
    assert not forces.requires_grad, "nobody takes a derivative of a force"
    (gradient,) = torch.autograd.grad(expected, points)
    assert_close([forces / gradient.abs().max()], [-gradient / gradient.abs().max()])


def test_acceleration_is_the_same_with_and_without_gradients(t4l: Complex) -> None:
    torch.manual_seed(2)
    settings = VerletMDSettings(network=BindingNetSettings(hidden=8, num_radial=8, head="energy"))
    dynamics, c = VerletMD(settings).to(DOUBLE), complex_tensors(t4l, DOUBLE)
    x = torch.as_tensor(10.0 * t4l.positions[t4l.ligand_sites]).unsqueeze(0)
    protein = dynamics.encode(c)
    learning = dynamics.acceleration(c, protein, x)
    with torch.no_grad():
        assert_close([dynamics.acceleration(c, protein, x)], [learning.detach()])
    assert learning.requires_grad, "training derives it by the weights"
