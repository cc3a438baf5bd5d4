"""Columns and sections of a page, as the report's template reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def column(name: str, unit: str = "", digits: int = 3, text: bool = False) -> dict[str, Any]:
    """One column of a table."""
    return {"name": name, "unit": unit, "digits": digits, "text": text}


def section(
    title: str,
    paragraphs: Sequence[str],
    figures: Sequence[tuple[str, str]] = (),
    tables: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """One section: words, figures by (file name, caption), tables."""
    pictures = [{"name": name, "caption": caption} for name, caption in figures]
    return {"title": title, "paragraphs": list(paragraphs), "figures": pictures, "tables": list(tables)}


def card(label: str, value: float | str, unit: str, note: str, digits: int = 3) -> dict[str, Any]:
    """One number of the headline."""
    return {"label": label, "value": value, "unit": unit, "note": note, "digits": digits}
