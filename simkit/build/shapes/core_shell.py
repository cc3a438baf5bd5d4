"""Core and shell of two compositions or two phases: basal sandwich, ribbon, prism, particle; sharp or graded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.assemble import Model, intergrowth, own_heights
from simkit.build.composite import Composite
from simkit.build.fill.counts import spread_tables
from simkit.build.lateral.flip import lateral_flip
from simkit.build.lateral.flip_search import FlipSettings
from simkit.build.lateral.glide import lateral
from simkit.build.phases import Block
from simkit.build.shapes.decoration import Domain, first_kind
from simkit.build.shapes.domains import DomainPlan, DomainSettings, built, plan, settings_from
from simkit.build.shapes.shape import Offset, Ribbon, Shape
from simkit.build.shapes.shape_table import shape_from_dict, shape_to_dict
from simkit.build.shapes.sites import ION, METAL
from simkit.build.stacking import Stack
from simkit.errors import InputError, nearest

PROFILES = ("linear", "erf")


@dataclass(frozen=True)
class Gradient:
    """A composition that passes from core to shell over width_A (A), centred on the surface of the core, in steps.

    profile  "linear", or "erf": (1 + erf(2 x / width)) / 2
    """

    width_A: float
    steps: int = 4
    profile: str = "linear"

    def __post_init__(self) -> None:
        if not 0 < self.width_A < math.inf or isinstance(self.steps, bool) or int(self.steps) != self.steps:
            raise InputError(f"a gradient of {self.width_A!r} A in {self.steps!r} steps; give a positive width in A.")
        if self.steps < 1:
            raise InputError(f"steps = {self.steps}; a gradient needs at least one step.")
        if self.profile not in PROFILES:
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


def core_shell(
    core: Block,
    shell: Block,
    shape: Shape | str,
    repeats: Sequence = (6, 6),
    seed: int = 0,
    settings: CoreShellSettings | None = None,
) -> Composite | Model:
    """A core inside a shell.

    shape  "basal": core and shell alternate along the layer normal (`intergrowth`, each with its own gaps); a
           ribbon, prism, ellipsoid or layers: the core has this shape on the anion lattice that both share (same
           phase, or O3 with spinel or rock-salt); a ribbon of two other phases: `lateral` where their senses are
           equal, `lateral_flip` where not
    With a gradient every step holds whole atoms: systematic sampling of the profile over the steps, then over the
    slabs and galleries of each. Raises InputError where the phases cannot be joined in
    this shape, or as the builder it passes the request to. Not promised: that the edge is of lowest energy.
    """
    settings = settings or CoreShellSettings()
    if shape == "basal":
        return _basal(core, shell, repeats, seed, settings)
    if isinstance(shape, str):
        raise InputError(f"shape {shape!r} is no core; use 'basal' or a ribbon, prism, ellipsoid, sphere or layers.")
    if core.gap_names != shell.gap_names:
        return _joined(core, shell, shape, seed, settings)
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
    return built("core_shell", found, seed, recipe)


def rebuild_core_shell(recipe: Mapping) -> Composite | Model:
    """The cell a recipe of `core_shell` describes."""
    table = dict(recipe["settings"])
    gradient = None if table["gradient"] is None else Gradient(**table["gradient"])
    settings = CoreShellSettings(gradient, table["shell_A"], settings_from(table["domains"]))
    blocks = Block.from_dict(recipe["core"]), Block.from_dict(recipe["shell"])
    return core_shell(*blocks, shape_from_dict(recipe["shape"]), recipe["repeats"], recipe["seed"], settings)


def _basal(core: Block, shell: Block, repeats: Sequence, seed: int, settings: CoreShellSettings) -> Model:
    if settings.gradient is not None:
        raise InputError(
            "a basal gradient is a list of metals per slab: give the block metals=[...] and content=[...] instead."
        )
    strain = "thickness" if settings.domains.strain == "share" else settings.domains.strain
    return intergrowth([core, shell], repeats, strain, seed, settings.domains.max_strain_percent)


def _joined(core: Block, shell: Block, shape: Shape, seed: int, settings: CoreShellSettings) -> Composite:
    if not isinstance(shape, Ribbon):
        raise InputError(
            f"a {core.phase} core in a {shell.phase} shell does not share one oxygen lattice, which this shape needs; "
            "use a ribbon or 'basal'."
        )
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
    width, steps = gradient.width_A, gradient.steps
    mixed = [_mixed(core, shell, float(share)) for share in gradient.shares()]
    growth = [0.5 * width - i * width / steps for i in range(steps)] + [-0.5 * width]
    blocks = [_mixed(core, shell, 0.0), *mixed, _mixed(core, shell, 1.0)]
    shapes = [Offset(shape, by) for by in growth]
    smooth = plan(blocks[0], [Domain(b, s) for b, s in zip(blocks[1:], shapes, strict=True)], repeats, settings.domains)
    exact = _sampled(blocks, smooth)
    parts = [Domain(b, s) for b, s in zip(exact[1:], shapes, strict=True)]
    return plan(exact[0], parts, repeats, settings.domains)


def _mixed(core: Block, shell: Block, share: float) -> Block:
    """A block between shell (share 0) and core (share 1); its heights are those of that mean composition."""

    def mean(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
        names = dict.fromkeys([*first, *second])
        values = {s: share * first.get(s, 0.0) + (1 - share) * second.get(s, 0.0) for s in names}
        return {s: x for s, x in values.items() if x > 1e-9}

    one, two = core.composition, shell.composition
    block = replace(
        core if share > 0.5 else shell,
        metals=mean(one.mean_metals, two.mean_metals),
        content=share * one.mean_content + (1 - share) * two.mean_content,
        anions=mean(one.anions, two.anions),
        dopants=mean(one.dopants, two.dopants),
        heights=None,
        cell=None,
    )
    return replace(block, heights=own_heights(block))


def _sampled(blocks: Sequence[Block], smooth: DomainPlan) -> list[Block]:
    """The blocks with the fractions that whole atoms on their sites reach, totals nearest to the profile.

    Filling shares each region's counts out over its slabs and galleries, again whole and by systematic sampling.
    """
    names = list(dict.fromkeys(s for b in blocks for s in b.metals))
    metals = np.array([[b.metals.get(s, 0.0) for s in names] for b in blocks])
    contents = np.array([[b.content, 1.0 - b.content] for b in blocks])
    atoms = spread_tables(metals, _sizes(smooth, METAL, len(blocks)))
    ions = spread_tables(contents, _sizes(smooth, ION, len(blocks)))
    result = []
    for block, row, (filled, empty) in zip(blocks, atoms, ions.tolist(), strict=True):
        table = {s: n / int(row.sum()) for s, n in zip(names, row.tolist(), strict=True) if n}
        content = filled / (filled + empty) if filled + empty else 0.0
        result.append(replace(block, metals=table or dict(block.metals), content=content))
    return result


def _sizes(smooth: DomainPlan, sort: int, count: int) -> Integers:
    """(regions,) sites of one sort; of two kinds that exclude each other the one a full gallery takes."""
    mine = (smooth.table.sort == sort) & first_kind(smooth.table.kind)
    return np.bincount(smooth.region[mine], minlength=count)
