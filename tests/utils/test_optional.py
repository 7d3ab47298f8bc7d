"""Without the libraries of the extras, light commands work and others say what to install."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

import openmm_neuralmd
from openmm_neuralmd.examples import predict_example

HIDDEN = (
    "acpype",
    "dask",
    "dask_jobqueue",
    "distributed",
    "lightning_fabric",
    "MDAnalysis",
    "openmmforcefields",
    "openmmml",
    "posebusters",
    "prolif",
    "pyedr",
    "tables",
    "tensorboard",
)
"""What `pip install openmm_neuralmd` does not bring along."""

HIDE = f"""
import shlex
import sys
from importlib.abc import MetaPathFinder

class Hide(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HIDDEN!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hide())
from openmm_neuralmd.cli import app
for line in sys.argv[1:]:
    if code := app(shlex.split(line), standalone_mode=False):
        sys.exit(code)
"""


def plain(*lines: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lines of `neuralmd`, in one process, without the libraries of the extras."""
    return subprocess.run(
        [sys.executable, "-c", HIDE, *lines],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_light_commands_work(tmp_path: Path) -> None:
    done = plain(
        "info gpcr-ergotamine",
        "simulate gpcr-ergotamine --example gpcr-ergotamine --snapshots 2 -o a.dcd",
        "info a.dcd --complex a.pdb",
        shlex.join(["predict", *map(str, predict_example()), "--time", "20ps", "-o", "motion"]),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.dcd").stat().st_size > 0
    assert (tmp_path / "motion" / "report.html").stat().st_size > 0
    done = plain("doctor", folder=tmp_path)
    assert done.returncode in (0, 1), done.stderr  # 1: a feature fails, 2: nothing can run
    assert ("ok", "degraded")[done.returncode] in done.stdout.splitlines()
    assert "Reference" in done.stdout
    assert "Traceback" not in done.stderr


def imported(tree: ast.Module) -> set[str]:
    """First parts of the modules that a file imports when it runs, inside functions too."""
    names, waiting = set(), [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
        waiting += ast.iter_child_nodes(node)
    return names


def distribution(name: str) -> str:
    """Name of a distribution as `pip` compares it, without its version."""
    return re.split(r"[<>=!~;\[ ]", name)[0].lower().replace("_", "-")


def test_what_is_imported_directly_is_a_requirement() -> None:
    """Other third-party libraries are imported by `optional_import`, which names their extra."""
    lines = requires("openmm_neuralmd") or []
    required = {distribution(line) for line in lines if "extra ==" not in line}
    files = Path(openmm_neuralmd.__file__).parent.rglob("*.py")
    direct = set().union(*(imported(ast.parse(file.read_text("utf-8"))) for file in files))
    third_party = direct - set(sys.stdlib_module_names) - {"openmm_neuralmd"}
    owners = packages_distributions()
    missing = {
        name
        for name in third_party
        if not {distribution(owner) for owner in owners.get(name, [name])} & required
    }
    assert not missing, f"neither required nor optional: {missing}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_missing_library_is_named_with_its_extra(tmp_path: Path) -> None:
    done = plain("train --example gpcr-ergotamine", folder=tmp_path)
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .endswith("which is not installed: pip install 'openmm_neuralmd[train]'")
    )
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_validate_works_without_its_extra_and_says_what_it_left_out(tmp_path: Path) -> None:
    """A card without poses and interactions, with the reason, is worth more than no card."""
    words = "--example gpcr-ergotamine --ahead 10 --every 40 -o v"
    skipped = "--skip mechanics --skip speed --skip ablation"
    done = plain(f"validate gpcr-ergotamine {words} {skipped}", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "v" / "validity.json").read_text())
    poses = next(check for check in card["checks"] if check["name"] == "posebusters-gap")
    assert poses["outcome"] == "not measured"
    reason = "PoseBusters is not installed: pip install 'openmm_neuralmd[validate]'"
    assert reason in poses["note"]
    assert "PoseBusters" in (tmp_path / "v" / "report.html").read_text()


def loaded(statement: str) -> set[str]:
    """Modules that a fresh Python has after a statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_and_the_command_line_stays_light() -> None:
    """Modules are counted, not seconds, so that a busy machine changes nothing."""
    start = loaded("pass")
    package = loaded("import openmm_neuralmd") - start
    command_line = loaded("import openmm_neuralmd.cli") - start
    for heavy in ("openmm", "torch", "numpy", "rdkit", "mdtraj", "pydantic", "yaml"):
        assert heavy not in command_line, f"neuralmd --help imports {heavy}"
    assert len(package) < 120, sorted(package)
    assert len(command_line) < 400, len(command_line)
