"""Evaluations and energies into numbers and maps with units."""

from simkit.measure.barrier import BarrierFit, fit_barrier, largest_rise
from simkit.measure.coarse import (
    StressGrid,
    StressProfile,
    coarse_grain,
    default_width_A,
    profile_along_normal,
    stress_grid,
    virial_grid,
)
from simkit.measure.energies import (
    IntergrowthEnergies,
    PhaseShare,
    ThicknessFit,
    intergrowth_energies,
    thickness_fit,
)
from simkit.measure.exports import stress_columns, vtk_text, with_stress
from simkit.measure.gamma import GammaProfile, GlidePlane, gamma_profile
from simkit.measure.network import Percolation, percolation
from simkit.measure.statistics import share_above, volume_mean, volume_percentiles
from simkit.measure.stress import Reference, Site, StressField, reference_of, site_reference, stress_field
from simkit.measure.tensors import deviator, hydrostatic, principal, von_mises
from simkit.measure.track import displacements_A, track_length_A, window_A
from simkit.measure.volumes import voronoi_volumes

__all__ = [
    "BarrierFit",
    "GammaProfile",
    "GlidePlane",
    "IntergrowthEnergies",
    "Percolation",
    "PhaseShare",
    "Reference",
    "Site",
    "StressField",
    "StressGrid",
    "StressProfile",
    "ThicknessFit",
    "coarse_grain",
    "default_width_A",
    "deviator",
    "displacements_A",
    "fit_barrier",
    "gamma_profile",
    "hydrostatic",
    "intergrowth_energies",
    "largest_rise",
    "percolation",
    "principal",
    "profile_along_normal",
    "reference_of",
    "share_above",
    "site_reference",
    "stress_columns",
    "stress_field",
    "stress_grid",
    "thickness_fit",
    "track_length_A",
    "virial_grid",
    "volume_mean",
    "volume_percentiles",
    "von_mises",
    "voronoi_volumes",
    "vtk_text",
    "window_A",
    "with_stress",
]
