"""ODE12r: the way downhill as a differential equation, its step lengths set by its error and the curvature met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.solve.groups import Groups
from simkit.solve.stepper import REJECTIONS, UNIT_STIFFNESS_EV_PER_A2, Memory, Push, Stepper, trusted


@dataclass(frozen=True)
class Ode12r(Stepper):
    """Adaptive Euler steps along dx/dt = P^-1 f (Makri, Ortner and Kermode, J. Chem. Phys. 150, 094109, 2019).

    x_new = x + h d with d = P^-1 f. A step is kept where the residual R = sqrt(f.d) falls by the share `decrease` h,
    or where it rises by no more than `increase` and the error h |d_new - d| / 2 stays below `error`; else the group
    goes back. The next length is the smaller of that of the error, h sqrt(error / err) / 2, and that at which a linear
    force leaves the least residual along the line, h (f.y) / (f - f_new).y with y = d - d_new; it grows four times at
    most. A group whose steps are rejected twice in a row goes on without its model Hessian P.

    first     length of the first step; 1 is the step of a crystal as stiff as the model says. Bands of fcc metals and
              P2|O3 oxides come to 5 meV soonest with 0.7, among 0.5, 0.7 and 1
    error     largest error of one coordinate in a step (A)
    max_step  largest change of one coordinate (A)
    """

    first: float = 0.7
    error: float = 0.1
    decrease: float = 0.01
    increase: float = 2.0
    max_step: float = 0.2

    def init(self, groups: Groups) -> Memory:
        """No point known."""
        d, g = len(groups.of), groups.count
        return {
            "x": np.zeros(d),
            "force": np.zeros(d),
            "length": np.full(g, self.first),
            "known": np.zeros(g, dtype=bool),
            "rejected": np.zeros(g, dtype=np.int64),
            "plain": np.zeros(g, dtype=bool),
        }

    def step(self, memory: Memory, groups: Groups, push: Push) -> tuple[Memory, Floats]:
        """Judge the last step, go back where it failed, and propose the next."""
        push = trusted(push, groups, memory["plain"])
        known = memory["known"] & push.active & ~push.fresh
        before, now = self._direction(push, memory["force"]), self._direction(push, push.force)
        length = np.where(memory["known"] & ~known & push.active, self.first, memory["length"])
        good, planned = self._judged(groups, (memory["force"], push.force), (before, now), length)
        back = known & ~good
        length = np.where(known, planned, length)
        rejected = np.where(push.active, np.where(back, memory["rejected"] + 1, 0), memory["rejected"])
        lost = push.active & (rejected >= REJECTIONS) & ~memory["plain"]
        length = np.where(lost, self.first, length)
        stay = groups.spread(back | ~push.active)
        new = {
            "x": np.where(stay, memory["x"], push.x),
            "force": np.where(stay, memory["force"], push.force),
            "length": np.where(push.active, length, memory["length"]),
            "known": memory["known"] | push.active,
            "rejected": rejected,
            "plain": memory["plain"] | lost,
        }
        return new, self._proposed(new, groups, push)

    def _direction(self, push: Push, force: Floats) -> Floats:
        return push.metric(force) / UNIT_STIFFNESS_EV_PER_A2

    def _judged(
        self, groups: Groups, forces: tuple[Floats, Floats], ways: tuple[Floats, Floats], length: Floats
    ) -> tuple[np.ndarray, Floats]:
        """Which steps are kept, and the length each group plans next."""
        before, now = ways
        old, new = (np.sqrt(np.maximum(groups.dot(f, d), 0.0)) for f, d in zip(forces, ways, strict=True))
        y = before - now
        error = 0.5 * length * groups.largest(y)
        good = (new <= old * (1.0 - self.decrease * length)) | ((new <= self.increase * old) & (error <= self.error))
        by_error = 0.5 * length * np.sqrt(self.error / np.maximum(error, 1e-30))
        slope, bend = groups.dot(forces[0], y), groups.dot(forces[0] - forces[1], y)
        by_line = np.where((slope > 0) & (bend > 0), length * slope / np.where(bend > 0, bend, 1.0), np.inf)
        wanted = np.minimum(by_error, by_line)
        kept = np.maximum(0.25 * length, np.minimum(4.0 * length, wanted))
        shorter = np.maximum(0.1 * length, np.minimum(0.25 * length, wanted))
        return good, np.where(good, kept, shorter)

    def _proposed(self, new: Memory, groups: Groups, push: Push) -> Floats:
        """The next point; the length is cut to the step cap and remembered as it was taken."""
        way = self._direction(trusted(push, groups, new["plain"]), new["force"])
        reach = np.maximum(groups.largest(way), 1e-300)
        taken = np.minimum(new["length"], self.max_step / reach)
        new["length"] = np.where(push.active, taken, new["length"])
        return np.where(groups.spread(push.active), new["x"] + groups.spread(taken) * way, push.x)
