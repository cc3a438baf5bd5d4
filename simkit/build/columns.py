"""Stacking read in columns across the layer plane: domains, boundaries and slips of cells joined laterally."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_number
from simkit.build.column_waves import best_lattice, column_senses, continuous, relative, shortest, weights
from simkit.build.identify import plane_frame, stars
from simkit.build.layering import Layering, find_layers
from simkit.build.polytypes import PHASES
from simkit.build.stacking import GAP_NAMES, gap_name, same_cyclic
from simkit.errors import InputError
from simkit.structure import Structure, require_structure

WINDOW_A = 6.0
"""Full width at half height of the Gaussian window of a column, A: about three rows."""
ROW = 0.866
"""Spacing of close-packed rows over the lattice parameter, sqrt(3) / 2 rounded down: the narrowest window."""
STEP_A = 1.5
"""Largest distance between the centres of neighbouring columns, A."""
SHORTEST_A = 5.0
"""A run of columns with the same galleries counts as a domain when it is at least this long, A."""
METAL_LEVEL = 1
KEPT = 0.7
"""Order parameter in its middle from which a run is a domain; noise of 0.2 A
along each axis leaves exp(-G^2 u^2 / 2) = 0.88, G = 4 pi / (sqrt(3) a)."""


@dataclass(frozen=True)
class Domain:
    """A run of columns with the same galleries and senses: from start_A to end_A along the normal, A.

    The end may lie beyond the period, the start before zero. A phase and its twin differ by their senses alone.
    """

    start_A: float
    end_A: float
    gaps: tuple[str, ...]
    senses: tuple[int, ...]

    @property
    def length_A(self) -> float:
        """Length along the normal, A."""
        return self.end_A - self.start_A

    @property
    def middle_A(self) -> float:
        """Coordinate of the middle along the normal, A."""
        return 0.5 * (self.start_A + self.end_A)


@dataclass(frozen=True, eq=False)
class Columns:
    """What `classify_columns` read: C columns of a period `length_A` along the normal, N slabs.

    normal           "a" or "b", the cell vector along which the columns follow one another
    centres_A        (C,) coordinate of each column along the normal
    gaps             (C) gap names of each column, gallery j above slab j
    senses           (C, N) +1 or -1
    order_parameter  (C, N) 0 to 1, how well each slab keeps its letters there
    registry         (C, N, 2) A, in-plane vector from the metals of slab j to those of slab j + 1, continuous along
                     the normal from its shortest value in column 0; x along the first cell vector
    a_A              lattice parameter of the mean hexagonal cell
    primitive        (2, 2) A, its in-plane vectors
    """

    normal: str
    length_A: float
    centres_A: Floats
    gaps: tuple[tuple[str, ...], ...]
    senses: Integers
    order_parameter: Floats
    registry: Floats
    a_A: float
    primitive: Floats

    @property
    def registry_A(self) -> Floats:
        """(C, N) shortest distance |TM1 - TM0| between the metal lattices of neighbouring slabs, A."""
        return np.linalg.norm(shortest(self.registry, self.primitive), axis=-1)

    @property
    def fractions(self) -> dict[str, float]:
        """Share of every gallery kind over columns and galleries."""
        counts = Counter(name for column in self.gaps for name in column)
        total = sum(counts.values())
        return {name: n / total for name, n in sorted(counts.items())}

    @property
    def phase_fractions(self) -> dict[str, float]:
        """Share of the columns by phase, "boundary" where the galleries are those of no phase."""
        counts = Counter(phase_of(column) or "boundary" for column in self.gaps)
        return {name: n / len(self.gaps) for name, n in sorted(counts.items())}

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Runs of equal galleries of at least `SHORTEST_A`, along the normal; one without end where all are equal."""
        return _domains(self)

    @property
    def walls_A(self) -> tuple[float, ...]:
        """Coordinates along the normal half-way between one domain and the next, A."""
        runs = self.domains
        if len(runs) < 2:
            return ()
        following = [*runs[1:], runs[0]]
        starts = [
            b.start_A + (self.length_A if b.start_A < a.end_A - 1e-9 else 0.0) for a, b in _pairs(runs, following)
        ]
        return tuple(0.5 * (a.end_A + start) % self.length_A for a, start in zip(runs, starts, strict=True))

    def at(self, x_A: float) -> int:
        """Index of the column nearest to a coordinate along the normal."""
        offset = self.centres_A - x_A
        return int(np.argmin(np.abs(offset - self.length_A * np.round(offset / self.length_A))))

    def burgers(self) -> Floats:
        """(walls, N, 2) A: change of each gallery's registry from the middle of one domain to that of the next."""
        middles = [self.at(domain.middle_A) for domain in self.domains]
        if len(middles) < 2:
            return np.zeros((0, len(self.gaps[0]), 2))
        closing = self._period
        result = []
        for here, there in _pairs(middles, [*middles[1:], middles[0]]):
            turn = closing if there < here else 0.0
            result.append(self.registry[there] + turn - self.registry[here])
        return np.array(result)

    @property
    def _period(self) -> Floats:
        """(N, 2) A: what the registry gains over a whole period, a lattice vector."""
        last = self.registry[-1]
        return shortest(self.registry[0] - last, self.primitive) + last - self.registry[0]


