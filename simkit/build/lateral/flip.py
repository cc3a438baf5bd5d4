"""Lateral boundaries between phases of unequal sense class: slabs cut, shifted and opened where their sense flips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_kind
from simkit.build.check.limits import Limits, Rules
from simkit.build.composite import Composite, Fact, composite
from simkit.build.lateral.domains import APRON, Domains, plan
from simkit.build.lateral.facts import (
    boundary_facts,
    ion_facts,
    ion_warnings,
    require_room,
    rules,
    slip_facts,
    warned,
)
from simkit.build.lateral.flip_search import BOND_A, FlipCandidate, FlipSettings, rank_key, search
from simkit.build.lateral.settings import LateralSettings
from simkit.build.lateral.walls import Layer, slid_layers, walls
from simkit.build.phases import Block
from simkit.build.plane import HEXAGONAL, LETTER
from simkit.build.stacking import Slab
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

PARTIALS = LateralSettings(mode="minburgers")
"""Every gallery slips by one partial: half a perfect dislocation would be a stacking of its own beside the cut."""
SLACK_A = 0.05
"""What the slips on either side may take from an oxygen distance at the cut, A."""
ACROSS_A = 5.0
"""How far distances across a cut are looked for, A."""


def lateral_flip(
    left: Block,
    right: Block,
    lengths_A: Sequence[float] = (30.0, 30.0),
    seed: int = 0,
    settings: LateralSettings | None = None,
    search_settings: FlipSettings | None = None,
) -> Composite:
    """Two phases of unequal sense class side by side: the fewest slabs possible change their sense at the boundary.

    A slab whose sense changes is cut, its right part set on the same metal lattice with the mirror-image anions,
    shifted along the line and moved away by the opening; every cut keeps whole rows, so the cell is
    stoichiometric. The other slabs run through. On either side the slabs then slip, as in `lateral`, to the letters
    of the two phases. Which cut, shift and opening: entry `rank` of `flip_candidates`.

    left, right, lengths_A, seed   see `lateral`
    settings         None: "minburgers" slips, else as in `lateral`
    search_settings  grid, least distances, lines and rank

    Such boundaries cost several times a glide boundary and hold free volume; relax the first few candidates with the
    normal cell vector free and keep the lowest. Metals at the boundary may have fewer than six anions. Raises
    InputError where the senses are equal (see `lateral`, or ask for a twin), no candidate keeps the distances, or
    the cell fails a check.
    """
    settings, grid = _settings(settings, search_settings)
    found = flip_candidates(left, right, lengths_A, settings, grid)
    if grid.rank >= len(found):
        raise InputError(f"rank = {grid.rank}; the search found {len(found)} candidates, 0 is the best.")
    chosen = found[grid.rank]
    domains = _opened(plan((left, right), chosen.line, lengths_A, True, settings), chosen)
    layers = _layers(domains, chosen)
    limits = _limits(settings.limits, grid)
    require_room(domains, layers, limits, "take a larger width_A, or another rank")
    done = walls(domains, layers, settings.limits)
    recipe = {
        "left": left.to_dict(),
        "right": right.to_dict(),
        "lengths_A": [float(length) for length in lengths_A],
        "settings": settings.to_dict(),
        "search": {**asdict(grid), "lines": list(grid.lines)},
    }
    facts = {
        **boundary_facts(domains),
        **_flip_facts(domains, chosen, layers, len(found)),
        **slip_facts(domains, settings),
    }
    promised = _rules(rules(domains, settings), limits, chosen)
    built = composite("lateral_flip", done.scaffold, seed, {**facts, **ion_facts(done)}, recipe, promised)
    return warned(built, ion_warnings(done))


def rebuild_lateral_flip(recipe: Mapping) -> Composite:
    """The cell a `lateral_flip` recipe describes."""
    blocks = Block.from_dict(recipe["left"]), Block.from_dict(recipe["right"])
    settings, grid = LateralSettings.from_dict(recipe["settings"]), FlipSettings(**recipe["search"])
    return lateral_flip(*blocks, recipe["lengths_A"], recipe["seed"], settings, grid)


def flip_candidates(
    left: Block,
    right: Block,
    lengths_A: Sequence[float] = (30.0, 30.0),
    settings: LateralSettings | None = None,
    search_settings: FlipSettings | None = None,
) -> tuple[FlipCandidate, ...]:
    """Distinct boundaries on the grid that keep the distances, best first; `lateral_flip` builds any by its rank.

    Raises InputError where the senses are equal and no twin is asked for, or nothing on the grid is admissible.
    """
    settings, grid = _settings(settings, search_settings)
    found = []
    for line in grid.lines:
        domains = plan((left, right), line, lengths_A, True, settings)
        _require_unequal(domains, grid)
        _require_middle(domains, settings.width_A)
        slips = bool(np.any(domains.alignment.slips.slabs))
        asked = replace(grid, oxygen_oxygen_A=grid.oxygen_oxygen_A + (SLACK_A if slips else 0.0))
        found += search(domains.frame.a_A, float(domains.frame.slabs_A[0]), line, asked)
    if not found:
        raise InputError(
            f"none of the {grid.shifts} shifts, {grid.cuts} x {grid.cuts} cuts and openings up to "
            f"{grid.largest_opening_A:g} A keeps oxygen {grid.oxygen_oxygen_A:g}, metal {grid.metal_metal_A:g} and "
            f"metal to oxygen {grid.metal_oxygen_A:g} A apart; allow a larger opening (0.6 to 0.9 A is usual)."
        )
    return tuple(sorted(found, key=rank_key))


def _settings(settings: object, grid: object) -> tuple[LateralSettings, FlipSettings]:
    pair = settings or PARTIALS, grid or FlipSettings()
    require_kind("settings", pair[0], LateralSettings, "LateralSettings(width_A=8.0)")
    require_kind("search_settings", pair[1], FlipSettings, "FlipSettings(rank=1)")
    return pair


def _require_unequal(domains: Domains, grid: FlipSettings) -> None:
    left, right = (stack.sense_class() for stack in domains.stacks)
    if left == right and not grid.twin:
        raise InputError(
            f"both phases have sense class {left}: no slab needs to flip. Use lateral, or twin=True for the boundary "
            "between a phase and its twin with all senses inverted."
        )


def _require_middle(domains: Domains, width_A: float) -> None:
    least = 2.0 * (APRON + 0.5) * width_A if np.any(domains.alignment.slips.slabs) else 0.0
    if min(domains.lengths_A) < least:
        raise InputError(
            f"the slabs slip up to {0.5 * least:.1f} A on either side of a boundary (width_A = {width_A:g}), which "
            f"leaves no middle in a domain of {min(domains.lengths_A):.1f} A; take at least {least:.1f} A, or "
            "a smaller width_A."
        )


def _opened(domains: Domains, chosen: FlipCandidate) -> Domains:
    rigid = np.zeros(2)
    rigid[domains.axis] = chosen.cuts_A[0] - chosen.cuts_A[1] + chosen.opening_A
    rigid[1 - domains.axis] = chosen.shift_A
    return replace(domains, opening_A=chosen.opening_A, rigid_A=(float(rigid[0]), float(rigid[1])))


def _layers(domains: Domains, chosen: FlipCandidate) -> list[Layer]:
    """Layers of all slabs: those that keep their sense run through, the others are cut and opened."""
    through = slid_layers(domains)
    layers = []
    for j, flips in enumerate(domains.alignment.flipped):
        layers += _cut_slab(domains, j, chosen) if flips else [layer for layer in through if layer.slab == j]
    return layers


def _cut_slab(domains: Domains, j: int, chosen: FlipCandidate) -> list[Layer]:
    frame, axis = domains.frame, domains.axis
    slip = frame.a_A * domains.alignment.slips.centred[j]
    height, thickness = frame.bottoms_A[j], frame.slabs_A[j]
    slabs = frame.stack.slabs[j], Slab(frame.stack.slabs[j].z, domains.alignment.right.slabs[j].s)
    edges = _edges(domains, j, chosen)
    layers = []
    for name, role, share in (("lower", "anion", 0.0), ("z", "metal", 0.5), ("upper", "anion", 1.0)):
        parts, numbers = [], []
        for side, slab in enumerate(slabs):
            points = frame.layer(getattr(slab, name), height + share * thickness)
            points = _window(points, axis, (*edges[side], domains.profile.length_A))
            numbers.append(domains.sublattice(points, j, np.full(len(points), side == 0)))
            parts.append(domains.slipped(points, slip))
        parts[1][:, :2] += domains.rigid_A
        left = np.repeat([True, False], [len(part) for part in parts])
        layers.append(Layer(np.concatenate(parts), left, j, role, np.concatenate(numbers)))
    return layers


def _edges(domains: Domains, j: int, chosen: FlipCandidate) -> tuple[tuple[float, float], tuple[float, float]]:
    """First and last coordinate along the normal (in `frame`) of the left and of the right part of slab j.

    The cut lies where the search put it, seen from the slab's own metal rows, as near to the turn as can be.
    """
    profile = domains.profile
    rows = sum(domains.rows)
    row = profile.length_A / rows
    metal = float((domains.frame.stack.slabs[j].z * LETTER @ HEXAGONAL)[domains.axis]) * domains.frame.a_A
    step = (metal + chosen.cuts_A[0] - profile.turn_A) % row
    cut = profile.turn_A + step - (row if step > 0.5 * row else 0.0)
    other = cut - chosen.cuts_A[0] + chosen.cuts_A[1]
    return (cut - domains.rows[0] * row, cut), (other, other + domains.rows[1] * row)


def _window(points: Floats, axis: int, window: tuple[float, float, float]) -> Floats:
    """Points whose coordinate along the normal falls into [first, last), brought there by whole periods."""
    first, last, period = window
    points = points.copy()
    points[:, axis] = (points[:, axis] - first + 1e-6) % period + first - 1e-6
    return points[points[:, axis] < last - 1e-6]


def _limits(limits: Limits, grid: FlipSettings) -> Limits:
    return replace(
        limits,
        oxygen_oxygen_A=min(limits.oxygen_oxygen_A, grid.oxygen_oxygen_A),
        metal_metal_A=min(limits.metal_metal_A, grid.metal_metal_A),
        metal_oxygen_A=min(limits.metal_oxygen_A, grid.metal_oxygen_A),
    )


def _rules(promised: Rules, limits: Limits, chosen: FlipCandidate) -> Rules:
    return replace(
        promised,
        limits=replace(
            promised.limits,
            oxygen_oxygen_A=limits.oxygen_oxygen_A,
            metal_metal_A=limits.metal_metal_A,
            metal_oxygen_A=limits.metal_oxygen_A,
        ),
        coordination={"TM": tuple(range(min(chosen.lowest, 6), 7))},
    )


def _flip_facts(domains: Domains, chosen: FlipCandidate, layers: Sequence[Layer], count: int) -> dict[str, Fact]:
    """The candidate that was built, and what its cuts look like in the cell, slips and strains included."""
    bonds, oxygen_A, metal_A = _at_cuts(domains, layers)
    lacking = int((bonds != 6).sum())
    metals = sum(len(layer.positions) for layer in layers if layer.role == "metal")
    return {
        "candidates": count,
        "shift_A": chosen.shift_A,
        "cut_left_A": chosen.cuts_A[0],
        "cut_right_A": chosen.cuts_A[1],
        "opening_A": chosen.opening_A,
        "free_area_A2": 2.0 * chosen.opening_A * float(domains.cell[1 - domains.axis, 1 - domains.axis]),
        "boundary_bond_A": BOND_A,
        "boundary_lowest_anions": int(bonds.min()),
        "boundary_metals_lacking": lacking,
        "six_coordinate_percent": 100.0 * (1.0 - lacking / metals),
        "boundary_oxygen_oxygen_A": oxygen_A,
        "boundary_metal_oxygen_A": metal_A,
    }


def _at_cuts(domains: Domains, layers: Sequence[Layer]) -> tuple[Integers, float, float]:
    """Anions within `BOND_A` of each metal of the flipped slabs, and the shortest O-O and M-O across their cuts, A."""
    mine = [layer for layer in layers if domains.alignment.flipped[layer.slab]]
    anions, metals = (
        [np.concatenate([getattr(x, name) for x in mine if x.role == role]) for name in ("positions", "left")]
        for role in ("anion", "metal")
    )
    bonded = find_pairs(metals[0], anions[0], domains.cell, BOND_A).point
    bonds = np.bincount(bonded, minlength=len(metals[0]))
    return bonds, _across(anions, anions, domains.cell), _across(metals, anions, domains.cell)


def _across(first: Sequence[np.ndarray], second: Sequence[np.ndarray], cell: Floats) -> float:
    """Shortest distance between points of different domains, infinite above `ACROSS_A`; each is positions, left."""
    pairs = find_pairs(first[0], second[0], cell, ACROSS_A)
    return float(pairs.distance[first[1][pairs.point] != second[1][pairs.atom]].min(initial=np.inf))
