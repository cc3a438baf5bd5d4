"""Filling the report of a built cell from its plan, its atoms and its contacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.check.contacts import Contacts, face_problems, shortest_A
from simkit.build.check.coordination import histogram
from simkit.build.check.limits import Limits
from simkit.build.fill.entropy import entropy_label, mixing
from simkit.build.filling import Filling
from simkit.build.geometry import Frame
from simkit.build.gliding import glides_of, paths_of
from simkit.build.heights import Heights
from simkit.build.interfaces import all_equivalent, environments, interfaces_of, labels
from simkit.build.phases import DECORATED, Block
from simkit.build.plane import image_distance_A
from simkit.build.report import (
    BlockReport,
    GalleryReport,
    InterfaceReport,
    Report,
    SlabReport,
)
from simkit.build.sharing import Coherency, coherency, plane_strain
from simkit.structure import Structure


@dataclass(frozen=True)
class Ask:
    """What a report is asked for beside the cell: the seed to name, the limits to warn by, energies of galleries."""

    seed: int
    limits: Limits
    gallery_energies: Mapping[str, float] | None = None


STRAIN_REMARK = "expect coherency strain energy that grows with thickness"


@dataclass(frozen=True, eq=False)
class Plan:
    """Geometry agreed on before atoms are placed.

    block_of  (N,) block of gallery j; owner (N,) block of slab j, None where it is that of the gallery above
    """

    blocks: tuple[Block, ...]
    own: tuple[Heights, ...]
    frame: Frame
    block_of: Integers
    owner: Integers | None = None

    @property
    def strains_percent(self) -> Floats:
        """In-plane strain of each block relative to its own cell, the larger of the two sides', per cent."""
        strains = [plane_strain(h, self.frame.a_A, self.frame.ratio) for h in self.own]
        return np.array([100.0 * max(pair, key=abs) for pair in strains])

    @property
    def coherency(self) -> tuple[Coherency, ...]:
        """Coherency strain and elastic energy of every block."""
        thicknesses = [self.thickness_A(k) for k in range(len(self.blocks))]
        return coherency(self.blocks, self.own, (self.frame.a_A, self.frame.ratio), thicknesses)

    def slab_A(self, k: int) -> float:
        """Thickness of the slabs of block k, A."""
        mine = self.block_of == k
        own = mine if self.owner is None else mine & (self.owner == k)
        return float(self.frame.slabs_A[own if own.any() else mine].mean())

    def thickness_A(self, k: int) -> float:
        """Thickness of block k, one slab of its own per gallery, A."""
        mine = self.block_of == k
        return int(mine.sum()) * self.slab_A(k) + float(self.frame.galleries_A[mine].sum())

    @property
    def mismatch_percent(self) -> float:
        """Spread of the blocks' lattice parameters over their mean, per cent."""
        values = np.array([h.a_A for h in self.own])
        return float(100.0 * (values.max() - values.min()) / values.mean())


def summarise(plan: Plan, filling: Filling, structure: Structure, found: Contacts, ask: Ask) -> Report:
    """The report of a finished cell. Raises InputError where an energy of a gallery is missing."""
    frame = plan.frame
    shortest, interfaces = shortest_A(found), _interfaces(plan, filling)
    blocks = _blocks(plan, filling)
    image = image_distance_A(frame.cell[:2, :2])
    report = Report(
        formula=structure.formula,
        atoms=len(structure),
        counts=dict(sorted(Counter(structure.symbols).items())),
        stack=str(frame.stack),
        gaps=tuple(frame.stack.gaps()),
        sense_class=frame.stack.sense_class(),
        shear_letters=frame.stack.shear,
        a_A=float(frame.a_A),
        height_A=frame.height_A,
        image_distance_A=image,
        volume_per_oxygen_A3=structure.volume / int((found.kinds == 0).sum()),
        mismatch_percent=plan.mismatch_percent,
        blocks=blocks,
        galleries=_galleries(plan, filling),
        slabs=_slabs(plan, filling),
        interfaces=interfaces,
        interfaces_equivalent=all_equivalent(interfaces),
        shortest_A=shortest,
        coordination={k: table for k, table in _coordination(found, structure).items() if table or k != "T"},
        warnings=(*_warnings(blocks, interfaces, image, ask.limits), *face_problems(structure, ask.limits, found)),
        seed=ask.seed,
        glides=glides_of(frame.stack, [i.slab for i in interfaces], ask.gallery_energies),
        paths=paths_of(frame.stack, plan.blocks if interfaces else ()),
        senses="".join("+" if slab.s > 0 else "-" for slab in frame.stack.slabs),
    )
    return report