def classify_columns(structure: Structure, normal: str | None = None, window_A: float = WINDOW_A) -> Columns:
    """Stacking of a layered structure in columns along one in-plane cell vector.

    normal    "a" or "b": the cell vector across the boundaries; None: the one along which the registry varies more
    window_A  full width at half height of a column's Gaussian window, A; at least one row spacing sqrt(3) a / 2,
              or a column sees no row at all

    Each layer's waves <exp(i G r)> are taken with the weights of the window, so a column reads like `classify`
    reads a whole cell; strain common to all slabs cancels between neighbouring slabs. Inside a boundary narrower
    than the window the nearest letters are reported and the order parameter drops. Raises InputError where the
    structure is not a stack of slabs of equal size.
    """
    require_structure(structure)
    if normal is not None and normal not in ("a", "b"):
        raise InputError(f"normal = {normal!r}; give 'a', 'b' or None.")
    layering = find_layers(structure)
    frame = plane_frame(structure.cell)[:2]
    per_site = abs(float(np.linalg.det(structure.cell[:2] @ frame.T))) / layering.sites
    window_A = require_number("window_A", window_A, ROW * float(np.sqrt(per_site / np.sqrt(0.75))))
    flat = (structure.positions + layering.images[:, None] * structure.cell[2]) @ frame.T
    plane = structure.cell[:2] @ frame.T
    found = [
        _read(structure, layering, (flat, plane, frame), axis, window_A)
        for axis in ("a", "b")
        if normal in (None, axis)
    ]
    return max(found, key=_variation)


def lateral_domains(structure: Structure) -> Columns | None:
    """The columns of a structure that is not uniform in the layer plane; None where it is.

    Both in-plane vectors are tried. Two domains count when they differ in galleries or senses and keep their
    letters in their middles (`KEPT`); regions that differ in composition alone, and narrower ones, are not seen.
    Raises InputError where the structure is not a stack of slabs.
    """
    found = classify_columns(structure)
    kept = [d for d in found.domains if found.order_parameter[found.at(d.middle_A)].min() >= KEPT]
    return found if len({(d.gaps, d.senses) for d in kept}) > 1 else None


