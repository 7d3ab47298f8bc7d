"""Ctrl-C that waits until a step is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def whole_step() -> Iterator[None]:
    """Hold Ctrl-C back until the block has ended, and raise `KeyboardInterrupt` then.

    A Python function that OpenMM calls (PythonForce) must not be interrupted: OpenMM makes an
    OpenMMException of it, and the snapshot is lost.  Outside of the main thread, which alone
    receives signals, the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if received:
        raise KeyboardInterrupt
