"""FIRE 2.0: damped dynamics that turns round whenever it runs uphill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.solve.groups import Groups
from simkit.solve.stepper import Memory, Push, Stepper


@dataclass(frozen=True)
class Fire(Stepper):
    """FIRE 2.0 (Guenole et al., Comput. Mater. Sci. 175, 109584, 2020), semi-implicit Euler, unit masses.

    The power P = f.v decides per group: P > 0 for `patience` steps lengthens the time step by `grow` and
    weakens the steering by `fade`; P <= 0 halves the time step, steps back half a step and stops.
    max_step is the largest change of one coordinate. Ignores the preconditioner.

    unbiased: ABC-FIRE (Echeverri Restrepo and Andric, Comput. Mater. Sci. 218, 111978, 2023). The steered velocity
    is a running mean that begins at zero; it is divided by the weight 1 - (1 - steer)^n that the n steps since the
    last stop have given it.
    """

    dt: float = 0.1
    dt_max: float = 1.0
    dt_min: float = 2e-3
    max_step: float = 0.2
    patience: int = 20
    grow: float = 1.1
    shrink: float = 0.5
    steer: float = 0.25
    fade: float = 0.99
    unbiased: bool = False

    def init(self, groups: Groups) -> Memory:
        """At rest."""
        return {
            "velocity": np.zeros(len(groups.of)),
            "dt": np.full(groups.count, self.dt),
            "steer": np.full(groups.count, self.steer),
            "downhill": np.zeros(groups.count, dtype=np.int64),
        }

    def step(self, memory: Memory, groups: Groups, push: Push) -> tuple[Memory, Floats]:
        """One step of damped dynamics."""
        v, force = memory["velocity"], push.force
        down = groups.dot(force, v) > 0
        count = np.where(down, memory["downhill"] + 1, 0)
        late = count > self.patience
        dt = np.where(late, np.minimum(memory["dt"] * self.grow, self.dt_max), memory["dt"])
        dt = np.where(down, dt, np.maximum(dt * self.shrink, self.dt_min))
        moving = groups.dot(v, v) > 0
        dt = np.where(moving, dt, memory["dt"])
        steer = np.where(late, memory["steer"] * self.fade, np.where(down, memory["steer"], self.steer))
        back = np.where(groups.spread(down), 0.0, -0.5 * groups.spread(dt) * v)
        v = np.where(groups.spread(down), v, 0.0) + groups.spread(dt) * force
        v = self._steered(v, force, groups, (steer, count))
        change = groups.spread(dt) * v
        scale = np.minimum(1.0, self.max_step / np.maximum(groups.largest(change), 1e-300))
        on = groups.spread(push.active)
        new = {
            "velocity": np.where(on, v, memory["velocity"]),
            "dt": np.where(push.active, dt, memory["dt"]),
            "steer": np.where(push.active, steer, memory["steer"]),
            "downhill": np.where(push.active, count, memory["downhill"]),
        }
        return new, np.where(on, push.x + back + groups.spread(scale) * change, push.x)

    def _steered(self, v: Floats, force: Floats, groups: Groups, steering: tuple[Floats, np.ndarray]) -> Floats:
        """The velocity turned towards the force by the share `steer`, its length kept or freed of the bias."""
        steer, count = steering
        speed, strength = np.sqrt(groups.dot(v, v)), np.sqrt(groups.dot(force, force))
        ratio = steer * speed / np.maximum(strength, 1e-300)
        turned = groups.spread(1.0 - steer) * v + groups.spread(ratio) * force
        if not self.unbiased:
            return turned
        return turned / groups.spread(1.0 - (1.0 - np.maximum(steer, 1e-10)) ** (count + 1))
