"""requirements-lowest.txt has the lowest versions that setup.py allows, so that they are tested."""

from __future__ import annotations

import runpy
from pathlib import Path
from unittest import mock

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]


def requirements() -> list[Requirement]:
    """What setup.py names for the package and its tests, on Linux."""
    with mock.patch("setuptools.setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    said = setup.call_args.kwargs
    lines = [*said["install_requires"], *said["extras_require"]["test"]]
    every = map(Requirement, lines)
    return [one for one in every if one.marker is None or one.marker.evaluate()]


def pins() -> dict[str, Version]:
    lines = (ROOT / "requirements-lowest.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in pairs}


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_lowest_version_is_the_one_that_is_tested(requirement: Requirement) -> None:
    pinned = pins()[canonicalize_name(requirement.name)]
    lowest = [one for one in requirement.specifier if one.operator in (">=", "==")]
    assert [Version(one.version) for one in lowest] == [pinned]
