"""Lateral boundaries between phases of equal sense class: shared slabs that slip by a displacement field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simkit.build import checks
from simkit.build.arguments import require_kind
from simkit.build.composite import Composite, composite
from simkit.build.lateral.burgers import burgers_problems
from simkit.build.lateral.domains import Domains, plan
from simkit.build.lateral.facts import (
    boundary_facts,
    ion_facts,
    ion_warnings,
    require_room,
    rules,
    slip_facts,
    warned,
)
from simkit.build.lateral.settings import LateralSettings
from simkit.build.lateral.walls import slid_layers, walls
from simkit.build.phases import Block
from simkit.errors import InputError

NARROWEST_ZIGZAG_A = 8.0
"""Least width of a zigzag boundary whose slabs slip in more than two ways: narrower ones bring metal and oxygen to
1.6 A, A."""


def lateral(
    left: Block,
    right: Block,
    line: str = "armchair",
    lengths_A: Sequence[float] = (30.0, 30.0),
    seed: int = 0,
    settings: LateralSettings | None = None,
) -> Composite:
    """Two phases of equal sense class side by side, their slabs running through both.

    Slab j of the right domain is displaced by u_j(x) = (delta_j - <delta>) f(x), delta_j Shockley vectors
    a/3 <10-10> and f two opposite erf steps, so every gallery changes its kind at two partial dislocations of
    opposite sign per period. The largest slab strain is |delta_j - <delta>| 2 / (w sqrt(pi)).

    left, right  one period of each phase; repeated to the same number of slabs where they differ
    line       "armchair": boundary along <10-10>, pure screw partials; "zigzag": along <11-20>
    lengths_A  of the two domains along the normal; rounded to whole rows
    seed       draws metals and ions; the same seed gives the same cell byte for byte

    Contents are ions per slab metal of the domain. Gallery and slab heights are the means of both phases by domain
    length; across the boundary each phase keeps its own lattice parameter. Raises InputError, with numbers and a
    remedy, for equal sides, unequal senses (see `lateral_flip`), strains over the limit, a boundary too narrow for
    its slips or a cell that fails a check. The cell is a start for relaxation, in which opposite boundaries attract.
    """
    settings = settings or LateralSettings()
    require_kind("settings", settings, LateralSettings, "LateralSettings(width_A=8.0)")
    domains = plan((left, right), line, lengths_A, False, settings)
    _require_difference(domains)
    _require_width(domains, settings)
    layers = slid_layers(domains)
    wider = f"widen it (width_A is {settings.width_A:g}), or take line='armchair' or mode='minburgers'"
    require_room(domains, layers, settings.limits, wider)
    done = walls(domains, layers, settings.limits)
    recipe = {
        "left": left.to_dict(),
        "right": right.to_dict(),
        "line": line,
        "lengths_A": [float(length) for length in lengths_A],
        "settings": settings.to_dict(),
    }
    facts = {**boundary_facts(domains), **slip_facts(domains, settings), **ion_facts(done)}
    checks.require(burgers_problems(domains.frame.a_A * domains.alignment.slips.partials, domains.frame.a_A))
    built = composite("lateral", done.scaffold, seed, facts, recipe, rules(domains, settings))
    return warned(built, ion_warnings(done))


def rebuild_lateral(recipe: Mapping) -> Composite:
    """The cell a `lateral` recipe describes."""
    blocks = Block.from_dict(recipe["left"]), Block.from_dict(recipe["right"])
    settings = LateralSettings.from_dict(recipe["settings"])
    return lateral(*blocks, recipe["line"], recipe["lengths_A"], recipe["seed"], settings)


def _require_difference(domains: Domains) -> None:
    """Refuse a join in which nothing changes at the boundary."""
    same = [domains.regions, domains.own, domains.centres]
    if not domains.alignment.moved.any() and all(pair[0] == pair[1] for pair in same):
        raise InputError(
            f"no slab moves and both sides hold the same: {domains.regions[0].phase} | {domains.regions[1].phase} "
            "would be one domain without a boundary. Give another phase, pattern or composition on one side, or use "
            "lateral_flip with twin=True for a twin."
        )


def _require_width(domains: Domains, settings: LateralSettings) -> None:
    kinds = len(np.unique(np.round(domains.alignment.slips.slabs, 6), axis=0))
    if domains.line == "zigzag" and kinds > 2 and settings.width_A < NARROWEST_ZIGZAG_A:
        raise InputError(
            f"width_A = {settings.width_A:g} is too narrow for a zigzag boundary whose slabs slip in {kinds} ways: "
            f"metals and oxygen would come to 1.6 A; use {NARROWEST_ZIGZAG_A:g} or more, or line='armchair'."
        )
    shortest = min(domains.lengths_A)
    if settings.width_A > shortest:
        raise InputError(
            f"width_A = {settings.width_A:g} exceeds the shorter domain of {shortest:.1f} A, which would have no "
            f"middle; use at most {shortest:.1f}, or longer domains."
        )
