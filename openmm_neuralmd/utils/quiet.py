"""Importing this module keeps libraries from talking while they are imported.

openmmtools imports pymbar, which logs advice about JAX and about its time series.
"""

from __future__ import annotations

import logging

logging.getLogger("pymbar").setLevel(logging.ERROR)
