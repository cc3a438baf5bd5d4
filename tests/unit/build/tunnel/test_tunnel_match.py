"""Match table: the published rows, pymatgen's search as the independent answer, refusals."""

import numpy as np
import pytest

from simkit.build import Block, Composition, Search, tunnel_interface
from simkit.build.tunnel import MatchSearch, TunnelBlock, TunnelLattice, match_table, tunnel_matches
from simkit.build.tunnel.match import periods_for, plane_name
from simkit.errors import InputError

LATTICE = TunnelLattice(9.08, 26.40, 2.84)
ROWS = {
    ("140", "0001", (1, 9)): (0.01, 127.5),
    ("140", "1-100", (1, 4)): (0.67, 127.5),
    ("010", "0001", (5, 9)): (1.13, 129.0),
    ("010", "0001", (6, 11)): (-0.71, 155.0),
    ("110", "1-100", (2, 5)): (0.15, 158.6),
    ("230", "0001", (1, 12)): (-0.75, 168.7),
    ("120", "0001", (2, 13)): (-1.18, 182.0),
    ("100", "0001", (3, 16)): (-0.77, 225.0),
}
"""Plane pair and periods -> misfit across, per cent, and area, A^2, of P2 with a = 2.88 A and c = 11.15 A."""
P2 = np.array([[2.88, 0.0, 0.0], [-1.44, 2.88 * np.sqrt(0.75), 0.0], [0.0, 0.0, 11.15]])


@pytest.mark.parametrize("row", ROWS)
def test_published_rows(row):
    found = {(m.tunnel, m.layered, m.periods): m for m in tunnel_matches(2.88, 11.15, LATTICE)}
    misfit, area = ROWS[row]
    # printed with two decimals; areas rounded to a square angstrom or a tenth
    assert found[row].across_percent == pytest.approx(misfit, abs=0.006)
    assert found[row].area_A2 == pytest.approx(area, abs=0.5)
    assert found[row].along_percent == pytest.approx(-1.39, abs=0.005)


def test_two_dimensional_search_finds_the_same_cells():
    own = {(m.tunnel, m.layered): m for m in tunnel_matches(2.88, 11.15, LATTICE)}
    found = match_table(LATTICE.cell, P2, [(1, 4, 0)], [(0, 0, 1), (1, -1, 0)], MatchSearch(130.0, 1.6))
    assert [m.plane_b for m in found] == [(0, 0, 1), (1, -1, 0)]
    for match, layered in zip(found, ("0001", "1-100"), strict=True):
        mine = own["140", layered]
        assert match.area_A2 == pytest.approx(mine.area_A2, rel=1e-9)
        # strain of P2 onto the tunnel cell, principal axes along and across the chains
        expected = sorted((mine.along_percent, mine.across_percent), key=lambda e: -abs(e))
        assert match.strain_percent == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["tunnel", "coating"])
def test_pymatgen_finds_the_same_cells(case):
    # slow: pymatgen compiles its search in every process
    fcc = 4.62 * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    arguments = {
        "tunnel": (LATTICE.cell, P2, [(1, 4, 0), (0, 1, 0), (2, 3, 0)], [(0, 0, 1)], MatchSearch(175.0, 1.6)),
        "coating": (P2, fcc, [(0, 0, 1)], [(1, 1, 1), (1, 1, 0)], MatchSearch(120.0, 3.0)),
    }[case]
    own, theirs = match_table(*arguments), match_table(*arguments, method="zsl")
    key = [(m.plane_a, m.plane_b, round(m.area_A2, 2), *np.round(m.strain_percent, 2)) for m in own]
    assert set((m.plane_a, m.plane_b, round(m.area_A2, 2), *np.round(m.strain_percent, 2)) for m in theirs) <= set(key)
    assert len(theirs) >= 4


