"""Mutated files of every kind that the package reads: none may crash it, fill it or deceive it.

    python validation/robustness/fuzz.py [--cases 20000] [--minutes 60] [--target NAME ...]

Each case is a valid file with a few changes, opened as the package opens it, in a process of its
own kind: what ends otherwise than in a value or in one line of a `NeuralMDError` counts as a
failure: another exception, a crash, more than 10 s of CPU, more than 2 GB, a value that cannot be.
A case is its target and number, so that it can be made again:

    python validation/robustness/fuzz.py --target PDB --case 1234

The record in validation/results/robustness/fuzz.json grows: each kind of file goes on where its
record ends, and cases that failed are made again first.  docs/reliability.md is written from it.
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
from openmm_neuralmd.utils.files import complete
from openmm_neuralmd.utils.provenance import machine, package_versions
from robustness.mutation import mutated
from robustness.page import GOOD, render
from robustness.targets import TARGETS, BadValueError, Target

RESULT = Path(__file__).parents[1] / "results" / "robustness" / "fuzz.json"
SECONDS, BYTES = 10, 2 * 2**30
PATIENCE = 12  # wall time beside CPU time, for a case that sleeps


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
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of CPU: a busy machine is no hang
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
        signal.setitimer(signal.ITIMER_PROF, 0)
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
    signal.signal(signal.SIGPROF, _alarm)
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
        if not select.select([channel], [], [], PATIENCE * SECONDS)[0]:
            yield None
            return
        content = os.read(channel, 65536)
        if not content:
            return
        *whole, rest = (rest + content).split(b"\n")
        yield from whole


def run(names: list[str], cases: int, seconds: float, first: int = 0) -> dict[str, dict]:
    """Fuzz some targets in turn, block by block, until the cases or the time are used up."""
    results = {name: empty() for name in names}
    for name, numbers in _blocks(dict.fromkeys(names, first), first + cases, seconds):
        add(results[name], outcomes(TARGETS[name](), numbers))
    return results


def grow(names: list[str], cases: int, seconds: float) -> dict[str, dict]:
    """Make failed cases of the record again, then new ones up to a number; saved block by block."""
    began, results = time.monotonic(), recorded()
    for name in names:
        part = results.setdefault(name, empty())
        for number, verdict, _ in list(part["failures"]):
            part["failures"] = [one for one in part["failures"] if one[0] != number]
            part["cases"] -= 1
            part["verdicts"][verdict] -= 1
            add(part, outcomes(TARGETS[name](), range(number, number + 1)))
        save(results)
    left = seconds - (time.monotonic() - began)
    for name, numbers in _blocks({one: results[one]["cases"] for one in names}, cases, left):
        add(results[name], outcomes(TARGETS[name](), numbers))
        save(results)
    return results


def _blocks(first: dict[str, int], end: int, seconds: float) -> Iterator[tuple[str, range]]:
    """Hundreds of cases, from each target in turn, until the time is used up."""
    began, next_ = time.monotonic(), dict(first)
    while any(start < end for start in next_.values()):
        for name in [one for one, start in next_.items() if start < end]:
            if time.monotonic() - began > seconds:
                return
            numbers = range(next_[name], min(next_[name] + 100, end))
            print(f"{time.monotonic() - began:.0f} s: {name} from {numbers.start}", flush=True)
            yield name, numbers
            next_[name] = numbers.stop


def empty() -> dict:
    """Record of a kind of file of which no case was made."""
    return {"cases": 0, "verdicts": Counter(), "failures": []}


def add(part: dict, cases: Iterator[tuple[int, str, str]]) -> None:
    """Count verdicts; every case that failed is kept by number, so that it can be made again."""
    for number, verdict, detail in cases:
        part["cases"] += 1
        part["verdicts"][verdict] += 1
        if verdict not in GOOD:
            part["failures"].append([number, verdict, detail])


def recorded() -> dict[str, dict]:
    """The committed record."""
    content = json.loads(RESULT.read_text()) if RESULT.is_file() else {"targets": {}}
    for part in content["targets"].values():
        part["verdicts"] = Counter(part["verdicts"])
    return content["targets"]


def save(results: dict[str, dict]) -> None:
    """Write the record."""
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "cases": sum(part["cases"] for part in results.values()),
        "failures": sum(len(part["failures"]) for part in results.values()),
        "limits": {"seconds": SECONDS, "bytes": BYTES},
        "targets": results,
        "machine": machine(),
        "versions": package_versions(),
    }
    with complete(RESULT) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    render()


def main(arguments: list[str] | None = None) -> None:
    """Fuzz, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cases", type=int, default=20_000, help="Number of cases of each kind of file."
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--case", type=int, help="make one case again, with its traceback")
    given = parser.parse_args(arguments)
    names = given.target or sorted(TARGETS)
    if given.case is not None:
        signal.signal(signal.SIGPROF, _alarm)
        place = Path(tempfile.mkdtemp()) / "x"
        print(one_case(TARGETS[names[0]](), given.case, place), place)
        TARGETS[names[0]]().open(place)
        return
    for name, part in grow(names, given.cases, 60 * given.minutes).items():
        print(name, part["cases"], dict(part["verdicts"]))
        for failure in part["failures"][:20]:
            print("   ", *failure)


if __name__ == "__main__":
    main()
