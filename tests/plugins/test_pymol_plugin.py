"""plugins/pymol in Debian's PyMOL without a window: installed by the plug-in manager, and used."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from document_blocks import blocks_of, check_command, command_lines
from openmm_neuralmd.structure.residues import NEVER_A_LIGAND
from pymol_program import MISSING, run_pymol
from pymol_scripts import DUMP, INSTALL, SESSION
from viewer_files import (
    SNAPSHOTS,
    Written,
    superposed,
    write_lysozyme,
    write_parts,
    write_prediction,
    write_reference,
)

PLUGIN = Path(__file__).parents[2] / "plugins" / "pymol"
README = PLUGIN / "README.md"
PAGE = PLUGIN.parents[1] / "docs" / "howto" / "viewers.md"
NEURALMD = Path(sys.executable).with_name("neuralmd")
Files = tuple[Written, Written, Written]
PLACES = pytest.mark.parametrize(
    ("place", "stage"),
    [(0, "loaded"), (1, "loaded"), (2, "lysozyme")],
    ids=["rigid", "tumbling", "lysozyme"],
)
pytestmark = [
    pytest.mark.pymol,
    pytest.mark.skipif(shutil.which("pymol") is None and "CI" not in os.environ, reason=MISSING),
]

WRONG = {
    "neuralmd_load missing.pdb, trajectory.dcd": "no such file: missing.pdb",
    "neuralmd_load topology.pdb, trajectory.dcd": "topology is there already",
    "neuralmd_load topology.pdb, trajectory.dcd, one, ligand=XYZ": (
        "one: no residue is called XYZ; candidates: G:1:LIG"
    ),
    "neuralmd_load topology.pdb, trajectory.dcd, two, ligand=GLY": "choose one, such as ligand=A:",
    "neuralmd_load short.pdb, trajectory.dcd, three": (
        "trajectory.dcd cannot be read with 2521 atoms of short.pdb"
    ),
    "neuralmd_load topology.pdb, trajectory.dcd, four, stop=1": "1 snapshot; a fluctuation needs 2",
    "neuralmd_load topology.pdb, torn.dcd, six": "torn.dcd: snapshot 4 has coordinates that are no",
    "neuralmd_load bare.pdb, bare.dcd, five": "five: no ligand found; name it with ligand=NAME",
    "neuralmd_rmsf nothing": "nothing was not made by neuralmd_load",
    "neuralmd_overlay reference, small": "small has 300 C-alpha atoms, reference has 302",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home into which PyMOL's plug-in manager has installed the plug-in."""
    folder = tmp_path_factory.mktemp("home")
    startup = folder / ".pymol" / "startup"
    startup.mkdir(parents=True)
    script = folder / "install.py"
    script.write_text(INSTALL)
    printed = run_pymol(script, str(PLUGIN / "neuralmd" / "__init__.py"), str(startup), home=folder)
    assert 'Success Plugin "neuralmd" has been installed.' in printed, printed
    (commands,) = [line for line in printed.splitlines() if line.startswith("commands ")]
    names = {f"neuralmd_{name}" for name in ("load", "rmsf", "overlay", "view")}
    assert set(ast.literal_eval(commands.removeprefix("commands "))) == names
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    return write_prediction(folder), write_reference(folder), write_lysozyme(folder)


@pytest.fixture(scope="module")
def session(home: Path, files: Files) -> tuple[Path, str]:
    """The folder with what PyMOL dumped, and what it printed."""
    folder = files[0].topology.parent
    write_parts(folder, files[0])
    for name, text in (("session.py", SESSION), ("dump.py", DUMP), ("wrong.txt", "\n".join(WRONG))):
        (folder / name).write_text(text)
    return folder, run_pymol(folder / "session.py", folder=folder, home=home)


def dumped(session: tuple[Path, str], stage: str) -> dict:
    path = session[0] / f"{stage}.json"
    assert path.exists(), session[1]
    return json.loads(path.read_text())


def frames(session: tuple[Path, str], stage: str, name: str) -> np.ndarray:
    return np.load(session[0] / f"{stage}-{name}.npy").astype(float)


def test_nothing_is_missing_or_left_over(session: tuple[Path, str]) -> None:
    loaded = dumped(session, "loaded")
    objects = ["topology", "reference"]
    selections = [f"{name}_{part}" for name in objects for part in ("ligand", "pocket")]
    assert set(loaded["names"]) == {*objects, *selections, "neuralmd_scale"}
    assert loaded["order"] in ("0", "off"), "the user's setting was not brought back"
    small = {"small", "small_ligand", "small_pocket", "neuralmd_scale"}
    assert set(dumped(session, "wrong")["names"]) == {*objects, *selections, *small}


def test_wrong_usage_is_one_line(session: tuple[Path, str]) -> None:
    printed = session[1]
    assert "Traceback" not in printed
    for command, message in WRONG.items():
        after = printed.split(f"PyMOL>{command}\n")[-1].split("PyMOL>")[0]
        errors = [line for line in after.splitlines() if "Error" in line]
        assert len(errors) == 1, after
        assert message in errors[0]


@PLACES
def test_b_factors_and_colours_are_the_rmsf_of_numpy(
    session: tuple[Path, str], files: Files, place: int, stage: str
) -> None:
    written = files[place]
    name = written.topology.stem
    atoms = dumped(session, stage)["shown"][name]["ligand"]
    expected, complex = written.rmsf(), written.complex
    topology = list(complex.topology.atoms())
    found = {atom[0]: atom[1] for atom in atoms}  # PyMOL sorts them by name
    b = np.array([found.pop(topology[i].name) for i in complex.ligand])
    assert not found
    assert np.abs(b - expected).max() < 2e-3
    assert np.ptp(expected) > 0.02  # so that a constant would not do
    assert_colours(atoms, b[complex.heavy].max())
    snapshots = len(written.frames())
    line = f"{name}: RMSF of {len(complex.heavy)} heavy atoms over {snapshots} snapshots"
    assert f"{line} {b[complex.heavy].min():.2f} to {b[complex.heavy].max():.2f} A" in session[1]


