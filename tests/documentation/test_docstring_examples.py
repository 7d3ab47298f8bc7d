"""Examples in docstrings run as they stand there, and every public function has one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import openmm_neuralmd as nmd

PACKAGE = Path(nmd.__file__).parent
SHOWN = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    return ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))


@pytest.mark.parametrize("name", [module_name(path) for path in SHOWN])
def test_examples_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0 and result.failed == 0


SUB_PACKAGES = (
    "bindingnet.collate",
    "bindingnet.complex_tensors",
    "bindingnet.frame_atoms",
    "campaign.failures",
    "campaign.read_campaign",
    "misato.read_names",
    "misato.write_entry",
    "prepare.import_amber",
    "training.read_settings",
    "training.training_parts",
)
"""Public functions of sub-packages that need neither a program nor more than seconds."""


@pytest.mark.parametrize("name", SUB_PACKAGES)
def test_public_functions_of_sub_packages_have_an_example(name: str) -> None:
    room, _, function = name.partition(".")
    entry = getattr(importlib.import_module(f"openmm_neuralmd.{room}"), function)
    assert ">>> " in entry.__doc__, f"{name} has no Examples section"


@pytest.mark.parametrize("name", nmd.__all__)
def test_every_public_name_has_an_example(name: str) -> None:
    entry = getattr(nmd, name)
    if not (isinstance(entry, type) and issubclass(entry, Exception)):
        assert ">>> " in (entry.__doc__ or ""), f"{name} has no Examples section"
