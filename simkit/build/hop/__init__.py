"""Hops of ions in any crystal."""

from simkit.build.hop.ends import endpoints, through
from simkit.build.hop.find import find_hops
from simkit.build.hop.places import Places, places_of
from simkit.build.hop.record import CUTOFF_A, MECHANISMS, Hop, HopRequest
from simkit.build.hop.voids import voids

__all__ = [
    "CUTOFF_A",
    "MECHANISMS",
    "Hop",
    "HopRequest",
    "Places",
    "endpoints",
    "find_hops",
    "places_of",
    "through",
    "voids",
]
