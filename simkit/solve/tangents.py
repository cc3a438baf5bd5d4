"""Geometry of a band of images: improved tangents, projected forces, the fit of its profile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit.arrays import Floats


def tangents(positions: Floats, energies: Floats) -> Floats:
    """(k + 2, n, 3) unit tangents of a band including its endpoints.

    Improved tangent of Henkelman and Jonsson, J. Chem. Phys. 113, 9978 (2000): towards the higher
    neighbour, at extrema both neighbours weighted by the energy differences; endpoints point inwards
    along the path. positions (k + 2, n, 3) A unwrapped along the path, energies (k + 2,) eV.
    """
    steps = np.diff(positions, axis=0)
    ahead, behind = steps[1:], steps[:-1]
    up, down = energies[2:] - energies[1:-1], energies[:-2] - energies[1:-1]
    larger, smaller = np.maximum(abs(up), abs(down)), np.minimum(abs(up), abs(down))
    rising, falling = (up > 0) & (down < 0), (up < 0) & (down > 0)
    forward = np.where(up > down, larger, smaller)
    backward = np.where(up > down, smaller, larger)
    level = larger == 0
    forward, backward = np.where(rising | level, 1.0, forward), np.where(falling | level, 1.0, backward)
    forward, backward = np.where(falling, 0.0, forward), np.where(rising, 0.0, backward)
    inner = forward[:, None, None] * ahead + backward[:, None, None] * behind
    both = np.concatenate([steps[:1], inner, steps[-1:]])
    length = np.sqrt(np.einsum("knc,knc->k", both, both))
    return both / np.maximum(length, 1e-300)[:, None, None]


def band_forces(
    positions: Floats, t: Floats, forces: Floats, spring: float, climbing: Sequence[int] = ()
) -> tuple[Floats, Floats]:
    """Projected forces on the moving images, and their part without the springs (both (k, n, 3) eV/A).

    f = F - (F.t) t + spring (|R_next - R| - |R - R_previous|) t, and for a climbing image
    F - 2 (F.t) t (Henkelman, Uberuaga and Jonsson, J. Chem. Phys. 113, 9901, 2000).

    positions (k + 2, n, 3) A with the endpoints; unit tangents t (k, n, 3) and forces (k, n, 3) eV/A of
    the moving images; spring eV/A^2; climbing the indices of moving images.
    """
    along = np.einsum("knc,knc->k", forces, t)
    across = forces - along[:, None, None] * t
    length = np.sqrt(np.sum(np.diff(positions, axis=0) ** 2, axis=(1, 2)))
    pull = spring * (length[1:] - length[:-1])
    true = across.copy()
    for image in climbing:
        pull[image] = 0.0
        true[image] -= along[image] * t[image]
    return true + pull[:, None, None] * t, true


def path_profile(positions: Floats, energies: Floats, forces: Floats) -> tuple[Floats, Floats]:
    """Path coordinate (k + 2,) A and tangential force (k + 2,) eV/A, minus the slope of the energy along it."""
    length = np.sqrt(np.sum(np.diff(positions, axis=0) ** 2, axis=(1, 2)))
    return np.concatenate([[0.0], np.cumsum(length)]), np.einsum("knc,knc->k", forces, tangents(positions, energies))


def fitted_maximum(distances: Floats, energies: Floats, pulls: Floats) -> float:
    """Highest energy of the cubic Hermite curve through energies with slopes -pulls, eV."""
    best = float(np.max(energies))
    for i in range(len(energies) - 1):
        h = distances[i + 1] - distances[i]
        e0, e1, m0, m1 = energies[i], energies[i + 1], -pulls[i] * h, -pulls[i + 1] * h
        cubic = np.polynomial.Polynomial([e0, m0, 3 * (e1 - e0) - 2 * m0 - m1, 2 * (e0 - e1) + m0 + m1])
        turning = cubic.deriv().roots()
        real = turning.real[(abs(turning.imag) < 1e-12) & (turning.real > 0) & (turning.real < 1)]
        best = max([best, *(float(v) for v in cubic(real))])
    return best
