"""Core and shell of two compositions or two phases: basal sandwich, ribbon, prism, particle; sharp or graded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from operator import attrgetter

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import require_kind, require_number, require_record, require_whole
from simkit.build.assemble import Model, intergrowth, own_heights
from simkit.build.composite import Composite
from simkit.build.fill.counts import spread_tables
from simkit.build.heights import Heights
from simkit.build.lateral.flip import lateral_flip
from simkit.build.lateral.flip_search import FlipSettings
from simkit.build.lateral.glide import lateral
from simkit.build.phases import Block
from simkit.build.scaffold import Scaffold
from simkit.build.shapes.decoration import Domain, decorated
from simkit.build.shapes.domains import DomainPlan, DomainSettings, built, plan, require_present, settings_from
from simkit.build.shapes.shape import Everywhere, Offset, Ribbon, Shape
from simkit.build.shapes.shape_table import shape_from_dict, shape_to_dict
from simkit.build.stacking import Stack
from simkit.errors import InputError, nearest

PROFILES = ("linear", "erf")
REPEATS = (6, 6)
LEAST_A = 0.01
"""Least width of a gradient, A."""
WHOLE_BLOCK = {"domains.strain", "domains.max_strain_percent"}
"""Settings that a basal core and shell follow."""


@dataclass(frozen=True)
class Gradient:
    """A composition that passes from core to shell over width_A (A), centred on the surface of the core, in steps.

    profile  "linear", or "erf": (1 + erf(2 x / width)) / 2
    """

    width_A: float
    steps: int = 4
    profile: str = "linear"

    def __post_init__(self) -> None:
        object.__setattr__(self, "width_A", require_number("width_A of a gradient", self.width_A, LEAST_A))
        object.__setattr__(self, "steps", require_whole("steps of a gradient", self.steps, 1))
        if not isinstance(self.profile, str) or self.profile not in PROFILES:
            raise InputError(f"profile {self.profile!r} is unknown; {nearest(str(self.profile), PROFILES)}")

    def shares(self) -> Floats:
        """(steps,) fraction of the core composition in each step, from the shell inwards."""
        x = (np.arange(self.steps) + 0.5) / self.steps
        if self.profile == "linear":
            return x
        return np.array([0.5 * (1.0 + math.erf(2.0 * (v - 0.5))) for v in x])


@dataclass(frozen=True)
class CoreShellSettings:
    """Less common choices of `core_shell`.

    gradient  None: a sharp edge
    shell_A   width of the shell of a ribbon whose two phases do not share their oxygen lattice, A
    domains   how domains on one lattice are strained and checked
    """

    gradient: Gradient | None = None
    shell_A: float = 30.0
    domains: DomainSettings = field(default_factory=DomainSettings)

    def __post_init__(self) -> None:
        if self.gradient is not None:
            require_kind("gradient", self.gradient, Gradient, "Gradient(8.0, steps=4)")
        object.__setattr__(self, "shell_A", require_number("shell_A", self.shell_A, LEAST_A))
        require_kind("domains", self.domains, DomainSettings, "DomainSettings(strain='equal')")


def core_shell(
    core: Block,
    shell: Block,
    shape: Shape | str,
    repeats: Sequence = REPEATS,
    seed: int = 0,
    settings: CoreShellSettings | None = None,
) -> Composite | Model:
    """A core inside a shell.

    shape  "basal": core and shell alternate along the layer normal (`intergrowth`, each with its own gaps); a
           ribbon, prism, ellipsoid or layers: the core has this shape on the anion lattice that both share (same
           phase, or O3 with spinel or rock-salt); a ribbon of two other phases: `lateral` where their senses are
           equal, `lateral_flip` where not. There the ribbon gives the width of the core from 0, settings.shell_A
           that of the shell; repeats, gradient and settings.domains stay at their defaults
    With a gradient every step holds whole atoms: systematic sampling of the profile over the steps, then over the
    slabs and galleries of each. Raises InputError where the phases cannot be joined in this shape, where core or
    shell holds no site, for a choice that has no effect in this shape, or
    as the builder it passes the request to. Not promised: that the edge is of lowest energy.
    """
    settings = CoreShellSettings() if settings is None else settings
    require_kind("settings", settings, CoreShellSettings, "CoreShellSettings(shell_A=20.0)")
    for name, block in (("core", core), ("shell", shell)):
        require_kind(name, block, Block, "Block('O3', 3, {'Ni': 1.0})")
    if isinstance(shape, str) and shape == "basal":
        return _basal(core, shell, repeats, seed, settings)
    if not isinstance(shape, Shape) or isinstance(shape, Everywhere):
        raise InputError(f"shape {shape!r} is no core; use 'basal' or a ribbon, prism, ellipsoid, sphere or layers.")
    if core.gap_names != shell.gap_names:
        return _joined(core, shell, shape, repeats, seed, settings)
    _require_default(settings, {f"domains.{f.name}" for f in fields(DomainSettings)}, "on one anion lattice")
    recipe = {
        "core": core.to_dict(),
        "shell": shell.to_dict(),
        "shape": shape_to_dict(shape),
        "repeats": np.asarray(repeats).tolist(),
        "settings": asdict(settings),
    }
    if settings.gradient is None:
        found = plan(shell, [Domain(core, shape)], repeats, settings.domains)
    else:
        found = _graded(core, shell, shape, repeats, settings)
    require_present(found, (0, len(found.regions) - 1))
    return built("core_shell", found, seed, recipe)


def rebuild_core_shell(recipe: Mapping) -> Composite | Model:
    """The cell a recipe of `core_shell` describes."""
    table = require_record("settings", recipe["settings"], CoreShellSettings)
    if table.get("gradient") is not None:
        table["gradient"] = Gradient(**require_record("gradient", table["gradient"], Gradient))
    if "domains" in table:
        table["domains"] = settings_from(table["domains"])
    settings = CoreShellSettings(**table)
    blocks = Block.from_dict(recipe["core"]), Block.from_dict(recipe["shell"])
    return core_shell(*blocks, shape_from_dict(recipe["shape"]), recipe["repeats"], recipe["seed"], settings)


def _basal(core: Block, shell: Block, repeats: Sequence, seed: int, settings: CoreShellSettings) -> Model:
    if settings.gradient is not None:
        raise InputError(
            "a basal gradient is a list of metals per slab: give the block metals=[...] and content=[...] instead."
        )
    _require_default(settings, WHOLE_BLOCK, "in a basal core and shell")
    strain = "thickness" if settings.domains.strain == "share" else settings.domains.strain
    return intergrowth([core, shell], repeats, strain, seed, settings.domains.max_strain_percent)


def _require_default(settings: CoreShellSettings, used: set[str], where: str) -> None:
    """Raise InputError for a choice other than its default that has no effect in this kind of core and shell."""
    default = CoreShellSettings()
    names = ["shell_A", *(f"domains.{f.name}" for f in fields(DomainSettings))]
    for name in names:
        found, usual = attrgetter(name)(settings), attrgetter(name)(default)
        if name not in used and found != usual:
            raise InputError(f"settings.{name} = {found!r} has no effect {where}; leave it out ({usual!r}).")


def _joined(
    core: Block, shell: Block, shape: Shape, repeats: Sequence, seed: int, settings: CoreShellSettings
) -> Composite:
    if not isinstance(shape, Ribbon):
        raise InputError(
            f"a {core.phase} core in a {shell.phase} shell does not share one oxygen lattice, which this shape needs; "
            "use a ribbon or 'basal'."
        )
    where = f"where {core.phase} and {shell.phase} are joined side by side"
    _require_default(settings, {"shell_A"}, where)
    if settings.gradient is not None:
        raise InputError(f"a gradient has no effect {where}; it needs one phase. Leave it out.")
    if not np.array_equal(np.asarray(repeats), REPEATS):
        raise InputError(f"repeats = {repeats!r} has no effect {where}: the widths set the cell; leave it out.")
    if shape.from_A != 0:
        raise InputError(f"from_A = {shape.from_A:g} of the ribbon has no effect {where}; give from 0 to its width.")
    lengths = (shape.to_A - shape.from_A, settings.shell_A)
    senses = [Stack.from_gaps(block.gap_names).sense_class() for block in (core, shell)]
    if senses[0] == senses[1]:
        return lateral(core, shell, shape.line, lengths, seed)
    return lateral_flip(core, shell, lengths, seed, search_settings=FlipSettings(lines=(shape.line,)))


def _graded(core: Block, shell: Block, shape: Shape, repeats: Sequence, settings: CoreShellSettings) -> DomainPlan:
    """The plan whose steps hold exact counts: first with the smooth profile, then with what its sites can hold."""
    gradient = settings.gradient
    if core.phase != shell.phase or core.alkali != shell.alkali:
        raise InputError(
            f"a gradient from {core.phase} ({core.alkali}) to {shell.phase} ({shell.alkali}) would mix phases or "
            "alkali ions; grade compositions of one phase, or leave the gradient out."
        )
    for block in (core, shell):
        if not isinstance(block.content, float) or not isinstance(block.metals, Mapping):
            raise InputError(
                "a gradient runs between two compositions; give core and shell one table of metals and one content, "
                "not lists per slab or gallery."
            )
    for name in ("sites", "arrangement", "ordering", "variant", "oxygen_u"):
        if getattr(core, name) != getattr(shell, name):
            raise InputError(
                f"{name} = {getattr(core, name)!r} in the core and {getattr(shell, name)!r} in the shell cannot be "
                "graded; give both the same."
            )
    width, steps = gradient.width_A, gradient.steps
    mixed = [_mixed(core, shell, float(share)) for share in gradient.shares()]
    growth = [0.5 * width - i * width / steps for i in range(steps)] + [-0.5 * width]
    blocks = [_mixed(core, shell, 0.0), *mixed, _mixed(core, shell, 1.0)]
    shapes = [Offset(shape, by) for by in growth]
    smooth = plan(blocks[0], [Domain(b, s) for b, s in zip(blocks[1:], shapes, strict=True)], repeats, settings.domains)
    exact = _sampled(blocks, smooth, settings.domains.edges)
    parts = [Domain(b, s) for b, s in zip(exact[1:], shapes, strict=True)]
    return plan(exact[0], parts, repeats, settings.domains)


def _mixed(core: Block, shell: Block, share: float) -> Block:
    """A block between shell (share 0) and core (share 1); its heights are those of that mean composition, or the
    means of both where one of them has its own."""

    def mean(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
        names = dict.fromkeys([*first, *second])
        values = {s: share * first.get(s, 0.0) + (1 - share) * second.get(s, 0.0) for s in names}
        return {s: x for s, x in values.items() if x > 1e-9}

    filled = [{s: block.content * x for s, x in block.tetrahedral.items()} for block in (core, shell)]
    tetrahedral = mean(*filled)
    total = sum(tetrahedral.values())
    block = replace(
        shell,
        metals=mean(core.metals, shell.metals),
        content=share * core.content + (1 - share) * shell.content,
        anions=mean(core.anions, shell.anions),
        dopants=mean(core.dopants, shell.dopants),
        tetrahedral={s: x / total for s, x in tetrahedral.items()},
        heights=None,
        cell=None,
    )
    given = any(b.heights is not None or b.cell is not None for b in (core, shell))
    return replace(block, heights=_between(core, shell, share) if given else own_heights(block))


def _between(core: Block, shell: Block, share: float) -> Heights:
    """Lengths between those of shell (share 0) and core (share 1)."""
    one, two = own_heights(core), own_heights(shell)

    def at(name: str) -> float:
        return share * getattr(one, name) + (1 - share) * getattr(two, name)

    galleries = {g: share * one.gallery_A(g) + (1 - share) * two.gallery_A(g) for g in dict.fromkeys(core.gap_names)}
    return Heights(at("a_A"), at("slab_A"), galleries, at("ratio"), at("lean"))


def _sampled(blocks: Sequence[Block], smooth: DomainPlan, edges: str) -> list[Block]:
    """The blocks with the fractions that whole atoms on their sites reach, totals nearest to the profile.

    Filling shares each region's counts out over its slabs and galleries, again whole and by systematic sampling.
    """
    made, _, _ = decorated(smooth.table, smooth.frame, smooth.regions, edges)
    held = "tetrahedral" if blocks[0].phase == "spinel" else "alkali"
    atoms = _whole([b.metals for b in blocks], _sizes(made, "metal"))
    ions = [b.tetrahedral or {b.alkali: 1.0} for b in blocks]
    filled = [{s: b.content * x for s, x in table.items()} for b, table in zip(blocks, ions, strict=True)]
    filled = _whole(
        [{**table, "": 1.0 - b.content} for b, table in zip(blocks, filled, strict=True)], _sizes(made, held)
    )
    result = []
    for block, metals, cations in zip(blocks, atoms, filled, strict=True):
        empty = cations.pop("", 0)
        total = sum(cations.values())
        content = total / (total + empty) if total + empty else block.content
        changed = {"metals": _fractions(metals) or dict(block.metals), "content": content}
        if held == "tetrahedral":
            changed["tetrahedral"] = _fractions(cations) or dict(block.tetrahedral)
        result.append(replace(block, **changed))
    return result


def _whole(tables: Sequence[Mapping[str, float]], sizes: Integers) -> list[dict[str, int]]:
    """Atoms of each region: whole numbers that follow a table of fractions each, totals nearest to their sum."""
    names = list(dict.fromkeys(s for table in tables for s in table))
    rows = spread_tables(np.array([[table.get(s, 0.0) for s in names] for table in tables]), sizes)
    return [{s: n for s, n in zip(names, row, strict=True) if n} for row in rows.tolist()]


def _fractions(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {s: n / total for s, n in counts.items()}


def _sizes(made: Scaffold, role: str) -> Integers:
    """(regions,) atoms of a role that each region may hold; of two kinds that exclude each other only one counts."""
    mine = [s for s in made.strata if s.role == role]
    return np.bincount([s.region for s in mine], [s.capacity for s in mine], len(made.regions)).astype(np.int64)
