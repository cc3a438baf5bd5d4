"""Interfaces of a stack: which slabs two blocks share, and whether two of them see the same surroundings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simkit.build.arguments import require_list
from simkit.build.own import own_heights
from simkit.build.phases import Block
from simkit.build.stacking import flipped
from simkit.errors import InputError

DIGITS = 12
"""Hexadecimal digits of an environment."""
SIZE = 16
"""Bytes that stand for one slab with its gallery while they are compared."""


@dataclass(frozen=True)
class Interface:
    """A slab between two blocks of different phase, composition, heights or, in spinels, variant.

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
    n = len(require_list("gaps", gaps, str, '["P2", "O3"]'))
    for name, texts in (("slabs", slabs), ("galleries", galleries)):
        require_list(name, texts, str, '["Mn", "Mn"]')
    if not n or len(slabs) != n or len(galleries) != n:
        raise InputError(f"{n} gaps, {len(slabs)} slabs and {len(galleries)} galleries; give one of each per slab.")
    over = [flipped(name) for name in gaps]
    up = [f"{slabs[(j + 1) % n]}|{gaps[j]}|{galleries[j]}" for j in range(n)]
    down = [f"{slabs[j]}|{over[j]}|{galleries[j]}" for j in range(n)]
    ring, turned = _ring(up), _ring(down[::-1])
    digests = []
    for j in range(n):
        start = (n - j) % n
        seen = sorted((ring[j * SIZE : (j + n) * SIZE], turned[start * SIZE : (start + n) * SIZE]))
        digests.append(hashlib.sha256(b"".join([slabs[j].encode(), b"\n", *seen])).hexdigest()[:DIGITS])
    return tuple(digests)


def _ring(texts: Sequence[str]) -> bytes:
    """A digest of `SIZE` bytes for each text, one after another, twice around."""
    known = {text: hashlib.sha256(text.encode()).digest()[:SIZE] for text in set(texts)}
    return b"".join(known[text] for text in texts) * 2


def labels(blocks: Sequence[Block]) -> tuple[list[str], list[str]]:
    """What each slab and each gallery of the blocks is asked to hold, from below, as text to compare.

    Compositions; in galleries the heights the block has by itself (given, of its cell, or starting values), which a
    slab between two blocks does not have; in a spinel its variant, faces and oxygen parameter.
    """
    slabs: list[str] = []
    galleries: list[str] = []
    for block in blocks:
        given = block.composition
        shape = {"variant": block.variant, "faces": block.faces, "u": block.oxygen_u}
        both = {"anions": dict(given.anions), **(shape if block.phase == "spinel" else {})}
        own = own_heights(block).to_dict()
        ions = {"alkali": given.alkali, "dopants": dict(given.dopants), "sites": given.sites, "heights": own, **both}
        ions |= {"tetrahedral": dict(given.tetrahedral)}
        for j in range(block.gaps):
            metals = given.metals if isinstance(given.metals, Mapping) else given.metals[j]
            slabs.append(_text({"metals": dict(metals), **both}))
            galleries.append(_text({"content": block.contents[j], **ions}))
    return slabs, galleries


def interfaces_of(blocks: Sequence[Block]) -> tuple[Interface, ...]:
    """The slabs at which one block ends and another begins that is not its continuation, from below.

    A block continues another where phase, sequence, composition, own heights and the choices of a spinel or a
    honeycomb are the same. Raises InputError for what is no list of blocks.
    """
    blocks = require_list("blocks", blocks, Block, "[Block('P2', 4), Block('O3', 3)]")
    if not blocks:
        return ()
    gaps = [name for block in blocks for name in block.gap_names]
    slabs, galleries = labels(blocks)
    digests = environments(gaps, slabs, galleries)
    starts = [sum(block.gaps for block in blocks[:k]) for k in range(len(blocks))]
    kinds = [_kind(block) for block in blocks]
    found = []
    for k, (block, start) in enumerate(zip(blocks, starts, strict=True)):
        below = blocks[k - 1]
        if kinds[k] != kinds[k - 1]:
            found.append(Interface(start, below.phase, block.phase, ((k - 1) % len(blocks), k), digests[start]))
    return tuple(found)


def all_equivalent(found: Sequence[Interface]) -> bool:
    """Whether the interfaces of each pair of phases have one environment."""
    seen: dict[frozenset[str], set[str]] = {}
    for item in found:
        seen.setdefault(frozenset((item.below, item.above)), set()).add(item.environment)
    return all(len(kinds) == 1 for kinds in seen.values())


def _kind(block: Block) -> dict:
    """All that tells a block from one it would continue."""
    names = block.gap_names
    period = next(p for p in range(1, len(names) + 1) if len(names) % p == 0 and names == names[:p] * (len(names) // p))
    left_out = ("gaps", "pattern", "cell", "elastic", "heights")
    asked = {name: value for name, value in block.to_dict().items() if name not in left_out}
    return {**asked, "unit": names[:period], "own": own_heights(block).to_dict()}


def _text(record: dict) -> str:
    return json.dumps(record, sort_keys=True)