def _coordination(found: Contacts, structure: Structure) -> dict[str, dict[str, int]]:
    return {kind: histogram(found, kind, structure.numbers) for kind in ("M", "A", "T")}


def _galleries(plan: Plan, filling: Filling) -> tuple[GalleryReport, ...]:
    made, cells = filling.scaffold, plan.frame.cells
    requested = [0.0 if b.phase in DECORATED else x for b in plan.blocks for x in b.contents]
    records = []
    for j, kind in enumerate(plan.frame.stack.gaps()):
        inside, block = made.gallery == j, plan.blocks[plan.block_of[j]]
        ions = inside & filling.on("alkali") & (filling.symbols != "")
        records.append(
            GalleryReport(
                gallery=j,
                kind=kind,
                block=int(plan.block_of[j]),
                phase=block.phase,
                alkali=block.alkali,
                ions=int(ions.sum()),
                metals_per_slab=cells,
                content_requested=requested[j],
                content_reached=int(ions.sum()) / cells,
                ions_by_site=_by_site(made.kind[ions], filling.symbols[ions]),
                height_A=float(plan.frame.galleries_A[j]),
                cations=filling.counts(inside & ~filling.on("alkali")),
            )
        )
    return tuple(records)


def _by_site(kinds: np.ndarray, symbols: np.ndarray) -> dict[str, int]:
    tags = [str(k) if k == "oct" else f"{s}_{k}" for k, s in zip(kinds, symbols, strict=True)]
    return dict(sorted(Counter(tags).items()))


def _slabs(plan: Plan, filling: Filling) -> tuple[SlabReport, ...]:
    made = filling.scaffold
    part_of = {(part.slab, part.region): part for part in filling.parts}
    records = []
    for j, slab in enumerate(plan.frame.stack.slabs):
        mine = (made.layers == j) & filling.on("metal")
        counts, region = filling.counts(mine), int(made.region[mine][0])
        part = part_of.get((j, region)) or part_of[-1, region]
        guess = {symbol: float(value) for symbol, value in part.valences.items() if symbol in counts}
        numbers = float(part.mean), float(part.low), float(part.high)
        records.append(SlabReport(j, str(slab), region, counts, *numbers, guess))
    return tuple(records)


def _blocks(plan: Plan, filling: Filling) -> tuple[BlockReport, ...]:
    records = []
    for k, (block, own, strained) in enumerate(zip(plan.blocks, plan.own, plan.coherency, strict=True)):
        heights = plan.frame.galleries_A[plan.block_of == k]
        asked = block.composition
        metals = _fractions(filling.counts(filling.on("metal", k)))
        ions = _fractions(filling.counts(filling.on("alkali", k)))
        records.append(
            BlockReport(
                block=k,
                phase=block.phase,
                galleries=block.gaps,
                alkali=block.alkali,
                metals_requested=dict(asked.mean_metals),
                metals_reached={symbol: metals.get(symbol, 0.0) for symbol in asked.mean_metals if metals},
                content_requested=_content_asked(block),
                content_reached=_content_reached(filling, k),
                anions=_fractions(filling.counts(filling.on("anion", k))),
                dopants={symbol: x for symbol, x in ions.items() if symbol != block.alkali},
                tetrahedral=_fractions(filling.counts(filling.on("tetrahedral", k))),
                arrangement=block.arrangement,
                ordering=block.ordering,
                edge_face=_edge_face(filling, k),
                entropy_R=mixing(metals.values()),
                entropy_class=entropy_label(mixing(metals.values())),
                own_a_A=own.a_A,
                strain_percent=float(plan.strains_percent[k]),
                strain_x_percent=strained.misfit.strain_x_percent,
                strain_y_percent=strained.misfit.strain_y_percent,
                normal_percent=strained.normal_percent,
                elastic_J_per_m2=strained.energy_J_per_m2,
                elastic_meV_per_unit=strained.energy_meV_per_unit,
                slab_A=plan.slab_A(k),
                galleries_A={g: float(h) for g, h in zip(block.gap_names, heights, strict=True)},
                thickness_A=plan.thickness_A(k),
            )
        )
    return tuple(records)


