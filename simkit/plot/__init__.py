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
from simkit.plot.gliding import ResistanceSeries, SurfacePanel, resistance_figure, surface_figure
from simkit.plot.hops import Arrhenius, HopDot, arrhenius_figure, barrier_histogram, height_figure, profiles_figure
from simkit.plot.network import NetworkPicture, network_figure
from simkit.plot.pictures import FieldPanel, StressPanel, field_map_figure, stress_map_figure, structure_figure
from simkit.plot.scorecards import Dot, DotColumn, DotRow, Goal, Names, dot_figure, goal_figure, panel_figure
from simkit.plot.stress_panels import PanelNote, region_figure, stress_panel_figure
from simkit.plot.style import png_bytes, small_png_bytes, svg_bytes
from simkit.plot.training import Course, Scatter, learning_figure, parity_figure
from simkit.plot.turning import TurningCell, turning_html

__all__ = [
    "Arrhenius",
    "BarGroup",
    "BarrierCurve",
    "Course",
    "Dot",
    "DotColumn",
    "DotRow",
    "FieldPanel",
    "GlideCurve",
    "Goal",
    "HopDot",
    "LineCurve",
    "Names",
    "NetworkPicture",
    "PanelNote",
    "Relaxation",
    "ResistanceSeries",
    "Scatter",
    "StressPanel",
    "SurfacePanel",
    "TurningCell",
    "arrhenius_figure",
    "bar_figure",
    "barrier_figure",
    "barrier_histogram",
    "convergence_figure",
    "dot_figure",
    "field_map_figure",
    "gliding_figure",
    "goal_figure",
    "height_figure",
    "learning_figure",
    "line_figure",
    "network_figure",
    "panel_figure",
    "parity_figure",
    "png_bytes",
    "profiles_figure",
    "region_figure",
    "resistance_figure",
    "small_png_bytes",
    "stress_map_figure",
    "stress_panel_figure",
    "structure_figure",
    "surface_figure",
    "svg_bytes",
    "turning_html",
]
