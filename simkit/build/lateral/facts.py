"""What a lateral join says about itself: facts for the report, promises for the checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simkit.arrays import Floats
from simkit.build.check.limits import Limits, Rules
from simkit.build.composite import Composite, Fact
from simkit.build.lateral.domains import SIDES, Domains
from simkit.build.lateral.settings import LateralSettings
from simkit.build.lateral.walls import Layer, Walls
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs


def boundary_facts(domains: Domains) -> dict[str, Fact]:
    """Where the boundaries lie, how long the domains are and how they are strained."""
    start = float(domains.along_normal(np.array(domains.profile.start_A)))
    axis = domains.axis
    facts: dict[str, Fact] = {
        "line": domains.line,
        "normal_vector": "ab"[axis],
        "boundary_1_A": start,
        "boundary_2_A": start + domains.lengths_A[0] + domains.opening_A,
        "boundary_length_A": float(domains.cell[1 - axis, 1 - axis]),
        "boundary_area_A2": float(domains.cell[1 - axis, 1 - axis] * domains.cell[2, 2]),
        "slabs": len(domains.frame.stack),
        "slabs_moved": int(np.count_nonzero(domains.alignment.moved)),
        "slabs_flipped": int(domains.alignment.flipped.sum()),
    }
    for side, length, rows, stack in zip(SIDES, domains.lengths_A, domains.rows, domains.stacks, strict=True):
        facts[f"{side}_galleries"] = " ".join(stack.gaps())
        facts[f"{side}_length_A"] = float(length)
        facts[f"{side}_rows"] = rows
    return facts | domains.strains_percent()


def slip_facts(domains: Domains, settings: LateralSettings) -> dict[str, Fact]:
    """Burgers content of the boundaries and the slab strain at their cores."""
    a_A, slips = domains.frame.a_A, domains.alignment.slips
    edge = domains.axis
    slope = domains.profile.slope_per_A
    normal, shear = (np.abs(a_A * slips.centred[:, k]).max() * slope for k in (edge, 1 - edge))
    return {
        "mode": settings.mode,
        "width_A": float(settings.width_A),
        "slab_displacements_A": _vectors(a_A * slips.centred),
        "gallery_burgers_A": _vectors(a_A * slips.partials),
        "largest_burgers_A": float(np.linalg.norm(a_A * slips.partials, axis=1).max()),
        "burgers_sum_A": float(np.linalg.norm(a_A * slips.partials.sum(axis=0))),
        "core_strain": float(np.linalg.norm(a_A * slips.centred, axis=1).max() * slope),
        "core_normal_strain": float(normal),
        "core_shear_strain": float(shear),
    }


def ion_facts(done: Walls) -> dict[str, Fact]:
    """Ions wanted and placed in each domain, and how many sites the boundaries cost."""
    facts: dict[str, Fact] = {}
    for side, counts in zip(SIDES, done.counts, strict=True):
        facts[f"{side}_metals"] = sum(c.metals for c in counts)
        facts[f"{side}_ions"] = sum(c.placed for c in counts)
        facts[f"{side}_ions_missing"] = sum(c.wanted - c.placed for c in counts)
        facts[f"{side}_content"] = facts[f"{side}_ions"] / facts[f"{side}_metals"]
        facts[f"{side}_sites_lost"] = sum(c.metals - c.room for c in counts)
    return facts


def ion_warnings(done: Walls) -> list[str]:
    """Domains whose content could not be placed because the boundary took sites away."""
    texts = []
    for side, counts in zip(SIDES, done.counts, strict=True):
        wanted, placed, metals = (sum(getattr(c, name) for c in counts) for name in ("wanted", "placed", "metals"))
        if placed < wanted:
            texts.append(
                f"the {side} domain holds {placed} of {wanted} ions: its boundaries leave no room for the rest. Its "
                f"content is {placed / metals:.4f}, so its metals are oxidised; longer domains lose a smaller share."
            )
    return texts


def rules(domains: Domains, settings: LateralSettings) -> Rules:
    """What a lateral cell promises: its domains in columns, contents, strains and lengths, no net Burgers vector."""
    strains = domains.strains_percent()
    sums = domains.frame.a_A * domains.alignment.slips.partials.sum(axis=0)
    names = [f"{side} domain" for side in SIDES]
    return Rules(
        limits=replace(settings.limits, strain_percent=settings.max_strain_percent),
        columns=tuple(tuple(stack.gaps()) for stack in domains.stacks),
        normal="ab"[domains.axis],
        strains_percent={n: strains[f"strain_line_{side}_percent"] for n, side in zip(names, SIDES, strict=True)},
        lengths_A=dict(zip(names, domains.lengths_A, strict=True)),
        burgers_A={"the galleries at a boundary": tuple(float(x) for x in sums)},
        contents={side: region.composition.content for side, region in enumerate(domains.regions)},
    )


def warned(built: Composite, texts: Sequence[str]) -> Composite:
    """The composite with further warnings in its report."""
    return replace(built, report=replace(built.report, warnings=(*built.report.warnings, *texts)))


def require_room(domains: Domains, layers: Sequence[Layer], limits: Limits, remedy: str) -> None:
    """Refuse slabs whose own atoms come too close, with the three shortest distances and what to do."""
    points = [np.concatenate([x.positions for x in layers if x.role == role]) for role in ("anion", "metal")]
    asked = (
        ("oxygen and oxygen", points[0], points[0], limits.oxygen_oxygen_A),
        ("metal and oxygen", points[1], points[0], limits.metal_oxygen_A),
        ("metal and metal", points[1], points[1], limits.metal_metal_A),
    )
    for what, first, second, least in asked:
        apart = find_pairs(first, second, domains.cell, least).distance
        if len(apart):
            raise InputError(
                f"the boundary brings {what} to {apart.min():.2f} A, at least {least:.2f} A is needed: {remedy}."
            )


def _vectors(vectors: Floats) -> str:
    return "; ".join(f"{x:+.3f} {y:+.3f}" for x, y in vectors + 0.0)
