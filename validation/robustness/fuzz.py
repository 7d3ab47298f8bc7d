"""Mutated files of every kind that the package reads: none may crash it, fill it or deceive it.

    python validation/robustness/fuzz.py [--cases 20000] [--minutes 60] [--target NAME ...]

Each case is a valid file with a few changes, opened as the package opens it, in a process of its
own kind: what ends otherwise than in a value or in one line of a `NeuralMDError` counts as a
failure: another exception, a crash, more than 10 s, more than 2 GB, a value that cannot be.  A case
is its target and number, so that it can be made again:

    python validation/robustness/fuzz.py --target pdb --case 1234 --keep case.pdb

The record goes to validation/results/robustness/fuzz.json, and to docs/reliability.md.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from openmm_neuralmd.errors import NeuralMDError
from openmm_neuralmd.utils.provenance import machine, package_versions
from robustness.mutation import mutated
from robustness.page import GOOD, render
from robustness.targets import TARGETS, BadValueError, Target

RESULT = Path(__file__).parents[1] / "results" / "robustness" / "fuzz.json"
SECONDS, BYTES = 10, 2 * 2**30


class Hang(BaseException):
    """A case took too long; no `except Exception` swallows it."""


def one_case(target: Target, number: int, place: Path) -> tuple[str, str]:
    """Verdict and detail of one case."""
    random_ = random.Random(f"{target.name}:{number}")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(target.corpus, place)
    file = target.choose(place, random_)
    content = target.change(file.read_bytes(), random_, mutated)
    file.write_bytes(content)
    target.repair(place, file)
    signal.alarm(SECONDS)
    try:
        target.open(place)
    except NeuralMDError as error:
        return ("words", repr(str(error))) if "\n" in str(error) else ("refused", "")
    except BadValueError as error:
        return "bad value", str(error)
    except Hang:
        return "hang", ""
    except MemoryError:
        return "memory", ""
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        return "exception", f"{type(error).__name__} in {where}: {str(error)[:120]}"
    finally:
        signal.alarm(0)
    return "read", ""


def _alarm(*_: object) -> None:
    raise Hang


def _worker(target: Target, numbers: range, channel: int) -> None:
    """Runs in a fork: says which case begins and how it ended."""
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    warnings.simplefilter("ignore")
    faulthandler.disable()
    signal.signal(signal.SIGALRM, _alarm)
    used = int(Path("/proc/self/status").read_text().split("VmData:")[1].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + BYTES, used + BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(channel, "w", buffering=1) as say, tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            say.write(json.dumps([number]) + "\n")
            say.write(json.dumps([number, *one_case(target, number, Path(folder) / "x")]) + "\n")


def outcomes(target: Target, numbers: range) -> Iterator[tuple[int, str, str]]:
    """Verdicts of some cases; a fork that dies costs the case it was at."""
    first, _ = numbers.start, target.corpus  # made before the forks, which share it
    while first < numbers.stop:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            code = 1
            try:
                _worker(target, range(first, min(first + 200, numbers.stop)), writing)
                code = 0
            finally:
                os._exit(code)
        os.close(writing)
        begun = first
        stuck = False
        for line in _lines(reading):
            if line is None:
                os.kill(child, signal.SIGKILL)
                stuck = True
                break
            begun, *verdict = json.loads(line)
            if verdict:
                yield begun, verdict[0], verdict[1]
                first = begun + 1
        os.close(reading)
        _, status = os.waitpid(child, 0)
        if status and first <= begun:
            end = "hang" if stuck else "crash"
            yield begun, end, f"signal {os.WTERMSIG(status)}, status {status}"
            first = begun + 1


def _lines(channel: int) -> Iterator[bytes | None]:
    """Lines of a fork; None where it is silent for longer than any case may take."""
    rest = b""
    while True:
        if not select.select([channel], [], [], 2 * SECONDS)[0]:
            yield None
            return
        content = os.read(channel, 65536)
        if not content:
            return
        *whole, rest = (rest + content).split(b"\n")
        yield from whole


def run(names: list[str], cases: int, seconds: float, first: int = 0) -> dict[str, dict]:
    """Fuzz some targets in turn, block by block, until the cases or the time are used up."""
    began, results = time.monotonic(), {}
    block = min(100, cases)
    for name in names:
        results[name] = {"cases": 0, "verdicts": Counter(), "failures": []}
    for start in range(first, first + cases, block):
        for name in names:
            if time.monotonic() - began > seconds:
                return results
            print(f"{time.monotonic() - began:.0f} s: {name} from {start}", flush=True)
            numbers = range(start, min(start + block, first + cases))
            for number, verdict, detail in outcomes(TARGETS[name](), numbers):
                results[name]["cases"] += 1
                results[name]["verdicts"][verdict] += 1
                if verdict not in GOOD and len(results[name]["failures"]) < 200:
                    results[name]["failures"].append([number, verdict, detail])
    return results


def save(results: dict[str, dict], seconds: float) -> None:
    """Write the record."""
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "cases": sum(part["cases"] for part in results.values()),
        "failures": sum(
            count
            for part in results.values()
            for verdict, count in part["verdicts"].items()
            if verdict not in GOOD
        ),
        "seconds": round(seconds),
        "limits": {"seconds": SECONDS, "bytes": BYTES},
        "targets": results,
        "machine": machine(),
        "versions": package_versions(),
    }
    RESULT.write_text(json.dumps(content, indent=1) + "\n")
    render()


def main(arguments: list[str] | None = None) -> None:
    """Fuzz, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000, help="for each target")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--case", type=int, help="make one case again, with its traceback")
    parser.add_argument("--no-record", action="store_true")
    given = parser.parse_args(arguments)
    names = given.target or sorted(TARGETS)
    if given.case is not None:
        signal.signal(signal.SIGALRM, _alarm)
        place = Path(tempfile.mkdtemp()) / "x"
        print(one_case(TARGETS[names[0]](), given.case, place), place)
        TARGETS[names[0]]().open(place)
        return
    began = time.monotonic()
    results = run(names, given.cases, 60 * given.minutes, given.first)
    for name, part in results.items():
        print(name, part["cases"], dict(part["verdicts"]))
        for failure in part["failures"][:20]:
            print("   ", *failure)
    if not given.no_record:
        save(results, time.monotonic() - began)


if __name__ == "__main__":
    main()
