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
from simkit.plot.gliding import ResistanceSeries, SurfacePanel, resistance_figure, surface_figure
from simkit.plot.histories import (
    LogTrace,
    Patterns,
    Slice,
    Stacking,
    density_figure,
    log_figure,
    pattern_figure,
    radial_figure,
    stacking_figure,
)
from simkit.plot.hops import HopDot, KineticCurve, barrier_histogram, height_figure, kinetic_figure, profiles_figure
from simkit.plot.network import NetworkPicture, network_figure
from simkit.plot.operando import Operando, operando_figure
from simkit.plot.pictures import FieldPanel, StressPanel, field_map_figure, stress_map_figure, structure_figure
from simkit.plot.scorecards import Dot, DotColumn, DotRow, Goal, Names, dot_figure, goal_figure, panel_figure
from simkit.plot.speed import Scaling, speed_figure
from simkit.plot.stress_panels import PanelNote, region_figure, stress_panel_figure
from simkit.plot.style import png_bytes, small_png_bytes, svg_bytes
from simkit.plot.training import Course, Scatter, learning_figure, parity_figure
from simkit.plot.transport import (
    Displacements,
    Distances,
    RungPanel,
    Rungs,
    arrhenius_figure,
    displacement_figure,
    van_hove_figure,
)
from simkit.plot.turning import TurningCell, turning_html

__all__ = [
    "BarGroup",
    "BarrierCurve",
    "Course",
    "Displacements",
    "Distances",
    "Dot",
    "DotColumn",
    "DotRow",
    "FieldPanel",
    "GlideCurve",
    "Goal",
    "HopDot",
    "KineticCurve",
    "LineCurve",
    "LogTrace",
    "Names",
    "NetworkPicture",
    "Operando",
    "Panel",
    "PanelNote",
    "Patterns",
    "Relaxation",
    "ResistanceSeries",
    "RungPanel",
    "Rungs",
    "Scaling",
    "Scatter",
    "Series",
    "Slice",
    "Stacking",
    "StressPanel",
    "SurfacePanel",
    "TurningCell",
    "arrhenius_figure",
    "bar_figure",
    "barrier_figure",
    "barrier_histogram",
    "campaign_figure",
    "convergence_figure",
    "density_figure",
    "displacement_figure",
    "dot_figure",
    "field_map_figure",
    "gliding_figure",
    "goal_figure",
    "height_figure",
    "kinetic_figure",
    "learning_figure",
    "line_figure",
    "log_figure",
    "network_figure",
    "operando_figure",
    "panel_figure",
    "parity_figure",
    "pattern_figure",
    "png_bytes",
    "profiles_figure",
    "radial_figure",
    "region_figure",
    "resistance_figure",
    "small_png_bytes",
    "speed_figure",
    "stacking_figure",
    "stress_map_figure",
    "stress_panel_figure",
    "structure_figure",
    "surface_figure",
    "svg_bytes",
    "turning_html",
    "van_hove_figure",
]
