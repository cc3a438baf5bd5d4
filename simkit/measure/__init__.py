"""Evaluations and energies into numbers and maps with units."""

from simkit.measure.arrhenius import Arrhenius, activation_between, arrhenius
from simkit.measure.barrier import BarrierFit, Intermediate, fit_barrier, intermediates, largest_rise
from simkit.measure.coarse import (
    StressGrid,
    StressProfile,
    coarse_grain,
    default_width_A,
    profile_along_normal,
    stress_grid,
    virial_grid,
)
from simkit.measure.conductivity import Carrier, Conductivity, collective_tracks, conductivity
from simkit.measure.diffusion import (
    Diffusivity,
    FitWindow,
    IonTracks,
    diffusivity,
    ion_tracks,
    mean_squares,
    van_hove,
)
from simkit.measure.energies import (
    IntergrowthEnergies,
    PhaseShare,
    ThicknessFit,
    intergrowth_energies,
    thickness_fit,
)
from simkit.measure.error_bars import Estimate, mean_of_blocks, ratio_of_blocks
from simkit.measure.exports import stress_columns, vtk_text, with_stress
from simkit.measure.gamma import GammaProfile, GlidePlane, gamma_profile
from simkit.measure.kinetic import (
    HoppingDiffusion,
    KineticSampling,
    hopping_activation,
    hopping_diffusion,
    single_vacancy_cm2_per_s,
)
from simkit.measure.network import (
    Hops,
    Network,
    connect,
    part_of,
    repeated,
    single_ion_cm2_per_s,
    vacancy_network,
)
from simkit.measure.percolate import Percolation, crossing, percolation, percolation_by_label, percolation_within
from simkit.measure.site_jumps import (
    Jumps,
    SiteTable,
    jump_rate,
    jumps,
    residence_ps,
    site_rates_per_ps,
    site_table,
    stays_ps,
)
from simkit.measure.statistics import share_above, volume_mean, volume_percentiles
from simkit.measure.stress import Reference, Site, StressField, reference_of, site_reference, stress_field
from simkit.measure.tensors import deviator, hydrostatic, principal, von_mises
from simkit.measure.track import displacements_A, track_length_A, window_A
from simkit.measure.transfer import Transferred, directed, transferred
from simkit.measure.vineyard import Attempts, attempts, frequencies_per_s
from simkit.measure.volumes import voronoi_volumes

__all__ = [
    "Arrhenius",
    "Attempts",
    "BarrierFit",
    "Carrier",
    "Conductivity",
    "Diffusivity",
    "Estimate",
    "FitWindow",
    "GammaProfile",
    "GlidePlane",
    "HoppingDiffusion",
    "Hops",
    "IntergrowthEnergies",
    "Intermediate",
    "IonTracks",
    "Jumps",
    "KineticSampling",
    "Network",
    "Percolation",
    "PhaseShare",
    "Reference",
    "Site",
    "SiteTable",
    "StressField",
    "StressGrid",
    "StressProfile",
    "ThicknessFit",
    "Transferred",
    "activation_between",
    "arrhenius",
    "attempts",
    "coarse_grain",
    "collective_tracks",
    "conductivity",
    "connect",
    "crossing",
    "default_width_A",
    "deviator",
    "diffusivity",
    "directed",
    "displacements_A",
    "fit_barrier",
    "frequencies_per_s",
    "gamma_profile",
    "hopping_activation",
    "hopping_diffusion",
    "hydrostatic",
    "intergrowth_energies",
    "intermediates",
    "ion_tracks",
    "jump_rate",
    "jumps",
    "largest_rise",
    "mean_of_blocks",
    "mean_squares",
    "part_of",
    "percolation",
    "percolation_by_label",
    "percolation_within",
    "principal",
    "profile_along_normal",
    "ratio_of_blocks",
    "reference_of",
    "repeated",
    "residence_ps",
    "share_above",
    "single_ion_cm2_per_s",
    "single_vacancy_cm2_per_s",
    "site_rates_per_ps",
    "site_reference",
    "site_table",
    "stays_ps",
    "stress_columns",
    "stress_field",
    "stress_grid",
    "thickness_fit",
    "track_length_A",
    "transferred",
    "vacancy_network",
    "van_hove",
    "virial_grid",
    "volume_mean",
    "volume_percentiles",
    "von_mises",
    "voronoi_volumes",
    "vtk_text",
    "window_A",
    "with_stress",
]
