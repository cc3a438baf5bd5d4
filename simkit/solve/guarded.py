"""A fast stepper with a slow one behind it, for forces that are no gradient of anything, as a band's are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats
from simkit.solve.groups import Groups
from simkit.solve.stepper import Memory, Push, Stepper


@dataclass(frozen=True)
class Guarded(Stepper):
    """`fast` until it goes astray, then `sure` from the best point, for good; each group by itself.

    A group has gone astray when its force is more than `worse` times the smallest since the force last changed its
    meaning, or when no smaller one was seen for `patience` steps. The projected force of a band has no potential, so
    a quasi-Newton method can be led away from a path that it had nearly found, where damped dynamics settles.
    """

    fast: Stepper
    sure: Stepper
    worse: float = 4.0
    patience: int = 25

    def init(self, groups: Groups) -> Memory:
        """Both at the beginning, no group astray."""
        d, g = len(groups.of), groups.count
        own = {
            "best_x": np.zeros(d),
            "best_force": np.zeros(d),
            "least": np.full(g, np.inf),
            "waited": np.zeros(g, dtype=np.int64),
            "sure": np.zeros(g, dtype=bool),
        }
        return own | _prefixed("fast", self.fast.init(groups)) | _prefixed("slow", self.sure.init(groups))

    def step(self, memory: Memory, groups: Groups, push: Push) -> tuple[Memory, Floats]:
        """Judge where the last step led, go back where that was astray, and let one of the two propose the next."""
        own = self._judged(memory, groups, push)
        tripped = own["sure"] & ~memory["sure"]
        on = groups.spread(tripped)
        x, force = np.where(on, own["best_x"], push.x), np.where(on, own["best_force"], push.force)
        turns = {"fast": push.active & ~own["sure"], "slow": push.active & own["sure"]}
        steppers = {"fast": self.fast, "slow": self.sure}
        place = x
        for name, active in turns.items():
            part, proposed = _part(memory, name), push.x
            if active.any():
                part, proposed = steppers[name].step(part, groups, replace(push, x=x, force=force, active=active))
            own |= _prefixed(name, part)
            place = np.where(groups.spread(active), proposed, place)
        return own, np.where(groups.spread(push.active), place, push.x)

    def _judged(self, memory: Memory, groups: Groups, push: Push) -> Memory:
        """Best point, smallest force, steps without a better one, and which groups have gone astray."""
        size = np.sqrt(groups.dot(push.force, push.force))
        least = np.where(push.fresh, np.inf, memory["least"])
        better = push.active & (size < least)
        on = groups.spread(better)
        waited = np.where(better | push.fresh, 0, memory["waited"] + push.active)
        astray = push.active & ((size > self.worse * least) | (waited > self.patience))
        return {
            "best_x": np.where(on, push.x, memory["best_x"]),
            "best_force": np.where(on, push.force, memory["best_force"]),
            "least": np.where(better, size, least),
            "waited": waited,
            "sure": memory["sure"] | astray,
        }


def _prefixed(name: str, memory: Memory) -> Memory:
    return {f"{name}.{key}": value for key, value in memory.items()}


def _part(memory: Memory, name: str) -> Memory:
    return {key.removeprefix(f"{name}."): value for key, value in memory.items() if key.startswith(f"{name}.")}
