"""Every metric against a case worked by hand, a plain loop, and what must leave it unchanged."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from openmm_neuralmd.analysis import geometry, metrics
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.structure.pairs import bonded_pairs

# Two snapshots of three atoms.  Snapshot 0 is right but for atom 2, which is 3 Å (along x) off;
# snapshot 1 is shifted as a whole by (0, 1, 0).
TRUTH = np.array([[[0, 0, 0], [1, 0, 0], [2, 0, 0]]] * 2, dtype=float)
PREDICTION = np.array(
    [[[0, 0, 0], [1, 0, 0], [5, 0, 0]], [[0, 1, 0], [1, 1, 0], [2, 1, 0]]], dtype=float
)
BY_HAND = {
    "mae": 6 / 18,
    "mae_xyz_sum": 6 / 6,
    "rmse": math.sqrt((9 + 3) / 6),
    "mean_distance": (3 + 3) / 6,
    "matching_mse": (9 + 9) / 6,  # distances 0–2 and 1–2 of snapshot 0 are 3 Å too long
    "matching": math.sqrt(3),
    "stability": 100 * 4 / 6,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name: str) -> None:
    assert getattr(metrics, name)(TRUTH, PREDICTION) == pytest.approx(BY_HAND[name], rel=1e-14)
    assert metrics.metrics_table(TRUTH, PREDICTION)[name] == pytest.approx(BY_HAND[name])


def test_stability_includes_its_tolerance() -> None:
    truth = np.array([[[0, 0, 0], [1, 0, 0]]], dtype=float)
    longer = lambda by: truth * (1 + by)  # noqa: E731
    assert metrics.stability(truth, longer(0.5)) == 100.0
    assert metrics.stability(truth, longer(0.500001)) == 0.0


def loops(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """The definitions, spelt out without a vector operation."""
    snapshots, n, _ = truth.shape
    absolute, squares, distances, pair_squares, stable = [], [], [], [], []
    for s in range(snapshots):
        for i in range(n):
            d = [prediction[s, i, k] - truth[s, i, k] for k in range(3)]
            absolute += [abs(c) for c in d]
            squares.append(sum(c * c for c in d))
            distances.append(math.sqrt(squares[-1]))
            for j in range(i + 1, n):
                true, predicted = math.dist(*truth[s, [i, j]]), math.dist(*prediction[s, [i, j]])
                pair_squares.append((predicted - true) ** 2)
                stable.append(abs(predicted - true) <= 0.5)
    return {
        "mae": np.mean(absolute),
        "mae_xyz_sum": 3 * np.mean(absolute),
        "rmse": math.sqrt(np.mean(squares)),
        "mean_distance": np.mean(distances),
        "matching_mse": np.mean(pair_squares),
        "matching": math.sqrt(np.mean(pair_squares)),
        "stability": 100 * np.mean(stable),
    }


@st.composite
def both(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = (draw(st.integers(1, 4)), draw(st.integers(2, 6)), 3)
    seed = draw(st.integers(0, 2**32 - 1))
    scale = draw(st.sampled_from([1e-3, 0.3, 1.0, 30.0]))
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=shape, scale=5.0)
    return truth, truth + scale * generator.normal(size=shape)


@given(both())
def test_agrees_with_plain_loops(case: tuple[np.ndarray, np.ndarray]) -> None:
    table = metrics.metrics_table(*case)
    for name, value in loops(*case).items():
        assert table[name] == pytest.approx(value, rel=1e-10, abs=1e-12), name


@given(both())
def test_how_the_errors_bound_each_other(case: tuple[np.ndarray, np.ndarray]) -> None:
    table, tiny = metrics.metrics_table(*case), 1 + 1e-12
    assert table["mean_distance"] <= table["rmse"] * tiny  # Jensen
    assert (
        table["mean_distance"]
        <= table["mae_xyz_sum"] * tiny
        <= 3**0.5 * tiny**2 * (table["mean_distance"])
    )
    assert table["mae"] <= table["rmse"] / 3**0.5 * tiny
    assert table["matching"] <= 2 * np.abs(case[1] - case[0]).max() * 3**0.5 * tiny
    assert 0.0 <= table["stability"] <= 100.0


@given(both(), st.integers(0, 2**32 - 1))
def test_rigid_motion(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    """Moving both changes nothing; moving the prediction alone changes no internal metric."""
    truth, prediction = case
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    shift = generator.normal(size=3, scale=10)
    move = lambda x: x @ rotation.T + shift  # noqa: E731
    still = metrics.metrics_table(truth, prediction)
    together = metrics.metrics_table(move(truth), move(prediction))
    alone = metrics.metrics_table(truth, move(prediction))
    for name in ("rmse", "mean_distance", "matching", "matching_mse"):
        assert together[name] == pytest.approx(still[name], rel=1e-9, abs=1e-11)
    for name in ("matching", "matching_mse"):
        assert alone[name] == pytest.approx(still[name], rel=1e-8, abs=1e-11)
    assert alone["stability"] == still["stability"]


@given(arrays.arrays(float, (3, 4, 3), elements=st.floats(-50, 50)))
def test_a_perfect_prediction(x: np.ndarray) -> None:
    table = metrics.metrics_table(x, x)
    assert table["stability"] == 100.0
    assert all(table[name] == 0.0 for name in BY_HAND if name != "stability")


@pytest.mark.parametrize(
    ("truth", "prediction", "says"),
    [
        (TRUTH, PREDICTION[:1], "truth has shape (2, 3, 3) and prediction (1, 3, 3)"),
        (TRUTH[0], PREDICTION[0], "expected (snapshots ≥ 1, atoms, 3)"),
        (TRUTH[:0], PREDICTION[:0], "expected (snapshots ≥ 1, atoms, 3)"),
        (TRUTH[:, :1], PREDICTION[:, :1], "at least 2"),
    ],
)
def test_bad_shapes(truth: np.ndarray, prediction: np.ndarray, says: str) -> None:
    with pytest.raises(InputError) as error:
        metrics.metrics_table(truth, prediction)
    assert says in str(error.value)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_named(bad: float) -> None:
    broken = PREDICTION.copy()
    broken[1, 2, 0] = bad
    with pytest.raises(InputError, match="prediction is not finite at snapshot 1, atom 2"):
        metrics.rmse(TRUTH, broken)


# A bent chain of four carbon atoms, 1.5 Å and 120°, and its bonds.
CHAIN = np.array([[0, 0, 0], [1.5, 0, 0], [2.25, 1.299038105676658, 0], [3.75, 1.299038, 0]])
BONDS = np.array([[0, 1], [2, 1], [2, 3]])


def test_bonded_pairs() -> None:
    assert bonded_pairs(BONDS, 4).tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert bonded_pairs([[0, 1], [1, 2], [2, 0]], 4).tolist() == [[0, 1], [0, 2], [1, 2]]
    assert bonded_pairs([], 2).shape == (0, 2)


def test_validity_by_hand() -> None:
    long_bond, bent, far = CHAIN.copy(), CHAIN.copy(), CHAIN.copy()
    long_bond[0, 0] -= 0.45  # 30 % too long
    bent[3] = [0.75, 1.299038, 0]  # the last bond folded back onto atoms 0 and 1: 1–3 ≈ 1.5 Å
    far[0] += [-0.3, 0, 0]  # 20 %: allowed
    judged = geometry.bond_angle_validity([CHAIN, long_bond, bent, far], BONDS, [CHAIN])
    assert judged == 50.0
    assert geometry.bond_angle_validity([far], BONDS, [CHAIN], tolerance=0.19) == 0.0


@given(st.floats(0.5, 1.5))
def test_validity_of_a_scaled_molecule(scale: float) -> None:
    expected = 100.0 if abs(scale - 1) <= 0.25 - 1e-9 else 0.0 if abs(scale - 1) > 0.2501 else None
    if expected is not None:
        assert geometry.bond_angle_validity([scale * CHAIN], BONDS, [CHAIN, CHAIN]) == expected


def test_table_adds_validity_where_it_can() -> None:
    x = np.stack([CHAIN + 0.01 * k for k in range(6)])
    plain = metrics.metrics_table(x, x)
    full = metrics.metrics_table(x, x, bonds=BONDS, reference=x)
    assert full["bond_angle_validity"] == 100.0
    assert {"bond_angle_validity"} == set(full) - set(plain)
    assert full["rmsf_ratio"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: bonded_pairs([[0, 4]], 4), "Bonds name atoms 0 to 4"),
        (lambda: bonded_pairs([[1, 1]], 4), "joins an atom to itself"),
        (lambda: geometry.bond_angle_validity([CHAIN], BONDS, [CHAIN[:3]]), "reference has 3"),
    ],
)
def test_geometry_says_what_is_wrong(call: object, says: str) -> None:
    with pytest.raises(InputError) as error:
        call()  # type: ignore[operator]
    assert says in str(error.value)
