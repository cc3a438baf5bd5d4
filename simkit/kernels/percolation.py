"""Union-find with winding vectors on a periodic graph."""

from __future__ import annotations

import numpy as np
from numba import njit

from simkit.arrays import Integers
from simkit.errors import InputError


def first_windings(nodes: int, pairs: Integers, offsets: Integers) -> Integers:
    """(3,) index of the edge at which the periodic graph first winds around each axis; -1 where it never does.

    Edges are added in the order given: edge k joins node pairs[k, 0] in cell 0 to pairs[k, 1] in cell offsets[k].
    Each node keeps the lattice vector to its root; an edge inside one tree closes a loop whose lattice vector is
    the winding. A winding with a component along an axis connects the graph endlessly along that axis.

    pairs (m, 2), offsets (m, 3). Raises InputError on wrong shapes or a node outside [0, nodes).
    """
    pairs = np.ascontiguousarray(pairs, dtype=np.int64)
    offsets = np.ascontiguousarray(offsets, dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or offsets.shape != (len(pairs), 3):
        raise InputError(f"pairs {pairs.shape} and offsets {offsets.shape}; wanted (m, 2) and (m, 3).")
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= nodes):
        raise InputError(f"edges name nodes {pairs.min()} to {pairs.max()}; allowed are 0 to {nodes - 1}.")
    out = np.full(3, -1, dtype=np.int64)
    _wind(pairs, offsets, np.arange(nodes), np.zeros((nodes, 3), dtype=np.int64), np.ones(nodes, dtype=np.int64), out)
    return out


@njit(cache=True)
def _find(parent, shift, node):
    """Root of a node; afterwards parent[node] is the root and shift[node] the lattice vector to it."""
    root = node
    x, y, z = 0, 0, 0
    while parent[root] != root:
        x += shift[root, 0]
        y += shift[root, 1]
        z += shift[root, 2]
        root = parent[root]
    while parent[node] != root and node != root:
        following = parent[node]
        a, b, c = shift[node, 0], shift[node, 1], shift[node, 2]
        parent[node] = root
        shift[node, 0], shift[node, 1], shift[node, 2] = x, y, z
        x -= a
        y -= b
        z -= c
        node = following
    return root


@njit(cache=True)
def _wind(pairs, offsets, parent, shift, size, out):
    for k in range(pairs.shape[0]):
        i, j = pairs[k, 0], pairs[k, 1]
        p = _find(parent, shift, i)
        q = _find(parent, shift, j)
        x = offsets[k, 0] + shift[j, 0] - shift[i, 0]
        y = offsets[k, 1] + shift[j, 1] - shift[i, 1]
        z = offsets[k, 2] + shift[j, 2] - shift[i, 2]
        if p == q:
            if x != 0 and out[0] < 0:
                out[0] = k
            if y != 0 and out[1] < 0:
                out[1] = k
            if z != 0 and out[2] < 0:
                out[2] = k
            if out.min() >= 0:
                return
        elif size[p] >= size[q]:
            parent[q] = p
            shift[q, 0], shift[q, 1], shift[q, 2] = -x, -y, -z
            size[p] += size[q]
        else:
            parent[p] = q
            shift[p, 0], shift[p, 1], shift[p, 2] = x, y, z
            size[q] += size[p]
