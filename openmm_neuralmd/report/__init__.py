"""An assessment as files that people read: the report, and the validity card."""

from .card import validity_card
from .evidence import Evidence
from .outputs import markdown, write_outputs
from .page import render

__all__ = ["Evidence", "markdown", "render", "validity_card", "write_outputs"]
