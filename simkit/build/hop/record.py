"""One hop of an ion, and what a user may ask of a list of them."""

from __future__ import annotations

from dataclasses import dataclass

from simkit.errors import InputError, nearest

CUTOFF_A = 3.6
"""Longest hop offered, A: nearest sites of one gallery; the next ones are a sqrt(3) away."""
MECHANISMS = ("vacancy", "divacancy", "interstitial", "metal")
FINDERS = ("auto", "voronoi")
ALIKE = ("auto", "symmetry", "surroundings")


class NoHopThere(InputError):
    """The cell has hops, but none in the region asked for."""


@dataclass(frozen=True)
class Hop:
    """One hop of an ion.

    ion           index of the moving atom
    vacancy       index of the ion that is taken out to make room, or -1 where the target is an empty site
    target_A      where the ion goes, in the image nearest to it
    gallery       gallery of the hop, -1 outside layered structures
    phase         phase of the gallery (its name in the model, else the gap name), "" outside layered structures
    kind          site kinds as "Na_e-Na_f" or "oct-oct", the element outside layered structures
    distance_A    straight length, A
    group         number of its class of alike hops, by gallery, phase, kind and surroundings within 6 A
    multiplicity  how many hops of the structure are in the class
    at_interface  whether a slab of the gallery is shared with a gallery of another phase

    From `find_hops` only:
    mechanism     one of `MECHANISMS`
    second        index of the second ion that is taken out ("divacancy"), or -1
    through_A     a place on the way (the tetrahedron of a divacancy, 16c between two 8a), or None: straight
    sites         the two places by number: nodes of the network; (-1, -1) elsewhere
    image         cell vectors from the home image of the second place to where the ion arrives, None: the nearest
    to_phase      phase of the target; differs from `phase` where the hop crosses a boundary
    to_gallery    gallery of the target
    found_by      what found the start and the target, as "builder", "layers", "atom" or "voronoi", or "builder-voronoi"
    grouped_by    "space group" or "surroundings"
    """

    ion: int
    vacancy: int
    target_A: tuple[float, float, float]
    gallery: int
    phase: str
    kind: str
    distance_A: float
    group: int = 0
    multiplicity: int = 1
    at_interface: bool = False
    mechanism: str = "vacancy"
    second: int = -1
    through_A: tuple[float, float, float] | None = None
    sites: tuple[int, int] = (-1, -1)
    image: tuple[int, int, int] | None = None
    to_phase: str = ""
    to_gallery: int = -1
    found_by: str = ""
    grouped_by: str = "surroundings"

    @property
    def moving(self) -> int:
        """Index of the moving ion in the endpoints, where the vacancies' atoms are gone."""
        return self.ion - sum(0 <= gone < self.ion for gone in (self.vacancy, self.second))

    @property
    def crosses(self) -> bool:
        """Whether the hop leads from one phase into another."""
        return self.mechanism != "metal" and bool(self.to_phase) and self.to_phase != self.phase


@dataclass(frozen=True)
class HopRequest:
    """Which hops `find_hops` lists.

    ion         element that moves: an alkali ion, or a metal with mechanism "metal"
    mechanisms  "vacancy": into a site that is emptied; "divacancy": the same, or into an empty site, with a common
                neighbour of both sites empty as well, through the tetrahedron between the three; "interstitial": into
                an empty site as things are; "metal": from a slab into an empty or emptied site of the ions, or into a
                tetrahedron between slabs
    cutoff_A    longest hop, A; 8a-16c-8a hops of a spinel, which have a place to rest half way, may be a fifth longer
    finder      "auto": the builder's sites, else those of the galleries, and voids of the anions besides; "voronoi":
                the ions' own places and voids alone
    tetrahedra  whether tetrahedral voids are sites at which an alkali ion may end
    unique      one of each class of alike hops (shortest, then first), else all
    alike       "symmetry": orbits of the space group; "surroundings": fingerprints; "auto": orbits where the cell has
                any symmetry, else fingerprints
    symprec_A   tolerance of the space group, A
    phases, galleries, heights_A  only hops that start or end in these; heights (low, high) of the middle above the
                origin along the normal of the first two cell vectors, modulo the cell, A
    number      at most so many, taken in turn from each mechanism, phase and kind

    Raises InputError naming the field, what was found and what is allowed.
    """

    ion: str = "Na"
    mechanisms: tuple[str, ...] = ("vacancy", "interstitial")
    cutoff_A: float = CUTOFF_A
    finder: str = "auto"
    tetrahedra: bool = False
    unique: bool = True
    alike: str = "auto"
    symprec_A: float = 0.01
    phases: tuple[str, ...] | None = None
    galleries: tuple[int, ...] | None = None
    heights_A: tuple[float, float] | None = None
    number: int | None = None

    def __post_init__(self) -> None:
        if not self.mechanisms:
            raise InputError(f"no mechanism is asked for; name one or more of {', '.join(MECHANISMS)}.")
        words = [("mechanisms", m, MECHANISMS) for m in self.mechanisms]
        words += [("finder", self.finder, FINDERS), ("alike", self.alike, ALIKE)]
        for name, value, allowed in words:
            if value not in allowed:
                raise InputError(f"{name}: {value!r} is unknown; {nearest(str(value), allowed)}")
        for name in ("cutoff_A", "symprec_A"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} = {getattr(self, name)!r}; it must be positive and finite.")
        if self.number is not None and self.number < 1:
            raise InputError(f"number = {self.number}; it must be 1 or larger, or None for all.")