def test_matches_are_different_and_multiples_left_out():
    fcc = 4.62 * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    found = match_table(P2, fcc, [(0, 0, 1)], [(1, 1, 1)], MatchSearch(70.0, 4.0))
    # 2 x 2 of a = 2.88 on sqrt(3) of 4.62 / sqrt(2), closed form
    strain = 100.0 * (2 * 2.88 / (np.sqrt(3.0) * 4.62 / np.sqrt(2.0)) - 1.0)
    assert found[0].strain_percent == pytest.approx((strain, strain), abs=1e-6)
    assert found[0].area_A2 == pytest.approx(4 * 2.88**2 * np.sqrt(0.75))
    assert len({m.strain_percent for m in found}) == len(found)


@pytest.mark.parametrize(("mn", "name"), [((1, 0), "0001"), ((0, 1), "1-100"), ((1, 1), "1-102"), ((1, 2), "1-101")])
def test_names_of_planes_that_hold_the_axis(mn, name):
    assert plane_name(*mn) == name


def test_periods_or_the_best_that_was_found():
    assert periods_for(44.9, np.sqrt(3) * 2.88, 1.0)[:2] == (1, 9)
    with pytest.raises(InputError, match=r"still miss by [+-]\d+\.\d+ %, the limit is 0\.0001 %"):
        periods_for(1.0, np.sqrt(2.0), 1e-4)


def test_one_match_for_each_area():
    found = tunnel_matches(2.88, 11.1, search=Search(max_area_A2=260.0, max_misfit_percent=12.0))
    keys = [(m.tunnel, m.layered, m.periods[0]) for m in found]
    assert len(set(keys)) == len(keys)
    best = {}
    for m in found:
        # a larger cell is listed only where it fits better
        assert abs(m.across_percent) < best.get((m.tunnel, m.layered), np.inf)
        best[m.tunnel, m.layered] = abs(m.across_percent)


@pytest.mark.parametrize("match", [m for m in tunnel_matches(2.88, 11.1) if m.area_A2 < 160.0])
def test_buildable_says_what_the_builder_takes(match):
    block = Block("P2", 2, metals={"Mn": 1.0}, content=2 / 3)
    # thin blocks lose some of their ion sites at the cuts
    tunnel = TunnelBlock(composition=Composition({"Mn": 1.0}, content=0.4))
    plane = f"{match.tunnel}|{match.layered}"
    if match.buildable:
        assert tunnel_interface(block, tunnel, plane).recipe["plane"] == plane
    else:
        with pytest.raises(InputError, match="0001 or 1-100"):
            tunnel_interface(block, tunnel, plane)


NAN = float("nan")
CUBE = 4.0 * np.eye(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tunnel_matches("a", 11.0), "a_A = 'a'"),
        (lambda: tunnel_matches(2.88, NAN), "c_A = nan"),
        (lambda: tunnel_matches(2.88, 11.0, search=7), "search is a int"),
        (lambda: Search(max_area_A2=NAN), "max_area_A2 = nan"),
        (lambda: Search(max_index=2.5), "max_index = 2.5"),
        (lambda: Search(max_index=12), "from 1 to 9"),
        (lambda: MatchSearch("x"), "max_area_A2 = 'x'"),
        (lambda: MatchSearch(max_strain_percent=NAN), "max_strain_percent = nan"),
        (lambda: match_table(None, CUBE), "cell a is None"),
        (lambda: match_table(CUBE, np.eye(2)), "cell b is"),
        (lambda: match_table(np.zeros((3, 3)), CUBE), "singular"),
        (lambda: match_table(CUBE, np.diag([3.0, 3.0, -3.0])), "left-handed"),
        (lambda: match_table(CUBE, CUBE, []), "planes_a holds no plane"),
        (lambda: match_table(CUBE, CUBE, planes_b=[(1, 0)]), r"planes_b\[0\] has 2 indices"),
        (lambda: match_table(CUBE, CUBE, [(0.5, 0, 1)]), r"planes_a\[0\]\[0\] = 0.5"),
        (lambda: match_table(CUBE, CUBE, ["abc"]), "planes_a"),
        (lambda: match_table(CUBE, CUBE, method="magic"), "allowed: supercells, zsl|did you mean"),
    ],
)
def test_bad_searches_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
