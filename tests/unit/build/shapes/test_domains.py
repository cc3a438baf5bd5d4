"""Domains on one anion lattice: conserved anions, exact counts, coordination, edges, what is refused."""

import json

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.build import (
    Block,
    Domain,
    DomainSettings,
    Ellipsoid,
    Everywhere,
    Layers,
    Prism,
    Ribbon,
    domains,
    orthogonal,
    space_group,
    sphere,
)
from simkit.build.shapes.domains import rebuild_domains
from simkit.errors import InputError
from simkit.io import to_ase

NICKEL = {"Ni": 1.0}


def host(gaps=3):
    return Block("O3", gaps, NICKEL, alkali="Li")


def spinel(gaps=3, variant=0, metals=None, tetrahedral=None):
    return Block("spinel", gaps, metals or NICKEL, tetrahedral=tetrahedral or {"Li": 1.0}, variant=variant)


def rock_salt(gaps=3):
    return Block("rock-salt", gaps, NICKEL)


def same(first, second):
    arrays = ("numbers", "positions", "cell", "layers")
    tags = [np.array_equal(first.tags[k], second.tags[k]) for k in first.tags]
    return all(getattr(first, k).tobytes() == getattr(second, k).tobytes() for k in arrays) and all(tags)


def anions_around(structure, atoms, reach_A):
    """Independent count by ASE's neighbour list."""
    i, j = neighbor_list("ij", to_ase(structure), reach_A)
    near = structure.numbers[j] == 8
    return np.bincount(i[near], minlength=len(structure))[atoms]


shapes = st.one_of(
    st.builds(lambda r, x, y, z: sphere(r, (x, y, z)), st.floats(2, 5.5), *[st.floats(0, 0.99)] * 3),
    st.builds(lambda r, x, y: Prism(r, (x, y), 6), st.floats(1.5, 5), *[st.floats(0, 0.99)] * 2),
    st.builds(
        lambda x, w, line: Ribbon(x, x + w, line), st.floats(-9, 9), st.floats(2, 8), st.sampled_from(["zigzag"])
    ),
    st.builds(lambda a, n: Layers(a, min(a + n, 2)), st.integers(0, 2), st.integers(0, 2)),
)
phases = st.sampled_from(["spinel", "rock-salt", "O3"])


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(shapes, phases, st.integers(0, 7)), min_size=1, max_size=3),
    st.sampled_from(["tetrahedral", "alkali"]),
)
def test_any_decoration_map_conserves_the_anions_and_their_octahedra(maps, edges):
    made = {"spinel": lambda v: spinel(variant=v), "rock-salt": lambda v: rock_salt(), "O3": lambda v: host()}
    parts = [Domain(made[phase](v), shape) for shape, phase, v in maps]
    try:
        built = domains(host(), parts, (4, 4), settings=DomainSettings(edges=edges, max_strain_percent=9))
    except InputError as refusal:
        lacking = "whatever valences" in str(refusal), "metal sites" in str(refusal)
        assert any(lacking), "many small spinels lack more charge than Ni4+ can give, one domain may cover another"
        return
    s = built.structure
    assert (s.numbers == 8).sum() == 2 * 16 * 3
    octahedral = np.flatnonzero(np.isin(s.tags["site"], ["TM", "K", "M", "RS"]))
    tets = np.flatnonzero(s.tags["site"] == "tet")
    assert (anions_around(s, octahedral, 2.6) == 6).all()
    assert (anions_around(s, tets, 2.4) == 4).all()
    i, j, d = neighbor_list("ijd", to_ase(s), 2.5)
    cations = s.numbers != 8
    assert not (cations[i] & cations[j]).any(), d[cations[i] & cations[j]].min()


