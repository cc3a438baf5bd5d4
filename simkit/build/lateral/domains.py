"""The plan of a lateral join: who lies where along the normal, the common lattice and the strains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build import checks
from simkit.build.arguments import require_kind, require_list, require_number
from simkit.build.assemble import own_heights
from simkit.build.geometry import Frame
from simkit.build.heights import Heights
from simkit.build.lateral.align import Alignment, align
from simkit.build.lateral.burgers import edge_axis
from simkit.build.lateral.profile import Profile
from simkit.build.lateral.settings import LateralSettings
from simkit.build.phases import DECORATED, Block
from simkit.build.plane import HEXAGONAL, LETTER, orthogonal
from simkit.build.scaffold import Region
from simkit.errors import InputError

SIDES = ("left", "right")
NUMBER = (int, float, np.integer, np.floating)
APRON = 0.75
"""Where slabs flip, half of their slip happens this many widths before the cut and half behind it: the cut itself
stays as undistorted as the search saw it."""


@dataclass(frozen=True, eq=False)
class Domains:
    """Two phases side by side, over common slabs, on the lattice of the left one.

    regions    phase and composition of left and right, lists repeated and rotated to the common slabs
    alignment  see `Alignment`
    own        lattice parameter and heights of the two phases
    frame      ideal cell of the left stack: common a along the line, common heights, all rows of both domains
    profile    boundaries and step in the coordinates of `frame`
    line       "armchair" or "zigzag"
    rows       close-packed rows of each domain along the normal, each as many metals in every slab
    centres    of left and right: which third of its metals the honeycomb centres of each slab take, or None
    opening_A  width added to each boundary, A
    rigid_A    (x, y) rigid displacement of the right domain against the left, openings included, A
    """

    regions: tuple[Region, Region]
    alignment: Alignment
    own: tuple[Heights, Heights]
    frame: Frame
    profile: Profile
    line: str
    rows: tuple[int, int]
    centres: tuple[tuple[int, ...] | None, tuple[int, ...] | None] = (None, None)
    opening_A: float = 0.0
    rigid_A: tuple[float, float] = (0.0, 0.0)

    @property
    def axis(self) -> int:
        """Cartesian axis (and cell vector) of the normal."""
        return edge_axis(self.line)

    @property
    def lengths_A(self) -> tuple[float, float]:
        """Length of each domain along the normal in the finished cell, A."""
        return tuple(n * row_A(self.line, h.a_A) for n, h in zip(self.rows, self.own, strict=True))

    @property
    def stretches(self) -> tuple[float, float]:
        """Spacing of each phase along the normal over that of `frame`; across the line no domain is strained."""
        return tuple(h.a_A / self.frame.a_A for h in self.own)

    @property
    def cell(self) -> Floats:
        """(3, 3) A, rectangular."""
        cell = self.frame.cell
        cell[self.axis, self.axis] = sum(self.lengths_A) + 2.0 * self.opening_A
        return cell

    def along_normal(self, x: Floats) -> Floats:
        """Coordinates along the normal in the finished cell, from those in `frame`, A; openings not included."""
        left, right = self.stretches
        return left * x + (right - left) * self.profile.integral(x)

    def slipped(self, points: Floats, slip: Floats) -> Floats:
        """Points (n, 3) of `frame` displaced by slip (2,) times the step, each phase with its own row spacing."""
        points = points.copy()
        points[:, :2] += slip * self.profile.step(points[:, self.axis])[:, None]
        points[:, self.axis] = self.along_normal(points[:, self.axis])
        return points

    def carried(self, points: Floats, slip: Floats) -> Floats:
        """Points (n, 3) slipped, and shifted smoothly by the rigid displacement of the right domain."""
        closing = -np.array(self.rigid_A)
        closing[self.axis] += 2.0 * self.opening_A
        result = self.slipped(points, slip)
        result[:, :2] += self.profile.ramp(points[:, self.axis], self.rigid_A, closing)
        return result

    def sublattice(self, points: Floats, j: int, left: np.ndarray) -> Integers:
        """(n,) 0, 1 or 2: the sqrt(3) x sqrt(3) sublattice of points (n, 3) of slab j of `frame`, before it slips.

        Numbered as in `honeycomb.centre_sites`, in the letters of the stack of its own domain. Of the metal layer.
        """
        slips, (first, second) = self.alignment.slips.slabs[j], self.stacks
        turned = slips @ np.linalg.inv(HEXAGONAL) + (second.slabs[0].z - first.slabs[0].z) * LETTER
        sums = (points[:, :2] / self.frame.a_A @ np.linalg.inv(HEXAGONAL)).sum(axis=1)
        return np.round(sums + np.where(left, 0.0, turned.sum())).astype(np.int64) % 3

    def strains_percent(self) -> dict[str, float]:
        """Strain of each domain along the line, along the normal (none) and along the stacking axis, per cent."""
        result = {}
        for side, heights, stack in zip(SIDES, self.own, self.stacks, strict=True):
            height = sum(heights.slab_A + heights.gallery_A(gap) for gap in stack.gaps())
            result[f"strain_line_{side}_percent"] = 100.0 * (self.frame.a_A / heights.a_A - 1.0)
            result[f"strain_normal_{side}_percent"] = 0.0
            result[f"strain_c_{side}_percent"] = 100.0 * (self.frame.height_A / height - 1.0)
        return result

    @property
    def stacks(self) -> tuple:
        """Left and right stack."""
        return self.alignment.left, self.alignment.right


def row_A(line: str, a_A: float) -> float:
    """Distance between rows along the normal, A: a / 2 (armchair) or sqrt(3) a / 2 (zigzag)."""
    return a_A * (0.5 if edge_axis(line) == 0 else math.sqrt(0.75))


def plan(
    blocks: tuple[Block, Block], line: str, lengths_A: Sequence[float], flips: bool, settings: LateralSettings
) -> Domains:
    """Domains of about the wanted lengths; an even number of rows in all, so that the period closes.

    Raises InputError where senses, lengths or strains do not allow the join.
    """
    gaps = [_gaps(block) for block in blocks]
    alignment = align(*gaps, line, settings.mode, flips)
    own = tuple(_heights(block) for block in blocks)
    rows = _rows(line, lengths_A, own)
    share = np.array([n * row_A(line, h.a_A) for n, h in zip(rows, own, strict=True)])
    share = share / share.sum()
    frame = _frame(alignment, own, share, (line, rows, settings))
    row = row_A(line, frame.a_A)
    start = -0.5 * row
    apron = APRON * settings.width_A if flips else 0.0
    profile = Profile(start, start + rows[0] * row, sum(rows) * row, settings.width_A, apron)
    over = [(block, len(alignment.left), r) for block, r in zip(blocks, (0, alignment.rotation), strict=True)]
    regions, centres = tuple(_over(*x) for x in over), tuple(_centres(*x) for x in over)
    domains = Domains(regions, alignment, own, frame, profile, line, rows, centres)
    _require_strain(domains, settings)
    _require_whole_honeycombs(domains)
    return domains


def common_a_A(values: Floats, share: Floats, strain: str) -> float:
    """Common lattice parameter along the line, A, of two phases with these shares of the period."""
    if strain == "equal":
        return float(values.mean())
    return float(values @ share) if strain == "thickness" else float(values[int(strain[-1])])


def _gaps(block: Block) -> list[str]:
    require_kind("each phase of a lateral join", block, Block, "Block('P2', 4)")
    if block.phase in DECORATED:
        raise InputError(
            f"{block.phase} holds metals between its slabs: it joins O3 side by side on one oxygen lattice, without "
            "any slip or flip; use build.domains with a Ribbon for that, and give its O3 stacking here."
        )
    if "T2" in block.gap_names:
        raise InputError(
            f"{block.phase} stands half a letter off, where no Shockley vector leads; a lateral boundary needs whole "
            "letters: P2, O2, O3, P3, O1 and what they make up."
        )
    return list(block.gap_names)


def _rows(line: str, lengths_A: Sequence[float], own: Sequence[Heights]) -> tuple[int, int]:
    require_list("lengths_A", lengths_A, NUMBER, "(30.0, 30.0)")
    if len(lengths_A) != 2:
        raise InputError(f"lengths_A = {lengths_A!r}; give the lengths of the left and the right domain, A.")
    for side, length in zip(SIDES, lengths_A, strict=True):
        require_number(f"lengths_A ({side})", length, 1.0, 1e4)
    ideal = [length / row_A(line, h.a_A) for length, h in zip(lengths_A, own, strict=True)]
    rows = [max(2, round(n)) for n in ideal]
    if sum(rows) % 2:
        rows[int(np.argmax(np.array(ideal) - rows))] += 1
    return rows[0], rows[1]


def _frame(alignment: Alignment, own: Sequence[Heights], share: Floats, where: tuple) -> Frame:
    line, rows, settings = where
    a_A = common_a_A(np.array([h.a_A for h in own]), share, settings.strain)
    period = a_A * (math.sqrt(3.0) if line == "armchair" else 1.0)
    repeats = settings.repeats or math.ceil(settings.limits.image_A / period - 1e-9)
    half = sum(rows) // 2
    matrix = orthogonal(half, repeats) if line == "armchair" else orthogonal(repeats, half)
    slab = float(share @ [h.slab_A for h in own])
    galleries = sum(
        part * np.array([h.gallery_A(gap) for gap in stack.gaps()])
        for part, h, stack in zip(share, own, (alignment.left, alignment.right), strict=True)
    )
    return Frame(alignment.left, np.array(matrix), a_A, np.full(len(alignment.left), slab), galleries)


def _heights(block: Block) -> Heights:
    heights = own_heights(block)
    if heights.ratio != 1.0 or heights.lean != 0.0:
        raise InputError(
            f"{block.phase} has a distorted plane, the boundaries of this builder a hexagonal one; join the "
            "undistorted phase and strain the finished cell (build.distorted)."
        )
    return heights


def _over(block: Block, count: int, rotation: int) -> Region:
    """The block repeated over the common slabs, lists per slab and gallery starting at the rotation."""
    composition, changes = block.composition, {}
    for name in ("content", "metals"):
        values = getattr(composition, name)
        if isinstance(values, tuple):
            values = values * (count // len(values))
            changes[name] = values[rotation:] + values[:rotation]
    return Region(block.phase, replace(composition, **changes))


def _centres(block: Block, count: int, rotation: int) -> tuple[int, ...] | None:
    if block.centres is None:
        return None
    values = block.centres * (count // len(block.centres))
    return values[rotation:] + values[:rotation]


def _require_whole_honeycombs(domains: Domains) -> None:
    """A honeycomb repeats along <11-20> after three cells; along <10-10> every period holds it."""
    repeats = domains.frame.cells // sum(domains.rows)
    if any(domains.centres) and domains.line == "zigzag" and repeats % 3:
        raise InputError(
            f"repeats = {repeats} along a zigzag line hold no whole honeycomb cells, whose centres the block names; "
            f"use repeats = {3 * repeats} or line='armchair'."
        )


def _require_strain(domains: Domains, settings: LateralSettings) -> None:
    found = domains.strains_percent()
    names = [region.phase for region in domains.regions]
    line = [found[f"strain_line_{side}_percent"] for side in SIDES]
    checks.require(checks.strain_problems(line, names, settings.max_strain_percent))
    for side, name in zip(SIDES, names, strict=True):
        strain = found[f"strain_c_{side}_percent"]
        if abs(strain) > settings.max_c_strain_percent + 1e-9:
            raise InputError(
                f"the {side} domain ({name}) would be strained by {strain:+.2f} % along the stacking axis, which both "
                f"domains share; the limit is {settings.max_c_strain_percent:g} %: bring the gallery heights closer "
                "(content, heights), or raise max_c_strain_percent."
            )
