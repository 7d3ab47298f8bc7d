"""What must hold of BindingNet (design: model.md), on both complexes, in float64 and float32."""

from __future__ import annotations

import io

import pytest
import torch

from openmm_neuralmd.bindingnet.inputs import ComplexTensors, collate, complex_tensors
from openmm_neuralmd.bindingnet.network import BindingNet, LigandVectorNet, Protein
from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots

DOUBLE, SINGLE = torch.float64, torch.float32
EQUIVARIANCE = {DOUBLE: 1e-10, SINGLE: 1e-5}
PADDING = {DOUBLE: 1e-10, SINGLE: 1e-6}
dtypes = pytest.mark.parametrize("dtype", [DOUBLE, SINGLE], ids=["double", "single"])
grains = pytest.mark.parametrize("grain", [None, 6.0], ids=["three grains", "four grains"])
heads = pytest.mark.parametrize("head", ["force", "energy"])


def settings(head: str = "force", **kwargs) -> BindingNetSettings:
    sizes = {"hidden": 16, "vector_channels": 4, "ligand_layers": 2, "num_radial": 16}
    return BindingNetSettings(head=head, **{**sizes, **kwargs})


def network(head: str = "force", dtype: torch.dtype = DOUBLE, **kwargs) -> BindingNet:
    torch.manual_seed(7)
    return BindingNet(settings(head, **kwargs)).to(dtype).eval()


@pytest.fixture(params=["gpcr", "t4l"])
def complex(request: pytest.FixtureRequest, gpcr: Snapshots, t4l: Complex) -> Complex:
    return gpcr.complex if request.param == "gpcr" else t4l


def encode(net: BindingNet, c: ComplexTensors) -> Protein:
    return net.encode(c)


def ligand_of(complex: Complex, dtype: torch.dtype) -> torch.Tensor:
    positions = 10.0 * complex.positions[complex.ligand_heavy]
    return torch.as_tensor(positions, dtype=dtype).unsqueeze(0)


def evaluate(net: BindingNet, c: ComplexTensors, x: torch.Tensor) -> torch.Tensor:
    return net(c.z, x, c.mask, encode(net, c))


def rotation(seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(3, 3, dtype=DOUBLE, generator=generator))
    return q * torch.sign(torch.linalg.det(q))


def moved(complex: Complex, dtype: torch.dtype, q: torch.Tensor, shift: torch.Tensor):
    """Complex and ligand after x -> (x − c) Qᵀ + c + shift, moved in double and then rounded."""
    c, x = complex_tensors(complex, DOUBLE), ligand_of(complex, DOUBLE)
    centre = x.mean(1, keepdim=True)
    backbone = (c.backbone - centre.unsqueeze(1)) @ q.T + centre.unsqueeze(1) + shift
    pocket = (c.pocket_atoms - centre) @ q.T + centre + shift
    tensors = c._replace(
        backbone=backbone.to(dtype),
        mass=c.mass.to(dtype),
        pocket_features=c.pocket_features.to(dtype),
        pocket_atoms=pocket.to(dtype),
    )
    return tensors, ((x - centre) @ q.T + centre + shift).to(dtype)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(((a.double() - b.double()).norm() / b.double().norm()).detach())


@dtypes
@grains
def test_forces_turn_with_the_complex(
    complex: Complex, dtype: torch.dtype, grain: float | None
) -> None:
    net = network("force", dtype, pocket_cutoff=grain)
    still, nowhere = torch.eye(3, dtype=DOUBLE), torch.zeros(3, dtype=DOUBLE)
    reference = evaluate(net, *moved(complex, dtype, still, nowhere))
    assert reference.norm() > 1e-3, "a force of zero would turn with anything"
    q = rotation()
    turned = evaluate(net, *moved(complex, dtype, q, torch.tensor([3.0, -2.0, 1.0]).double()))
    assert relative(turned, reference.double() @ q.T) <= EQUIVARIANCE[dtype]


@dtypes
@grains
def test_energy_is_invariant(complex: Complex, dtype: torch.dtype, grain: float | None) -> None:
    net = network("energy", dtype, pocket_cutoff=grain)
    still, nowhere = torch.eye(3, dtype=DOUBLE), torch.zeros(3, dtype=DOUBLE)
    reference = evaluate(net, *moved(complex, dtype, still, nowhere))
    shift = torch.tensor([5.0, 1.0, -4.0]).double()
    assert (
        relative(evaluate(net, *moved(complex, dtype, rotation(), shift)), reference)
        <= (EQUIVARIANCE[dtype])
    )


