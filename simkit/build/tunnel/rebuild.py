"""Tunnel cells from their recipes."""

from __future__ import annotations

from collections.abc import Mapping

from simkit.build.composite import Composite
from simkit.build.composition import Composition
from simkit.build.phases import Block
from simkit.build.tunnel.bulk import tunnel_bulk
from simkit.build.tunnel.interface import tunnel_interface
from simkit.build.tunnel.phase import TunnelLattice
from simkit.build.tunnel.request import InterfaceSettings, TunnelBlock
from simkit.errors import InputError, nearest

KINDS = ("tunnel_bulk", "tunnel_interface")


def rebuild_tunnel(recipe: Mapping) -> Composite:
    """The tunnel cell a recipe describes, byte for byte, also after a round trip through JSON.

    Raises InputError for another kind than "tunnel_bulk" and "tunnel_interface".
    """
    kind = recipe.get("kind")
    if kind == "tunnel_bulk":
        composition = Composition(**recipe["composition"])
        return tunnel_bulk(composition, tuple(recipe["repeats"]), recipe["seed"], TunnelLattice(*recipe["lattice"]))
    if kind == "tunnel_interface":
        blocks = [Block.from_dict(record) for record in recipe["layered"]]
        tunnel, settings = TunnelBlock.from_dict(recipe["tunnel"]), InterfaceSettings.from_dict(recipe["settings"])
        return tunnel_interface(blocks, tunnel, recipe["plane"], recipe["strain"], recipe["seed"], settings)
    raise InputError(f"a recipe of kind {kind!r} is no tunnel cell; {nearest(str(kind), KINDS)}")
