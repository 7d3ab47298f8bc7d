"""Cost models on costs whose coefficients are known, and projections worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from harness.cost_model import CostModel, fitted
from harness.counts import counted
from harness.projections import (
    GPUAssumptions,
    NodeAssumptions,
    docked_poses,
    seconds_on_a_gpu,
    training,
)

TRUE = {"complex": 30.0, "atoms": 2.0, "pairs": 0.25, "residues": 0.0}


def cases(count: int = 12) -> list[dict[str, float]]:
    random = np.random.default_rng(0)
    atoms = random.integers(8, 60, count).astype(float)
    residues = random.integers(80, 400, count).astype(float)
    return [
        {"complex": 1.0, "atoms": n, "pairs": n * n, "residues": r} for n, r in zip(atoms, residues)
    ]


def true_costs(sizes: list[dict[str, float]]) -> np.ndarray:
    return np.array([CostModel(TRUE, 0.0, 0.0).at(one) for one in sizes])


def test_known_coefficients_come_back() -> None:
    sizes = cases()
    model = fitted(sizes, true_costs(sizes).tolist())
    assert model.coefficients == pytest.approx(TRUE, rel=1e-9, abs=1e-9)
    assert model.left_out_greatest < 1e-9
    assert model.at({"complex": 1, "atoms": 100, "pairs": 1e4, "residues": 7}) == pytest.approx(
        2730
    )


def test_the_error_of_a_case_left_out_is_that_of_the_noise() -> None:
    sizes = cases(40)
    noise = np.random.default_rng(1).normal(scale=0.1, size=40)
    model = fitted(sizes, (true_costs(sizes) * (1.0 + noise)).tolist())
    assert 0.03 < model.left_out_median < 0.15 and model.left_out_greatest < 0.5
    assert model.at(sizes[0]) == pytest.approx(true_costs(sizes)[0], rel=0.1)
    assert min(model.coefficients.values()) >= 0.0


def test_a_cost_that_the_sizes_do_not_explain_shows() -> None:
    sizes = cases()
    cubes = [one["atoms"] ** 3 * one["residues"] for one in sizes]
    assert fitted(sizes, cubes).left_out_greatest > 0.3


def test_too_few_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="4 cases say too little of 4"):
        fitted(cases(4), [1.0] * 4)


def test_a_product_is_counted() -> None:
    a = torch.rand(8, 16)
    costs = counted(lambda: (a @ a.T).relu())
    assert costs == {
        "gigaflops": pytest.approx(2 * 8 * 8 * 16 / 1e9),
        "operations": 2.0,
        "megabytes": pytest.approx(2 * 8 * 8 * 4 / 1e6),
    }


ASSUMED = GPUAssumptions(
    complexes=10,
    snapshots=8,
    epochs=5,
    every=4,
    atoms=(10.0, 20.0),
    peak_tflops=10.0,
    bandwidth_tb=1.0,
    memory_gb=1.0,
    compute_share=(0.5, 0.1),
    bandwidth_share=(0.5, 0.5),
    traffic=(2.0, 2.0),
    launch_us=(10.0, 10.0),
    batch=(64, 4),
)


def test_each_bound_of_a_gpu_by_hand() -> None:
    costs = {"gigaflops": 5.0, "megabytes": 100.0, "operations": 1000.0}
    # 5e9 / 5e12 = 1 ms; 200e6 / 0.5e12 = 0.4 ms; 1000 operations of 10 µs in a batch of 4: 2.5 ms
    assert seconds_on_a_gpu(ASSUMED, 0, costs, 4) == pytest.approx(2.5e-3)
    assert seconds_on_a_gpu(ASSUMED, 0, costs, 100) == pytest.approx(1e-3)
    # at the other end the arithmetic takes 5 ms, and the three add up
    assert seconds_on_a_gpu(ASSUMED, 1, costs, 4) == pytest.approx((5.0 + 0.4 + 2.5) * 1e-3)


def test_memory_bounds_the_batch_and_more_gpus_take_less_time() -> None:
    models = {
        "gigaflops": lambda sizes: 5.0,
        "operations": lambda sizes: 1000.0,
        "megabytes": lambda sizes: sizes["pairs"],
    }
    result = training(models, 4, ASSUMED)
    assert result["windows"] == 10 * 2 * 5
    assert result["batch"] == [10, 2]  # 1 GB holds 10 windows of 100 MB, 2 of 400 MB
    one = result["hours"]["1"]
    assert one[0] == pytest.approx(100 * 1e-3 / 3600) and one[1] > one[0]
    assert result["hours"]["8"] == pytest.approx([one[0] / 7.6, one[1] / 5.6])


def test_the_parts_of_a_million_poses_by_hand() -> None:
    result = docked_poses(
        lambda sizes: 100.0 * sizes["pose"],
        task_ms=1.0,
        poses_per_task=10,
        tasks_per_core=3,
        write_ms=(36.0, 72.0),
        record_ms=0.36,
        stored_mb=(0.1, 0.2),
        written_mb=(1.0, 2.0),
        memory_kb_per_task=5.0,
        assumed=NodeAssumptions(
            cores=(100.0, 50.0), speed=(1.0, 0.5), nodes=10, scheduler=(1.0, 2.0)
        ),
    )
    hours = result["hours"]
    assert hours["predictions, all cores"] == pytest.approx([100.0 / 3600, 400.0 / 3600])
    assert hours["scheduler, one process"] == pytest.approx([200.0 / 3600, 400.0 / 3600])
    assert hours["files of the output, all cores"] == pytest.approx([0.01, 0.08])
    assert hours["table and record, one process"] == pytest.approx([0.1, 0.2])
    assert result["tasks"] == 200_000 and result["scheduler_mb"] == pytest.approx([15.0, 7.5])
    assert result["written_gb"] == [1000.0, 2000.0]
