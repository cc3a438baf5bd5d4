"""L-BFGS without line search: a step cap that learns, overshoots taken back, one state per group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.solve.groups import Groups
from simkit.solve.stepper import REJECTIONS, UNIT_STIFFNESS_EV_PER_A2, Memory, Push, Stepper, identity, trusted


@dataclass(frozen=True)
class Lbfgs(Stepper):
    """Limited-memory BFGS (Nocedal, Math. Comput. 35, 773, 1980) on the force alone.

    A step is judged by the work of the mean force along it, (f_old + f_new).s / 2, the trapezoid estimate
    of the energy gained: it needs no energy, so a band's projected force is judged the same way. Where it
    is negative the step overshot: the group goes back, the new pair of points still teaches the
    curvature, and the cap halves; after `patience` such steps in a row the history is dropped and the
    group descends along the preconditioned force with a shrinking cap, which cannot fail for ever on a
    smooth function. Pairs without positive curvature are not stored. Two such steps in a row are enough for a group
    to go on without its model Hessian.

    history   pairs kept
    max_step  largest change of one coordinate (A)
    curvature model curvature along the preconditioned force before the first pair is known (eV/A^2)
    patience  overshoots in a row before the history is dropped
    """

    history: int = 20
    max_step: float = 0.2
    curvature: float = UNIT_STIFFNESS_EV_PER_A2
    patience: int = 3

    def init(self, groups: Groups) -> Memory:
        """No history."""
        d, g, m = len(groups.of), groups.count, self.history
        return {
            "s": np.zeros((m, d)),
            "y": np.zeros((m, d)),
            "rho": np.zeros((m, g)),
            "slot": np.zeros(1, dtype=np.int64),
            "x": np.zeros(d),
            "force": np.zeros(d),
            "known": np.zeros(g, dtype=bool),
            "cap": np.full(g, self.max_step),
            "curvature": np.full(g, self.curvature),
            "overshoots": np.zeros(g, dtype=np.int64),
            "plain": np.zeros(g, dtype=bool),
        }

    def step(self, memory: Memory, groups: Groups, push: Push) -> tuple[Memory, Floats]:
        """Learn from the last step, take it back where it overshot, propose the next."""
        new = _forgotten(memory, push.fresh & push.active)
        push = trusted(push, groups, memory["plain"])
        back, length = self._learn(new, groups, push)
        self._adapt(new, back, length, push.active)
        push = self._without_model(new, groups, push)
        on = groups.spread(push.active)
        keep = groups.spread(back) | ~on
        new["x"] = np.where(keep, new["x"], push.x)
        new["force"] = np.where(keep, new["force"], push.force)
        new["known"] = new["known"] | push.active
        new["slot"] = (new["slot"] + 1) % self.history
        change = self._direction(new, groups, push)
        scale = np.minimum(1.0, new["cap"] / np.maximum(groups.largest(change), 1e-300))
        return new, np.where(on, new["x"] + groups.spread(scale) * change, push.x)

    def _learn(self, new: Memory, groups: Groups, push: Push) -> tuple[np.ndarray, Floats]:
        """Store the last pair; return which groups overshot, and how far the last step went."""
        s, y = push.x - new["x"], new["force"] - push.force
        sy, ss, yy = groups.dot(s, y), groups.dot(s, s), groups.dot(y, y)
        judged = new["known"] & push.active & (ss > 0)
        good = judged & (sy > 1e-6 * np.sqrt(ss * yy)) & (yy > 0)
        slot = int(new["slot"][0])
        on = groups.spread(good)
        new["s"], new["y"], new["rho"] = new["s"].copy(), new["y"].copy(), new["rho"].copy()
        new["s"][slot], new["y"][slot] = np.where(on, s, 0.0), np.where(on, y, 0.0)
        new["rho"][slot] = np.where(good, 1.0 / np.where(good, sy, 1.0), 0.0)
        stiff = groups.dot(y, push.metric(y)) / np.where(good, sy, 1.0)
        new["curvature"] = np.where(good, stiff, new["curvature"])
        work = groups.dot(s, new["force"] + push.force)
        return judged & (work < 0), groups.largest(s)

    def _adapt(self, new: Memory, back: np.ndarray, length: Floats, active: np.ndarray) -> None:
        grown = np.minimum(2.0 * new["cap"], self.max_step)
        cap = np.where(back, 0.5 * np.minimum(length, new["cap"]), grown)
        new["cap"] = np.where(active, cap, new["cap"])
        new["overshoots"] = np.where(active, np.where(back, new["overshoots"] + 1, 0), new["overshoots"])
        lost = active & (new["overshoots"] >= self.patience)
        new["rho"] = np.where(lost[None, :], 0.0, new["rho"])

    def _without_model(self, new: Memory, groups: Groups, push: Push) -> Push:
        """Groups whose steps were rejected twice in a row leave the model Hessian and what was learned on it."""
        if push.metric is identity:
            return push
        lost = push.active & (new["overshoots"] >= REJECTIONS) & ~new["plain"]
        new["plain"] = new["plain"] | lost
        new["rho"] = np.where(lost[None, :], 0.0, new["rho"])
        new["curvature"] = np.where(lost, self.curvature, new["curvature"])
        return trusted(push, groups, new["plain"])

    def _direction(self, new: Memory, groups: Groups, push: Push) -> Floats:
        """Two-loop recursion; the preconditioned force where the result does not descend."""
        force = new["force"]
        q = force.copy()
        order = [(int(new["slot"][0]) + k) % self.history for k in range(self.history)]
        used = [k for k in order if np.any(new["rho"][k] != 0.0)]
        alphas = {}
        for k in reversed(used):
            alphas[k] = new["rho"][k] * groups.dot(new["s"][k], q)
            q -= groups.spread(alphas[k]) * new["y"][k]
        q = push.metric(q) / groups.spread(new["curvature"])
        for k in used:
            beta = new["rho"][k] * groups.dot(new["y"][k], q)
            q += groups.spread(alphas[k] - beta) * new["s"][k]
        size = np.sqrt(groups.dot(q, q) * groups.dot(force, force))
        lost = groups.dot(q, force) <= 1e-4 * size
        new["rho"] = np.where(lost[None, :], 0.0, new["rho"])
        plain = push.metric(force) / groups.spread(new["curvature"])
        return np.where(groups.spread(lost), plain, q)


def _forgotten(memory: Memory, which: np.ndarray) -> Memory:
    new = dict(memory)
    new["known"] = memory["known"] & ~which
    new["rho"] = np.where(which[None, :], 0.0, memory["rho"])
    return new
