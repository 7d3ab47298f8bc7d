"""Projection repairs what noise tears, and touches nothing that is right."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import AllChem
from torch import Tensor

from openmm_neuralmd.dynamics.projection import project, reference_lengths
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.structure.pairs import bonded_pairs

IMATINIB = "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1"


def molecule(smiles: str) -> tuple[Tensor, Tensor]:
    """Heavy-atom geometry (n, 3) in Å and bonds (b, 2) of a real molecule, float64."""
    with_hydrogens = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(with_hydrogens, randomSeed=7)
    AllChem.MMFFOptimizeMolecule(with_hydrogens)
    heavy = Chem.RemoveHs(with_hydrogens)
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in heavy.GetBonds()]
    return torch.tensor(heavy.GetConformer().GetPositions()), torch.tensor(bonds)


@pytest.fixture(scope="module")
def imatinib() -> tuple[Tensor, Tensor, Tensor]:
    x, bonds = molecule(IMATINIB)
    pairs = torch.from_numpy(bonded_pairs(bonds, len(x)))
    return x, pairs, reference_lengths(x[None], pairs)


def shaken(x: Tensor, noise: float, copies: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return x + noise * torch.randn(copies, *x.shape, generator=generator, dtype=x.dtype)


def worst(x: Tensor, pairs: Tensor, lengths: Tensor) -> Tensor:
    """Largest relative deviation of a distance in each snapshot."""
    distances = (x[..., pairs[:, 0], :] - x[..., pairs[:, 1], :]).norm(dim=-1)
    return (distances / lengths - 1).abs().amax(-1)


def rotation(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    q = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
    return q * torch.linalg.det(q)


@pytest.mark.parametrize(("noise", "bound"), [(0.2, 0.06), (0.4, 0.10), (0.7, 0.25)])
def test_noise_is_repaired_and_mostly_kept(
    imatinib: tuple[Tensor, Tensor, Tensor], noise: float, bound: float
) -> None:
    x, pairs, lengths = imatinib
    torn = shaken(x, noise, 400)
    repaired = project(torn, pairs, lengths)
    assert (worst(torn, pairs, lengths) > 0.25).double().mean() > (0.9 if noise < 0.3 else 0.999)
    assert worst(repaired, pairs, lengths).quantile(0.9) <= bound
    kept = (repaired - x).square().mean().sqrt()
    assert 0.5 * noise < kept < 0.7 * noise


def test_right_geometry_is_a_fixed_point(imatinib: tuple[Tensor, Tensor, Tensor]) -> None:
    x, pairs, lengths = imatinib
    torch.testing.assert_close(project(x, pairs, lengths, 50), x, rtol=0, atol=1e-13)


def test_converges_fast_where_distances_fix_the_shape() -> None:
    x, bonds = molecule("CC(C)C(O)CC(N)CO")
    pairs = torch.from_numpy(bonded_pairs(bonds, len(x)))
    lengths = reference_lengths(x[None], pairs)
    torn = shaken(x, 0.2, 50)
    left = {k: worst(project(torn, pairs, lengths, k), pairs, lengths) for k in (20, 200, 2000)}
    assert left[20].max() < 0.10
    assert left[200].median() < 0.005
    assert left[2000].max() < 1e-4


def test_converges_on_flat_rings(imatinib: tuple[Tensor, Tensor, Tensor]) -> None:
    """A flat ring may bend out of its plane almost for free, so the last per mille is slow."""
    x, pairs, lengths = imatinib
    torn = shaken(x, 0.2, 20)
    left = [
        float(worst(project(torn, pairs, lengths, k), pairs, lengths).max())
        for k in (0, 5, 20, 80, 320, 1280)
    ]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.02


def test_a_stretched_bond_by_hand() -> None:
    """One pair alone: ω = 1.9 overshoots by 0.9 of the error a sweep, shared equally."""
    x = torch.tensor([[0.0, 0, 0], [2.0, 0, 0]], dtype=torch.float64)
    pair, length = torch.tensor([[0, 1]]), torch.tensor([1.0], dtype=torch.float64)
    once = project(x, pair, length, 1)
    assert once[0, 0] == pytest.approx(1.9 / 2, abs=1e-5)
    assert once[1, 0] == pytest.approx(2 - 1.9 / 2, abs=1e-5)
    done = project(x, pair, length, 300)
    torch.testing.assert_close(done[:, 0], torch.tensor([0.5, 1.5]).double(), atol=1e-9, rtol=0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_symmetries(seed: int) -> None:
    """Mean position and angular momentum kept; turns, shifts and renumbers with its input."""
    x0, bonds = molecule("CC(=O)Oc1ccccc1C(=O)O")
    n = len(x0)
    pairs = torch.from_numpy(bonded_pairs(bonds, n))
    lengths = reference_lengths(x0[None], pairs)
    generator = torch.Generator().manual_seed(seed)
    x = shaken(x0, 0.4, 2, seed)
    y = project(x, pairs, lengths, 20)
    torch.testing.assert_close(y.sum(1), x.sum(1), atol=1e-9, rtol=0)
    step = project(x, pairs, lengths, 1) - x
    torch.testing.assert_close(
        torch.linalg.cross(x, step).sum(1), torch.zeros(2, 3).double(), atol=1e-9, rtol=0
    )
    turn, shift = rotation(seed), torch.tensor([10.0, -20.0, 5.0]).double()
    torch.testing.assert_close(
        project(x @ turn.T + shift, pairs, lengths, 20),
        y @ turn.T + shift,
        atol=1e-8,
        rtol=0,
    )
    order = torch.randperm(n, generator=generator)
    back = torch.argsort(order)
    renumbered = project(x[:, order], back[pairs], lengths, 20)
    torch.testing.assert_close(renumbered[:, back], y, atol=1e-8, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_and_keeps_its_input(
    imatinib: tuple[Tensor, Tensor, Tensor], dtype: torch.dtype
) -> None:
    x, pairs, lengths = imatinib
    torn = shaken(x, 0.4, 6).to(dtype)
    before = torn.clone()
    batch = project(torn.view(2, 3, *x.shape), pairs, lengths)
    assert batch.dtype == dtype
    assert torch.equal(torn, before)
    tight = {"rtol": 0, "atol": 1e-12 if dtype == torch.float64 else 1e-5}
    single = torch.stack([project(one, pairs, lengths) for one in torn])
    torch.testing.assert_close(batch.view_as(torn), single, **tight)


def test_gradient_is_that_of_finite_differences() -> None:
    x, bonds = molecule("CCO")
    pairs = torch.from_numpy(bonded_pairs(bonds, 3))
    lengths = reference_lengths(x[None], pairs)
    torn = shaken(x, 0.3, 2).requires_grad_()
    lengths.requires_grad_()
    assert torch.autograd.gradcheck(lambda y, d: project(y, pairs, d, 5), (torn, lengths))


def test_coincident_atoms_give_no_nan() -> None:
    x = torch.zeros(3, 3, requires_grad=True)
    y = project(x, torch.tensor([[0, 1], [1, 2]]), torch.ones(2))
    y.sum().backward()
    assert torch.isfinite(y).all()
    assert torch.isfinite(x.grad).all()


def test_pairs_of_a_ring_with_a_tail() -> None:
    bonds = torch.tensor([[0, 1], [2, 1], [2, 3], [3, 0], [4, 3]])
    expected = [[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [1, 3], [2, 3], [2, 4], [3, 4]]
    assert bonded_pairs(bonds, 5).tolist() == expected
    assert bonded_pairs(torch.empty(0, 2, dtype=torch.int64), 3).shape == (0, 2)


@given(st.integers(1, 12), st.data())
def test_pairs_are_the_paths_of_one_or_two_bonds(n: int, data: st.DataObject) -> None:
    atom = st.integers(0, n - 1)
    bonds = data.draw(
        st.lists(st.tuples(atom, atom).filter(lambda b: b[0] != b[1]), max_size=15)
        if n > 1
        else st.just([])
    )
    joined = {frozenset(b) for b in bonds}
    expected = [
        [i, j]
        for i in range(n)
        for j in range(i + 1, n)
        if {i, j} in joined or any({i, k} in joined and {k, j} in joined for k in range(n))
    ]
    assert bonded_pairs(bonds, n).tolist() == expected


def test_no_pairs_leave_everything_where_it_is() -> None:
    x = torch.randn(2, 3)
    none = torch.empty(0, 2, dtype=torch.int64)
    assert torch.equal(project(x, none, torch.empty(0)), x)


def test_bad_bonds() -> None:
    with pytest.raises(InputError, match="Bonds name atoms 0 to 5, but the molecule's atoms are"):
        bonded_pairs(torch.tensor([[0, 5]]), 5)
    with pytest.raises(InputError, match="joins an atom to itself"):
        bonded_pairs(torch.tensor([[2, 2]]), 5)
