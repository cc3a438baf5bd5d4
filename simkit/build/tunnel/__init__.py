"""Tunnel phase blocks and layered | tunnel interfaces."""

from simkit.build.tunnel.bulk import tunnel_bulk
from simkit.build.tunnel.interface import RECOMMENDED, tunnel_interface
from simkit.build.tunnel.join import Contact
from simkit.build.tunnel.match import Search, TunnelMatch, tunnel_matches
from simkit.build.tunnel.phase import TunnelLattice, tunnel_scaffold
from simkit.build.tunnel.planes import MatchSearch, PlaneMatch, match_table
from simkit.build.tunnel.rebuild import rebuild_tunnel
from simkit.build.tunnel.registry import Clearance
from simkit.build.tunnel.request import InterfaceSettings, TunnelBlock

__all__ = [
    "RECOMMENDED",
    "Clearance",
    "Contact",
    "InterfaceSettings",
    "MatchSearch",
    "PlaneMatch",
    "Search",
    "TunnelBlock",
    "TunnelLattice",
    "TunnelMatch",
    "match_table",
    "rebuild_tunnel",
    "tunnel_bulk",
    "tunnel_interface",
    "tunnel_matches",
    "tunnel_scaffold",
]
