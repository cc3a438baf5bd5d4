"""Coherent stacks of phases: `bulk` for one, `intergrowth` for several; the checked Model they return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from simkit.arrays import Integers
from simkit.build import checks
from simkit.build.checks import Limits
from simkit.build.decorated import owned
from simkit.build.distort import heights_of_cell
from simkit.build.fill.charges import part_problems
from simkit.build.filling import Filling
from simkit.build.geometry import Frame
from simkit.build.heights import Heights, default_heights
from simkit.build.occupy import candidates, occupy
from simkit.build.phases import DECORATED, Block
from simkit.build.plane import repeat_matrix
from simkit.build.polytypes import SHAPES
from simkit.build.report import Report
from simkit.build.scaffold import Scaffold
from simkit.build.sharing import common_plane, fitted
from simkit.build.sites import Sites
from simkit.build.spinel import decorated_heights
from simkit.build.stacked import scaffold
from simkit.build.stacking import Stack
from simkit.build.summary import Plan, summarise
from simkit.errors import InputError
from simkit.structure import Structure


@dataclass(frozen=True)
class Settings:
    """Less common choices of the builders.

    closure   "auto", "strict" or "shear" (`Stack.from_gaps`)
    a_A       in-plane lattice parameter to impose, A; None: from the strain mode
    thinning  heights change by -thinning times the in-plane strain (2 C13 / C33); 0: unchanged; "elastic": by
              each block's own elastic constants; None: "elastic" where the strain mode is, else 0
    gallery_share  part of that change which the galleries take, 0 to 1; None: slab and gallery alike, or
              `GALLERY_SHARE` where thinning is elastic
    limits    what the finished cell must keep
    """

    closure: str = "auto"
    a_A: float | None = None
    thinning: float | str | None = None
    gallery_share: float | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, eq=False)
class Model:
    """A built cell: structure with layers and tags, its stack, blocks, report, candidate sites and recipe.

    scaffold  every site of the cell, filled or empty; atom_of (m,) [0, sites) -> [0, atoms), -1 where empty
    """

    structure: Structure
    stack: Stack
    blocks: tuple[Block, ...]
    report: Report
    sites: Sites
    recipe: dict
    scaffold: Scaffold
    atom_of: Integers


def bulk(
    block: Block,
    repeats: Sequence = (1, 1),
    seed: int = 0,
    a_A: float | None = None,
    max_strain_percent: float = 4.0,
    settings: Settings | None = None,
) -> Model:
    """One phase alone, at its own in-plane lattice parameter or at a given one (a strained reference).

    a_A  in-plane lattice parameter, A; heights follow `Settings.thinning` (0: unchanged)
    Other arguments, errors and promises as for `intergrowth`.
    """
    settings = settings or Settings()
    settings = replace(settings, a_A=a_A) if a_A is not None else settings
    return _build([block], repeats, "equal", seed, max_strain_percent, settings)


def intergrowth(
    blocks: Sequence[Block],
    repeats: Sequence = (3, 3),
    strain: str = "equal",
    seed: int = 0,
    max_strain_percent: float = 4.0,
    settings: Settings | None = None,
) -> Model:
    """Blocks of two or more phases stacked coherently along the layer normal, sharing whole TMO2 slabs.

    blocks   from below; the slab under a gallery belongs to that gallery's block
    repeats  (n1, n2) of the primitive hexagonal cell, or a 2 x 2 matrix (`ROOT3`, `orthogonal(n1, n2)`)
    strain   common in-plane cell: "equal" mean of the blocks, "thickness" weighted mean, "fix:k" that of block k,
             "elastic" least elastic energy in plane stress, with Poisson thinning (needs `Heights.elastic`)
    seed     draws metals and ions; the same seed gives the same cell bit for bit
    max_strain_percent  largest in-plane strain of a block

    Raises InputError, with numbers and a remedy, where the stack cannot close, a strain passes the limit, a
    composition cannot be met, a slab's charge cannot be balanced or the finished cell fails a check.
    The cell is a start for relaxation; ion order is low in repulsion, not the ground state.
    """
    if len(blocks) < 2:
        raise InputError(f"{len(blocks)} block(s) make no intergrowth; give two or more, or use `bulk`.")
    return _build(list(blocks), repeats, strain, seed, max_strain_percent, settings or Settings())


def rebuild(recipe: dict) -> Model:
    """The model a recipe describes (`Model.recipe`, also after a round trip through JSON)."""
    blocks = [Block.from_dict(record) for record in recipe["blocks"]]
    settings = dict(recipe["settings"])
    settings["limits"] = Limits(**settings["limits"])
    arguments = recipe["strain"], recipe["seed"], recipe["max_strain_percent"]
    return _build(blocks, recipe["repeats"], *arguments, Settings(**settings))


def _build(
    blocks: list[Block], repeats: Sequence, strain: str, seed: int, max_strain_percent: float, settings: Settings
) -> Model:
    _require_arguments(blocks, seed, max_strain_percent)
    plan = _plan(blocks, repeats, strain, settings)
    checks.require(checks.strain_problems(plan.strains_percent, [b.phase for b in blocks], max_strain_percent))
    plan = owned(plan)
    sites = scaffold(plan)
    done = occupy(sites, seed)
    structure = done.structure
    filling = Filling.of(sites, structure, done.atom_of)
    checks.require(part_problems(filling.parts, [b.phase for b in blocks]))
    found = checks.contacts(structure, filling.kinds)
    checks.require(
        checks.distance_problems(structure, settings.limits, found)
        + checks.coordination_problems(structure, found)
        + checks.stacking_problems(structure, plan.frame.stack.gaps(), settings.limits)
    )
    report = summarise(plan, filling, structure, found, (seed, settings.limits))
    recipe = {
        "kind": "stack",
        "blocks": [b.to_dict() for b in blocks],
        "repeats": plan.frame.matrix.tolist(),
        "strain": strain,
        "seed": int(seed),
        "max_strain_percent": float(max_strain_percent),
        "settings": asdict(settings),
    }
    ions = candidates(sites, done.atom_of)
    return Model(structure, plan.frame.stack, tuple(blocks), report, ions, recipe, sites, done.atom_of)


def _require_arguments(blocks: list[Block], seed: int, max_strain_percent: float) -> None:
    for block in blocks:
        if not isinstance(block, Block):
            raise InputError(f"{block!r} is not a Block; write for example Block('P2', 4).")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed = {seed!r}; it must be a whole number, 0 or larger.")
    if not max_strain_percent >= 0:
        raise InputError(f"max_strain_percent = {max_strain_percent!r}; it must be a number, 0 or larger.")


def _plan(blocks: list[Block], repeats: Sequence, strain: str, settings: Settings) -> Plan:
    stack = Stack.from_gaps([g for b in blocks for g in b.gap_names], settings.closure)
    own = [own_heights(b) for b in blocks]
    plane = common_plane(blocks, own, strain) if settings.a_A is None else (settings.a_A, own[0].ratio)
    elastic = strain == "elastic" and settings.a_A is None
    thinning = settings.thinning if settings.thinning is not None else "elastic" if elastic else 0.0
    strained = [fitted(h, plane, thinning, settings.gallery_share) for h in own]
    block_of = np.repeat(np.arange(len(blocks)), [b.gaps for b in blocks])
    slabs = np.array([strained[k].slab_A for k in block_of])
    galleries = np.array([strained[k].gallery_A(gap) for k, gap in zip(block_of, stack.gaps(), strict=True)])
    leans = np.array([own[k].lean * slab.s for k, slab in zip(block_of, stack.slabs, strict=True)])
    frame = Frame(stack, repeat_matrix(repeats), plane[0], slabs, galleries, plane[1], leans)
    return Plan(tuple(blocks), tuple(own), frame, block_of)


def own_heights(block: Block) -> Heights:
    """The heights a block has by itself: given, of its published cell, or starting values from ionic radii."""
    heights = block.heights or _default(block)
    if block.elastic is not None:
        heights = replace(heights, elastic=block.elastic)
    if block.cell is None:
        return heights
    return heights_of_cell(block.cell, block.gap_names[: block.period], heights)


def _default(block: Block) -> Heights:
    if block.phase in DECORATED:
        return decorated_heights(block.phase, block.metals, block.tetrahedral)
    kinds = block.gap_names
    contents = {kind: [x for k, x in zip(kinds, block.contents, strict=True) if k == kind] for kind in set(kinds)}
    means = {kind: sum(contents[kind]) / len(contents[kind]) for kind in dict.fromkeys(kinds)}
    heights = default_heights(block.composition.mean_metals, block.alkali, means)
    ratio, lean = SHAPES.get(block.phase, (1.0, 0.0))
    return replace(heights, ratio=ratio, lean=lean)
