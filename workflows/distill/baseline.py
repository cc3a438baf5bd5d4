"""The part of an energy that needs no network: a constant for each element, and the scales of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.kernels.neighbours import pairs_within
from simkit.structure import Batch, Structure
from simkit.workflows.distill.dataset import Labelled


@dataclass(frozen=True)
class Baseline:
    """What a model is given before it learns.

    energies_eV  constant of each atomic number: a least-squares fit to the labels, not the energy of a free atom
    scale        root mean square of the force components, eV/A: unit of what the network says
    neighbours   mean number of atoms within the cutoff of an atom: unit of its sums
    """

    energies_eV: dict[int, float]
    scale: float
    neighbours: float


def fit(labels: Sequence[Labelled], cutoff_A: float, elements: Sequence[str] = ()) -> Baseline:
    """The baseline of labels; the same labels give the same numbers.

    elements: further ones of the table; those in no label get the mean of the others' constants.

    The constants minimise sum (E/N - sum_z x_z e_z)^2 over energies per atom and fractions x_z; where compositions
    leave them undetermined they are as equal as possible. Raises InputError when every force is zero or no atom
    has a neighbour.
    """
    per_atom = np.array([label.energy_eV / len(label.structure) for label in labels])
    atoms = sum(len(label.structure) for label in labels)
    scale = float(np.sqrt(sum(np.sum(np.square(label.forces)) for label in labels) / (3 * atoms)))
    neighbours = sum(_pairs(label, cutoff_A) for label in labels) * 2 / atoms
    if not scale > 0.0 or not neighbours > 0.0:
        raise InputError(
            f"the labels have forces of {scale:g} eV/A and {neighbours:g} neighbours within {cutoff_A:g} A on average; "
            "a model needs both: add rattled or strained structures, or a larger cutoff_A."
        )
    fitted = constants([label.structure for label in labels], per_atom)
    others = float(np.mean(list(fitted.values())))
    table = sorted({*fitted, *(SYMBOLS.index(symbol) for symbol in elements)})
    return Baseline({z: fitted.get(z, others) for z in table}, scale, neighbours)


def constants(structures: Sequence[Structure], per_atom: Floats) -> dict[int, float]:
    """Constant (eV) of each atomic number, by least squares of energies per atom (eV); ascending numbers.

    Where compositions leave them undetermined they are as equal as possible.
    """
    numbers = sorted({int(z) for structure in structures for z in structure.numbers})
    fractions = np.array([[np.mean(structure.numbers == z) for z in numbers] for structure in structures])
    mean = float(per_atom.mean())
    apart, *_ = np.linalg.lstsq(fractions, per_atom - mean, rcond=1e-8)  # the smallest of all minima
    return {z: mean + float(e) for z, e in zip(numbers, apart, strict=True)}


def _pairs(label: Labelled, cutoff_A: float) -> int:
    batch = Batch.of([label.structure])
    return len(pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, cutoff_A))
