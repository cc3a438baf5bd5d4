"""Parts of a layered | tunnel cell as structures of their own, for the inverse map and for comparison."""

from __future__ import annotations

import numpy as np

from simkit.build.composite import Composite
from simkit.build.tunnel.phase import FIVE
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


def tunnel_part(built: Composite) -> Structure:
    """The atoms of the tunnel block in the cell of the interface."""
    _require(built)
    s = built.structure
    return s.take(s.tags["block"] == len(built.recipe["layered"]))


def metal_shells(structure: Structure, reach_A: float = 3.6) -> dict[str, list[np.ndarray]]:
    """Sorted metal-metal distances within reach_A of every metal of a tunnel structure, by its tag ("TM", "TM5").

    The fingerprint of how polyhedra share edges (2.8 to 3.0 A) and corners (3.3 to 3.6 A).
    """
    site = structure.tags["site"].astype(str)
    metals = np.flatnonzero(np.isin(site, ("TM", FIVE)))
    points = structure.positions[metals]
    pairs = find_pairs(points, points, structure.cell, reach_A)
    shells: dict[str, list[np.ndarray]] = {"TM": [], FIVE: []}
    for k, atom in enumerate(metals):
        shells[site[atom]].append(np.sort(pairs.distance[pairs.point == k]))
    return shells


def _require(built: Composite) -> None:
    if built.recipe.get("kind") != "tunnel_interface":
        raise InputError(f"a cell of kind {built.recipe.get('kind')!r} has no tunnel interface; give one that has.")
