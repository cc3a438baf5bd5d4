"""Shapes as plain tables of a file or a recipe, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields

from simkit.build.arguments import require_kind, require_number
from simkit.build.shapes.shape import Ellipsoid, Everywhere, Layers, Offset, Prism, Ribbon, Shape
from simkit.errors import InputError, nearest

SHAPE_TABLES = {
    "everywhere": Everywhere,
    "layers": Layers,
    "ribbon": Ribbon,
    "prism": Prism,
    "ellipsoid": Ellipsoid,
    "offset": Offset,
}
"""Word in a table -> the shape it makes."""
NAMES = {kind: name for name, kind in SHAPE_TABLES.items()}


def shape_to_dict(shape: Shape) -> dict:
    """The plain table of a shape, as {"shape": "prism", "radius_A": 9.0, "centre": [0.5, 0.5], "sides": 6}."""
    if isinstance(shape, Offset):
        return {"shape": "offset", "of": shape_to_dict(shape.of), "by_A": shape.by_A}
    table = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(shape).items()}
    return {"shape": NAMES[type(shape)], **table}


def shape_from_dict(table: Mapping) -> Shape:
    """The shape a table describes; "sphere" with radius_A is an ellipsoid of equal half axes.

    Raises InputError for an unknown shape or key, naming what is allowed, and for one that is missing.
    """
    require_kind("shape", table, Mapping, "a table, {'shape': 'sphere', 'radius_A': 6.0}")
    given = dict(table)
    name = given.pop("shape", None)
    if not isinstance(name, str) or name not in (*SHAPE_TABLES, "sphere"):
        raise InputError(f"shape {name!r} is unknown; {nearest(str(name), [*SHAPE_TABLES, 'sphere'])}")
    kind = SHAPE_TABLES.get(name, Ellipsoid)
    keys = {"radius_A": True, "centre": False} if name == "sphere" else _keys(kind)
    for key in given:
        if key not in keys:
            raise InputError(f"{key!r} is no key of shape {name}; {nearest(str(key), keys) if keys else 'it has none'}")
    missing = [key for key, needed in keys.items() if needed and key not in given]
    if missing:
        raise InputError(f"shape {name} is incomplete: it needs {', '.join(missing)}.")
    if name == "sphere":
        return sphere(**given)
    if name == "offset" and isinstance(given["of"], Mapping):
        given["of"] = shape_from_dict(given["of"])
    return kind(**given)


def _keys(kind: type) -> dict[str, bool]:
    """Key of a shape -> whether it must be given."""
    return {field.name: field.default is MISSING for field in fields(kind)}


def sphere(radius_A: float, centre: Sequence[float] = (0.5, 0.5, 0.5)) -> Ellipsoid:
    """A sphere of radius_A (A) at a fractional centre."""
    return Ellipsoid((require_number("radius_A", radius_A),) * 3, centre)
