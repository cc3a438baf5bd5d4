"""What gliding can do to a stack: the cheapest move of every slab, and the fewest moves between two stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_kind, require_number
from simkit.build.stacking import RULES, Interlock, Stack
from simkit.errors import InputError


@dataclass(frozen=True)
class Move:
    """The cheapest glide of one slab: g letters, galleries below and above before and after, energy change."""

    slab: int
    g: float
    before: tuple[str, str]
    after: tuple[str, str]
    energy: float


@dataclass(frozen=True)
class Moves:
    """The fewest slab glides that turn one stack into another.

    slabs      (slab, g) of each slab that glides by g = +1 or -1 letter (one Shockley partial)
    galleries  numbers of the galleries that change their kind
    first      slab of the second stack that slab 0 of the first becomes
    shear      letters by which the third cell vector must shear, 0, 1 or 2
    """

    slabs: tuple[tuple[int, int], ...]
    galleries: tuple[int, ...]
    first: int
    shear: float


def interlock_scores(stack: Stack, energies: Mapping[str, float]) -> tuple[Move, ...]:
    """For every slab the glide that raises the sum of the energies of its two galleries least.

    energies  gallery name -> energy, in one unit per gallery (O2 stands for O2u and O2l). Galleries half-way between
              two letters ("P2/O2u") count only where they are named
    A gallery-additive model: a positive score says that the slab is locked by its neighbours. Raises InputError
    where a gallery that occurs has no energy, and for a slab that can glide to half-way galleries only.
    """
    table = _energies(stack, energies)
    found: dict[int, list[Interlock]] = {j: [] for j in range(len(stack))}
    for row in stack.interlock_table():
        if all(name in RULES or name in table for name in row.after):
            found[row.slab].append(row)
    needed = {name for rows in found.values() for row in rows for name in (*row.before, *row.after)}
    missing = sorted((needed | set(stack.gaps())) - set(table))
    if missing:
        raise InputError(f"no energy for galleries {', '.join(missing)}; gliding makes them here, give their energies.")
    return tuple(_cheapest(stack, j, rows, table) for j, rows in found.items())


def minimal_moves(start: Stack, end: Stack) -> Moves:
    """The fewest glides of single slabs between two stacks of equal length, whatever the origin of the second.

    Raises InputError where no glide can do it: gliding never changes the sense of a slab.
    """
    found = moves_between(start, end)
    if found is None:
        raise InputError(
            f"no gliding turns {start} ({start.sense_class()}) into {end} ({end.sense_class()}): at least "
            f"{fewest_flips(start, end)} of {len(start)} slabs would have to change their sense, or half a letter is "
            "left over."
        )
    return found


def moves_between(start: Stack, end: Stack) -> Moves | None:
    """`minimal_moves`, or None where gliding cannot do it. Raises InputError for stacks of unequal length."""
    flips = _unlike(start, end)
    n = len(start)
    letters = np.array([slab.z for slab in start.slabs])
    there = np.array([slab.z for slab in end.slabs])
    there = np.concatenate([there, there + end.shear])
    best: tuple[int, int, Floats] | None = None
    for first in np.flatnonzero(flips == 0).tolist():
        for g in range(3):
            steps = (there[first : first + n] - letters - g) % 3
            count = int(np.count_nonzero(steps))
            if np.all(steps % 1 == 0) and (best is None or count < best[0]):
                best = count, first, steps
    if best is None:
        return None
    _, first, steps = best
    slabs = tuple((int(j), 1 if steps[j] == 1 else -1) for j in np.flatnonzero(steps))
    before, after = start.gaps(), end.gaps()
    galleries = tuple(j for j in range(n) if before[j] != after[(j + first) % n])
    return Moves(slabs, galleries, first, (end.shear - start.shear) % 3)


def fewest_flips(start: Stack, end: Stack) -> int:
    """Slabs that must at least change their sense between two stacks of equal length; 0 where gliding may do."""
    return int(_unlike(start, end).min())


def _energies(stack: Stack, energies: Mapping[str, float]) -> dict[str, float]:
    require_kind("stack", stack, Stack, 'Stack.from_gaps(["P2", "P2"])')
    require_kind("energies", energies, Mapping, '{"P2": 0.01, "O3": 0.0, "O2": 0.036}')
    given = {name: require_number(f"energies[{name!r}]", value) for name, value in energies.items()}
    return {**{name: given["O2"] for name in ("O2u", "O2l") if "O2" in given}, **given}


def _cheapest(stack: Stack, j: int, rows: list[Interlock], table: Mapping[str, float]) -> Move:
    if not rows:
        made = sorted({name for row in stack.interlock_table() if row.slab == j for name in row.after} - set(RULES))
        raise InputError(
            f"slab {j} between {stack.gap(j - 1)} and {stack.gap(j)} glides to half-way galleries only; give the "
            f"energies of those it may pass: {', '.join(made)}."
        )
    changes = [sum(table[name] for name in row.after) - sum(table[name] for name in row.before) for row in rows]
    k = int(np.argmin(changes))
    return Move(j, rows[k].g, rows[k].before, rows[k].after, float(changes[k]))


def _unlike(start: Stack, end: Stack) -> Integers:
    """(n,) slabs whose senses differ where slab 0 of the first stack becomes slab `first` of the second."""
    for name, stack in (("start", start), ("end", end)):
        require_kind(name, stack, Stack, 'Stack.from_gaps(["P2", "P2"])')
    n = len(start)
    if len(end) != n:
        raise InputError(f"the stacks have {n} and {len(end)} slabs; repeat the shorter one to the same number.")
    senses, there = (np.array([slab.s for slab in stack.slabs]) for stack in (start, end))
    return np.array([int((senses != np.roll(there, -first)).sum()) for first in range(n)])
