"""Ewald sums against closed forms and pymatgen; the electroneutral-slab rule; Coulomb-ordered ions."""

import itertools

import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Lattice
from pymatgen.core import Structure as Crystal

from simkit.build import ROOT3, Block, Heights, bulk, intergrowth, orthogonal
from simkit.build.fill.charges import filled_charges, parts
from simkit.build.fill.coulomb import coulomb
from simkit.build.fill.counts import stratum_counts
from simkit.build.fill.ewald import COULOMB_EV_A, ewald_energy, potential_of, potentials
from simkit.build.fill.orders import ion_orders
from simkit.build.occupy import occupants
from simkit.build.scaffold import HARD_CORE_A
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs


def test_madelung_constant_of_rock_salt_and_caesium_chloride():
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    a = 5.64
    points = np.concatenate([corners, corners + np.array([0.5, 0, 0])]) * a
    energy = ewald_energy(points, np.repeat([1.0, -1.0], 4), np.eye(3) * a)
    # Madelung constants of the nearest distance; the sums stop at 2e-12
    assert -energy / 4 * (a / 2) / COULOMB_EV_A == pytest.approx(1.747564594633182, abs=1e-10)
    energy = ewald_energy(np.array([[0, 0, 0], [2, 2, 2.0]]), np.array([1.0, -1.0]), np.eye(3) * 4)
    assert -energy * np.sqrt(12) / COULOMB_EV_A == pytest.approx(1.762674773070991, abs=1e-10)


@pytest.mark.parametrize("cell", [[[9, 0, 0], [-3.0, 8, 0], [1, 2, 12]], [[3, 0, 0], [0, 9, 0], [0, 0, 30.0]]])
def test_energies_agree_with_pymatgen(cell):
    rng = np.random.default_rng(0)
    cell = np.array(cell)
    fractional, charges = rng.random((30, 3)), rng.integers(-2, 4, 30).astype(float)
    charges -= charges.mean()
    crystal = Crystal(Lattice(cell), ["Na"] * 30, fractional)
    crystal.add_oxidation_state_by_site(charges.tolist())
    reference = EwaldSummation(crystal, acc_factor=14).total_energy
    mine = ewald_energy(fractional @ cell, charges, cell)
    # pymatgen uses e^2 / (4 pi epsilon_0) to 9 digits and stops its sums near 1e-9
    assert mine == pytest.approx(reference, rel=1e-8)
    table = potentials(fractional @ cell, fractional @ cell, cell)
    assert 0.5 * COULOMB_EV_A * charges @ table @ charges == pytest.approx(mine, rel=1e-12)


def test_potentials_of_a_supercell_fold_back():
    rng = np.random.default_rng(1)
    cell = np.array([[4.0, 0, 0], [-2, 5, 0], [0.5, 0, 9]])
    points = rng.random((5, 3)) @ cell
    charges = np.array([1.0, -2, 3, -1, -1])
    twice = np.concatenate([points, points + cell[0]])
    big = cell * [[2], [1], [1]]
    assert ewald_energy(twice, np.tile(charges, 2), big) == pytest.approx(2 * ewald_energy(points, charges, cell))
    where = rng.random((7, 3)) @ cell
    assert potential_of(where, points, charges, cell) == pytest.approx(potentials(where, points, cell) @ charges)


def names_of(model):
    symbols = np.array(model.structure.symbols)
    return np.where(model.atom_of >= 0, symbols[model.atom_of], "")


def energy(scaffold, names, charge):
    there = names != ""
    return ewald_energy(scaffold.positions[there], charge[there], scaffold.cell)


@pytest.fixture(scope="module")
def mixed():
    blocks = [
        Block("P2", 4, {"Mn": 1}, content=2 / 3, heights=Heights(2.928, 1.99, {"P2": 3.55})),
        Block("O3", 6, {"Mn": 1}, heights=Heights(2.928, 2.00, {"O3": 3.23})),
    ]
    return intergrowth(blocks, ROOT3)


def test_slab_rule_of_the_scaffold(mixed):
    found, part_of = parts(mixed.scaffold, stratum_counts(mixed.scaffold))
    assert [p.mean for p in found] == pytest.approx([19 / 6, 10 / 3, 10 / 3, 10 / 3, 19 / 6, 3, 3, 3, 3, 3])
    assert np.array_equal(part_of >= 0, mixed.scaffold.role == "metal")
    assert all(p.low <= p.mean <= p.high for p in found)


def test_neutral_slabs_lie_far_below_uniform_charge(mixed):
    scaffold, names = mixed.scaffold, names_of(mixed)
    charge = filled_charges(scaffold, names)
    metal = scaffold.role == "metal"
    rule = energy(scaffold, names, charge)
    uniform = np.where(metal, charge[metal].mean(), charge)
    above = charge.copy()
    for j in range(10):
        ions = ((scaffold.gallery == j) & (names != "")).sum()
        above[metal & (scaffold.layers == j)] = 4 - ions / 3
    assert abs(charge.sum()) < 1e-9
    # an independent sum over this stack at other gallery heights gave 106.7 and 11.5 eV; heights move them by 1 eV
    assert energy(scaffold, names, uniform) - rule == pytest.approx(106.7, abs=2.0)
    assert energy(scaffold, names, above) - rule == pytest.approx(11.5, abs=1.0)


