"""Ionic conductivity from the motion of the charge as a whole, and how far it differs from that of single ions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.errors import InputError
from simkit.measure.diffusion import Diffusivity, FitWindow, IonTracks, diffusivity
from simkit.measure.error_bars import Estimate, ratio_of_blocks
from simkit.units import BOLTZMANN_EV_PER_K, EV_J

CM_PER_A = 1e-8


@dataclass(frozen=True)
class Carrier:
    """The cell the ions move in: charge_e of each ion in elementary charges, volume_A3 of the cell, temperature_K."""

    charge_e: float
    volume_A3: float
    temperature_K: float

    def __post_init__(self) -> None:
        if not (self.charge_e != 0 and self.volume_A3 > 0 and self.temperature_K > 0):
            raise InputError(f"{self}: the charge must not be zero, the volume and the temperature above zero.")


@dataclass(frozen=True, eq=False)
class Conductivity:
    """Conductivity along the axes of its diffusivities.

    tracer               of single ions
    collective           D_sigma = <|sum of displacements|^2> / (2 d t ions): of the charge, per ion
    nernst_einstein_S_per_cm from the tracer diffusivity, as if ions moved independently; None unless diffusive
    value_S_per_cm       from the collective one; None unless diffusive
    haven_ratio          D_tracer / D_sigma; None unless both are diffusive
    """

    tracer: Diffusivity
    collective: Diffusivity
    nernst_einstein_S_per_cm: Estimate | None
    value_S_per_cm: Estimate | None
    haven_ratio: Estimate | None


def collective_tracks(tracks: IonTracks) -> IonTracks:
    """The sum of all positions over the root of their number, as the track of one particle.

    Its diffusivity is D_sigma, and equals the tracer diffusivity when ions move independently.
    """
    ions = tracks.positions.shape[1]
    return IonTracks(tracks.positions.sum(axis=1, keepdims=True) / np.sqrt(ions), tracks.interval_ps)


def conductivity(
    tracks: IonTracks,
    carrier: Carrier,
    axes: str = "xyz",
    *,
    jump_length_A: float,
    window: FitWindow | None = None,
) -> Conductivity:
    """Conductivity sigma = N z^2 e^2 D_sigma / (V k T) of all ions in the tracks, with the Haven ratio.

    The tracks must hold every ion of the cell that carries charge, in the frame of the host. Only time averages over
    the collective displacement, so its error bar is wide. Raises InputError as `diffusivity` does.
    """
    tracer = diffusivity(tracks, axes, jump_length_A=jump_length_A, window=window)
    collective = diffusivity(collective_tracks(tracks), axes, jump_length_A=jump_length_A, window=window)
    factor = _S_per_cm(tracks.positions.shape[1], carrier)
    single, whole = tracer.value_cm2_per_s, collective.value_cm2_per_s
    haven = None
    if single and whole:
        haven = ratio_of_blocks(tracer.table_cm2_per_s.mean(axis=1), collective.table_cm2_per_s[:, 0])
    return Conductivity(
        tracer,
        collective,
        single and single.times(factor),
        whole and whole.times(factor),
        haven,
    )


def _S_per_cm(ions: int, carrier: Carrier) -> float:
    """Conductivity per diffusivity, (S/cm) / (cm^2/s): density x charge^2 x e / (kT / e)."""
    density_per_cm3 = ions / (carrier.volume_A3 * CM_PER_A**3)
    return density_per_cm3 * carrier.charge_e**2 * EV_J / (BOLTZMANN_EV_PER_K * carrier.temperature_K)
