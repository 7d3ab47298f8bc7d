"""Speed of all-atom MD on this machine: modes, solvents, OpenMM and GROMACS, on one complex.

    python validation/engines.py [--threads 2] [--repeats 5] [--json out.json]

T4 lysozyme L99A with a fragment (tests/data/t4_lysozyme), 4 fs, masses repartitioned.  Everything
is timed in turn, in one run; nothing else may run on the machine.  Needs AmberTools and gmx.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openmm_neuralmd.assessment.speed.all_atom import Pace, Variant
from openmm_neuralmd.assessment.speed.timing import in_turn, spread
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs.program import find_gmx
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.prepare.pipeline import prepare
from openmm_neuralmd.prepare.settings import PrepareSettings
from openmm_neuralmd.utils.progress import progress_bar
from result_files import save

HERE = Path(__file__).parent
DATA = HERE.parent / "tests" / "data" / "t4_lysozyme"
PACE = Pace(seconds=15.0)
VARIANTS = (
    ("openmm", "flexible", "obc2", None, False),
    ("openmm", "flexible", "obc2", 2.0, False),
    ("openmm", "flexible", "obc2", 1.2, False),
    ("openmm", "flexible", "explicit", None, False),
    ("gromacs", "flexible", "explicit", None, False),
    ("openmm", "pocket", "explicit", None, False),
    ("gromacs", "pocket", "explicit", None, False),
    ("openmm", "pocket", "vacuum", None, False),
    ("gromacs", "pocket", "vacuum", None, False),
    ("openmm", "rigid", "vacuum", None, False),
    ("openmm", "rigid", "vacuum", None, True),
)
"""Engine, mode, solvent, cutoff in nm, whether pair by pair."""


def prepared(work: Path, solvent: str) -> ComplexFolder:
    """The complex in a solvent; kept between runs."""
    path = work / solvent
    if path.exists():
        return ComplexFolder.open(path)
    settings = PrepareSettings(solvent=solvent, platform="CPU")
    if solvent == "explicit":
        settings = PrepareSettings(solvent=solvent, platform="CPU", relax_ps=20.0, engine="gromacs")
    return prepare(
        DATA / "protein.pdb", DATA / "ligands.sdf", path, molecule="1", settings=settings
    )


def measure(arguments: argparse.Namespace, temporary: Path) -> list[dict[str, Any]]:
    """All variants, in turn."""
    variants = {}
    for number, (engine, mode, solvent, cutoff, pair_by_pair) in enumerate(VARIANTS):
        settings = MDSettings(
            mode=mode,
            cutoff=cutoff,
            platform="CPU",
            properties={"Threads": str(arguments.threads)},
        )
        folder = prepared(arguments.work, solvent)
        variants[str(number)] = Variant(engine, folder, settings, pair_by_pair)
    contestants = {}
    for name, variant in variants.items():
        place = temporary / name
        place.mkdir()
        contestants[name] = variant.contestant(place, PACE)
    total = arguments.repeats * len(contestants)
    with progress_bar("engines", total, "repeats") as advance:
        measures = {name: contestant.measure for name, contestant in contestants.items()}
        rates = in_turn(measures, arguments.repeats, advance)
    return [
        {
            "engine": variants[name].engine,
            "what": variants[name].what,
            "atoms": contestant.atoms,
            "moving": contestant.moving,
            "ns_per_day": spread(rates[name])._asdict(),
        }
        for name, contestant in contestants.items()
    ]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path("runs/engines"))
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    gmx = find_gmx()
    with TemporaryDirectory(prefix="neuralmd-engines-") as name:
        rows = measure(arguments, Path(name))
    result = {
        "what": "ns/day of all-atom MD, T4 lysozyme L99A with a fragment, 4 fs, CPU",
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "gromacs": {"version": gmx.version, "simd": gmx.simd},
        "rows": rows,
    }
    save("engines-t4l", result, arguments.json)
    for row in rows:
        speed = row["ns_per_day"]
        print(
            f"{row['engine']:8s} {row['what']:40s} {row['moving']:6d} {speed['median']:8.1f} "
            f"({speed['least']:.1f} to {speed['greatest']:.1f})"
        )


if __name__ == "__main__":
    main()
