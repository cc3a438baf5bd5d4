"""What is asked of the hops of a cell, and what becomes of one hop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from simkit import build, measure, solve
from simkit.config import Section
from simkit.potential.base import Evaluation, Spread
from simkit.solve.outcome import Outcome
from simkit.structure import Structure

SPONTANEOUS = "spontaneous"
"""Status of a hop one end of which falls into the other: no barrier."""


class Hopping(Section):
    """Which hops of an ion, and how their barriers are found.

    ion         what hops
    sites       for hops = "kinds": sites of the "galleries" of a layered oxide, or places of the "ions" of any crystal
    hops        "kinds": a few of each phase, inside it and at the interface; "distinct": one of each class of alike
                hops; "all": every hop
    hops_per_kind  for hops = "kinds"
    mechanisms  vacancy: into a site that is emptied; interstitial: into an empty site as things are; divacancy: with a
                common neighbour empty as well, through the tetrahedron; metal: from a slab into the layer of the ions
    cutoff_A    longest hop
    finder      "auto": the builder's sites, else those of the galleries, and voids; "voronoi": voids alone
    alike       what makes hops alike: "symmetry", "surroundings", or "auto": symmetry where the cell has any
    tetrahedra  whether tetrahedral voids are sites at which an alkali ion may end
    phases, galleries, heights_A  only hops that start or end in these; heights are a pair above the origin
    number      at most so many of each cell, in turn of each mechanism, phase and kind
    images      moving images of each band
    climb       whether the highest image climbs to the saddle
    fmax_eV_per_A         on the climbing image
    barrier_change_eV     over the last steps
    end_fmax_eV_per_A     of the relaxed ends
    max_steps             of the ends, and of the bands
    """

    ion: str = "Na"
    sites: Literal["galleries", "ions"] = "galleries"
    hops: Literal["kinds", "distinct", "all"] = "kinds"
    hops_per_kind: int = Field(default=1, gt=0)
    mechanisms: list[Literal["vacancy", "interstitial", "divacancy", "metal"]] = Field(
        default_factory=lambda: ["vacancy", "interstitial"], min_length=1
    )
    cutoff_A: float = Field(default=3.6, gt=0)
    finder: Literal["auto", "voronoi"] = "auto"
    alike: Literal["auto", "symmetry", "surroundings"] = "auto"
    tetrahedra: bool = False
    phases: list[str] | None = None
    galleries: list[int] | None = None
    heights_A: list[float] | None = Field(default=None, min_length=2, max_length=2)
    number: int | None = Field(default=None, gt=0)
    images: int = Field(default=5, gt=0)
    climb: bool = True
    fmax_eV_per_A: float = Field(default=0.05, gt=0)
    barrier_change_eV: float = Field(default=0.005, gt=0)
    end_fmax_eV_per_A: float = Field(default=0.03, gt=0)
    max_steps: int = Field(default=200, gt=0)


@dataclass(frozen=True, eq=False)
class Chosen:
    """A hop to be run: its cell by label, its name among all, and what kind of place it is."""

    label: str
    name: str
    kind: str
    hop: build.Hop
    gallery_height_A: float | None


@dataclass(frozen=True)
class Surroundings:
    """What an ion passes on its way.

    height_A     of the saddle along the normal of the first two cell vectors, within the cell
    from_interface_A  distance of that height from the metal plane of the nearest slab that two phases share, or from
                 the nearest anion of another phase where boundaries are no planes; None in a single phase
    metals       metal neighbours of the ion at the start, at the highest image and at the end, as "Mn2Ni1"
    window_A     shortest distance between the ion and an oxygen (without oxygen: any atom)
    track_A      length of the ion's own way
    others_A     largest displacement of any other atom from end to end
    """

    height_A: float
    from_interface_A: float | None
    metals: tuple[str, str, str]
    window_A: float
    track_A: float
    others_A: float


@dataclass(frozen=True, eq=False)
class HopResult:
    """One hop: where it is, its relaxed ends, its path and what the path passes.

    status is "converged", "spontaneous" (one end falls into the other: no barrier) or a sentence; of a path that did
    not converge the best band is kept. structure is the label of the cell. Ends shared with an earlier hop count no
    evaluations here. splits are the minima between the ends that split the hop in two or more.
    """

    name: str
    kind: str
    structure: str
    hop: build.Hop
    gallery_height_A: float | None
    status: str
    ends: tuple[Outcome, ...]
    path: solve.Path | None
    around: Surroundings | None
    splits: tuple[measure.Intermediate, ...] = field(default=())

    @property
    def converged(self) -> bool:
        """Whether the number can be used: a converged path or a spontaneous hop."""
        return self.status in (solve.CONVERGED, SPONTANEOUS)

    @property
    def sites(self) -> str:
        """Kinds of both sites, as "Na_e-Na_f"."""
        return self.hop.kind

    @property
    def gallery(self) -> int:
        """Gallery of the hop, -1 outside layered structures."""
        return self.hop.gallery

    @property
    def multiplicity(self) -> int:
        """Alike hops in the cell."""
        return self.hop.multiplicity

    @property
    def distance_A(self) -> float:
        """Straight length before relaxation."""
        return self.hop.distance_A

    @property
    def window_A(self) -> float | None:
        """See `Surroundings`."""
        return None if self.around is None else self.around.window_A

    @property
    def track_A(self) -> float | None:
        """See `Surroundings`."""
        return None if self.around is None else self.around.track_A

    @property
    def fit(self) -> measure.BarrierFit | None:
        """Cubic through energies and forces along the path, where there is one."""
        path = self.path
        if path is None:
            return None
        return measure.fit_barrier(path.distances_A, path.energies_eV, path.tangential_forces_eV_per_A)


TYPES = (
    HopResult, Surroundings, Outcome, Evaluation, Spread, solve.Path, build.Hop, measure.Intermediate, Structure,
)  # fmt: skip
"""Every record that a saved hop may hold."""
