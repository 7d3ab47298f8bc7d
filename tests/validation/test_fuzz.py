"""A short run of the fuzz harness: no mutated file may crash, fill or deceive the package."""

from __future__ import annotations

import pytest

from robustness import fuzz
from robustness.targets import TARGETS, Target


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_mutated_files(name: str) -> None:
    (result,) = fuzz.run([name], cases=15, seconds=60).values()
    assert result["cases"] == 15
    assert not result["failures"], result["failures"]


class Bad(Target):
    """Each number a fault of another kind: the harness must see all of them."""

    name = "bad"
    kind = ""

    def make(self, folder):
        (folder / "a").write_bytes(b"abc")

    def open(self, place):
        import os
        import time

        kind = Bad.kind
        if kind == "crash":
            os.abort()
        if kind == "hang":
            time.sleep(60)
        if kind == "exception":
            raise KeyError("x")
        if kind == "memory":
            bytearray(3 * 2**30)


@pytest.mark.parametrize("kind", ["crash", "hang", "exception", "memory"])
def test_the_harness_sees_every_fault(kind: str, monkeypatch) -> None:
    monkeypatch.setattr(Bad, "kind", kind)
    monkeypatch.setattr(fuzz, "SECONDS", 1)
    if kind == "hang":
        monkeypatch.setattr(fuzz, "PATIENCE", 2)
    (outcome,) = fuzz.outcomes(Bad(), range(1))
    assert outcome[1] == kind
