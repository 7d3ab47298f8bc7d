"""Assessment of a model: stretches of trajectory, checks and thresholds."""

from __future__ import annotations

from ..former import names_of

__getattr__ = names_of(__name__)
