"""Filling the report of a built cell from its plan, its atoms and its contacts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.checks import Contacts, Limits, coordination, shortest_A
from simkit.build.geometry import Frame
from simkit.build.heights import Heights
from simkit.build.phases import Block
from simkit.build.plane import image_distance_A
from simkit.build.report import BlockReport, GalleryReport, InterfaceReport, Report, SlabReport
from simkit.build.stacking import flipped
from simkit.build.valence import required_valences, slab_valences, window
from simkit.structure import Structure

STRAIN_REMARK = "expect coherency strain energy that grows with thickness"


@dataclass(frozen=True, eq=False)
class Plan:
    """Geometry agreed on before atoms are placed; block_of (N,) block of gallery j and of the slab under it."""

    blocks: tuple[Block, ...]
    own: tuple[Heights, ...]
    frame: Frame
    block_of: Integers

    @property
    def strains_percent(self) -> Floats:
        """In-plane strain of each block relative to its own lattice parameter, per cent."""
        return np.array([100.0 * (self.frame.a_A / h.a_A - 1.0) for h in self.own])

    @property
    def mismatch_percent(self) -> float:
        """Spread of the blocks' lattice parameters over their mean, per cent."""
        values = np.array([h.a_A for h in self.own])
        return float(100.0 * (values.max() - values.min()) / values.mean())


def summarise(plan: Plan, structure: Structure, found: Contacts, seed: int, limits: Limits) -> Report:
    """The report of a finished cell."""
    frame = plan.frame
    galleries = _galleries(plan, structure)
    shortest = shortest_A(found)
    interfaces = _interfaces(plan)
    blocks = _blocks(plan, structure, galleries)
    image = image_distance_A(frame.cell[:2, :2])
    anions = int((found.kinds == 0).sum())
    return Report(
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
        volume_per_oxygen_A3=structure.volume / anions,
        mismatch_percent=plan.mismatch_percent,
        blocks=blocks,
        galleries=galleries,
        slabs=_slabs(plan, structure, galleries),
        interfaces=interfaces,
        interfaces_equivalent=_equivalent(interfaces),
        shortest_A=shortest,
        coordination={kind: _histogram(found, kind) for kind in ("M", "A")},
        warnings=tuple(_warnings(blocks, image, shortest, limits)),
        seed=int(seed),
    )


def _galleries(plan: Plan, structure: Structure) -> tuple[GalleryReport, ...]:
    requested = [x for b in plan.blocks for x in b.contents]
    records = []
    for j, kind in enumerate(plan.frame.stack.gaps()):
        inside = structure.tags["gallery"] == j
        block = int(plan.block_of[j])
        ions, cells = int(inside.sum()), plan.frame.cells
        by_site = dict(sorted(Counter(structure.tags["site"][inside].tolist()).items()))
        chosen = plan.blocks[block]
        records.append(
            GalleryReport(
                gallery=j,
                kind=kind,
                block=block,
                phase=chosen.phase,
                alkali=chosen.alkali,
                ions=ions,
                metals_per_slab=cells,
                content_requested=requested[j],
                content_reached=ions / cells,
                ions_by_site=by_site,
                height_A=float(plan.frame.galleries_A[j]),
            )
        )
    return tuple(records)


def _slabs(plan: Plan, structure: Structure, galleries: tuple[GalleryReport, ...]) -> tuple[SlabReport, ...]:
    needed = required_valences([g.content_reached for g in galleries])
    records = []
    for j, slab in enumerate(plan.frame.stack.slabs):
        metals = (structure.layers == j) & (structure.tags["site"] == "TM")
        counts = dict(sorted(Counter(structure.take(metals).symbols).items()))
        low, high = window(counts)
        guess = slab_valences(counts, float(needed[j]))
        block = int(plan.block_of[j])
        records.append(SlabReport(j, str(slab), block, counts, float(needed[j]), low, high, guess))
    return tuple(records)


