"""Twins by reflection in a rational plane: two mirror boundaries in one periodic cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from simkit.build.arguments import require_kind, require_list, require_number, require_record, require_whole
from simkit.build.check.limits import Limits, Rules
from simkit.build.composite import Composite, composite
from simkit.build.phases import Block
from simkit.build.scaffold import Scaffold
from simkit.build.shapes.decoration import Domain, decorated, push_A, pushed_anions
from simkit.build.shapes.domains import DomainSettings, plan
from simkit.build.shapes.finish import amounts, with_ledgers
from simkit.build.shapes.mirror import Plane, plane_of
from simkit.build.shapes.shape import Everywhere
from simkit.build.shapes.twin_cell import closer_A, excess_anions, joined, repeated
from simkit.build.shapes.twin_search import Boundary, TwinSearch, boundaries
from simkit.build.stacking import GAP_RULES
from simkit.errors import InputError

SMALLEST = {"spinel": (3, 2)}
"""Phase -> galleries and in-plane repeats of the smallest cell, where it is not one pattern and 1 x 1."""
TWIN_LIMITS = Limits(oxygen_oxygen_A=2.2, metal_oxygen_A=1.7, metal_metal_A=2.4)
LEFT_OUT = ("alkali", "tetrahedral")
CONSIDERED = 60
"""Boundaries of each side that are paired with those of the other."""


@dataclass(frozen=True)
class TwinSettings:
    """Less common choices of `mirror_twin`.

    thickness_A  least distance between the two boundaries, A
    repeats   cells of the plane along its two sides
    search    heights and shifts that are tried
    least     smallest number of anions a metal may have
    rank      0: the best pair of boundaries, 1 the next ...; for ranking with a potential
    limits    what the finished cell must keep; across the mirror also a condition of the search
    """

    thickness_A: float = 15.0
    repeats: tuple[int, int] = (1, 1)
    search: TwinSearch = field(default_factory=TwinSearch)
    least: int = 6
    rank: int = 0
    limits: Limits = field(default_factory=lambda: TWIN_LIMITS)

    def __post_init__(self) -> None:
        repeats = require_list("repeats", self.repeats, object, "(2, 2)")
        if len(repeats) != 2:
            raise InputError(f"repeats = {self.repeats!r}; give two counts, one along each side of the plane cell.")
        put = object.__setattr__
        put(self, "repeats", tuple(require_whole(f"repeats[{k}]", n, 1) for k, n in enumerate(repeats)))
        put(self, "rank", require_whole("rank", self.rank, 0))
        put(self, "least", require_whole("least", self.least, 1, 6))
        put(self, "thickness_A", require_number("thickness_A", self.thickness_A, 5.0, 200.0))
        require_kind("search", self.search, TwinSearch, "TwinSearch(offsets=12)")
        require_kind("limits", self.limits, Limits, "Limits(oxygen_oxygen_A=2.2)")


def mirror_twin(
    block: Block, plane: Sequence[int] = (0, 1, 2), seed: int = 0, settings: TwinSettings | None = None
) -> Composite:
    """A crystal and its mirror image in a rational plane, with two boundaries per periodic cell.

    A reflection in a lattice plane leaves the lattice of that plane as it is, so the misfit is zero. Searched: height
    of the mirror, rigid shift of the image along it, framework atoms in the mirror kept or dropped, for each boundary;
    ranked by metals with six anions, shared faces, crowded anions, anions per metal, ions left out, distances.
    block   phase and composition; its gaps are ignored. Spinel with plane (0, 0, 1) gives the {111} twin.
    plane   hexagonal h, k, l (obverse setting for O3: (0, 1, 2), (0, 1, 8), (1, 0, 4) ...)
    Ions and tetrahedral cations too close to the other half are left out and counted.
    Raises InputError where no boundary keeps the limits and the coordination, or the cell fails a check.
    Not promised: that the boundary of lowest energy is among those searched.
    """
    settings = TwinSettings() if settings is None else settings
    require_kind("settings", settings, TwinSettings, "TwinSettings(thickness_A=20.0)")
    require_kind("block", block, Block, "Block('O3', 3, {'Mn': 1.0})")
    crystal, slabs, a_A = _crystal(block)
    seen = plane_of(crystal, plane, slabs)
    upper, lower = _pair(seen, plane, closer_A(block), settings)
    made, dropped = joined(seen, (upper, lower), block, settings.thickness_A, settings.limits)
    length = np.full(len(made), push_A(block, a_A))
    made = replace(made, positions=pushed_anions(made.positions, made.cell, made.role, length))
    made = repeated(made, settings.repeats)
    cells = settings.repeats[0] * settings.repeats[1]
    ratio = (made.role == "anion").sum() / (made.role == "metal").sum()
    bulk = (crystal.role == "anion").sum() / (crystal.role == "metal").sum()
    excess = round(float((made.role == "anion").sum() - bulk * (made.role == "metal").sum()))
    facts = {
        "plane": " ".join(str(int(i)) for i in plane),
        "a_A": a_A,
        "plane_spacing_A": seen.spacing_A,
        "boundary_area_A2": seen.area_A2 * cells,
        **_told("upper", upper),
        **_told("lower", lower),
        "anions_per_metal": float(ratio),
        "stoichiometric": bool(excess == 0),
        "anions_beyond_formula": excess,
        **{f"{w}_sites_left_out": cells * sum(n for (_, r, _), n in dropped.items() if r == w) for w in LEFT_OUT},
    }
    recipe = {
        "block": block.to_dict(),
        "plane": [int(i) for i in plane],
        "settings": asdict(settings) | {"repeats": [*settings.repeats]},
    }
    numbers = tuple(range(settings.least, 7))
    tags = dict.fromkeys(np.unique(made.kind[made.role == "metal"]).tolist(), numbers)
    tags |= dict.fromkeys(["oct", *(f"{block.alkali}_{k}" for k in ("e", "f", "ef", "fe"))], tuple(range(4, 10)))
    lost = {(half, role): n * cells for (half, role, first), n in dropped.items() if first}
    held = amounts(made, lost, "they are too near to the other half or lack anions there")
    rules = Rules(settings.limits, coordination=tags, amounts=held)
    return _warned(with_ledgers(composite("twin", made, seed, facts, recipe, rules)), excess)


def rebuild_twin(recipe: Mapping) -> Composite:
    """The cell a recipe of `mirror_twin` describes."""
    table = require_record("settings", recipe["settings"], TwinSettings)
    for name, kind in (("limits", Limits), ("search", TwinSearch)):
        if name in table:
            table[name] = kind(**require_record(name, table[name], kind))
    settings = TwinSettings(**table)
    return mirror_twin(Block.from_dict(recipe["block"]), recipe["plane"], recipe["seed"], settings)


def _warned(built: Composite, excess: int) -> Composite:
    """The cell with a warning where its boundaries hold more or fewer anions than the formula."""
    if not excess:
        return built
    more = "more" if excess > 0 else "fewer"
    text = f"the boundaries keep {abs(excess)} anions {more} than the formula has for these metals; try other ranks."
    return replace(built, report=replace(built.report, warnings=(*built.report.warnings, text)))


def _crystal(block: Block) -> tuple[Scaffold, int, float]:
    """Sites of the smallest cell of a phase (spinel on its ideal sites), cells along z until letters return, a in A."""
    if not isinstance(block.content, float) or not isinstance(block.metals, Mapping):
        raise InputError("a twin has one composition; give one table of metals and one content, not lists.")
    gaps, repeats = SMALLEST.get(block.phase, (_period(block), 1))
    ideal = {"oxygen_u": 0.25} if block.phase == "spinel" else {}
    single = replace(block, gaps=gaps, **ideal)
    made = plan(single, [], (repeats, repeats), DomainSettings())
    found, _, _ = decorated(made.table, made.frame, [Domain(single, Everywhere())], "tetrahedral")
    return found, 3 if made.frame.stack.shear else 1, made.frame.a_A


def _period(block: Block) -> int:
    """Galleries after which senses and pattern return; letters may not (a sheared cell)."""
    names = list(block.gap_names)[: block.period]
    flips = sum(GAP_RULES[name][0] < 0 for name in names)
    return len(names) * (1 + flips % 2)


def _pair(seen: Plane, indices: Sequence[int], closer: float, settings: TwinSettings) -> tuple[Boundary, Boundary]:
    """The boundary above and the one below the crystal: `rank`th best pair. Raises InputError where none is left."""
    upper = boundaries(seen, settings.search, settings.limits, closer)
    lower = boundaries(seen.inverted(), settings.search, settings.limits, closer)
    sides = [[b for b in side if b.least >= settings.least] for side in (upper, lower)]
    if not all(sides):
        best = max([*upper, *lower], key=lambda b: (b.least, b.six), default=None)
        reached = (
            "no shift keeps the distances" if best is None else f"the best leaves a metal with {best.least} anions"
        )
        raise InputError(
            f"no mirror boundary in ({' '.join(map(str, indices))}) keeps {settings.least} anions around every metal: "
            f"{reached}; lower `least`, try more offsets and shifts, or another plane."
        )
    found = _ranked(seen, sides[0][:CONSIDERED], sides[1][:CONSIDERED], settings.thickness_A)
    if settings.rank >= len(found):
        raise InputError(f"rank {settings.rank} does not exist; {len(found)} pairs of boundaries differ.")
    return found[settings.rank]


def _ranked(
    seen: Plane, upper: Sequence[Boundary], lower: Sequence[Boundary], thickness_A: float
) -> list[tuple[Boundary, Boundary]]:
    """Pairs of boundaries, best first; of pairs that agree in every measure only the first."""
    ratio = float((seen.role == "anion").sum() / (seen.role == "metal").sum())
    excess: dict[tuple, float] = {}
    keyed = []
    for u in upper:
        for v in (_upright(b, seen) for b in lower):
            cut = u.offset_A, u.plane_atoms, v.offset_A, v.plane_atoms
            if cut not in excess:
                excess[cut] = round(abs(excess_anions(seen, (u, v), ratio, thickness_A)), 6)
            both = -round(u.six + v.six, 6), u.faces + v.faces, u.crowded + v.crowded, excess[cut], u.lost + v.lost
            keyed.append(((*both, u.key, v.key), (u, v)))
    best: dict[tuple, tuple[Boundary, Boundary]] = {}
    for key, pair in sorted(keyed, key=lambda item: item[0]):
        best.setdefault(key, pair)
    return list(best.values())


def _upright(found: Boundary, seen: Plane) -> Boundary:
    """A boundary found on the inverted crystal, as seen from the crystal that stands on it."""
    x, y = found.shift_A
    offset = -found.offset_A % seen.spacing_A
    return replace(found, offset_A=offset, shift_A=(-x, -y), shift=tuple(-v % 1.0 for v in found.shift))


def _told(name: str, found: Boundary) -> dict[str, float | str | int]:
    return {
        f"{name}_offset_A": found.offset_A,
        f"{name}_shift": f"{found.shift[0]:.4f} {found.shift[1]:.4f}",
        f"{name}_plane_atoms": found.plane_atoms,
        f"{name}_metals_with_six_percent": 100.0 * found.six,
        f"{name}_shared_faces": found.faces,
    }
