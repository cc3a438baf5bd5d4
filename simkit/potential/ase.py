"""Any ASE calculator as a potential: slower, one structure after another, the same API."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin
from ase.calculators.calculator import CalculatorError
from ase.calculators.fd import calculate_numerical_stress

from simkit.arrays import Floats, from_voigt
from simkit.errors import InputError, SimkitError
from simkit.potential.base import Evaluations, Potential
from simkit.potential.card import Card
from simkit.structure import Batch

STRAIN = 1e-5
"""Strain of the numerical stress: truncation and rounding errors are both near 1e-9 eV/A^3."""


class ASEPotential(Potential):
    """An ASE calculator asked for one structure at a time; made by `from_ase`."""

    def __init__(self, calculator: GetPropertiesMixin, card: Card, own_stress: bool) -> None:
        self.card = card
        self._calculator = calculator
        self._own_stress = own_stress

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        energy, stress = np.empty(len(batch)), np.empty((len(batch), 3, 3))
        forces = np.empty((len(batch.numbers), 3))
        for system, (low, high) in enumerate(zip(batch.starts[:-1], batch.starts[1:], strict=True)):
            atoms = Atoms(
                numbers=batch.numbers[low:high],
                positions=batch.positions[low:high],
                cell=batch.cells[system],
                pbc=batch.periodic[system],
            )
            energy[system], forces[low:high], stress[system] = self._one(atoms)
        return Evaluations(energy, forces, stress, None, batch.system_of)

    def _one(self, atoms: Atoms) -> tuple[float, Floats, Floats]:
        atoms.calc = self._calculator
        try:
            energy = float(atoms.get_potential_energy())
            forces = np.array(atoms.get_forces(apply_constraint=False), dtype=np.float64)
            if self._own_stress:
                stress = np.array(atoms.get_stress(voigt=True, apply_constraint=False), dtype=np.float64)
            else:
                strained = atoms.copy()
                strained.calc = self._calculator
                stress = calculate_numerical_stress(strained, eps=STRAIN, voigt=True, force_consistent=False)
        except (CalculatorError, NotImplementedError, KeyError, ValueError, RuntimeError) as error:
            raise SimkitError(
                f"the ASE calculator {self.card.name} failed on {atoms.get_chemical_formula()}: "
                f"{type(error).__name__}: {error}"
            ) from error
        return energy, forces, from_voigt(stress)


def from_ase(calculator: GetPropertiesMixin, name: str | None = None) -> ASEPotential:
    """Any ASE calculator as a potential.

    The calculator decides which elements it knows and gives no atomic virials, so no stress maps. One that
    has no stress of its own gets it by finite differences, twelve more energies a structure; the card says
    so. Results are copied; NaN comes back as it is. Raises InputError when the object is no ASE calculator
    or lacks energies or forces.
    """
    if not isinstance(calculator, GetPropertiesMixin):
        raise InputError(f"from_ase wants an ASE calculator, not a {type(calculator).__name__}.")
    known = list(calculator.implemented_properties)
    name = name or type(calculator).__name__
    missing = [p for p in ("energy", "forces") if p not in known]
    if missing:
        raise InputError(f"the ASE calculator {name} gives no {' and '.join(missing)}; it gives {', '.join(known)}.")
    limits = ("Asked one structure at a time.", "No atomic virials, so no stress maps.")
    if "stress" not in known:
        limits += ("No stress of its own: found by finite differences, twelve more energies a structure.",)
    card = Card(
        name=name,
        kind="ase",
        summary=f"ASE calculator {type(calculator).__name__}, sequential",
        virials=False,
        source="passed to potential.from_ase",
        limits=limits,
    )
    return ASEPotential(calculator, card, "stress" in known)
