"""Hops of ions in any crystal."""

from simkit.build.hop.alike import site_classes
from simkit.build.hop.ends import endpoints, through
from simkit.build.hop.find import find_hops
from simkit.build.hop.places import Places, places_of
from simkit.build.hop.record import CUTOFF_A, MECHANISMS, Hop, HopRequest, NoHopThere
from simkit.build.hop.states import Ends, State, arranged, ends_of, joined
from simkit.build.hop.voids import voids
from simkit.build.hop.ways import interface_beside

__all__ = [
    "CUTOFF_A",
    "MECHANISMS",
    "Ends",
    "Hop",
    "HopRequest",
    "NoHopThere",
    "Places",
    "State",
    "arranged",
    "endpoints",
    "ends_of",
    "find_hops",
    "interface_beside",
    "joined",
    "places_of",
    "site_classes",
    "through",
    "voids",
]
