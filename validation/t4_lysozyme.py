"""T4 lysozyme L99A with p-xylene (openmmtools; real Amber parameters), as complex folders.

python validation/t4_lysozyme.py FOLDER    # in implicit solvent
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import openmm
from openmm import app

from openmm_neuralmd.md.folder import LIGAND, TOPOLOGY, ComplexFolder
from openmm_neuralmd.prepare.imports import import_openmm
from openmm_neuralmd.prepare.pipeline import prepare
from openmm_neuralmd.prepare.settings import PrepareSettings
from openmm_neuralmd.structure.residues import WATER

NAME = "t4l-p-xylene"
RELAX_PS = 20.0


def amber_files() -> tuple[Path, Path]:
    """Parameters and minimised coordinates."""
    from openmmtools.testsystems import get_data_filename

    folder = Path(get_data_filename("data/T4-lysozyme-L99A-implicit"))
    return folder / "complex.prmtop", folder / "complex-minimized.crd"


def implicit(path: Path) -> ComplexFolder:
    """Import the complex with Amber's own parameters in OBC2, once."""
    if path.exists():
        return ComplexFolder.open(path)
    prmtop, coordinates = amber_files()
    source = app.AmberPrmtopFile(str(prmtop))
    system = source.createSystem(
        implicitSolvent=app.OBC2, constraints=app.HBonds, flexibleConstraints=True
    )
    with TemporaryDirectory(prefix="neuralmd-t4l-") as name:
        xml, pdb = Path(name) / "system.xml", Path(name) / "start.pdb"
        xml.write_text(openmm.XmlSerializer.serialize(system), encoding="utf-8")
        positions = app.AmberInpcrdFile(str(coordinates)).positions
        with pdb.open("w") as file:
            app.PDBFile.writeFile(source.topology, positions, file, keepIds=True)
        return import_openmm(xml, pdb, path, name=NAME)


def explicit(path: Path, dry: ComplexFolder, engine: str, platform: str | None) -> ComplexFolder:
    """Prepare the complex anew (amber14, GAFF2) in a box of water, once.

    Parameters
    ----------
    path : Path
    dry : ComplexFolder
        Without water: structure and chemistry.
    engine : str
        What brings the water to its density.
    platform : str, optional

    Raises
    ------
    ProgramError
        AmberTools are not there.
    """
    if path.exists():
        return ComplexFolder.open(path)
    whole = app.PDBFile(str(dry.path / TOPOLOGY))
    protein = app.Modeller(whole.topology, whole.positions)
    ligand = list(whole.topology.atoms())[dry.complex().ligand[0]].residue
    protein.delete([r for r in whole.topology.residues() if r is ligand or r.name in WATER])
    chosen = PrepareSettings(
        solvent="explicit", relax_ps=RELAX_PS, engine=engine, platform=platform
    )
    with TemporaryDirectory(prefix="neuralmd-t4l-") as name:
        pdb = Path(name) / "protein.pdb"
        with pdb.open("w") as file:
            app.PDBFile.writeFile(protein.topology, protein.positions, file, keepIds=True)
        return prepare(pdb, dry.path / LIGAND, path, name=NAME, settings=chosen)


def main() -> None:
    """Make the folder in implicit solvent."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    folder = implicit(parser.parse_args().folder)
    print(f"{folder.path}: {folder.record['atoms']:,} atoms")


if __name__ == "__main__":
    main()
