"""How fast all-atom MD is on this machine: modes, solvents, OpenMM and GROMACS, on one complex.

    python validation/engines.py [--threads 2] [--repeats 5] [--json out.json]

T4 lysozyme L99A with a fragment (tests/data/t4_lysozyme), 4 fs, masses repartitioned.  Everything
is timed in turn, in one run; nothing else may run on the machine.  Needs AmberTools and gmx.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import openmm

from openmm_neuralmd.files import complete
from openmm_neuralmd.progress import progress_bar
from openmm_neuralmd.provenance import provenance
from openmm_neuralmd.reference import ComplexFolder, PrepareSettings, prepare
from openmm_neuralmd.reference.gromacs import find_gmx
from openmm_neuralmd.reference.gromacs import parameters as mdp
from openmm_neuralmd.reference.gromacs.energies import extent
from openmm_neuralmd.reference.gromacs.run import Work, grompp
from openmm_neuralmd.reference.gromacs.topology import export
from openmm_neuralmd.reference.md import MDSettings, build
from openmm_neuralmd.reference.md.field import running_system
from openmm_neuralmd.reference.md.platforms import make_context
from openmm_neuralmd.reference.md.subsystem import nonbonded_force

HERE = Path(__file__).parent
DATA = HERE.parent / "tests" / "data" / "t4_lysozyme"
SECONDS = 15.0  # of wall time in a repeat, about
WARM_PS = 2.0
_PERFORMANCE = re.compile(r"^Performance:\s+(\S+)", re.MULTILINE)
SPEED = Callable[[], float]


@dataclass(frozen=True)
class Variant:
    """A row of the table.

    Attributes
    ----------
    engine, mode, solvent : str
    cutoff : float, optional
        nm, of a complex without one.
    pair_by_pair : bool
        Mode rigid by OpenMM's interaction group, in place of a `Field`.
    """

    engine: str
    mode: str
    solvent: str
    cutoff: float | None = None
    pair_by_pair: bool = False

    @property
    def name(self) -> str:
        """For the table."""
        surroundings = {"obc2": "implicit (OBC2)", "explicit": "explicit (TIP3P)"}
        told = surroundings.get(self.solvent, self.solvent)
        if self.mode == "rigid":
            told = "none (4r dielectric)"
        cut = f", cutoff {self.cutoff:g} nm" if self.cutoff else ""
        how = ", pair by pair" if self.pair_by_pair else ""
        return f"{self.mode}, {told}{cut}{how}"


VARIANTS = (
    Variant("openmm", "flexible", "obc2"),
    Variant("openmm", "flexible", "obc2", 2.0),
    Variant("openmm", "flexible", "obc2", 1.2),
    Variant("openmm", "flexible", "explicit"),
    Variant("gromacs", "flexible", "explicit"),
    Variant("openmm", "pocket", "explicit"),
    Variant("gromacs", "pocket", "explicit"),
    Variant("openmm", "pocket", "vacuum"),
    Variant("gromacs", "pocket", "vacuum"),
    Variant("openmm", "rigid", "vacuum"),
    Variant("openmm", "rigid", "vacuum", pair_by_pair=True),
)


def openmm_speed(
    folder: ComplexFolder, settings: MDSettings, pair_by_pair: bool
) -> tuple[SPEED, dict[str, int]]:
    """A function that steps for some seconds and tells ns/day."""
    setup = build(folder, settings)
    system = setup.system if pair_by_pair else running_system(setup, settings)
    context = make_context(system, settings, settings.timestep_fs, 1.0, 1)
    if setup.periodic:
        context.setPeriodicBoxVectors(*setup.topology.getPeriodicBoxVectors())
    context.setPositions(setup.complex.positions)
    openmm.LocalEnergyMinimizer.minimize(context, 100.0, 100)
    context.setVelocitiesToTemperature(settings.temperature, 1)
    integrator = context.getIntegrator()
    integrator.step(round(WARM_PS * 1000 / settings.timestep_fs))
    steps = [100]

    def speed() -> float:

        context.getState(positions=True)
        began = time.perf_counter()
        integrator.step(steps[0])
        context.getState(positions=True)
        seconds = time.perf_counter() - began
        rate = steps[0] * settings.timestep_fs * 1e-6 / seconds * 86400
        steps[0] = max(20, round(steps[0] * SECONDS / seconds))
        return rate

    speed()
    return speed, setup.counts()


def gromacs_speed(
    folder: ComplexFolder, settings: MDSettings, place: Path, threads: int
) -> tuple[SPEED, dict[str, int]]:
    """The same by mdrun, as its log tells it; half of a repeat, in which it tunes, is not timed."""
    setup = build(folder, settings)
    forces = mdp.nonbonded(nonbonded_force(setup.system), extent(setup.complex.positions))
    exported = export(setup, forces.cutoff, np.arange(setup.system.getNumParticles()), place)
    work = Work(find_gmx(), place, setup, settings, forces, exported, 600.0)
    groups, periodic = exported.groups, setup.periodic
    warm = round(2 * WARM_PS * 1000 / settings.timestep_fs)
    options = ("-ntmpi", 1, "-ntomp", threads, "-nb", "cpu")
    frozen = "Fixed" in groups
    stages = {
        "minimised": ("start.gro", mdp.minimisation(forces, frozen)),
        "restrained": ("minimised.gro", mdp.restrained(forces, settings, groups, warm, periodic)),
        "production": ("restrained.gro", mdp.production(forces, settings, groups, -1, periodic)),
    }
    for name, (start, chosen) in stages.items():
        grompp(work, name, start, chosen)
        if name != "production":
            work.gmx.run("mdrun", "-deffnm", name, *options, folder=place)
    steps = [2000]

    def speed() -> float:
        files = ("-s", "production.tpr", "-deffnm", "timed", "-nsteps", steps[0], "-resethway")
        work.gmx.run("mdrun", *files, *options, "-noconfout", folder=place)
        rate = float(_PERFORMANCE.findall((place / "timed.log").read_text())[-1])
        seconds = steps[0] * settings.timestep_fs * 1e-6 / rate * 86400
        steps[0] = max(200, round(steps[0] * SECONDS / seconds))
        return rate

    speed()
    return speed, setup.counts()


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
    racing = []
    for number, variant in enumerate(VARIANTS):
        folder = prepared(arguments.work, variant.solvent)
        chosen = {"mode": variant.mode, "cutoff": variant.cutoff, "platform": "CPU"}
        threads = {"properties": {"Threads": str(arguments.threads)}}
        settings = MDSettings(**chosen, **threads)
        if variant.engine == "openmm":
            speed, counts = openmm_speed(folder, settings, variant.pair_by_pair)
        else:
            place = temporary / str(number)
            place.mkdir()
            speed, counts = gromacs_speed(folder, settings, place, arguments.threads)
        racing.append((variant, speed, counts))
    found: list[list[float]] = [[] for _ in racing]
    total = arguments.repeats * len(racing)
    with progress_bar("engines", total, "repeats") as advance:
        for _ in range(arguments.repeats):
            for (variant, speed, _), rates in zip(racing, found, strict=True):
                rates.append(speed())
                advance(1, f"{variant.engine} {variant.mode}")
    return [
        {
            "engine": variant.engine,
            "what": variant.name,
            "atoms": counts["kept"],
            "moving": counts["moving"],
            "ns_per_day": {
                "median": float(np.median(rates)),
                "least": min(rates),
                "greatest": max(rates),
            },
        }
        for (variant, _, counts), rates in zip(racing, found, strict=True)
    ]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path("runs/engines"))
    parser.add_argument("--json", type=Path, default=HERE / "results" / "engines-t4l.json")
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
        "provenance": provenance(),
    }
    with complete(arguments.json) as path:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        speed = row["ns_per_day"]
        print(
            f"{row['engine']:8s} {row['what']:40s} {row['moving']:6d} {speed['median']:8.1f} "
            f"({speed['least']:.1f} to {speed['greatest']:.1f})"
        )
    print(f"wrote {arguments.json}")


if __name__ == "__main__":
    main()
