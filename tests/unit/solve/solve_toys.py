"""Potentials with answers known on paper, for the tests of the solvers."""

from __future__ import annotations

import numpy as np

from simkit.potential.base import Evaluations, Potential
from simkit.potential.card import Card
from simkit.structure import Structure


def one(*rows, side=10.0):
    """Hydrogen atoms at these positions in a cube."""
    return Structure(np.ones(len(rows), int), np.array(rows, float), np.eye(3) * side)


def _answers(batch, energy, forces):
    total = np.bincount(batch.system_of, energy, len(batch))
    return Evaluations(total, forces, np.zeros((len(batch), 3, 3)), None, batch.system_of)


class Well(Potential):
    """Each atom in h ((x/d)^2 - 1)^2 + tilt x / d + k/2 (y - bend (1 - (x/d)^2))^2 + k/2 z^2.

    Two wells near x = -d and x = d joined by a curved valley whose floor is the first two terms.
    """

    def __init__(self, h=0.4, tilt=0.0, bend=0.5):
        self.card = Card("well", "analytic", "double well")
        self.h, self.tilt, self.bend, self.d, self.k = h, tilt, bend, 1.5, 4.0

    def _compute(self, batch, virials):
        x, y, z = batch.positions.T
        u = x / self.d
        off = y - self.bend * (1 - u**2)
        energy = self.h * (u**2 - 1) ** 2 + self.tilt * u + 0.5 * self.k * (off**2 + z**2)
        gx = (4 * self.h * u * (u**2 - 1) + self.tilt + 2 * self.k * off * self.bend * u) / self.d
        return _answers(batch, energy, -np.column_stack([gx, self.k * off, self.k * z]))

    def stationary(self):
        """Minimum, saddle and minimum of the valley floor in units of d, and their energies."""
        roots = np.sort(np.roots([4 * self.h, 0, -4 * self.h, self.tilt]).real)
        return roots, self.h * (roots**2 - 1) ** 2 + self.tilt * roots

    def place(self, u):
        """Structure at x = u d on the valley floor."""
        return one([u * self.d, self.bend * (1 - u**2), 0.0])


class EggBox(Potential):
    """Each atom in a/2 (3 - cos gx - cos gy - cos gz), g = 2 pi / spacing, plus a spring of no effect.

    Minima on a cubic lattice; every hop to a neighbour costs exactly a.
    """

    def __init__(self, a=0.6, spacing=2.5):
        self.card = Card("eggbox", "analytic", "egg box")
        self.a, self.g = a, 2 * np.pi / spacing

    def _compute(self, batch, virials):
        angle = self.g * batch.positions
        energy = 0.5 * self.a * np.sum(1 - np.cos(angle), axis=1)
        return _answers(batch, energy, -0.5 * self.a * self.g * np.sin(angle))


class Morse(Potential):
    """Pairs d (1 - exp(-b (r - r0)))^2 smoothly cut, over all periodic images within 6 A; with stress."""

    def __init__(self, depth=0.35, b=1.4, r0=2.86, cutoff=6.0):
        self.card = Card("morse", "analytic", "Morse")
        self.depth, self.b, self.r0, self.cutoff = depth, b, r0, cutoff
        self.calls = []

    def _compute(self, batch, virials):
        self.calls.append(len(batch))
        said = [self._one(batch, i) for i in range(len(batch))]
        energy, forces, stress = zip(*said, strict=True)
        return Evaluations(np.array(energy), np.concatenate(forces), np.array(stress), None, batch.system_of)

    def _one(self, batch, system):
        first, last = batch.starts[system : system + 2]
        x, cell = batch.positions[first:last], batch.cells[system]
        height = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        n = np.ceil(self.cutoff / height).astype(int) + 1
        grid = np.stack(np.meshgrid(*[np.arange(-k, k + 1) for k in n], indexing="ij"), -1).reshape(-1, 3)
        r = x[None, :, None] + (grid @ cell)[None, None] - x[:, None, None]
        d = np.linalg.norm(r, axis=-1)
        i, j, s = np.nonzero((d < self.cutoff) & (d > 1e-9))
        r, d = r[i, j, s], d[i, j, s]
        e = np.exp(-self.b * (d - self.r0))
        t = 1 - (d / self.cutoff) ** 2
        well, slope = e * e - 2 * e, -2 * self.b * (e * e - e)
        energy = 0.5 * self.depth * np.sum(well * t**3)
        pull = self.depth * (slope * t**3 + well * 3 * t**2 * (-2 * d / self.cutoff**2))
        vector = (pull / d)[:, None] * r
        forces = np.zeros_like(x)
        np.add.at(forces, i, vector)
        stress = 0.5 * np.einsum("pa,pb->ab", vector, r) / np.linalg.det(cell)
        return energy, forces, stress


class Broken(Potential):
    """Another potential that says nan (or worse) of every structure holding a given element, after some calls."""

    def __init__(self, inner, number, after, how="nan"):
        self.card = inner.card
        self.inner, self.number, self.after, self.how = inner, number, after, how
        self.calls = 0

    def _compute(self, batch, virials):
        e = self.inner.evaluate_batch(batch)
        energy, forces, stress = e.energy.copy(), e.forces.copy(), e.stress.copy()
        ill = np.bincount(batch.system_of, batch.numbers == self.number, len(batch)) > 0
        if self.calls >= self.after:
            if self.how == "nan":
                forces[np.flatnonzero(ill[batch.system_of])[:1]] = np.nan
            if self.how == "energy":
                energy[ill] += 1e4
            if self.how == "force":
                forces[ill[batch.system_of]] *= 1e8
        self.calls += 1
        return Evaluations(energy, forces, stress, None, batch.system_of)


A0 = 3.95


def fcc(n=2, a=A0, rattle=0.0, seed=0, number=13):
    """n x n x n cubic cells of an fcc crystal, every atom displaced by normal noise (A)."""
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * a
    s = Structure(np.full(4, number), base, np.eye(3) * a).repeated(n, n, n)
    return s.moved_to(s.positions + np.random.default_rng(seed).normal(0, 1, (len(s), 3)) * rattle)
