"""kill -9 at random moments: nothing incomplete under its final name, and the run goes on exactly.

    python validation/robustness/kills.py [--kills 300] [--command simulate ...]

Each command is run whole once.  Then it is begun again and again in a fork and killed after a
random time, within its last moments as often as anywhere, until the kills are spent.  After each
kill what stands under a final name must be the whole run's content; a run that is let end must
give the whole run's files, byte for byte where the page says so.

The record goes to validation/results/robustness/kills.json, and to docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

RESULT = Path(__file__).parents[1] / "results" / "robustness" / "kills.json"
DCD_DATE = slice(100, 276)
"""Bytes of a DCD file's titles, in which the date stands."""

NETWORK = {"hidden": 16, "vector_channels": 4, "ligand_layers": 1, "num_radial": 8}

Content = Callable[[Path], Any]


def whole(path: Path) -> bytes:
    """Every byte."""
    return path.read_bytes()


def without_date(path: Path) -> bytes:
    """A DCD file without its titles."""
    data = path.read_bytes()
    return data[: DCD_DATE.start] + data[DCD_DATE.stop :]


def atoms(path: Path) -> list[str]:
    """A PDB file without the remark that has the date."""
    return [x for x in path.read_text().splitlines() if not x.startswith("REMARK")]


def complete(path: Path) -> str:
    """A record: readable, with the same fields; times and versions are free."""
    return " ".join(yaml.safe_load(path.read_text()))


@dataclass(frozen=True)
class Target:
    """A command and what it leaves.

    Attributes
    ----------
    arguments : callable
        Arguments of `neuralmd` for an empty folder.
    files : dict
        Final name in that folder to what of its content must be equal.
    """

    arguments: Callable[[Path], list[str]]
    files: dict[str, Content]


def simulate(place: Path) -> list[str]:
    """Forecast in OpenMM."""
    options = "simulate gpcr-ergotamine --example gpcr-ergotamine --platform Reference"
    return [*options.split(), "--snapshots", "60", "-o", str(place / "x.dcd")]


def train(place: Path) -> list[str]:
    """Three short epochs on a short window."""
    settings = {
        "name": "x",
        "data": {"example": "gpcr-ergotamine"},
        "model": {
            "network": {"hidden": 16, "vector_channels": 4, "ligand_layers": 1, "num_radial": 8}
        },
        "horizon": 2,
        "validation_horizon": 2,
        "history": 4,
        "every": 40,
        "epochs": 6,
    }
    (place.parent / "x.yaml").write_text(yaml.safe_dump(settings))
    return ["train", str(place.parent / "x.yaml"), "-o", str(place / "x")]


def predict(place: Path) -> list[str]:
    """The demo's complex."""
    from openmm_neuralmd.examples import predict_example

    protein, ligand = predict_example()
    return ["predict", str(protein), str(ligand), "--time", "20ps", "-o", str(place / "x")]


TARGETS = {
    "simulate": Target(simulate, {"x.dcd": without_date, "x.pdb": atoms, "x.run.yaml": complete}),
    "train": Target(train, {"x/model.safetensors": whole}),
    "predict": Target(
        predict,
        {"x/trajectory.dcd": without_date, "x/rmsf.csv": whole, "x/contacts.csv": whole},
    ),
}


def begin(arguments: list[str]) -> int:
    """The command in a fork; its process number."""
    child = os.fork()
    if child:
        return child
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    code = 1
    try:
        from openmm_neuralmd.cli import app

        code = app(arguments, standalone_mode=False) or 0
    finally:
        os._exit(code if isinstance(code, int) else 0)


def ended(child: int) -> int:
    """Exit code of a fork that is let end."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(child: int, after: float) -> bool:
    """Kill a fork after a time; False where it had ended before."""
    deadline = time.monotonic() + after
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def contents(target: Target, place: Path) -> dict[str, Any]:
    """What stands under final names."""
    return {
        name: read(place / name) for name, read in target.files.items() if (place / name).exists()
    }


def attack(name: str, kills: int, seed: int = 0) -> dict[str, Any]:
    """Kill one command again and again; what was wrong after a kill or at the end."""
    target, chance = TARGETS[name], random.Random(f"{name}:{seed}")
    failures: list[str] = []
    spent = runs = 0
    with tempfile.TemporaryDirectory() as folder:
        first, place = Path(folder) / "a" / "out", Path(folder) / "b" / "out"
        for one in (first, place):
            one.mkdir(parents=True)
        began = time.monotonic()
        if ended(begin(target.arguments(first))) != 0:
            return {"kills": 0, "runs": 0, "failures": ["the command itself fails"]}
        length = time.monotonic() - began
        expected = contents(target, first)
        assert set(expected) == set(target.files), sorted(target.files.keys() - expected.keys())
        while spent < kills:
            shutil.rmtree(place)
            place.mkdir()
            end = False
            while spent < kills and not end:
                late = chance.random() < 0.5
                after = length * (chance.uniform(0.9, 1.05) if late else chance.uniform(0.0, 1.0))
                end = not killed(begin(target.arguments(place)), after)
                spent += not end
                failures += wrong(contents(target, place), expected, f"after kill {spent}")
            end = end or len(contents(target, place)) == len(expected)  # killed after its last file
            if not end and ended(begin(target.arguments(place))) != 0:
                failures.append(f"after kill {spent}: the command cannot go on")
            runs += 1
            last = contents(target, place)
            missing = [f"at the end of run {runs}: no {k}" for k in expected if k not in last]
            failures += missing + wrong(last, expected, f"at the end of run {runs}")
    return {"kills": spent, "runs": runs, "seconds_whole": round(length, 2), "failures": failures}


def wrong(present: dict[str, Any], expected: dict[str, Any], when: str) -> list[str]:
    """Files under final names that are not those of the whole run."""
    return [f"{when}: {name}" for name, value in present.items() if value != expected[name]]


def main() -> None:
    """Attack the commands and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300, help="number of kills in all")
    parser.add_argument("--command", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--no-record", action="store_true")
    a = parser.parse_args()
    import torch

    from openmm_neuralmd.utils.provenance import machine, package_versions
    from robustness.page import render

    torch.set_num_threads(1)
    results = {}
    for name in a.command:
        results[name] = attack(name, -(-a.kills // len(a.command)))
        print(name, results[name], flush=True)
    failed = any(one["failures"] for one in results.values())
    if a.no_record:
        sys.exit(failed)
    record = {"commands": results, "machine": machine(), "versions": package_versions()}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    render()
    sys.exit(failed)


if __name__ == "__main__":
    main()
