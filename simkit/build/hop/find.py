"""`find_hops`: which hops of an ion a cell offers, by mechanism, region and number."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from simkit.build.assemble import Model
from simkit.build.composite import Composite
from simkit.build.hop.alike import classes, representatives
from simkit.build.hop.places import Places, places_of
from simkit.build.hop.record import Hop, HopRequest, NoHopThere
from simkit.build.hop.ways import field, raw_hops, with_interface
from simkit.errors import InputError
from simkit.structure import Structure


def find_hops(
    item: Structure | Model | Composite, request: HopRequest | None = None, relaxed: Structure | None = None
) -> list[Hop]:
    """Hops of an ion in any crystal, grouped into classes of alike hops.

    Between two filled places the second ion is taken out (one hop for both directions); into an empty place the ion
    moves as things are, unless another ion is in hard contact with it. Ways that run into an atom that stays are left
    out. `ends` and `through` make the structures.

    item     a built cell, whose sites are used, or any structure: sites of the galleries where it is layered, the ions'
             own places and voids of the anions elsewhere; each hop names what found its places
    relaxed  the atoms of a built cell, in its order, at other positions: sites follow the anions around them

    Not promised: that a void holds the ion; relaxing the end tells. Raises InputError: no mobile ion; a cell so narrow
    that a vacancy meets its own image; no empty site where one is needed; no hop within the cutoff or the region.
    """
    request = request or HopRequest()
    model = None if isinstance(item, Structure) else item
    structure = relaxed or (item if model is None else model.structure)
    places = places_of(structure, model, request)
    _require_width(structure, request)
    hops = raw_hops(field(structure, places, request))
    if not hops:
        raise InputError(_why_none(structure, places, request))
    hops = [
        hop for hop in with_interface(classes(structure, hops, request), places) if _inside(structure, hop, request)
    ]
    if not hops:
        raise NoHopThere(
            f"none of the hops lies in the region asked for; there are phases {sorted(set(places.phase.tolist()))} and "
            f"galleries {sorted(set(places.gallery.tolist()))}, and heights repeat with the cell."
        )
    hops = representatives(hops) if request.unique else hops
    return hops if request.number is None else _spread(hops, request.number)


def _require_width(structure: Structure, request: HopRequest) -> None:
    grid = np.array([n for n in itertools.product(range(-3, 4), repeat=3) if any(n)])
    shortest = float(np.linalg.norm(grid @ structure.cell, axis=1).min())
    if shortest <= request.cutoff_A:
        times = int(np.floor(request.cutoff_A / shortest)) + 1
        raise InputError(
            f"the cell repeats after {shortest:.2f} A, within the cutoff of {request.cutoff_A} A: a vacancy would meet "
            f"its own image. Repeat the cell at least {times} times that way."
        )


def _why_none(structure: Structure, places: Places, request: HopRequest) -> str:
    words = ", ".join(request.mechanisms)
    if not (places.atom < 0).any() and not set(request.mechanisms) & {"vacancy", "metal"}:
        return f"no empty site: {words} needs one and {structure.formula} has none; ask for mechanism 'vacancy'."
    empty = "no empty site of the ion can be entered" if "interstitial" in request.mechanisms else "none is open"
    return (
        f"no hop ({words}) of {request.ion} up to {request.cutoff_A} A in {structure.formula}: {empty} and no two of "
        "its sites are joined; raise cutoff_A, take ions out, or ask for another mechanism."
    )


def _inside(structure: Structure, hop: Hop, request: HopRequest) -> bool:
    if request.phases is not None and not {hop.phase, hop.to_phase} & set(request.phases):
        return False
    if request.galleries is not None and not {hop.gallery, hop.to_gallery} & set(request.galleries):
        return False
    if request.heights_A is None:
        return True
    normal = np.cross(structure.cell[0], structure.cell[1])
    normal = normal / np.linalg.norm(normal)
    low, high = request.heights_A
    height = 0.5 * (structure.positions[hop.ion] + np.array(hop.target_A)) @ normal
    return float((height - low) % (structure.cell[2] @ normal)) <= high - low


def _spread(hops: Sequence[Hop], number: int) -> list[Hop]:
    """At most `number` hops, one in turn of each mechanism, phase and kind, in their order."""
    queues: dict[tuple, list[int]] = {}
    for k, hop in enumerate(hops):
        queues.setdefault((hop.mechanism, hop.phase, hop.to_phase, hop.kind, hop.at_interface), []).append(k)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*queues.values()))
    return [hops[k] for k in sorted(list(k for k in turns if k is not None)[:number])]