def test_a_nickel_oxide_nanodomain_in_lithium_nickelate():
    built = domains(host(6), [Domain(rock_salt(6), sphere(6.0))], (6, 6))
    s, facts = built.structure, built.report.facts
    inside = s.tags["block"] == 1
    assert set(s.tags["site"][inside]) == {"O", "RS"}
    nickel = np.flatnonzero(s.numbers == 28)
    assert (anions_around(s, nickel, 2.6) == 6).all()
    cations = int((s.numbers != 8).sum())
    assert cations == int((s.numbers == 8).sum()), "every octahedron of O3 and of rock-salt is filled"
    assert facts["region_1_rock-salt_valence"] == pytest.approx(2.0)
    assert facts["region_0_O3_valence"] == pytest.approx(3.0)


def test_a_whole_cell_of_rock_salt_is_rock_salt():
    built = domains(host(), [Domain(rock_salt(), Everywhere())], (2, 2))
    assert space_group(built.structure) == ("Fm-3m", 225)


@pytest.mark.parametrize("edges", ["tetrahedral", "alkali"])
def test_a_spinel_nanodomain_keeps_its_cations_apart(edges):
    built = domains(host(6), [Domain(spinel(6), sphere(8.0))], (8, 8), settings=DomainSettings(edges=edges))
    s, facts = built.structure, built.report.facts
    sites = s.tags["site"]
    tets = np.flatnonzero(sites == "tet")
    i, j = neighbor_list("ij", to_ase(s), 2.6)
    assert not np.isin(i[s.numbers[j] != 8], tets).any()
    dropped = facts["tetrahedra_dropped_for_shared_faces"]
    assert (dropped > 0) == (edges == "tetrahedral")
    assert (facts["alkali_sites_dropped_for_shared_faces"] > 0) == (edges == "alkali")
    whole = domains(host(6), [Domain(spinel(6), sphere(8.0))], (8, 8), settings=DomainSettings(edges="alkali"))
    assert len(tets) + dropped == (whole.structure.tags["site"] == "tet").sum()
    valence = facts["region_1_spinel_valence"]
    metals = (s.tags["block"] == 1) & (s.numbers == 28)
    assert 3.0 < valence < 4.0, "LiNi2O4 would be 3.5, its edge lacks tetrahedral cations"
    assert metals.sum() == pytest.approx(4 / 3 * np.pi * 8**3 / (s.volume / 768) / 2, rel=0.15), "half of its octahedra"


def test_charges_of_the_regions_add_up_to_the_cell():
    built = domains(host(6), [Domain(spinel(6), sphere(8.0))], (8, 8))
    s = built.structure
    total = 0.0
    for region, name in ((0, "O3"), (1, "spinel")):
        metals = ((s.tags["block"] == region) & (s.numbers == 28)).sum()
        total += metals * built.report.facts[f"region_{region}_{name}_valence"]
    assert total + (s.numbers == 3).sum() == pytest.approx(2 * (s.numbers == 8).sum())


def test_a_ribbon_of_spinel_shares_the_lattice_and_counts_are_exact():
    metals = {"Ni": 0.25, "Mn": 0.75}
    part = Domain(spinel(metals=metals, tetrahedral={"Ni": 1.0}), Ribbon(0.0, 12.0, "zigzag"))
    built = domains(Block("O3", 3, {"Mn": 0.5, "Ni": 0.5}, alkali="Li"), [part], orthogonal(4, 6), seed=3)
    s = built.structure
    inside = (s.tags["block"] == 1) & np.isin(s.tags["site"], ["K", "M"])
    assert (s.numbers[inside] == 28).sum() == round(0.25 * inside.sum())
    outside = s.tags["site"] == "TM"
    assert (s.numbers[outside] == 28).sum() == outside.sum() // 2
    for j in range(3):
        slab = outside & (s.layers == j)
        assert abs((s.numbers[slab] == 28).sum() - slab.sum() / 2) <= 0.5


