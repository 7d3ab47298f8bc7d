"""Speed of all-atom MD and NeuralMD on one complex, in one run, on one machine.

    python validation/speedup.py [--platform CPU] [--engines openmm,gromacs] [--json out.json]
    python validation/speedup.py --model MODEL --complex IMPLICIT EXPLICIT --reference RUN

Without --complex (folders of `neuralmd prepare`) it is T4 lysozyme L99A with p-xylene (openmmtools;
real Amber parameters), in implicit solvent and in water.  Everything is timed in turn, warmed up,
and waits for the device.  Timed are simulated ns/day, all parts of a jump, and, with the folder of
an MD run of the complex at the model's stride or finer, the memory of the ligand on both sides.
What the two sides do is not the same, and the result file says so in words.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openmm

from openmm_neuralmd.assessment.speed.all_atom import (
    ENGINES,
    Pace,
    ready,
    threads_of,
)
from openmm_neuralmd.assessment.speed.comparison import (
    in_words,
    ratios,
    with_samples,
)
from openmm_neuralmd.assessment.speed.learned import Learned
from openmm_neuralmd.assessment.speed.race import makers, raced
from openmm_neuralmd.assessment.speed.samples import memories
from openmm_neuralmd.assessment.speed.variants import CUTOFFS, variants
from openmm_neuralmd.errors import NeuralMDError, one_line
from openmm_neuralmd.hybrid.settings import JumpSettings
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.model import load_model
from openmm_neuralmd.simulation.backends import BACKENDS
from openmm_neuralmd.trajectory.history import History
from openmm_neuralmd.utils.platforms import choose_platform
from openmm_neuralmd.utils.progress import progress_bar
from result_files import save
from runs import read_run
from speed.parts import Hybrid, hybrid, starting
from speed.reference_run import open_run
from speed.validity import read_validity, verdict
from t4_lysozyme import explicit, implicit

FEWEST = 5
QUICK_PS = 0.02
QUICK_JUMPS = JumpSettings(iterations=5, relax_ps=QUICK_PS)
POSE_SAMPLERS = ("MD", "jumps by GROMACS, dragged, given the run")
"""What --poses measures; see independent.py, which continues from what is measured already."""
POSE_COST = {"long_md": "MD by OpenMM", "long_md_by_gromacs": "MD by GROMACS"}
HYBRID = "NeuralMD, hybrid: jump, relax, check, fall back"


def folders_of(arguments: argparse.Namespace, platform: str) -> tuple[list[ComplexFolder], dict]:
    """The named complexes, or T4 lysozyme; and which of them cannot be made, with the reason."""
    if arguments.complex:
        return [ComplexFolder.open(path) for path in arguments.complex], {}
    dry = implicit(arguments.work / "implicit")
    if arguments.quick:
        return [dry], {}
    engine = "gromacs" if "gromacs" in arguments.engines else "openmm"
    try:
        return [dry, explicit(arguments.work / "explicit", dry, engine, platform)], {}
    except NeuralMDError as error:
        return [dry], {"all-atom MD in water": one_line(error)}


def timed(
    learned: Learned, folders: list[ComplexFolder], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Rows, parts and jumps of the result."""
    common = {
        "platform": learned.platform,
        "properties": threads_of(learned.platform, arguments.threads),
    }
    first = folders[0]
    all_atom = variants(folders, arguments.engines, arguments.modes, common, arguments.quick)
    pace = Pace(arguments.seconds, QUICK_PS) if arguments.quick else Pace(arguments.seconds)
    with TemporaryDirectory(prefix="neuralmd-speed-") as name:
        place = Path(name)
        chosen = arguments.backends, arguments.replicas
        every = makers(all_atom, learned, place, pace, *chosen)
        with progress_bar("getting ready", len(every), "runs") as advance:
            contestants, left_out = ready(every, lambda _: advance(1))
        total = arguments.repeats * len(contestants)
        with progress_bar("speed", total, "repeats") as advance:
            rows = raced(contestants, all_atom, arguments.repeats, advance)
        parts = starting(learned, arguments.model, first, place, arguments.repeats)
    cutoff = None if first.record["periodic"] else CUTOFFS[0]
    md = MDSettings(mode=arguments.modes[0], cutoff=cutoff, **common)
    jumps = jumps_of(arguments, first, md)
    if isinstance(jumps, str):
        return {"rows": rows, "parts": parts, "jumps": None, "left_out": {HYBRID: jumps} | left_out}
    rows[HYBRID] = jumps.row(learned.platform)
    return {
        "rows": rows,
        "parts": parts | jumps.parts,
        "jumps": jumps.counts(),
        "left_out": left_out,
    }


def jumps_of(arguments: argparse.Namespace, folder: ComplexFolder, md: MDSettings) -> Hybrid | str:
    """Jumps with all that belongs to them, or why there are none."""
    chosen = QUICK_JUMPS if arguments.quick else JumpSettings()
    counts = arguments.repeats, arguments.fallback_ps
    try:
        return hybrid(arguments.model, folder, md, chosen, *counts)
    except (NeuralMDError, openmm.OpenMMException) as error:
        return one_line(error)


