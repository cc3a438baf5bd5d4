"""What gliding can do to a stack: the cheapest move of every slab, and the fewest moves between two stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simkit.build.stacking import RULES, Stack
from simkit.errors import InputError


@dataclass(frozen=True)
class Move:
    """The cheapest glide of one slab: g letters, galleries below and above before and after, energy change."""

    slab: int
    g: int
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

    energies  gallery name -> energy, in one unit per gallery (O2 stands for O2u and O2l)
    A gallery-additive model: a positive score says that the slab is locked by its neighbours. Raises InputError
    where a gallery that occurs has no energy.
    """
    table = {**{name: energies["O2"] for name in ("O2u", "O2l") if "O2" in energies}, **energies}
    rows = [row for row in stack.interlock_table() if all(name in RULES for name in row.after)]
    needed = {name for row in rows for name in (*row.before, *row.after)}
    missing = sorted(needed - set(table))
    if missing:
        raise InputError(f"no energy for galleries {', '.join(missing)}; gliding makes them here, give their energies.")
    best: dict[int, Move] = {}
    for row in rows:
        change = sum(table[name] for name in row.after) - sum(table[name] for name in row.before)
        if row.slab not in best or change < best[row.slab].energy:
            best[row.slab] = Move(row.slab, row.g, row.before, row.after, float(change))
    return tuple(best[j] for j in sorted(best))


def minimal_moves(start: Stack, end: Stack) -> Moves:
    """The fewest glides of single slabs between two stacks of equal length, whatever the origin of the second.

    Raises InputError where no glide can do it: gliding never changes the sense of a slab.
    """
    n = len(start)
    if len(end) != n:
        raise InputError(f"the stacks have {n} and {len(end)} slabs; repeat the shorter one to the same number.")
    found = [_moves(start, end, first, g) for first in range(n) if _same_senses(start, end, first) for g in range(3)]
    found = [moves for moves in found if moves is not None]
    if not found:
        flips = min(_unlike(start, end, first) for first in range(n))
        raise InputError(
            f"no gliding turns {start} ({start.sense_class()}) into {end} ({end.sense_class()}): at least {flips} of "
            f"{n} slabs would have to change their sense, or half a letter is left over."
        )
    return min(found, key=lambda moves: (len(moves.slabs), moves.first))


def _moves(start: Stack, end: Stack, first: int, g: int) -> Moves | None:
    """Moves that take slab j to slab j + first of the other stack, seen from an origin g letters off."""
    n = len(start)
    target = [end.slabs[(j + first) % n].z + end.shear * ((j + first) // n) for j in range(n)]
    steps = [(z - slab.z - g) % 3 for z, slab in zip(target, start.slabs, strict=True)]
    if any(step not in (0, 1, 2) for step in steps):
        return None
    slabs = tuple((j, 1 if step == 1 else -1) for j, step in enumerate(steps) if step)
    galleries = tuple(j for j in range(n) if start.gap(j) != end.gap(j + first))
    return Moves(slabs, galleries, first, (end.shear - start.shear) % 3)


def _unlike(start: Stack, end: Stack, first: int) -> int:
    return sum(slab.s != end.slabs[(j + first) % len(end)].s for j, slab in enumerate(start.slabs))


def _same_senses(start: Stack, end: Stack, first: int) -> bool:
    return _unlike(start, end, first) == 0
