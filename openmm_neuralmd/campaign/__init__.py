"""Campaigns: prepare and run many complexes in parallel."""

from __future__ import annotations

from .run import (
    count_snapshots,
    failures,
    report_path,
    run_campaign,
)
from .settings import CampaignSettings, read_campaign
from .tasks import Outcome

__all__ = [
    "CampaignSettings",
    "Outcome",
    "count_snapshots",
    "failures",
    "read_campaign",
    "report_path",
    "run_campaign",
]
