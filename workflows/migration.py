"""Migration of ions: which hops a cell offers, their relaxed ends, their climbing-image paths, what each says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from simkit import io, measure, solve
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.common import QUIET, Hooks, named_structures
from simkit.workflows.hops import facts, network
from simkit.workflows.hops.attempts import harmonic
from simkit.workflows.hops.bands import BANDS, first_bands
from simkit.workflows.hops.choice import choose
from simkit.workflows.hops.ends import Bench, Key, Ready, ready, relaxed_states, site_energies, states_of, vacancies_of
from simkit.workflows.hops.hessians import hosts_for
from simkit.workflows.hops.kinetics import Through, through
from simkit.workflows.hops.record import SPONTANEOUS, TYPES, Chosen, HopResult, SiteEnergy
from simkit.workflows.hops.refining import refined
from simkit.workflows.hops.settings import Hopping
from simkit.workflows.structures import Built

__all__ = ["BANDS", "SPONTANEOUS", "Config", "HopResult", "Result", "networks", "run"]

Config = Hopping


@dataclass(frozen=True, eq=False)
class Result:
    """hops: one `HopResult` per hop that was run; site_energies: of the relaxed cells that lack one ion; attempts: of
    the hops by name, where kinetics.attempts = "harmonic" asked for them."""

    hops: tuple[HopResult, ...]
    site_energies: tuple[SiteEnergy, ...] = ()
    attempts: Mapping[str, measure.Attempts] = field(default_factory=dict)

    def of(self, label: str) -> tuple[HopResult, ...]:
        """The hops of one cell."""
        return tuple(hop for hop in self.hops if hop.structure == label)

    def to_ase(self) -> dict[str, list[Any]]:
        """The images of each path as ase.Atoms, by hop name."""
        return {hop.name: [io.to_ase(s) for s in hop.path.images] for hop in self.hops if hop.path is not None}


def run(
    config: Config,
    potential: Potential,
    structures: Any,
    hooks: Hooks = QUIET,
    name: str = "migration",
    models: Mapping[str, Built] | None = None,
) -> Result:
    """Barriers of the hops of `structures` (relaxed Structure, ase.Atoms or pymatgen.Structure, one or many by name).

    All states relax in one batch, each once, then all bands of all cells in one batch, at fixed cell; finished ones
    leave, and each is kept when it is done. With config.refine a second look follows (`hops.refining`).
    models: the built cells, by name, whose sites are then used.
    Raises InputError when no hop is possible. Barriers are those of the potential, at the vacancy concentration of
    the cell given.
    """
    cells = named_structures(structures)
    chosen = choose(config, cells, models or {})
    wanted = states(config, cells, chosen, models or {})

    def find() -> Result:
        work = Counter(label for label, _ in wanted), Counter(item.label for item in chosen)
        hosts = hosts_for(config, potential, cells, work, hooks, name)
        bench = Bench(config, potential, hooks, name, hosts)
        relaxed = relaxed_states(bench, wanted)
        hops = ready(config, cells, chosen, relaxed)
        asked = {k: item for k, item in enumerate(hops) if item.trouble is None}
        paths = refined(bench, asked, first_bands(bench, asked))
        found = tuple(_result(cells, item, paths.get(k)) for k, item in enumerate(hops))
        vibrating = config.kinetics.attempts == "harmonic"
        return Result(found, site_energies(relaxed), harmonic(potential, found, hooks, name) if vibrating else {})

    result = hooks.keep(name, find, (Result, measure.Attempts, *TYPES))
    return replace(result, hops=facts.with_spreads(result.hops, potential, hooks, name))


def networks(
    config: Config, structures: Any, result: Result, models: Mapping[str, Built] | None = None
) -> list[Through]:
    """The network of every cell and mechanism of a result: what percolates, which hops decide, diffusion over it.

    Empty where config.network is False, and for hops = "kinds", which are too few to make one.
    """
    if not joins(config):
        return []
    cells = named_structures(structures)
    rates = {name: rate for name, one in result.attempts.items() if (rate := one.mean_per_s) is not None}
    found = network.networks(config, cells, result.hops, (result.site_energies, rates), models)
    return [through(config.kinetics, cell) for cell in found]


def joins(config: Config) -> bool:
    """Whether the hops asked for make a network: all of them, or one of each class."""
    return config.network and config.hops != "kinds" and config.number is None


def states(
    config: Config, cells: Mapping[str, Structure], chosen: list[Chosen], models: Mapping[str, Built]
) -> dict[Key, Structure]:
    """Every state the hops join, and where they make a network a vacancy of every class of sites."""
    wanted = states_of(cells, chosen)
    if not joins(config) or "vacancy" not in config.mechanisms:
        return wanted
    labels = dict.fromkeys(item.label for item in chosen)
    sites = {label: network.vacancy_sites(config, cells[label], models.get(label)) for label in labels}
    return wanted | vacancies_of(cells, sites, wanted)


def _result(cells: Mapping[str, Structure], item: Ready, path: solve.Path | None) -> HopResult:
    chosen: Chosen = item.chosen
    status = path.status if path is not None else str(item.trouble)
    if path is not None and not np.isfinite(path.energies_eV).all():
        path = None
    return HopResult(
        name=chosen.name,
        kind=chosen.kind,
        structure=chosen.label,
        hop=chosen.hop,
        gallery_height_A=chosen.gallery_height_A,
        status=status,
        ends=item.ends,
        path=path,
        around=None if path is None else facts.surroundings(cells[chosen.label], chosen.hop, path),
        splits=() if path is None else facts.splits(path),
    )
