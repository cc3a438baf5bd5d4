"""Lattice matches as pymatgen's Zur-McGill search finds them: `match_table(..., method="zsl")`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymatgen.analysis.interfaces.zsl import ZSLGenerator

from simkit.arrays import Floats
from simkit.build.tunnel.planes import MatchSearch, Plane, PlaneMatch, different, placed, plane_vectors


def zsl_table(a: Floats, b: Floats, pairs: Sequence[tuple[Plane, Plane]], search: MatchSearch) -> list[PlaneMatch]:
    """Common cells of pairs of planes of two crystals from pymatgen's ZSLGenerator, deduplicated as in `match_table`.

    a, b (3, 3) A; pairs of Miller indices. Order as there. Compiles for some ten seconds on the first call.
    """
    tolerance = search.max_strain_percent / 100.0
    found = []
    for indices in pairs:
        flat = plane_vectors(indices[0], a), plane_vectors(indices[1], b)
        solid = [np.column_stack([rows, np.zeros(2)]) for rows in flat]
        generator = ZSLGenerator(2.5 * tolerance, search.max_area_A2, 1.5 * tolerance, 1.5 * tolerance)
        for match in generator(film_vectors=solid[1], substrate_vectors=solid[0]):
            pair = np.array(match.substrate_transformation), np.array(match.film_transformation)
            item = placed(indices, flat, pair)
            if max(map(abs, item.strain_percent)) <= search.max_strain_percent and item.area_A2 <= search.max_area_A2:
                found.append(item)
    return different(found)
