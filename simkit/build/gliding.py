"""What gliding can do to an intergrowth: to the slabs its phases share, and to the whole of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simkit.build.interlock import fewest_flips, interlock_scores, moves_between
from simkit.build.phases import Block
from simkit.build.report import GlideReport, PathReport
from simkit.build.stacking import RULES, Interlock, Stack


def glides_of(stack: Stack, slabs: Sequence[int], energies: Mapping[str, float] | None) -> tuple[GlideReport, ...]:
    """What the glides of some slabs make of their two galleries, with the least energy change where it is known.

    energies  as for `interlock_scores`, which says what is refused; None: no scores
    """
    rows: dict[int, list[Interlock]] = {j: [] for j in sorted(set(slabs))}
    for row in stack.interlock_table() if rows else ():
        if row.slab in rows:
            rows[row.slab].append(row)
    scores = {} if energies is None or not rows else {m.slab: m.energy for m in interlock_scores(stack, energies)}
    return tuple(
        GlideReport(j, found[0].before, tuple((row.g, *row.after) for row in found), scores.get(j))
        for j, found in rows.items()
    )


def paths_of(stack: Stack, blocks: Sequence[Block]) -> tuple[PathReport, ...]:
    """How far the whole stack is from each of its phases alone; none for a phase whose periods do not fill it."""
    paths: dict[str, PathReport] = {}
    for block in blocks:
        unit = block.gap_names[: block.period]
        repeats, rest = divmod(len(stack), len(unit))
        turns = sum(RULES[name][0] < 0 for name in unit) * repeats
        if block.phase in paths or rest or turns % 2:
            continue
        end = Stack.from_gaps(unit * repeats)
        moves, flips = moves_between(stack, end), fewest_flips(stack, end)
        slabs, galleries = (None, None) if moves is None else (moves.slabs, moves.galleries)
        paths[block.phase] = PathReport(block.phase, flips, slabs, galleries)
    return tuple(paths.values())
