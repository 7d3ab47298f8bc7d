"""The part of VMD's selection language that plugins/vmd uses, over atoms in NumPy arrays.

Precedence is VMD's: `not` binds closest, then `and`, then `or`; `within … of` takes all that
follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

SINGLE = ("all", "protein", "nucleic", "water", "noh")
KEYWORDS = ("name", "resname", "chain", "resid", "insertion", "element", "residue", "beta")
RESERVED = (*SINGLE, *KEYWORDS, "and", "or", "not", "within", "of", "(", ")")


class SelectionError(ValueError):
    """VMD would not parse the text."""


@dataclass
class Parser:
    """One parse of one text; `values` has an array for each word of SINGLE and KEYWORDS."""

    text: str
    values: dict[str, np.ndarray]
    positions: np.ndarray  # (N, 3) of the frame, Å

    def mask(self) -> np.ndarray:
        self.words = re.findall(r"[()]|[^\s()]+", self.text)
        result = self._either()
        if self.words:
            raise self._unexpected()
        return result

    def _unexpected(self) -> SelectionError:
        return SelectionError(f"{self.text!r}: {self.words[:1] or 'nothing'} was not expected")

    def _take(self, *expected: str) -> str:
        if not self.words or (expected and self.words[0] not in expected):
            raise self._unexpected()
        return self.words.pop(0)

    def _either(self) -> np.ndarray:
        result = self._both()
        while self.words[:1] == ["or"]:
            self._take()
            result = result | self._both()
        return result

    def _both(self) -> np.ndarray:
        result = self._one()
        while self.words[:1] == ["and"]:
            self._take()
            result = result & self._one()
        return result

    def _one(self) -> np.ndarray:
        word = self._take("(", "not", "within", *SINGLE, *KEYWORDS)
        if word == "(":
            result = self._either()
            self._take(")")
            return result
        if word == "not":
            return ~self._one()
        if word == "within":
            distance = float(self._take())
            self._take("of")
            return self._near(self._either(), distance)
        return self.values[word] if word in SINGLE else self._listed(word)

    def _listed(self, keyword: str) -> np.ndarray:
        wanted = []
        while self.words and self.words[0] not in RESERVED:
            wanted.append(self._take())
        if not wanted:
            raise self._unexpected()
        return np.isin(self.values[keyword].astype(str), wanted)

    def _near(self, target: np.ndarray, distance: float) -> np.ndarray:
        if not target.any():
            return target
        gaps = self.positions[:, None] - self.positions[None, target]
        return (np.square(gaps).sum(-1) <= distance**2).any(1)