@dtypes
def test_atom_order_does_not_matter(complex: Complex, dtype: torch.dtype) -> None:
    net = network("force", dtype)
    c, x = complex_tensors(complex, dtype), ligand_of(complex, dtype)
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(3))
    shuffled = c._replace(z=c.z[:, order], mass=c.mass[:, order])
    assert (
        relative(evaluate(net, shuffled, x[:, order]), evaluate(net, c, x)[:, order])
        <= EQUIVARIANCE[dtype]
    )


@dtypes
@heads
@grains
def test_batch_and_padding_change_nothing(
    gpcr: Snapshots, t4l: Complex, head: str, dtype: torch.dtype, grain: float | None
) -> None:
    net = network(head, dtype, pocket_cutoff=grain)
    complexes = [gpcr.complex, t4l]
    singles = [complex_tensors(c, dtype) for c in complexes]
    alone = [evaluate(net, c, ligand_of(k, dtype)) for c, k in zip(singles, complexes, strict=True)]
    batch = collate(singles)
    x = torch.full((2, batch.z.shape[1], 3), 1.5, dtype=dtype)  # padding is not at the origin
    for i, k in enumerate(complexes):
        ligand = ligand_of(k, dtype)
        x[i, : ligand.shape[1]] = ligand
    together = net(batch.z, x, batch.mask, encode(net, batch))
    for i, reference in enumerate(alone):
        result = together[i : i + 1, : reference.shape[1]] if head == "force" else together[i]
        assert relative(result, reference.reshape(result.shape)) <= PADDING[dtype]
    if head == "force":
        assert (together[~batch.mask] == 0).all()


@dtypes
def test_force_is_the_gradient_of_the_energy(complex: Complex, dtype: torch.dtype) -> None:
    """Autograd in either precision against fourth-order differences of the energy in double."""
    net, exact = network("energy", dtype), network("energy", DOUBLE)
    c, x = complex_tensors(complex, dtype), ligand_of(complex, dtype).requires_grad_()
    gradient = torch.autograd.grad(net(c.z, x, c.mask, encode(net, c)).sum(), x)[0]
    c, x = complex_tensors(complex, DOUBLE), ligand_of(complex, DOUBLE)
    protein = encode(exact, c)
    step = 1e-4
    largest = float(gradient.abs().max())
    for atom in (0, x.shape[1] // 2, x.shape[1] - 1):
        for axis in range(3):
            with torch.no_grad():
                push = torch.zeros_like(x)
                push[0, atom, axis] = step
                energy = [exact(c.z, x + s * push, c.mask, protein) for s in (-2, -1, 1, 2)]
            numeric = float((energy[0] - 8 * energy[1] + 8 * energy[2] - energy[3]) / 12 / step)
            error = abs(numeric - float(gradient[0, atom, axis]))
            assert error <= {DOUBLE: 1e-6, SINGLE: 1e-4}[dtype] * largest


def boundary_scan(
    net: BindingNet,
    c: ComplexTensors,
    x: torch.Tensor,
    atom: int,
    to: torch.Tensor,
    cutoff: float,
) -> float:
    """Relative change of the force while `atom` takes a small step across the cutoff of `to`."""
    protein = encode(net, c)
    away = x[0, atom] - to
    edge = (cutoff**2 - 1e-6) ** 0.5  # the smooth length has ε² = 1e-6 inside
    step = {DOUBLE: 1e-6, SINGLE: 1e-4}[x.dtype]
    forces = []
    for offset in (-step, step):
        y = x.clone()
        y[0, atom] = to + away / away.norm() * (edge + offset)
        forces.append(net(c.z, y, c.mask, protein))
    return relative(forces[0], forces[1])


@dtypes
def test_force_is_continuous_at_every_cutoff(complex: Complex, dtype: torch.dtype) -> None:
    net = network("force", dtype)
    c, x = complex_tensors(complex, dtype), ligand_of(complex, dtype)
    ca = c.backbone[0, :, 1]
    nearest = int((ca - x[0, 0]).norm(dim=-1).argmin())
    tolerance = {DOUBLE: 1e-4, SINGLE: 5e-3}[dtype]
    assert boundary_scan(net, c, x, 0, x[0, -1].clone(), 5.0) < tolerance
    assert boundary_scan(net, c, x, 0, ca[nearest], 10.0) < tolerance


@dtypes
def test_degenerate_geometry_stays_finite(complex: Complex, dtype: torch.dtype) -> None:
    net = network("force", dtype)
    c, x = complex_tensors(complex, dtype), ligand_of(complex, dtype)
    on_a_line = x[:, :1] + torch.arange(x.shape[1], dtype=dtype)[None, :, None]
    coincident = x.clone()
    coincident[0, 1] = coincident[0, 0]
    on_an_alpha_carbon = x.clone()
    on_an_alpha_carbon[0, 0] = c.backbone[0, 10, 1]
    for geometry in (on_a_line, coincident, on_an_alpha_carbon):
        y = geometry.clone().requires_grad_()
        force = evaluate(net, c, y)
        force.square().sum().backward()
        assert y.grad is not None
        assert torch.isfinite(force).all() and torch.isfinite(y.grad).all()
        assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@dtypes
def test_mirror_image_gives_another_answer(complex: Complex, dtype: torch.dtype) -> None:
    net = network("force", dtype)
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=DOUBLE))
    nowhere = torch.zeros(3, dtype=DOUBLE)
    reference = evaluate(net, *moved(complex, dtype, torch.eye(3, dtype=DOUBLE), nowhere))
    mirrored = evaluate(net, *moved(complex, dtype, mirror, nowhere))
    assert relative(mirrored, reference.double() @ mirror.T) > 1e-3