@pytest.mark.parametrize("variant", range(1, 8))
def test_antiphase_boundaries_between_variants(variant):
    first, second = (spinel(variant=v, metals={"Mn": 1.0}) for v in (0, variant))
    built = domains(first, [Domain(second, Ribbon(0.0, 17.0, "zigzag"))], orthogonal(4, 6))
    s = built.structure
    assert (s.tags["block"] == 1).any()
    assert built.report.coordination["M"] == {"6": int((s.numbers == 25).sum())}
    assert set(built.report.coordination["T"]) == {"4"}
    assert (s.numbers == 3).sum() < 72, "a boundary of two variants has room for fewer tetrahedral cations"


def test_layers_of_spinel_in_a_layered_oxide():
    """K M K M K between alkali galleries: per 2 x 2, three kagome of 3 B and two mixed sheets of B + 2 A."""
    block = Block("spinel", 6, {"Mn": 1.0}, tetrahedral={"Mg": 1.0})
    choice = DomainSettings(max_strain_percent=5)
    built = domains(Block("O3", 6, {"Mn": 1.0}), [Domain(block, Layers(1, 3))], (4, 4), settings=choice)
    counts = built.report.counts
    assert counts == {"Mg": 4 * 4, "Mn": 3 * 16 + 4 * (3 * 3 + 2), "Na": 4 * 16, "O": 12 * 16}


def test_same_seed_same_cell_and_recipes_rebuild():
    parts = [Domain(spinel(), Prism(6.0, sides=6)), Domain(rock_salt(), Ellipsoid((3.0, 3.0, 4.0), (0.05, 0.1, 0.5)))]
    arguments = Block("O3", 3, {"Ni": 0.5, "Mn": 0.5}, alkali="Li", content=0.75), parts, (8, 8)
    first, second = domains(*arguments, seed=5), domains(*arguments, seed=5)
    assert same(first.structure, second.structure)
    assert same(first.structure, rebuild_domains(json.loads(json.dumps(first.recipe))).structure)
    assert not same(first.structure, domains(*arguments, seed=6).structure)
    json.dumps(first.report.to_dict())


def test_slab_thickness_follows_the_domain():
    """Rock-salt sheets are all alike; layered slabs are thinner than their galleries."""
    block = Block("O3", 3, {"Mn": 1.0})
    choice = DomainSettings(max_strain_percent=9, smoothing_A=1.0)
    part = Domain(Block("rock-salt", 3, {"Mn": 1.0}), Ribbon(0.0, 14.0, "zigzag"))
    built = domains(block, [part], orthogonal(2, 6), settings=choice)
    s = built.structure
    pitch = s.cell[2, 2] / 3
    anion = (s.numbers == 8) & (s.layers == 1)
    y, z = s.positions[anion, 1], s.positions[anion, 2]
    centre, rest = np.abs(y - 7.0) < 3.0, np.abs(y - 7.0 - 0.5 * s.cell[1, 1]) < 3.0
    assert np.ptp(z[centre]) == pytest.approx(pitch / 2, abs=0.05)
    assert np.ptp(z[rest]) < 0.45 * pitch


def test_refusals_name_the_number_and_the_remedy():
    with pytest.raises(InputError, match="multiple of 3 slabs"):
        domains(host(4), [Domain(spinel(4), Prism(5.0))], (6, 6))
    with pytest.raises(InputError, match="intergrowth"):
        domains(Block("P2", 2, {"Mn": 1.0}), [Domain(spinel(2), Prism(5.0))], (6, 6))
    with pytest.raises(InputError, match="gaps = 3"):
        domains(host(3), [Domain(spinel(6), Prism(5.0))], (6, 6))
    with pytest.raises(InputError, match="strain"):
        domains(host(), [Domain(rock_salt(), Prism(5.0))], (6, 6), settings=DomainSettings(max_strain_percent=0.1))
    with pytest.raises(InputError, match="fix:k"):
        domains(host(), [Domain(rock_salt(), Prism(5.0))], (6, 6), settings=DomainSettings(strain="fix:2"))
    with pytest.raises(InputError, match="edges"):
        DomainSettings(edges="metal")
    with pytest.raises(InputError, match="shape"):
        Domain.from_dict({"phase": "spinel"}, 3)


