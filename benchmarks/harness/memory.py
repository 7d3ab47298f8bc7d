"""Memory of this process, and the most that a call takes in a process of its own (Linux)."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any


def resident(field: str) -> float:
    """Memory of this process in MB: 'VmRSS' now, 'VmHWM' at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def peak_mb(make: Callable[..., Callable[[], Any]], *given: Any) -> float:
    """MB that one call of make(*given) takes beyond what its own new process held before.

    `make` is a function of a module's top level.
    """
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measure, args=(make, given, queue))
    process.start()
    peak = float(queue.get())
    process.join()
    return peak


def _measure(make: Callable[..., Callable[[], Any]], given: tuple[Any, ...], queue: Any) -> None:
    call = make(*given)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = resident("VmRSS")
    call()
    queue.put(resident("VmHWM") - before)
