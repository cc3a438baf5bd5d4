"""Small checks and conversions on arrays, shared by every room."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simkit.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def frozen(values: ArrayLike, dtype: Any, shape: tuple[int | None, ...], name: str) -> NDArray:
    """Read-only contiguous copy of `values`, checked against `shape` (None: any length).

    Raises InputError naming `name` when the shape differs or a float is not finite.
    """
    array = np.array(values, dtype=dtype, order="C")
    if array.ndim != len(shape) or any(w is not None and w != g for w, g in zip(shape, array.shape, strict=True)):
        wanted = " x ".join("n" if w is None else str(w) for w in shape)
        raise InputError(f"{name} has shape {array.shape}; wanted {wanted}.")
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        where = np.argwhere(~np.isfinite(array))[0]
        raise InputError(
            f"{name} holds {array[tuple(where)]} at index {tuple(int(i) for i in where)}; "
            "every entry must be a finite number."
        )
    array.setflags(write=False)
    return array


def symmetric(tensors: ArrayLike) -> Floats:
    """Symmetric part of (..., 3, 3) tensors."""
    tensors = np.asarray(tensors, dtype=np.float64)
    return 0.5 * (tensors + np.swapaxes(tensors, -1, -2))


def to_voigt(tensors: ArrayLike) -> Floats:
    """Voigt (xx yy zz yz xz xy) of symmetric (..., 3, 3) tensors; shear entries are not doubled."""
    t = symmetric(tensors)
    return np.stack([t[..., 0, 0], t[..., 1, 1], t[..., 2, 2], t[..., 1, 2], t[..., 0, 2], t[..., 0, 1]], axis=-1)


def from_voigt(vectors: ArrayLike) -> Floats:
    """Inverse of `to_voigt`: (..., 6) to (..., 3, 3)."""
    v = np.asarray(vectors, dtype=np.float64)
    xx, yy, zz, yz, xz, xy = np.moveaxis(v, -1, 0)
    rows = [np.stack(r, axis=-1) for r in ([xx, xy, xz], [xy, yy, yz], [xz, yz, zz])]
    return np.stack(rows, axis=-2)
