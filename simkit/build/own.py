"""The heights a block has by itself, whatever it is stacked with."""

from __future__ import annotations

from dataclasses import replace

from simkit.build.distort import heights_of_cell
from simkit.build.heights import Heights, default_heights
from simkit.build.phases import DECORATED, Block
from simkit.build.polytypes import SHAPES
from simkit.build.spinel import decorated_heights


def own_heights(block: Block) -> Heights:
    """The heights a block has by itself: given, of its published cell, or starting values from ionic radii."""
    heights = block.heights or _default(block)
    if block.elastic is not None:
        heights = replace(heights, elastic=block.elastic)
    if block.cell is None:
        return heights
    return heights_of_cell(block.cell, block.gap_names[: block.period], heights)


def _default(block: Block) -> Heights:
    if block.phase in DECORATED:
        return decorated_heights(block.phase, block.metals, block.tetrahedral)
    kinds = block.gap_names
    contents = {kind: [x for k, x in zip(kinds, block.contents, strict=True) if k == kind] for kind in set(kinds)}
    means = {kind: sum(contents[kind]) / len(contents[kind]) for kind in dict.fromkeys(kinds)}
    heights = default_heights(block.composition.mean_metals, block.alkali, means)
    ratio, lean = SHAPES.get(block.phase, (1.0, 0.0))
    return replace(heights, ratio=ratio, lean=lean)
