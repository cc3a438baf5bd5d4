"""The layered side of a tunnel interface: a finite stack that ends in TMO2 slabs, or one cut across its slabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit.build.assemble import own_heights
from simkit.build.composition import Composition
from simkit.build.geometry import Frame, gallery_sites
from simkit.build.heights import Heights
from simkit.build.phases import DECORATED, Block
from simkit.build.plane import orthogonal, repeat_matrix
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.build.stacking import RULES, Stack, gap_name
from simkit.build.tunnel.slice import Slice, block, oriented
from simkit.errors import InputError

OPEN_GALLERY_A = 3.0
"""Height given to the place above the last slab while a finite stack is drawn; it is cut off, A."""


@dataclass(frozen=True, eq=False)
class LayeredSide:
    """A layered block ready to be joined.

    slice    its sites, first in-plane vector along [11-20]
    stack    its slabs; the last gallery of a finite stack is no part of the block
    own_a_A  in-plane parameter of each phase, A; a_A their mean, at which the slice is drawn
    finite   whether the block ends in slabs; False: its slabs meet the interface head-on
    """

    slice: Slice
    stack: Stack
    own_a_A: tuple[float, ...]
    a_A: float
    finite: bool


def basal_side(blocks: Sequence[Block], periods: int) -> LayeredSide:
    """Stack with one TMO2 slab more than galleries, both faces bare; in plane a x periods sqrt(3) a."""
    gaps = [gap for b in blocks for gap in b.gap_names]
    stack = finite_stack(gaps)
    sites, own, a = _sites(blocks, stack, periods, 0)
    columns = (sites.positions, sites.stratum, sites.kind, sites.layers, sites.gallery, sites.strata, sites.regions)
    return LayeredSide(Slice(sites.cell[:2, :2], *columns), stack, own, a, True)


def head_on_side(blocks: Sequence[Block], periods: int, rows: int) -> LayeredSide:
    """The stack, repeated `periods` times along c, cut on both sides parallel to (1-100).

    rows  lattice periods sqrt(3) a along the normal; x is [11-20], y the stacking axis
    Raises InputError where the stack does not close without a shear.
    """
    stack = Stack.from_gaps([gap for b in blocks for gap in b.gap_names] * periods, closure="strict")
    sites, own, a = _sites(blocks, stack, 1, periods)
    return LayeredSide(block(oriented(sites, (0, 1, 0)), rows), stack, own, a, False)


def finite_stack(gaps: Sequence[str]) -> Stack:
    """len(gaps) + 1 slabs from below; a further gallery closes the period and is no part of the block."""
    flips = sum(RULES[gap_name(name)][0] < 0 for name in gaps)
    return Stack.from_gaps([*gaps, "P2" if flips % 2 else "O3"])


def hexagonal_heights(item: Block) -> Heights:
    """Heights of a block (`assemble.own_heights`), which beside a tunnel phase must be hexagonal.

    Raises InputError for spinel and rock-salt, a distorted in-plane shape, and centres of a honeycomb.
    """
    if item.phase in DECORATED:
        raise InputError(f"a block of {item.phase} cannot meet a tunnel phase here; put a layered block between them.")
    if item.centres is not None:
        raise InputError(
            f"centres = {item.centres!r} in block {item.phase}: beside a tunnel phase the slabs are one lattice "
            "parameter wide along the tunnels, a honeycomb needs three; leave centres out."
        )
    heights = own_heights(item)
    if heights.ratio != 1.0 or heights.lean != 0.0:
        raise InputError(
            f"block {item.phase} is distorted in plane (ratio {heights.ratio:g}, lean {heights.lean:g}), the tunnel "
            "phase meets hexagonal layers: take the undistorted phase (O3 for O'3, P2 for P'2), or give heights or a "
            "cell of hexagonal shape, and let it distort on relaxation."
        )
    return heights


def mean_a_A(blocks: Sequence[Block]) -> float:
    """Mean in-plane parameter of the phases of a stack, A."""
    return float(np.mean([hexagonal_heights(b).a_A for b in blocks]))


def period_A(blocks: Sequence[Block]) -> float:
    """Height of one period of a stack, one slab per gallery, A."""
    a, total = mean_a_A(blocks), 0.0
    for b in blocks:
        heights = hexagonal_heights(b).strained_to(a)
        total += sum(heights.slab_A + heights.gallery_A(gap) for gap in b.gap_names)
    return total


def _sites(blocks: Sequence[Block], stack: Stack, across: int, times: int) -> tuple[Scaffold, tuple[float, ...], float]:
    """Scaffold of the blocks, `times` over, in the rectangle a x across sqrt(3) a; 0 times: once, ending in a slab."""
    heights = [hexagonal_heights(b) for b in blocks]
    a = mean_a_A(blocks)
    strained = [h.strained_to(a) for h in heights]
    home = np.tile(np.repeat(np.arange(len(blocks)), [len(b.gap_names) for b in blocks]), max(1, times))
    slab_home = home if times else np.append(home, home[-1])
    galleries = [strained[k].gallery_A(gap) for k, gap in zip(home, stack.gaps(), strict=False)]
    thick = np.array([strained[k].slab_A for k in slab_home])
    matrix = repeat_matrix(orthogonal(1, across))
    frame = Frame(stack, matrix, a, thick, np.array(galleries if times else [*galleries, OPEN_GALLERY_A]))
    parts, strata = [], []
    for j in range(len(stack)):
        lower, metal, upper = frame.slab(j)
        parts.append((np.concatenate([lower, upper]), len(strata), "O", j, -1))
        parts.append((metal, len(strata) + 1, "TM", j, -1))
        region = int(slab_home[j])
        strata += [Stratum("anion", region, 2 * frame.cells), Stratum("metal", region, frame.cells)]
        if j < len(galleries):
            points = gallery_sites(stack, j)
            for letter, kind in points:
                parts.append((frame.layer(letter, frame.gallery_height_A(j)), len(strata), kind, -1, j))
            strata.append(Stratum("alkali", int(home[j]), frame.cells))
    sizes = [len(p[0]) for p in parts]
    columns = [np.repeat([p[k] for p in parts], sizes) for k in (1, 2, 3, 4)]
    positions = np.concatenate([p[0] for p in parts])
    regions = tuple(Region(b.phase, composition_of(b, max(1, times))) for b in blocks)
    scaffold = Scaffold(frame.cell, positions, *columns, tuple(strata), regions)
    return scaffold, tuple(h.a_A for h in heights), a


def composition_of(item: Block, times: int) -> Composition:
    """What fills a layered block that is repeated so many times. Raises InputError for one table of metals per slab."""
    if not isinstance(item.composition.metals, Mapping):
        raise InputError(
            "a block beside a tunnel phase has one slab more than galleries and takes one table of metals; put "
            "slabs of different metals into different blocks."
        )
    content = item.composition.content
    return item.composition if isinstance(content, float) else replace(item.composition, content=content * times)
