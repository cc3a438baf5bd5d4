"""Barriers carried from representatives to all hops keep detailed balance and the numbers they came from."""

import numpy as np
import pytest

from simkit import measure
from simkit.errors import InputError
from simkit.units import BOLTZMANN_EV_PER_K

ENDS = np.array([[0, 1], [1, 2], [2, 0]])
OFFSETS = np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0]])


def test_the_representative_keeps_its_own_barriers():
    levels = np.array([0.0, 0.1, 0.04])
    saddles = np.array([0.5, 0.6, 0.55])
    barriers = saddles[:, None] - levels[ENDS]
    found = measure.transferred(ENDS, OFFSETS, barriers, levels)
    np.testing.assert_allclose(found.hops.barriers_eV, barriers, atol=1e-15)
    assert (found.misfit_eV, found.raised) == (pytest.approx(0, abs=1e-15), 0)
    network = measure.connect(np.eye(3) * 9.0, np.eye(3) * 3.0, found.hops, found.energies_eV)
    np.testing.assert_allclose(network.saddles_eV, saddles, atol=1e-15)


def test_least_squares_energies_of_a_chain_are_its_differences():
    barriers = np.array([[0.5, 0.4], [0.6, 0.66]])
    found = measure.transferred(ENDS[:2], OFFSETS[:2], barriers, sites=3)
    np.testing.assert_allclose(np.diff(found.energies_eV), [0.1, -0.06], atol=1e-12)
    np.testing.assert_allclose(found.hops.barriers_eV, barriers, atol=1e-12)


def test_around_a_loop_that_does_not_add_up_the_misfit_says_so():
    barriers = np.array([[0.5, 0.4], [0.5, 0.5], [0.5, 0.5]])
    found = measure.transferred(ENDS, OFFSETS, barriers, sites=3)
    # a rise of 0.1 eV round a ring of three is shared: each hop is off by a third of it
    assert found.largest_misfit_eV == pytest.approx(0.1 / 3, abs=1e-12)
    assert found.misfit_eV == pytest.approx(0.1 / 3, abs=1e-12)
    rise = found.hops.barriers_eV[:, 0] - found.hops.barriers_eV[:, 1]
    np.testing.assert_allclose(rise, np.diff(found.energies_eV, append=found.energies_eV[0]), atol=1e-12)


def test_a_saddle_is_never_below_its_higher_end():
    found = measure.transferred(ENDS[:1], OFFSETS[:1], [[0.05, 0.05]], [0.0, 0.3])
    np.testing.assert_allclose(found.hops.barriers_eV, [[0.3, 0.0]])
    assert found.raised == 1


def test_directions_are_exchanged_where_asked():
    np.testing.assert_array_equal(measure.directed([[1, 2], [3, 4]], [True, False]), [[1, 2], [4, 3]])


def test_energies_or_a_number_of_sites_are_needed():
    with pytest.raises(InputError, match="energies_eV, or sites"):
        measure.transferred(ENDS, OFFSETS, np.ones((3, 2)))


def test_a_part_of_a_network_is_the_network_of_that_part():
    ends = np.array([[0, 0], [1, 1], [0, 1]])
    offsets = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0]])
    network = measure.connect(
        np.eye(3) * 3.0, np.array([[0, 0, 0], [0, 0, 1.5]]), measure.Hops(ends, offsets, np.full((3, 2), 0.4))
    )
    part = measure.part_of(network, np.array([True, False]))
    assert (len(part.positions), len(part.ends)) == (1, 1)
    rate = 1e13 * np.exp(-0.4 / (BOLTZMANN_EV_PER_K * 500))
    assert measure.single_ion_cm2_per_s(part, 500)[0, 0] == pytest.approx(9e-16 * rate)
    with pytest.raises(InputError, match="mask of 2"):
        measure.part_of(network, np.array([False, False]))


def test_activation_between_two_temperatures_is_that_of_the_law():
    law = [3.0 * np.exp(-0.37 / (BOLTZMANN_EV_PER_K * t)) for t in (300, 700)]
    assert measure.activation_between(law[0], 300, law[1], 700) == pytest.approx(0.37, abs=1e-12)
    assert measure.activation_between(0.0, 300, law[1], 700) is None
    with pytest.raises(InputError, match="must rise"):
        measure.activation_between(law[0], 700, law[1], 300)


def test_a_minimum_on_the_way_splits_a_hop_and_a_shoulder_does_not():
    s = np.linspace(0, 4, 9)
    two = 0.3 * np.sin(np.pi * s / 2) ** 2 - 0.05 * np.sin(np.pi * s / 4) ** 2
    slope = 0.3 * np.pi / 2 * np.sin(np.pi * s) - 0.05 * np.pi / 4 * np.sin(np.pi * s / 2)
    (found,) = measure.intermediates(measure.fit_barrier(s, two, -slope))
    assert found.at_A == pytest.approx(2.0, abs=0.02)
    assert found.energy_eV == pytest.approx(-0.05, abs=1e-3)
    assert found.depth_eV == pytest.approx(two.max() + 0.05, abs=0.02)
    one = 0.3 * np.sin(np.pi * s / 4) ** 2
    assert measure.intermediates(measure.fit_barrier(s, one, -0.3 * np.pi / 4 * np.sin(np.pi * s / 2))) == ()
