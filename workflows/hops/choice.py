"""Which hops of which cells are run."""

from __future__ import annotations

from collections.abc import Mapping

from simkit import build
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.workflows.hops.record import Chosen
from simkit.workflows.hops.settings import Hopping
from simkit.workflows.structures import Built


def choose(config: Hopping, structures: Mapping[str, Structure], models: Mapping[str, Built]) -> list[Chosen]:
    """The hops to run in every cell. Raises InputError, naming the cell, where it has none.

    A cell without a hop in the region asked for is left out, as long as another one has some.
    """
    chosen: list[Chosen] = []
    elsewhere: list[str] = []
    for label, structure in structures.items():
        try:
            found = list_hops(config, structure, models.get(label))
        except build.NoHopThere as error:
            elsewhere.append(f"{label}: {error}")
            continue
        except InputError as error:
            raise InputError(f"{label}: {error}" if len(structures) > 1 else str(error)) from error
        chosen += _named(config, label, structure, found)
    if not chosen and elsewhere:
        raise InputError("\n".join(elsewhere))
    if not chosen:
        raise InputError(
            f"no hop of {config.ion} up to {config.cutoff_A} A was found; raise cutoff_A, or check the structure."
        )
    return chosen


def list_hops(
    config: Hopping, structure: Structure, model: Built | None = None, every: bool = False
) -> list[build.Hop]:
    """The hops of one cell: a few, one of each class, or (`every`, or hops = "all") all of them."""
    if config.hops == "kinds":
        return _few(config, structure)
    asked = request(config, every or config.hops == "all")
    relaxed = None if model is None else structure
    return build.find_hops(structure if model is None else model, asked, relaxed)


def request(config: Hopping, every: bool) -> build.HopRequest:
    """What `build.find_hops` is asked for; `every`: all hops of each class, however many."""
    return build.HopRequest(
        ion=config.ion,
        mechanisms=tuple(config.mechanisms),
        cutoff_A=config.cutoff_A,
        finder=config.finder,
        tetrahedra=config.tetrahedra,
        unique=not every,
        alike=config.alike,
        phases=None if config.phases is None else tuple(config.phases),
        galleries=None if config.galleries is None else tuple(config.galleries),
        heights_A=None if config.heights_A is None else tuple(config.heights_A),
        number=None if every and config.hops != "all" else config.number,
    )


def _few(config: Hopping, structure: Structure) -> list[build.Hop]:
    """Hops of a layered structure between its gallery sites, of any other crystal between its ions."""
    if config.sites == "ions":
        return build.hops_between_ions(structure, config.ion, config.cutoff_A)
    try:
        found = build.hops(structure, config.cutoff_A)
    except InputError as error:
        raise InputError(f"{error} For hops in any other crystal set sites='ions'.") from error
    return [hop for hop in found if structure.symbols[hop.ion] == config.ion]


def _named(config: Hopping, label: str, structure: Structure, found: list[build.Hop]) -> list[Chosen]:
    """The hops under names of their own; of "kinds" no more than are wanted of each."""
    few = config.hops == "kinds"
    heights = _gallery_heights(structure)
    chosen, taken = [], {}
    for hop in sorted(found, key=lambda hop: hop.vacancy < 0) if few else found:
        kind = f"{hop.phase} at the interface" if hop.at_interface else hop.phase
        if hop.crosses and not few:
            kind = f"{hop.phase} to {hop.to_phase}"
        place = f"{kind} alone" if kind == label else f"{kind or hop.kind} in {label}"
        place = label if kind and label.startswith(f"{kind} alone") else place
        place += "" if few or hop.mechanism == "vacancy" else f", {hop.mechanism}"
        taken[place] = taken.get(place, 0) + 1
        if few and taken[place] > config.hops_per_kind:
            continue
        name = place + (f", number {taken[place]}" if taken[place] > 1 else "")
        chosen.append(Chosen(label, name, kind, hop, heights.get(hop.gallery)))
    return chosen


def _gallery_heights(structure: Structure) -> dict[int, float]:
    """Height of each gallery, A; none where the structure is not layered."""
    try:
        return dict(enumerate(build.classify(structure).gallery_heights_A.tolist()))
    except InputError:
        return {}
