"""Jumps to poses of the learned ensemble: drawn whatever is known, relaxed and checked."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmmtools import cache

from mm_models import make_model
from openmm_neuralmd.errors import ModelError
from openmm_neuralmd.hybrid import JumpSettings, NeuralMDJumpMove
from openmm_neuralmd.hybrid.run import run_hybrid
from openmm_neuralmd.hybrid.settings import HybridSettings, read_hybrid
from openmm_neuralmd.md import MDSettings
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.prepare.imports import import_amber
from reference_cases import INPCRD, PRMTOP

MD_SETTINGS = MDSettings(
    mode="pocket",
    platform="CPU",
    properties={"Threads": "1"},
    pocket_radius=0.5,
    shell_radius=0.9,
    equilibration_ps=0.4,
)
DRAW = JumpSettings(
    draw="independent", interval_ps=0.4, relax_ps=0.2, iterations=50, energy_window=1e6
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ComplexFolder:
    """T4 lysozyme L99A with p-xylene, a ligand without a rotatable bond."""
    return import_amber(PRMTOP, INPCRD, tmp_path_factory.mktemp("t4l") / "complex")


def move(folder: ComplexFolder, known: np.ndarray | None = None) -> NeuralMDJumpMove:
    return NeuralMDJumpMove(
        "neuralmd-ou", folder.path, md=MD_SETTINGS, settings=DRAW, known=known, seed=2
    )


def contexts() -> cache.ContextCache:
    return cache.ContextCache(openmm.Platform.getPlatformByName("CPU"), {"Threads": "1"})


def test_a_pose_is_drawn_whatever_is_known(folder: ComplexFolder) -> None:
    first = move(folder)
    thermodynamic, sampler = first.thermodynamic_state(), first.sampler_state()
    shared, poses = contexts(), []
    for _ in range(3):
        first.apply(thermodynamic, sampler, shared)
        assert first.last is not None
        poses.append(first.last.raw[first.complex.ligand_heavy])
    assert first.n_proposed == 3 and first.interval_ps == 0.4
    assert first.n_accepted >= 1, first.reasons
    apart = [np.abs(a - b).max() for a, b in pairwise(poses)]
    assert min(apart) > 0.02  # nm
    elsewhere = 10 * poses[0][None] + 1.0
    other = move(folder, known=elsewhere)
    other.apply(other.thermodynamic_state(), other.sampler_state(), shared)
    assert other.last is not None
    np.testing.assert_allclose(other.last.raw[first.complex.ligand_heavy], poses[0], atol=1e-6)


def test_a_run_keeps_or_falls_back(folder: ComplexFolder, tmp_path: Path) -> None:
    settings = HybridSettings(before=0, md=MD_SETTINGS, jump=DRAW)
    run = run_hybrid("neuralmd-ou", folder.path, tmp_path / "run", 1.6, settings=settings)
    assert run.snapshots == 4 and run.kinds["md"] == 2
    assert run.kinds["jump"] + run.kinds["fallback"] == 2
    with run.log.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] == "md" for row in rows] == [False, True, False, True]
    assert [float(row["time_ps"]) for row in rows] == pytest.approx([0.4, 0.8, 1.2, 1.6])


def test_other_models_have_no_ensemble_to_draw_from(folder: ComplexFolder, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    make_model().save(path)
    with pytest.raises(ModelError, match="no ensemble to draw independent poses from"):
        NeuralMDJumpMove(path, folder.path, md=MD_SETTINGS, settings=DRAW)
    with pytest.raises(ModelError, match="use that stride"):
        JumpSettings(interval_ps=0.4).fitted(make_model())


def test_the_example_is_valid() -> None:
    settings = read_hybrid(Path(__file__).parents[2] / "examples" / "hybrid-independent.yaml")
    assert settings.jump.draw == "independent" and settings.before == 0
