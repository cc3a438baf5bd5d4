"""Rebuilding: from the recipe of any built cell to the same cell, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from simkit.build import assemble
from simkit.build.arguments import require_kind
from simkit.build.assemble import Model
from simkit.build.composite import Composite
from simkit.build.foreign import rebuild_coherent
from simkit.build.lateral.flip import rebuild_lateral_flip
from simkit.build.lateral.glide import rebuild_lateral
from simkit.build.shapes.core_shell import rebuild_core_shell
from simkit.build.shapes.domains import rebuild_domains
from simkit.build.shapes.particle import rebuild_particle
from simkit.build.shapes.twin import rebuild_twin
from simkit.build.tunnel.rebuild import rebuild_tunnel
from simkit.errors import InputError, nearest

REBUILDERS: Mapping[str, Callable[[dict], Model | Composite]] = MappingProxyType(
    {
        "stack": assemble.rebuild,
        "lateral": rebuild_lateral,
        "lateral_flip": rebuild_lateral_flip,
        "domains": rebuild_domains,
        "core_shell": rebuild_core_shell,
        "particle": rebuild_particle,
        "twin": rebuild_twin,
        "tunnel_bulk": rebuild_tunnel,
        "tunnel_interface": rebuild_tunnel,
        "coherent": rebuild_coherent,
    }
)
"""Kind of a recipe -> what builds it again."""
FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "stack": ("blocks", "repeats", "strain", "seed", "max_strain_percent", "settings"),
        "lateral": ("left", "right", "line", "lengths_A", "seed", "settings"),
        "lateral_flip": ("left", "right", "lengths_A", "seed", "settings", "search"),
        "domains": ("matrix", "parts", "repeats", "seed", "settings"),
        "core_shell": ("core", "shell", "shape", "repeats", "seed", "settings"),
        "particle": ("source", "shape", "seed", "settings"),
        "twin": ("block", "plane", "seed", "settings"),
        "tunnel_bulk": ("composition", "repeats", "seed", "lattice"),
        "tunnel_interface": ("layered", "tunnel", "plane", "strain", "seed", "settings"),
        "coherent": ("a", "b", "strain", "seed", "settings"),
    }
)
"""Kind of a recipe -> the fields it cannot be rebuilt without."""


def rebuild(recipe: dict) -> Model | Composite:
    """The cell a recipe describes (`Model.recipe`, `Composite.recipe`, also after a round trip through JSON).

    A recipe without a "kind" is that of a stack. Raises InputError for what is no recipe, for another kind than
    `REBUILDERS` knows and for a recipe that lacks some of its `FIELDS`.
    """
    require_kind("the recipe", recipe, Mapping, "the `recipe` of a built cell")
    kind = recipe.get("kind", "stack")
    if not isinstance(kind, str) or kind not in REBUILDERS:
        raise InputError(f"a recipe of kind {kind!r} cannot be rebuilt; {nearest(str(kind), REBUILDERS)}")
    missing = [name for name in FIELDS[kind] if name not in recipe]
    if missing:
        raise InputError(f"the recipe of kind {kind!r} lacks {', '.join(missing)}; give it as the builder wrote it.")
    return REBUILDERS[kind](recipe)
