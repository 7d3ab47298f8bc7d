"""Public bug reports of programs that do this job, made again with this package.

    python validation/robustness/reports.py

Each report is a condition that somebody met: a file as other programs write it.  The condition is
made here in a few lines, and what the package does with it is checked.  Verdicts go to
validation/results/robustness/reports.json and docs/reliability.md.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mdtraj
import numpy as np
from openmm import app, unit
from rdkit import Chem
from rdkit.Chem import AllChem

sys.path.insert(0, str(Path(__file__).parents[1]))

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.prepare.chemistry import Ligand, read_ligand
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.readers import load
from openmm_neuralmd.trajectory.snapshots import read_snapshots
from robustness.targets import pocket

RESULT = Path(__file__).parents[1] / "results" / "robustness" / "reports.json"


@dataclass(frozen=True)
class Report:
    """A public report and what is right.

    Attributes
    ----------
    source : str
        Repository and number of the issue or pull request.
    condition : str
        What is awkward.
    right : str
        What the package does.
    check : callable
        Makes the condition in a folder; an AssertionError where the package does otherwise.
    """

    source: str
    condition: str
    right: str
    check: Callable[[Path], None]


REPORTS: list[Report] = []


def report(source: str, condition: str, right: str) -> Callable:
    """Enter a check into the list."""

    def enter(check: Callable[[Path], None]) -> Callable[[Path], None]:
        REPORTS.append(Report(source, condition, right, check))
        return check

    return enter


@cache
def lines() -> tuple[str, ...]:
    """PDB of twelve residues around p-xylene."""
    complex_ = pocket()
    with tempfile.NamedTemporaryFile("w+", suffix=".pdb") as file:
        positions = complex_.positions * unit.nanometer
        app.PDBFile.writeFile(complex_.topology, positions, file, keepIds=True)
        file.seek(0)
        return tuple(file.read().splitlines())


def is_atom(line: str) -> bool:
    """A line of coordinates."""
    return line.startswith(("ATOM", "HETATM"))


def is_ligand(line: str) -> bool:
    """A line of the ligand's coordinates."""
    return is_atom(line) and line[17:20] == "TMP"


