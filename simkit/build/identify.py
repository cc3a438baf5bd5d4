"""The inverse map: coordinates -> slabs (z, s), galleries and how well the letters are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.layering import Layering, find_layers
from simkit.build.plane import LETTER
from simkit.build.recognise import decorations, is_mixed
from simkit.build.stacking import Slab, Stack
from simkit.errors import InputError
from simkit.structure import Structure, require_structure

MINIMUM_ORDER = 0.5
"""Below this order parameter a slab is neither of the two octahedral ones."""
HALF_REACH = 0.23
"""A gallery between slabs of opposite sense is T2 where it is this near to half-way from O2u to O2l, letters."""
HALVES = np.array([[0.5, 0.0], [0.0, 0.5], [0.5, 0.5]])


@dataclass(frozen=True, eq=False)
class Classification:
    """What `classify` read from the coordinates.

    stack             the slabs and the shear
    order_parameter   (N,) 0 to 1, how well each slab's three layers keep their letters
    deviation         (N,) displacement of each gallery from its nearest letter, in letters (-0.5 to 0.5; 0.5 in T2)
    drift_A           (N, 3) in-plane displacement of the slab above each gallery from where its letter puts it, A
    layering          slab_of, gallery_of, level, images of every atom
    primitive         (2, 3) A, vectors of the primitive in-plane cell
    origins_A         (N, 3) in-plane position of letter A as each slab sees it
    decorated         (N) "spinel" or "rock-salt" and the share of each gallery that it takes, ("", 0.0) where none
    mixed             metals and alkali ions share slabs and galleries alike: the stack is that of the anions alone,
                      as where the third vector crosses the slabs of a twin that is not basal
    """

    stack: Stack
    order_parameter: Floats
    deviation: Floats
    layering: Layering
    primitive: Floats
    origins_A: Floats
    height_A: float
    drift_A: Floats
    decorated: tuple[tuple[str, float], ...] = ()
    mixed: bool = False

    @property
    def slabs(self) -> tuple[Slab, ...]:
        """The slabs from below."""
        return self.stack.slabs

    @property
    def fractions(self) -> dict[str, float]:
        """Share of the galleries by kind: their names, and "spinel" or "rock-salt" where metals lie between slabs."""
        total: dict[str, float] = {}
        for gap, (kind, share) in zip(self.stack.gaps(), self.decorated, strict=True):
            for name, part in ((gap, 1.0 - share), (kind, share)):
                if part > 0.0:
                    total[name] = total.get(name, 0.0) + part / len(self.stack)
        return total

    @property
    def slab_of(self) -> Integers:
        """(n,) slab of each metal or anion, -1 for gallery ions."""
        return self.layering.slab_of

    @property
    def gallery_of(self) -> Integers:
        """(n,) gallery of each ion, -1 for slab atoms."""
        return self.layering.gallery_of

    @property
    def a_A(self) -> float:
        """Lattice parameter of the hexagonal cell of the same in-plane area, A."""
        return math.sqrt(np.linalg.norm(np.cross(*self.primitive)) / math.sqrt(0.75))

    @property
    def thicknesses_A(self) -> Floats:
        """(N,) distance between the two anion layers of each slab, A."""
        return self.layering.heights_A[:, 2] - self.layering.heights_A[:, 0]

    @property
    def gallery_heights_A(self) -> Floats:
        """(N,) distance between the anion layers that face each gallery, A."""
        lower = np.append(self.layering.heights_A[1:, 0], self.layering.heights_A[0, 0] + self.height_A)
        return lower - self.layering.heights_A[:, 2]


def classify(structure: Structure) -> Classification:
    """Stacking of a layered structure from coordinates alone.

    With G one of b1, -b2, b2 - b1 of the primitive in-plane cell, psi(G) = <exp(i G r)> of a layer carries
    letter n as exp(2 pi i n / 3); the three G together cancel uniform noise to first order. Works in any
    in-plane supercell, sheared or wrapped cell and at any origin. The first two cell vectors must lie in
    the layer plane. Slab 0 is the lowest in the cell, or the one `structure.layers` calls 0.

    Raises InputError where the structure is not a stack of octahedral MO2 slabs.
    """
    require_structure(structure)
    layering = find_layers(structure)
    frame = plane_frame(structure.cell)
    flat = (structure.positions + layering.images[:, None] * structure.cell[2]) @ frame[:2].T
    plane = structure.cell[:2] @ frame[:2].T
    primitive = _primitive(plane, flat, layering)
    senses, order, slabs = _senses(_waves(primitive, flat, layering))
    if order.min() < MINIMUM_ORDER:
        raise InputError(
            f"slab {int(order.argmin())} keeps no octahedral stacking (order parameter {order.min():.2f}, "
            f"at least {MINIMUM_ORDER} is needed): the structure is not layered or too disordered."
        )
    third = structure.cell[2] @ frame[:2].T
    turned = _turned(primitive, slabs, third, senses)
    if turned is not primitive:
        primitive = turned
        _, _, slabs = _senses(_waves(primitive, flat, layering))
    steps, deviation, drift = _steps(primitive, slabs, third, senses)
    first = round(float(np.angle(slabs[:, 0].sum()) * 3 / (2 * np.pi)))
    letters = np.concatenate([[0], np.cumsum(steps)]) + first
    stack = Stack(
        tuple(Slab(float(z) % 3, int(s)) for z, s in zip(letters[:-1], senses, strict=True)),
        float(letters[-1] - letters[0]) % 3,
    )
    origins = _origins(slabs, letters[:-1], primitive) @ frame[:2]
    height = float(structure.cell[2] @ frame[2])
    found = Classification(
        stack, order, deviation, layering, primitive @ frame[:2], origins, height, drift @ primitive @ frame[:2]
    )
    return replace(found, decorated=decorations(structure, found), mixed=is_mixed(structure, found))


def _moves(primitive: Floats, slabs: np.ndarray, third: Floats) -> tuple[np.ndarray, Floats]:
    """(3, N) wave of each slab above over that of the slab below, and the (N, 2) fractional displacement."""
    image = slabs[:, :1] * _phase(primitive, third)[:, None]
    moves = np.concatenate([slabs[:, 1:], image], axis=1) * slabs.conj()
    return moves, np.stack([np.angle(moves[0]), -np.angle(moves[1])], axis=1) / (2 * np.pi)


def _half_misses(primitive: Floats, shift: Floats, senses: Integers) -> Floats:
    """(N, 3) letters from a half-way place (T2), along each lattice direction; infinite between equal senses."""
    steps = shift[:, None] - HALVES
    steps -= np.round(steps)
    misses = np.linalg.norm(steps @ primitive, axis=-1) / np.linalg.norm(LETTER @ primitive)
    return np.where((senses == np.roll(senses, -1))[:, None], np.inf, misses)


def _turned(primitive: Floats, slabs: np.ndarray, third: Floats, senses: Integers) -> Floats:
    """The primitive cell, turned by 120 degrees where that puts half-way galleries half of its first vector off."""
    misses = _half_misses(primitive, _moves(primitive, slabs, third)[1], senses)
    counts = (misses < HALF_REACH).sum(axis=0)
    a1, a2 = primitive
    return (primitive, np.array([a2, -a1 - a2]), np.array([-a1 - a2, a1]))[int(np.argmax(counts))]


def _steps(primitive: Floats, slabs: np.ndarray, third: Floats, senses: Integers) -> tuple[Floats, Floats, Floats]:
    """Letters by which each slab above is displaced, deviation from them, and fractional drift from their place."""
    moves, shift = _moves(primitive, slabs, third)
    exact = np.angle(moves.sum(axis=0)) * 3 / (2 * np.pi)
    misses = _half_misses(primitive, shift, senses).min(axis=1)
    half = misses < HALF_REACH
    steps = np.where(half, 1.5 * senses, np.round(exact))
    drift = shift - steps[:, None] * LETTER
    drift -= np.round(drift)
    return steps, np.where(half, 0.5 - np.where(half, misses, 0.0), exact - steps), drift


def plane_frame(cell: Floats) -> Floats:
    """(3, 3) orthonormal rows: along the first cell vector, in plane across it, along the normal."""
    x = cell[0] / np.linalg.norm(cell[0])
    z = np.cross(cell[0], cell[1])
    z = z / np.linalg.norm(z)
    return np.array([x, np.cross(z, x), z])


def stars(primitive: Floats) -> Floats:
    """(3, 2) reciprocal vectors b1, -b2, b2 - b1 (without 2 pi)."""
    b1, b2 = np.linalg.inv(primitive).T
    return np.array([b1, -b2, b2 - b1])


def _phase(primitive: Floats, vector: Floats) -> np.ndarray:
    return np.exp(2j * np.pi * stars(primitive) @ vector)


def _waves(primitive: Floats, flat: Floats, layering: Layering) -> np.ndarray:
    """(3 G, N slabs, 3 levels) mean wave of every layer."""
    inside = layering.lettered
    layer = layering.slab_of[inside] * 3 + layering.level[inside]
    waves = np.exp(2j * np.pi * stars(primitive) @ flat[inside].T)
    size = 3 * len(layering)
    number = np.bincount(layer, minlength=size)
    parts = [np.bincount(layer, w.real, size) + 1j * np.bincount(layer, w.imag, size) for w in waves]
    return (np.array(parts) / number).reshape(3, len(layering), 3)


def _senses(waves: np.ndarray) -> tuple[Integers, Floats, np.ndarray]:
    """Sense and order parameter of every slab, and its wave with the layer offsets taken out."""
    turn = np.exp(-2j * np.pi / 3 * np.array([[1, 0, -1], [-1, 0, 1]]))
    sums = np.einsum("gnl,sl->sgn", waves, turn) / 3
    order = np.sqrt((np.abs(sums) ** 2).mean(axis=1))
    best = np.argmax(order, axis=0)
    n = np.arange(order.shape[1])
    return np.where(best == 0, 1, -1), order[best, n], sums[best, :, n].T


def _origins(slabs: np.ndarray, letters: Integers, primitive: Floats) -> Floats:
    across = np.where(letters == np.round(letters), letters, -2.0 * letters)
    u = np.angle(slabs[0] * np.exp(-2j * np.pi / 3 * letters))
    v = -np.angle(slabs[1] * np.exp(-2j * np.pi / 3 * across))
    return np.stack([u, v], axis=1) / (2 * np.pi) @ primitive


def _primitive(plane: Floats, flat: Floats, layering: Layering) -> Floats:
    """(2, 2) primitive hexagonal vectors: of all superlattices of the right area, the one the layers follow."""
    candidates = superlattices(plane, layering.sites)
    if len(candidates) == 0:
        raise InputError(
            f"not layered: no close-packed lattice with {layering.sites} cells per layer fits the in-plane cell; "
            "the layers are not hexagonal or the first two cell vectors do not lie in them."
        )
    scores = [np.abs(_waves(c, flat, layering)).mean() for c in candidates]
    return candidates[int(np.argmax(np.round(scores, 6)))]


def superlattices(plane: Floats, index: int) -> list[Floats]:
    """Every roughly hexagonal lattice, (2, 2) A, of which the plane's two vectors span `index` cells."""
    rows = [(p, q) for p in range(1, index + 1) if index % p == 0 for q in range(index // p)]
    p, q = np.array(rows).T
    u = plane[0] / p[:, None]
    v = (plane[1] - q[:, None] * u) * (p / index)[:, None]
    u, v = _reduced(u, v)
    uu, vv, uv = (u * u).sum(1), (v * v).sum(1), (u * v).sum(1)
    hexagonal = (vv < 1.5 * uu) & (np.abs(uv) > 0.3 * uu)
    return [_oriented(a, b) for a, b in zip(u[hexagonal], v[hexagonal], strict=True)]


def _reduced(u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Gauss reduction of many two-dimensional bases at once."""
    for _ in range(64):
        swap = ((u * u).sum(1) > (v * v).sum(1))[:, None]
        u, v = np.where(swap, v, u), np.where(swap, u, v)
        turns = np.round((u * v).sum(1) / (u * u).sum(1))
        if not turns.any():
            break
        v = v - turns[:, None] * u
    return u, v


def _oriented(u: Floats, v: Floats) -> Floats:
    """The pair of nearest lattice vectors at 120 degrees whose first lies between -45 and 15 degrees of x."""
    w = u + v if u @ v < 0 else u - v
    shell = np.array([u, v, w, -u, -v, -w])
    angle = np.arctan2(shell[:, 1], shell[:, 0])
    first = np.argmin(np.abs(_turn(angle + math.radians(15.0))))
    second = np.argmin(np.abs(_turn(angle - angle[first] - 2 * math.pi / 3)))
    return shell[[first, second]]


def _turn(angle: Floats) -> Floats:
    return (angle + math.pi) % (2 * math.pi) - math.pi
