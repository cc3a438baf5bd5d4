"""Resistance to gliding: the easiest move of each cell, and what the lock of shared slabs costs, with its spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.workflows import gliding_slabs
from simkit.workflows.gliding_lock import Case, Result
from simkit.workflows.gliding_slabs import Move


@dataclass(frozen=True)
class Resistance:
    """The easiest converged move of one cell of a case: J/m2 of slab and meV per formula unit of it.

    move names the one of lowest barrier; the lowest end may be that of another.
    """

    case: str
    content: float | None
    seed: int
    cell: str
    move: str
    barrier_J_per_m2: float
    barrier_meV_per_fu: float
    final_J_per_m2: float
    final_meV_per_fu: float


def resistances(result: Result) -> list[Resistance]:
    """The easiest move of every cell of every case: of the intergrowth that of its shared slabs."""
    rows = []
    for case in result.cases:
        for name in case.cells:
            moves = [move for move in case.of(name) if move.converged]
            if moves:
                rows.append(_easiest(case, name, moves))
    return rows


def _easiest(case: Case, name: str, moves: list[Move]) -> Resistance:
    best = min(moves, key=lambda move: move.barrier_J_per_m2)
    end = min(moves, key=lambda move: move.final_J_per_m2)
    return Resistance(
        case.name, case.content, case.seed, name,
        f"{'|'.join(best.before)} to {'|'.join(best.after)}",
        best.barrier_J_per_m2, gliding_slabs.per_unit(best, best.barrier_J_per_m2),
        end.final_J_per_m2, gliding_slabs.per_unit(end, end.final_J_per_m2),
    )  # fmt: skip


@dataclass(frozen=True)
class Lock:
    """How much more the easiest move of a shared slab costs than that of a pure phase, over the seeds of one content.

    mean and standard deviation over seeds (None for one seed) of the barrier's and of the end's difference
    """

    content: float | None
    phase: str
    seeds: int
    barrier_J_per_m2: float
    barrier_spread_J_per_m2: float | None
    barrier_meV_per_fu: float
    barrier_spread_meV_per_fu: float | None
    final_J_per_m2: float
    final_spread_J_per_m2: float | None
    final_meV_per_fu: float
    final_spread_meV_per_fu: float | None


QUANTITIES = ("barrier_J_per_m2", "barrier_meV_per_fu", "final_J_per_m2", "final_meV_per_fu")


def locks(result: Result) -> list[Lock]:
    """The lock against each pure phase and against the softer of them, for every content."""
    rows = resistances(result)
    found = []
    for content in dict.fromkeys(case.content for case in result.cases):
        for phase in (*result.phases, "softest phase"):
            gains = [
                g for seed in dict.fromkeys(r.seed for r in rows) for g in _gain(rows, result, (content, seed), phase)
            ]
            if gains:
                found.append(_lock(content, phase, np.array(gains)))
    return found


def _gain(
    rows: list[Resistance], result: Result, case: tuple[float | None, int], phase: str
) -> list[tuple[float, ...]]:
    """Difference of every quantity in one case, none where a side is missing."""
    mine = {r.cell: r for r in rows if (r.content, r.seed) == case}
    against = [mine[p] for p in (result.phases if phase == "softest phase" else (phase,)) if p in mine]
    if result.label not in mine or not against or (phase == "softest phase" and len(against) < len(result.phases)):
        return []
    whole = mine[result.label]
    return [tuple(getattr(whole, q) - min(getattr(r, q) for r in against) for q in QUANTITIES)]


def _lock(content: float | None, phase: str, gains: np.ndarray) -> Lock:
    mean = gains.mean(axis=0)
    spread = gains.std(axis=0, ddof=1).tolist() if len(gains) > 1 else [None] * len(QUANTITIES)
    pairs = dict(zip(QUANTITIES, zip(mean.tolist(), spread, strict=True), strict=True))
    values = {name: value for q, (m, s) in pairs.items() for name, value in ((q, m), (_spread(q), s))}
    return Lock(content, phase, len(gains), **values)


def _spread(quantity: str) -> str:
    first, _, rest = quantity.partition("_")
    return f"{first}_spread_{rest}"
