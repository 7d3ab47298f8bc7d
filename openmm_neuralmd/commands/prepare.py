"""`neuralmd prepare`: write a complex folder from structures or from existing parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .command import say_next, set_aside
from .grouped import grouped

if TYPE_CHECKING:
    from ..md.folder import ComplexFolder

HELP = """Prepare a complex for simulation: complete the protein, parametrise the ligand, minimise.

From PROTEIN.pdb LIGAND.sdf, the command adds missing atoms and hydrogens, and assigns GAFF2
parameters to the ligand.

Existing parameters are imported unchanged from PRMTOP INPCRD, TOP GRO or SYSTEM.xml COMPLEX.pdb.
"""
EXAMPLE = "Example: neuralmd prepare protein.pdb ligand.sdf --charges am1bcc -o complex"
IMPORTED = {
    ".prmtop": "amber",
    ".parm7": "amber",
    ".top": "gromacs",
    ".xml": "openmm",
}
_PREPARATION = "Preparation (PROTEIN.pdb LIGAND.sdf)"
_IMPORT = "Import (existing parameters)"


@dataclass(frozen=True)
class Preparation:
    """Settings of a preparation that options give; None where the default holds."""

    ph: Annotated[
        float | None,
        typer.Option(
            metavar="PH",
            help="pH that protonates residues without hydrogens. Default: 7.4.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None
    charges: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="Charges of the ligand: am1bcc, am1bcc-sp, mmff94, gasteiger or sdf (partial "
            "charges in the SDF). Default: am1bcc-sp if sqm is installed.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None
    solvent: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Solvent model: vacuum, obc2, gbn2 or explicit. Default: obc2.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None
    waters: Annotated[
        str | None,
        typer.Option(
            metavar="keep|drop",
            help="Keep or drop the water in PROTEIN. Default: keep it in explicit solvent only.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None
    nonstandard: Annotated[
        str | None,
        typer.Option(
            metavar="replace|refuse",
            help="Treatment of modified residues without parameters. Default: replace.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RESIDUE",
            help="Name of residues to leave out. Can be repeated.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None
    platform: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="OpenMM platform of the minimisation. Default: the fastest.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None
    relax: Annotated[
        float | None,
        options.duration(
            help="Equilibrate a box of explicit solvent at 1 bar for this time, with the solute "
            "restrained, such as 30ps.",
            panel=_PREPARATION,
        ),
    ] = None
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="openmm|gromacs",
            help="Engine of --relax. Default: openmm.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None

    def choices(self) -> dict[str, Any]:
        """Settings that were given, by their names in `PrepareSettings`."""
        choices: dict[str, Any] = {
            "ph": self.ph,
            "charges": self.charges,
            "solvent": self.solvent,
            "waters": self.waters,
            "nonstandard": self.nonstandard,
            "drop": tuple(self.drop) if self.drop else None,
            "platform": self.platform,
            "relax_ps": self.relax,
            "engine": self.engine,
        }
        return {name: value for name, value in choices.items() if value is not None}


@dataclass(frozen=True)
class Import:
    """Options of an import."""

    sdf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="SDF with the bond orders of an imported ligand. Default: perceive them.",
            rich_help_panel=_IMPORT,
        ),
    ] = None
    include: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder searched for #include files of a GROMACS topology.",
            rich_help_panel=_IMPORT,
        ),
    ] = None


@grouped
def prepare(
    structure: Annotated[
        Path, typer.Argument(metavar="PROTEIN", help="PDB, mmCIF, prmtop, top or System XML.")
    ],
    partner: Annotated[
        Path, typer.Argument(metavar="LIGAND", help="SDF; for an import: inpcrd, gro or PDB.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Complex folder to write.")
    ],
    ligand: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Title or number of the molecule in the SDF; for an import, residue name or "
            "CHAIN:NUMBER of the ligand.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the complex. Default: name of the folder."),
    ] = None,
    *,
    preparation: Preparation,
    imported: Import,
    restart: options.Restart = False,
) -> None:
    """Prepare or import, depending on the suffix of the first file."""
    given, files = preparation.choices(), asdict(imported)
    kind = IMPORTED.get(structure.suffix.lower())
    _refuse_stray(kind, given, files)
    options.warn_of_platform(preparation.platform)
    if restart:
        set_aside([output], output.with_name(f"{output.name}.previous"))
    if kind is None:
        folder = _prepare(structure, partner, output, ligand, name, given)
    else:
        if kind != "gromacs":
            del files["include"]
        folder = _import(kind, structure, partner, output, ligand=ligand, name=name, **files)
    _report(folder)


def _refuse_stray(kind: str | None, given: dict[str, Any], imported: dict[str, Any]) -> None:
    """Refuse options without effect as wrong usage."""
    stray = list(given) if kind else [key for key, value in imported.items() if value is not None]
    if kind not in (None, "gromacs") and imported["include"] is not None:
        stray.append("include")
    if stray:
        what = f"an import from {kind}" if kind else "a preparation from PDB and SDF"
        raise typer.BadParameter(f"--{stray[0]} has no meaning for {what}")


def _prepare(
    protein: Path,
    ligand: Path,
    output: Path,
    molecule: str | None,
    name: str | None,
    given: dict[str, Any],
) -> ComplexFolder:
    from ..prepare.pipeline import prepare as run
    from ..prepare.settings import PrepareSettings

    settings = PrepareSettings(**given)
    return run(
        protein, ligand, output, molecule=molecule, name=name, settings=settings, note=typer.echo
    )


def _import(kind: str, first: Path, second: Path, output: Path, **rest: Any) -> ComplexFolder:
    from .. import prepare as reference

    readers: dict[str, Callable[..., ComplexFolder]] = {
        "amber": reference.import_amber,
        "gromacs": reference.import_gromacs,
        "openmm": reference.import_openmm,
    }
    return readers[kind](first, second, output, **rest)


def _report(folder: ComplexFolder) -> None:
    record = folder.record
    energy = record["energy"]["kj_mol"]
    typer.echo(f"{folder.path}: {record['atoms']} atoms, potential energy {energy:.1f} kJ/mol")
    for key, value in record.get("checks", {}).items():
        typer.echo(f"{key.replace('_', ' ')}: {value}")
    say_next("neuralmd", "reference", folder.path, "--time", "3ns")
