"""Tests that need antechamber and sqm: skipped where they are not, an error where CI is set."""

from __future__ import annotations

import os

import pytest

from openmm_neuralmd.errors import ProgramError
from openmm_neuralmd.prepare.programs import AmberTools, find_ambertools


def require_ambertools() -> AmberTools:
    """The programs, or a skip with the reason."""
    try:
        return find_ambertools()
    except ProgramError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
