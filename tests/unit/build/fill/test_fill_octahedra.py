"""Formal charges of regions that share anion layers: one scheme, exact for metals of a single valence."""

import numpy as np
import pytest

from simkit.build import Block, Domain, DomainSettings, Limits, Prism, domains
from simkit.build.fill.charges import filled_charges, name_counts, parts
from simkit.build.shapes.finish import balances

WIDE = DomainSettings(max_strain_percent=9.0, limits=Limits(strain_percent=9.0))


def layered(metal, gaps=3, **more):
    return Block("O3", gaps, **{"metals": {metal: 1.0}, "alkali": "Li", **more})


def charges(cell):
    """Symbol of every site and its formal charge."""
    names = np.where(cell.atom_of >= 0, np.array(cell.structure.symbols)[cell.atom_of], "")
    return names, filled_charges(cell.scaffold, names)


@pytest.fixture(scope="module")
def lialo2_mgo():
    return domains(layered("Al"), [Domain(Block("rock-salt", 3, metals={"Mg": 1.0}), Prism(8.0))], (10, 10), 0, WIDE)


def test_single_valences_come_out_at_a_layered_rock_salt_edge(lialo2_mgo):
    # Li+, Al3+ and Mg2+ balance this cell exactly, so no other charges are right
    names, charge = charges(lialo2_mgo)
    assert np.allclose(charge[names == "Al"], 3.0, atol=1e-9)
    assert np.allclose(charge[names == "Mg"], 2.0, atol=1e-9)
    assert not any("valence" in text and "slab" in text for text in lialo2_mgo.report.warnings)


@pytest.mark.parametrize("radius_A", [6.0, 9.0])
@pytest.mark.parametrize("anions", [{"O": 1.0}, {"O": 0.9, "F": 0.1}])
def test_fill_and_report_tell_the_same_charges(radius_A, anions):
    part = Domain(Block("rock-salt", 3, metals={"Ni": 0.9, "Li": 0.1}, anions=anions), Prism(radius_A))
    cell = domains(layered("Ni"), [part], (10, 10), 0, WIDE)
    _, charge = charges(cell)
    assert abs(charge.sum()) < 1e-6
    region = cell.scaffold.region
    for k, book in balances(cell).items():
        metal = (cell.scaffold.role == "metal") & (region == k)
        assert charge[metal].mean() == pytest.approx(book.mean, abs=1e-9)
        facts = cell.report.facts
        assert facts[f"region_{k}_{book.phase}_valence"] == pytest.approx(book.mean)


def test_slabs_of_a_domain_follow_the_contents_of_their_own_galleries():
    contents = [1.0, 0.5, 0.5]
    cell = domains(
        layered("Ni", content=contents), [Domain(layered("Co", content=contents), Prism(8.0))], (10, 10), 0, WIDE
    )
    names, _ = charges(cell)
    found, _ = parts(cell.scaffold, name_counts(cell.scaffold, names))
    for part in found:
        exact = 4.0 - 0.5 * (contents[part.slab - 1] + contents[part.slab])
        # the ions of a region are whole and its edge cuts slabs and galleries at different places
        assert part.mean == pytest.approx(exact, abs=0.06)


def test_octahedra_stand_for_all_anions(lialo2_mgo):
    made = lialo2_mgo.scaffold
    assert made.octahedra.sum() == pytest.approx((made.role == "anion").sum())
