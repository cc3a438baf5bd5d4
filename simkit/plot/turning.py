"""A structure to be turned in the page: atoms coloured by a field, one scale for all, no library to fetch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from simkit.arrays import Floats
from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.plot.style import element_radius_A, need
from simkit.structure import Structure

STOPS = 9
"""Colours handed to the page, which interpolates between them."""


@dataclass(frozen=True, eq=False)
class TurningCell:
    """A structure and its fields, each (n,) by name with its unit; names tell every atom apart when pointed at."""

    title: str
    structure: Structure
    fields: Mapping[str, Floats]
    names: Sequence[str] = ()


def turning_html(cells: Sequence[TurningCell], upper: Mapping[str, float], caption: str) -> str:
    """A self-contained block of HTML: choose cell and field, drag to turn, roll to zoom, hide what lies below a value.

    upper  end of the colour scale of each field, which begins at 0, or at minus it for fields with negative values
    Raises InputError on an empty list, fields of the wrong length or without a scale.
    """
    need(cells, "cells to turn")
    for cell in cells:
        for name, values in cell.fields.items():
            if np.shape(values) != (len(cell.structure),) or name not in upper:
                raise InputError(
                    f"{cell.title!r}, field {name!r}: one value per atom and an end of the scale are needed."
                )
    signed = {name: any(float(np.min(c.fields[name])) < 0 for c in cells if name in c.fields) for name in upper}
    scales = {name: [-upper[name] if signed[name] else 0.0, upper[name]] for name in upper}
    data = {
        "cells": [_plain(cell) for cell in cells],
        "scales": scales,
        "maps": {"plain": _stops("viridis"), "signed": _stops("RdBu_r")},
        "signed": signed,
    }
    body = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    page = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return page.replace("@DATA@", body).replace("@CAPTION@", caption.replace("<", "&lt;"))


def _plain(cell: TurningCell) -> dict:
    s = cell.structure
    centre = 0.5 * s.cell.sum(axis=0)
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) @ s.cell - centre
    positions = (s.fractional % 1.0) @ s.cell - centre
    names = cell.names if len(cell.names) else [SYMBOLS[z] for z in s.numbers]
    return {
        "title": cell.title,
        "x": np.round(positions, 3).tolist(),
        "r": [round(element_radius_A(int(z)), 3) for z in s.numbers],
        "names": list(names),
        "box": np.round(corners, 3).tolist(),
        "fields": {name: np.round(np.asarray(values, dtype=float), 4).tolist() for name, values in cell.fields.items()},
    }


def _stops(name: str) -> list[list[int]]:
    colours = matplotlib.colormaps[name](np.linspace(0, 1, STOPS))
    return np.round(255 * colours[:, :3]).astype(int).tolist()