def _fractions(counts: dict[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {symbol: n / total for symbol, n in counts.items()}


def _content_asked(block: Block) -> float:
    if block.phase == "rock-salt" or (block.phase in DECORATED and not block.tetrahedral):
        return 0.0
    return block.composition.mean_content


def _content_reached(filling: Filling, k: int) -> float:
    role = "tetrahedral" if filling.scaffold.regions[k].phase in DECORATED else "alkali"
    capacity = filling.capacity(role, k)
    return sum(filling.counts(filling.on(role, k)).values()) / capacity if capacity else 0.0


def _edge_face(filling: Filling, k: int) -> tuple[int, int] | None:
    kinds = filling.scaffold.kind[filling.on("alkali", k) & (filling.symbols != "")]
    found = int((kinds == "e").sum()), int((kinds == "f").sum())
    return found if sum(found) else None


def _interfaces(plan: Plan, filling: Filling) -> tuple[InterfaceReport, ...]:
    """Slabs at which another phase or composition begins, and what is seen from them upwards and downwards."""
    found = interfaces_of(plan.blocks)
    seen = _environments(plan, filling) if found else ()
    return tuple(InterfaceReport(i.slab, i.below, i.above, seen[i.slab]) for i in found)


def _environments(plan: Plan, filling: Filling) -> tuple[str, ...]:
    """Digest of the surroundings of each slab: galleries, requested compositions and the kinds of metal sites."""
    gaps, made = plan.frame.stack.gaps(), filling.scaffold
    metal = filling.on("metal")
    asked, galleries = labels(plan.blocks)
    slabs = list(asked)
    for j in range(len(gaps)):
        owner = int(made.region[metal & (made.layers == j)][0])
        if owner != plan.block_of[j]:
            slabs[j] = asked[int(np.flatnonzero(plan.block_of == owner)[-1])]
        slabs[j] += _kinds(made.kind[metal & (made.layers == j)])
        galleries[j] += _kinds(made.kind[metal & (made.gallery == j)])
    return environments(gaps, slabs, galleries)


def _kinds(kinds: np.ndarray) -> str:
    return " ".join(sorted(set(kinds.tolist())))


def _warnings(
    blocks: Sequence[BlockReport],
    interfaces: tuple[InterfaceReport, ...],
    image: float,
    limits: Limits,
) -> list[str]:
    texts = []
    for b in blocks:
        name = f"block {b.block} ({b.phase})"
        if abs(b.strain_percent) > limits.strain_warning_percent:
            texts.append(f"{name} is strained by {b.strain_percent:+.2f} % in plane; {STRAIN_REMARK}.")
        if len(blocks) > 1 and b.galleries < limits.block_galleries:
            number = "1 gallery" if b.galleries == 1 else f"{b.galleries} galleries"
            texts.append(f"{name} has {number}; fewer than {limits.block_galleries}: all interface.")
        texts += _composition_warnings(b, name, limits)
    if not all_equivalent(interfaces):
        texts.append("interfaces of one pair of phases see different sheets; their energy is a mean over both.")
    if image < limits.image_A:
        texts.append(f"in-plane images are {image:.2f} A apart, below {limits.image_A:g} A: defects see themselves.")
    return texts


def _composition_warnings(b: BlockReport, name: str, limits: Limits) -> list[str]:
    texts = []
    if abs(b.content_reached - b.content_requested) > limits.content:
        texts.append(f"{name} has content {b.content_reached:.4f} where {b.content_requested:.4f} was asked.")
    for symbol, reached in b.metals_reached.items():
        asked = b.metals_requested[symbol]
        if abs(reached - asked) > limits.content:
            texts.append(f"{name} has {symbol} {reached:.4f} where {asked:.4f} was asked.")
    return texts
