"""Vector frames at three grains, and the projection on them (paper, 'Multi-grained vector frames').

A frame is a (3, 3) tensor whose rows are its axes.  Axes are built with a length that is smooth
at zero, so a frame whose axes are not defined (collinear or coincident points) fades to zero
instead of becoming NaN.
"""

# No postponed annotations: TorchScript does not read them in nested tuples.

from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-3
"""Length (Å, or of unit vectors) below which a direction fades out."""
COLLINEAR = 0.25
"""Å², of the cross product of two atoms' positions, below which the normal of a pair fades out.

Para atoms of a ring are collinear with the centroid and cross that line with every vibration.  With
1e-3 the frame turned round within 1e-3 Å: forces in single precision were off by 5e-4, and no
femtosecond step could have followed the energy.
"""


def length(v: Tensor, epsilon: float = EPSILON, dim: int = -1) -> Tensor:
    """Smooth length sqrt(|v|² + ε²) of vectors along a dimension: finite gradient at v = 0."""
    return torch.sqrt((v * v).sum(dim) + epsilon * epsilon)


def unit(v: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Direction v / sqrt(|v|² + ε²) of vectors (..., 3); zero for the zero vector."""
    return v / length(v, epsilon).unsqueeze(-1)


def unit_pullback(g: Tensor, direction: Tensor, size: Tensor) -> Tensor:
    """Pullback of `unit`, from its result and the length (...) that v was divided by."""
    along = (direction * g).sum(-1, keepdim=True)
    return torch.addcmul(g, along, direction, value=-1.0) / size.unsqueeze(-1)


def complete(a: Tensor, b: Tensor) -> Tensor:
    """Frame (..., 3, 3) with the rows a, b and a × b."""
    return torch.stack((a, b, torch.linalg.cross(a, b)), dim=-2)


def complete_pullback(g: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives by a and b."""
    g_a, g_b, g_c = g.unbind(-2)
    return g_a + torch.linalg.cross(b, g_c), g_b + torch.linalg.cross(g_c, a)


def pair_frames(direction: Tensor, xi: Tensor, xj: Tensor, collinear: float = COLLINEAR) -> Tensor:
    """Frame of pairs of ligand atoms.

    Parameters
    ----------
    direction : Tensor (..., 3)
        unit(x_i − x_j).
    xi, xj : Tensor (..., 3)
        Ligand coordinates relative to the ligand's centroid, Å.  The paper's cross product
        x_i × x_j depends on the origin; measured from the centroid it does not.
    collinear : float
        See `COLLINEAR`.

    Returns
    -------
    Tensor (..., 3, 3)
        Rows unit(x_i − x_j), unit(x_i × x_j) and their cross product.
    """
    return complete(direction, unit(torch.linalg.cross(xi, xj), collinear))


def pair_frames_pullback(
    g: Tensor, frames: Tensor, xi: Tensor, xj: Tensor, collinear: float = COLLINEAR
) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives by direction, xi and xj."""
    direction, normal, _ = frames.unbind(-2)
    g_direction, g_normal = complete_pullback(g, direction, normal)
    size = length(torch.linalg.cross(xi, xj), collinear)
    g_normal = unit_pullback(g_normal, normal, size)
    return g_direction, torch.linalg.cross(xj, g_normal), torch.linalg.cross(g_normal, xi)


def backbone_frames(n: Tensor, ca: Tensor, c: Tensor) -> Tensor:
    """Gram–Schmidt frame (..., 3, 3) of CA − N and C − CA for backbone atoms (..., 3)."""
    first = unit(ca - n)
    w = c - ca
    second = unit(w - (w * first).sum(-1, keepdim=True) * first)
    return complete(first, second)


def residue_frames(points: Tensor, isolated: Tensor) -> Tensor:
    """Frame of each residue from three points of the chain.

    Parameters
    ----------
    points : Tensor (..., 3, 3)
        Cα of the previous, this and the next residue; for an isolated residue its own N, Cα, C.
        A terminus has the points of its neighbour, and so its neighbour's frame.
    isolated : Tensor (...), bool
        Residues without a neighbour in their chain: they take their backbone frame.

    Returns
    -------
    Tensor (..., 3, 3)
        Rows unit(u_r − u_{r−1}), unit(u_r × u_{r−1}) and their cross product.
    """
    return keep_residue_frames(points, isolated)[0]


class KeptFrames(NamedTuple):
    """Steps w along the chain (..., 2, 3), their directions u, the axes a, b, and three lengths."""

    w: Tensor
    u: Tensor
    u_size: Tensor
    a: Tensor
    a_size: Tensor
    b: Tensor
    b_size: Tensor


def keep_residue_frames(points: Tensor, isolated: Tensor) -> tuple[Tensor, KeptFrames]:
    """Frames of `residue_frames`, and what `residue_frames_pullback` needs."""
    w = points[..., 1:, :] - points[..., :2, :]
    u_size = length(w)
    u = w / u_size.unsqueeze(-1)
    before, after = u.unbind(-2)
    alone, last = isolated.unsqueeze(-1), w[..., 1, :]
    turn = after - before
    a_size = length(turn)
    a = torch.where(alone, before, turn / a_size.unsqueeze(-1))
    rest = last - (last * before).sum(-1, keepdim=True) * before
    normal = torch.where(alone, rest, torch.linalg.cross(after, before))
    b_size = length(normal)
    b = normal / b_size.unsqueeze(-1)
    return complete(a, b), KeptFrames(w, u, u_size, a, a_size, b, b_size)


def residue_frames_pullback(g: Tensor, isolated: Tensor, stored: KeptFrames) -> Tensor:
    """Derivative by the points (..., 3, 3)."""
    before, after = stored.u.unbind(-2)
    alone, last = isolated.unsqueeze(-1), stored.w[..., 1, :]
    g_a, g_b = complete_pullback(g, stored.a, stored.b)
    g_normal = unit_pullback(g_b, stored.b, stored.b_size)
    g_turn = unit_pullback(g_a, stored.a, stored.a_size).masked_fill(alone, 0.0)
    # In a chain b is along after × before, else along the last step without its part along a.
    across = g_normal.masked_fill(alone, 0.0)
    g_rest = g_normal - across
    along = (g_rest * before).sum(-1, keepdim=True)
    g_before = torch.linalg.cross(across, after) - g_turn + g_a.masked_fill(~alone, 0.0)
    g_before = g_before - along * last - (last * before).sum(-1, keepdim=True) * g_rest
    g_after = torch.linalg.cross(before, across) + g_turn
    first, second = unit_pullback(
        torch.stack((g_before, g_after), dim=-2), stored.u, stored.u_size
    ).unbind(-2)
    second = second + g_rest - along * before
    return torch.stack((-first, first - second, second), dim=-2)


def frame_atoms(linked: Tensor) -> tuple[Tensor, Tensor]:
    """Name the backbone atoms that the residue frames are built from.

    Parameters
    ----------
    linked : Tensor (..., R), bool
        Residue r is bonded to residue r + 1: no frame reaches across a chain end or a gap.

    Returns
    -------
    atoms : Tensor (..., R, 3), int64
        Indices into the backbone atoms in the order N, Cα, C of residue 0, 1, ...
    isolated : Tensor (..., R), bool

    Examples
    --------
    Three residues in a chain: both ends borrow the frame of the middle.

    >>> import torch
    >>> from openmm_neuralmd.bindingnet import frame_atoms
    >>> atoms, isolated = frame_atoms(torch.tensor([True, True, False]))
    >>> atoms.tolist(), isolated.tolist()
    ([[1, 4, 7], [1, 4, 7], [1, 4, 7]], [False, False, False])
    """
    residues = linked.shape[-1]
    after = linked.clone()
    if residues > 0:
        after[..., -1] = False
    before = torch.zeros_like(after)
    before[..., 1:] = after[..., :-1]
    interior = before & after
    # A terminus (one neighbour) borrows the frame of that neighbour, if that one is interior.
    borrow_next = torch.zeros_like(interior)
    borrow_next[..., :-1] = after[..., :-1] & ~before[..., :-1] & interior[..., 1:]
    borrow_last = torch.zeros_like(interior)
    borrow_last[..., 1:] = before[..., 1:] & ~after[..., 1:] & interior[..., :-1]
    isolated = ~(interior | borrow_next | borrow_last)
    r = torch.arange(residues, device=linked.device).expand(linked.shape)
    centre = r + borrow_next.long() - borrow_last.long()
    chain = torch.stack((3 * centre - 2, 3 * centre + 1, 3 * centre + 4), dim=-1)
    own = torch.stack((3 * r, 3 * r + 1, 3 * r + 2), dim=-1)
    return torch.where(isolated.unsqueeze(-1), own, chain), isolated