@pytest.mark.parametrize(
    ("block", "repeats"),
    [
        (Block("O3", 3, {"Co": 1}, content=0.5, heights=Heights(2.9, 2.0, {"O3": 3.2})), (2, 2)),
        (Block("P2", 2, {"Ni": 0.25, "Mn": 0.75}, content=0.5, heights=Heights(2.9, 2.0, {"P2": 3.5})), (2, 2)),
    ],
)
def test_ion_order_reaches_the_enumerated_minimum(block, repeats):
    scaffold = bulk(block, repeats).scaffold
    names = occupants(scaffold, 0)
    charge = filled_charges(scaffold, names)
    charge[scaffold.role == "alkali"] = 0
    table = potentials(scaffold.positions, scaffold.positions, scaffold.cell)
    pairs = find_pairs(scaffold.positions, scaffold.positions, scaffold.cell, HARD_CORE_A)
    close = set(zip(pairs.point.tolist(), pairs.atom.tolist(), strict=True))
    galleries = [np.flatnonzero(scaffold.gallery == j) for j in range(block.gaps)]
    energies = []
    for sites in itertools.product(*(itertools.combinations(g.tolist(), 2) for g in galleries)):
        if any(pair in close for pair in sites):
            continue
        q = charge.copy()
        q[np.concatenate(sites)] = 1
        energies.append(0.5 * COULOMB_EV_A * q @ table @ q)
    levels = np.unique(np.round(energies, 6))
    found = [o.energy_eV for o in ion_orders(scaffold, 0, 3)]
    # the sums stop at 4e-11 of some 1e3 eV, and the enumeration is rounded to 1e-6
    assert found == pytest.approx(levels[np.append(True, np.diff(levels) > 1e-4)][:3], abs=1e-5)


def test_coulomb_order_couples_galleries_and_keeps_counts():
    block = Block("P2", 2, {"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3, heights=Heights(2.9, 2.0, {"P2": 3.5}))
    model = bulk(block, orthogonal(4, 3), seed=1)
    scaffold = model.scaffold
    start = names_of(model)
    orders = ion_orders(scaffold, 1, 4)
    energies = [o.energy_eV for o in orders]
    assert len(orders) == 4
    assert np.all(np.diff(energies) > 1e-4)
    assert energies[0] < energy(scaffold, start, filled_charges(scaffold, start))
    for order in orders:
        symbols = np.array(order.filled.structure.symbols)
        names = np.where(order.filled.atom_of >= 0, symbols[order.filled.atom_of], "")
        # the reported energy is the whole Ewald sum of the filled cell
        assert energy(scaffold, names, filled_charges(scaffold, names)) == pytest.approx(order.energy_eV, abs=1e-6)
        assert [((scaffold.gallery == j) & (names != "")).sum() for j in (0, 1)] == [16, 16]
        assert order.by_kind["e"] + order.by_kind["f"] == 32
        assert np.array_equal(names[scaffold.role != "alkali"], start[scaffold.role != "alkali"])
    again = ion_orders(scaffold, 1, 4)
    assert [o.energy_eV for o in again] == energies
    with pytest.raises(InputError, match="count = 0"):
        ion_orders(scaffold, 1, 0)


def test_a_block_can_ask_for_coulomb_order():
    block = Block("P2", 2, {"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3, ordering="ewald", dopants={"Ca": 1 / 8})
    first, second = (bulk(block, orthogonal(3, 2), seed=5) for _ in range(2))
    assert first.structure.positions.tobytes() == second.structure.positions.tobytes()
    assert first.structure.symbols.count("Ca") == 2
    start = bulk(Block("P2", 2, block.metals, content=2 / 3, dopants={"Ca": 1 / 8}), orthogonal(3, 2), seed=5)
    values = []
    for model in (first, start):
        names = names_of(model)
        values.append(energy(model.scaffold, names, filled_charges(model.scaffold, names)))
    assert values[0] < values[1] - 0.1


def test_one_gallery_can_be_ordered_alone():
    block = Block("P2", 2, {"Mn": 1}, content=0.5)
    model = bulk(block, (3, 3))
    names = names_of(model)
    charge = filled_charges(model.scaffold, names)
    strata = [k for k, s in enumerate(model.scaffold.strata) if s.role == "alkali"]
    table = coulomb(model.scaffold, names, charge, strata[:1])
    assert set(model.scaffold.gallery[table.lattice.sites].tolist()) == {0}
    assert len(table.pair) == 18
    # a prismatic site excludes the three of the other kind around it
    assert set(table.forbidden.sum(axis=1).tolist()) == {3}
