"""Disk full, a folder that cannot be written, SIGTERM, two at a time: two commands meet each."""

from __future__ import annotations

import subprocess
import sys

from robustness import faults


def test_a_fault_leaves_nothing_incomplete() -> None:
    # In a process of its own, as in test_kills.py.
    words = [sys.executable, faults.__file__, "--no-record", "--command", "prepare", "convert"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
