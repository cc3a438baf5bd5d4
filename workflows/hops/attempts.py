"""Attempt frequencies of hops from the vibrations of the ion and its neighbours, and whether the top is a saddle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit import measure, solve
from simkit.arrays import Integers
from simkit.elements import MASSES_AMU
from simkit.kernels.pair_search import find_pairs
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.common import Content, Hooks
from simkit.workflows.hops.keeping import Place, kept
from simkit.workflows.hops.record import HopResult

REACH_A = 3.0
"""Atoms nearer than this to the ion at the start, at the top or at the end vibrate with it; all others are held, A."""
TYPES = (measure.Attempts,)


def harmonic(potential: Potential, hops: Sequence[HopResult], hooks: Hooks, name: str) -> dict[str, measure.Attempts]:
    """Attempt frequencies of every converged hop by name; each is kept when it is known."""
    found: dict[str, measure.Attempts] = {}
    for k, hop in enumerate(hops):
        path = hop.path
        if path is None or not path.converged or path.climbing_image is None:
            continue
        states = [path.images[j] for j in (0, path.climbing_image, -1)]
        content = Content({"step": "attempts", "states": states, "ion": hop.hop.moving, "reach": REACH_A}, "attempts")
        place = Place(f"{name}-attempts-{k:04d}", content)
        known = kept(hooks, place, TYPES)
        if known is None:
            value = _attempts(potential, states, hop.hop.moving)
            known = hooks.keep(place.name, lambda value=value: value, TYPES, content)
        found[hop.name] = known
    return found


def _attempts(potential: Potential, states: Sequence[Structure], ion: int) -> measure.Attempts:
    atoms = _moving(states, ion)
    hessians = solve.partial_hessians(states, [atoms] * len(states), potential)
    return measure.attempts(*hessians, np.array(MASSES_AMU)[states[0].numbers[atoms]])


def _moving(states: Sequence[Structure], ion: int) -> Integers:
    """The ion and every atom within reach of it in some state."""
    near = [find_pairs(s.positions[ion][None], s.positions, s.cell, REACH_A).atom for s in states]
    return np.unique(np.append(np.concatenate(near), ion))
