"""Vector frames: orthonormal where they are defined, faded where not, never across a gap."""

from __future__ import annotations

import hypothesis.strategies as st
import torch
from hypothesis import given, settings

from openmm_neuralmd.bindingnet.radial import ExpNorm, envelope
from openmm_neuralmd.bindingnet.vector_frames import (
    COLLINEAR,
    backbone_frames,
    frame_atoms,
    length,
    pair_frames,
    residue_frames,
    unit,
)


def points(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(*shape, 3, dtype=torch.float64, generator=generator)


def atom_frames(x: torch.Tensor) -> torch.Tensor:
    """Frames (B, n, n, 3, 3) of all pairs of atoms (B, n, 3)."""
    xi, xj = torch.broadcast_tensors(x.unsqueeze(2), x.unsqueeze(1))
    return pair_frames(unit(xi - xj), xi, xj)


def assert_orthonormal(frames: torch.Tensor) -> None:
    gram = frames @ frames.transpose(-1, -2)
    assert torch.allclose(gram, torch.eye(3, dtype=frames.dtype).expand_as(gram), atol=2e-5)


@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_backbone_frames_are_right_handed_bases(seed: int) -> None:
    ideal = torch.tensor([[-1.46, 0, 0], [0, 0, 0], [0.55, 1.42, 0]], dtype=torch.float64)
    n, ca, c = ideal.unsqueeze(1) + 0.05 * points(seed, 3, 5)
    frames = backbone_frames(n, ca, c)
    assert_orthonormal(frames)
    assert torch.allclose(torch.linalg.det(frames), torch.ones(5).double(), atol=1e-4)


def test_atom_frames_do_not_depend_on_the_origin_given_the_centroid() -> None:
    x = points(0, 1, 6)
    x = x - x.mean(1, keepdim=True)
    frames = atom_frames(x)
    off = ~torch.eye(6, dtype=torch.bool)
    assert torch.allclose(frames[0, off, 0].norm(dim=-1), torch.ones(30).double(), atol=1e-5)
    area = torch.linalg.cross(*torch.broadcast_tensors(x[:, :, None], x[:, None])).norm(dim=-1)
    faded = area / (area**2 + COLLINEAR**2).sqrt()
    assert torch.allclose(frames[..., 1, :].norm(dim=-1), faded, atol=1e-9)
    # the second axis is normal to both position vectors, so to the first axis as well
    assert torch.allclose(
        (frames[..., 0, :] * frames[..., 1, :]).sum(-1)[0, off], torch.zeros(30).double(), atol=1e-9
    )


def test_undefined_axes_fade_to_zero() -> None:
    assert torch.equal(unit(torch.zeros(3)), torch.zeros(3))
    assert length(torch.zeros(3)) == 1e-3
    collinear = torch.tensor([[[-1.4, 0, 0], [0, 0, 0], [1.4, 0, 0]]], dtype=torch.float64)
    frames = atom_frames(collinear)
    assert torch.equal(frames[0, 0, 2, 1], torch.zeros(3, dtype=torch.float64))
    assert torch.equal(frames[0, 0, 2, 2], torch.zeros(3, dtype=torch.float64))


def linked(pattern: str) -> torch.Tensor:
    """'---|-|' : a residue per character, '-' bonded to the next, '|' end of a chain."""
    return torch.tensor([[letter == "-" for letter in pattern]])


def test_residue_frame_of_an_interior_residue_by_hand() -> None:
    ca = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [1.0, 1.0, 0]], dtype=torch.float64)
    frame = residue_frames(ca, torch.tensor(False))
    # u_before = x, u_after = y: bisector (y − x)/√2, normal y × x = −z
    r = 0.5**0.5
    expected = torch.tensor([[-r, r, 0], [0, 0, -1], [-r, -r, 0]], dtype=torch.float64)
    assert torch.allclose(frame, expected, atol=1e-5)


def test_which_atoms_a_frame_is_built_from() -> None:
    atoms, isolated = frame_atoms(linked("--|-||--|"))
    # chain 0-2: the middle's frame for all; chain 3-4 has no interior; 5 is alone; 6-8 as 0-2
    assert atoms[0, :3].tolist() == [[1, 4, 7]] * 3
    assert atoms[0, 6:].tolist() == [[19, 22, 25]] * 3
    assert isolated[0].tolist() == [False] * 3 + [True] * 3 + [False] * 3
    assert atoms[0, 3:6].tolist() == [[3 * r, 3 * r + 1, 3 * r + 2] for r in (3, 4, 5)]


@given(st.text(alphabet="-|", min_size=1, max_size=30))
@settings(deadline=None)
def test_no_frame_reaches_across_a_gap(pattern: str) -> None:
    links = linked(pattern)
    chain = torch.cumsum(torch.cat((torch.zeros(1), ~links[0, :-1])), 0)
    atoms, _ = frame_atoms(links)
    residues = atoms[0] // 3
    assert (residues >= 0).all() and (residues < len(pattern)).all()
    assert (chain[residues] == chain[torch.arange(len(pattern))].unsqueeze(-1)).all()


@given(st.text(alphabet="-|", min_size=1, max_size=12), st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_an_isolated_residue_has_its_backbone_frame(pattern: str, seed: int) -> None:
    links = linked(pattern)
    backbone = points(seed, 1, len(pattern), 3)
    atoms, isolated = frame_atoms(links)
    flat = backbone.flatten(1, 2)
    frames = residue_frames(flat[0][atoms[0]].unsqueeze(0), isolated)
    own = backbone_frames(backbone[:, :, 0], backbone[:, :, 1], backbone[:, :, 2])
    assert torch.equal(frames[isolated], own[isolated])


def test_envelope_vanishes_with_two_derivatives() -> None:
    d = torch.tensor([5.0, 4.999, 0.0], dtype=torch.float64, requires_grad=True)
    u = envelope(d, 5.0)
    first = torch.autograd.grad(u.sum(), d, create_graph=True)[0]
    second = torch.autograd.grad(first.sum(), d)[0]
    assert u[0] == 0 and u[2] == 1 and float(u[1].detach()) < 1e-9
    assert abs(float(first[1].detach())) < 1e-5 and abs(float(second[1])) < 1e-2
    assert envelope(torch.tensor(9.0), 5.0) == 0


def test_every_distance_lights_the_basis() -> None:
    basis = ExpNorm(16, 5.0)
    values = basis(torch.linspace(0.0, 5.0, 200))
    assert values.shape == (200, 16)
    assert (values > 0).all() and (values <= 1).all()
    assert (values.amax(-1) > 0.5).all()
