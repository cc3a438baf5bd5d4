"""The layered part of a layered | tunnel cell as a structure of its own, and what the inverse map reads in it."""

from __future__ import annotations

import numpy as np

from simkit.build.composite import Composite
from simkit.build.identify import classify
from simkit.build.phases import Block
from simkit.build.stacking import same_cyclic
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

SAME_A = 0.3
"""Two anions nearer than this after folding are one, A."""


def layered_part(built: Composite) -> Structure:
    """The layered block alone, in a cell that `classify` reads.

    Beside (0001): its slabs with empty space in place of the tunnel block, so that the last gallery read is that
    space. Beside (1-100): the block is closed on itself across the interface, without its ions, whose faces then
    coincide. Raises InputError for another kind of cell.
    """
    _require(built)
    s = built.structure
    mine = s.take(s.tags["block"] < len(built.recipe["layered"]))
    if str(built.recipe["plane"]).endswith("0001"):
        return mine
    host = mine.take(mine.layers >= 0)
    rows = int(built.recipe["settings"]["rows"])
    along, stack = float(s.cell[0, 0]), float(s.cell[1, 1])
    across = rows * float(built.report.facts["layered_row_A"])
    cell = np.array([[along, 0.0, 0.0], [0.0, 0.0, across], [0.0, -stack, 0.0]])
    pairs = find_pairs(host.positions, host.positions, cell, SAME_A)
    folded = np.setdiff1d(np.arange(len(host)), pairs.atom[pairs.atom > pairs.point])
    return host.moved_to(host.positions, cell).take(folded)


def reads_back(built: Composite) -> tuple[str, ...]:
    """Galleries of the layered block, from below, as `classify` reads them in the built cell.

    Raises InputError where they are not the ones that were asked for.
    """
    wanted = [gap for record in built.recipe["layered"] for gap in Block.from_dict(record).gap_names]
    gaps = classify(layered_part(built)).stack.gaps()
    if str(built.recipe["plane"]).endswith("0001"):
        found = gaps[: len(wanted)]
        same = found == wanted
    else:
        found = gaps
        same = len(gaps) % len(wanted) == 0 and same_cyclic(gaps, wanted * (len(gaps) // len(wanted)))
    if not same:
        raise InputError(
            f"the layered block reads back as {' '.join(found)} where {' '.join(wanted)} was asked: the strain is too "
            "large to tell its letters; bring the lattice parameters closer."
        )
    return tuple(found)


def _require(built: Composite) -> None:
    if built.recipe.get("kind") != "tunnel_interface":
        raise InputError(f"a cell of kind {built.recipe.get('kind')!r} has no tunnel interface; give one that has.")
