"""The tunnel phase: space group, coordination, agreement with the shared model, exact counts, refusals."""

from pathlib import Path

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure as PmgStructure

from simkit.build.composition import Composition
from simkit.build.symmetry import space_group
from simkit.build.tunnel import TunnelLattice, tunnel_bulk, tunnel_scaffold
from simkit.build.tunnel.phase import FIVE
from simkit.errors import InputError

SHARED = Path(__file__).resolve().parents[5] / "shared" / "structures" / "tunnel-Na4Mn9O18.cif"


def as_pymatgen(structure):
    return PmgStructure(structure.cell, structure.symbols, structure.fractional)


def test_full_cell_is_pbam_with_four_pyramids():
    built = tunnel_bulk(repeats=(1, 1, 1))
    assert built.structure.formula == "Mn18Na8O36"
    assert space_group(built.structure) == ("Pbam", 55)
    other = as_pymatgen(built.structure)
    metals = [i for i, s in enumerate(other) if s.specie.symbol == "Mn"]
    # pymatgen's own neighbour list; 2.6 A lies between the long Jahn-Teller bonds (2.25 A) and the next anion (2.89 A)
    around = [sum(n.specie.symbol == "O" for n in other.get_neighbors(other[i], 2.6)) for i in metals]
    five = built.structure.tags["site"][metals] == FIVE
    assert sorted(around) == [5] * 4 + [6] * 14
    assert np.array_equal(np.array(around) == 5, five)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared structures are not beside this checkout")
def test_same_structure_as_the_shared_model():
    matcher = StructureMatcher(primitive_cell=False, scale=False)
    rms = matcher.get_rms_dist(as_pymatgen(tunnel_bulk(repeats=(1, 1, 1)).structure), PmgStructure.from_file(SHARED))
    # coordinates here are rounded to five decimals: 1e-5 of 26 A over a mean distance of 2 A
    assert rms is not None and rms[1] < 3e-4


def test_doping_counts_are_exact_and_repeatable():
    composition = Composition({"Mn": 8 / 9, "Ti": 1 / 9}, content=8 / 18)
    first, second, third = (tunnel_bulk(composition, (1, 1, 3), seed) for seed in (4, 4, 5))
    assert first.report.counts == {"Mn": 48, "Na": 24, "O": 108, "Ti": 6}
    assert np.array_equal(first.structure.positions, second.structure.positions)
    assert np.array_equal(first.structure.numbers, second.structure.numbers)
    assert not np.array_equal(first.structure.numbers, third.structure.numbers)


@pytest.mark.parametrize(("content", "ions"), [(0.0, 0), (2 / 9, 12), (1 / 3, 18), (8 / 18, 24)])
def test_content_is_per_metal(content, ions):
    built = tunnel_bulk(Composition({"Mn": 1.0}, content=content), (1, 1, 3))
    assert built.report.counts.get("Na", 0) == ions
    assert len(built.sites) == 24


def test_third_site_is_an_alternative_to_the_second():
    built = tunnel_bulk(Composition({"Mn": 1.0}, content=2 / 9, sites="mixed"), (1, 1, 3), seed=1)
    kinds = dict(zip(*np.unique(built.sites.kind, return_counts=True), strict=True))
    assert kinds == {"t1": 12, "t2": 12, "t3": 12}
    used = {str(k) for k in built.sites.kind[built.sites.atom >= 0]}
    assert "t3" in used
    assert built.report.shortest_A["A-A"] > 2.6


def test_too_much_sodium_is_refused_with_the_most_that_fits():
    with pytest.raises(InputError, match=r"at most 8: use content up to 0\.444"):
        tunnel_scaffold(Composition({"Mn": 1.0}, content=0.6))
    with pytest.raises(InputError, match="no galleries"):
        tunnel_scaffold(Composition({"Mn": 1.0}, content=(0.2, 0.3)))


def test_lattice_of_another_material_is_refused():
    with pytest.raises(InputError, match=r"about 26\.42 A"):
        TunnelLattice(b_A=2.6)


def test_content_is_compared_with_the_request():
    built = tunnel_bulk(Composition({"Mn": 1.0}, content=0.24), (1, 1, 1))
    share = next(s for s in built.report.regions[0].shares if s.role == "alkali")
    assert (share.asked, share.reached) == (0.24, pytest.approx(4 / 18))
    assert any("0.2222 where 0.2400 was asked" in text for text in built.report.warnings)
    assert not any("was asked" in text for text in tunnel_bulk(repeats=(1, 1, 1)).report.warnings)


def test_less_than_one_ion_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"less than one ion among 18 metals; the nearest .* are 0 and 0\.05556"):
        tunnel_bulk(Composition({"Mn": 1.0}, content=0.02), (1, 1, 1))


@pytest.mark.parametrize("repeats", [(0, 1, 1), (-1, 1, 3), (1, 1), (1, 1, 1.5), "113", None])
def test_repeats_are_three_whole_numbers(repeats):
    with pytest.raises(InputError, match="repeats"):
        tunnel_bulk(repeats=repeats)


@pytest.mark.parametrize(
    ("composition", "message"),
    [
        ({"Mn": 1.0}, "composition is a dict"),
        (Composition({"Mn": 1.0}, content=0.4, sites="e"), "allowed: auto, mixed"),
        (Composition({"Mn": 1.0}, content=0.4, tetrahedral={"Mn": 1.0}), "no tetrahedral sites"),
        (Composition([{"Mn": 1.0}, {"Ti": 1.0}], content=0.4), "one table of metals"),
    ],
)
def test_what_tunnels_lack_is_refused(composition, message):
    with pytest.raises(InputError, match=message):
        tunnel_bulk(composition)


@pytest.mark.parametrize("a_A", ["a", float("nan"), None])
def test_a_lattice_is_made_of_numbers(a_A):
    with pytest.raises(InputError, match="a_A"):
        TunnelLattice(a_A)
