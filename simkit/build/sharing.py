"""Sharing strain between the blocks of a coherent stack: the common in-plane cell, Poisson, what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from simkit.arrays import Floats
from simkit.build.arguments import require_number
from simkit.build.heights import Heights
from simkit.build.phases import Block
from simkit.build.strain import (
    Misfit,
    elastic_energy_J_per_m2,
    energy_meV_per_unit,
    misfit,
    normal_strain,
    share_strain,
)
from simkit.errors import InputError

GALLERY_SHARE = 0.8
"""Part of the Poisson change of height that the galleries take: an estimate, not a measurement. Galleries, 0.64 of the
height of P2-Na2/3MnO2, are softer than MO2 slabs; 0.8 strains them 2.3 times as much (`Settings.gallery_share`)."""
SAME = 1e-9


@dataclass(frozen=True)
class Coherency:
    """Coherency strain of one block.

    misfit          in-plane strains, shear, von Mises and area, per cent of the block's own cell
    normal_percent  change of the block's height that was applied, per cent
    energy_J_per_m2, energy_meV_per_unit  elastic energy per area, and per formula unit MO2; None without elastic
                    constants
    """

    block: int
    phase: str
    misfit: Misfit
    normal_percent: float
    energy_J_per_m2: float | None
    energy_meV_per_unit: float | None

    def to_dict(self) -> dict:
        """JSON-able dictionary."""
        return asdict(self)


def common_plane(blocks: Sequence[Block], heights: Sequence[Heights], strain: str) -> tuple[float, float]:
    """Common in-plane lattice parameter, A, and ratio (`Heights`) of blocks that share their slabs.

    strain  "equal" mean of the blocks, "thickness" mean weighted by thickness, "fix:k" that of block k,
            "elastic" least elastic energy (`share_strain`)
    Raises InputError for another mode, an unknown block, or "elastic" without elastic constants.
    """
    require_mode(strain, len(blocks))
    if strain.startswith("fix:"):
        kept = heights[int(strain[4:])]
        return kept.a_A, kept.ratio
    if strain == "elastic":
        return _elastic_plane(blocks, heights)
    pairs = zip(blocks, heights, strict=True)
    weights = None if strain == "equal" else np.array([thickness_A(b, h) for b, h in pairs])
    values = np.array([h.a_A for h in heights])
    if len({h.ratio for h in heights}) == 1:
        return float(np.average(values, weights=weights)), heights[0].ratio
    return _of_sides(np.average([h.sides_A for h in heights], axis=0, weights=weights), heights)


def require_mode(strain: object, blocks: int) -> None:
    """Raise InputError unless this is a strain mode of `common_plane` for so many blocks."""
    modes = ("equal", "thickness", "elastic", *(f"fix:{k}" for k in range(blocks)))
    if not isinstance(strain, str) or strain not in modes:
        raise InputError(
            f"strain = {strain!r}; use 'equal', 'thickness', 'elastic' or 'fix:k' with k from 0 to {blocks - 1}."
        )


def imposed_plane(a_A: float, heights: Sequence[Heights]) -> tuple[float, float]:
    """Common plane (a_A, ratio) of blocks at a given in-plane lattice parameter, A.

    Raises InputError where the blocks have in-plane cells of unlike shape, which one parameter does not fix.
    """
    ratios = [h.ratio for h in heights]
    if max(ratios) - min(ratios) > SAME:
        raise InputError(
            f"a_A = {a_A:g} sets a size, but the blocks have in-plane cells of unlike shape (ratios "
            f"{', '.join(f'{r:.4f}' for r in ratios)}); leave a_A out and take a strain mode, as 'fix:0'."
        )
    return a_A, ratios[0]


def _elastic_plane(blocks: Sequence[Block], heights: Sequence[Heights]) -> tuple[float, float]:
    for k, (block, own) in enumerate(zip(blocks, heights, strict=True)):
        if own.elastic is None:
            raise InputError(
                f"strain='elastic' needs the elastic constants of block {k} ({block.phase}); give it "
                "elastic={'C11': ..., 'C12': ..., 'C13': ..., 'C33': ...} in GPa, or use strain='thickness'."
            )
    thicknesses = [thickness_A(b, h) for b, h in zip(blocks, heights, strict=True)]
    shared = share_strain([np.diag(h.sides_A) for h in heights], thicknesses, [h.elastic for h in heights])
    shear = float(shared.cell[1, 0] / shared.cell[1, 1])
    if abs(shear) > 1e-4:
        raise InputError(
            f"the elastic constants couple stretch to shear: the common cell would be oblique by {100 * shear:.3f} %; "
            "give constants with C16 = C26 = C15 = C25 = 0 (x along the short side), or use strain='thickness'."
        )
    return _of_sides(np.diag(shared.cell), heights)


def _of_sides(sides: Floats, heights: Sequence[Heights]) -> tuple[float, float]:
    short, long = (float(side) for side in sides)
    ratio = long / (math.sqrt(3.0) * short)
    near = [h.ratio for h in heights if abs(h.ratio - ratio) < SAME]
    return math.sqrt(short * long / math.sqrt(3.0)), near[0] if near else ratio


def plane_strain(own: Heights, a_A: float, ratio: float) -> tuple[float, float]:
    """Strain along the short and the long side when a block is strained onto a common plane."""
    if own.ratio == ratio:
        return (a_A / own.a_A - 1.0,) * 2
    short, long = Heights(a_A, own.slab_A, {}, ratio).sides_A
    return short / own.sides_A[0] - 1.0, long / own.sides_A[1] - 1.0


def fitted(own: Heights, plane: tuple[float, float], thinning: float | str, gallery_share: float | None) -> Heights:
    """A block's heights on a common plane (a_A, ratio).

    thinning  heights change by -thinning times the mean in-plane strain, or "elastic": by the Poisson strain of
              the block's own elastic constants
    gallery_share  part of the change the galleries take; None: slab and gallery alike, `GALLERY_SHARE` if elastic
    """
    a_A, ratio = plane
    xx, yy = plane_strain(own, a_A, ratio)
    if thinning == "elastic":
        if own.elastic is None:
            raise InputError(
                "thinning = 'elastic' needs elastic constants in the heights of every block; give a number."
            )
        change = normal_strain(own.elastic, (xx, yy, 0.0))
        share = GALLERY_SHARE if gallery_share is None else gallery_share
    elif isinstance(thinning, str):
        raise InputError(f"thinning = {thinning!r}; give a number (2 C13 / C33) or 'elastic'.")
    else:
        change, share = -require_number("thinning", thinning) * 0.5 * (xx + yy), gallery_share
    return replace(own.thickened(change, share), a_A=a_A, ratio=ratio)


def thickness_A(block: Block, heights: Heights) -> float:
    """Thickness of a block, one slab per gallery, A."""
    return sum(heights.slab_A + heights.gallery_A(gap) for gap in block.gap_names)


def coherency(
    blocks: Sequence[Block], own: Sequence[Heights], plane: tuple[float, float], thicknesses_A: Sequence[float]
) -> tuple[Coherency, ...]:
    """Coherency strain and elastic energy of every block of a stack.

    own  heights of each block alone; plane (a_A, ratio) of the stack; thicknesses_A of each block in the stack
    """
    records = []
    for k, (block, heights, thickness) in enumerate(zip(blocks, own, thicknesses_A, strict=True)):
        strain = np.array([*plane_strain(heights, *plane), 0.0])
        free = thickness_A(block, heights)
        normal = thickness / free - 1.0
        cell = np.diag(heights.sides_A)
        found = misfit(cell, cell * (1.0 + strain[:2, None]), normal)
        energy = per_unit = None
        if heights.elastic is not None:
            energy = elastic_energy_J_per_m2(heights.elastic, free, strain)
            area = math.sqrt(0.75) * heights.a_A**2
            per_unit = energy_meV_per_unit(energy, area, block.gaps)
        records.append(Coherency(k, block.phase, found, 100.0 * float(normal), energy, per_unit))
    return tuple(records)
