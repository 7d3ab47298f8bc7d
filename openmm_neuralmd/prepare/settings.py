"""Choices of `prepare`."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError
from ..md.engines import choose_engine
from .charges import METHODS
from .chemistry import RESIDUE
from .protein import ProteinOptions
from .solvents import choose_solvent


@dataclass(frozen=True)
class PrepareSettings:
    """Choices of `prepare`.

    Attributes
    ----------
    ph : float
        For residues of the protein that have no hydrogens in the file.  The ligand is taken as its
        SDF has it.
    charges : str, optional
        'am1bcc', 'am1bcc-sp', 'mmff94', 'gasteiger' or 'sdf' (those that the SDF carries); by
        default 'am1bcc-sp' where sqm is found, else 'mmff94'.
    solvent : str
        'vacuum', 'obc2', 'gbn2' or 'explicit'.
    waters : 'keep' or 'drop', optional
        Water of the file; by default kept in explicit solvent and dropped otherwise.
    nonstandard : 'replace' or 'refuse'
        Modified residues without parameters.
    drop : names of residues to leave out.
    platform : str, optional
        OpenMM's, for the minimisation; its fastest by default.
    relax_ps : float
        Explicit solvent: so long at 300 K and 1 bar, with the solute's heavy atoms held, until
        the water has its density; 0 leaves the box as it was filled.
    engine : str
        What does that: 'openmm' or 'gromacs'.

    Examples
    --------
    >>> from openmm_neuralmd.prepare import PrepareSettings
    >>> PrepareSettings(solvent="explicit", charges="mmff94", relax_ps=50.0).check()  # no error
    >>> PrepareSettings(solvent="oil").check()
    Traceback (most recent call last):
        ...
    openmm_neuralmd.errors.InputError: unknown solvent 'oil'; known: vacuum, obc2, gbn2, explicit
    """

    ph: float = 7.4
    charges: str | None = None
    solvent: str = "obc2"
    waters: str | None = None
    nonstandard: str = "replace"
    drop: tuple[str, ...] = ()
    platform: str | None = None
    relax_ps: float = 0.0
    engine: str = "openmm"

    def check(self) -> None:
        """Refuse what is no choice, before any work.

        Raises
        ------
        InputError
        """
        solvent = choose_solvent(self.solvent)
        choose_engine(self.engine)
        if not 0 <= self.ph <= 14:
            raise InputError(f"ph must be from 0 to 14, not {self.ph:g}")
        if not 0 <= self.relax_ps < 1e6 or (self.relax_ps and not solvent.explicit):
            raise InputError("the box is relaxed for a positive time, and in explicit solvent only")
        if self.charges not in (None, *METHODS):
            known = ", ".join(METHODS)
            raise InputError(f"unknown charge method {self.charges!r}; known: {known}")
        if self.waters not in (None, "keep", "drop"):
            raise InputError(f"waters is 'keep' or 'drop', not {self.waters!r}")
        if self.nonstandard not in ("replace", "refuse"):
            raise InputError(f"nonstandard is 'replace' or 'refuse', not {self.nonstandard!r}")

    def protein_options(self) -> ProteinOptions:
        """Options of the protein.  A ligand in the structure is replaced by the SDF's."""
        explicit = choose_solvent(self.solvent).explicit
        waters = self.waters or ("keep" if explicit else "drop")
        drop = (*self.drop, RESIDUE)
        return ProteinOptions(self.ph, waters == "keep", self.nonstandard, drop, self.platform)
