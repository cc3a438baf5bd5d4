"""Two phases over common slabs: same number of slabs, senses matched, letters as near as they come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Integers
from simkit.build.lateral.burgers import Slips, slips
from simkit.build.stacking import GAP_RULES, Slab, Stack, gap_name
from simkit.errors import InputError

MOST_SLABS = 48
"""Most slabs per period."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """Both phases of a lateral join over the same slabs.

    left, right  their stacks, without shear; slab j of one continues slab j of the other across the boundary
    rotation     the right stack starts with this gallery of its phase
    inverted     whether every sense of the right stack is the opposite of `Stack.from_gaps` (a twin)
    slips        displacements of the right domain's slabs against the left
    flipped      (n,) bool: the slabs whose sense changes across the boundary
    """

    left: Stack
    right: Stack
    rotation: int
    inverted: bool
    slips: Slips
    flipped: np.ndarray

    @property
    def moved(self) -> Integers:
        """(n,) letters that each slab glides on the way from left to right: 0, +1 or -1, slab 0 staying."""
        steps = letter_steps(self.left, self.right)
        return (steps - steps[0] + 1) % 3 - 1


def common_gaps(left: Sequence[str], right: Sequence[str]) -> tuple[list[str], list[str]]:
    """Both gap lists repeated to the same number of galleries, with letters that close.

    Raises InputError where that takes more than `MOST_SLABS` slabs.
    """
    for times in (1, 2, 3, 6):
        count = times * math.lcm(len(left), len(right))
        lists = [list(gaps) * (count // len(gaps)) for gaps in (left, right)]
        if count <= MOST_SLABS and all(_closes(gaps) for gaps in lists):
            return lists[0], lists[1]
    raise InputError(
        f"{len(left)} and {len(right)} galleries do not close over common slabs within {MOST_SLABS} of them; "
        "take the same number of galleries on both sides."
    )


def align(left: Sequence[str], right: Sequence[str], line: str, mode: str, flips: bool) -> Alignment:
    """Cheapest way of carrying the slabs of one phase into the other.

    left, right  gap names of one period each
    line, mode   see `slips`
    flips        False: no slab may change its sense (a glide boundary); True: at least one does, as few as can be
    Every rotation of the right stack, and with flips also its inverse, is tried; first the number of flipped
    slabs decides, then the cost of the slips, then the smallest rotation.
    Raises InputError where the senses do not allow it.
    """
    low, high = common_gaps(left, right)
    base = Stack.from_gaps(low)
    candidates = [
        (rotation, inverted, stack, _flipped(base, stack))
        for rotation in range(len(high))
        for inverted in (False, True)
        for stack in [_turned(high, rotation, inverted)]
    ]
    allowed = [c for c in candidates if bool(c[3].any()) is flips]
    if not allowed:
        least = min(int(c[3].sum()) for c in candidates)
        classes = base.sense_class(), Stack.from_gaps(high).sense_class()
        raise InputError(
            f"sense classes {classes[0]} and {classes[1]} differ: at least {least} of {len(low)} slabs must change "
            "their sense, which no glide does; use lateral_flip."
        )
    least = min(int(c[3].sum()) for c in allowed)
    found = [
        Alignment(base, stack, rotation, inverted, slips(letter_steps(base, stack), line, mode), mask)
        for rotation, inverted, stack, mask in allowed
        if int(mask.sum()) == least
    ]
    return min(found, key=lambda a: (round(a.slips.cost, 6), a.rotation, a.inverted))


def letter_steps(left: Stack, right: Stack) -> Integers:
    """(n,) letters modulo 3 from each slab of the left stack to that of the right."""
    return np.array([(b.z - a.z) % 3 for a, b in zip(left.slabs, right.slabs, strict=True)])


def _turned(gaps: list[str], rotation: int, inverted: bool) -> Stack:
    stack = Stack.from_gaps(gaps[rotation:] + gaps[:rotation])
    if not inverted:
        return stack
    return Stack(tuple(Slab(-slab.z % 3, -slab.s) for slab in stack.slabs))


def _closes(gaps: list[str]) -> bool:
    flips = sum(GAP_RULES[gap_name(name)][0] < 0 for name in gaps)
    return flips % 2 == 0 and Stack.from_gaps(gaps).shear == 0


def _flipped(left: Stack, right: Stack) -> np.ndarray:
    return np.array([a.s != b.s for a, b in zip(left.slabs, right.slabs, strict=True)])
