"""Ranking ion arrangements with a potential: same composition, sorted, the Coulomb search only proposes."""

import numpy as np
import pytest

from simkit import build, potential
from simkit.workflows import ordering, relax


@pytest.fixture(scope="module")
def half_filled():
    return build.bulk(build.Block("P2", 2, {"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3), (3, 3), seed=2)


@pytest.fixture(scope="module")
def pairs():
    return potential.load("lj")


def test_every_arrangement_has_the_composition_of_the_cell(half_filled, pairs):
    ranked = ordering.run(ordering.Config(count=4), pairs, half_filled)
    assert 2 <= len(ranked) <= 4
    assert {one.structure.formula for one in ranked} == {half_filled.structure.formula}
    occupied = {
        tuple(np.round(np.sort(one.structure.fractional[one.structure.numbers == 11], axis=0), 6).ravel())
        for one in ranked
    }
    assert len(occupied) == len(ranked)


def test_the_potential_has_the_last_word(half_filled, pairs):
    ranked = ordering.run(ordering.Config(count=6), pairs, half_filled)
    energies = [one.energy_eV for one in ranked]
    assert energies == sorted(energies)
    again = [pairs.evaluate([one.structure])[0].energy for one in ranked]
    assert np.allclose(energies, again, atol=1e-9)
    assert [one.coulomb_eV for one in ranked] != sorted(one.coulomb_eV for one in ranked)


def test_relaxations_that_do_not_converge_come_last(half_filled):
    settings = ordering.Config(count=3, settle=relax.Config(cell="fixed", max_steps=2, fmax_eV_per_A=1e-6))
    ranked = ordering.run(settings, potential.load("lj"), half_filled)
    assert not any(one.converged for one in ranked)
    assert [one.energy_eV for one in ranked] == sorted(one.energy_eV for one in ranked)
