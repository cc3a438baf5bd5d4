"""Figures show the numbers they were given, in bytes that are what they claim, without touching global state."""

from __future__ import annotations

import itertools

import matplotlib
import numpy as np
import pytest

from simkit import plot
from simkit.build.valence import ANION_VALENCE, ION_VALENCE, RADII_A
from simkit.elements import NUMBERS
from simkit.errors import InputError
from simkit.plot.style import CYCLE, blank_figure, element_colour, house_style
from simkit.plot.view import side_view
from simkit.structure import Structure


@pytest.fixture(scope="module")
def layered() -> Structure:
    """Two O3-like slabs with sodium between, 2 x 2 in the plane, jittered across the cell's faces."""
    cell = np.array([[2.9, 0, 0], [-1.45, 2.9 * np.sqrt(3) / 2, 0], [0, 0, 10.4]])
    thirds = np.array([0, 1 / 3, 2 / 3])
    fractional = [
        (1, 0.0, 8),
        (0, 1.0, 25),
        (2, 2.0, 8),
        (0, 3.6, 11),
        (1, 5.2, 8),
        (2, 6.2, 25),
        (0, 7.2, 8),
        (1, 8.8, 11),
    ]
    positions = [np.array([thirds[n], 2 * thirds[n] % 1, 0]) @ cell + [0, 0, z] for n, z, _ in fractional]
    structure = Structure(
        [z for *_, z in fractional], positions, cell, tags={"phase": np.array(["O3"] * 4 + ["P2"] * 4)}
    )
    large = structure.repeated(2, 2, 1)
    return large.moved_to(large.positions + np.random.default_rng(0).normal(0, 0.03, (len(large), 3)))


def barrier(label: str = "hop", converged: bool = True) -> plot.BarrierCurve:
    s = np.linspace(0, 2.8, 7)
    dense = np.linspace(0, 2.8, 50)
    hill = [0.3 * np.sin(np.pi * x / 2.8) ** 2 for x in (s, dense)]
    return plot.BarrierCurve(label, s, hill[0], dense, hill[1], 0.3, 0.3, converged)


def glide(label: str, panel: str, dashed: bool = False) -> plot.GlideCurve:
    t = np.linspace(0, 1, 9)
    return plot.GlideCurve(label, panel, t, np.sin(np.pi * t) ** 2, t, np.sin(np.pi * t) ** 2, dashed)


def all_figures(layered: Structure) -> dict:
    values = np.linspace(0, 4, len(layered))
    x, z = np.linspace(0, 5.8, 12), np.linspace(0, 10.4, 20)
    steps = np.exp(-np.arange(30) / 5)
    panels = [plot.StressPanel("a", layered, values), plot.StressPanel("b", layered, 2 * values)]
    glides = [glide("a", "rigid"), glide("b", "rigid", True), glide("a", "relaxed")]
    bars = [plot.BarGroup("barrier (meV)", (180, 420)), plot.BarGroup("formation (eV)", (-1, 1))]
    return {
        "structure": plot.structure_figure(layered, [(3.6, "O3"), (8.8, "P2")], title="P2 | O3"),
        "stress map": plot.stress_map_figure(panels),
        "field map": plot.field_map_figure([plot.FieldPanel("a", x, z, np.outer(x, z))], upper_GPa=30.0),
        "barrier": plot.barrier_figure([barrier("a"), barrier("b", False)], "hops"),
        "gliding": plot.gliding_figure(glides, "glide"),
        "line": plot.line_figure([plot.LineCurve("a", z, z**2, spans=((0, 5, "P2"),))], "z (Å)", "stress (GPa)"),
        "convergence": plot.convergence_figure([plot.Relaxation("a", steps - 90, steps)], 0.02),
        "bars": plot.bar_figure(["P2", "O3"], bars),
    }  # fmt: skip


@pytest.fixture(scope="module")
def figures(layered) -> dict:
    return all_figures(layered)


def test_every_figure_is_png_and_svg(layered):
    before = dict(matplotlib.rcParams)
    for name, figure in all_figures(layered).items():
        png = plot.png_bytes(figure, dpi=50)
        assert png.startswith(b"\x89PNG\r\n"), name
        assert b"<svg" in plot.svg_bytes(figure)[:1000], name
    assert dict(matplotlib.rcParams) == before


def test_the_same_figure_gives_the_same_bytes(figures):
    again = plot.barrier_figure([barrier("a"), barrier("b", False)], "hops")
    assert plot.svg_bytes(again) == plot.svg_bytes(figures["barrier"])
    assert plot.png_bytes(again, 50) == plot.png_bytes(figures["barrier"], 50)


def test_labels_lie_inside_the_page(figures):
    """Titles, axis labels, legends and notes are drawn within the figure, and legends beside the data."""
    for name, figure in figures.items():
        plot.png_bytes(figure, dpi=50)
        renderer = figure.canvas.get_renderer()
        page = figure.bbox
        for axes in figure.axes:
            box = axes.get_tightbbox(renderer)
            # three pixels of a 100 dpi page: markers at the rim of an axes may stick out
            assert box.x0 > page.x0 - 3 and box.x1 < page.x1 + 3, name
            assert box.y0 > page.y0 - 3 and box.y1 < page.y1 + 3, name
            for legend in figure.legends:
                overlap = legend.get_window_extent(renderer)
                inside = axes.get_window_extent(renderer)
                apart = overlap.x0 >= inside.x1 or overlap.y1 <= inside.y0 or overlap.x1 <= inside.x0
                assert apart, name


