"""Domains of any shape on one anion lattice: layered, spinel and rock-salt regions, or several compositions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build import checks
from simkit.build.arguments import require_kind, require_list, require_number, require_record, require_text
from simkit.build.assemble import own_heights
from simkit.build.check.limits import Limits, Rules
from simkit.build.composite import Composite
from simkit.build.geometry import Frame
from simkit.build.heights import Heights
from simkit.build.phases import DECORATED, Block
from simkit.build.plane import repeat_matrix
from simkit.build.shapes.decoration import Domain, decorated, painted
from simkit.build.shapes.finish import amounts, finished
from simkit.build.shapes.shape import Everywhere, Ribbon, Where
from simkit.build.shapes.sites import ION, METAL, SiteTable, at_heights, site_table
from simkit.build.stacking import Stack
from simkit.errors import InputError


@dataclass(frozen=True)
class DomainSettings:
    """Less common choices of `domains`.

    strain        common lattice: "share" (mean weighted by the metal sites of each region), "equal" or "fix:k"
    max_strain_percent  largest in-plane strain of a region (the common pitch along the normal is only reported)
    smoothing_A   width over which slab thickness changes from one region to the next, A
    edges         who gives way where a tetrahedral cation would share a face with an alkali site: "tetrahedral"
                  or "alkali" (to metals it always gives way)
    limits        what the finished cell must keep
    """

    strain: str = "share"
    max_strain_percent: float = 4.0
    smoothing_A: float = 2.0
    edges: str = "tetrahedral"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.edges not in ("tetrahedral", "alkali"):
            raise InputError(f"edges = {self.edges!r}; use 'tetrahedral' or 'alkali', the site that gives way.")
        require_text("strain", self.strain)
        require_number("max_strain_percent", self.max_strain_percent, 0.0)
        require_number("smoothing_A", self.smoothing_A, 0.0)
        require_kind("limits", self.limits, Limits, "Limits(oxygen_oxygen_A=2.2)")


def domains(
    matrix: Block,
    parts: Sequence[Domain],
    repeats: Sequence = (6, 6),
    seed: int = 0,
    settings: DomainSettings | None = None,
) -> Composite:
    """One continuous anion lattice, that of the matrix, whose cations change from domain to domain.

    matrix   phase and composition outside all domains; its gaps set the number of slabs
    parts    domains; where two overlap the later one counts, and none may vanish under later ones, nor the matrix
             unless a domain is Everywhere. A domain has the phase of the matrix with another composition, or, on an
             O3 matrix, is spinel (any variant) or rock-salt
    repeats  (n1, n2) of the primitive hexagonal cell, or a 2 x 2 matrix (`orthogonal(n1, n2)`)
    seed     draws metals and ions; the same seed gives the same cell byte for byte

    Metals and anions of every region keep their composition exactly, ions and tetrahedral cations on the sites that
    are left: tetrahedra that would share a face with a filled octahedron (with edges "alkali" the ions there instead)
    are left out, counted in report.facts and told as content asked and reached of what the region would hold. The
    facts also carry mean metal valence and strain of every region. All regions share one pitch along the normal;
    blocks on top of each other keep their own heights in `intergrowth`.
    Raises InputError where a phase does not share the lattice, a spinel cannot close, a strain passes the limit,
    a composition cannot be met, the charge cannot be balanced or the finished cell fails a check.
    Not promised: that the cut between the domains is the one of lowest energy.
    """
    settings = DomainSettings() if settings is None else settings
    require_kind("settings", settings, DomainSettings, "DomainSettings(edges='alkali')")
    require_kind("matrix", matrix, Block, "Block('O3', 3, {'Ni': 1.0})")
    parts = require_list("parts", parts, Domain, "[Domain(Block('rock-salt', 3, {'Ni': 1.0}), Prism(6.0))]")
    found = plan(matrix, parts, repeats, settings)
    covered = any(isinstance(part.shape, Everywhere) for part in parts)
    require_present(found, range(1 if covered else 0, len(parts) + 1))
    recipe = {
        "matrix": matrix.to_dict(),
        "parts": [part.to_dict() for part in parts],
        "repeats": np.asarray(repeats).tolist(),
        "settings": asdict(settings),
    }
    return built("domains", found, seed, recipe)


def rebuild_domains(recipe: Mapping) -> Composite:
    """The cell a recipe of `domains` describes."""
    matrix = Block.from_dict(recipe["matrix"])
    parts = [Domain.from_dict(table, matrix.gaps) for table in recipe["parts"]]
    settings = settings_from(recipe["settings"])
    return domains(matrix, parts, recipe["repeats"], recipe["seed"], settings)


@dataclass(frozen=True, eq=False)
class DomainPlan:
    """Geometry agreed on before sites are decorated; regions: the matrix everywhere, then the domains."""

    regions: tuple[Domain, ...]
    own: tuple[Heights, ...]
    frame: Frame
    table: SiteTable
    settings: DomainSettings

    @property
    def region(self) -> Integers:
        """(m,) region of every site of the table."""
        return painted(self.table, self.frame, self.regions)[0]


def plan(matrix: Block, parts: Sequence[Domain], repeats: Sequence, settings: DomainSettings) -> DomainPlan:
    """Frame and sites of a matrix with domains. Raises InputError where a phase does not share the lattice."""
    regions = (Domain(matrix, Everywhere()), *parts)
    _require_phases([part.block for part in regions])
    own = tuple(own_heights(part.block) for part in regions)
    _require_hexagonal(regions, own)
    stack, square = Stack.from_gaps(matrix.gap_names), repeat_matrix(repeats)
    frame = common_frame(stack, square, own, np.full(len(own), 1.0 / len(own)))
    table = site_table(frame)
    metals = painted(table, frame, regions)[0][table.sort == METAL]
    share = np.bincount(metals, minlength=len(own)) / len(metals)
    frame = common_frame(stack, square, own, _weights(settings.strain, share))
    table = site_table(frame, tetrahedra=any(part.block.phase in DECORATED for part in regions))
    slab_A = local_slabs(table.where(frame), frame, regions, own, settings.smoothing_A)
    return DomainPlan(regions, own, frame, table.moved_to(at_heights(table, frame, slab_A)), settings)


def require_present(plan: DomainPlan, wanted: Iterable[int]) -> None:
    """Raise InputError where one of the regions (0 the matrix, then the domains) holds no site for a metal."""
    region = plan.region
    between = np.array([part.block.phase in DECORATED for part in plan.regions])[region]
    metals = (plan.table.sort == METAL) | ((plan.table.sort == ION) & between)
    sites = np.bincount(region[metals], minlength=len(plan.regions))
    for k in wanted:
        if not sites[k]:
            part = plan.regions[k]
            raise InputError(
                f"region {k} ({part.block.phase}, {part.shape}) holds none of the {metals.sum()} metal sites: its "
                "shape lies between them or others cover it; make it larger, move it, or put it after those."
            )


def built(kind: str, plan: DomainPlan, seed: int, recipe: Mapping[str, object]) -> Composite:
    """Decorate, fill and check a plan."""
    frame, settings = plan.frame, plan.settings
    present = np.unique(plan.region)
    names = [f"region_{k}_{plan.regions[k].block.phase}" for k in present]
    strains = [100.0 * (frame.a_A / plan.own[k].a_A - 1.0) for k in present]
    checks.require(checks.strain_problems(strains, names, settings.max_strain_percent))
    promised = dict(zip(names, strains, strict=True))
    shapes = {name: plan.regions[k].shape for k, name in zip(present, names, strict=True)}
    lengths = {name: s.to_A - s.from_A for name, s in shapes.items() if isinstance(s, Ribbon)}
    gaps = tuple(frame.stack.gaps())
    made, dropped, lost = decorated(plan.table, frame, plan.regions, settings.edges)
    why = "they would share faces or edges with filled ones; in a larger region fewer do"
    held = amounts(made, lost, why)
    rules = Rules(settings.limits, gaps=gaps, strains_percent=promised, lengths_A=lengths, amounts=held)
    facts = {"a_A": frame.a_A, "height_A": frame.height_A}
    for k, name, strain in zip(present, names, strains, strict=True):
        height = sum(plan.own[k].slab_A + plan.own[k].gallery_A(gap) for gap in gaps)
        facts[f"{name}_strain_percent"] = strain
        facts[f"{name}_normal_strain_percent"] = 100.0 * (frame.height_A / height - 1.0)
    return finished(kind, made, seed, {**facts, **dropped}, recipe, rules)


def settings_from(table: Mapping) -> DomainSettings:
    """Settings from their table (`asdict`), limits included. Raises InputError for a table that is none."""
    table = require_record("settings", table, DomainSettings)
    if "limits" in table:
        table["limits"] = Limits(**require_record("limits", table["limits"], Limits))
    return DomainSettings(**table)


def common_frame(stack: Stack, matrix: np.ndarray, own: Sequence[Heights], weights: Sequence[float]) -> Frame:
    """The frame with the weighted mean lattice parameter, slab thickness and gallery heights, A."""
    gaps = stack.gaps()
    a_A = float(np.average([h.a_A for h in own], weights=weights))
    slab = float(np.average([h.slab_A for h in own], weights=weights))
    galleries = np.average([[h.gallery_A(gap) for gap in gaps] for h in own], axis=0, weights=weights)
    return Frame(stack, matrix, a_A, np.full(len(stack), slab), galleries)


def local_slabs(
    where: Where, frame: Frame, regions: Sequence[Domain], own: Sequence[Heights], smoothing_A: float
) -> Floats:
    """(m,) A slab thickness at every site: that of the region, smoothed over the edges by a tanh.

    Layered regions keep their own slabs; in spinel and rock-salt all sheets are alike, half the common pitch.
    """
    result = np.zeros(len(where.positions))
    for part, heights in zip(regions, own, strict=True):
        cubic = part.block.phase in DECORATED
        slab_A = 0.5 * frame.height_A / len(frame.stack) if cubic else heights.slab_A
        depth = part.shape.member(where).depth_A
        share = 0.5 * (1.0 + np.tanh(depth / smoothing_A)) if smoothing_A else (depth >= 0).astype(float)
        result += share * (slab_A - result)
    return result


def _require_phases(blocks: Sequence[Block]) -> None:
    matrix = blocks[0]
    for block in blocks:
        for name, default in (("faces", ("K", "K")), ("elastic", None), ("centres", None)):
            if getattr(block, name) != default:
                raise InputError(
                    f"{name} = {getattr(block, name)!r} in block {block.phase} has no effect on a decorated anion "
                    "lattice; leave it out, or stack the blocks (`intergrowth`)."
                )
    for block in blocks[1:]:
        if block.gaps != matrix.gaps:
            raise InputError(
                f"a domain of {block.gaps} galleries in a matrix of {matrix.gaps}; give every domain gaps = "
                f"{matrix.gaps}, its shape says which layers it takes."
            )
        if block.gap_names != matrix.gap_names:
            raise InputError(
                f"a {block.phase} domain does not share the oxygen lattice of {matrix.phase}: O3, spinel and rock-salt "
                "share one; join other phases along c (`intergrowth`) or in the plane (`lateral`, `lateral_flip`)."
            )


def _require_hexagonal(regions: Sequence[Domain], own: Sequence[Heights]) -> None:
    for part, heights in zip(regions, own, strict=True):
        if heights.ratio != 1.0 or heights.lean:
            raise InputError(
                f"{part.block.phase} is distorted in plane (ratio {heights.ratio:.4g}, lean {heights.lean:.4g}); "
                "domains and twins are built on hexagonal layers: use the undistorted phase and relax."
            )


def _weights(strain: str, share: Floats) -> Floats:
    mode, _, number = strain.partition(":")
    if mode == "fix" and number.isdigit() and int(number) < len(share):
        return np.eye(len(share))[int(number)]
    if strain not in ("share", "equal"):
        raise InputError(
            f"strain = {strain!r}; use 'share', 'equal' or 'fix:k' with k from 0 (the matrix) to {len(share) - 1}."
        )
    return share if strain == "share" else np.full(len(share), 1.0 / len(share))
