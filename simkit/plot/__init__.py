"""Figures from results, as matplotlib Figures and as bytes; nothing is computed here."""

from simkit.plot.campaigns import Panel, Series, campaign_figure
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
from simkit.plot.scorecards import Dot, DotColumn, DotRow, Goal, Names, dot_figure, goal_figure, panel_figure
from simkit.plot.style import png_bytes, small_png_bytes, svg_bytes
from simkit.plot.training import Course, Scatter, learning_figure, parity_figure

__all__ = [
    "BarGroup",
    "BarrierCurve",
    "Course",
    "Dot",
    "DotColumn",
    "DotRow",
    "FieldPanel",
    "GlideCurve",
    "Goal",
    "LineCurve",
    "Names",
    "Panel",
    "Relaxation",
    "Scatter",
    "Series",
    "StressPanel",
    "bar_figure",
    "barrier_figure",
    "campaign_figure",
    "convergence_figure",
    "dot_figure",
    "field_map_figure",
    "gliding_figure",
    "goal_figure",
    "learning_figure",
    "line_figure",
    "panel_figure",
    "parity_figure",
    "png_bytes",
    "small_png_bytes",
    "stress_map_figure",
    "structure_figure",
    "svg_bytes",
]
