"""Potentials whose answers are known on paper: pair laws and external fields, in float64 on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, symmetric
from simkit.elements import SYMBOLS
from simkit.errors import InputError, nearest
from simkit.kernels.neighbours import pairs_within
from simkit.potential.base import Evaluations, Potential
from simkit.potential.card import Card
from simkit.potential.gradient_host import from_pairs
from simkit.structure import Batch

PairLaw = Callable[[Floats, np.ndarray, np.ndarray], tuple[Floats, Floats]]
"""lengths (p,) A and atomic numbers of both ends -> energy (p,) eV and dE/dr (p,) eV/A."""
Field = Callable[[Floats, np.ndarray], tuple[Floats, Floats]]
"""positions (n, 3) A and atomic numbers -> energy (n,) eV and gradient (n, 3) eV/A."""


class PairPotential(Potential):
    """E = sum over pairs closer than the cutoff of law(r); virials go half to each end."""

    def __init__(self, law: PairLaw, cutoff_A: float, card: Card) -> None:
        self.card = card
        self._law = law
        self._cutoff_A = cutoff_A

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        pairs = pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, self._cutoff_A)
        lengths = pairs.lengths
        energy, slope = self._law(lengths, batch.numbers[pairs.first], batch.numbers[pairs.second])
        return from_pairs(energy, (slope / lengths)[:, None] * pairs.vectors, pairs, batch, virials)


class FieldPotential(Potential):
    """E = sum over atoms of field(x): it depends on absolute positions, so it is not translation invariant.

    The stress is the derivative when positions are strained about the origin, sum of gradient (x) x over V;
    it depends on the origin and gives no stress map.
    """

    def __init__(self, field: Field, card: Card) -> None:
        self.card = card
        self._field = field

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        energy, gradient = self._field(batch.positions, batch.numbers)
        w = symmetric(gradient[:, :, None] * batch.positions[:, None, :])
        stress = np.add.reduceat(w, batch.starts[:-1], axis=0) / batch.volumes[:, None, None]
        total = np.add.reduceat(energy, batch.starts[:-1])
        return Evaluations(total, -gradient, stress, None, batch.system_of)


@dataclass(frozen=True)
class LennardJones:
    """4 epsilon [(sigma/r)^12 - (sigma/r)^6] S(r), S the C2 switch from 1 at `inner_A` to 0 at `cutoff_A`."""

    epsilon_eV: float
    sigma_A: float
    inner_A: float
    cutoff_A: float

    def __call__(self, lengths: Floats, _first: np.ndarray, _second: np.ndarray) -> tuple[Floats, Floats]:
        s6 = (self.sigma_A / lengths) ** 6
        energy = 4 * self.epsilon_eV * s6 * (s6 - 1)
        slope = -24 * self.epsilon_eV * s6 * (2 * s6 - 1) / lengths
        return switched(energy, slope, lengths, (self.inner_A, self.cutoff_A))


@dataclass(frozen=True)
class Morse:
    """D [(1 - exp(-a (r - r0)))^2 - 1] S(r), S as for `LennardJones`."""

    depth_eV: float
    width_per_A: float
    rest_A: float
    inner_A: float
    cutoff_A: float

    def __call__(self, lengths: Floats, _first: np.ndarray, _second: np.ndarray) -> tuple[Floats, Floats]:
        x = np.exp(-self.width_per_A * (lengths - self.rest_A))
        energy = self.depth_eV * ((1 - x) ** 2 - 1)
        slope = 2 * self.depth_eV * self.width_per_A * x * (1 - x)
        return switched(energy, slope, lengths, (self.inner_A, self.cutoff_A))


@dataclass(frozen=True)
class Springs:
    """k/2 (r - r0)^2 for every pair closer than the cutoff; r0 is the mean of the two species' rest lengths.

    Meant for one shell of neighbours: the cutoff must lie between the first and the second. Energies jump
    where a pair crosses it.
    """

    stiffness_eV_per_A2: float
    rest_A: Mapping[str, float]

    def __call__(self, lengths: Floats, first: np.ndarray, second: np.ndarray) -> tuple[Floats, Floats]:
        rest = np.full(len(SYMBOLS), np.nan)
        for symbol, value in self.rest_A.items():
            rest[SYMBOLS.index(symbol)] = value
        stretch = lengths - 0.5 * (rest[first] + rest[second])
        return 0.5 * self.stiffness_eV_per_A2 * stretch**2, self.stiffness_eV_per_A2 * stretch


@dataclass(frozen=True)
class DoubleWell:
    """h ((x/d)^2 - 1)^2 + k/2 (y^2 + z^2) for atoms of one element: minima at x = -d, d, saddle h at 0."""

    symbol: str
    barrier_eV: float
    distance_A: float
    stiffness_eV_per_A2: float

    def __call__(self, positions: Floats, numbers: np.ndarray) -> tuple[Floats, Floats]:
        feels = numbers == SYMBOLS.index(self.symbol)
        u = positions[:, 0] / self.distance_A
        energy = self.barrier_eV * (u**2 - 1) ** 2
        energy += 0.5 * self.stiffness_eV_per_A2 * (positions[:, 1:] ** 2).sum(axis=1)
        gradient = self.stiffness_eV_per_A2 * positions
        gradient[:, 0] = 4 * self.barrier_eV * u * (u**2 - 1) / self.distance_A
        return np.where(feels, energy, 0.0), np.where(feels[:, None], gradient, 0.0)


def switched(energy: Floats, slope: Floats, lengths: Floats, between: tuple[float, float]) -> tuple[Floats, Floats]:
    """Energy and slope times the switch 1 - 10 t^3 + 15 t^4 - 6 t^5, t from 0 at inner to 1 at the cutoff."""
    inner, outer = between
    t = np.clip((lengths - inner) / (outer - inner), 0.0, 1.0)
    switch = 1 - t**3 * (10 - 15 * t + 6 * t**2)
    steepness = -30 * t**2 * (1 - t) ** 2 / (outer - inner)
    return energy * switch, slope * switch + energy * steepness


def lennard_jones(
    epsilon_eV: float = 0.0104, sigma_A: float = 3.40, cutoff_A: float = 8.5, inner_A: float | None = None
) -> PairPotential:
    """Lennard-Jones for any element, smooth to second order at the cutoff; the defaults are near argon.

    Raises InputError unless 0 < inner_A < cutoff_A (default 0.8 of the cutoff) and sigma_A > 0.
    """
    inner = 0.8 * cutoff_A if inner_A is None else inner_A
    positive(sigma_A=sigma_A, inner_A=inner, beyond_inner_A=cutoff_A - inner)
    law = LennardJones(epsilon_eV, sigma_A, inner, cutoff_A)
    summary = f"Lennard-Jones pairs, epsilon {epsilon_eV} eV, sigma {sigma_A} A"
    return PairPotential(law, cutoff_A, analytic_card("lj", summary, cutoff_A))


def morse(
    depth_eV: float = 0.35, width_per_A: float = 1.4, rest_A: float = 2.87, cutoff_A: float = 7.0
) -> PairPotential:
    """Morse pairs for any element, switched off smoothly over the last fifth of the cutoff.

    Raises InputError unless depth, width, rest length and cutoff are positive.
    """
    positive(depth_eV=depth_eV, width_per_A=width_per_A, rest_A=rest_A, cutoff_A=cutoff_A)
    law = Morse(depth_eV, width_per_A, rest_A, 0.8 * cutoff_A, cutoff_A)
    return PairPotential(law, cutoff_A, analytic_card("morse", f"Morse pairs, depth {depth_eV} eV", cutoff_A))


def springs(stiffness_eV_per_A2: float, rest_A: Mapping[str, float], cutoff_A: float) -> PairPotential:
    """Nearest-neighbour springs whose rest length depends on the species at both ends (their mean).

    Two species give two crystals of different natural lattice constant and, per bond, the same stiffness;
    `fcc_spring_stiffness` gives their elastic constants. Raises InputError on unknown elements or
    lengths that are not positive or beyond the cutoff.
    """
    positive(stiffness_eV_per_A2=stiffness_eV_per_A2, cutoff_A=cutoff_A)
    for symbol, rest in rest_A.items():
        if symbol not in SYMBOLS[1:]:
            raise InputError(f"unknown element {symbol!r} in rest_A; {nearest(symbol, SYMBOLS[1:])}")
        if not 0 < rest < cutoff_A:
            raise InputError(f"rest length {rest} A of {symbol} must lie between 0 and the cutoff {cutoff_A} A.")
    card = analytic_card("springs", f"harmonic nearest neighbours, k {stiffness_eV_per_A2} eV/A^2", cutoff_A)
    law = Springs(stiffness_eV_per_A2, dict(rest_A))
    return PairPotential(law, cutoff_A, Card(**{**card.__dict__, "elements": tuple(rest_A)}))


def fcc_spring_stiffness(stiffness_eV_per_A2: float, rest_A: float) -> tuple[float, float, float]:
    """C11 = sqrt(2) k/r0, C12 = C44 = k/(sqrt(2) r0) in eV/A^3 of fcc with nearest-neighbour springs at rest.

    Born and Huang: C_ijkl = (k r0^2 / 2 Omega) sum over neighbours of n_i n_j n_k n_l, Omega = r0^3 / sqrt(2).
    """
    shear = stiffness_eV_per_A2 / (np.sqrt(2) * rest_A)
    return float(2 * shear), float(shear), float(shear)


def double_well(symbol: str, barrier_eV: float, distance_A: float, stiffness_eV_per_A2: float = 1.0) -> FieldPotential:
    """External double well along x through the origin, for atoms of one element; other atoms feel nothing.

    The barrier is `barrier_eV` between x = -distance and +distance. Not translation invariant. Raises
    InputError on an unknown element or parameters that are not positive.
    """
    if symbol not in SYMBOLS[1:]:
        raise InputError(f"unknown element {symbol!r}; {nearest(symbol, SYMBOLS[1:])}")
    positive(barrier_eV=barrier_eV, distance_A=distance_A, stiffness_eV_per_A2=stiffness_eV_per_A2)
    field = DoubleWell(symbol, barrier_eV, distance_A, stiffness_eV_per_A2)
    card = Card(
        name="double-well",
        kind="analytic",
        summary=f"external double well for {symbol}, barrier {barrier_eV} eV",
        virials=False,
        limits=("Depends on absolute positions: not translation invariant, its stress depends on the origin.",),
    )
    return FieldPotential(field, card)


def positive(**values: float) -> None:
    """Raise InputError naming the first value that is not a positive finite number."""
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise InputError(f"{name} = {value}; it must be a positive finite number.")


def analytic_card(name: str, summary: str, cutoff_A: float) -> Card:
    """Card of a pair law."""
    return Card(
        name=name,
        kind="analytic",
        summary=summary,
        cutoff_A=cutoff_A,
        licence="MIT (part of simkit)",
        limits=("A model with answers known on paper, for tests; it describes no cathode.",),
    )
