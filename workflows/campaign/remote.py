"""What a driver sends to workers by name: what they do is loaded where it is done."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

WORK = "simkit.workflows.campaign.work"


def perform(root: str, items: Sequence[Mapping[str, Any]], deadline_s: float = 0.0) -> list[dict[str, Any]]:
    """`work.perform`. A driver loads neither torch nor builders, and starts in a second."""
    return importlib.import_module(WORK).perform(root, items, deadline_s)
