"""Crystals read from files, joined on matching planes into one periodic cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np

from simkit.build.arguments import require_kind, require_number, require_text, require_whole
from simkit.build.check.limits import Limits, Rules
from simkit.build.composite import Composite, composite
from simkit.build.foreign_crystal import crystal_scaffold, formal_charges
from simkit.build.scaffold import Scaffold
from simkit.build.sites import site_tag
from simkit.build.tunnel.join import Contact, joined, joint
from simkit.build.tunnel.planes import MatchSearch, PlaneMatch, match_table, require_plane
from simkit.build.tunnel.registry import Clearance
from simkit.build.tunnel.request import contact_from_dict
from simkit.build.tunnel.slice import Oriented, Slice, block, oriented, supercell_of
from simkit.build.tunnel.stoichiometric import neutral_cut, plane_block, spare_anions
from simkit.build.tunnel.strain import MODES, common_plane, require_mode, require_strain, strain_percent
from simkit.build.valence import ANION_VALENCE, RADII_A, ion_valence
from simkit.errors import InputError, nearest
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

GRID_A = 0.7
"""Spacing of the registry grid of a coherent join, A."""
FINE_GRID_A = 0.3
"""That between blocks cut between planes, whose atoms fit into the hollows of each other at few shifts only, A."""
THICKEST_A = 500.0
"""Thickest block asked for, A."""
CUTS = ("auto", "whole", "plane")
NEIGHBOUR_A = 4.0
"""Pairs of a crystal farther apart than this set no least distance, A."""


@dataclass(frozen=True)
class Part:
    """One side of a coherent join.

    structure    the crystal, ordered (every site with one element)
    plane        Miller indices of the interface plane in the structure's own cell
    phase        name that the tags and the report carry
    thickness_A  least thickness of the block

    Raises InputError for anything that is no `Structure`, plane, name or positive thickness.
    """

    structure: Structure
    plane: tuple[int, int, int]
    phase: str
    thickness_A: float = 12.0

    def __post_init__(self) -> None:
        require_kind("structure", self.structure, Structure, "simkit.io.read('crystal.cif')")
        object.__setattr__(self, "plane", require_plane("plane", self.plane))
        if require_text("phase", self.phase).split() != [self.phase]:
            raise InputError(f"phase = {self.phase!r}; a name without a blank is wanted, every atom carries it.")
        object.__setattr__(self, "thickness_A", require_number("thickness_A", self.thickness_A, 1.0, THICKEST_A))


@dataclass(frozen=True)
class JoinSettings:
    """Less common choices of `coherent`.

    search   bounds of the match; max_strain_percent also limits either block once the strain is shared
    match    which match of `match_table` to build, 0 the smallest
    contact  registry grid (None: a point every 0.7 A, 0.3 A between planes), least distances, extra opening of each
             interface
    cut      "whole": polyhedra stay whole, with spare anions at the faces of three-dimensional crystals; "plane":
             all atoms between two cuts, exactly stoichiometric, where polar planes of the two blocks face each
             other with opposite charge; "auto": whole where that leaves no spare anions, else plane where the
             planes are neutral, else whole

    Raises InputError for anything that is none of these.
    """

    search: MatchSearch = field(default_factory=MatchSearch)
    match: int = 0
    contact: Contact | None = None
    cut: str = "auto"

    def __post_init__(self) -> None:
        require_kind("search", self.search, MatchSearch, "MatchSearch(max_area_A2=150)")
        object.__setattr__(self, "match", require_whole("match", self.match, 0))
        require_kind("contact", self.contact, Contact | None, "Contact(grid=(8, 8))")
        if self.cut not in CUTS:
            raise InputError(f"cut = {self.cut!r}; {nearest(str(self.cut), CUTS)}")


@dataclass(frozen=True, eq=False)
class _Side:
    """One crystal, turned, its block, how it was cut and the anions it has to spare (per cell of the plane)."""

    name: str
    crystal: Oriented
    piece: Slice
    cut: str
    spare: float


def coherent(a: Part, b: Part, strain: str = "equal", seed: int = 0, settings: JoinSettings | None = None) -> Composite:
    """Two crystals joined on matching planes into one periodic cell with two interfaces.

    strain  "equal", "thickness", "fix:0" (a keeps its lattice) or "fix:1" (b keeps its own)

    Blocks are cut where the fewest bonds break, around whole polyhedra or between neutral planes
    (`JoinSettings.cut`); each interface has its own registry and opening. No orientation is predicted: planes and
    match are the caller's choice. Raises InputError where no common cell lies within the limits (with the closest
    one), for elements without a valence, a cell that no valences of its metals make neutral, or a failed check.
    Facts name the blocks by phase and number, as "MgO_0".
    """
    settings = settings or JoinSettings()
    require_kind("settings", settings, JoinSettings, "JoinSettings(match=1)")
    for name, part in (("a", a), ("b", b)):
        require_kind(name, part, Part, "Part(structure, (0, 0, 1), 'MgO')")
    require_mode(strain, MODES[:-1])
    match = _match(a, b, strain, settings)
    sides = [_side(p, f"{p.phase}_{k}", settings.cut) for k, p in enumerate((a, b))]
    matrices = (match.matrix_a, match.matrix_b)
    pieces = [supercell_of(s.piece, m) for s, m in zip(sides, matrices, strict=True)]
    common = common_plane((pieces[0], pieces[1]), strain).plane
    strains = {s.name: strain_percent(piece.plane, common) for s, piece in zip(sides, pieces, strict=True)}
    require_strain(strains, settings.search.max_strain_percent)
    lower, upper = (piece.strained_to(common) for piece in pieces)
    found = joint(lower, upper, settings.contact or _contact(sides, common))
    scaffold = joined(lower, upper, found)
    spare = sum(s.spare * round(abs(np.linalg.det(m))) for s, m in zip(sides, matrices, strict=True))
    mean = _require_neutral(scaffold, spare)
    facts = {
        "match_area_A2": match.area_A2,
        "misfit_percent": match.strain_percent[0],
        "opening_lower_A": found.first.opening_A,
        "opening_upper_A": found.second.opening_A,
        "interfaces_equivalent": found.equivalent,
        **{f"cut_{s.name}": s.cut for s in sides},
        "spare_anions": spare,
    }
    worst = {name: float(np.abs(np.linalg.eigvalsh(value)).max()) for name, value in strains.items()}
    rules = _rules(scaffold, sides, worst, settings.search.max_strain_percent, found.equivalent)
    recipe = {"a": _part_record(a), "b": _part_record(b), "strain": strain, "settings": asdict(settings)}
    return _warned(composite("coherent", scaffold, seed, facts, recipe, rules), spare, mean)


def _side(part: Part, name: str, cut: str) -> _Side:
    """The block of one crystal: whole polyhedra, or all atoms between two cuts."""
    crystal = oriented(crystal_scaffold(part.structure, part.phase), part.plane)
    layers = math.ceil(part.thickness_A / crystal.spacing_A)
    whole = block(crystal, layers)
    spare = spare_anions(crystal, whole)
    if cut == "whole" or (cut == "auto" and abs(spare) < 1e-6):
        return _Side(name, crystal, whole, "whole", spare)
    height = neutral_cut(crystal, formal_charges(part.structure), polar=cut == "plane")
    if height is None:
        return _Side(name, crystal, whole, "whole", spare)
    return _Side(name, crystal, plane_block(crystal, layers, height), "plane", 0.0)


def _contact(sides: Sequence[_Side], common: np.ndarray) -> Contact:
    """A registry grid; blocks cut between planes may come as near as the atoms of their crystals are."""
    cut = [s.crystal.crystal for s in sides if s.cut == "plane"]
    grid = tuple(math.ceil(n / (FINE_GRID_A if cut else GRID_A)) for n in np.linalg.norm(common, axis=1))
    if not cut:
        return Contact(grid)
    usual = Clearance()
    table = {f.name: min([_nearest_A(c, f.name) for c in cut] + [9.0]) for f in fields(Clearance)}
    return Contact(grid, Clearance(**{n: x if x < NEIGHBOUR_A else getattr(usual, n) for n, x in table.items()}))


def _nearest_A(crystal: Scaffold, pair: str) -> float:
    """Least distance in a crystal between the two roles of a `Clearance` field, A; infinite beyond `NEIGHBOUR_A`."""
    first, second = (("anion" if w == "oxygen" else w) for w in pair.removesuffix("_A").split("_"))
    points = [crystal.positions[crystal.role == role] for role in (first, second)]
    if not all(len(p) for p in points):
        return math.inf
    distance = find_pairs(*points, crystal.cell, NEIGHBOUR_A).distance
    return float(distance[distance > 0.1].min(initial=math.inf))


def _require_neutral(scaffold: Scaffold, spare: float) -> float:
    """Mean valence that the metals need; InputError where their windows cannot make the cell neutral."""
    counts = np.bincount(scaffold.stratum, minlength=len(scaffold.strata))
    fixed, low, high, metals = 0.0, 0.0, 0.0, 0
    for stratum, n in zip(scaffold.strata, counts.tolist(), strict=True):
        given = scaffold.regions[stratum.region].composition
        if stratum.role == "metal":
            valences = RADII_A[next(iter(given.mean_metals))]
            low, high, metals = low + n * min(valences), high + n * max(valences), metals + n
        else:
            fixed += n * (
                ANION_VALENCE[next(iter(given.anions))] if stratum.role == "anion" else ion_valence(given.alkali)
            )
    mean = -fixed / metals if metals else 0.0
    if low - 1e-6 <= -fixed <= high + 1e-6:
        return mean
    cause = f"{spare:g} anions at the faces of whole polyhedra are spare: use" if spare > 1e-6 else "try"
    raise InputError(
        f"the joined cell cannot be neutral: its metals would need a mean valence of {mean:.2f}, they allow "
        f"{low / max(metals, 1):.2f} to {high / max(metals, 1):.2f}. {cause} JoinSettings(cut='plane'), which keeps "
        "both crystals stoichiometric, other planes, or crystals that are neutral themselves."
    )


def _warned(built: Composite, spare: float, mean: float) -> Composite:
    if abs(spare) < 1e-6:
        return built
    told = (
        f"{spare:g} anions more than the two crystals have lie at the faces of whole polyhedra and oxidise the metals "
        f"to a mean valence of {mean:.2f}; JoinSettings(cut='plane') cuts between planes without any."
    )
    return replace(built, report=replace(built.report, warnings=(*built.report.warnings, told)))


def rebuild_coherent(recipe: Mapping) -> Composite:
    """The coherent join a recipe describes, byte for byte, also after a round trip through JSON."""
    parts = [
        Part(Structure(r["numbers"], r["positions"], r["cell"]), tuple(r["plane"]), r["phase"], r["thickness_A"])
        for r in (recipe["a"], recipe["b"])
    ]
    record = recipe["settings"]
    contact = None if record["contact"] is None else contact_from_dict(record["contact"])
    settings = JoinSettings(MatchSearch(**record["search"]), record["match"], contact, record["cut"])
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
    if settings.match >= len(found):
        raise InputError(f"match {settings.match} does not exist; these planes have matches 0 to {len(found) - 1}.")
    return found[settings.match]


def _rules(
    scaffold: Scaffold, sides: Sequence[_Side], strains: Mapping[str, float], limit: float, alike: bool
) -> Rules:
    """Distances no stricter than the crystals' own, and the numbers of anions their sites have (fewer at cut faces)."""
    shortest = min(float(s.crystal.pairs.distance.min()) for s in sides)
    usual = Limits()
    limits = replace(
        usual,
        strain_percent=limit,
        metal_oxygen_A=min(usual.metal_oxygen_A, 0.95 * shortest),
        alkali_oxygen_A=min(usual.alkali_oxygen_A, 0.95 * shortest),
    )
    cut = any(s.cut == "plane" for s in sides)
    allowed = {}
    for part in scaffold.regions:
        for kind in np.unique(scaffold.kind[scaffold.kind != "O"]).tolist():
            own = int(kind[1:])
            if kind[0] == "X":
                allowed[kind] = tuple(range((own + 1) // 2, own + 1)) if cut else (own,)
            else:
                allowed[site_tag(kind, part.composition.alkali)] = tuple(range(max(1, own // 2), own + 5))
    return Rules(limits, coordination=allowed, strains_percent=strains, alike=alike)


def _part_record(part: Part) -> dict:
    s = part.structure
    arrays = {"numbers": s.numbers.tolist(), "positions": s.positions.tolist(), "cell": s.cell.tolist()}
    return {**arrays, "plane": list(part.plane), "phase": part.phase, "thickness_A": part.thickness_A}
