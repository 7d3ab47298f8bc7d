"""Reference set 'many': short all-atom MD of many protein-ligand complexes, stored compactly.

    python validation/reference_sets/many.py STRUCTURES            # all of complexes.tsv, in order
    python validation/reference_sets/many.py STRUCTURES --minutes 120
    python validation/reference_sets/many.py STRUCTURES --collect  # pack finished runs again

STRUCTURES is the folder with complexes.tsv and targets/.  For each complex: neuralmd prepare
(explicit water, charges of the SDF where it has them), then two runs that differ in their seed
(mode pocket, GROMACS, one thread).  Work is kept in runs/many; the same command goes on after an
interruption.  A finished complex is packed into validation/reference_sets/many and entered in
manifest.json at once.  A complex that fails is entered in failures.json with the reason, and is not
tried again without --failed.
Several processes can share the work: each complex is locked while it is worked on.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import json
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENMM_CPU_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from many_statistics import pack
from openmm_neuralmd.assessment.speed.timing import cpu_seconds
from openmm_neuralmd.errors import InputError, NeuralMDError
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs.production import run_gromacs
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.prepare.pipeline import prepare
from openmm_neuralmd.prepare.settings import PrepareSettings
from openmm_neuralmd.utils.files import complete, sha256
from openmm_neuralmd.utils.lock import Lock

HERE = Path(__file__).parent
SET = HERE / "many"
RUNS = HERE.parent.parent / "runs" / "many"
SEEDS = (1, 2)
EQUILIBRATION_PS = 100.0
PRODUCTION_PS = 250.0
INTERVAL_PS = 0.5
RELAX_PS = 10.0
MD = MDSettings(
    mode="pocket",
    interval_ps=INTERVAL_PS,
    equilibration_ps=EQUILIBRATION_PS,
    platform="CPU",
    properties={"Threads": "1"},
)
ABOUT = (
    "Two runs of each complex: 100 ps of equilibration and 250 ps of production from the prepared "
    "pose, mode pocket (ligand, residues and water within 0.9 nm of it move; those within 1.4 nm "
    "stand still; the rest is left out), GAFF2 and Amber ff14SB, TIP3P, 300 K, 4 fs."
)


def main() -> None:
    """Work through the table until it is done or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structures", type=Path, help="folder with complexes.tsv and targets/")
    parser.add_argument("--first", type=int, default=10_000, help="number of complexes to make")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no complex after this")
    parser.add_argument("--failed", action="store_true", help="try those in failures.json again")
    parser.add_argument("--collect", action="store_true", help="pack finished runs, run nothing")
    arguments = parser.parse_args()
    began = time.monotonic()
    failures = SET / "failures.json"
    failed = json.loads(failures.read_text()) if failures.is_file() else {}
    for row in in_order(read_table(arguments.structures), arguments.structures)[: arguments.first]:
        if time.monotonic() - began > 60 * arguments.minutes:
            break
        finished = all((RUNS / row["id"] / f"seed{seed}" / "run.yaml").is_file() for seed in SEEDS)
        if arguments.collect and not finished:
            continue
        if (SET / f"{row['id']}.npz").is_file() and not arguments.collect:
            continue
        if row["id"] in failed and not arguments.failed:
            continue
        folder = RUNS / row["id"]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = Lock(folder)
        except InputError:  # another process has this complex
            continue
        attempt(row, arguments.structures)
        lock.release()


