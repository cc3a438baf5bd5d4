"""Finite particles in vacuum, cut from any built cell: whole polyhedra, or the anions of the formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build import assemble
from simkit.build.arguments import require_kind, require_number, require_record, require_whole
from simkit.build.assemble import Model
from simkit.build.check.limits import Amount, Limits, Rules
from simkit.build.composite import Composite, composite
from simkit.build.fill.counts import stratum_counts
from simkit.build.phases import DECORATED
from simkit.build.plane import repeat_matrix
from simkit.build.scaffold import Scaffold
from simkit.build.shapes.core_shell import rebuild_core_shell
from simkit.build.shapes.cut import Cluster, cut, neighbours, trimmed
from simkit.build.shapes.domains import rebuild_domains
from simkit.build.shapes.shape import Ellipsoid, Offset, Prism, Where
from simkit.build.shapes.shape_table import shape_from_dict, shape_to_dict
from simkit.build.valence import ANION_VALENCE, ion_valence, tetrahedral_valence, window
from simkit.errors import InputError
from simkit.structure import Structure

SOURCES: Mapping[str, Callable[[dict], Model | Composite]] = MappingProxyType(
    {"stack": assemble.rebuild, "domains": rebuild_domains, "core_shell": rebuild_core_shell}
)
"""Kinds of cell a particle may be cut from -> what builds them again."""
KEEP = ("polyhedra", "formula")
SURFACE_METALS = tuple(range(3, 7))
SURFACE_IONS = tuple(range(3, 10))
"""Anions a metal and an ion may have at a surface."""


@dataclass(frozen=True)
class ParticleSettings:
    """Less common choices of `particle`.

    keep      "polyhedra": every kept metal keeps all its anions; "formula": the least bonded anions are left out
              until there are as many per metal as in the source
    ion_anions  least number of anions around an ion: 4, or 3 to let ions sit on open faces
    vacuum_A  between the particle and its image along every axis, A
    valence   mean metal valence to reach by the number of ions; None: as near to the content asked for as neutrality
              within the windows allows
    limits    distances the particle must keep
    """

    keep: str = "polyhedra"
    ion_anions: int = 4
    vacuum_A: float = 12.0
    valence: float | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.keep not in KEEP:
            raise InputError(f"keep = {self.keep!r}; use 'polyhedra' or 'formula'.")
        object.__setattr__(self, "ion_anions", require_whole("ion_anions", self.ion_anions, 3, 6))
        object.__setattr__(self, "vacuum_A", require_number("vacuum_A", self.vacuum_A, 5.0, 100.0))
        if self.valence is not None:
            object.__setattr__(self, "valence", require_number("valence", self.valence, 0.0, 8.0))
        require_kind("limits", self.limits, Limits, "Limits(oxygen_oxygen_A=2.2)")


def particle(
    source: Model | Composite,
    shape: Prism | Ellipsoid | Offset,
    seed: int = 0,
    settings: ParticleSettings | None = None,
) -> Composite:
    """A particle cut from a stack or from domains, in a cell with vacuum on all sides (periodic False).

    shape  what the metals must lie in: a prism keeps all slabs (the gallery at the top of the cell stays open), an
           ellipsoid or sphere is bounded along the normal too, and either may be grown (`Offset`). The sides of a
           hexagonal prism run along the close-packed rows. The source must be wide enough for it.
    The number of ions is chosen so that the particle is neutral; the report tells ions per metal as asked and
    reached, report.facts how many atoms at the surface lack neighbours. Raises InputError for a shape that is not
    bounded, where nothing is inside, the source is too small, no number of ions makes the particle neutral, or two
    atoms are too close. Not promised: a stable surface.
    """
    settings = ParticleSettings() if settings is None else settings
    require_kind("settings", settings, ParticleSettings, "ParticleSettings(keep='formula')")
    require_kind("source", source, (Model, Composite), "bulk(Block('O3', 3, {'Ni': 1.0}), (8, 8))")
    _require_finite(shape)
    if source.recipe.get("kind") not in SOURCES:
        raise InputError(f"a particle is cut from {', '.join(SOURCES)}; a {source.recipe.get('kind')} cell is none.")
    found = cut(source.scaffold, shape, _where(source), settings.ion_anions)
    if settings.keep == "formula":
        roles = Counter(source.scaffold.role.tolist())
        found = trimmed(found, roles["anion"] / roles["metal"], settings.ion_anions)
    boxed = _boxed(source.scaffold, found, settings.vacuum_A)
    made = _neutral(boxed, settings.valence)
    recipe = {"source": source.recipe, "shape": shape_to_dict(shape), "settings": asdict(settings)}
    tags = dict.fromkeys(np.unique(made.kind[made.role == "metal"]).tolist(), SURFACE_METALS)
    tags |= dict.fromkeys(_ion_tags(made), SURFACE_IONS)
    rules = Rules(settings.limits, coordination=tags, surface=True, amounts=_ions_per_metal(boxed, made))
    built = composite("particle", made, seed, {"vacuum_A": settings.vacuum_A}, recipe, rules)
    s = built.structure
    free = Structure(s.numbers, s.positions, s.cell, (False, False, False), s.layers, s.tags)
    report = replace(built.report, facts={**built.report.facts, **_surface_facts(made, built.atom_of)})
    return replace(built, structure=free, report=report)


def rebuild_particle(recipe: Mapping) -> Composite:
    """The cell a recipe of `particle` describes."""
    table = require_record("settings", recipe["settings"], ParticleSettings)
    if "limits" in table:
        table["limits"] = Limits(**require_record("limits", table["limits"], Limits))
    settings = ParticleSettings(**table)
    source = SOURCES[recipe["source"]["kind"]](recipe["source"])
    return particle(source, shape_from_dict(recipe["shape"]), recipe["seed"], settings)


def _where(source: Model | Composite) -> Where:
    scaffold = source.scaffold
    primitive = np.linalg.solve(repeat_matrix(source.recipe["repeats"]).astype(float), scaffold.cell[:2, :2])
    slabs = int(scaffold.layers.max()) + 1
    return Where(scaffold.positions, np.zeros(len(scaffold)), scaffold.cell, slabs, primitive)


def _require_finite(shape: object) -> None:
    body = shape
    while isinstance(body, Offset):
        body = body.of
    if not isinstance(body, Prism | Ellipsoid):
        raise InputError(f"a particle of shape {shape!r} is not bounded; give for example Prism(7.0) or sphere(8.0).")


def _ions_per_metal(asked: Scaffold, made: Scaffold) -> dict[tuple[int, str], Amount]:
    """Ions of every layered region by its metals: the content of the source and what neutrality leaves."""
    counts = stratum_counts(made)
    result = {}
    for k, region in enumerate(asked.regions):
        number: Counter = Counter()
        for stratum, table in zip(made.strata, counts, strict=True):
            number[stratum.role] += sum(table.values()) if stratum.region == k else 0
        if number["metal"] and region.phase not in DECORATED:
            ions, metals = number["alkali"], number["metal"]
            why = f"{ions} ions on {metals} metals, at sites its anions surround, make the particle neutral."
            result[k, "alkali"] = Amount(region.composition.mean_content, metals, ions / metals, why)
    return result


def _boxed(source: Scaffold, found: Cluster, vacuum_A: float) -> Scaffold:
    """The cluster as a scaffold in a box; strata and regions of the source, those left empty dropped."""
    low, high = found.positions.min(axis=0), found.positions.max(axis=0)
    cell = np.diag(high - low + vacuum_A)
    used, stratum = np.unique(source.stratum[found.site], return_inverse=True)
    present = np.unique([source.strata[k].region for k in used])
    strata = []
    for i, k in enumerate(used):
        old = source.strata[k]
        kinds = source.kind[found.site[stratum == i]]
        size = int(np.unique(kinds, return_counts=True)[1].max()) if old.role == "alkali" else len(kinds)
        strata.append(replace(old, region=int(np.searchsorted(present, old.region)), capacity=size))
    columns = (source.kind[found.site], source.layers[found.site], source.gallery[found.site])
    positions = found.positions - low + 0.5 * vacuum_A
    regions = tuple(_cut_lists(source, found, int(k)) for k in present)
    return Scaffold(cell, positions, stratum.ravel(), *columns, tuple(strata), regions)


def _cut_lists(source: Scaffold, found: Cluster, k: int):
    """A region whose metals per slab are cut down to the slabs that are left; content becomes its mean."""
    region = source.regions[k]
    metals = region.composition.metals
    if isinstance(metals, tuple):
        old = np.unique(source.layers[(source.region == k) & (source.role == "metal")])
        mine = (source.region[found.site] == k) & (source.role[found.site] == "metal")
        left = np.unique(source.layers[found.site][mine])
        metals = [metals[int(i)] for i in np.searchsorted(old, left)] or metals[0]
    return replace(
        region, composition=replace(region.composition, metals=metals, content=region.composition.mean_content)
    )


def _neutral(made: Scaffold, valence: float | None) -> Scaffold:
    """The scaffold with contents that make it neutral. Raises InputError where no number of ions does."""
    counts = stratum_counts(made)
    totals: dict[str, Counter] = {role: Counter() for role in ("anion", "metal", "alkali", "tetrahedral")}
    for stratum, table in zip(made.strata, counts, strict=True):
        totals[stratum.role].update(table)
    fixed = sum(ANION_VALENCE[s] * n for s, n in totals["anion"].items())
    fixed += sum(tetrahedral_valence(s) * n for s, n in totals["tetrahedral"].items())
    metals = sum(totals["metal"].values())
    low, high = (valence, valence) if valence is not None else window(totals["metal"])
    asked = sum(totals["alkali"].values())
    each = sum(ion_valence(s) * n for s, n in totals["alkali"].items()) / asked if asked else 1.0
    least, most = (-fixed - high * metals) / each, (-fixed - low * metals) / each
    capacity = sum(s.capacity for s in made.strata if s.role == "alkali")
    least, most = (round(least), round(most)) if valence is not None else (int(np.ceil(least - 1e-9)), int(most + 1e-9))
    if max(least, 0) > min(most, capacity):
        raise InputError(
            f"this particle ({sum(totals['anion'].values())} anions, {metals} metals of valence {low:.2f} to "
            f"{high:.2f}) needs {least} to {most} ions to be neutral and has {capacity} sites; use keep='formula', "
            "ion_anions=3, another size, or other metals."
        )
    wanted = int(np.clip(asked, max(least, 0), min(most, capacity)))
    return made if wanted == asked else _refilled(made, wanted)


def _refilled(made: Scaffold, wanted: int) -> Scaffold:
    """The scaffold with `wanted` ions in all: each region's share moves by the same fraction of its room."""
    room = np.zeros(len(made.regions))
    for stratum in made.strata:
        room[stratum.region] += stratum.capacity * (stratum.role == "alkali")
    asked = np.array([region.composition.mean_content for region in made.regions]) * room
    target = room if wanted >= asked.sum() else np.zeros(len(room))
    step = (wanted - asked.sum()) / (target.sum() - asked.sum())
    exact = asked + step * (target - asked)
    ions = np.floor(exact + 1e-9)
    for k in np.argsort(ions - exact, kind="stable")[: round(wanted - ions.sum())]:
        ions[k] += 1
    regions = [
        replace(r, composition=replace(r.composition, content=float(n / size) if size else r.composition.content))
        for r, n, size in zip(made.regions, ions, room, strict=True)
    ]
    return replace(made, regions=tuple(regions))


def _ion_tags(made: Scaffold) -> list[str]:
    kinds = np.unique(made.kind[made.role == "alkali"]).tolist()
    names = {region.composition.alkali for region in made.regions}
    return ["oct", *(f"{name}_{kind}" for name in sorted(names) for kind in kinds)]


def _surface_facts(made: Scaffold, atom_of: Integers) -> dict[str, int | float]:
    there = atom_of >= 0
    metals, anions = np.flatnonzero(made.role == "metal"), np.flatnonzero(made.role == "anion")
    numbers = neighbours(made.positions, made.cell, metals, anions)
    bonds: Floats = neighbours(made.positions, made.cell, anions, metals)
    return {
        "metals": len(metals),
        "anions_per_metal": len(anions) / len(metals),
        "undercoordinated_metals": int((numbers < 6).sum()),
        "anions_with_one_metal": int((bonds == 1).sum()),
        "anions_with_two_metals": int((bonds == 2).sum()),
        "ions": int((there & (made.role == "alkali")).sum()),
    }
