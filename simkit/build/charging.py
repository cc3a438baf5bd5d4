"""Charging: which ions leave a relaxed cell, evenly or from one phase first."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Integers
from simkit.build.identify import classify
from simkit.elements import SYMBOLS, atomic_number
from simkit.errors import InputError
from simkit.structure import Structure


def charged(structure: Structure, share: float, ion: str = "Na", seed: int = 0, first: str | None = None) -> Structure:
    """The structure without a share of its mobile ions.

    share  part of all the ions that leaves, 0 to 1
    first  None: every gallery loses the same share; the name of a phase (tag "phase"): its ions leave before others,
           and what is left over leaves the other galleries evenly
    seed   which ions of a gallery leave

    Whole numbers of ions: the rounding is spread over galleries, largest remainder first. Raises InputError for a share
    out of range, a structure without the ion, a phase that has none of it.
    """
    if not 0 <= share <= 1:
        raise InputError(f"share = {share}; it must be from 0 to 1.")
    ions = np.flatnonzero(structure.numbers == atomic_number(ion))
    if not len(ions):
        there = ", ".join(sorted(set(structure.symbols)))
        raise InputError(f"{structure.formula} holds no {ion}; it holds {there}.")
    leaving = round(share * len(ions))
    gallery = _galleries(structure)
    if first is None:
        gone = _even(ions, gallery, leaving, seed)
    else:
        inside = ions[_phases(structure)[ions] == first]
        if not len(inside):
            named = sorted(set(_phases(structure)[ions].tolist()))
            raise InputError(f"no {ion} in phase {first!r}; it is in {', '.join(named)}.")
        begun = min(leaving, len(inside))
        others = np.setdiff1d(ions, inside)
        gone = np.concatenate([_even(inside, gallery, begun, seed), _even(others, gallery, leaving - begun, seed)])
    return structure.take(np.setdiff1d(np.arange(len(structure)), gone))


def ion_counts(structure: Structure, ion: str = "Na") -> dict[str, int]:
    """Ions of each phase, by the tag "phase" ("" where there is none)."""
    phases = _phases(structure)[structure.numbers == SYMBOLS.index(ion)]
    names, counts = np.unique(phases, return_counts=True)
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}


def _even(ions: Integers, gallery: Integers, leaving: int, seed: int) -> Integers:
    """So many of the ions, the same share of every gallery, drawn by the seed and the number of the gallery."""
    if leaving == 0:
        return np.zeros(0, dtype=np.int64)
    names, counts = np.unique(gallery[ions], return_counts=True)
    exact = counts * leaving / len(ions)
    whole = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-np.round(exact - whole, 9), kind="stable")
    whole[order[: leaving - int(whole.sum())]] += 1
    gone = []
    for name, count in zip(names, whole, strict=True):
        own = ions[gallery[ions] == name]
        gone.append(np.random.default_rng([seed, int(name) + 1]).permutation(own)[:count])
    return np.concatenate(gone)


def _galleries(structure: Structure) -> Integers:
    """(n,) gallery of each atom: its tag, else what the coordinates say."""
    if "gallery" in structure.tags:
        return np.asarray(structure.tags["gallery"], dtype=np.int64)
    return classify(structure).gallery_of


def _phases(structure: Structure) -> np.ndarray:
    if "phase" in structure.tags:
        return np.asarray(structure.tags["phase"]).astype(str)
    return np.full(len(structure), "", dtype="<U1")
