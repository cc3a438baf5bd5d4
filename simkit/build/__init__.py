"""Structures of layered oxides: stacking algebra, phases, intergrowths, the inverse map, glides and hops."""

from simkit.build import checks
from simkit.build.assemble import Model, Settings, bulk, intergrowth, rebuild
from simkit.build.checks import Limits
from simkit.build.geometry import gallery_sites, prototype
from simkit.build.glide import letter_vectors, slid, slide_weights
from simkit.build.heights import Heights, default_heights, harvest
from simkit.build.hopping import Hop, endpoints, hops, hops_between_ions, interface_galleries
from simkit.build.identify import Classification, classify
from simkit.build.phases import PHASES, Block
from simkit.build.plane import ROOT3, orthogonal
from simkit.build.report import Report
from simkit.build.sites import Sites, candidate_sites, label
from simkit.build.stacking import Interlock, Slab, Stack, same_cyclic
from simkit.build.symmetry import space_group

__all__ = [
    "PHASES",
    "ROOT3",
    "Block",
    "Classification",
    "Heights",
    "Hop",
    "Interlock",
    "Limits",
    "Model",
    "Report",
    "Settings",
    "Sites",
    "Slab",
    "Stack",
    "bulk",
    "candidate_sites",
    "checks",
    "classify",
    "default_heights",
    "endpoints",
    "gallery_sites",
    "harvest",
    "hops",
    "hops_between_ions",
    "interface_galleries",
    "intergrowth",
    "label",
    "letter_vectors",
    "orthogonal",
    "prototype",
    "rebuild",
    "same_cyclic",
    "slid",
    "slide_weights",
    "space_group",
]
