"""The page of a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simkit.workflows.campaign.plan import Plan


def write(root: Path, resolved: Plan, table: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> None:
    """Write the page."""