def phase_of(gaps: Sequence[str]) -> str | None:
    """The first phase whose repeated pattern these galleries are (cyclic), None where there is none."""
    fits = (name for name, pattern in PHASES.items() if len(gaps) % len(pattern) == 0)
    return next((name for name in fits if same_cyclic(PHASES[name] * (len(gaps) // len(PHASES[name])), gaps)), None)


def column_problems(found: Columns, wanted: Sequence[Sequence[str]], order_parameter: float = 0.8) -> list[str]:
    """Whether every wanted gallery list (cyclic) is there as a domain whose middle keeps its letters."""
    problems = []
    for gaps in wanted:
        names = [gap_name(name) for name in gaps]
        here = [d for d in found.domains if same_cyclic(names, d.gaps)]
        if not here:
            read = "; ".join(" ".join(d.gaps) for d in found.domains) or "no domain at all"
            problems.append(f"a domain with galleries {' '.join(names)} was wanted, the columns read {read}.")
            continue
        order = max(float(found.order_parameter[found.at(d.middle_A)].min()) for d in here)
        if order < order_parameter:
            problems.append(
                f"the domain with galleries {' '.join(names)} has an order parameter of {order:.2f} in its middle, "
                f"below {order_parameter}."
            )
    return problems


def annihilation_problems(found: Columns, before: Columns, share: float = 0.5) -> list[str]:
    """Galleries whose two boundaries have run together: registry amplitude below a share of what the domains need.

    found   the cell now (relaxed, from dynamics); before  the cell as built
    The amplitude is the largest distance between the registries of any two columns of the same gallery, A.
    """
    if found.registry.shape[1] != before.registry.shape[1]:
        raise InputError(
            f"{found.registry.shape[1]} galleries now, {before.registry.shape[1]} before; compare a cell with itself."
        )
    now, needed = amplitude_A(found), amplitude_A(before)
    return [
        f"gallery {j} keeps {now[j]:.2f} A of the {needed[j]:.2f} A by which its two domains differ, less than "
        f"{100 * share:g} %: its two boundaries annihilated; take longer domains."
        for j in np.flatnonzero((needed > 0.3 * before.a_A) & (now < share * needed))
    ]


def amplitude_A(found: Columns) -> Floats:
    """(N,) largest distance between the registries of two columns of each gallery, A."""
    steps = found.registry[:, None] - found.registry[None]
    return np.linalg.norm(steps, axis=-1).max(axis=(0, 1))


def wall_problems(found: Columns, tolerance_A: float = 0.6) -> list[str]:
    """Boundaries whose measured Burgers vectors, summed over the galleries, do not vanish within a tolerance.

    Where slabs change their sense, or across steps sharper than the window, the registry may be followed wrongly by
    a lattice vector: a flag to look into, not a proof.
    """
    sums = found.burgers().sum(axis=1)
    return [
        f"the Burgers vectors of the boundary at {x:.1f} A sum to ({b[0]:+.2f}, {b[1]:+.2f}) A over the galleries; "
        "they must sum to zero: slabs have slipped out of step with their images."
        for x, b in zip(found.walls_A, sums, strict=True)
        if np.linalg.norm(b) > tolerance_A
    ]


def _pairs(first: Sequence, second: Sequence) -> list[tuple]:
    return list(zip(first, second, strict=True))


def _variation(found: Columns) -> float:
    waves = np.exp(2j * np.pi * found.registry @ np.linalg.inv(found.primitive))
    return float((1.0 - np.abs(waves.mean(axis=0))).sum())


def _read(structure: Structure, layering: Layering, geometry: tuple, axis: str, window_A: float) -> Columns:
    flat, plane, frame = geometry
    k = "ab".index(axis)
    length = abs(float(np.linalg.det(plane))) / float(np.linalg.norm(plane[1 - k]))
    inside = layering.lettered
    layer = layering.slab_of[inside] * 3 + layering.level[inside]
    count = max(4, int(np.ceil(length / STEP_A)))
    shares = weights((flat @ np.linalg.inv(plane))[inside, k], count, window_A / length)
    primitive, waves = best_lattice(plane, flat[inside], (layer, shares, layering))
    senses, order, slabs = column_senses(waves)
    turn = np.exp(2j * np.pi * stars(primitive) @ (structure.cell[2] @ frame.T))[:, None, None]
    steps = relative(slabs, turn)
    letters = np.round(np.angle(steps.sum(axis=0)) * 3 / (2 * np.pi)).astype(np.int64)
    above = np.roll(senses, -1, axis=1)
    gaps = tuple(
        tuple(GAP_NAMES[int(s * t), int(k * s) % 3] for s, t, k in zip(*column, strict=True))
        for column in zip(senses, above, letters, strict=True)
    )
    registry = continuous(relative(waves[..., METAL_LEVEL], turn), primitive)
    a_A = float(np.sqrt(abs(np.linalg.det(primitive)) / np.sqrt(0.75)))
    return Columns(
        axis, length, (np.arange(count) + 0.5) * length / count, gaps, senses, order, registry, a_A, primitive
    )


def _domains(found: Columns) -> tuple[Domain, ...]:
    count, step = len(found.gaps), found.length_A / len(found.gaps)
    keys = [(gaps, tuple(senses.tolist())) for gaps, senses in _pairs(found.gaps, found.senses)]
    changes = [c for c in range(count) if keys[c] != keys[c - 1]]
    if not changes:
        return (Domain(0.0, found.length_A, *keys[0]),)
    ends = [*changes[1:], changes[0] + count]
    runs = [Domain(c * step, end * step, *keys[c]) for c, end in zip(changes, ends, strict=True)]
    return _joined([run for run in runs if run.length_A >= SHORTEST_A], found.length_A)


def _joined(runs: list[Domain], length_A: float) -> tuple[Domain, ...]:
    """Neighbouring runs of the same kind made one (a short disturbance between them is no boundary)."""
    joined: list[Domain] = []
    for run in runs:
        if joined and _alike(joined[-1], run):
            joined[-1] = replace(joined[-1], end_A=run.end_A)
        else:
            joined.append(run)
    if len(joined) > 1 and _alike(joined[0], joined[-1]):
        joined[0] = replace(joined[0], start_A=joined.pop().start_A - length_A)
    return tuple(joined)


def _alike(first: Domain, second: Domain) -> bool:
    return first.gaps == second.gaps and first.senses == second.senses
