"""Turning a cell for the picture moves nothing against anything else, and finds along which vector phases lie."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from simkit import build
from simkit.plot.orientation import SIDES, aspects, seen, spans
from simkit.plot.view import side_view
from simkit.structure import Structure

ROUNDING_A = 1e-9
"""Rotations of coordinates of some 10 A lose no more than a few of 16 digits."""


def striped(axis: int) -> Structure:
    """A 2 x 2 x 2 grid of points in a leaning cell whose phase follows one vector."""
    cell = np.array([[20.0, 0.0, 0.0], [-4.0, 21.0, 0.0], [3.0, 2.0, 24.0]])
    grid = np.stack(np.meshgrid(*(np.arange(0.1, 1, 0.2),) * 3, indexing="ij"), -1).reshape(-1, 3)
    phase = np.where(grid[:, axis] < 0.5, "P2", "O3")
    numbers = np.where(np.arange(len(grid)) % 2, 8, 25)
    return Structure(numbers, grid @ cell, cell, tags={"phase": phase})


@pytest.mark.parametrize("side", SIDES)
def test_turning_keeps_every_distance_and_fills_the_cell(side):
    one = striped(2)
    turned, index = seen(one, side)
    assert len(turned) == len(one) * round(abs(np.linalg.det(side)))
    assert turned.volume == pytest.approx(one.volume * len(turned) / len(one), rel=1e-12)
    first = np.flatnonzero(index == 0)[0]
    block = np.arange(len(one)) + (first - first % len(one))
    assert sorted(index[block]) == list(range(len(one)))
    np.testing.assert_allclose(pdist(turned.positions[block]), pdist(one.positions[index[block]]), atol=ROUNDING_A)
    apart = np.unique(np.round(turned.fractional % 1.0, 6) % 1.0, axis=0)
    assert len(apart) == len(turned), "two atoms fell on one place"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_phases_lie_side_by_side_on_paper(axis):
    structure = striped(axis)
    [side] = aspects(structure, [str(p) for p in structure.tags["phase"]])
    assert side.stacked == (axis == 2)
    assert [name for *_, name in side.spans] == ["P2", "O3"]
    (start, middle, _), (_, end, _) = side.spans
    assert start == 0.0
    period = structure.volume / np.linalg.norm(np.cross(*np.delete(structure.cell, axis, axis=0)))
    assert end == pytest.approx(period, rel=1e-12)
    assert middle == pytest.approx(0.5 * period, abs=3.0)  # bins of 3 A


def test_a_checkered_cell_is_cut_twice():
    one = striped(0)
    checks = [str(p) for p in np.where((striped(0).tags["phase"] == striped(1).tags["phase"]), "P2", "O3")]
    side, top = aspects(one, checks)
    assert len(side.index) < len(one)
    assert len(top.index) < len(one)
    assert spans(one, ["P2"] * len(one)) == ()


def test_a_thin_region_shows_among_more_atoms_of_its_neighbours():
    """Two sheets of ions, each in a bin of 3 A that holds more atoms of the thick regions beside it."""
    heights = np.concatenate([np.linspace(0.2, 29.8, 75), [14.2, 14.4, 29.2, 29.4]])
    phases = ["P2"] * 38 + ["tunnel"] * 37 + ["interface"] * 4
    cell = np.diag([3.0, 3.0, 30.0])
    positions = np.stack([np.ones(len(heights)), np.ones(len(heights)), heights], axis=1)
    found = spans(Structure(np.full(len(heights), 11), positions, cell), phases)
    assert [name for *_, name in found] == ["P2", "interface", "tunnel", "interface"]


@pytest.mark.parametrize(("line", "tilted"), [("armchair", True), ("zigzag", False)])
def test_a_lateral_cell_is_seen_along_close_packed_rows(line, tilted):
    """Rows run along a boundary of <11-20>, and 30 degrees off one of <10-10>, along which letters look alike."""
    left, right = (build.Block(phase, 3, metals={"Ni": 1.0}, content=0.5) for phase in ("P3", "O3"))
    structure = build.lateral(left, right, line, (18.0, 18.0)).structure
    [side] = aspects(structure, structure.tags["phase"].tolist())
    assert bool(side.tilt) == tilted
    anions = side.structure.take(np.flatnonzero(side.structure.numbers == 8))
    lowest = anions.take(np.flatnonzero(anions.positions[:, 0] < anions.positions[:, 0].min() + 0.5))
    far = lowest.positions[:, 2] - side.tilt * lowest.positions[:, 1]
    assert len(np.unique(np.round(far / 0.5))) < 0.6 * len(far)
    view = side_view(side.structure, tilt=side.tilt)
    assert set(view.index) == set(range(len(side.structure)))
