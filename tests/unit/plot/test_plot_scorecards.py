"""Figures of scorecards and trainings: the numbers given are the numbers drawn, and nothing is cut or covered."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simkit import plot
from simkit.errors import InputError

GOALS = (
    plot.Goal("sodium barrier", "25 meV, at most 40 meV", 0.625, True),
    plot.Goal("stacking energy", "300 meV, at most 10 meV", 30.0, False),
    plot.Goal("cases that the other potential answers and this one does not", "2, at most 0", math.inf, False),
    plot.Goal("lattice", "no number, at most 0.5 %", None, False),
)
NAMES = plot.Names("small", "teacher")
ROWS = (
    plot.DotRow("A", "O3", (plot.Dot(1.0, 2.0, 3.0), plot.Dot(4.0))),
    plot.DotRow("A", "P2", (plot.Dot(None, 5.0), plot.Dot(6.0, span=(5.5, 7.0)))),
    plot.DotRow("B", "P3", (plot.Dot(-8.0), plot.Dot())),
)
COLUMNS = (plot.DotColumn("energy (meV)", True, (-1.0, 1.0)), plot.DotColumn("temperature (K)"))


def drawn(axes) -> list[tuple[float, float]]:
    """Points of one marker each."""
    return [
        (float(x), float(y)) for line in axes.get_lines() for x, y in line.get_xydata() if len(line.get_xdata()) == 1
    ]


def scatter(name: str) -> plot.Scatter:
    generator = np.random.default_rng(len(name))
    label = generator.normal(0.0, 1.0, 900)
    return plot.Scatter(name, label, label + generator.normal(0.0, 0.1, 900), "RMSE 100 meV/Å")


def course(name: str) -> plot.Course:
    return plot.Course(name, np.arange(30.0), 200.0 * np.exp(-np.arange(30.0) / 12))


@pytest.fixture(scope="module")
def figures() -> dict:
    curves = [
        plot.LineCurve("small", np.arange(4.0), np.arange(4.0)),
        plot.LineCurve("teacher", np.arange(4.0), np.ones(4), True),
    ]
    return {
        "goals": plot.goal_figure(GOALS, "Goals"),
        "dots": plot.dot_figure(ROWS, COLUMNS, NAMES, "Dots"),
        "panels": plot.panel_figure({"P2": curves, "O3": curves[:1]}, "x", "height (Å)", "Spacing"),
        "parity": plot.parity_figure([scatter("md"), scatter("other")], [scatter("md")], "Parity"),
        "learning": plot.learning_figure(
            [course("energy (meV)"), course("rate"), course("loss")], 20, (8,), "Training"
        ),
    }


def test_everything_lies_on_the_page_and_panels_do_not_cover_one_another(figures):
    for name, figure in figures.items():
        assert plot.png_bytes(figure, 50).startswith(b"\x89PNG"), name
        renderer = figure.canvas.get_renderer()
        page = figure.bbox
        parts = [axes.get_tightbbox(renderer) for axes in figure.axes]
        parts += [legend.get_window_extent(renderer) for legend in figure.legends]
        for box in parts:  # three pixels of a 100 dpi page: markers at the rim may stick out
            assert box.x0 > page.x0 - 3, name
            assert box.x1 < page.x1 + 3, name
            assert box.y0 > page.y0 - 3, name
            assert box.y1 < page.y1 + 3, name
        frames = [axes.get_tightbbox(renderer) for axes in figure.axes]
        for k, one in enumerate(frames):
            assert not any(one.overlaps(other) for other in frames[k + 1 :]), name


def test_the_same_goals_give_the_same_bytes(figures):
    assert plot.svg_bytes(plot.goal_figure(GOALS, "Goals")) == plot.svg_bytes(figures["goals"])


def test_a_goal_is_told_by_hatch_and_word_and_a_long_bar_is_cut_with_its_length():
    figure = plot.goal_figure(GOALS)
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.625, 2.5, 2.5], "no bar where there is no number"
    assert [bool(bar.get_hatch()) for bar in bars] == [False, True, True]
    words = [tick.get_text() for tick in figure.axes[0].child_axes[0].get_yticklabels()]
    assert [text.split(":")[0] for text in words] == ["met", "MISSED", "MISSED", "MISSED"]
    notes = [text.get_text() for text in figure.axes[0].texts]
    assert [note.split(" \u25b6")[0] for note in notes] == ["30 times", "none allowed", "not computed"]


def test_dots_stand_where_the_numbers_say_under_the_heading_of_their_group():
    figure = plot.dot_figure(ROWS, COLUMNS, NAMES)
    first, second = figure.axes
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["A", "O3", "P2", "B", "P3"]
    assert sorted(drawn(first)) == [(-8.0, 4.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (5.0, 2.0)]
    assert sorted(drawn(second)) == [(4.0, 1.0), (6.0, 2.0)]
    assert [5.5, 7.0] in [list(line.get_xdata()) for line in second.get_lines()]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["small", "teacher", "measured", "lowest to highest", "within the goal"]


def test_parity_counts_every_component_and_shows_it_on_equal_scales(figures):
    for axes in figures["parity"].axes[:2]:
        assert axes.collections[0].get_array().sum() == 900
        assert axes.get_xlim() == axes.get_ylim()


def test_courses_are_drawn_as_given_with_their_best_epoch(figures):
    for axes in figures["learning"].axes:
        np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), course("").values)
        assert list(axes.get_lines()[1].get_xdata()) == [20, 20]
        assert list(axes.get_lines()[2].get_xdata()) == [8, 8]


def test_nothing_to_draw_is_said():
    empty = (
        lambda: plot.goal_figure([]),
        lambda: plot.dot_figure([], COLUMNS, NAMES),
        lambda: plot.dot_figure(ROWS, COLUMNS[:1], NAMES),
        lambda: plot.panel_figure({}, "x", "y"),
        lambda: plot.parity_figure([], []),
        lambda: plot.learning_figure([], 0),
    )
    for draw in empty:
        with pytest.raises(InputError):
            draw()
