"""What a study file says of transport and of the structure over time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simkit.config import Section
from simkit.workflows import md
from simkit.workflows.committee import Config as CommitteeConfig


class Transport(Section):
    """How diffusivities, jumps and densities are taken from the trajectories.

    ion, charge_e  the mobile ion and its formal charge
    skip_ps        equilibration left out at the start
    blocks         stretches of time between which the error is judged
    jump_length_A  distance between neighbouring sites that the ions must have passed; 0 takes it from the sites
    dwell_ps       an ion must stay so long on a new site for a jump to count
    density_A      spacing of the grid of the density maps
    """

    ion: str = "Na"
    charge_e: float = 1.0
    skip_ps: float = Field(default=2.0, ge=0)
    blocks: int = Field(default=8, ge=2)
    jump_length_A: float = Field(default=0.0, ge=0)
    dwell_ps: float = Field(default=0.3, ge=0)
    density_A: float = Field(default=0.25, gt=0)


class Evolution(Section):
    """How the structure is followed.

    frames         of each trajectory that are classified, at most
    persist        a gallery must be read so many times in a row as another stacking for a glide to count
    left_A         a metal that leaves the middle of its slab by more has left its layer
    patterns       powder patterns along each trajectory; 0 draws none
    two_theta_deg  range of the patterns; wavelength as pymatgen names it
    """

    frames: int = Field(default=60, ge=2)
    persist: int = Field(default=2, ge=1)
    left_A: float = Field(default=1.2, gt=0)
    patterns: int = Field(default=8, ge=0)
    two_theta_deg: Annotated[tuple[float, float], Field(strict=False)] = (10.0, 50.0)
    wavelength: str = "CuKa"


class Config(Section):
    """Molecular dynamics, what it says of transport, and what became of the structure.

    committee  what is done where the members of a potential "committee:A,B,C" are far apart
    """

    dynamics: md.Config = md.Config()
    transport: Transport = Transport()
    evolution: Evolution = Evolution()
    committee: CommitteeConfig = CommitteeConfig()
