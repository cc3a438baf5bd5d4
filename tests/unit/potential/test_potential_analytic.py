"""Pair laws and external fields against closed forms and the conformance suite."""

import numpy as np
import pytest
from conformance import derivatives, invariances, layered

from simkit import potential
from simkit.errors import InputError, SimkitError
from simkit.structure import Structure


def fcc(symbol_number, a):
    fractional = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return Structure(np.full(4, symbol_number), fractional * a, np.eye(3) * a)


PAIRS = {
    "lj": potential.lennard_jones(0.05, 2.1, 6.0),
    "morse": potential.morse(0.3, 1.3, 2.4, 5.5),
    "springs": potential.springs(2.0, {"Na": 2.9, "Co": 2.6, "O": 2.7}, 2.95),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pair_laws_conform(name):
    invariances(PAIRS[name], layered())


@pytest.mark.parametrize("name", PAIRS)
def test_pair_laws_have_the_derivatives_of_their_energy(name):
    derivatives(PAIRS[name], layered())


def test_lennard_jones_dimer_has_its_minimum_where_it_must():
    p = potential.lennard_jones(0.2, 2.5, 12.0, inner_A=10.0)
    r = 2.5 * 2 ** (1 / 6)
    dimer = Structure([18, 18], [[5, 5, 5], [5 + r, 5, 5]], np.eye(3) * 40)
    e = p.evaluate([dimer])[0]
    assert e.energy == pytest.approx(-0.2, abs=1e-14)
    np.testing.assert_allclose(e.forces, 0, atol=1e-13)  # the slope vanishes; rounding of 24 epsilon / r


def test_a_pair_beyond_the_cutoff_feels_nothing_and_the_energy_goes_there_smoothly():
    p = potential.lennard_jones(0.2, 2.5, 6.0)
    separations = np.array([6.0 - 1e-3, 6.0 + 1e-3])
    dimers = [Structure([18, 18], [[5, 5, 5], [5 + r, 5, 5]], np.eye(3) * 40) for r in separations]
    inside, outside = p.evaluate(dimers)
    assert outside.energy == 0.0
    assert abs(inside.energy) < 1e-10  # (1e-3 / 1.2)^3 of a few meV: the switch has no slope or curvature there


def test_fcc_springs_have_the_elastic_constants_of_born_and_huang():
    k, rest = 3.0, 2.5
    p = potential.springs(k, {"Al": rest}, 3.0)
    crystal = fcc(13, rest * np.sqrt(2))
    c11, c12, c44 = potential.fcc_spring_stiffness(k, rest)
    step = 1e-6  # springs are harmonic in the length, so stress bends with strain: error of order c11 * step
    e1 = p.evaluate([crystal.strained_to(crystal.cell * (1 + step * np.array([1, 0, 0])))])[0].stress / step
    shear = np.array([[0, 0, 0], [0, 0, step / 2], [0, step / 2, 0]])
    e4 = p.evaluate([crystal.strained_to(crystal.cell @ (np.eye(3) + shear))])[0].stress / step
    assert e1[0, 0] == pytest.approx(c11, rel=1e-5)
    assert e1[1, 1] == pytest.approx(c12, rel=1e-5)
    assert e4[1, 2] == pytest.approx(c44, rel=1e-5)


def test_two_species_give_two_lattice_constants_and_a_mixed_pair_their_mean():
    p = potential.springs(3.0, {"Al": 2.5, "Ni": 2.6}, 3.0)
    crystals = [fcc(13, 2.5 * np.sqrt(2)), fcc(28, 2.6 * np.sqrt(2))]
    for e in p.evaluate(crystals):
        assert abs(e.energy) < 1e-25  # every spring at rest to rounding, squared
    mixed = Structure([13, 28], [[5, 5, 5], [5, 5, 7.55]], np.eye(3) * 20)
    assert abs(p.evaluate([mixed])[0].energy) < 1e-25


def test_the_double_well_has_its_barrier_and_conforms_to_its_own_derivatives():
    p = potential.double_well("Na", 0.35, 1.2)
    at = [Structure([11, 8], [[x, 0, 0], [3, 3, 3]], np.eye(3) * 10) for x in (-1.2, 0.0, 1.2)]
    low, top, high = (e.energy for e in p.evaluate(at))
    assert low == high == 0.0
    assert top == pytest.approx(0.35, abs=1e-15)
    off = Structure([11, 8], [[0.4, 0.2, -0.1], [3, 3, 3]], np.eye(3) * 10)
    derivatives(p, off)
    with pytest.raises(SimkitError, match="no atomic virials"):
        p.evaluate([off], virials=True)


def test_bad_parameters_are_named():
    with pytest.raises(InputError, match="sigma_A"):
        potential.lennard_jones(0.1, -1.0, 5.0)
    with pytest.raises(InputError, match="did you mean"):
        potential.springs(1.0, {"Nb2": 2.0}, 3.0)
    with pytest.raises(InputError, match="rest length"):
        potential.springs(1.0, {"Na": 4.0}, 3.0)
    with pytest.raises(InputError, match="unknown element"):
        potential.double_well("Xx", 0.1, 1.0)


def test_an_element_not_on_the_card_is_refused_by_name():
    with pytest.raises(InputError, match="does not know Mn"):
        PAIRS["springs"].evaluate([fcc(25, 3.6)])
