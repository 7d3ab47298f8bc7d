"""Conditions that users of other programs reported: each is right here."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustness.reports import REPORTS, Report


@pytest.mark.parametrize("report", REPORTS, ids=lambda one: one.condition)
def test_a_reported_condition_is_right(report: Report, tmp_path: Path) -> None:
    report.check(tmp_path)