def read_table(structures: Path) -> list[dict[str, str]]:
    """The lines of complexes.tsv."""
    with (structures / "complexes.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def in_order(rows: list[dict[str, str]], structures: Path) -> list[dict[str, str]]:
    """A first ligand of every target before a second one; validation, then test, then train.

    With 25 training targets, the unseen ones are those that the tables lack most.  The first ligand
    of a test target comes last of its target: set 'pocket' has 3 ns of it.  Small proteins come
    first within a split, since the water box around the whole protein takes most of the time.
    """
    splits = ("validation", "test", "train")
    sizes = {name: residues(structures, name) for name in {row["target"] for row in rows}}
    ligands = Counter(row["target"] for row in rows)
    ranked: Counter[str] = Counter()
    keyed = []
    for row in rows:
        target, split = row["target"], row["split"]
        rank = (ranked[target] - (split == "test")) % ligands[target]
        ranked[target] += 1
        keyed.append(((rank, splits.index(split), sizes[target]), row))
    return [row for _, row in sorted(keyed, key=lambda pair: pair[0])]


def residues(structures: Path, target: str) -> int:
    """Amino acids of a target's protein."""
    lines = (structures / "targets" / target / "protein.pdb").read_text().splitlines()
    return sum(line.startswith("ATOM") and line[12:16].strip() == "CA" for line in lines)


def attempt(row: dict[str, str], structures: Path) -> None:
    """Prepare, run and pack a complex, or enter why it failed."""
    began, cpu = time.monotonic(), cpu_seconds()
    try:
        paths, used = make(row, structures)
    except (NeuralMDError, OSError, ValueError) as error:
        enter(SET / "failures.json", row["id"], " ".join(str(error).split()))
        print(f"{row['id']}: failed: {error}", flush=True)
        return
    manifest = pack(paths, RUNS / row["id"] / "complex", SET / row["id"], row)
    manifest["cpu_seconds"] = used
    manifest["files"] = {path.name: sha256(path) for path in sorted(SET.glob(f"{row['id']}.*"))}
    enter(SET / "manifest.json", row["id"], manifest)
    enter(SET / "failures.json", row["id"], None)
    wall, cpu = time.monotonic() - began, cpu_seconds() - cpu
    print(f"{row['id']}: {wall:.0f} s ({cpu:.0f} s of CPU) {manifest['motion']}", flush=True)


def make(row: dict[str, str], structures: Path) -> tuple[list[Path], dict[str, float]]:
    """The finished runs of a complex, and the CPU time of each of its stages in seconds."""
    base = RUNS / row["id"]
    stages = base / "cpu_seconds.json"
    used: dict[str, float] = json.loads(stages.read_text()) if stages.is_file() else {}

    def spent(stage: str, before: float) -> None:
        used[stage] = round(used.get(stage, 0.0) + cpu_seconds() - before, 1)
        stages.write_text(json.dumps(used))

    before = cpu_seconds()
    if not (base / "complex").is_dir():
        prepared(row, structures, base / "complex")
        spent("prepare", before)
    runs = [base / f"seed{seed}" for seed in SEEDS]
    for seed, output in zip(SEEDS, runs, strict=True):
        if (output / "run.yaml").is_file():
            continue
        before = cpu_seconds()
        settings = replace(MD, seed=seed)
        folder = ComplexFolder.open(base / "complex")
        run_gromacs(folder, output, PRODUCTION_PS, settings=settings)
        spent(f"seed{seed}", before)
    return runs, used


def prepared(row: dict[str, str], structures: Path, output: Path) -> ComplexFolder:
    """The complex in water, made once."""
    if output.is_dir():
        return ComplexFolder.open(output)
    settings = PrepareSettings(
        charges="sdf" if row["has_charges"] == "1" else None,
        solvent="explicit",
        relax_ps=RELAX_PS,
        engine="gromacs",
        platform="CPU",
    )
    source = structures / "targets" / row["target"]
    return prepare(
        source / "protein.pdb",
        source / "ligands.sdf",
        output,
        molecule=row["id"],
        name=row["id"],
        settings=settings,
    )


def enter(path: Path, key: str, value: Any) -> None:
    """Add an entry to a JSON file that other processes write too; None takes it out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (RUNS / f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = json.loads(path.read_text()) if path.is_file() else {}
        if path.name == "manifest.json" and not content:
            content = {"set": "many", "about": ABOUT, "complexes": {}}
        entries = content.get("complexes", content)
        entries[key] = value
        if value is None:
            del entries[key]
        if "complexes" in content:
            content["complexes"] = dict(sorted(entries.items()))
        with complete(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
