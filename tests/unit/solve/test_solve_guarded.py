"""A stepper that goes astray hands over to one that does not, each group by itself."""

from dataclasses import dataclass

import numpy as np

from simkit.solve.fire import Fire
from simkit.solve.groups import Groups
from simkit.solve.guarded import Guarded
from simkit.solve.lbfgs import Lbfgs
from simkit.solve.stepper import Push, Stepper


@dataclass(frozen=True)
class Uphill(Stepper):
    """Always goes the wrong way."""

    def init(self, groups):
        return {}

    def step(self, memory, groups, push):
        return memory, push.x - 0.3 * push.force


def descend(stepper, force, x, steps):
    """Where a stepper ends, all groups active, and its memory."""
    groups = Groups(np.repeat([0, 1], 2), 2)
    memory, on, none = stepper.init(groups), np.ones(2, dtype=bool), np.zeros(2, dtype=bool)
    for _ in range(steps):
        memory, x = stepper.step(memory, groups, Push(x, force(x), on, none))
    return x, memory


def test_while_nothing_goes_wrong_it_is_the_fast_one():
    start = np.array([1.0, -0.4, 0.5, 0.7])
    stiff = np.array([3.0, 9.0, 4.0, 2.0])
    ours, memory = descend(Guarded(Lbfgs(), Fire()), lambda x: -stiff * x, start, 8)
    theirs, _ = descend(Lbfgs(), lambda x: -stiff * x, start, 8)
    np.testing.assert_array_equal(ours, theirs)
    assert not memory["sure"].any()


def test_astray_it_goes_back_to_the_best_point_and_on_with_the_sure_one():
    start = np.array([1.0, -0.4, 0.5, 0.7])
    found, memory = descend(Guarded(Uphill(), Fire(max_step=0.2)), lambda x: -4.0 * x, start, 200)
    assert memory["sure"].all()
    assert np.abs(found).max() < 1e-3
    lost, _ = descend(Uphill(), lambda x: -4.0 * x, start, 20)
    assert np.abs(lost).max() > 10