@pytest.mark.parametrize(("edges", "region", "role"), [("tetrahedral", 1, "tetrahedral"), ("alkali", 0, "alkali")])
def test_what_gave_way_is_told_of_what_the_region_would_hold(edges, region, role):
    """A spinel has one tetrahedron per two octahedra, O3 one ion site per metal: the sites without a neighbour."""
    choice = DomainSettings(edges=edges)
    built = domains(host(), [Domain(spinel(), Prism(6.0, sides=6))], (6, 6), settings=choice)
    s, facts = built.structure, built.report.facts
    held = int(((s.tags["block"] == region) & (s.numbers == 3)).sum())
    gone = facts[f"{'tetrahedra' if role == 'tetrahedral' else 'alkali_sites'}_dropped_for_shared_faces"]
    told = {(x.region, x.role): x for r in built.report.regions for x in r.shares if not x.symbol}[region, role]
    assert (told.asked, told.sites) == (1.0, held + gone)
    assert told.reached == pytest.approx(held / (held + gone)) and told.reached < 0.8
    assert any(f"{gone} of {held + gone} sites are left out" in text for text in built.report.warnings)
    other = "alkali" if role == "tetrahedral" else "tetrahedral"
    assert not any(
        (x.role, x.symbol) == (other, "") and x.held is not None for r in built.report.regions for x in r.shares
    )


def test_the_ledgers_of_the_regions_agree_with_their_valences():
    parts = [Domain(spinel(6), sphere(8.0)), Domain(rock_salt(6), sphere(5.0, (0.05, 0.05, 0.5)))]
    report = domains(host(6), parts, (8, 8)).report
    total = 0.0
    for r in report.regions:
        assert r.charges.mean == pytest.approx(report.facts[f"region_{r.region}_{r.phase}_valence"])
        metals = sum(r.counts["metal"].values())
        assert r.charges.highest == pytest.approx(metals * (4.0 - r.charges.mean)), "Ni4+ is the highest"
        total += r.charges.anions
    assert total == pytest.approx(-2.0 * report.counts["O"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([Domain(rock_salt(), sphere(0.1, (0.03, 0.03, 0.03)))], "region 1 .* holds none"),
        ([Domain(rock_salt(), Prism(3.0)), Domain(host(), Prism(5.0))], "region 1 .* cover"),
        ([rock_salt()], r"parts\[0\] is a Block"),
        (None, "parts is a NoneType"),
    ],
)
def test_no_domain_vanishes(parts, message):
    with pytest.raises(InputError, match=message):
        domains(host(), parts, (6, 6))


@pytest.mark.parametrize(
    "fields",
    [{"strain": 5}, {"smoothing_A": "a"}, {"smoothing_A": float("nan")}, {"max_strain_percent": None}, {"limits": 3}],
)
def test_settings_are_checked(fields):
    with pytest.raises(InputError, match=next(iter(fields))):
        DomainSettings(**fields)


def test_what_has_no_effect_on_a_decorated_lattice_is_refused():
    faced = Block("spinel", 3, NICKEL, tetrahedral={"Li": 1.0}, faces="M")
    with pytest.raises(InputError, match="faces"):
        domains(host(), [Domain(faced, Prism(5.0))], (6, 6))
    with pytest.raises(InputError, match="settings is a dict"):
        domains(host(), [Domain(rock_salt(), Prism(5.0))], (6, 6), settings={})
    with pytest.raises(InputError, match="matrix is a NoneType"):
        domains(None, [])


@pytest.mark.slow
def test_five_thousand_atoms_build_in_ten_seconds():
    import time

    parts = [Domain(spinel(9), sphere(11.0)), Domain(rock_salt(9), sphere(8.0, (0.05, 0.05, 0.5)))]
    start = time.perf_counter()
    built = domains(host(9), parts, (12, 12))
    assert len(built.structure) > 5000
    assert time.perf_counter() - start < 10.0
