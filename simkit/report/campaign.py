"""The page of a campaign, filled from plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from simkit.report.page import number


def render_campaign(facts: Mapping[str, Any]) -> str:
    """The page as text; figures are given as sources of images, so that it stands alone."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment.get_template("campaign.html").render(c=facts)
