"""Figures from results, as matplotlib Figures and as bytes; nothing is computed here."""

from simkit.plot.curves import (
    BarGroup,
    BarrierCurve,
    GlideCurve,
    LineCurve,
    Relaxation,
    bar_figure,
    barrier_figure,
    convergence_figure,
    gliding_figure,
    line_figure,
)
from simkit.plot.pictures import FieldPanel, StressPanel, field_map_figure, stress_map_figure, structure_figure
from simkit.plot.style import png_bytes, small_png_bytes, svg_bytes

__all__ = [
    "BarGroup",
    "BarrierCurve",
    "FieldPanel",
    "GlideCurve",
    "LineCurve",
    "Relaxation",
    "StressPanel",
    "bar_figure",
    "barrier_figure",
    "convergence_figure",
    "field_map_figure",
    "gliding_figure",
    "line_figure",
    "png_bytes",
    "small_png_bytes",
    "stress_map_figure",
    "structure_figure",
    "svg_bytes",
]
