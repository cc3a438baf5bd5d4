"""What a stepper is: it proposes the next point from flat arrays and knows nothing of atoms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats
from simkit.solve.groups import Groups

Memory = dict[str, np.ndarray]
"""A stepper's own state: named plain arrays, so that a checkpoint can hold it."""
UNIT_STIFFNESS_EV_PER_A2 = 30.0
"""Model Hessians count in this unit: the curvature that steppers expect of a crystal before they know it."""
REJECTIONS = 2
"""Steps rejected in a row after which a group goes on without its model Hessian."""


def identity(vector: Floats) -> Floats:
    """No preconditioner."""
    return vector


@dataclass(frozen=True, eq=False)
class Push:
    """What a stepper is told.

    x      (d,) where the point is
    force  (d,) what pushes there (minus the gradient, or a band's projected force)
    active (groups,) which groups may move
    fresh  (groups,) which groups' force changed its meaning at this point (a climbing image was chosen):
           differences with earlier forces say nothing there
    metric inverse of a symmetric positive model Hessian, in units of `UNIT_STIFFNESS_EV_PER_A2`, applied to a flat
           array
    """

    x: Floats
    force: Floats
    active: np.ndarray
    fresh: np.ndarray
    metric: Callable[[Floats], Floats] = identity


class Stepper(ABC):
    """A descent method with one state per group; all groups advance together."""

    @abstractmethod
    def init(self, groups: Groups) -> Memory:
        """Memory before the first step."""

    @abstractmethod
    def step(self, memory: Memory, groups: Groups, push: Push) -> tuple[Memory, Floats]:
        """New memory and the next point; entries of groups that are not active stay where they are."""


def trusted(push: Push, groups: Groups, plain: np.ndarray) -> Push:
    """The same push with no model Hessian for the groups in the mask `plain`, whose steps it got rejected."""
    if not plain.any() or push.metric is identity:
        return push
    on = groups.spread(plain)
    return replace(push, metric=lambda vector: np.where(on, vector, push.metric(vector)))
