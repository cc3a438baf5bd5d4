"""Distorted phases (O'3, P'2) by affine strain: the shape of a published cell, and a built cell brought to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit.arrays import Floats
from simkit.build.arguments import require_kind, require_list
from simkit.build.heights import Heights, measured_shape
from simkit.build.identify import classify
from simkit.build.stacking import Stack
from simkit.errors import InputError
from simkit.structure import Structure

SQUARE_DEGREES = 0.5
"""How far the published in-plane angle may be from 90 degrees."""
LONGEST = 1.25
"""Largest long / (sqrt(3) short) read as a distorted hexagonal layer, and smallest inverse."""


@dataclass(frozen=True)
class Published:
    """A published cell as `Heights` fields: a_A, ratio and lean, and the height of one slab with its gallery, A."""

    a_A: float
    ratio: float
    lean: float
    spacing_A: float

    @property
    def sides_A(self) -> tuple[float, float]:
        """Short and long side of the centred rectangular in-plane cell, A."""
        return self.a_A / math.sqrt(self.ratio), self.a_A * math.sqrt(3.0 * self.ratio)


def published(cell: Sequence[float], stack: Stack) -> Published:
    """Shape of a published hexagonal, monoclinic (C2/m) or orthorhombic (Cmcm) cell of a stacking.

    cell   a, b, c in A and alpha, beta, gamma in degrees; a and b span the layer: equal at 120 degrees, or the
           two sides of its centred rectangle in either order, of which c may lean along the longer
    stack  slabs of one period c, or of any number of periods: the cell with as many slabs counts
    Raises InputError where a and b are not the sides of a nearly hexagonal layer, or c leans along the short one.
    """
    require_kind("stack", stack, Stack, 'Stack.from_gaps(["O3"])')
    a, b, c, alpha, beta, gamma = _six(cell).tolist()
    if abs(gamma - 120.0) <= SQUARE_DEGREES and abs(a - b) <= 1e-3 * a and max(abs(alpha - 90), abs(beta - 90)) < 1e-3:
        return Published(a, 1.0, 0.0, c / len(stack))
    short, long = min(a, b), max(a, b)
    tilt, other = (beta, alpha) if a > b else (alpha, beta)
    ratio = long / (math.sqrt(3.0) * short)
    if abs(gamma - 90.0) > SQUARE_DEGREES or not 1.0 / LONGEST <= ratio <= LONGEST:
        raise InputError(
            f"cell a = {a:g}, b = {b:g} A, gamma = {gamma:g} is no layer read here: give a = b at 120, or gamma = 90 "
            f"and the longer side near sqrt(3) = 1.732 times the shorter (here {long / short:.3f})."
        )
    if abs(other - 90.0) > SQUARE_DEGREES:
        raise InputError(f"c leans by {other - 90.0:+.2f} degrees along the short side; only the long side may lean.")
    height = c * math.sin(math.radians(tilt))
    spare = c * math.cos(math.radians(tilt)) - np.array([1.0, -1.0]) * stack.shear * long / 3.0
    spare = (spare - long * np.round(spare / long)) * (1.0, -1.0)
    extra = float(spare[np.argmin(np.abs(spare))])
    senses = {slab.s for slab in stack.slabs}
    if len(senses) > 1 and abs(extra) > 1e-3 * height:
        raise InputError(
            f"c leans by {extra:.3f} A beyond the stacking {stack}, whose slabs have both senses: they lean in "
            "opposite directions, so such a cell is upright (90 degrees)."
        )
    lean = round(extra / height * (senses.pop() if len(senses) == 1 else 1), 12)
    return Published(math.sqrt(short * long / math.sqrt(3.0)), ratio, lean, height / len(stack))


def heights_of_cell(cell: Sequence[float], gaps: Sequence[str], guess: Heights) -> Heights:
    """Heights of a phase with the shape of its published cell; slab and galleries keep the proportions of a guess.

    gaps  one period of its galleries; errors as for `published`
    """
    spacing = guess.slab_A + sum(guess.gallery_A(name) for name in gaps) / len(gaps)
    found = published(cell, _period(gaps, cell, spacing))
    thicker = guess.thickened(found.spacing_A / spacing - 1.0)
    return replace(thicker, a_A=found.a_A, ratio=found.ratio, lean=found.lean)


def distorted(structure: Structure, cell: Sequence[float]) -> Structure:
    """A layered cell brought by an affine strain to the shape of a published cell of the same stacking.

    structure  any in-plane supercell and number of periods, first two vectors in the layers; the short side
               goes along the first of its primitive vectors (`classify`), whatever it was before
    cell       as in `published`
    Every atom keeps its fractional coordinates, so bonds follow the cell; relax for the rest. A stack that is
    to be rebuilt from its recipe is better given `Heights.ratio` and `Heights.lean`, or the phases O'3 and P'2,
    which make the same cell. Raises InputError where the structure is not layered or the cell does not fit.
    """
    require_kind("structure", structure, Structure, "bulk(...).structure")
    found = classify(structure)
    height = found.height_A / len(found.stack)
    target = published(cell, _period(found.stack.gaps(), cell, height))
    short, long = found.primitive[0], found.primitive[0] + 2.0 * found.primitive[1]
    axes = np.array([short / np.linalg.norm(short), long / np.linalg.norm(long), [0.0, 0.0, 0.0]])
    axes[2] = np.cross(axes[0], axes[1])
    _, lean = measured_shape(found)
    scale = np.array([target.sides_A[0] / np.linalg.norm(short), target.sides_A[1] / np.linalg.norm(long)])
    rise = target.spacing_A / height
    sense = found.slabs[0].s
    shear = sense * (target.lean * rise - lean * scale[1])
    own = np.array([[scale[0], 0.0, 0.0], [0.0, scale[1], 0.0], [0.0, shear, rise]])
    gradient = np.linalg.solve(axes, own @ axes)
    return structure.strained_to(structure.cell @ gradient)


def _period(gaps: Sequence[str], cell: Sequence[float], spacing_A: float) -> Stack:
    """The part of a sequence of galleries, or the repeats of it, that one published cell holds."""
    a, b, c, alpha, beta, _ = _six(cell).tolist()
    slabs = max(1, round(c * math.sin(math.radians(beta if a > b else alpha)) / spacing_A))
    if max(slabs, len(gaps)) % min(slabs, len(gaps)):
        raise InputError(
            f"the published cell holds about {slabs} slabs of {spacing_A:.2f} A, the stacking {len(gaps)}; one number "
            "must be a multiple of the other."
        )
    return Stack.from_gaps((list(gaps) * max(1, slabs // len(gaps)))[:slabs])


def _six(cell: Sequence[float]) -> Floats:
    listed = require_list("cell", cell, (int, float, np.number), "(2.84, 5.30, 11.2, 90, 90, 90)")
    values = np.array(listed, dtype=np.float64)
    if values.shape != (6,) or not np.all((values > 0) & np.isfinite(values)) or not np.all(values[3:] < 180):
        raise InputError(f"cell = {cell!r}; give a, b, c in A and alpha, beta, gamma in degrees, from 0 to 180.")
    return values
