"""Coherent stacks of phases: `bulk` for one, `intergrowth` for several; the checked Model they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from simkit.arrays import Integers
from simkit.build import checks
from simkit.build.arguments import (
    require_kind,
    require_list,
    require_number,
    require_record,
    require_whole,
)
from simkit.build.checks import Limits
from simkit.build.decorated import owned
from simkit.build.fill.charges import part_problems
from simkit.build.filling import Filling
from simkit.build.geometry import Frame
from simkit.build.occupy import candidates, occupy
from simkit.build.own import own_heights
from simkit.build.phases import Block
from simkit.build.plane import repeat_matrix
from simkit.build.report import Report
from simkit.build.scaffold import Scaffold
from simkit.build.sharing import common_plane, fitted, imposed_plane, require_mode
from simkit.build.sites import Sites
from simkit.build.stacked import scaffold
from simkit.build.stacking import Stack
from simkit.build.summary import Ask, Plan, summarise
from simkit.errors import InputError, nearest
from simkit.structure import Structure

EXAMPLE = "[Block('P2', 4), Block('O3', 3)]"
CLOSURES = ("auto", "strict", "shear")
IN_PLANE_A = (2.4, 3.6)
"""In-plane lattice parameters that `Heights` takes, A."""


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
    gallery_energies  gallery name -> energy per formula unit, meV, by which the report says how hard each shared slab
              is locked (`interlock_scores`); None: it says only what gliding makes of its galleries

    Raises InputError naming the field, the value and what is allowed.
    """

    closure: str = "auto"
    a_A: float | None = None
    thinning: float | str | None = None
    gallery_share: float | None = None
    limits: Limits = field(default_factory=Limits)
    gallery_energies: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.closure not in CLOSURES:
            raise InputError(f"closure {self.closure!r} is unknown; {nearest(str(self.closure), CLOSURES)}")
        if self.a_A is not None:
            require_number("a_A", self.a_A, *IN_PLANE_A)
        if isinstance(self.thinning, str) and self.thinning != "elastic":
            raise InputError(f"thinning = {self.thinning!r}; give a number (2 C13 / C33) or 'elastic'.")
        if self.thinning is not None and self.thinning != "elastic":
            require_number("thinning", self.thinning)
        if self.gallery_share is not None:
            require_number("gallery_share", self.gallery_share, 0, 1)
        require_kind("limits", self.limits, Limits, "Limits(oxygen_oxygen_A=2.3)")
        if self.gallery_energies is not None:
            require_kind("gallery_energies", self.gallery_energies, Mapping, '{"P2": 10.0, "O3": 0.0}')
            given = {str(k): require_number(f"gallery_energies[{k!r}]", x) for k, x in self.gallery_energies.items()}
            object.__setattr__(self, "gallery_energies", given)


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


@dataclass(frozen=True)
class StackRecord:
    """Fields of the recipe of a stack."""

    blocks: list[dict]
    repeats: list
    strain: str
    seed: int
    max_strain_percent: float
    settings: dict
    kind: str = "stack"


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
    settings = _settings(settings)
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
    blocks = require_list("blocks", blocks, Block, EXAMPLE)
    if len(blocks) < 2:
        raise InputError(f"{len(blocks)} block(s) make no intergrowth; give two or more, or use `bulk`.")
    return _build(list(blocks), repeats, strain, seed, max_strain_percent, _settings(settings))


def rebuild(recipe: dict) -> Model:
    """The model a recipe describes (`Model.recipe`, also after a round trip through JSON).

    Raises InputError for what is no record of a stack, naming the field.
    """
    fields = require_record("the recipe of a stack", recipe, StackRecord)
    records = require_list("blocks", fields["blocks"], Mapping, "the list of records that the recipe held")
    settings = require_record("settings", fields["settings"], Settings)
    settings["limits"] = Limits(**require_record("limits", settings.get("limits", {}), Limits))
    arguments = fields["strain"], fields["seed"], fields["max_strain_percent"]
    return _build([Block.from_dict(record) for record in records], fields["repeats"], *arguments, Settings(**settings))


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
    report = summarise(plan, filling, structure, found, Ask(int(seed), settings.limits, settings.gallery_energies))
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
    require_list("blocks", blocks, Block, EXAMPLE)
    require_whole("seed", seed, 0)
    require_number("max_strain_percent", max_strain_percent, 0)


def _settings(settings: Settings | None) -> Settings:
    if settings is None:
        return Settings()
    require_kind("settings", settings, Settings, "Settings(closure='strict')")
    return settings


def _plan(blocks: list[Block], repeats: Sequence, strain: str, settings: Settings) -> Plan:
    require_mode(strain, len(blocks))
    stack = Stack.from_gaps([g for b in blocks for g in b.gap_names], settings.closure)
    own = [own_heights(b) for b in blocks]
    plane = common_plane(blocks, own, strain) if settings.a_A is None else imposed_plane(settings.a_A, own)
    elastic = strain == "elastic" and settings.a_A is None
    thinning = settings.thinning if settings.thinning is not None else "elastic" if elastic else 0.0
    strained = [fitted(h, plane, thinning, settings.gallery_share) for h in own]
    block_of = np.repeat(np.arange(len(blocks)), [b.gaps for b in blocks])
    slabs = np.array([strained[k].slab_A for k in block_of])
    galleries = np.array([strained[k].gallery_A(gap) for k, gap in zip(block_of, stack.gaps(), strict=True)])
    leans = np.array([own[k].lean * slab.s for k, slab in zip(block_of, stack.slabs, strict=True)])
    frame = Frame(stack, repeat_matrix(repeats), plane[0], slabs, galleries, plane[1], leans)
    return Plan(tuple(blocks), tuple(own), frame, block_of)
