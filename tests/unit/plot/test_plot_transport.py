"""Figures of transport and of runs over time show the numbers they are given."""

import numpy as np
import pytest

from simkit import plot
from simkit.errors import InputError


def test_displacements_and_their_fit_are_drawn_as_given():
    times = np.arange(0.0, 10.0, 0.1)
    moving = plot.Displacements("a", times, 3.0 * times, (np.array([1.0, 4.0]), np.array([3.0, 12.0])))
    still = plot.Displacements("b", times, np.zeros_like(times), None, False)
    figure = plot.displacement_figure([("all", [moving]), ("none", [still])])
    first, second = figure.axes
    assert first.get_xscale() == first.get_yscale() == "log"
    pale, strong, fit = first.get_lines()[:3]
    assert strong.get_xdata().max() <= 5.0 < pale.get_xdata().max() and fit.get_ydata()[1] == 12.0
    assert all(len(line.get_xdata()) == 0 for line in second.get_lines()[:2])
    assert len(plot.png_bytes(figure)) > 1000


def test_rungs_say_their_temperatures_and_energies():
    t = np.array([500.0, 1000.0])
    values = np.array([1e-7, 1e-5])
    rungs = plot.Rungs("x\n0.40 ± 0.02 eV", t, values, values * 0.5, values * 1.5, (t, values, values / 2, values * 2))
    figure = plot.arrhenius_figure([plot.RungPanel("D (cm2/s)", (rungs,))])
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.get_lines()[0].get_xdata(), [2.0, 1.0])
    above = axes.child_axes[0]
    assert [label.get_text() for label in above.get_xticklabels()] == ["500 K", "1000 K"]
    assert axes.get_legend().get_texts()[0].get_text().endswith("eV")


def test_maps_need_axes_that_fit():
    angles, course = np.linspace(10, 20, 11), np.array([0.0, 1.0, 2.0])
    intensity = np.random.default_rng(1).random((3, 11))
    figure = plot.pattern_figure([plot.Patterns("p", angles, course, "time (ps)", intensity)])
    line, field = figure.axes
    np.testing.assert_allclose(line.get_lines()[0].get_ydata(), intensity[0] / intensity.max())
    assert field.get_xlim() == (10, 20) and field.get_ylabel() == "time (ps)"
    with pytest.raises(InputError, match="do not fit their axes"):
        plot.pattern_figure([plot.Patterns("p", angles, course, "t", intensity.T)])
    for empty in (plot.pattern_figure, plot.density_figure, plot.stacking_figure, plot.log_figure, plot.radial_figure,
                  plot.van_hove_figure, plot.arrhenius_figure, plot.displacement_figure):  # fmt: skip
        with pytest.raises(InputError, match="there are no"):
            empty([])


def test_operando_maps_rise_and_carry_their_lattice():
    angles, course = np.linspace(10, 20, 11), np.array([0.2, 0.5, 1.0])
    intensity = np.random.default_rng(1).random((3, 11))
    spacing = ("spacing", np.array([5.1, 5.4, 5.2]))
    charged = plot.Operando("p", angles, course, "Na", intensity, (spacing,))
    line, spare, field, beside = plot.operando_figure([charged]).axes
    assert [one.get_label() for one in line.get_lines()] == ["at 1", "at 0.2"] and not spare.axison
    assert field.get_ylim() == beside.get_ylim() == (1.0, 0.2)
    np.testing.assert_allclose(field.get_lines()[0].get_ydata(), course)
    warm = plot.Operando("p", angles, course, "T (K)", intensity, falling=False)
    assert plot.operando_figure([warm]).axes[1].get_ylim() == (0.2, 1.0)
    for wrong in (course[::-1], course[[0, 0, 1]]):
        with pytest.raises(InputError, match="do not fit a rising course"):
            plot.operando_figure([plot.Operando("p", angles, wrong, "Na", intensity)])
    with pytest.raises(InputError, match="there are no"):
        plot.operando_figure([])


def test_events_have_words_only_where_they_are_few():
    times = np.arange(5.0)
    shares = {"P2": np.array([1.0, 1, 0.5, 0.5, 0.5]), "O2u": np.array([0.0, 0, 0.5, 0.5, 0.5])}
    few = plot.Stacking("few", times, shares, ((2.0, "0: P2 > O2u"),))
    many = plot.Stacking("many", times, shares, tuple((float(k), "x") for k in range(5)))
    upper, lower = plot.stacking_figure([few, many]).axes
    assert [t.get_text() for t in upper.texts] == ["0: P2 > O2u"] and not lower.texts
    assert len(lower.get_lines()) == 5


def test_densities_keep_the_shape_of_the_cell():
    vectors = np.array([[6.0, 0.0], [-3.0, 5.0]])
    figure = plot.density_figure([plot.Slice("s", vectors, np.ones((4, 5)))])
    mesh = figure.axes[0].collections[0].get_coordinates()
    np.testing.assert_allclose(mesh[0, 0], [0, 0])
    np.testing.assert_allclose(mesh[-1, -1], vectors.sum(axis=0))
    assert figure.axes[0].get_aspect() == 1.0


def test_logs_are_smoothed_for_the_eye_and_kept_below():
    times = np.arange(200.0)
    noisy = 300 + np.random.default_rng(2).normal(0, 10, 200)
    figure = plot.log_figure([("K", [plot.LogTrace("a", times, noisy)]), ("eV", [plot.LogTrace("a", times, noisy)])])
    raw, mean = figure.axes[0].get_lines()[:2]
    np.testing.assert_array_equal(raw.get_ydata(), noisy)
    assert np.std(mean.get_ydata()) < 0.7 * np.std(noisy)
