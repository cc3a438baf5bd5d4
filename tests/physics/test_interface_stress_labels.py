"""Atoms of a shared slab are compared with the phase they face: the excess keeps the symmetry of the stack."""

import numpy as np
import pytest

from simkit import build, potential
from simkit.workflows import relax, stress


def test_the_two_sides_of_a_shared_slab_belong_to_their_own_galleries():
    model = build.intergrowth([build.Block("P2", 4), build.Block("O3", 6)], repeats=(1, 1))
    below, above = stress.site_labels(model.structure)
    found = build.classify(model.structure)
    slab, level = found.slab_of, found.layering.level
    for shared, (under, over) in {0: ("O3", "P2"), 4: ("P2", "O3")}.items():
        metal, lower, upper = (np.flatnonzero((slab == shared) & (level == k))[0] for k in (1, 0, 2))
        assert (below[lower].split()[0], above[lower].split()[0]) == (under, under)
        assert (below[upper].split()[0], above[upper].split()[0]) == (over, over)
        assert (below[metal].split()[0], above[metal].split()[0]) == (under, over)
    inner = (slab != 0) & (slab != 4)
    assert [a for a, i in zip(below, inner, strict=True) if i] == [a for a, i in zip(above, inner, strict=True) if i]


def test_equivalent_interfaces_carry_equal_stress():
    """P2 x 2 | O3 x 3 of equal composition has two interfaces that its symmetry makes equal; so must the map."""

    model = potential.load("chgnet+d3", device="cpu", dtype="float64")
    blocks = [build.Block("P2", 2), build.Block("O3", 3)]
    cells = {"P2/O3": build.intergrowth(blocks, repeats=(1, 1)).structure}
    cells |= {block.phase: build.bulk(block, repeats=(1, 1)).structure for block in blocks}
    settings = relax.Config(fmax_eV_per_A=0.002)
    relaxed = {name: o.structure for name, o in relax.run(settings, model, cells).outcomes.items()}
    mapped = stress.run(stress.Config(), model, relaxed, ("P2", "O3")).maps["P2/O3"]
    slabs = build.classify(relaxed["P2/O3"])
    inplane = mapped.smooth[:, 0, 0] + mapped.smooth[:, 1, 1]
    metals = np.flatnonzero(slabs.layering.level == 1)
    by_slab = {int(slabs.slab_of[i]): inplane[i] for i in metals}
    spread = max(by_slab.values()) - min(by_slab.values())
    # slabs 0 and 2 bound the P2 block; relaxed to 0.002 eV/A they agree to a few per cent of the whole range
    assert by_slab[0] == pytest.approx(by_slab[2], abs=0.05 * spread)
    assert by_slab[3] == pytest.approx(by_slab[4], abs=0.05 * spread)
