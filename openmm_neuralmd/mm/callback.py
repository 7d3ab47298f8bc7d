"""`ForceCallback` under the name that stored Systems have for it."""

from __future__ import annotations

from ..simulation.backends import ForceCallback

__all__ = ["ForceCallback"]
