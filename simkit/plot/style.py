"""The house style of all figures, colours that colour-blind readers can tell apart, and figures as bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from simkit.elements import SYMBOLS
from simkit.errors import InputError

PAGE_WIDTH_IN = 6.9
"""Width of a full-width figure: the text column of a report at 100 %."""

CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B5B95", "#4D4D4D")
"""Okabe and Ito's palette, without its yellow, which is unreadable as a line on white."""

PHASE_COLOURS = {
    "P2": "#0072B2",
    "O3": "#D55E00",
    "P3": "#009E73",
    "O2": "#56B4E9",
    "O1": "#E69F00",
    "OP4": "#CC79A7",
    "OP2": "#6B5B95",
    "O2u": "#56B4E9",
    "O2l": "#56B4E9",
    "O'3": "#A63D00",
    "P'2": "#00507D",
    "spinel": "#C2185B",
    "rock-salt": "#6D4C41",
    "tunnel": "#4D4D4D",
    "interface": "#B8860B",
}

ELEMENT_COLOURS = {
    "Li": "#86DF73", "Na": "#F2C500", "K": "#A05BD0", "O": "#E03C31", "F": "#C9F0A0", "S": "#E8E86A",
    "Mg": "#3FA34D", "Al": "#9FA8B5", "Ti": "#78A2C6", "V": "#B9A3E3", "Cr": "#2F6B80", "Mn": "#8E5EA2",
    "Fe": "#8F4A12", "Co": "#2F5FC4", "Ni": "#4C9A8B", "Cu": "#E8883A", "Zn": "#5A5F94", "Zr": "#A5DDD3",
    "Sn": "#E3BE9B", "Sb": "#D81B7A", "W": "#5E4B3C", "Mo": "#1B1AA8", "Nb": "#F48A98", "Ca": "#7E1E39",
    "Ga": "#7D7B15", "Si": "#164D17", "Ge": "#3AEDBF", "Sc": "#F382CF", "Y": "#98197E", "Ru": "#3A9DF3",
    "Rh": "#17D0F0", "In": "#879E66", "Te": "#9B6276", "La": "#7FA717", "Hf": "#D5AF57", "Ta": "#542383",
    "Ir": "#17483C", "Pt": "#F0BACE",
}  # fmt: skip
"""Colours of the elements a builder may place, no two nearer than 14 in CIELAB."""

_RADII_A = {"Li": 0.72, "Na": 0.95, "K": 1.25, "O": 0.52, "F": 0.5, "S": 0.8}
_OTHER_RADIUS_A = 0.66

_SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.linewidth": 0.8,
    "axes.labelcolor": "#222222",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "svg.fonttype": "path",
    "svg.hashsalt": "simkit",
    "figure.facecolor": "white",
    "mathtext.default": "regular",
}


def house_style() -> AbstractContextManager:
    """Settings to draw in; nothing outside the context is touched."""
    return matplotlib.rc_context(_SETTINGS)


def blank_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure with its own canvas and a layout that keeps labels apart. No window, no global state."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def phase_colour(phase: str, index: int = 0) -> str:
    """Colour of a phase by its name; unknown names take the palette at `index`."""
    return PHASE_COLOURS.get(phase, CYCLE[index % len(CYCLE)])


def element_colour(number: int) -> str:
    """Colour of an element by its atomic number; elements without one of their own are grey."""
    return ELEMENT_COLOURS.get(SYMBOLS[number], "#8C8C8C")


def element_radius_A(number: int) -> float:
    """Radius to draw an element with, A; not a physical radius."""
    return _RADII_A.get(SYMBOLS[number], _OTHER_RADIUS_A)


def png_bytes(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as PNG."""
    return _saved(figure, "png", dpi)


def small_png_bytes(figure: Figure, dpi: int = 80, colours: int = 64) -> bytes:
    """The figure as PNG of so many colours: a third of the bytes, for pages with many pictures."""
    with Image.open(io.BytesIO(png_bytes(figure, dpi))) as image:
        reduced = image.convert("RGB").quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    reduced.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """The figure as SVG with outlined text; the same figure always gives the same bytes."""
    return _saved(figure, "svg", 100)


def need(items: Sequence, what: str) -> None:
    """Raise InputError when there is nothing to draw."""
    if len(items) == 0:
        raise InputError(f"there are no {what} to draw; give at least one.")


def _settle(figure: Figure) -> None:
    """Lay the figure out once and for all: the layout moves a little at each drawing, and bytes must repeat."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def _saved(figure: Figure, kind: str, dpi: int) -> bytes:
    buffer = io.BytesIO()
    with house_style():
        _settle(figure)
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()
