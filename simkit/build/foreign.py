"""Phases read from a file: layered ones become Blocks, any others blocks for joins on matching planes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from simkit.arrays import Integers
from simkit.build.check.limits import Limits, Rules
from simkit.build.composite import Composite, composite
from simkit.build.composition import Composition
from simkit.build.heights import harvest
from simkit.build.identify import classify
from simkit.build.layering import ALKALI_NUMBERS, ANIONS
from simkit.build.phases import Block
from simkit.build.polytypes import PHASES
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.build.sites import site_tag
from simkit.build.stacking import same_cyclic
from simkit.build.tunnel.join import Contact, joined, joint
from simkit.build.tunnel.planes import MatchSearch, PlaneMatch, match_table
from simkit.build.tunnel.request import contact_from_dict
from simkit.build.tunnel.slice import BOND_A, ION_BOND_A, Oriented, best_cut, block, oriented, supercell_of
from simkit.build.tunnel.strain import common_plane, require_strain, strain_percent
from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

GRID_A = 0.7
"""Spacing of the registry grid of a coherent join, A."""


@dataclass(frozen=True)
class Part:
    """One side of a coherent join.

    structure    the crystal, ordered (every site with one element)
    plane        Miller indices of the interface plane in the structure's own cell
    phase        name that the tags and the report carry
    thickness_A  least thickness of the block
    """

    structure: Structure
    plane: tuple[int, int, int]
    phase: str
    thickness_A: float = 12.0


@dataclass(frozen=True)
class JoinSettings:
    """Less common choices of `coherent`.

    search   bounds of the match; max_strain_percent also limits either block once the strain is shared
    match    which match of `match_table` to build, 0 the smallest
    contact  registry grid (None: a point every 0.7 A), least distances, extra opening of each interface
    """

    search: MatchSearch = field(default_factory=MatchSearch)
    match: int = 0
    contact: Contact | None = None


def layered_block(structure: Structure, phase: str | None = None) -> Block:
    """A layered structure as a Block: its galleries, heights and composition, ready to be stacked.

    phase  name to carry; None: that of `PHASES` with this pattern of galleries, else "foreign" with the pattern
    Heights are measured (`harvest`, with the in-plane shape where it is distorted by more than 1 %). Raises InputError
    where the structure is no stack of MO2 slabs.
    """
    found = classify(structure)
    gaps = found.stack.gaps()
    known = [
        n for n, p in PHASES.items() if len(gaps) % len(p) == 0 and same_cyclic(gaps, list(p) * (len(gaps) // len(p)))
    ]
    heights = harvest(structure, shape=True)
    heights = heights if abs(heights.ratio - 1.0) > 0.01 else harvest(structure)
    symbols = np.array(structure.symbols)
    level, gallery = found.layering.level, found.gallery_of
    ions = Counter(symbols[gallery >= 0].tolist())
    alkali = ions.most_common(1)[0][0] if ions else "Na"
    counts = np.bincount(gallery[gallery >= 0], minlength=len(gaps)) / found.layering.sites
    content = float(counts[0]) if np.ptp(counts) < 1e-9 else tuple(counts.tolist())
    return Block(
        phase or (known[0] if known else "foreign"),
        len(gaps),
        metals=_shares(symbols[level == 1]),
        alkali=alkali,
        content=content,
        heights=heights,
        anions=_shares(symbols[(level == 0) | (level == 2)]),
        dopants={s: n / sum(ions.values()) for s, n in ions.items() if s != alkali},
        pattern=None if known and (phase is None or phase in known) else gaps,
    )


def crystal_scaffold(structure: Structure, phase: str) -> Scaffold:
    """Sites of any ordered oxide, fluoride or sulfide, each to be filled with its own element.

    Kinds say how many anions a site has in the crystal: "X6" a metal, "A6" an alkali ion, "O" an anion. The k-th
    region holds the k-th metal, anion and alkali element. Raises InputError without anions or for elements whose
    valence is not known.
    """
    anion, alkali = np.isin(structure.numbers, ANIONS), np.isin(structure.numbers, ALKALI_NUMBERS)
    if not anion.any() or anion.all():
        raise InputError(f"{structure.formula} has no anions or no cations; a coherent join needs both.")
    role = np.where(anion, "anion", np.where(alkali, "alkali", "metal"))
    around = _coordination(structure, role)
    kind = np.array(
        ["O" if r == "anion" else f"{'A' if r == 'alkali' else 'X'}{n}" for r, n in zip(role, around, strict=True)]
    )
    elements = {name: sorted(set(structure.numbers[role == name].tolist())) for name in ("anion", "metal", "alkali")}
    regions = [_pure(elements, k, phase) for k in range(max(len(e) for e in elements.values()))]
    keys = [(name, elements[name].index(z)) for name, z in zip(role, structure.numbers.tolist(), strict=True)]
    names = sorted(set(keys))
    strata = tuple(Stratum(name, k, keys.count((name, k))) for name, k in names)
    nowhere: Integers = np.full(len(structure), -1)
    stratum = np.array([names.index(key) for key in keys])
    return Scaffold(structure.cell, structure.positions, stratum, kind, nowhere, nowhere, strata, tuple(regions))


def coherent(a: Part, b: Part, strain: str = "equal", seed: int = 0, settings: JoinSettings | None = None) -> Composite:
    """Two crystals joined on matching planes into one periodic cell with two interfaces.

    strain  "equal", "thickness", "fix:0" (a keeps its lattice) or "fix:1" (b keeps its own)

    Blocks are cut where the fewest metal-anion bonds break and keep whole polyhedra; each interface has its own
    registry and opening. No orientation is predicted: planes and match are the caller's choice. Raises InputError
    where no common cell lies within the limits (with the closest one), for elements without a valence, a cell that
    cannot be neutral, or a failed check.
    """
    settings = settings or JoinSettings()
    crystals = [oriented(crystal_scaffold(p.structure, p.phase), p.plane) for p in (a, b)]
    match = _match(a, b, strain, settings)
    pieces = [
        supercell_of(block(c, math.ceil(p.thickness_A / c.spacing_A)), m)
        for c, p, m in zip(crystals, (a, b), (match.matrix_a, match.matrix_b), strict=True)
    ]
    common = common_plane((pieces[0], pieces[1]), strain).plane
    strains = {p.phase: strain_percent(piece.plane, common) for p, piece in zip((a, b), pieces, strict=True)}
    require_strain(strains, settings.search.max_strain_percent)
    lower, upper = (piece.strained_to(common) for piece in pieces)
    grid = tuple(math.ceil(n / GRID_A) for n in np.linalg.norm(common, axis=1))
    found = joint(lower, upper, settings.contact or Contact(grid))
    scaffold = joined(lower, upper, found)
    facts = {
        "match_area_A2": match.area_A2,
        "misfit_percent": match.strain_percent[0],
        "opening_lower_A": found.first.opening_A,
        "opening_upper_A": found.second.opening_A,
        "interfaces_equivalent": found.equivalent,
        **{f"cut_bonds_{p.phase}_per_nm2": best_cut(c)[1] for p, c in zip((a, b), crystals, strict=True)},
    }
    worst = {name: float(np.abs(value).max()) for name, value in strains.items()}
    rules = _rules(scaffold, crystals, worst, settings.search.max_strain_percent, found.equivalent)
    recipe = {"a": _part_record(a), "b": _part_record(b), "strain": strain, "settings": asdict(settings)}
    return composite("coherent", scaffold, seed, facts, recipe, rules)


def rebuild_coherent(recipe: Mapping) -> Composite:
    """The coherent join a recipe describes, byte for byte, also after a round trip through JSON."""
    parts = [
        Part(Structure(r["numbers"], r["positions"], r["cell"]), tuple(r["plane"]), r["phase"], r["thickness_A"])
        for r in (recipe["a"], recipe["b"])
    ]
    record = recipe["settings"]
    contact = None if record["contact"] is None else contact_from_dict(record["contact"])
    settings = JoinSettings(MatchSearch(**record["search"]), record["match"], contact)
    return coherent(*parts, recipe["strain"], recipe["seed"], settings)


def _match(a: Part, b: Part, strain: str, settings: JoinSettings) -> PlaneMatch:
    planes, cells = ([a.plane], [b.plane]), (a.structure.cell, b.structure.cell)
    # Where both blocks take part of the strain, the match itself may miss by both limits together.
    limit = settings.search.max_strain_percent * (1.0 if strain.startswith("fix") else 2.0)
    wide = replace(settings.search, max_strain_percent=limit)
    found = match_table(*cells, *planes, wide)
    if not found:
        closest = match_table(*cells, *planes, replace(wide, max_strain_percent=max(12.0, 2.0 * limit)))
        told = min((max(map(abs, m.strain_percent)) for m in closest), default=None)
        raise InputError(
            f"planes {a.plane} of {a.phase} and {b.plane} of {b.phase} have no common cell up to "
            f"{wide.max_area_A2:g} A^2 within {wide.max_strain_percent:g} %"
            + (f"; the closest misses by {told:.2f} %" if told is not None else "")
            + ": try other planes (`match_table`), a larger max_area_A2, or a larger max_strain_percent."
        )
    if not 0 <= settings.match < len(found):
        raise InputError(f"match {settings.match} does not exist; these planes have matches 0 to {len(found) - 1}.")
    return found[settings.match]


def _rules(
    scaffold: Scaffold, crystals: Sequence[Oriented], strains: Mapping[str, float], limit: float, alike: bool
) -> Rules:
    """Distances no stricter than the crystals' own, and the numbers of anions their sites have (fewer at cut faces)."""
    shortest = min(float(c.pairs.distance.min()) for c in crystals)
    usual = Limits()
    limits = replace(
        usual,
        strain_percent=limit,
        metal_oxygen_A=min(usual.metal_oxygen_A, 0.95 * shortest),
        alkali_oxygen_A=min(usual.alkali_oxygen_A, 0.95 * shortest),
    )
    allowed = {}
    for part in scaffold.regions:
        for kind in np.unique(scaffold.kind[scaffold.kind != "O"]).tolist():
            own = int(kind[1:])
            if kind[0] == "X":
                allowed[kind] = (own,)
            else:
                allowed[site_tag(kind, part.composition.alkali)] = tuple(range(max(1, own // 2), own + 5))
    return Rules(limits, coordination=allowed, strains_percent=strains, alike=alike)


def _coordination(structure: Structure, role: np.ndarray) -> Integers:
    anions = structure.positions[role == "anion"]
    counts = np.zeros(len(structure), dtype=np.int64)
    for name, reach in (("metal", BOND_A), ("alkali", ION_BOND_A)):
        mine = np.flatnonzero(role == name)
        pairs = find_pairs(structure.positions[mine], anions, structure.cell, reach)
        counts[mine] = np.bincount(pairs.point, minlength=len(mine))
    return counts


def _pure(elements: Mapping[str, list[int]], k: int, phase: str) -> Region:
    def pick(name: str) -> str | None:
        return SYMBOLS[elements[name][k]] if k < len(elements[name]) else None

    metal, anion, alkali = pick("metal"), pick("anion"), pick("alkali")
    tables = {"metals": metal and {metal: 1.0}, "anions": anion and {anion: 1.0}, "alkali": alkali}
    return Region(phase, Composition(content=1.0, **{key: value for key, value in tables.items() if value}))


def _part_record(part: Part) -> dict:
    s = part.structure
    arrays = {"numbers": s.numbers.tolist(), "positions": s.positions.tolist(), "cell": s.cell.tolist()}
    return {**arrays, "plane": list(part.plane), "phase": part.phase, "thickness_A": part.thickness_A}


def _shares(symbols: np.ndarray) -> dict[str, float]:
    counts = Counter(symbols.tolist())
    return {s: n / len(symbols) for s, n in sorted(counts.items())}
