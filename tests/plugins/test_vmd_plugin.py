"""plugins/vmd in tclsh, against the recorder of tests/helpers: VMD itself is not run."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from document_blocks import blocks_of
from openmm_neuralmd.structure.residues import NEVER_A_LIGAND
from viewer_files import (
    Written,
    superposed,
    write_lysozyme,
    write_parts,
    write_prediction,
    write_reference,
)
from vmd_commands import VMD
from vmd_molecule import Molecule, Representation

PLUGIN = Path(__file__).parents[2] / "plugins" / "vmd"
SOURCE = f"source {{{PLUGIN / 'neuralmd.tcl'}}}\n"
LOAD = "neuralmd load topology.pdb trajectory.dcd\n"
LOAD_REFERENCE = "neuralmd load reference.pdb reference.dcd\n"
Files = tuple[Written, Written, Written]
NUMBERS = pytest.mark.parametrize("number", [0, 1, 2], ids=["rigid", "tumbling", "lysozyme"])
pytestmark = [
    pytest.mark.tcl,
    pytest.mark.skipif(
        shutil.which("tclsh") is None and "CI" not in os.environ,
        reason="tclsh is not installed (Debian: apt-get install tcl)",
    ),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    written = write_prediction(folder), write_reference(folder), write_lysozyme(folder)
    write_parts(folder, written[0])
    return written


@pytest.fixture
def folder(files: Files) -> Path:
    return files[0].topology.parent


def run(folder: Path, script: str, vmd: VMD | None = None) -> VMD:
    """The session after a script; every atom selection has to be gone."""
    vmd = vmd or VMD()
    (folder / "script.tcl").write_text(SOURCE + script)
    vmd.run(folder / "script.tcl", folder)
    assert not vmd.selections
    return vmd


@pytest.fixture(scope="module")
def loaded(files: Files) -> VMD:
    lysozyme = "neuralmd load lysozyme.pdb lysozyme.dcd\n"
    return run(files[0].topology.parent, LOAD + LOAD_REFERENCE + lysozyme)


def ligand_of(molecule: Molecule) -> Representation:
    return molecule.representations[-1]


@NUMBERS
def test_beta_is_the_rmsf_of_numpy(loaded: VMD, files: Files, number: int) -> None:
    molecule, complex, expected = (
        loaded.molecules[number],
        files[number].complex,
        files[number].rmsf(),
    )
    beta = molecule.values["beta"]
    assert np.abs(beta[complex.ligand] - expected).max() < 1e-3
    assert np.ptp(expected) > 0.02  # so that a constant would not do
    assert not np.delete(beta, complex.ligand).any()
    largest = beta[complex.ligand_heavy].max()
    assert ligand_of(molecule).colour == ["Beta"]
    assert ligand_of(molecule).scale == pytest.approx((0.0, largest))
    assert loaded.method == "BGR"
    smallest = beta[complex.ligand_heavy].min()
    snapshots = len(files[number].frames())
    said = f"RMSF of {len(complex.heavy)} heavy atoms over {snapshots} snapshots"
    assert f"{said} {smallest:.2f} to {largest:.2f} A" in loaded.printed[number]


@NUMBERS
def test_the_pocket_is_the_residues_within_5_angstrom(
    loaded: VMD, files: Files, number: int
) -> None:
    molecule = loaded.molecules[number]
    _, pocket, _ = molecule.representations
    mask, values = molecule.select(pocket.selection, 0), molecule.values
    shown = {f"{c}:{n}" for c, n in zip(values["chain"][mask], values["resid"][mask])}
    assert shown == files[number].pocket(5.0)
    assert shown != files[number].pocket(4.5)  # so that the distance matters
    assert pocket.style[0] == "Licorice"


def test_what_is_drawn(loaded: VMD, files: Files) -> None:
    complex = files[0].complex
    numbers = complex.ligand_atomic_numbers[complex.ligand_bonds]
    polar = ((numbers == 1).any(1) & (numbers != 6).all(1)).sum()
    for molecule in (loaded.molecules[0], loaded.molecules[1]):
        protein, _, ligand = molecule.representations
        assert (protein.style[0], protein.material) == ("NewCartoon", "Transparent")
        assert (ligand.style[0], ligand.material) == ("Licorice", "Opaque")
        atoms = molecule.select(ligand.selection, 0)
        assert set(np.flatnonzero(atoms)) <= set(complex.ligand)
        assert atoms.sum() == len(complex.heavy) + polar
        assert not (molecule.select(protein.selection, 0) & atoms).any()
        assert [drawn.smoothing for drawn in molecule.representations] == [0, 0, 0]


def test_the_view_is_on_the_ligand(loaded: VMD, files: Files) -> None:
    ligand = loaded.molecules[2].frames[0][files[2].complex.ligand]
    for molecule in loaded.molecules.values():
        assert molecule.centre == pytest.approx(ligand.mean(0))
    assert loaded.scaled_to == pytest.approx(1.5 / (np.ptp(ligand, axis=0).max() / 2 + 5.0))
    assert (loaded.top, loaded.frame) == (2, 0)


def test_every_snapshot_lies_on_the_first(loaded: VMD, files: Files) -> None:
    for number, written in enumerate(files):
        first = written.frames()[0][written.complex.backbone[:, 1]]
        frames = np.array(loaded.molecules[number].frames)
        assert len(frames) == len(written.frames()), "the topology's own frame has to go"
        assert np.abs(frames - superposed(written, first)).max() < 1e-3


def test_overlay_lays_both_on_the_reference(folder: Path, files: Files) -> None:
    vmd = run(
        folder, f"set p [{LOAD.strip()}]\nset r [{LOAD_REFERENCE.strip()}]\nneuralmd overlay $r $p"
    )
    target = files[1].frames()[0][files[1].complex.backbone[:, 1]]
    for number, written in enumerate(files[:2]):
        frames = np.array(vmd.molecules[number].frames)
        assert np.abs(frames - superposed(written, target)).max() < 1e-3
    assert ligand_of(vmd.molecules[0]).colour == ["ColorID", "3"]
    assert ligand_of(vmd.molecules[1]).colour == ["ColorID", "10"]
    assert [len(m.representations) for m in vmd.molecules.values()] == [2, 3]
    assert vmd.top == 1


def test_part_of_a_trajectory_and_a_scale(folder: Path, files: Files) -> None:
    vmd = run(folder, LOAD.strip() + " -first 3 -last 7 -pocket 4\nneuralmd rmsf 0 2.5")
    (molecule,) = vmd.molecules.values()
    first = files[0].frames()[3][files[0].complex.backbone[:, 1]]
    assert np.abs(np.array(molecule.frames) - superposed(files[0], first)[3:8]).max() < 1e-3
    assert ligand_of(molecule).scale == (0.0, 2.5)


@pytest.mark.parametrize("name", ["LIG", "G:1", "G:1:LIG"])
def test_the_ligand_can_be_named(folder: Path, name: str) -> None:
    vmd = run(folder, f"{LOAD.strip()} -ligand {name}")
    assert ligand_of(vmd.molecules[0]).selection.startswith("residue 302 ")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("neuralmd load missing.pdb trajectory.dcd", "no such file: missing.pdb"),
        (f"{LOAD.strip()} -ligand XYZ", "no residue is called XYZ; candidates: G:1:LIG"),
        (f"{LOAD.strip()} -ligand GLY", "residues are called GLY; choose one, such as -ligand A:"),
        (f"{LOAD.strip()} -colour red", "no option -colour; there are -ligand, -pocket"),
        (f"{LOAD.strip()} -first 11", "trajectory.dcd: 1 snapshot; a fluctuation needs 2"),
        (
            "neuralmd load short.pdb trajectory.dcd",
            "trajectory.dcd cannot be read with 2521 atoms: a damaged file, or of other atoms",
        ),
        ("neuralmd load bare.pdb bare.dcd", "no ligand found; name it with -ligand NAME"),
        ("neuralmd rmsf 7", "molecule 7 was not loaded by neuralmd load"),
        (
            f"{LOAD}neuralmd load small.pdb small.dcd\nneuralmd overlay 0 1",
            "molecule 1 has 300 CA atoms, molecule 0 has 302: another protein",
        ),
    ],
)
def test_wrong_usage_is_one_line(folder: Path, script: str, message: str) -> None:
    vmd = VMD()
    with pytest.raises(RuntimeError, match=re.escape(message)) as caught:
        run(folder, script, vmd)
    assert "\n" not in str(caught.value)
    assert len(vmd.molecules) == (2 if "overlay" in script else 0), "what failed has to go"


def test_the_recorder_refuses_what_vmd_does_not_know(folder: Path) -> None:
    for line in (
        "mol frobnicate 0",
        "mol addrep 3",
        "mol new topology.pdb waitfor all; mol modstyle 0 0 Ribbonz 1 2",
        "mol new topology.pdb waitfor all; mol modstyle 0 0 Licorice 1 2",
        "mol new topology.pdb waitfor all; mol modcolor 0 0 ColorID",
        "mol new topology.pdb waitfor all; atomselect 0 {protein and}",
        "mol new topology.pdb waitfor all; atomselect 0 {resnaem LIG}",
        "mol new topology.pdb waitfor all; mol smoothrep 0 0 -1",
        "proc f {} {atomselect 0 all}; mol new topology.pdb waitfor all; [f] num",
        "measure rmsf atomselect9",
        "color scale method viridis",
    ):
        with pytest.raises(RuntimeError):
            run(folder, line)


def test_the_names_passed_over_are_the_packages(folder: Path) -> None:
    vmd = run(folder, "puts $neuralmd::neverALigand")
    assert set(vmd.printed[0].split()) == NEVER_A_LIGAND


def test_the_page_of_the_documentation_runs(folder: Path) -> None:
    blocks = blocks_of((PLUGIN.parents[1] / "docs" / "howto" / "viewers.md").read_text())
    (block,) = [block for block in blocks if block.language == "tcl"]
    (folder / "plugins" / "vmd").mkdir(parents=True)
    shutil.copy(PLUGIN / "neuralmd.tcl", folder / "plugins" / "vmd")
    vmd = run(folder, block.code)
    assert ligand_of(vmd.molecules[1]).colour == ["Beta"]
    assert ligand_of(vmd.molecules[1]).scale == (0.0, 1.5)


def test_readme_runs(folder: Path) -> None:
    """Its Tcl, in order, in one session; the shell's line needs VMD, and says so."""
    blocks = blocks_of((PLUGIN / "README.md").read_text())
    assert [b.not_run for b in blocks if b.language != "tcl"] == ["VMD itself was not run"]
    code = "".join(block.code for block in blocks if block.language == "tcl")
    shutil.copy(PLUGIN / "neuralmd.tcl", folder)
    vmd = run(folder, code)
    assert [len(molecule.frames) for molecule in vmd.molecules.values()] == [12, 10, 12]
    assert ligand_of(vmd.molecules[0]).colour == ["ColorID", "3"]
