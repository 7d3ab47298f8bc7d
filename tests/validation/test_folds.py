"""How `validation/accuracy.py` divides trajectories: what is tested was not learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

from accuracy import CompareSettings, divided
from openmm_neuralmd.utils.settings import read_mapping, validated

SETTINGS = Path(__file__).parents[2] / "validation" / "accuracy"


def settings_of(name: str) -> CompareSettings:
    content = read_mapping(SETTINGS / f"{name}.yaml", "tests")
    return validated(CompareSettings, content, name)


def test_a_complex_left_out_is_in_no_training_and_of_known_elements() -> None:
    folds = divided(settings_of("pocket-left-out"))
    tested = 0
    for fold in folds:
        learned = [t.load().complex for t in fold.training]
        seen = {int(z) for c in learned for z in c.ligand_atomic_numbers[c.sites]}
        for test in fold.tests:
            own = test.snapshots.complex
            assert own.fingerprint() not in {c.fingerprint() for c in learned}
            assert set(own.ligand_atomic_numbers[own.sites].tolist()) <= seen
            assert not test.others
            tested += 1
    assert tested == 6  # p38's ligand alone has fluorine, ptp1b's bromine and sulfur


def test_replicas_of_one_complex_are_left_out_in_turn() -> None:
    folds = divided(settings_of("gpcr"))
    lengths = [len(test.snapshots) for fold in folds for test in fold.tests]
    assert lengths == [84, 83, 83]
    for fold in folds:
        assert len(fold.training) == len(fold.tests[0].others) == 2


@pytest.mark.parametrize("stretches", [1, 3])
def test_time_is_divided_in_order(stretches: int) -> None:
    settings = settings_of("flexible").model_copy(update={"stretches": stretches})
    (fold,) = divided(settings)
    first = fold.tests[:stretches]
    assert first[0].part.start == round(settings.train_share * len(first[0].snapshots))
    assert [a.part.stop for a in first[:-1]] == [b.part.start for b in first[1:]]
    assert first[-1].part.stop == len(first[0].snapshots)
