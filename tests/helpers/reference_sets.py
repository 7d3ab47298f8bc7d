"""Places of the reference sets."""

from __future__ import annotations

from pathlib import Path

SETS = Path(__file__).parents[2] / "validation" / "reference_sets"
TYK2 = SETS / "pocket" / "tyk2"
