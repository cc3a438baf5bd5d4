"""Pictures of hops show every hop they are given, and the hops that decide."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from simkit import plot
from simkit.errors import InputError
from simkit.structure import Structure

DOTS = [
    plot.HopDot("P2", "vacancy", 3.0, 0.2, 3),
    plot.HopDot("O3", "vacancy", 9.0, 0.5, 2),
    plot.HopDot("O3", "divacancy", 9.0, 0.3, 6),
]


def curve(converged=True):
    s, dense = np.linspace(0, 3, 5), np.linspace(0, 3, 40)
    hill = [0.4 * np.sin(np.pi * x / 3) ** 2 for x in (s, dense)]
    return plot.BarrierCurve("hop", s, hill[0], dense, hill[1], 0.4, 0.4, converged)


def test_heights_show_every_hop_in_the_colour_of_its_phase():
    figure = plot.height_figure(DOTS, [(0.0, 6.0, "P2"), (6.0, 12.0, "O3")], [6.0])
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines] == [(d.height_A, d.barrier_eV) for d in DOTS]
    assert lines[0].get_color() != lines[1].get_color() == lines[2].get_color()
    assert lines[1].get_marker() != lines[2].get_marker()


def test_histogram_counts_each_hop_as_often_as_it_occurs():
    figure = plot.barrier_histogram(DOTS)
    heights = [sum(patch.get_height() for patch in axes.patches) for axes in figure.axes]
    assert heights == [3, 8]


def test_profiles_have_a_panel_for_each_kind():
    figure = plot.profiles_figure([("P2", [curve(), curve()]), ("O3", [curve(False)])])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["P2 (2)", "O3 (1)"]


def test_values_that_do_not_stand_above_their_error_are_left_out():
    t = np.array([300.0, 600.0])
    figure = plot.kinetic_figure([plot.KineticCurve("a", t, np.array([1e-12, 1e-8]), np.array([9e-13, 1e-10]))])
    assert len(figure.axes[0].containers[0].lines[0].get_xdata()) == 1


def test_the_network_shows_every_hop_and_marks_those_that_decide():
    cell = np.diag([6.0, 6.0, 10.0])
    host = Structure([27, 8, 8], [[0, 0, 0], [1.5, 0, 1], [1.5, 0, 9]], cell)
    sites = np.array([[1.0, 1.0, 5.0], [4.0, 1.0, 5.0]])
    steps = np.array([[3.0, 0, 0], [3.0, 0, 0], [0, 6.0, 0]])
    picture = plot.NetworkPicture(
        host, sites, ("P2", "P2"), np.array([0, 0]), np.array([[0, 1], [1, 0], [0, 0]]), steps,
        np.array([0.2, 0.4, 0.3]), np.array([False, True, False]),
    )  # fmt: skip
    figure = plot.network_figure(picture)
    drawn = [c for c in figure.axes[1].collections if isinstance(c, LineCollection)]
    assert [len(c.get_segments()) for c in drawn] == [3, 1]
    np.testing.assert_allclose(drawn[1].get_segments()[0], [[4, 1], [7, 1]])
    assert plot.png_bytes(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("draw", [plot.height_figure, plot.barrier_histogram, plot.profiles_figure])
def test_nothing_to_draw_is_refused(draw):
    with pytest.raises(InputError, match="there are no"):
        draw([])