def _blocks(plan: Plan, structure: Structure, galleries: tuple[GalleryReport, ...]) -> tuple[BlockReport, ...]:
    records = []
    for k, (block, own, strain) in enumerate(zip(plan.blocks, plan.own, plan.strains_percent, strict=True)):
        mine = [g for g in galleries if g.block == k]
        metals = (structure.tags["block"] == k) & (structure.tags["site"] == "TM")
        counts = Counter(structure.take(metals).symbols)
        total = sum(counts.values())
        slabs = plan.frame.slabs_A[plan.block_of == k]
        records.append(
            BlockReport(
                block=k,
                phase=block.phase,
                galleries=block.gaps,
                alkali=block.alkali,
                metals_requested=dict(block.metals),
                metals_reached={symbol: counts[symbol] / total for symbol in block.metals},
                content_requested=sum(block.contents) / block.gaps,
                content_reached=sum(g.ions for g in mine) / total,
                own_a_A=own.a_A,
                strain_percent=float(strain),
                slab_A=float(slabs[0]),
                galleries_A={g.kind: g.height_A for g in mine},
                thickness_A=float(slabs.sum() + sum(g.height_A for g in mine)),
            )
        )
    return tuple(records)


def _interfaces(plan: Plan) -> tuple[InterfaceReport, ...]:
    """Shared slabs; the environment is the gallery sequence seen upwards and, turned over, downwards."""
    gaps, phases = plan.frame.stack.gaps(), [plan.blocks[k].phase for k in plan.block_of]
    n = len(gaps)
    records = []
    for j in range(n):
        if plan.block_of[j - 1] == plan.block_of[j] or phases[j - 1] == phases[j]:
            continue
        up = "-".join(gaps[(j + i) % n] for i in range(n))
        down = "-".join(flipped(gaps[(j - 1 - i) % n]) for i in range(n))
        records.append(InterfaceReport(j, phases[j - 1], phases[j], " / ".join(sorted((up, down)))))
    return tuple(records)


def _equivalent(interfaces: tuple[InterfaceReport, ...]) -> bool:
    seen: dict[frozenset[str], set[str]] = {}
    for i in interfaces:
        seen.setdefault(frozenset((i.below, i.above)), set()).add(i.environment)
    return all(len(kinds) == 1 for kinds in seen.values())


def _histogram(found: Contacts, kind: str) -> dict[str, int]:
    _, numbers = coordination(found, kind)
    return {str(n): int((numbers == n).sum()) for n in np.unique(numbers)}


def _warnings(blocks: tuple[BlockReport, ...], image: float, shortest: dict[str, float], limits: Limits) -> list[str]:
    texts = []
    for b in blocks:
        name = f"block {b.block} ({b.phase})"
        if abs(b.strain_percent) > limits.strain_warning_percent:
            texts.append(f"{name} is strained by {b.strain_percent:+.2f} % in plane; {STRAIN_REMARK}.")
        if len(blocks) > 1 and b.galleries < limits.block_galleries:
            texts.append(f"{name} has {b.galleries} galleries; fewer than {limits.block_galleries}: all interface.")
        texts += _composition_warnings(b, name, limits)
    if image < limits.image_A:
        texts.append(f"in-plane images are {image:.2f} A apart, below {limits.image_A:g} A: defects see themselves.")
    if shortest.get("A-M", np.inf) < limits.face_sharing_A:
        texts.append(f"alkali and metal share faces of their polyhedra ({shortest['A-M']:.2f} A apart).")
    return texts


def _composition_warnings(b: BlockReport, name: str, limits: Limits) -> list[str]:
    texts = []
    if abs(b.content_reached - b.content_requested) > limits.content:
        texts.append(f"{name} has content {b.content_reached:.4f} where {b.content_requested:.4f} was asked.")
    for symbol, asked in b.metals_requested.items():
        reached = b.metals_reached[symbol]
        if abs(reached - asked) > limits.content:
            texts.append(f"{name} has {symbol} {reached:.4f} where {asked:.4f} was asked.")
    return texts
