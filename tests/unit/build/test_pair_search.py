"""Neighbour pairs against sums over an explicit block of images."""

import numpy as np
import pytest

from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs


def brute_force(points, positions, cell, cutoff, own):
    thickness = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    spread = np.abs((points[:, None] - positions[None]).reshape(-1, 3) @ np.linalg.inv(cell)).max()
    reach = np.ceil(cutoff / thickness + spread).astype(int) + 1
    found = []
    for shift in np.ndindex(*(2 * reach + 1)):
        s = np.array(shift) - reach
        d = np.linalg.norm(positions[None] + s @ cell - points[:, None], axis=-1)
        if own and not s.any():
            np.fill_diagonal(d, np.inf)
        for i, j in np.argwhere(d < cutoff):
            found.append((i, j, *s, round(d[i, j], 9)))
    return sorted(found)


CELLS = {
    "small": np.diag([2.9, 3.1, 2.5]),
    "tilted": np.array([[2.9, 0, 0], [-1.45, 2.51, 0], [5.5, 3.2, 6.0]]),
    "long": np.array([[4.0, 0, 0], [0.3, 5.0, 0], [1.0, 0.2, 21.0]]),
    "wide": np.array([[13.0, 0, 0], [-6.0, 12.0, 0], [2.0, 0, 11.0]]),
}


@pytest.mark.parametrize("name", CELLS)
def test_pairs_equal_an_explicit_image_sum(name):
    rng = np.random.default_rng(11)
    cell = CELLS[name]
    positions = (rng.random((7, 3)) * 3 - 1) @ cell
    points = (rng.random((4, 3)) * 3 - 1) @ cell
    for a, own in ((positions, True), (points, False)):
        pairs = find_pairs(a, positions, cell, 4.7)
        vectors = positions[pairs.atom] + pairs.shift @ cell - a[pairs.point]
        # distances are sums of a few numbers of order 10 A in double precision
        assert np.allclose(np.linalg.norm(vectors, axis=1), pairs.distance, atol=1e-12)
        columns = zip(pairs.point, pairs.atom, *pairs.shift.T, np.round(pairs.distance, 9), strict=True)
        assert sorted(columns) == brute_force(a, positions, cell, 4.7, own)


def test_bad_cutoff_is_refused():
    x = np.zeros((1, 3))
    for cutoff in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(InputError, match="cutoff_A"):
            find_pairs(x, x, np.eye(3), cutoff)