def read(folder: Path, content: list[str], **choices: str | Path) -> Complex:
    """The complex of these lines, without notes."""
    file = folder / "s.pdb"
    file.write_text("\n".join(content) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Complex.from_files(file, **choices)


def refused(action: Callable[[], object], *words: str) -> None:
    """One line of ours, which has these words."""
    try:
        value = action()
    except InputError as error:
        text = str(error)
        assert "\n" not in text, text
        assert all(word in text for word in words), text
        return
    raise AssertionError(f"accepted: {value}")


def same_bonds(complex_: Complex) -> None:
    """The ligand's bonds are those of the source."""
    assert len(complex_.ligand) == len(pocket().ligand)
    assert np.array_equal(complex_.ligand_bonds, pocket().ligand_bonds)


def hybrid36(number: int) -> str:
    """Serial of five columns from 100,000 on: A0000, A0001, ..."""
    digits, rest = "", number - 100_000
    for _ in range(4):
        rest, digit = divmod(rest, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rest] + digits


def renumbered(serial: Callable[[int], str]) -> list[str]:
    """All serials changed, in CONECT records too."""
    new = []
    for line in lines():
        if is_atom(line):
            line = line[:6] + serial(int(line[6:11])) + line[11:]
        elif line.startswith("CONECT"):
            serials = [line[i : i + 5] for i in range(6, len(line.rstrip()), 5)]
            line = "CONECT" + "".join(serial(int(s)) for s in serials)
        new.append(line)
    return new


@report("OpenFreeEnergy/gufe#702", "serials beyond 99,999 in hybrid-36, CONECT too", "read")
def _hybrid36(folder: Path) -> None:
    same_bonds(read(folder, renumbered(lambda n: hybrid36(100_000 + n))))


@report("openmm/openmm#3956", "serials beyond 99,999 in hexadecimal, CONECT too", "read")
def _hexadecimal(folder: Path) -> None:
    same_bonds(read(folder, renumbered(lambda n: f"{100_000 + n:x}")))


@report("openmm/openmm#659", "stars in place of serials beyond 99,999", "read")
def _stars(folder: Path) -> None:
    same_bonds(read(folder, [x for x in renumbered(lambda _: "*****") if x[:6] != "CONECT"]))


@report("marrink-lab/vermouth-martinize#670", "CONECT serials cut to four digits", "read")
def _cut_serials(folder: Path) -> None:
    content = [
        "CONECT" + "".join(f"{int(line[i : i + 5]) % 10:5d}" for i in range(6, len(line), 5))
        if line.startswith("CONECT")
        else line
        for line in (x.rstrip() for x in lines())
    ]
    same_bonds(read(folder, content))


@report("paduagroup/fftool#9", "a serial of six digits shifts its line", "refused")
def _shifted(folder: Path) -> None:
    content = list(lines())
    index = next(i for i, line in enumerate(content) if is_atom(line))
    content[index] = content[index][:6] + "100000" + content[index][11:]
    refused(lambda: read(folder, content), "s.pdb")


@report("mdtraj/mdtraj#1740", "two ligands of one name and number in two chains", "asks which")
def _twin_ligands(folder: Path) -> None:
    twin = [
        f"{x[:21]}Z{x[22:38]}{float(x[38:46]) + 60:8.3f}{x[46:]}" for x in lines() if is_ligand(x)
    ]
    content = [x for x in lines() if x[:3] != "END"] + twin + ["END"]
    refused(lambda: read(folder, content), "2 residues can be the ligand")


@report("mdtraj/mdtraj#658", "every residue stands in the file twice", "refused")
def _twice(folder: Path) -> None:
    protein = [x for x in lines() if is_atom(x) and not is_ligand(x)]
    ligand = [x for x in lines() if is_ligand(x)]
    refused(lambda: read(folder, [*protein, "TER", *protein, "TER", *ligand, "END"]))


@report("mdtraj/mdtraj#330", "a CRYST1 of ones where there is no cell", "no box")
def _bogus_cell(folder: Path) -> None:
    cell = "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1"
    content = [cell, *(x for x in lines() if not x.startswith("CRYST1"))]
    assert read(folder, content).box is None


@report("nostrumbiodiscovery/pele_platform#178", "residue numbers below zero", "read")
def _negative(folder: Path) -> None:
    content = [f"{x[:22]}{int(x[22:26]) - 120:4d}{x[26:]}" if is_atom(x) else x for x in lines()]
    same_bonds(read(folder, content))


@report("nostrumbiodiscovery/pele_platform#178", "the ligand's name in HEADER", "read")
def _header(folder: Path) -> None:
    head = "HEADER    TMPASE/TMPASE INHIBITOR                 11-MAY-11   3RZ3"
    same_bonds(read(folder, [head, *lines()]))


@report("haddocking/pdb-tools#148", "residues that differ in their insertion code only", "read")
def _insertions(folder: Path) -> None:
    codes = iter("ABCDEFGHIJKLMNOP")
    code: dict[str, str] = {}
    content = []
    for line in lines():
        if is_atom(line) and not is_ligand(line):
            key = line[21:27]
            code[key] = code.get(key) or next(codes)
            line = f"{line[:22]} 100{code[key]}{line[27:]}"
        content.append(line)
    assert read(folder, content).n_residues == pocket().n_residues


@report("chemosim-lab/ProLIF#331", "no chain identifiers, residues numbered anew", "read")
def _no_chains(folder: Path) -> None:
    same_bonds(read(folder, [x[:21] + " " + x[22:] if is_atom(x) else x for x in lines()]))


@report("chemosim-lab/ProLIF#196", "CONECT of a part of the protein alone", "ligand unchanged")
def _some_conect(folder: Path) -> None:
    serials = [x[6:11] for x in lines() if is_atom(x) and not is_ligand(x)][:2]
    content = [x for x in lines() if not x.startswith("CONECT")]
    same_bonds(read(folder, [*content[:-1], "CONECT" + "".join(serials), "END"]))


@report("chemosim-lab/ProLIF#292", "a chlorine with C in its element column, SDF given", "refused")
def _chlorine(folder: Path) -> None:
    other = Chem.AddHs(Chem.MolFromSmiles("Cc1ccc(Cl)cc1"))
    AllChem.EmbedMolecule(other, randomSeed=1)
    sdf = folder / "l.sdf"
    sdf.write_text(Chem.MolToMolBlock(other) + "$$$$\n")
    refused(lambda: read(folder, list(lines()), sdf=sdf))


@report("maabuu/posebusters#34", "a ligand that is one iron atom", "refused")
def _iron(folder: Path) -> None:
    one = next(x for x in lines() if is_ligand(x))
    iron = f"HETATM{one[6:12]}FE    FE{one[20:76]}FE"
    content = [x for x in lines() if is_atom(x) and not is_ligand(x)]
    refused(lambda: read(folder, [*content, iron, "END"], ligand="FE"), "heavy atoms it needs")


def molecule() -> Chem.Mol:
    """2-methylimidazole in space: an aromatic nitrogen with its hydrogen."""
    embedded = Chem.AddHs(Chem.MolFromSmiles("Cc1ncc[nH]1"))
    AllChem.EmbedMolecule(embedded, randomSeed=1)
    return embedded


def ligand(folder: Path, text: str) -> Ligand:
    """Read an SDF of this text."""
    (folder / "l.sdf").write_text(text)
    return read_ligand(folder / "l.sdf")


@report("rdkit/rdkit#9140", "V3000 with aromatic bonds and explicit hydrogens", "read")
def _v3000(folder: Path) -> None:
    text = Chem.MolToV3KMolBlock(molecule(), kekulize=False) + "$$$$\n"
    assert ligand(folder, text).smiles == Chem.MolToSmiles(Chem.RemoveHs(molecule()))


@report("rdkit/rdkit#1880", "aromatic bonds whose hydrogen on nitrogen is missing", "refused")
def _no_kekule(folder: Path) -> None:
    flat = Chem.RemoveAllHs(molecule())
    text = Chem.MolToMolBlock(flat, kekulize=False) + "$$$$\n"
    refused(lambda: ligand(folder, text), "l.sdf")


@report("michellab/BioSimSpace#419", "bond lines without their last columns", "read")
def _short_bonds(folder: Path) -> None:
    text = Chem.MolToMolBlock(molecule()).splitlines()
    atoms = molecule().GetNumAtoms()
    text = [x[:9] if 4 + atoms <= i and not x.startswith("M") else x for i, x in enumerate(text)]
    read_ = ligand(folder, "\n".join(text) + "\n$$$$\n")
    assert read_.smiles == Chem.MolToSmiles(Chem.RemoveHs(molecule()))


def trajectory(folder: Path, name: str) -> Path:
    """Four snapshots of the pocket, 5 ps apart."""
    noise = np.random.default_rng(0).normal(scale=0.002, size=(4, *pocket().positions.shape))
    topology = mdtraj.Topology.from_openmm(pocket().topology)
    frames = mdtraj.Trajectory(pocket().positions + noise, topology, time=5.0 * np.arange(4))
    frames.save(str(folder / name))
    return folder / name


def dcd(folder: Path, delta: float, steps: int, title: bytes) -> Path:
    """A DCD of another program: time step, steps between snapshots, first title."""
    file = trajectory(folder, "t.dcd")
    content = bytearray(file.read_bytes())
    content[44:48], content[16:20] = struct.pack("<f", delta), struct.pack("<i", steps)
    content[100:180] = title.ljust(80)
    file.write_bytes(content)
    return file


@report("MDAnalysis/mdanalysis#67", "LAMMPS' DCD, whose time step is not in AKMA units", "asks")
def _lammps(folder: Path) -> None:
    file = dcd(folder, 2.0, 1000, b"REMARKS Written by LAMMPS")
    refused(lambda: read_snapshots(file, pocket()), "interval=")


@report("MDAnalysis/mdanalysis#1819", "NAMD's DCD: 1 fs in AKMA units, every 10 steps", "0.01 ps")
def _namd(folder: Path) -> None:
    file = dcd(folder, 0.020454829558730125, 10, b"REMARKS CREATED BY NAMD")
    assert abs(read_snapshots(file, pocket()).interval_ps - 0.01) < 1e-6


@report("MDAnalysis/mdanalysis#4905", "Desmond's XTC, whose times are wrong", "interval= decides")
def _desmond(folder: Path) -> None:
    known = read_snapshots(trajectory(folder, "t.xtc"), pocket(), interval=100.0)
    assert known.interval_ps == 100.0


@report("MDAnalysis/mdanalysis#34", "a triclinic cell in XTC", "kept")
def _triclinic(folder: Path) -> None:
    vectors = np.array([[8.0, 0, 0], [0, 8.0, 0], [4.0, 4.0, 5.657]])
    topology = mdtraj.Topology.from_openmm(pocket().topology)
    frames = mdtraj.Trajectory(pocket().positions[None], topology, time=[0.0])
    frames.unitcell_vectors = vectors[None]
    file = folder / "t.xtc"
    frames.save(str(file))
    boxes = load(file, topology).boxes
    assert boxes is not None
    assert np.allclose(boxes[0], vectors, atol=1e-3), boxes


def main() -> None:
    """Try every report, and write the record."""
    from openmm_neuralmd.utils.provenance import package_versions
    from robustness.page import render

    verdicts = []
    for one in REPORTS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                one.check(Path(folder))
                verdict = "right"
            except Exception as error:
                verdict = f"wrong: {type(error).__name__}: {str(error)[:200]}"
        print(one.source, "|", one.condition, "|", verdict, flush=True)
        verdicts.append(
            {"source": one.source, "condition": one.condition, "right": one.right, "is": verdict}
        )
    content = {"reports": verdicts, "versions": package_versions()}
    RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    render()


if __name__ == "__main__":
    main()
