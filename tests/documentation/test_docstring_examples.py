"""Examples in docstrings run as they stand there, and everything public has one.

Beside what an example imports it may use three names, which docs/api/index.md explains: `folder`,
a complex folder of T4 lysozyme with p-xylene; `evidence`, an assessed model; and `scratch`, an
empty folder.
"""

from __future__ import annotations

import doctest
import importlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import openmm_neuralmd as nmd
from ambertools import require_ambertools
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.report.evidence import Evidence
from openmm_neuralmd.trajectory.snapshots import Snapshots
from public_names import PACKAGES
from report_cases import small_evidence

PACKAGE = Path(nmd.__file__).parent
NEEDS_GMX = ("md.gromacs.",)
NEEDS_AMBERTOOLS = ("prepare.pipeline.",)
RESULTS = {
    "ComplexTensors",
    "Contact",
    "Entry",
    "HybridRun",
    "Jump",
    "JumpedPose",
    "LigandPrediction",
    "Outcome",
    "Protein",
    "ReferenceRun",
    "Setup",
}
"""Classes that nobody constructs: the example of the function that returns one shows it."""


def examples() -> Iterator[doctest.DocTest]:
    """Every docstring of the package that has an example."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(PACKAGE).with_suffix("").parts
            module = importlib.import_module(".".join((PACKAGE.name, *parts)))
            yield from (test for test in finder.find(module) if test.examples)


def public() -> Iterator[tuple[str, object]]:
    """Public functions and classes with their dotted names, errors and results excepted."""
    for package in PACKAGES:
        module = importlib.import_module(f"{PACKAGE.name}{package}")
        for name in module.__all__:
            entry = getattr(module, name)
            error = isinstance(entry, type) and issubclass(entry, Exception)
            if callable(entry) and not error and name not in RESULTS:
                yield f"{module.__name__}.{name}", entry


@pytest.fixture(scope="module")
def folder(t4l_folder: ComplexFolder) -> ComplexFolder:
    return t4l_folder


@pytest.fixture(scope="module")
def evidence(gpcr: Snapshots) -> Evidence:
    return small_evidence(gpcr)


def require_programs(name: str) -> None:
    """Skip an example whose program is missing; fail in continuous integration."""
    if name.startswith(NEEDS_AMBERTOOLS):
        require_ambertools()
    if name.startswith(NEEDS_GMX) and not shutil.which("gmx"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("gmx is not installed")


PUBLIC = list(public())
EXAMPLES = [(test.name.removeprefix(f"{PACKAGE.name}."), test) for test in examples()]


@pytest.mark.parametrize("test", [test for _, test in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_an_example_runs(
    test: doctest.DocTest, folder: ComplexFolder, evidence: Evidence, tmp_path: Path
) -> None:
    require_programs(test.name.removeprefix(f"{PACKAGE.name}."))
    test.globs = {**test.globs, "folder": folder, "evidence": evidence, "scratch": tmp_path}
    lines: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=lines.append)
    assert outcome.attempted and not outcome.failed, "".join(lines)


@pytest.mark.parametrize(("name", "entry"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_everything_public_has_an_example(name: str, entry: object) -> None:
    assert ">>> " in (entry.__doc__ or ""), f"{name} has no Examples section"


def test_results_are_public_names() -> None:
    packages = [importlib.import_module(f"{PACKAGE.name}{name}") for name in PACKAGES]
    assert {name for package in packages for name in package.__all__} >= RESULTS
