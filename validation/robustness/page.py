"""docs/reliability.md from the records of the harnesses.

python validation/robustness/page.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from robustness.kinds import KINDS

RESULTS = Path(__file__).parents[1] / "results" / "robustness"
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
GOOD = ("read", "refused")
HEAD = """# Reliability

`validation/robustness/page.py` writes this page from the records of its harnesses.

## Damaged files

`python validation/robustness/fuzz.py` takes valid files of every kind that the package reads,
changes bytes, numbers, words and lines in them, and opens them as the package does. A case passes
if it ends with a possible value or with one line of a `NeuralMDError`. It fails if it ends with
another exception, a crash, more than {seconds} s of CPU time, more than {gigabytes:g} GB, or an
impossible value.

**{cases:,} cases, {failures:,} failures.**

| kind of file | cases | refused in one line | read | failures |
| --- | --- | --- | --- | --- |
{rows}

The numbers of the failed cases are in `validation/results/robustness/fuzz.json`;
`fuzz.py --target NAME --case NUMBER` repeats one. The tests run a short version
(`tests/validation/test_fuzz.py`).
"""
KILLS = """
## kill -9

`python validation/robustness/kills.py` first runs a command without interruption, then starts it
repeatedly and kills it after a random time, half of the times shortly before its end. After each
kill, every file under a final name must equal that of the uninterrupted run; a run that is not
killed must end with all of its files. The program compares all bytes of models, CSV files and
trajectories, except the titles of a DCD file, which contain the date. Of records (`run.yaml`,
`complex.yaml`) it compares every field but `command`, `seconds`, `ns_per_day`, `resumed_from` and
the hash of `topology.pdb`, which contains the date. When the kills in the table were made, it
compared only the names of these fields.

| command | kills | runs that ended | uninterrupted run, s | failures |
| --- | --- | --- | --- | --- |
{rows}

The tests kill each command at random moments (`tests/validation/test_kills.py`).
"""
FAULTS = """
## Faults of the machine and of the user

`python validation/robustness/faults.py` runs each command with each fault once. The command must
fail with one line or complete; every file under a final name must be complete; and without the
fault the same command must complete. A full disk is a limit of 4 kB for every file that is written.
'Had ended': the signal came too late.

| command | {names} |
| --- |{columns}
{rows}

The tests do this with two commands (`tests/validation/test_faults.py`).
"""
LONG_RUNS = """
## Long runs

`python validation/robustness/long_run.py` lets one process work for a long time and takes its
resident memory and the CPU time along the way. The first tenth is the warm-up. After it memory may
grow by less than {growth}, and a snapshot at the end may not take more than {slowing} more
CPU time than one after the warm-up.

| command | snapshots | hours | memory after the warm-up and at the end, MB | slower by | verdict |
| --- | --- | --- | --- | --- | --- |
{rows}
"""
REPORTS = """
## Reports of other programs' users

`python validation/robustness/reports.py` reproduces conditions from public bug reports of similar
programs, and checks how this package handles them. Two were handled wrongly at first and are fixed:
hybrid-36 serials were refused, and LAMMPS' time step in a DCD file was taken for CHARMM's.

| report | condition | what is right | verdict |
| --- | --- | --- | --- |
{rows}

The tests run all of them (`tests/validation/test_reports.py`).
"""
AWKWARD = """
## Awkward inputs, kind by kind

Each kind was tried with every reader that it can reach; the tests hold what happens.

| kind | what happens | tests |
| --- | --- | --- |
{rows}
"""


def render() -> None:
    """Write the page: a section for each record that exists."""
    records = ((RESULTS / f"{name}.json", section) for name, section in SECTIONS.items())
    text = "".join(
        section(json.loads(file.read_text())) for file, section in records if file.is_file()
    )
    PAGE.write_text(text + awkward(), encoding="utf-8")


def files(content: dict[str, Any]) -> str:
    """Kinds of files, cases, outcomes."""
    rows = []
    for name, part in sorted(content["targets"].items()):
        counts = part["verdicts"]
        bad = {verdict: n for verdict, n in counts.items() if n and verdict not in GOOD}
        words = ", ".join(f"{n} {verdict}" for verdict, n in bad.items()) or "none"
        good = f"{counts.get('refused', 0):,} | {counts.get('read', 0):,}"
        rows.append(f"| {name} | {part['cases']:,} | {good} | {words} |")
    limits = content["limits"]
    return HEAD.format(
        cases=content["cases"],
        failures=content["failures"],
        rows="\n".join(rows),
        seconds=limits["seconds"],
        gigabytes=limits["bytes"] / 2**30,
    )


def kills(content: dict[str, Any]) -> str:
    """Commands, kills, outcomes."""
    rows = [
        f"| `{name}` | {one['kills']} | {one['runs']} | {one['seconds_whole']:.1f} | "
        f"{len(one['failures']) or 'none'} |"
        for name, one in content["commands"].items()
    ]
    return KILLS.format(rows="\n".join(rows))


def outcome_of(fault: str, one: dict[str, Any]) -> str:
    """A cell of the table of faults."""
    if not one["failures"] and fault == "SIGTERM" and one["exit"] == 0:
        return "had ended"
    return "; ".join(one["failures"]) or "held"


def faults(content: dict[str, Any]) -> str:
    """Commands, faults, outcomes."""
    names = list(next(iter(content["commands"].values())))
    rows = [
        f"| `{command}` | "
        + " | ".join(outcome_of(name, outcome[name]) if name in outcome else "–" for name in names)
        + " |"
        for command, outcome in content["commands"].items()
    ]
    return FAULTS.format(
        names=" | ".join(names), columns=" --- |" * len(names), rows="\n".join(rows)
    )


def long_runs(content: dict[str, Any]) -> str:
    """Commands, how long they ran, memory and speed."""
    limits = {name: f"{100 * value:.0f} %" for name, value in content["limits"].items()}
    rows = [
        f"| `{name}` | {one['snapshots']:,} | {one['hours']:.1f} | {one['memory_mb'][0]:.0f}, "
        f"{one['memory_mb'][1]:.0f} | {100 * one['slowing']:.1f} % | "
        f"{'held' if one['holds'] else 'failed'} |"
        for name, one in content["commands"].items()
    ]
    return LONG_RUNS.format(rows="\n".join(rows), **limits)


def reports(content: dict[str, Any]) -> str:
    """Conditions that others met, and verdicts."""
    rows = [
        f"| {one['source']} | {one['condition']} | {one['right']} | {one['is']} |"
        for one in content["reports"]
    ]
    return REPORTS.format(rows="\n".join(rows))


def awkward() -> str:
    """Kinds of inputs, outcomes, tests."""
    rows = [
        f"| {kind.name} | {kind.outcome} | "
        + "<br>".join(f"`{test.rpartition('/')[2]}`" for test in kind.tests)
        + " |"
        for kind in KINDS
    ]
    return AWKWARD.format(rows="\n".join(rows))


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "fuzz": files,
    "kills": kills,
    "faults": faults,
    "long_run": long_runs,
    "reports": reports,
}
"""The page's sections in order, by the name of their record."""


if __name__ == "__main__":
    render()
