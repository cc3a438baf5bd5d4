"""Lattice matches as pymatgen's Zur-McGill search finds them: the cross-check of `planes.match_table`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from pymatgen.analysis.interfaces.zsl import ZSLGenerator

from simkit.arrays import Floats
from simkit.build.tunnel.planes import MatchSearch, PlaneMatch, different, placed, plane_vectors


def zsl_table(
    a: Floats,
    b: Floats,
    planes_a: Sequence[Sequence[int]] = ((0, 0, 1),),
    planes_b: Sequence[Sequence[int]] = ((0, 0, 1),),
    search: MatchSearch | None = None,
) -> list[PlaneMatch]:
    """Common cells of planes of two crystals from pymatgen's ZSLGenerator, deduplicated as in `match_table`.

    Arguments and order as there. Compiles for some ten seconds on the first call of a process.
    """
    search = search or MatchSearch()
    tolerance = search.max_strain_percent / 100.0
    found = []
    for hkl_a, hkl_b in itertools.product(planes_a, planes_b):
        indices = tuple(map(int, hkl_a)), tuple(map(int, hkl_b))
        flat = plane_vectors(indices[0], a), plane_vectors(indices[1], b)
        solid = [np.column_stack([rows, np.zeros(2)]) for rows in flat]
        generator = ZSLGenerator(2.5 * tolerance, search.max_area_A2, 1.5 * tolerance, 1.5 * tolerance)
        for match in generator(film_vectors=solid[1], substrate_vectors=solid[0]):
            pair = np.array(match.substrate_transformation), np.array(match.film_transformation)
            item = placed(indices, flat, pair)
            if max(map(abs, item.strain_percent)) <= search.max_strain_percent and item.area_A2 <= search.max_area_A2:
                found.append(item)
    return different(found)
