"""Mean metal valences where regions share anion layers: an octahedron, filled or not, stands for one anion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simkit.arrays import Floats
from simkit.build.scaffold import Scaffold
from simkit.build.valence import FIXED


def octahedra_means(
    scaffold: Scaffold, counts: Sequence[Mapping[str, int]], labels: list[tuple[int, int]], number: Floats
) -> Floats:
    """(parts,) mean valence where the octahedra of a region stand for its anions; number (parts,) of metals.

    Every region is neutral. Its slabs differ by the mean charge on an octahedron of their two galleries, of which a
    metal takes half each. What a region without metals carries falls to all metals alike.
    """
    octahedra = scaffold.octahedra
    charge = _row_charges(scaffold, counts)
    gallery = _ratio(charge[1::2].sum(axis=0), octahedra[1::2].sum(axis=0), 0.0)
    density = _ratio(charge[1::2], octahedra[1::2], gallery)
    region = np.array([k for _, k in labels])
    mean = np.zeros(len(labels))
    for p, (slab, k) in enumerate(labels):
        if slab >= 0:
            mean[p] = -charge[2 * slab, k] / number[p] - 0.5 * (density[slab - 1, k] + density[slab, k])
    total = charge.sum(axis=0)
    for k in np.unique(region):
        mine = region == k
        mean[mine] -= (total[k] + number[mine] @ mean[mine]) / number[mine].sum()
    homeless = total[np.setdiff1d(np.arange(len(total)), region)].sum()
    return np.round(mean - homeless / number.sum(), 12)


def _row_charges(scaffold: Scaffold, counts: Sequence[Mapping[str, int]]) -> Floats:
    """(2 slabs, regions) charge of ions and tetrahedral cations, and of the mean anion of the region per octahedron."""
    octahedra = scaffold.octahedra
    charge = np.zeros(octahedra.shape)
    anions, number = np.zeros((2, octahedra.shape[1]))
    for k, (stratum, table) in enumerate(zip(scaffold.strata, counts, strict=True)):
        mine = np.flatnonzero(scaffold.stratum == k)
        if stratum.role == "metal" or not len(mine):
            continue
        amount = sum(n * FIXED[stratum.role](name) for name, n in table.items())
        if stratum.role == "anion":
            anions[stratum.region] += amount
            number[stratum.region] += sum(table.values())
        else:
            layer, gallery = int(scaffold.layers[mine[0]]), int(scaffold.gallery[mine[0]])
            charge[2 * layer if layer >= 0 else 2 * gallery + 1, stratum.region] += amount
    held = octahedra * _ratio(anions, number, anions.sum() / number.sum())
    return charge + held + (anions.sum() - held.sum()) * octahedra / octahedra.sum()


def _ratio(top: Floats, bottom: Floats, otherwise: Floats | float) -> Floats:
    """top / bottom, and `otherwise` where bottom is zero."""
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), otherwise)
