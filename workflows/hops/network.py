"""The network that the hops of a cell make: every site, every hop, each with the barrier of its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit import build, measure, solve
from simkit.arrays import Integers
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.workflows.hops.choice import list_hops, request
from simkit.workflows.hops.record import SPONTANEOUS, HopResult, SiteEnergy
from simkit.workflows.hops.settings import Hopping
from simkit.workflows.structures import Built


@dataclass(frozen=True, eq=False)
class CellNetwork:
    """Sites and hops of one cell by one mechanism.

    network      energies and barriers of the ion; walker the same as what moves sees it: for "vacancy" the vacancy
    phases, galleries (n,) of the sites; beside (n,) whether a site lies at an interface
    hops         of the network's edges, in order
    missing      hops of classes without a barrier, left out; classes of them
    transfer     how well barriers carried to every member of a class fit together
    """

    label: str
    mechanism: str
    network: measure.Network
    phases: tuple[str, ...]
    galleries: Integers
    beside: np.ndarray
    hops: tuple[build.Hop, ...]
    missing: int
    missing_classes: tuple[str, ...]
    transfer: measure.Transferred

    @property
    def walker(self) -> measure.Network:
        """The network as what moves sees it: a lone vacancy, or a lone ion."""
        return measure.vacancy_network(self.network) if self.mechanism == "vacancy" else self.network


def vacancy_sites(config: Hopping, structure: Structure, model: Built | None = None) -> dict[int, int]:
    """Class of each ion that a vacancy hop of the request begins or ends at, by number of the ion."""
    asked = request(config, True)
    hops = [h for h in list_hops(config, structure, model, True) if h.mechanism == "vacancy"]
    used = sorted({place for hop in hops for place in hop.sites})
    if not used:
        return {}
    places = build.places_of(structure, model, asked)
    classes = build.site_classes(structure, places, np.array(used), asked)
    return {int(places.atom[k]): group for k, group in classes.items()}


def networks(
    config: Hopping,
    structures: Mapping[str, Structure],
    results: Sequence[HopResult],
    known: tuple[Sequence[SiteEnergy], Mapping[str, float]],
    models: Mapping[str, Built] | None = None,
) -> list[CellNetwork]:
    """A network for each cell and mechanism whose barriers are known, and of several mechanisms together ("all").

    known: energies of relaxed vacancies, and attempts of hops by name, 1/s. Vacancy hops take the energies of the
    vacancies; for other mechanisms they are the least-squares answer to what the hops say. Cells without any known
    barrier give none.
    """
    found = []
    for label, structure in structures.items():
        mine = [r for r in results if r.structure == label and r.hop.sites != (-1, -1)]
        if not mine:
            continue
        cell = _Cell(config, label, structure, (models or {}).get(label), known[1])
        kinds = list(dict.fromkeys(r.hop.mechanism for r in mine if r.hop.mechanism != "metal"))
        groups = [(kind, (kind,)) for kind in kinds] + ([("all", tuple(kinds))] if len(kinds) > 1 else [])
        own = [e for e in known[0] if e.structure == label]
        made = [cell.network(name, wanted, mine, own) for name, wanted in groups]
        found += [one for one in made if one is not None]
    return found


@dataclass(frozen=True, eq=False)
class _Cell:
    config: Hopping
    label: str
    structure: Structure
    model: Built | None
    attempts: Mapping[str, float]

    def network(
        self, name: str, kinds: tuple[str, ...], results: Sequence[HopResult], energies: Sequence[SiteEnergy]
    ) -> CellNetwork | None:
        """The network of some mechanisms, or None where no barrier is known."""
        asked = request(self.config, True)
        hops = [h for h in list_hops(self.config, self.structure, self.model, True) if h.mechanism in kinds]
        known = {r.hop.group: r for r in results if r.hop.mechanism in kinds and _barriers(r) is not None}
        have = [h for h in hops if h.group in known]
        if not have:
            return None
        places = build.places_of(self.structure, self.model, asked)
        used = np.array(sorted({p for hop in have for p in hop.sites}))
        classes = self._classes(places, used, asked)
        number = {int(p): k for k, p in enumerate(used)}
        ends = np.array([[number[p] for p in hop.sites] for hop in have])
        pairs = np.array([_directed(known[hop.group], hop, classes) for hop in have])
        offsets = np.array([hop.image for hop in have])
        levels = None
        if name == "vacancy":
            levels = _vacancy_levels(places.atom[used], energies, {int(places.atom[p]): g for p, g in classes.items()})
        rates = np.array(
            [self.attempts.get(known[hop.group].name, self.config.kinetics.attempts_per_s) for hop in have]
        )
        moved = measure.transferred(ends, offsets, pairs, levels, len(used), rates)
        names = tuple(_edge_name(known[hop.group], hop, places) for hop in have)
        listed = measure.Hops(moved.hops.ends, moved.hops.offsets, moved.hops.barriers_eV, rates, names)
        network = measure.connect(self.structure.cell, places.positions[used], listed, moved.energies_eV)
        gone = [h for h in hops if h.group not in known]
        crossing = {p for hop in have if hop.crosses for p in hop.sites}
        beside = build.interface_beside(places)
        return CellNetwork(
            label=self.label,
            mechanism=name,
            network=network,
            phases=tuple(map(str, places.phase[used])),
            galleries=places.gallery[used],
            beside=np.array([int(places.gallery[p]) in beside or int(p) in crossing for p in used]),
            hops=tuple(have),
            missing=len(gone),
            missing_classes=tuple(dict.fromkeys(f"{h.phase} {h.kind} {h.mechanism}".strip() for h in gone)),
            transfer=moved,
        )

    def _classes(self, places: build.Places, used: Integers, asked: build.HopRequest) -> dict[int, int]:
        """Class of each filled site."""
        filled = used[places.atom[used] >= 0]
        return build.site_classes(self.structure, places, filled, asked) if len(filled) else {}


def _barriers(result: HopResult) -> tuple[float, float] | None:
    """Forward and backward barrier of a hop that has one; both zero where an end falls into the other.

    Where a minimum on the way lies below both ends, an ion rests there and has to climb out of it: both barriers are
    taken from there.
    """
    if result.status == SPONTANEOUS:
        rise = result.ends[1].evaluation.energy - result.ends[0].evaluation.energy
        return max(rise, 0.0), max(-rise, 0.0)
    if result.path is None or result.status != solve.CONVERGED:
        return None
    rise = result.path.reaction_energy_eV
    below = max([min(0.0, rise) - split.energy_eV for split in result.splits] + [0.0])
    return result.path.barrier_eV + below, result.path.reverse_barrier_eV + below


def _directed(result: HopResult, hop: build.Hop, classes: Mapping[int, int]) -> tuple[float, float]:
    """Barriers of a class in the direction of one of its members, told by the classes of the sites at its ends."""
    forward, backward = _barriers(result) or (0.0, 0.0)
    mine, theirs = ([classes.get(p, -1) for p in h.sites] for h in (hop, result.hop))
    return (backward, forward) if mine != theirs and mine == theirs[::-1] else (forward, backward)


def _vacancy_levels(atoms: Integers, energies: Sequence[SiteEnergy], classes: Mapping[int, int]) -> np.ndarray:
    """(n,) eV of the ion on each site: minus the energy of the cell without it, the lowest at zero."""
    by_class: dict[int, list[float]] = {}
    for one in energies:
        if one.atom in classes:
            by_class.setdefault(classes[one.atom], []).append(one.energy_eV)
    absent = sorted({int(a) for a in atoms if classes[int(a)] not in by_class})
    if absent:
        raise InputError(f"no relaxed vacancy of the kind of atom {absent[0]}; run the ends of its hops first.")
    own = {one.atom: one.energy_eV for one in energies}
    levels = -np.array([own.get(int(a), float(np.mean(by_class[classes[int(a)]]))) for a in atoms])
    return levels - levels.min()


def _edge_name(result: HopResult, hop: build.Hop, places: build.Places) -> str:
    """One hop among its class: its representative's name and where it lies."""
    a, b = hop.sites
    image = "" if hop.image in (None, (0, 0, 0)) else f" in cell {list(hop.image)}"
    return f"{result.name}: site {a} to {b}{image}, gallery {int(places.gallery[a])}"
