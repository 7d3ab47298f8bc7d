"""What is said of the goals follows from the numbers of a result, worked by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from goal_tables import dynamics, fluctuations, noise, poses, reconstruction, torsions, unseen

GAP = {"mae": [-0.1, -0.2, -0.05], "rmse": [-0.1, -0.2, -0.05], "matching": [-0.1, -0.2, -0.05]}
BETTER = {**GAP, "stability": [3.0, 1.0, 5.0]}
ENSEMBLE = {
    "rmsf_ratio": [1.1, 1.0, 1.2],
    "rmsf_correlation": [0.85],
    "torsion_divergence": [0.14],
    "distance_divergence": [0.1],
    "time_ratio": [1.25],
    "posebusters": [92.0],
    "interaction_recovery": [90.0],
}
OTHERS = ("persistence", "projected-recent-mean", "verletmd", "gnn-md", "denoising-ld")
RESULT: dict[str, Any] = {
    "settings": {"protocol": "left-out"},
    "data": [{}, {}],
    "errors": {name: {"bond_angle_validity": [100.0]} for name in ("neuralmd-ode", *OTHERS)},
    "differences": {"neuralmd-ode": dict.fromkeys(OTHERS, BETTER)},
    "ensembles": {
        "neuralmd-sde": ENSEMBLE,
        "ar1": {**ENSEMBLE, "rmsf_ratio": [1.3], "rmsf_correlation": [0.8], "time_ratio": [0.7],
                "torsion_divergence": [0.3], "distance_divergence": [0.2], "posebusters": [0.0],
                "interaction_recovery": [85.0]},
        "halves of the truth": {"torsion_divergence": [0.1], "posebusters": [96.0]},
    },
}  # fmt: skip
JUDGES = (reconstruction, dynamics, unseen, fluctuations, torsions, noise, poses)


@pytest.fixture
def result() -> dict[str, Any]:
    return copy.deepcopy(RESULT)


@pytest.mark.parametrize("judge", JUDGES)
def test_what_is_better_everywhere_reaches_the_goal(judge: Any, result: dict[str, Any]) -> None:
    assert judge(result) == "**reached**"


def test_an_interval_that_reaches_over_zero_misses(result: dict[str, Any]) -> None:
    gaps = result["differences"]["neuralmd-ode"]
    gaps["persistence"] = {**BETTER, "stability": [3.0, -0.1, 5.0]}
    assert reconstruction(result) == "missed: Stability of persistence"
    assert unseen(result) == "missed: Stability of persistence"
    assert dynamics(result) == "**reached**"
    gaps["gnn-md"] = {**BETTER, "rmse": [0.1, 0.05, 0.2]}  # worse for certain
    assert dynamics(result) == "missed: RMSE of GNN-MD"


def test_what_is_no_molecule_is_no_rival(result: dict[str, Any]) -> None:
    result["differences"]["neuralmd-ode"]["projected-recent-mean"] = {
        key: [-value for value in values] for key, values in BETTER.items()
    }
    assert reconstruction(result).startswith("missed")
    result["errors"]["projected-recent-mean"]["bond_angle_validity"] = [80.0]
    assert reconstruction(result) == "**reached**"
    result["errors"]["neuralmd-ode"]["bond_angle_validity"] = [80.0]
    assert reconstruction(result) == "missed: 80 % valid"


def test_ensembles_are_held_to_their_thresholds(result: dict[str, Any]) -> None:
    row = result["ensembles"]["neuralmd-sde"]
    row |= {"rmsf_ratio": [1.26], "torsion_divergence": [0.16], "posebusters": [90.0]}
    assert fluctuations(result) == "missed: ratio 1.26"
    assert torsions(result) == "missed: 1.6 times that of the halves"
    assert poses(result) == "missed: 6 points less"
    row["rmsf_ratio"] = [1 / 1.31]  # a third too small is as far as a third too large
    row["interaction_recovery"] = [85.0]  # no better is not better
    assert noise(result) == "missed: RMSF ratio, interactions"


def test_goals_that_a_comparison_does_not_ask_for_have_no_row(result: dict[str, Any]) -> None:
    assert unseen({**result, "settings": {"protocol": "time"}}) is None
    assert unseen({**result, "data": [{}]}) is None  # replicas of one complex
    result["ensembles"] = {}
    assert [judge(result) for judge in (fluctuations, torsions, noise, poses)] == [None] * 4
