"""What relaxation or dynamics did to a cell: stacking kept, coordination, volume, displacements, forces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simkit.arrays import Floats
from simkit.build.check.contacts import contacts, kinds_of, name
from simkit.build.check.coordination import coordination
from simkit.build.check.limits import Limits
from simkit.build.identify import classify
from simkit.build.layering import ALKALI_NUMBERS
from simkit.errors import InputError
from simkit.structure import Structure

CLOSER = 0.85
"""Distances of a relaxed cell may fall to this part of the limits of a built one."""
VOLUME_PERCENT = (5.0, 15.0)
"""Volume changes that are flagged and refused, per cent."""
STEP_A = 1.2
"""Largest displacement without a remark: of a metal or anion; ions of a gallery may hop, A."""


def relaxed_limits(limits: Limits | None = None) -> Limits:
    """The limits a relaxed cell must keep: `CLOSER` of the distances of a built one."""
    limits = limits or Limits()
    names = ("oxygen_oxygen", "metal_oxygen", "alkali_oxygen", "alkali_alkali", "metal_metal", "alkali_metal")
    more = ("tetrahedral_oxygen", "tetrahedral_metal", "tetrahedral_alkali", "tetrahedral_tetrahedral")
    changes = {f"{n}_A": CLOSER * getattr(limits, f"{n}_A") for n in (*names, *more)}
    return replace(limits, **changes)


def retention_problems(before: Structure, after: Structure) -> list[str]:
    """Galleries whose kind changed, and slabs that lost their letters.

    Raises InputError where the cell before is not a stack along its third vector.
    """
    start = classify(before)
    try:
        end = classify(after)
    except InputError as error:
        return [f"the stacking is lost: {error}"]
    first, last = start.stack.gaps(), end.stack.gaps()
    if len(first) != len(last):
        return [f"{len(first)} slabs before and {len(last)} after: slabs were lost."]
    turn = int(
        np.bincount((end.slab_of - start.slab_of)[(start.slab_of >= 0) & (end.slab_of >= 0)] % len(first)).argmax()
    )
    last = last[turn:] + last[:turn]
    return [
        f"gallery {j} was {a} and is now {b}: slab {(j + 1) % len(first)} glided over slab {j}."
        for j, (a, b) in enumerate(zip(first, last, strict=True))
        if a != b
    ]


def coordination_changes(before: Structure, after: Structure) -> list[str]:
    """Cations with another number of anions than before (one sentence per kind, naming the first five)."""
    kinds = kinds_of(before)
    found = contacts(before, kinds), contacts(after, kinds)
    texts = []
    for kind, noun in (("M", "metals"), ("T", "tetrahedral cations"), ("A", "alkali ions")):
        atoms, first = coordination(found[0], kind, before.numbers)
        _, last = coordination(found[1], kind, after.numbers)
        changed = np.flatnonzero(first != last)
        if len(changed):
            listed = ", ".join(f"{name(before, int(atoms[i]))} {first[i]} to {last[i]}" for i in changed[:5])
            texts.append(f"{len(changed)} of {len(atoms)} {noun} changed their number of anions: {listed}.")
    return texts


def displacements_A(before: Structure, after: Structure) -> Floats:
    """(n, 3) how far each atom moved, A: nearest image in the new cell, the rigid drift taken out.

    The cell's own strain is not counted: displacements are differences of fractional coordinates.
    """
    step = after.fractional - before.fractional
    drift = np.angle(np.exp(2j * np.pi * step).mean(axis=0)) / (2 * np.pi)
    step = step - drift
    step -= np.round(step)
    return (step - step.mean(axis=0)) @ after.cell


def displacement_warnings(before: Structure, after: Structure) -> list[str]:
    """Metals and anions that moved farther than `STEP_A`, and how many ions hopped."""
    length = np.linalg.norm(displacements_A(before, after), axis=1)
    ion = np.isin(before.numbers, ALKALI_NUMBERS) & (before.layers < 0)
    texts = []
    for mine, noun in ((~ion, "metals and anions"), (ion, "alkali ions")):
        far = np.flatnonzero(mine & (length > STEP_A))
        if len(far):
            worst = int(far[np.argmax(length[far])])
            texts.append(
                f"{len(far)} {noun} moved farther than {STEP_A} A; {name(before, worst)} by {length[worst]:.2f} A."
            )
    return texts


def volume_change_percent(before: Structure, after: Structure) -> float:
    """Change of the cell volume, per cent."""
    return 100.0 * (after.volume / before.volume - 1.0)
