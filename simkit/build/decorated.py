"""Spinel and rock-salt blocks of a plan: what each metal sheet of their O3 stacking holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Integers
from simkit.build.phases import DECORATED, Block
from simkit.build.spinel import far, first_vacancy, require_even, step
from simkit.build.stacking import Stack
from simkit.build.summary import Plan
from simkit.errors import InputError

Point = tuple[int, int]


@dataclass(frozen=True)
class Sheet:
    """The cations between two anion layers of a decorated block.

    kind    "K" kagome (all octahedra but one in four), "M" (one octahedron in four and tetrahedra), "RS" (all)
    block   the block it belongs to
    point   the empty octahedron of a kagome sheet, the filled one of a mixed sheet; unused in rock-salt
    lower, upper   tetrahedra based on the lower (apex up) and upper anion layer; None where there are none
    """

    kind: str
    block: int
    point: Point = (0, 0)
    lower: Point | None = None
    upper: Point | None = None


def sheets(plan: Plan) -> dict[int, Sheet]:
    """Sheet number -> what it holds, for the decorated blocks: sheet 2 j is slab j, sheet 2 j + 1 gallery j.

    A tetrahedron stands only where the octahedron behind its base is the vacancy of a kagome sheet: a
    tetrahedral cation never faces a full sheet of metals or of alkali ions.
    Raises InputError where the supercell has no whole 2 x 2 cells, a block has no kagome sheet, kagome sheets
    of two blocks disagree or the vacancies do not close over the period.
    """
    found: dict[int, Sheet] = {}
    starts = [sum(b.gaps for b in plan.blocks[:k]) for k in range(len(plan.blocks))]
    for phase in reversed(DECORATED):
        for k, block in enumerate(plan.blocks):
            if block.phase == phase:
                _claim(found, plan, k, _run(plan, block, starts[k]))
    return {i: _trimmed(found, plan.frame.stack, i) for i in sorted(found)}


def owners(plan: Plan, found: Mapping[int, Sheet]) -> Integers:
    """(N,) block of each slab: the block of the gallery above it, or a decorated block whose gallery it touches.

    Metals between slabs share their anions with both slabs, so these slabs are part of the spinel or rock-salt.
    """
    result, count = plan.block_of.copy(), len(plan.block_of)
    for phase in reversed(DECORATED):
        for j in range(count):
            if plan.blocks[plan.block_of[j]].phase == phase:
                result[[j, (j + 1) % count]] = plan.block_of[j]
    for i, sheet in found.items():
        if i % 2 == 0:
            result[i // 2] = sheet.block
    return result


def owned(plan: Plan) -> Plan:
    """The plan with every slab as thick as the block it belongs to (`owners`)."""
    frame = plan.frame
    own = owners(plan, sheets(plan))
    thickness = {k: frame.slabs_A[plan.block_of == k].mean() for k in np.unique(plan.block_of).tolist()}
    slabs = np.array([frame.slabs_A[j] if k == plan.block_of[j] else thickness[k] for j, k in enumerate(own.tolist())])
    return replace(plan, frame=replace(frame, slabs_A=slabs), owner=own)


def _run(plan: Plan, block: Block, start: int) -> tuple[int, int]:
    """First and last sheet of a block, unwrapped."""
    first, last = 2 * start + 1, 2 * (start + block.gaps) - 1
    if len(plan.blocks) == 1:
        return first - 1, last
    own_slab = "M" if _parity(block) else "K"
    return first - (block.faces[0] == own_slab), last + (block.faces[1] == own_slab)


def _parity(block: Block) -> int:
    """0 where the kagome sheets are the slabs, 1 where they are the galleries."""
    return block.variant // 4 if block.phase == "spinel" else 0


def _claim(found: dict[int, Sheet], plan: Plan, k: int, run: tuple[int, int]) -> None:
    block, period = plan.blocks[k], 2 * len(plan.frame.stack)
    made = _rock_salt(run, k) if block.phase == "rock-salt" else _spinel(plan, k, run)
    for i, sheet in made:
        home = i % period
        there = found.get(home)
        if there is not None and there.kind != "RS" and (there.kind, there.point) != (sheet.kind, sheet.point):
            raise InputError(
                f"the spinel blocks {there.block} and {k} meet in slab {home // 2} with different vacancies; "
                f"give block {k} another variant, or one of them faces='M' on that side."
            )
        if there is None or there.kind == "RS":
            found[home] = sheet


def _rock_salt(run: tuple[int, int], k: int) -> Iterator[tuple[int, Sheet]]:
    return ((i, Sheet("RS", k)) for i in range(run[0], run[1] + 1))


def _spinel(plan: Plan, k: int, run: tuple[int, int]) -> Iterator[tuple[int, Sheet]]:
    """Sheets from the rules: T on the vacancy, the octahedron far from T, the other T far from it, and so on."""
    block, stack = plan.blocks[k], plan.frame.stack
    require_even(plan.frame.matrix, block.phase)
    _require_letters(stack)
    parity = _parity(block)
    kagome = [i for i in range(run[0], run[1] + 1) if i % 2 == parity]
    if not kagome:
        raise InputError(
            f"spinel block {k} with {block.gaps} gallery and faces {block.faces} has no kagome sheet; "
            f"give it {block.gaps + 1} galleries or faces='K'."
        )
    vacancy = {kagome[0]: first_vacancy(_letters(stack, kagome[0])[1], block.variant % 4)}
    for i in kagome:
        vacancy[i + 2] = _above(stack, i, vacancy[i])[2]
    vacancy[kagome[0] - 2] = _below(stack, kagome[0], vacancy[kagome[0]])
    whole = run[1] - run[0] + 1 == 2 * len(stack)
    if whole:
        _require_closure(stack, kagome[0], vacancy)
    result = [(i, Sheet("K", k, _home(stack, i, vacancy[i]))) for i in kagome]
    for i in (i for i in range(run[0], run[1] + 1) if i % 2 != parity):
        lower, octahedron, upper = _above(stack, i - 1, vacancy[i - 1])
        points = (_home(stack, i, p) for p in (octahedron, lower, upper))
        result.append((i, Sheet("M", k, *points)))
    return iter(result)


def _require_letters(stack: Stack) -> None:
    between = [j for j in range(len(stack)) if stack.slabs[j].z % 1]
    if between:
        raise InputError(
            f"slab {between[0]} stands half-way between letters (a T2 gallery), where no spinel order is known; "
            "take the T2 galleries out of this stack."
        )


def _letters(stack: Stack, i: int) -> tuple[int, int, int]:
    """Letters of the lower anions, octahedra and upper anions of sheet i, counted on beyond the cell."""
    turn, home = divmod(i, 2 * len(stack))
    slab, moved = stack.slabs[home // 2], turn * stack.shear
    below, above = (slab.lower, slab.upper) if home % 2 == 0 else (slab.upper, stack.above(home // 2).lower)
    return (below + moved) % 3, (3 - below - above + moved) % 3, (above + moved) % 3


def _above(stack: Stack, i: int, vacancy: Point) -> tuple[Point, Point, Point]:
    """From the vacancy of kagome sheet i: lower tetrahedron, octahedron, upper tetrahedron of the sheet above.

    The upper tetrahedron lies under the vacancy of kagome sheet i + 2.
    """
    lower, octahedron, upper = _letters(stack, i + 1)
    filled = far(vacancy, step(upper, octahedron))
    return vacancy, filled, far(filled, step(octahedron, lower))


def _below(stack: Stack, i: int, vacancy: Point) -> Point:
    lower, octahedron, upper = _letters(stack, i - 1)
    return far(far(vacancy, step(lower, octahedron)), step(octahedron, upper))


def _home(stack: Stack, i: int, point: Point) -> Point:
    """A point of sheet i as its image inside the cell sees it."""
    shear = stack.shear - 3 * (stack.shear == 2)
    moved = i // (2 * len(stack)) * shear
    return (point[0] - moved) % 6, (point[1] - 2 * moved) % 6


def _require_closure(stack: Stack, first: int, vacancy: dict[int, Point]) -> None:
    last = first + 2 * len(stack)
    if _home(stack, last, vacancy[last]) != _home(stack, first, vacancy[first]):
        up = -(-len(stack) // 3) * 3
        raise InputError(
            f"{len(stack)} galleries of spinel fill the period and its kagome vacancies do not close: they return "
            f"after multiples of 3; take {up} galleries" + (f" or {up - 3}." if up > 3 else ".")
        )


def _trimmed(found: dict[int, Sheet], stack: Stack, i: int) -> Sheet:
    sheet, period = found[i], 2 * len(stack)
    if sheet.kind != "M":
        return sheet
    kept = []
    for side, point in ((-1, sheet.lower), (1, sheet.upper)):
        behind = found.get((i + side) % period)
        seen = _home(stack, i + side, point)
        kept.append(point if behind is not None and (behind.kind, behind.point) == ("K", seen) else None)
    return Sheet(sheet.kind, sheet.block, sheet.point, *kept)
