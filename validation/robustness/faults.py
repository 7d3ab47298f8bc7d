"""Faults of the machine and of the user: one line, nothing incomplete, inputs untouched.

    python validation/robustness/faults.py [--command simulate ...] [--fault full ...]

Each command of `commands.py` meets each fault once.  It must fail in one line (or end whole), what
stands under a final name must be the whole run's content, and without the fault the same command
must end whole.  The record in validation/results/robustness/faults.json goes to
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from robustness.commands import TARGETS, Target, begin, ended
from robustness.kills import contents, wrong

RESULT = Path(__file__).parents[1] / "results" / "robustness" / "faults.json"


def full(target: Target, place: Path, said: Path, length: float) -> int:
    """Limit files to 4 kB, as on a full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

    return ended(begin(target.arguments(place), said, limit))


def unwritable(target: Target, place: Path, said: Path, length: float) -> int:
    """An output in a folder in which nothing can be made, for root neither."""
    words = [w.replace(str(place), "/proc/self") for w in target.arguments(place)]
    for file in place.parent.glob("*.yaml"):
        file.write_text(file.read_text().replace(str(place), "/proc/self"))
    return ended(begin(words, said))


def terminated(target: Target, place: Path, said: Path, length: float) -> int:
    """SIGTERM in the middle."""
    child = begin(target.arguments(place), said)
    time.sleep(random.Random(length).uniform(0.1, 0.6) * length)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGTERM)
    return ended(child)


def twice(target: Target, place: Path, said: Path, length: float) -> int:
    """Run a command twice at a time on one output: one of them completes it, or the next call."""
    words = target.arguments(place)
    first = begin(words, place.parent / "other")
    code = ended(begin(words, said))
    return max(code, ended(first))


FAULTS: dict[str, Callable[[Target, Path, Path, float], int]] = {
    "disk full": full,
    "folder not writable": unwritable,
    "SIGTERM": terminated,
    "two at a time": twice,
}


def attack(name: str, faults: list[str]) -> dict[str, dict[str, Any]]:
    """Run a command under each fault: its exit code, its last line, and what was wrong."""
    target, results = TARGETS[name], {}
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "whole" / "out"
        first.mkdir(parents=True)
        target.load()
        words, began = target.arguments(first), time.monotonic()
        if ended(begin(words)) != 0:
            raise SystemExit(f"{name}: the command itself fails")
        length, expected = time.monotonic() - began, contents(target, first)
        for fault in faults:
            place, said = Path(folder) / fault / "out", Path(folder) / fault / "said"
            place.mkdir(parents=True)
            code = FAULTS[fault](target, place, said, length)
            text = said.read_text(errors="replace")
            failures = wrong(contents(target, place), expected, "after the fault")
            failures += ["a traceback" if "Traceback" in text else "not one of our errors"] * (
                "Traceback" in text or "unexpected" in text
            )
            if not contents(target, place):
                again = ended(begin(target.arguments(place), said))
                failures += [f"cannot go on: {said.read_text()[-300:]}"] if again else []
            failures += wrong(contents(target, place), expected, "in the end")
            lines = [x for x in text.splitlines() if x.startswith("neuralmd: error")]
            results[fault] = {"exit": code, "line": (lines or [""])[-1], "failures": failures}
            print(name, fault, results[fault], flush=True)
    return results


def main() -> None:
    """Meet the faults and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--fault", nargs="+", choices=sorted(FAULTS), default=list(FAULTS))
    parser.add_argument("--no-record", action="store_true")
    a = parser.parse_args()
    from openmm_neuralmd.utils.provenance import package_versions
    from robustness.page import render

    record = json.loads(RESULT.read_text()) if RESULT.is_file() else {"commands": {}}
    failed = False
    for name in a.command:
        results = attack(name, a.fault)
        failed |= any(one["failures"] for one in results.values())
        record["commands"][name] = record["commands"].get(name, {}) | results
        record["versions"] = package_versions()
        if not a.no_record:
            RESULT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            render()
    sys.exit(failed)


if __name__ == "__main__":
    main()
