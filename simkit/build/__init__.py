"""Structures of layered oxides: stacking algebra, phases, intergrowths, the inverse map, glides and hops."""

from simkit.build import checks
from simkit.build.assemble import Model, Settings, bulk, intergrowth
from simkit.build.charging import charged, ion_counts
from simkit.build.checks import Limits, Rules, Validation
from simkit.build.columns import (
    Columns,
    annihilation_problems,
    classify_columns,
    column_problems,
    lateral_domains,
    wall_problems,
)
from simkit.build.composite import CellReport, Composite
from simkit.build.composition import Composition
from simkit.build.distort import Published, distorted, published
from simkit.build.fill.charges import filled_charges
from simkit.build.fill.entropy import Entropy, configurational_entropy
from simkit.build.fill.ewald import ewald_energy
from simkit.build.fill.formula import formula_amounts, parse_formula
from simkit.build.fill.gradient import gradient, profile
from simkit.build.fill.orders import IonOrder, ion_orders
from simkit.build.foreign import JoinSettings, Part, coherent
from simkit.build.foreign_layered import layered_block
from simkit.build.geometry import gallery_sites, prototype
from simkit.build.glide import letter_vectors, slid, slide_weights
from simkit.build.heights import Heights, default_heights, harvest
from simkit.build.hop import (
    Ends,
    HopRequest,
    NoHopThere,
    Places,
    State,
    arranged,
    ends_of,
    find_hops,
    interface_beside,
    joined,
    places_of,
    site_classes,
    through,
)
from simkit.build.hopping import Hop, endpoints, hops, hops_between_ions, interface_galleries, interface_heights_A
from simkit.build.identify import Classification, classify
from simkit.build.interfaces import Interface, all_equivalent, environments, interfaces_of
from simkit.build.interlock import Move, Moves, interlock_scores, minimal_moves
from simkit.build.lateral.flip import flip_candidates, lateral_flip
from simkit.build.lateral.flip_search import FlipCandidate, FlipSettings
from simkit.build.lateral.glide import lateral
from simkit.build.lateral.settings import LateralSettings
from simkit.build.occupy import Filled, occupy
from simkit.build.phases import PHASES, Block
from simkit.build.planar import GlideGrid, glide_grid
from simkit.build.plane import ROOT3, orthogonal
from simkit.build.polytypes import SHAPES
from simkit.build.recipes import rebuild
from simkit.build.recognise import metal_order
from simkit.build.report import Report
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.build.sequences import SEQUENCES, basal_twin, faulted, markov, phase_gradient, sequence, z_phase
from simkit.build.shapes.core_shell import CoreShellSettings, Gradient, core_shell
from simkit.build.shapes.decoration import Domain
from simkit.build.shapes.domains import DomainSettings, domains
from simkit.build.shapes.particle import ParticleSettings, particle
from simkit.build.shapes.shape import Ellipsoid, Everywhere, Layers, Offset, Prism, Ribbon
from simkit.build.shapes.shape_table import SHAPE_TABLES, shape_from_dict, shape_to_dict, sphere
from simkit.build.shapes.twin import TwinSettings, mirror_twin
from simkit.build.shapes.twin_search import TwinSearch
from simkit.build.sharing import Coherency, coherency
from simkit.build.sites import Sites, candidate_sites, label
from simkit.build.slab_moves import distinct_slabs, slab_weights
from simkit.build.spinel import oxygen_parameter, spinel_heights
from simkit.build.stacking import Interlock, Slab, Stack, same_cyclic
from simkit.build.strain import Misfit, Shared, misfit, plane_stress, share_strain, stiffness
from simkit.build.surfaces import free_surface, require_filled
from simkit.build.symmetry import operations, space_group
from simkit.build.tunnel.bulk import tunnel_bulk
from simkit.build.tunnel.interface import RECOMMENDED, tunnel_interface
from simkit.build.tunnel.join import Contact
from simkit.build.tunnel.match import Search, TunnelMatch, tunnel_matches
from simkit.build.tunnel.phase import TunnelLattice
from simkit.build.tunnel.planes import MatchSearch, PlaneMatch, match_table
from simkit.build.tunnel.registry import Clearance
from simkit.build.tunnel.request import InterfaceSettings, TunnelBlock
from simkit.build.valence import ANION_VALENCE
from simkit.build.validate import validate, validate_relaxed

