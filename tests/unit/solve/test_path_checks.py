"""Ends that do not belong together are refused in one clear sentence each."""

import numpy as np
import pytest
from solve_toys import EggBox, one

from simkit import solve
from simkit.errors import InputError
from simkit.solve.path_checks import check_ends
from simkit.structure import Structure

CELL = np.eye(3) * 10.0


def of(numbers, *rows):
    return Structure(numbers, np.array(rows, float), CELL)


START = of([11, 8, 8], [1, 1, 1], [4, 1, 1], [7, 1, 1])


@pytest.mark.parametrize(
    ("final", "words"),
    [
        (of([8, 8], [4, 1, 1], [7, 1, 1]), "1 Na lost on the way"),
        (of([11, 11, 8], [1, 3, 1], [4, 1, 1], [7, 1, 1]), "1 O lost on the way and 1 Na more"),
        (of([8, 11, 8], [4, 1, 1], [1, 3, 1], [7, 1, 1]), "same atoms in another order"),
        (START, "one and the same state|same state"),
        (of([11, 8, 8], [1, 3, 1], [7, 1, 1], [4, 1, 1]), "atoms 1 and 2 .O. have exchanged their places"),
        (of([11, 8, 8], [4.1, 1, 1], [4, 1, 1], [7, 1, 1]), "final: a place is occupied twice, atoms 0 .Na. and 1 .O."),
    ],
)
def test_each_mistake_has_its_sentence(final, words):
    with pytest.raises(InputError, match=words):
        check_ends(START, final)


def test_an_exchange_over_a_named_structure_is_a_path():
    swapped = of([11, 8, 8], [1, 1, 1], [7, 1, 1], [4, 1, 1])
    check_ends(START, swapped, of([11, 8, 8], [1, 1, 1], [5.5, 2.5, 1], [5.5, 9.5, 1]))


def test_a_chain_of_ions_that_follow_one_another_is_no_exchange():
    """Concerted hops: each ion takes the place that the next one leaves, and the last takes an empty one."""
    check_ends(of([11, 11], [1, 1, 1], [3.5, 1, 1]), of([11, 11], [3.5, 1, 1], [6, 1, 1]))


def test_reaction_energy_is_the_difference_of_both_barriers():
    path = solve.find_path(one([0, 0, 0]), one([2.5, 0, 0]), EggBox(), images=3)
    assert path.barrier_eV - path.reverse_barrier_eV == pytest.approx(path.reaction_energy_eV, abs=1e-9)
    assert path.fitted_barrier_eV - path.fitted_reverse_barrier_eV == pytest.approx(path.reaction_energy_eV, abs=1e-12)