def assert_colours(atoms: list, maximum: float) -> None:
    text = (PLUGIN / "neuralmd" / "scene.py").read_text().split('RMSF_COLOURS = "')[1]
    codes = [int(code, 16) for code in text.split('"')[0].split()]
    scale = np.array([[code >> 16 & 255, code >> 8 & 255, code & 255] for code in codes]) / 255
    at = np.linspace(0, maximum, len(scale))
    for _, b, colour in atoms:
        wanted = [np.interp(b, at, scale[:, k]) for k in range(3)]
        assert np.abs(np.array(colour) - wanted).max() < 2 / 255


def test_the_end_of_the_scale_can_be_given(session: tuple[Path, str]) -> None:
    assert_colours(dumped(session, "rescaled")["shown"]["topology"]["ligand"], 3.0)


@PLACES
def test_the_pocket_is_the_residues_within_5_angstrom(
    session: tuple[Path, str], files: Files, place: int, stage: str
) -> None:
    shown = dumped(session, stage)["shown"][files[place].topology.stem]
    pocket = files[place].pocket(5.0)
    assert set(shown["pocket"]) == pocket
    assert pocket != files[place].pocket(4.5)  # so that the distance matters


def test_every_snapshot_lies_on_the_first(session: tuple[Path, str], files: Files) -> None:
    for written in files[:2]:
        alphas = written.complex.backbone[:, 1]
        expected = superposed(written, written.frames()[0][alphas])
        assert np.abs(frames(session, "loaded", written.topology.stem) - expected).max() < 5e-3


def test_overlay_lays_both_on_the_reference(session: tuple[Path, str], files: Files) -> None:
    reference = files[1]
    target = reference.frames()[0][reference.complex.backbone[:, 1]]
    for written in files[:2]:
        before = frames(session, "loaded", written.topology.stem)
        after = frames(session, "overlaid", written.topology.stem)
        assert np.abs(after - superposed(written, target)).max() < 5e-3
        assert np.abs(after - before).max() > 1.0 or written is reference
    shown = dumped(session, "overlaid")["shown"]
    strong = {name: {tuple(a[2]) for a in shown[name]["ligand"]} for name in shown}
    carbon = {name: tuple(shown[name]["ligand"][0][2]) for name in shown}  # C1
    assert carbon["topology"] not in strong["reference"]
    assert carbon["reference"] not in strong["topology"]


def test_cartoon_sticks_and_few_hydrogens_are_drawn(
    session: tuple[Path, str], files: Files
) -> None:
    complex = files[0].complex
    numbers = complex.ligand_atomic_numbers[complex.ligand_bonds]
    polar = ((numbers == 1).any(1) & (numbers != 6).all(1)).sum()
    assert polar == 4
    for drawn in (d["drawn"] for d in dumped(session, "loaded")["shown"].values()):
        assert drawn["lines"] == drawn["carbon"] == 0
        assert drawn["cartoon"] > 300
        assert drawn["ligand"] == 43 + polar
        assert drawn["sticks"] > drawn["ligand"]


def test_a_picture_is_drawn(session: tuple[Path, str]) -> None:
    """Teal and orange are in it, in the middle, where the ligand is."""
    picture = imread(session[0] / "overlaid.png")[..., :3]
    assert picture.shape == (300, 400, 3)
    middle = picture[75:225, 100:300].reshape(-1, 3)
    red, green, blue = middle.T
    assert ((red > green + 0.25) & (green > blue + 0.15)).sum() > 200  # orange
    assert ((blue > 2 * red + 0.1) & (green > 2 * red + 0.1)).sum() > 200  # teal


def test_the_names_passed_over_are_the_packages() -> None:
    text = (PLUGIN / "neuralmd" / "ligand.py").read_text()
    body = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "NEVER_A_LIGAND"
    )
    (argument,) = body.value.args
    assert set(ast.literal_eval(argument.func.value).split()) == NEVER_A_LIGAND


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "snapshots"),
    [
        (README, {"forecast": 4, "prediction": 10, "reference": SNAPSHOTS}),
        (PAGE, {"prediction": SNAPSHOTS, "reference": SNAPSHOTS}),
    ],
    ids=["readme", "howto"],
)
def test_the_documentation_runs(
    home: Path, tmp_path: Path, page: Path, snapshots: dict[str, int]
) -> None:
    """Its commands, in order: the shell's first, then PyMOL's in one session."""
    write_prediction(tmp_path)
    write_reference(tmp_path)
    blocks = blocks_of(page.read_text())
    assert all(block.not_run is None for block in blocks)
    for words in [w for b in blocks if b.language == "bash" for w in command_lines(b.code)]:
        check_command(words)
        subprocess.run([NEURALMD, *words], cwd=tmp_path, check=True, capture_output=True)
    lines = "".join(block.code for block in blocks if block.language == "pymol")
    (tmp_path / "dump.py").write_text("import sys; sys.argv[1:] = ['end']\n" + DUMP)
    script = tmp_path / "page.pml"
    script.write_text(f"import pymol.plugins\nplugin_load neuralmd\n{lines}run dump.py\n")
    printed = run_pymol(script, folder=tmp_path, home=home)
    assert "Error" not in printed, printed
    assert set(json.loads((tmp_path / "end.json").read_text())["shown"]) == set(snapshots)
    for name, number in snapshots.items():
        assert len(np.load(tmp_path / f"end-{name}.npy")) == number
