"""Activation energies from diffusivities or rates at several temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen
from simkit.errors import InputError
from simkit.measure.error_bars import Estimate
from simkit.units import BOLTZMANN_EV_PER_K


@dataclass(frozen=True, eq=False)
class Arrhenius:
    """value = exp(log_prefactor - activation / kT), the value in the unit it came in.

    covariance (2, 2) of log_prefactor and activation_eV; misfit: chi squared per freedom, None with two temperatures.
    """

    activation_eV: Estimate
    log_prefactor: Estimate
    covariance: Floats
    misfit: float | None

    def at(self, temperature_K: float) -> tuple[float, float, float]:
        """Value at a temperature and the ends of its 95 % interval, errors of both parameters propagated."""
        slope = np.array([1.0, -1.0 / (BOLTZMANN_EV_PER_K * temperature_K)])
        middle = float(slope @ [self.log_prefactor.value, self.activation_eV.value])
        spread = Estimate(middle, float(np.sqrt(slope @ self.covariance @ slope)), self.activation_eV.freedom)
        return float(np.exp(middle)), float(np.exp(spread.lower)), float(np.exp(spread.upper))


def arrhenius(temperatures_K: ArrayLike, values: Sequence[Estimate | None]) -> Arrhenius:
    """Weighted line through ln(value) over 1/kT, errors propagated from each value (delta method).

    Where the points scatter more than their errors say, the errors of the fit are widened by the root of the misfit,
    and the freedom is that of the scatter. Raises InputError on a value of None (not diffusive), not above zero or
    without an error, and on fewer than two different temperatures.
    """
    temperatures = frozen(temperatures_K, np.float64, (len(values),), "temperatures_K")
    if len(np.unique(temperatures)) < 2 or not (temperatures > 0).all():
        raise InputError("an activation energy needs at least two different temperatures above zero.")
    known = [_logarithm(value, t) for value, t in zip(values, temperatures, strict=True)]
    y, error = np.array(known).T
    x = np.column_stack([np.ones_like(temperatures), -1.0 / (BOLTZMANN_EV_PER_K * temperatures)])
    covariance = np.linalg.inv((x.T / error**2) @ x)
    fit = covariance @ (x.T / error**2) @ y
    spare = len(values) - 2
    misfit = float(np.sum(((y - x @ fit) / error) ** 2) / spare) if spare else None
    freedom = min(value.freedom for value in values)
    if misfit is not None and misfit > 1.0:
        covariance, freedom = covariance * misfit, float(max(spare, 1))
    spread = np.sqrt(np.diag(covariance))
    activation, prefactor = (Estimate(float(fit[k]), float(spread[k]), freedom) for k in (1, 0))
    return Arrhenius(activation, prefactor, covariance, misfit)


def activation_between(cold: float, cold_K: float, hot: float, hot_K: float) -> float | None:
    """Activation energy (eV) between two exact values at two temperatures, ln(hot / cold) / (1/kT_cold - 1/kT_hot).

    None where a value is not above zero. Raises InputError where the temperatures do not rise.
    """
    if not 0.0 < cold_K < hot_K:
        raise InputError(f"temperatures {cold_K} and {hot_K} K must rise from above zero.")
    if cold <= 0.0 or hot <= 0.0:
        return None
    return float(np.log(hot / cold) * BOLTZMANN_EV_PER_K / (1.0 / cold_K - 1.0 / hot_K))


def _logarithm(value: Estimate | None, temperature_K: float) -> tuple[float, float]:
    if value is None:
        raise InputError(f"no value at {temperature_K:g} K (not diffusive yet); leave it out or run longer.")
    if not (value.value > 0 and value.error > 0):
        raise InputError(f"{value} at {temperature_K:g} K; the fit needs values and errors above zero.")
    return float(np.log(value.value)), value.error / value.value
