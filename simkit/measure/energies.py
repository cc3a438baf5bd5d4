"""Energies of an intergrowth against its phases: interface, coherency, formation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import frozen
from simkit.errors import InputError
from simkit.units import EV_PER_A2_IN_J_PER_M2


@dataclass(frozen=True)
class PhaseShare:
    """One phase of an intergrowth: its formula units, and its energy per formula unit, eV, as bulk strained to the
    common in-plane lattice (normal relaxed) and as bulk relaxed freely, both at the composition it has there."""

    name: str
    formula_units: float
    strained_eV: float
    relaxed_eV: float


@dataclass(frozen=True)
class IntergrowthEnergies:
    """An intergrowth against its phases.

    interface: excess over the strained bulks, per area of two interfaces; coherency: strained over relaxed bulks;
    formation: excess over the relaxed bulks = coherency + 2 A interface.
    """

    interface_J_per_m2: float
    interface_meV_per_A2: float
    coherency_J_per_m2: float
    coherency_meV_per_fu: float
    formation_meV_per_fu: float


@dataclass(frozen=True)
class ThicknessFit:
    """E_excess(n) / 2A = interface + slope n; residual is the largest deviation from the line."""

    interface_J_per_m2: float
    slope_J_per_m2: float
    residual_J_per_m2: float


def intergrowth_energies(energy_eV: float, phases: Sequence[PhaseShare], area_A2: float) -> IntergrowthEnergies:
    """gamma = [E - sum n_P e_P(a_common)] / 2A, coherency = sum n_P [e_P(a_common) - e_P(a_P)], and their sum.

    energy_eV of the cell, which holds two interfaces of area_A2 each. Coherency is per area of one interface plane
    (the whole cell's strain energy over A) and per formula unit of the cell.

    Raises InputError: no phases, counts or an area not above zero. Not promised: that the compositions of the
    references are those of the cell; a difference in sodium content shows up as interface energy.
    """
    if not phases or not area_A2 > 0 or not all(p.formula_units > 0 for p in phases):
        raise InputError(
            f"{len(phases)} phases, area {area_A2} A^2; at least one phase is needed, "
            "and formula units and area above zero."
        )
    units = sum(p.formula_units for p in phases)
    excess = energy_eV - sum(p.formula_units * p.strained_eV for p in phases)
    coherency = sum(p.formula_units * (p.strained_eV - p.relaxed_eV) for p in phases)
    gamma = excess / (2.0 * area_A2)
    return IntergrowthEnergies(
        interface_J_per_m2=gamma * EV_PER_A2_IN_J_PER_M2,
        interface_meV_per_A2=gamma * 1e3,
        coherency_J_per_m2=coherency / area_A2 * EV_PER_A2_IN_J_PER_M2,
        coherency_meV_per_fu=coherency / units * 1e3,
        formation_meV_per_fu=(excess + coherency) / units * 1e3,
    )


def thickness_fit(formula_units: ArrayLike, excess_J_per_m2: ArrayLike) -> ThicknessFit:
    """Straight line through E_excess / 2A against the formula units of cells of different thickness.

    formula_units (m,), excess_J_per_m2 (m,), at least two different thicknesses, else InputError.
    """
    n = frozen(formula_units, np.float64, (None,), "formula_units")
    excess = frozen(excess_J_per_m2, np.float64, (len(n),), "excess_J_per_m2")
    if len(np.unique(n)) < 2:
        raise InputError(f"thicknesses {n.tolist()}; at least two different ones are needed.")
    design = np.stack([np.ones_like(n), n], axis=1)
    (intercept, slope), *_ = np.linalg.lstsq(design, excess, rcond=None)
    residual = np.abs(design @ [intercept, slope] - excess).max()
    return ThicknessFit(float(intercept), float(slope), float(residual))
