"""When a band has converged: what its forces leave on the saddle, beside what they leave on the ends."""

import numpy as np
import pytest

from simkit.solve.band_rules import SOFT_EV_PER_A2, BandRules, felt

RULES = BandRules(fmax=0.05, others=0.2, error=0.002, spring=0.1, climb=True, climb_below=0.5)


def band(spectators, left, at_ends):
    """One ion on its way along x over a barrier, and atoms that stand aside, each with a force along z."""
    x = np.linspace(0.0, 2.0, 5)
    positions, forces = np.zeros((5, 1 + spectators, 3)), np.zeros((5, 1 + spectators, 3))
    positions[:, 0, 0] = x
    positions[:, 1:, 1] = 5.0 + np.arange(spectators)
    forces[1:-1, 1:, 2] = left
    forces[[0, -1], 1:, 2] = at_ends
    return positions, np.array([0.0, 0.3, 0.6, 0.3, 0.0]), forces


def test_what_is_left_on_the_saddle_alone_counts_in_full():
    for atoms in (10, 40):
        told = felt(RULES, band(atoms, 0.01, 0.0), mode=1)
        assert told.residual == pytest.approx(np.sqrt(atoms * 0.01**2 / (2 * SOFT_EV_PER_A2) / RULES.error))


@pytest.mark.parametrize("atoms", [10, 200, 5000])
def test_what_the_ends_have_as_well_does_not_hold_up_a_band_of_any_size(atoms):
    assert felt(RULES, band(atoms, 0.01, 0.01), mode=1).residual < 1.0


def test_what_the_saddle_has_beyond_the_ends_holds_it_up_in_a_cell_of_any_size():
    for atoms in (200, 5000):
        beyond = np.sqrt(0.01**2 + 2 * SOFT_EV_PER_A2 * 2 * RULES.error / atoms)
        assert felt(RULES, band(atoms, beyond, 0.01), mode=1).residual > 1.0
