"""The radial functions of a MACE model as splines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simkit.errors import SimkitError
from simkit.kernels.radial_spline import fit_spline, spline_basis

FEWEST_INTERVALS, MOST_INTERVALS = 128, 2048
START_A = 0.02
"""Step of the even polynomial that continues the functions to distance zero, where they are 0/0."""
END_STEP_A, STEP_A = 2e-3, 5e-4
"""Steps of the differences that give slopes: of sixth order at the cutoff, of fourth inside."""
NEAREST_BOND_A = 0.7
"""Nearest distance at which the spline is held to the model; below it, it is smooth and finite."""

Radial = Callable[[NDArray], NDArray]
"""Distances (p,) A -> values (p, l, c)."""


def read_tables(module: torch.nn.Module, error: float) -> list[NDArray[np.float64]]:
    """(rows, l, c) spline coefficients for each layer, the same number of rows, as few as are exact enough.

    error is the largest one allowed of a slope, over the largest slope. Raises SimkitError when no table up to
    2048 steps is exact enough.
    """
    cutoff_A = float(module.r_max)
    functions = [radial_function(module, interaction) for interaction in module.interactions]
    intervals = FEWEST_INTERVALS
    while intervals <= MOST_INTERVALS:
        tables = [tabulate(f, cutoff_A, intervals) for f in functions]
        worst = max(spline_error(f, table, cutoff_A) for f, table in zip(functions, tables, strict=True))
        if worst < error:
            return tables
        intervals *= 2
    raise SimkitError(
        f"the radial functions of this MACE model are off by {worst:.1e} of their slope in a table of "
        f"{MOST_INTERVALS} steps, {error} is allowed; load it with '?path=torch'."
    )


def tabulate(function: Radial, cutoff_A: float, intervals: int) -> NDArray[np.float64]:
    """Spline through the radial functions at even steps, with their own derivatives at the ends."""
    start, curvature = continued_to_zero(function)
    values = np.concatenate([start[None], function(np.linspace(0.0, cutoff_A, intervals + 1)[1:])])
    ends = np.array([[np.zeros_like(start), curvature], end_derivatives(function, cutoff_A)])
    return fit_spline(values, ends, cutoff_A)


def continued_to_zero(function: Radial) -> tuple[NDArray, NDArray]:
    """Value and second derivative at distance zero of functions that are even there: a fit of 1, r^2, r^4, r^6."""
    steps = np.arange(1, 5)
    found = function(START_A * steps)
    fit = np.linalg.solve(steps[:, None] ** (2.0 * np.arange(4)), found.reshape(4, -1)).reshape(found.shape)
    return fit[0], 2.0 * fit[1] / START_A**2


def end_derivatives(function: Radial, cutoff_A: float) -> tuple[NDArray, NDArray]:
    """First and second derivative at the cutoff, from inside: a fit of a sixth-order polynomial to seven points."""
    steps = np.arange(7)
    found = function(cutoff_A - END_STEP_A * steps)
    fit = np.linalg.solve(steps[:, None] ** (1.0 * np.arange(7)), found.reshape(7, -1)).reshape(found.shape)
    return -fit[1] / END_STEP_A, 2.0 * fit[2] / END_STEP_A**2


def spline_error(function: Radial, table: NDArray, cutoff_A: float) -> float:
    """Largest error of slopes (and of values over 1 A) between the knots, over the largest slope."""
    intervals = len(table) - 5
    at = np.arange(NEAREST_BOND_A, cutoff_A - 2 * STEP_A, 0.29 * cutoff_A / intervals)
    far_down, down, values, up, far_up = function((at + STEP_A * np.arange(-2, 3)[:, None]).ravel()).reshape(
        5, len(at), *table.shape[1:]
    )
    slopes = (8.0 * (up - down) - (far_up - far_down)) / (12.0 * STEP_A)
    place, basis = np.empty(len(at), dtype=np.int64), np.empty((len(at), 2, 6))
    spline_basis(at[:, None] * np.array([1.0, 0.0, 0.0]), cutoff_A, intervals, place, basis)
    rows = table[place[:, None] + np.arange(6)].reshape(len(at), 6, -1)
    got = (basis @ rows).reshape(len(at), 2, *table.shape[1:])
    return float(max(np.abs(got[:, 0] - values).max(), np.abs(got[:, 1] - slopes).max()) / np.abs(slopes).max())


def radial_function(module: torch.nn.Module, interaction: torch.nn.Module) -> Radial:
    """The weights of the convolution times the norm of its coupling of a scalar with degree l."""
    norms, nothing = coupling_norms(interaction), torch.empty(0)

    def values(at: NDArray) -> NDArray:
        with torch.no_grad():
            features, fade = module.radial_embedding(torch.from_numpy(at)[:, None], nothing, nothing, nothing)
            found = interaction.conv_tp_weights(features)
            found = found if fade is None else found * fade
            return array(found.reshape(len(at), len(norms), -1) * norms[:, None])

    return values


def coupling_norms(interaction: torch.nn.Module) -> Tensor:
    """(l,) what the convolution makes of a feature 1, a harmonic 1 and a weight 1."""
    product = interaction.conv_tp
    channels, degrees = product.irreps_in1.dim, len(product.irreps_in2)
    feature, weight = torch.ones(1, channels).double(), torch.ones(1, product.weight_numel).double()
    norms = []
    for ell in range(degrees):
        harmonics = torch.zeros(1, degrees**2, dtype=torch.float64)
        harmonics[0, ell * ell] = 1.0
        norms.append(product(feature, harmonics, weight)[0, channels * ell * ell])
    return torch.stack(norms).detach()


def array(tensor: Tensor) -> NDArray[np.float64]:
    """Detached, contiguous and in float64."""
    return np.ascontiguousarray(tensor.detach().double().numpy())