def test_barrier_curve_is_drawn_as_given():
    figure = plot.barrier_figure([barrier()])
    lines = figure.axes[0].get_lines()
    np.testing.assert_array_equal(lines[0].get_ydata(), barrier().curve_energies_eV)
    np.testing.assert_array_equal(lines[2].get_xdata(), barrier().distances_A)
    text = figure.legends[0].get_texts()[0].get_text()
    assert "300 meV forward, 300 meV back" in text
    assert "not converged" in plot.barrier_figure([barrier("x", False)]).legends[0].get_texts()[0].get_text()


def test_maps_share_one_scale(layered):
    values = np.linspace(0, 4, len(layered))
    figure = plot.stress_map_figure(
        [plot.StressPanel("a", layered, values), plot.StressPanel("b", layered, 3 * values)]
    )
    bar = figure.axes[-1]
    assert bar.get_ylim() == (0.0, 12.0)
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    faces = [axes.collections[-1].get_facecolors() for axes in figure.axes[:2]]
    assert faces[0].max(axis=0)[0] < faces[1].max(axis=0)[0]  # only the panel with 12 GPa reaches the yellow end


def test_pure_phases_are_dashed():
    figure = plot.gliding_figure([glide("a", "rigid"), glide("pure", "rigid", True)])
    styles = {line.get_linestyle() for line in figure.axes[0].get_lines()}
    assert {"-", "--"} <= styles


def test_view_closes_slabs_and_keeps_heights(layered):
    """Each drawn metal has all six anions; nothing is drawn more than a bond outside the cell; no atom is lost."""
    view = side_view(layered)
    assert set(view.index) == set(range(len(layered)))
    metals, counts = np.unique(view.pairs[:, 0], return_counts=True)
    assert len(metals) >= 8
    assert (counts == 6).all()
    assert (layered.numbers[view.index[metals]] == 25).all()
    assert view.points[:, 2].min() > -2.6
    assert view.points[:, 2].max() < 10.4 + 2.6
    assert view.length == pytest.approx(10.4)


def test_empty_and_mismatched_inputs_are_refused(layered):
    for draw in (plot.barrier_figure, plot.gliding_figure, plot.stress_map_figure, plot.field_map_figure):
        with pytest.raises(InputError, match="to draw; give at least one"):
            draw([])
    with pytest.raises(InputError, match="3 values for 2 cases"):
        plot.bar_figure(["a", "b"], [plot.BarGroup("x", (1, 2, 3))])
    with pytest.raises(InputError, match="values for"):
        plot.stress_map_figure([plot.StressPanel("a", layered, np.zeros(3))])
    with pytest.raises(InputError, match="must agree"):
        plot.field_map_figure([plot.FieldPanel("a", np.arange(3), np.arange(4), np.zeros((4, 3)))])
    with pytest.raises(InputError, match="one each"):
        plot.structure_figure(layered, phases=["O3"])


def test_palette_is_told_apart_by_colour_blind_readers():
    """Under simulated deuteranopia and protanopia (Vienot 1999, linear RGB) all pairs of the first six differ."""
    matrices = (
        np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
        np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    )
    colours = np.array([matplotlib.colors.to_rgb(c) for c in CYCLE[:6]])
    for matrix in matrices:
        seen = np.clip(colours**2.2 @ matrix.T, 0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(6, 1)]
        assert apart.min() > 0.12  # a third of the distance between mid grey and white is plainly visible


def test_figures_open_no_window():
    with house_style():
        figure = blank_figure(3, 2)
    assert type(figure.canvas).__name__ == "FigureCanvasAgg"


def lab(colour: str) -> np.ndarray:
    """CIELAB of an sRGB colour under D65 (IEC 61966-2-1 and CIE 15)."""
    share = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(matrix @ linear / np.array([0.9505, 1.0, 1.089]))  # no colour here is dark enough for the foot
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_no_two_elements_share_a_colour():
    """Every element a builder may place; 14 in CIELAB is several times the least difference that is seen (about 2)."""
    symbols = {*RADII_A, *ION_VALENCE, *ANION_VALENCE}
    points = {symbol: lab(element_colour(NUMBERS[symbol])) for symbol in symbols}
    grey = lab("#8C8C8C")
    for first, second in itertools.combinations(sorted(symbols), 2):
        assert np.linalg.norm(points[first] - points[second]) > 14, (first, second)
    assert all(np.linalg.norm(point - grey) > 8 for point in points.values())


def test_parts_of_one_phase_are_named_by_what_differs(layered):
    numbers = layered.numbers.copy()
    middle = layered.positions[:, 2] > 4.4
    numbers[(numbers == 25) & middle] = 28
    one = Structure(
        numbers,
        layered.positions,
        layered.cell,
        tags={"phase": np.full(len(numbers), "O3"), "block": middle.astype(int)},
    )
    texts = [text.get_text() for text in plot.structure_figure(one).legends[0].get_texts()]
    assert {"O3 Mn", "O3 Ni"} <= set(texts)
    same = one.with_tags(phase=np.full(len(numbers), "O3"), block=np.zeros(len(numbers), dtype=int))
    assert "O3" in [text.get_text() for text in plot.structure_figure(same).legends[0].get_texts()]


def test_a_long_title_is_folded_between_elements(layered):
    title = "O3 NaNi0.12Cu0.12Mg0.12Fe0.15Co0.15Mn0.1Ti0.1Sn0.1Sb0.04O2"
    figure = plot.structure_figure(layered, title=title)
    lines = figure.get_suptitle().split("\n")
    assert len(lines) == 2
    assert "".join(lines) == title
    assert lines[1].startswith(("Ti", "Sn", "Sb"))
