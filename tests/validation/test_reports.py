"""Conditions that users of other programs reported: each is right here."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustness.kinds import KINDS
from robustness.page import PAGE, awkward
from robustness.reports import REPORTS, Report


@pytest.mark.parametrize("report", REPORTS, ids=lambda one: one.condition)
def test_a_reported_condition_is_right(report: Report, tmp_path: Path) -> None:
    report.check(tmp_path)


def test_every_test_of_a_kind_exists_and_the_page_lists_it() -> None:
    folder = Path(__file__).parents[1]
    for kind in KINDS:
        for test in kind.tests:
            file, _, function = test.partition("::")
            assert f"def {function}(" in (folder / file).read_text(), test
    assert awkward() in PAGE.read_text()
