"""kill -9 at random moments: nothing incomplete under its final name, and the run goes on exactly.

    python validation/robustness/kills.py [--kills 10] [--command simulate ...]

Each command is run whole once.  Then it is begun again and again in a fork and killed after a
random time, within its last moments as often as anywhere, until the kills are spent.  After each
kill what stands under a final name must be the whole run's content; a run that is let end must
give the whole run's files, byte for byte where the page says so.

The record in validation/results/robustness/kills.json grows with each call; docs/reliability.md is
written from it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from robustness.commands import TARGETS, Target, begin, ended

RESULT = Path(__file__).parents[1] / "results" / "robustness" / "kills.json"


def killed(child: int, after: float) -> float | None:
    """Kill a fork after a time; how long it took where it had ended before."""
    began = time.monotonic()
    while time.monotonic() < began + after:
        if os.waitpid(child, os.WNOHANG)[0]:
            return time.monotonic() - began
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):  # workers of a campaign, killed as its job is
        os.killpg(child, signal.SIGKILL)
    return None


def contents(target: Target, place: Path) -> dict[str, Any]:
    """Read the files that have their final names."""
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
        target.load()
        words, began = target.arguments(first), time.monotonic()
        if ended(begin(words)) != 0:
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
                fresh = not any(place.iterdir())
                took = killed(begin(target.arguments(place)), after)
                end = took is not None
                length = took if took and fresh else length  # the machine may be less busy now
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
    parser.add_argument("--kills", type=int, default=10, help="number of kills of each command")
    parser.add_argument("--command", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--no-record", action="store_true")
    a = parser.parse_args()
    failed = False
    for name in a.command:
        before = {} if a.no_record else recorded().get(name, {})
        one = attack(name, a.kills, seed=before.get("kills", 0))
        print(name, one, flush=True)
        failed |= bool(one["failures"])
        if not a.no_record:
            save(name, before, one)
    sys.exit(failed)


def recorded() -> dict[str, dict[str, Any]]:
    """The committed record, by command."""
    return json.loads(RESULT.read_text())["commands"] if RESULT.is_file() else {}


def save(name: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Add the kills of one command to the record, and write the page."""
    from openmm_neuralmd.utils.files import complete
    from openmm_neuralmd.utils.provenance import machine, package_versions
    from robustness.page import render

    added = {key: before[key] + now[key] for key in ("kills", "runs", "failures") if before}
    commands = recorded() | {name: now | added}
    record = {"commands": commands, "machine": machine(), "versions": package_versions()}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    with complete(RESULT) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    render()


if __name__ == "__main__":
    main()
