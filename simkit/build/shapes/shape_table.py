"""Shapes as plain tables of a file or a recipe, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from simkit.build.shapes.shape import Ellipsoid, Everywhere, Layers, Offset, Prism, Ribbon, Shape
from simkit.errors import InputError, nearest

SHAPES = {
    "everywhere": Everywhere,
    "layers": Layers,
    "ribbon": Ribbon,
    "prism": Prism,
    "ellipsoid": Ellipsoid,
    "offset": Offset,
}
NAMES = {kind: name for name, kind in SHAPES.items()}


def shape_to_dict(shape: Shape) -> dict:
    """The plain table of a shape, as {"shape": "prism", "radius_A": 9.0, "centre": [0.5, 0.5], "sides": 6}."""
    if isinstance(shape, Offset):
        return {"shape": "offset", "of": shape_to_dict(shape.of), "by_A": shape.by_A}
    table = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(shape).items()}
    return {"shape": NAMES[type(shape)], **table}


def shape_from_dict(table: Mapping) -> Shape:
    """The shape a table describes; "sphere" with radius_A is an ellipsoid of equal half axes.

    Raises InputError for an unknown shape or key, naming what is allowed.
    """
    fields = dict(table)
    name = fields.pop("shape", None)
    if name == "sphere":
        radius = fields.pop("radius_A", None)
        name, fields = "ellipsoid", {**fields, "radii_A": (radius,) * 3}
    if name == "offset" and isinstance(fields.get("of"), Mapping):
        fields["of"] = shape_from_dict(fields["of"])
    if name not in SHAPES:
        raise InputError(f"shape {name!r} is unknown; {nearest(str(name), [*SHAPES, 'sphere'])}")
    allowed = SHAPES[name].__dataclass_fields__
    for key in fields:
        if key not in allowed:
            raise InputError(
                f"{key!r} is no key of shape {name}; {nearest(key, allowed) if allowed else 'it has none'}"
            )
    try:
        return SHAPES[name](**fields)
    except TypeError as error:
        raise InputError(f"shape {name} is incomplete: it needs {', '.join(allowed)} ({error}).") from error


def sphere(radius_A: float, centre: Sequence[float] = (0.5, 0.5, 0.5)) -> Ellipsoid:
    """A sphere of radius_A (A) at a fractional centre."""
    return Ellipsoid((radius_A,) * 3, tuple(centre))