@dtypes
@heads
def test_eager_scripted_and_reloaded_agree(complex: Complex, head: str, dtype: torch.dtype) -> None:
    net = network(head, dtype)
    c, x = complex_tensors(complex, dtype), ligand_of(complex, dtype)
    protein = encode(net, c)
    eager = net(c.z, x, c.mask, protein)
    scripted = torch.jit.script(net)
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    for other in (scripted, torch.jit.load(file)):
        for _ in range(3):  # the profiling executor changes what runs after the first calls
            assert relative(other(c.z, x, c.mask, protein), eager) <= 1e-6


def test_distance_enters_the_complex_edge(t4l: Complex) -> None:
    """The published code's protein–ligand force was the same at 1 Å and at 4.999 Å."""
    net = network("force")
    c, x = complex_tensors(t4l, DOUBLE), ligand_of(t4l, DOUBLE)
    lone = c._replace(residue_mask=torch.zeros_like(c.residue_mask))
    lone.residue_mask[0, 80] = True
    centre = c.backbone[0, 80, 1]
    shape = x - x.mean(1, keepdim=True)
    direction = torch.tensor([0.6, 0.0, 0.8], dtype=DOUBLE)
    at = [evaluate(net, lone, shape + centre + d * direction) for d in (4.0, 7.0, 60.0)]
    external = [force - at[2] for force in at]
    assert relative(external[0], external[1]) > 0.05
    assert external[1].norm() > 1e-6


def test_too_many_residues_is_not_silently_cut(t4l: Complex) -> None:
    net = network("force", complex_neighbours=3)
    c, x = complex_tensors(t4l, DOUBLE), ligand_of(t4l, DOUBLE)
    assert torch.isnan(evaluate(net, c, x)).any()


def test_cost_of_a_step_does_not_see_far_residues(t4l: Complex) -> None:
    """Residues out of reach change nothing, so only the nearest enter the arithmetic."""
    net = network("force")
    c, x = complex_tensors(t4l, DOUBLE), ligand_of(t4l, DOUBLE)
    protein = encode(net, c)
    far = (c.backbone[0, :, None, 1] - x[0]).norm(dim=-1).amin(1) > 10.01
    assert far.any()
    scrambled = protein._replace(h=torch.where(far[None, :, None], protein.h + 5.0, protein.h))
    reference = net(c.z, x, c.mask, protein)
    assert torch.equal(net(c.z, x, c.mask, scrambled), reference)


@dtypes
def test_velocity_enters_as_a_vector(complex: Complex, dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    net = LigandVectorNet(settings()).to(dtype)
    c, x = complex_tensors(complex, dtype), ligand_of(complex, dtype)
    v = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=DOUBLE).to(dtype)
    q = rotation(2)
    centre = x.double().mean(1, keepdim=True)
    turned = ((x.double() - centre) @ q.T).to(dtype)
    reference = net(c.z, x, c.mask, v)
    result = net(c.z, turned, c.mask, (v.double() @ q.T).to(dtype))
    assert relative(result, reference.double() @ q.T) <= EQUIVARIANCE[dtype]
    assert relative(net(c.z, x, c.mask, 2 * v), reference) > 1e-4


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="hidden"):
        BindingNetSettings(hidden=0)
    with pytest.raises(ValueError, match="head"):
        BindingNetSettings(head="charges")
