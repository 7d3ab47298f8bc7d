"""Identification of the ligand's residue in a PyMOL object."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from pymol import CmdException

# fmt: off
NEVER_A_LIGAND = frozenset(
    # caps
    "ACE NME NMA NH2 FOR CT3 NAC "
    # water
    "HOH WAT H2O DOD SOL TIP TIP2 TIP3 TIP4 TIP5 TP3 TP4 SPC SPCE OPC T3P "
    # ions
    "NA NA+ SOD CL CL- CLA K K+ POT LI LI+ LIT RB RB+ CS CS+ CES F F- BR BR- IOD MG MG2 MG2+ CA "
    "CA2 CA2+ CAL ZN ZN2 ZN2+ MN MN2 FE FE2 FE3 CO NI CU CU1 CD CD2 HG BA BAR SR AL "
    # buffers and lipids
    "SO4 PO4 CO3 BCT ACT ACY GOL EDO PEG PGE PG4 DMS FMT TRS MES EPE CIT BME NO3 IPA EOH MPD IMD "
    "POPC POPE DOPC DPPC DMPC DLPC DOPE DPPE POPS POPG CHL1 CHL CLR PA PC OL PE ST "
    # nucleotides
    "A C G U I DA DC DG DT DI DU A3 A5 C3 C5 G3 G5 U3 U5 DA3 DA5 DC3 DC5 DG3 DG5 DT3 DT5".split()
)
# fmt: on
"""The names that `openmm_neuralmd` passes over too; any of them can be named all the same."""
MINIMUM_HEAVY_ATOMS = 3


class Residue(NamedTuple):
    """Names by which PyMOL selects a residue."""

    segi: str
    chain: str
    resi: str
    resn: str

    def __str__(self) -> str:
        return f"{self.chain}:{self.resi}:{self.resn}"

    def called(self, text: str) -> bool:
        """Test whether NAME, CHAIN:NUMBER or CHAIN:NUMBER:NAME means this residue."""
        return text in (self.resn, f"{self.chain}:{self.resi}", str(self))

    def selection(self, name: str) -> str:
        """PyMOL's selection of its atoms in the object `name`."""
        return (
            f"(%{name} and segi '{self.segi}' and chain '{self.chain}' "
            f"and resi '{self.resi}' and resn '{self.resn}')"
        )


def find_ligand(cmd: Any, name: str, wanted: str = "") -> Residue:
    """The residue called `wanted`; without that the largest that is no polymer and no additive.

    Raises
    ------
    CmdException
        There is none, or more than one is called so.
    """
    candidates = _residues(cmd, f"%{name} and not polymer and not hydro")
    for residue, atoms in list(candidates.items()):
        if residue.resn in NEVER_A_LIGAND or atoms < MINIMUM_HEAVY_ATOMS:
            del candidates[residue]
    shown = ", ".join(map(str, candidates)) or "none"
    if not wanted:
        if not candidates:
            raise CmdException(f"{name}: no ligand found; name it with ligand=NAME or CHAIN:NUMBER")
        return candidates.most_common(1)[0][0]
    matching = [r for r in _residues(cmd, f"%{name} and not hydro") if r.called(wanted)]
    if not matching:
        raise CmdException(f"{name}: no residue is called {wanted}; candidates: {shown}")
    if len(matching) > 1:
        raise CmdException(
            f"{name}: {len(matching)} residues are called {wanted}; choose one, such as "
            f"ligand={matching[0]}"
        )
    return matching[0]


def _residues(cmd: Any, selection: str) -> Counter[Residue]:
    """Count the atoms of the selection in each residue."""
    atoms: list[tuple[str, str, str, str]] = []
    cmd.iterate(selection, "atoms.append((segi, chain, resi, resn))", space={"atoms": atoms})
    return Counter(Residue(*atom) for atom in atoms)