__all__ = [
    "ANION_VALENCE",
    "PHASES",
    "RECOMMENDED",
    "ROOT3",
    "SEQUENCES",
    "SHAPES",
    "SHAPE_TABLES",
    "Block",
    "CellReport",
    "Classification",
    "Clearance",
    "Coherency",
    "Columns",
    "Composite",
    "Composition",
    "Contact",
    "CoreShellSettings",
    "Domain",
    "DomainSettings",
    "Ellipsoid",
    "Ends",
    "Entropy",
    "Everywhere",
    "Filled",
    "FlipCandidate",
    "FlipSettings",
    "GlideGrid",
    "Gradient",
    "Heights",
    "Hop",
    "HopRequest",
    "Interface",
    "InterfaceSettings",
    "Interlock",
    "IonOrder",
    "JoinSettings",
    "LateralSettings",
    "Layers",
    "Limits",
    "MatchSearch",
    "Misfit",
    "Model",
    "Move",
    "Moves",
    "NoHopThere",
    "Offset",
    "Part",
    "ParticleSettings",
    "Places",
    "PlaneMatch",
    "Prism",
    "Published",
    "Region",
    "Report",
    "Ribbon",
    "Rules",
    "Scaffold",
    "Search",
    "Settings",
    "Shared",
    "Sites",
    "Slab",
    "Stack",
    "State",
    "Stratum",
    "TunnelBlock",
    "TunnelLattice",
    "TunnelMatch",
    "TwinSearch",
    "TwinSettings",
    "Validation",
    "all_equivalent",
    "annihilation_problems",
    "arranged",
    "basal_twin",
    "bulk",
    "candidate_sites",
    "charged",
    "checks",
    "classify",
    "classify_columns",
    "coherency",
    "coherent",
    "column_problems",
    "configurational_entropy",
    "core_shell",
    "default_heights",
    "distinct_slabs",
    "distorted",
    "domains",
    "endpoints",
    "ends_of",
    "environments",
    "ewald_energy",
    "faulted",
    "filled_charges",
    "find_hops",
    "flip_candidates",
    "formula_amounts",
    "free_surface",
    "gallery_sites",
    "glide_grid",
    "gradient",
    "harvest",
    "hops",
    "hops_between_ions",
    "interface_beside",
    "interface_galleries",
    "interface_heights_A",
    "interfaces_of",
    "intergrowth",
    "interlock_scores",
    "ion_counts",
    "ion_orders",
    "joined",
    "label",
    "lateral",
    "lateral_domains",
    "lateral_flip",
    "layered_block",
    "letter_vectors",
    "markov",
    "match_table",
    "metal_order",
    "minimal_moves",
    "mirror_twin",
    "misfit",
    "occupy",
    "operations",
    "orthogonal",
    "oxygen_parameter",
    "parse_formula",
    "particle",
    "phase_gradient",
    "places_of",
    "plane_stress",
    "profile",
    "prototype",
    "published",
    "rebuild",
    "require_filled",
    "same_cyclic",
    "sequence",
    "shape_from_dict",
    "shape_to_dict",
    "share_strain",
    "site_classes",
    "slab_weights",
    "slid",
    "slide_weights",
    "space_group",
    "sphere",
    "spinel_heights",
    "stiffness",
    "through",
    "tunnel_bulk",
    "tunnel_interface",
    "tunnel_matches",
    "validate",
    "validate_relaxed",
    "wall_problems",
    "z_phase",
]