def poses_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """CPU time of an independent pose of each complex in --poses, by MD and by jumps."""
    if not arguments.poses:
        return {}
    import independent  # loads openmmtools, for this part alone

    given = ["--rounds", str(arguments.pose_rounds), "--samplers", *POSE_SAMPLERS]
    chosen = independent.parser().parse_args([*map(str, arguments.poses), *given])
    return {
        path.resolve().parent.name: independent.measure(path, chosen) for path in chosen.folders
    }


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Content of the result file."""
    poses = poses_of(arguments)
    platform, model = choose_platform(arguments.platform).getName(), load_model(arguments.model)
    validity = read_validity(arguments.validity, model) if arguments.validity else None
    folders, missing = folders_of(arguments, platform)
    complex = model.fitted(folders[0].complex())
    known, memory = History.of(None, complex).ligand, None
    if arguments.reference:
        fine = read_run(arguments.reference, model.hydrogens)
        run = open_run(model, complex, fine, arguments.reference)
        complex, known, memory = run.strided.complex, run.known, memories(model, run)
    learned = Learned(model, complex, known, platform, arguments.threads)
    timings = timed(learned, folders, arguments)
    rows = with_samples(timings["rows"], memory)
    result = {
        "complex": folders[0].name,
        "what": f"simulated ns/day, {folders[0].name}, {arguments.repeats} repeats in turn",
        "poses": poses,
        **timings,
        "rows": rows,
        "interval_ps": learned.interval_ps,
        "model": model.sha256,
        "ratio_to_fastest_all_atom": ratios(rows, learned.interval_ps),
        "memory": memory,
        "validity": validity,
        "left_out": missing | timings["left_out"],
    }
    return {**result, "in_words": in_words(result, model)}


def report(result: dict[str, Any]) -> None:
    """The numbers in words: cost of an independent pose, then simulated time."""
    for name, content in result["poses"].items():
        for engine in ("long_md", "long_md_by_gromacs"):
            if (of_md := content[engine]) is not None:
                cost = of_md["cpu_seconds_per_independent_sample"]["coordinates"]
                print(f"{name}, {POSE_COST[engine]}: {cost:.3g} CPU s for an independent pose")
        for sampler, row in content["samplers"].items():
            cost = row["cpu_seconds_per_independent_sample"]["coordinates"]
            if sampler != "MD":
                print(f"{name}, {sampler}: {cost:.3g} CPU s for an independent pose")
    card = verdict(result["validity"])
    for name, row in result["rows"].items():
        speed, ratio = row["ns_per_day"], result["ratio_to_fastest_all_atom"].get(name)
        own = row["independent_per_day"]
        samples = (
            "independent samples not known"
            if own is None
            else f"{own:,.3g} independent samples a day"
        )
        print(
            f"{name}: {row['moving_atoms']:,} atoms move; {samples}; {speed['median']:,.4g} ns/day "
            f"({speed['least']:,.4g} to {speed['greatest']:,.4g})"
        )
        if ratio is not None:
            per_sample = ratio["per_independent_sample"]
            independent = "not compared" if per_sample is None else f"{per_sample:,.3g} ×"
            print(
                f"    per independent sample {independent}; in simulated time "
                f"{ratio['at_model_interval']:,.3g} × the fastest all-atom MD, "
                f"{ratio['at_80_ps']:,.3g} × at 80 ps; validity card: {card}"
            )
    for part, seconds in result["parts"].items():
        print(f"{part}: {seconds['median']:.3g} s")
    for name, reason in result["left_out"].items():
        print(f"left out: {name}: {reason}")
    print("\n".join(result["in_words"]))


def words(text: str) -> list[str]:
    """Words of an option that is a list with commas."""
    return [word for word in text.split(",") if word]


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--complex", type=Path, nargs="+", metavar="DIR", help="one complex, in its solvents")
    add("--model", default="gpcr-ergotamine", help="bundled name, or model file")
    add("--reference", type=Path, metavar="RUN", help="MD of the complex: folder of a run or set")
    add("--validity", type=Path, metavar="FILE", help="validity.json of the model")
    add("--platform", help="OpenMM platform of everything; default: the fastest")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="on the CPU")
    add("--engines", type=words, default=list(ENGINES), help="default: openmm,gromacs")
    add("--modes", type=words, default=["flexible"], help="modes of MD; default: flexible")
    add("--backends", type=words, default=list(BACKENDS), help=f"default: {','.join(BACKENDS)}")
    add(
        "--poses",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="complexes of set 'pocket', prepared in water: cost of an independent pose, first",
    )
    add("--pose-rounds", type=int, default=12, help="rounds of each sampler for --poses")
    add("--replicas", type=int, default=64, help="at once, in torch")
    add("--repeats", type=int, default=FEWEST)
    add("--seconds", type=float, default=5.0, help="approximate length of a repeat")
    add("--fallback-ps", type=float, default=2.0, help="longest MD to time a fallback")
    add("--work", type=Path, default=Path("runs/speedup"), help="for what is prepared")
    add("--json", type=Path, help="result file")
    add("--quick", action="store_true", help="smallest sizes, to see that it runs")
    given = parser.parse_args()
    if unknown := set(given.engines) - set(ENGINES):
        parser.error(f"unknown engine {min(unknown)}; known: {', '.join(ENGINES)}")
    if given.quick:
        given.repeats, given.seconds, given.replicas, given.fallback_ps = 2, 0.1, 2, QUICK_PS
    elif given.repeats < FEWEST:
        parser.error(f"a median of fewer than {FEWEST} repeats is not worth reporting")
    return given


def main() -> None:
    """Measure, print and write."""
    arguments = parsed()
    try:
        result = measure(arguments)
    except NeuralMDError as error:
        sys.exit(f"error: {one_line(error)}")
    elsewhere = arguments.work / "quick.json" if arguments.quick else None
    save(f"speedup-{result['complex']}", result, arguments.json or elsewhere)
    report(result)


if __name__ == "__main__":
    main()
