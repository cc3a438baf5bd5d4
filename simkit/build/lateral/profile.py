"""The step that turns the left phase into the right one along the boundary normal, and back across the period."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf

from simkit.arrays import Floats

IMAGES = np.arange(-2, 3)
"""Periods whose boundaries are summed: with a width below the domain lengths the next is below 1e-12."""
ON_EDGE_A = 1e-6
"""Rows this near to an edge lie on it, A."""


@dataclass(frozen=True)
class Profile:
    """Two opposite boundaries in a period: left phase from `start_A` to `turn_A`, right phase up to the next start.

    f(x) = sum over periods of (erf(2 (x - turn) / w) - erf(2 (x - next start) / w)) / 2, 0 in the left and 1 in
    the right domain, steepest slope 2 / (w sqrt(pi)). With an apron d every step is the mean of two, d before and d
    behind the boundary: half of the change on either side, and hardly any at the boundary itself.

    start_A, turn_A, length_A (the period), width_A, apron_A: coordinates along the normal, A
    """

    start_A: float
    turn_A: float
    length_A: float
    width_A: float
    apron_A: float = 0.0

    @property
    def slope_per_A(self) -> float:
        """Steepest slope of one boundary, 1/A."""
        scaled = 2.0 * self.apron_A / self.width_A
        outside, between = 0.5 * (1.0 + math.exp(-4.0 * scaled**2)), math.exp(-(scaled**2))
        return 2.0 / (self.width_A * math.sqrt(math.pi)) * max(outside, between)

    def wrapped(self, x: ArrayLike) -> Floats:
        """Coordinates brought into [start, start + length), a row on the edge going to the side above it."""
        inside = (np.asarray(x, dtype=np.float64) - self.start_A + ON_EDGE_A) % self.length_A
        return inside + self.start_A - ON_EDGE_A

    def step(self, x: ArrayLike) -> Floats:
        """f at coordinates x (A), periodic: 0 deep in the left domain and 1 deep in the right."""
        x = self.wrapped(x)[..., None] - self.length_A * IMAGES
        up, down = x - self.turn_A, x - self.start_A - self.length_A
        return 0.5 * (self._rise(up) - self._rise(down)).sum(axis=-1)

    def ramp(self, x: ArrayLike, at_turn: ArrayLike, at_end: ArrayLike) -> Floats:
        """(n, k) vectors that grow by `at_turn` (k,) across the turn and by `at_end` across the end of the period.

        Zero in the middle of the left domain of this period; smooth steps of the same width as f; x is not wrapped.
        """
        x = np.asarray(x, dtype=np.float64)[..., None] - self.length_A * IMAGES
        before = np.sum(IMAGES < 0)
        rise = 0.5 * (self._rise(x - self.turn_A) + 1.0).sum(axis=-1) - before
        fall = 0.5 * (self._rise(x - self.start_A - self.length_A) + 1.0).sum(axis=-1) - before
        return rise[..., None] * np.asarray(at_turn) + fall[..., None] * np.asarray(at_end)

    def integral(self, x: ArrayLike) -> Floats:
        """Integral of f from the start to x (A), for any x; it grows by the right domain's length per period."""
        turns, inside = np.divmod(np.asarray(x, dtype=np.float64) - self.start_A, self.length_A)
        return turns * (self.length_A - self.turn_A + self.start_A) + self._area(inside) - self._area(0.0)

    def in_left(self, x: ArrayLike) -> np.ndarray:
        """Whether coordinates x (A) lie in the left domain."""
        return self.wrapped(x) < self.turn_A - ON_EDGE_A

    def distance_A(self, x: ArrayLike) -> Floats:
        """Distance of coordinates x (A) to the nearest boundary, A."""
        x = self.wrapped(x)[..., None]
        edges = np.array([self.start_A, self.turn_A, self.start_A + self.length_A])
        return np.abs(x - edges).min(axis=-1)

    def _area(self, inside: ArrayLike) -> Floats:
        x = np.asarray(inside, dtype=np.float64)[..., None] + self.start_A - self.length_A * IMAGES
        up, down = x - self.turn_A, x - self.start_A - self.length_A
        return 0.5 * (self._primitive(up) - self._primitive(down)).sum(axis=-1)

    def _rise(self, x: Floats) -> Floats:
        """From -1 to 1 across the origin."""
        return 0.5 * sum(erf(2.0 * (x + d) / self.width_A) for d in (-self.apron_A, self.apron_A))

    def _primitive(self, x: Floats) -> Floats:
        """Antiderivative of `_rise`."""
        root = math.sqrt(math.pi)
        parts = [(x + d, 2.0 * (x + d) / self.width_A) for d in (-self.apron_A, self.apron_A)]
        return 0.5 * sum(y * erf(t) + 0.5 * self.width_A / root * np.exp(-(t**2)) for y, t in parts)
