"""Interfaces of a stack: which slabs two blocks share, and whether two of them see the same surroundings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simkit.build.phases import Block
from simkit.build.stacking import flipped
from simkit.errors import InputError

DIGITS = 12
"""Hexadecimal digits of an environment."""


@dataclass(frozen=True)
class Interface:
    """A slab between two blocks of different phase or composition.

    slab         its number; it belongs to the block above
    below, above phases
    blocks       numbers of the two blocks
    environment  digest of all that is seen from the slab upwards and downwards: galleries, metals, contents
    """

    slab: int
    below: str
    above: str
    blocks: tuple[int, int]
    environment: str


def environments(gaps: Sequence[str], slabs: Sequence[str], galleries: Sequence[str]) -> tuple[str, ...]:
    """Digest of the surroundings of every slab of a periodic stack, the same upside down.

    gaps       names of the galleries, gallery j above slab j
    slabs      (N,) what fills each slab, as text; galleries (N,) what fills each gallery
    Two slabs have equal digests where the sequences seen upwards and downwards from them agree, as an unordered
    pair: their surroundings are then alike in stacking and in composition. Says nothing about which site of a
    slab holds which metal. Raises InputError for lists of different lengths.
    """
    n = len(gaps)
    if not n or len(slabs) != n or len(galleries) != n:
        raise InputError(f"{n} gaps, {len(slabs)} slabs and {len(galleries)} galleries; give one of each per slab.")
    over = [flipped(name) for name in gaps]
    up = [f"{slabs[(j + 1) % n]}|{gaps[j]}|{galleries[j]}" for j in range(n)]
    down = [f"{slabs[j]}|{over[j]}|{galleries[j]}" for j in range(n)]
    digests = []
    for j in range(n):
        upwards = "\n".join(up[(j + i) % n] for i in range(n))
        downwards = "\n".join(down[(j - 1 - i) % n] for i in range(n))
        text = "\n\n".join([slabs[j], *sorted((upwards, downwards))])
        digests.append(hashlib.sha256(text.encode()).hexdigest()[:DIGITS])
    return tuple(digests)


def labels(blocks: Sequence[Block]) -> tuple[list[str], list[str]]:
    """What each slab and each gallery of the blocks is asked to hold, from below, as text to compare."""
    slabs, galleries = [], []
    for block in blocks:
        given = block.composition
        heights = None if block.heights is None else block.heights.to_dict()
        shape = {"variant": block.variant, "faces": block.faces, "u": block.oxygen_u} if block.tetrahedral else {}
        both = {"anions": dict(given.anions), "heights": heights, **shape}
        ions = {"alkali": given.alkali, "dopants": dict(given.dopants), "sites": given.sites, **both}
        ions |= {"tetrahedral": dict(given.tetrahedral)}
        for j in range(block.gaps):
            metals = given.metals if isinstance(given.metals, Mapping) else given.metals[j]
            slabs.append(_text({"metals": dict(metals), **both}))
            galleries.append(_text({"content": block.contents[j], **ions}))
    return slabs, galleries


def interfaces_of(blocks: Sequence[Block]) -> tuple[Interface, ...]:
    """The slabs at which one block ends and another, of different phase or composition, begins, from below."""
    gaps = [name for block in blocks for name in block.gap_names]
    slabs, galleries = labels(blocks)
    digests = environments(gaps, slabs, galleries)
    starts = [sum(block.gaps for block in blocks[:k]) for k in range(len(blocks))]
    found = []
    for k, (block, start) in enumerate(zip(blocks, starts, strict=True)):
        below = blocks[k - 1]
        if block.phase != below.phase or block.composition != below.composition:
            found.append(Interface(start, below.phase, block.phase, ((k - 1) % len(blocks), k), digests[start]))
    return tuple(found)


def all_equivalent(found: Sequence[Interface]) -> bool:
    """Whether the interfaces of each pair of phases have one environment."""
    seen: dict[frozenset[str], set[str]] = {}
    for item in found:
        seen.setdefault(frozenset((item.below, item.above)), set()).add(item.environment)
    return all(len(kinds) == 1 for kinds in seen.values())


def _text(record: dict) -> str:
    return json.dumps(record, sort_keys=True)
