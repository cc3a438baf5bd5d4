"""What becomes of one hop, in records."""

from __future__ import annotations

from dataclasses import dataclass, field

from simkit import build, measure, solve
from simkit.potential.base import Evaluation, Spread
from simkit.solve.outcome import Outcome
from simkit.structure import Structure

SPONTANEOUS = "spontaneous"
"""Status of a hop one end of which falls into the other: no barrier."""


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
    evaluations here. splits are the minima between the ends that split the hop in two or more. barrier_spreads_eV of
    a committee: standard deviations over its members of barrier and reverse barrier along the path found.
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
    barrier_spreads_eV: tuple[float, float] | None = None

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


@dataclass(frozen=True)
class SiteEnergy:
    """Energy of a cell without one of its ions, by the number of the ion, eV."""

    structure: str
    atom: int
    energy_eV: float


TYPES = (
    HopResult, Surroundings, Outcome, Evaluation, Spread, solve.Path, build.Hop, measure.Intermediate, SiteEnergy,
    Structure,
)  # fmt: skip
"""Every record that a saved hop may hold."""
