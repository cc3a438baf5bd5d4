"""Sharing the strain of two blocks on one in-plane cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.build.strain import elastic_energy_J_per_m2, normal_strain, share_strain, stiffness, strain_between
from simkit.build.tunnel.slice import Slice
from simkit.errors import InputError

MODES = ("equal", "thickness", "fix:0", "fix:1", "elastic")
"""How two blocks share their strain; the last needs elastic constants."""
Constants = Mapping[str, float] | Sequence[Sequence[float]]


@dataclass(frozen=True, eq=False)
class Common:
    """What two blocks agree on.

    plane     (2, 2) A, common in-plane cell
    normal    (2,) strain of each along the normal, 0 without elastic constants
    energies_J_per_m2  (2,) elastic energy of each per area, or nothing without elastic constants
    """

    plane: Floats
    normal: Floats
    energies_J_per_m2: tuple[float, ...]


def common_plane(pair: tuple[Slice, Slice], strain: str, constants: Sequence[Constants] | None = None) -> Common:
    """The in-plane cell that two blocks share.

    strain     "equal" mean, "thickness" weighted mean, "fix:0" or "fix:1" that of one block, "elastic" least energy
    constants  elastic constants of both blocks, GPa, in the frame of the interface (z its normal), as
               `simkit.build.strain.stiffness` takes them; with them heights follow Poisson in every mode
    Raises InputError for another word, or "elastic" without constants.
    """
    planes = np.stack([item.plane for item in pair])
    heights = [float(np.ptp(item.ends_A)) for item in pair]
    require_mode(strain, MODES)
    moduli = None if constants is None else [stiffness(c) for c in constants]
    if strain == "elastic":
        if moduli is None:
            raise InputError(
                "strain = 'elastic' needs elastic constants of both blocks: give them as InterfaceSettings(constants="
                "(..., ...)) in GPa, or use 'thickness'."
            )
        found = share_strain(planes, heights, moduli)
        return Common(found.cell, found.normal, tuple(found.energies_J_per_m2.tolist()))
    plane = _plane(planes, heights, strain)
    if moduli is None:
        return Common(plane, np.zeros(2), ())
    strains = [strain_between(own, plane) for own in planes]
    normal = np.array([normal_strain(c, e) for c, e in zip(moduli, strains, strict=True)])
    energies = [elastic_energy_J_per_m2(c, t, e) for c, t, e in zip(moduli, heights, strains, strict=True)]
    return Common(plane, normal, tuple(energies))


def _plane(planes: Floats, heights: list[float], strain: str) -> Floats:
    if strain == "equal":
        return planes.mean(axis=0)
    if strain == "thickness":
        return np.average(planes, axis=0, weights=heights)
    return planes[int(strain[-1])].copy()


def require_mode(strain: object, modes: Sequence[str]) -> None:
    """Raise InputError unless strain is one of the modes a builder offers."""
    if strain not in modes:
        told = ", ".join(repr(mode) for mode in modes)
        raise InputError(f"strain = {strain!r}; use one of {told} (fix:0 keeps the first block, fix:1 the second).")


def strain_percent(own: Floats, common: Floats) -> Floats:
    """(2, 2) symmetric small strain that takes one in-plane cell to another, per cent; x along the first vector."""
    xx, yy, xy = 100.0 * strain_between(own, common)
    return np.array([[xx, 0.5 * xy], [0.5 * xy, yy]])


def require_strain(strains: dict[str, Floats], limit_percent: float) -> None:
    """Raise InputError where a principal strain (per cent) of a named block passes the limit."""
    for name, strain in strains.items():
        if np.abs(np.linalg.eigvalsh(strain)).max() > limit_percent + 1e-9:
            raise InputError(
                f"{name} would be strained by {strain[0, 0]:+.2f} % along and {strain[1, 1]:+.2f} % across to match, "
                f"the limit is {limit_percent:g} %: choose another plane or other periods (`match_table`, "
                "or `tunnel_matches` on 0001 and 1-100), bring the lattice parameters closer, or raise "
                "max_strain_percent."
            )
