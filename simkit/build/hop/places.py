"""Places of an ion: sites of the builder or of the galleries, atoms on none of them, and voids of the anions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.assemble import Model
from simkit.build.composite import Composite
from simkit.build.hop.record import HopRequest
from simkit.build.hop.voids import coordination_kinds, voids
from simkit.build.identify import classify
from simkit.build.layering import ALKALI_NUMBERS, ANIONS
from simkit.build.sites import Sites, candidate_sites, phase_names
from simkit.elements import atomic_number
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs
from simkit.structure import Structure

SAME_A = 1.2
"""A void nearer than this to a site is that site (prismatic neighbours are 1.67 A apart), A."""
CARRIED = 6
"""An empty site moves as the mean of this many anions nearest to it."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where the ion is or may go.

    positions (m, 3) A, of the ion itself where there is one; atom (m,) what sits there, any element, or -1;
    kind, phase, found_by (m,) words; gallery (m,) or -1; source (m,) whether the moving element sits there
    """

    positions: Floats
    atom: Integers
    kind: np.ndarray
    gallery: Integers
    phase: np.ndarray
    found_by: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.atom)

    def joined(self, other: Places) -> Places:
        """These places, then the others."""
        names = ("positions", "atom", "kind", "gallery", "phase", "found_by", "source")
        return Places(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def take(self, which: np.ndarray) -> Places:
        """The places `which` (mask or indices)."""
        names = ("positions", "atom", "kind", "gallery", "phase", "found_by", "source")
        return Places(*(getattr(self, n)[which] for n in names))


def places_of(structure: Structure, model: Model | Composite | None, request: HopRequest) -> Places:
    """Every place of the ion of a request; tetrahedral voids come last and are places to pass unless asked for.

    model  the built cell whose atoms `structure` holds in the same order, relaxed or not, or None
    """
    moving = structure.numbers == atomic_number(request.ion)
    if not moving.any():
        raise InputError(f"no mobile ion: {structure.formula} holds no {request.ion}; name an element it holds.")
    found = _listed(structure, model, request.finder)
    on_site = np.zeros(len(structure), dtype=bool)
    on_site[found.atom[found.atom >= 0]] = True
    found = found.joined(_atoms(structure, np.flatnonzero(moving & ~on_site)))
    found = found.joined(_voids(structure, moving, found))
    source = (found.atom >= 0) & moving[found.atom]
    return Places(
        found.positions, found.atom, found.kind, found.gallery, _near_phase(structure, found), found.found_by, source
    )


def _listed(structure: Structure, model: Model | Composite | None, finder: str) -> Places:
    """Sites of the builder or of the galleries of a layered structure; none of a structure that is not layered."""
    if finder == "voronoi":
        return _empty()
    if model is not None:
        return _built(structure, model)
    try:
        found = classify(structure)
        sites = candidate_sites(structure, found)
    except InputError:
        return _empty()
    names = np.array([*phase_names(found.stack.gaps()), ""])
    phase = names[sites.gallery] if "phase" not in structure.tags else np.full(len(sites), "")
    return _of_sites(structure, sites, phase, "layers")


def _built(structure: Structure, model: Model | Composite) -> Places:
    scaffold, original = model.scaffold, model.structure
    if not np.array_equal(original.numbers, structure.numbers):
        raise InputError(
            f"the structure ({structure.formula}) does not hold the atoms of the model ({original.formula}) in their "
            "order; give the relaxed structure of this very model."
        )
    mine = np.flatnonzero(np.isin(scaffold.role, ("alkali", "tetrahedral")))
    positions = scaffold.positions[mine]
    if structure is not original:
        positions = _carried(positions, original, structure)
    sites = Sites(positions, scaffold.gallery[mine], scaffold.kind[mine], model.atom_of[mine])
    phase = np.array([region.phase for region in scaffold.regions])[scaffold.region[mine]]
    return _of_sites(structure, sites, phase, "builder")


def _carried(points: Floats, original: Structure, structure: Structure) -> Floats:
    """Sites moved with the cell and with the anions around them."""
    anions = np.flatnonzero(np.isin(original.numbers, ANIONS))
    shift = structure.positions - original.fractional @ structure.cell
    pairs = find_pairs(points, original.positions[anions], original.cell, 4.0)
    order = np.lexsort((pairs.distance, pairs.point))
    rank = np.arange(len(order)) - np.searchsorted(pairs.point[order], pairs.point[order])
    pairs = pairs.take(order[rank < CARRIED])
    moved = points @ np.linalg.inv(original.cell) @ structure.cell
    count = np.maximum(np.bincount(pairs.point, minlength=len(points)), 1)
    np.add.at(moved, pairs.point, shift[anions[pairs.atom]] / count[pairs.point, None])
    return moved


def _of_sites(structure: Structure, sites: Sites, phase: np.ndarray, finder: str) -> Places:
    filled = sites.atom >= 0
    positions = sites.positions.copy()
    positions[filled] = structure.positions[sites.atom[filled]]
    return _places(positions, sites.atom, sites.kind, sites.gallery, finder, phase)


def _atoms(structure: Structure, atoms: Integers) -> Places:
    """Places of atoms that sit on no listed site: metals of slabs, ions of any other crystal."""
    kinds = coordination_kinds(structure.positions[atoms], structure)
    gallery = structure.tags["gallery"][atoms] if "gallery" in structure.tags else np.full(len(atoms), -1)
    return _places(structure.positions[atoms], atoms, kinds, gallery, "atom")


def _voids(structure: Structure, moving: np.ndarray, known: Places) -> Places:
    """Voids that are none of the known places."""
    ions = moving | np.isin(structure.numbers, ALKALI_NUMBERS)
    points, kinds = voids(structure, ions)
    if len(points) and len(known):
        taken = np.unique(find_pairs(points, known.positions, structure.cell, SAME_A).point)
        points, kinds = np.delete(points, taken, axis=0), np.delete(kinds, taken)
    gallery = np.full(len(points), -1)
    if len(points) and (known.gallery >= 0).any():
        near = find_pairs(points, known.positions, structure.cell, 3.0)
        order = np.lexsort((near.distance, near.point))
        first = order[np.unique(near.point[order], return_index=True)[1]]
        gallery[near.point[first]] = known.gallery[near.atom[first]]
    return _places(points, np.full(len(points), -1), kinds, gallery, "voronoi")


def _near_phase(structure: Structure, found: Places) -> np.ndarray:
    """Phase of each place: its own, that of all ions of its gallery, else of the nearest tagged anion, else none.

    Anions of a slab that two phases share belong to one of them, and would claim empty sites of the other.
    """
    missing = np.flatnonzero(found.phase == "")
    if "phase" not in structure.tags or len(missing) == 0:
        return found.phase
    anions = np.flatnonzero(np.isin(structure.numbers, ANIONS))
    pairs = find_pairs(found.positions[missing], structure.positions[anions], structure.cell, 4.0)
    order = np.lexsort((np.round(pairs.distance, 3), pairs.point))
    first = order[np.unique(pairs.point[order], return_index=True)[1]]
    phase = found.phase.astype("<U24")
    phase[missing[pairs.point[first]]] = structure.tags["phase"][anions[pairs.atom[first]]]
    filled = missing[found.atom[missing] >= 0]
    phase[filled] = structure.tags["phase"][found.atom[filled]]
    empty = missing[(found.atom[missing] < 0) & (found.gallery[missing] >= 0)]
    for gallery in np.unique(found.gallery[empty]):
        names = np.unique(phase[(found.gallery == gallery) & (found.atom >= 0)])
        if len(names) == 1:
            phase[empty[found.gallery[empty] == gallery]] = names[0]
    return phase


def _places(
    positions: Floats, atom: Integers, kind: np.ndarray, gallery: Integers, finder: str, phase: np.ndarray | None = None
) -> Places:
    n = len(atom)
    phase = np.full(n, "") if phase is None else phase
    return Places(
        positions, atom, kind.astype("<U8"), gallery, phase.astype("<U24"), np.full(n, finder), np.zeros(n, dtype=bool)
    )


def _empty() -> Places:
    nothing = np.zeros(0, dtype=np.int64)
    return _places(np.zeros((0, 3)), nothing, np.zeros(0, dtype="<U8"), nothing, "")
