"""`neuralmd prepare`: a complex folder from structures, or from parameters that exist already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .command import say, set_aside

if TYPE_CHECKING:
    from ..md.folder import ComplexFolder

HELP = """Prepare a complex for simulation: complete the protein, parametrise the ligand, minimise.

PROTEIN.pdb LIGAND.sdf: missing atoms and hydrogens are added, the ligand gets GAFF2 parameters.

Parameters that exist already are taken as they are: PRMTOP INPCRD, TOP GRO, SYSTEM.xml COMPLEX.pdb.
"""
EXAMPLE = "Example: neuralmd prepare protein.pdb ligand.sdf --charges am1bcc -o complex"
IMPORTED = {
    ".prmtop": "amber",
    ".parm7": "amber",
    ".top": "gromacs",
    ".xml": "openmm",
}
_PREPARATION = "Preparation (PROTEIN.pdb LIGAND.sdf)"
_IMPORT = "Import (parameters that exist already)"


def prepare(
    structure: Annotated[
        Path, typer.Argument(metavar="PROTEIN", help="PDB or mmCIF; or prmtop, top, System XML.")
    ],
    partner: Annotated[
        Path, typer.Argument(metavar="LIGAND", help="SDF; or inpcrd, gro, PDB to what is imported.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The complex folder to write.")
    ],
    ligand: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Title or number of the molecule in the SDF; of an import, residue name or "
            "CHAIN:NUMBER.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the complex; default: the folder's.")
    ] = None,
    ph: Annotated[
        float | None,
        typer.Option(
            metavar="PH",
            help="For residues without hydrogens in the file. Default: 7.4.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    charges: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="am1bcc, am1bcc-sp, mmff94, gasteiger or sdf (the SDF's own partial charges). "
            "Default: am1bcc-sp where sqm is found.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    solvent: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="vacuum, obc2, gbn2 or explicit. Default: obc2.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    waters: Annotated[
        str | None,
        typer.Option(
            metavar="keep|drop",
            help="Water of the file. Default: kept in explicit solvent only.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    nonstandard: Annotated[
        str | None,
        typer.Option(
            metavar="replace|refuse",
            help="Modified residues without parameters. Default: replace.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RESIDUE",
            help="Leave residues of this name out; can be repeated.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="OpenMM platform of the minimisation; default: the fastest.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    relax: Annotated[
        float | None,
        typer.Option(
            metavar="TIME",
            parser=options.time_option,
            help="Explicit solvent: bring the box to 1 bar for so long, the solute held: 30ps.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="openmm|gromacs",
            help="What --relax runs on. Default: openmm.",
            rich_help_panel=_PREPARATION,
        ),
    ] = None,
    sdf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Bond orders of an imported ligand; perceived without it.",
            rich_help_panel=_IMPORT,
        ),
    ] = None,
    include: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where #include of a GROMACS topology looks.",
            rich_help_panel=_IMPORT,
        ),
    ] = None,
    restart: options.Restart = False,
) -> None:
    """Tell preparation from import by the first file's ending."""
    choices: dict[str, Any] = {
        "ph": ph,
        "charges": charges,
        "solvent": solvent,
        "waters": waters,
        "nonstandard": nonstandard,
        "drop": tuple(drop) if drop else None,
        "platform": platform,
        "relax_ps": relax,
        "engine": engine,
    }
    given = {key: value for key, value in choices.items() if value is not None}
    imported: dict[str, Any] = {"sdf": sdf, "include": include}
    kind = IMPORTED.get(structure.suffix.lower())
    _refuse_stray(kind, given, imported)
    options.warn_of_platform(platform)
    if restart:
        moved = set_aside([output], output.with_name(f"{output.name}.previous"))
        say(f"the earlier folder is now in {moved}" if moved else "nothing to set aside")
    if kind is None:
        folder = _prepare(structure, partner, output, ligand, name, given)
    else:
        if kind != "gromacs":
            del imported["include"]
        folder = _import(kind, structure, partner, output, ligand=ligand, name=name, **imported)
    _report(folder)


def _refuse_stray(kind: str | None, given: dict[str, Any], imported: dict[str, Any]) -> None:
    """Options that would be without effect are wrong usage."""
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
    from ..prepare.pipeline import PrepareSettings
    from ..prepare.pipeline import prepare as run

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
    typer.echo(f"next: neuralmd reference {folder.path}")
