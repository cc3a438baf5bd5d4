"""Coherency strain: plane stress, the common cell, Poisson thinning, measures of misfit, distorted shapes."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from simkit.build import (
    Block,
    Heights,
    Settings,
    Stack,
    bulk,
    coherency,
    distorted,
    harvest,
    intergrowth,
    misfit,
    orthogonal,
    plane_stress,
    published,
    rebuild,
    share_strain,
    space_group,
    stiffness,
)
from simkit.build.sharing import common_plane, plane_strain, thickness_A
from simkit.build.strain import energy_meV_per_unit, normal_strain, strain_between
from simkit.errors import InputError

SOFT = {"C11": 220.0, "C12": 60.0, "C13": 30.0, "C33": 60.0, "C44": 25.0}
STIFF = {"C11": 260.0, "C12": 70.0, "C13": 40.0, "C33": 90.0, "C44": 30.0}
P2 = Heights(2.887, 1.99, {"P2": 3.55}, elastic=STIFF)
O3 = Heights(2.963, 2.00, {"O3": 3.23}, elastic=SOFT)
PAIR = [Block("P2", 4, {"Mn": 1.0}, heights=P2), Block("O3", 6, {"Mn": 1.0}, heights=O3)]


def random_stiffness(rng):
    root = rng.normal(size=(6, 6))
    return 50.0 * root @ root.T + 60.0 * np.eye(6)


def biaxial_modulus_GPa(matrix):
    """M = C11 + C12 - 2 C13^2 / C33: the elastic energy per area of a hexagonal film is t M eps^2."""
    return float(matrix[0, 0] + matrix[0, 1] - 2.0 * matrix[0, 2] ** 2 / matrix[2, 2])


def energy_density(matrix, plane, rest):
    strain = np.array([plane[0], plane[1], rest[0], rest[1], rest[2], plane[2]])
    return 0.5 * strain @ matrix @ strain


def test_plane_stress_is_the_minimum_over_the_free_strains():
    rng = np.random.default_rng(1)
    for _ in range(20):
        matrix, plane = random_stiffness(rng), rng.normal(size=3)
        least = 0.5 * plane @ plane_stress(matrix) @ plane
        free = -np.linalg.solve(matrix[2:5, 2:5], matrix[2:5][:, [0, 1, 5]] @ plane)
        assert energy_density(matrix, plane, free) == pytest.approx(least, rel=1e-10)
        assert normal_strain(matrix, plane) == pytest.approx(free[0], rel=1e-10)
        for _ in range(5):
            assert energy_density(matrix, plane, free + 0.1 * rng.normal(size=3)) > least


def test_hexagonal_shortcuts():
    matrix = stiffness(SOFT)
    reduced = plane_stress(matrix)
    c11, c12, c13, c33 = (SOFT[k] for k in ("C11", "C12", "C13", "C33"))
    modulus = c11 + c12 - 2 * c13**2 / c33
    assert biaxial_modulus_GPa(matrix) == pytest.approx(modulus)
    assert reduced[0, 0] + reduced[0, 1] == pytest.approx(modulus)
    assert normal_strain(matrix, (0.01, 0.01, 0.0)) == pytest.approx(-2 * c13 / c33 * 0.01)
    thick, eps = [22.0, 31.0], []
    shared = share_strain([np.diag(P2.sides_A), np.diag(O3.sides_A)], thick, [stiffness(STIFF), matrix])
    weights = np.array(thick) * [biaxial_modulus_GPa(stiffness(STIFF)), modulus] / np.array([2.887, 2.963]) ** 2
    a = float(weights @ [2.887, 2.963] / weights.sum())
    assert np.diag(shared.cell) == pytest.approx([a, np.sqrt(3) * a], rel=1e-12)
    assert shared.cell[1, 0] == pytest.approx(0.0, abs=1e-12)
    eps = np.array([a / 2.887 - 1, a / 2.963 - 1])
    # 1 GPa A is 0.1 J/m2
    moduli = [biaxial_modulus_GPa(stiffness(STIFF)), modulus]
    assert shared.energies_J_per_m2 == pytest.approx(0.1 * np.array(thick) * moduli * eps**2, rel=1e-9)


def modulus_only(value):
    """Constants whose biaxial modulus is `value` GPa."""
    return {"C11": 0.75 * value + 10, "C12": 0.25 * value + 10, "C13": 20.0, "C33": 40.0}


def test_the_p2_o3_example_has_its_published_strains_and_energy():
    assert biaxial_modulus_GPa(stiffness(modulus_only(250))) == pytest.approx(250)
    blocks = [
        replace(PAIR[0], heights=replace(P2, elastic=modulus_only(250))),
        replace(PAIR[1], heights=replace(O3, elastic=modulus_only(220))),
    ]
    own = [b.heights for b in blocks]
    thick = [thickness_A(b, h) for b, h in zip(blocks, own, strict=True)]
    a, ratio = common_plane(blocks, own, "elastic")
    # numbers quoted to three decimals of a, two of strains and energies
    assert (round(a, 3), ratio) == (2.928, 1.0)
    found = coherency(blocks, own, (a, ratio), thick)
    assert [round(c.misfit.strain_x_percent, 2) for c in found] == pytest.approx([1.43, -1.17], abs=0.011)
    assert sum(c.energy_J_per_m2 for c in found) == pytest.approx(0.21, abs=0.005)
    fixed = [sum(c.energy_J_per_m2 for c in coherency(blocks, own, (h.a_A, 1.0), thick)) for h in own]
    assert sorted(fixed) == pytest.approx([0.39, 0.46], abs=0.01)


def test_the_shared_cell_is_the_least_of_all_for_any_anisotropy():
    rng = np.random.default_rng(2)
    cells = [
        np.array([[9.0, 0.0], [0.3, 15.2]]),
        np.array([[8.9, 0.0], [0.0, 15.6]]),
        np.array([[9.2, 0.0], [0.1, 15.4]]),
    ]
    thick, matrices = [10.0, 25.0, 5.0], [random_stiffness(rng) for _ in range(3)]
    shared = share_strain(cells, thick, matrices)

    def total(common):
        strains = [strain_between(own, common) for own in cells]
        return sum(0.05 * t * e @ plane_stress(c) @ e for t, c, e in zip(thick, matrices, strains, strict=True))

    least = total(shared.cell)
    assert least == pytest.approx(shared.energies_J_per_m2.sum(), rel=1e-10)
    for _ in range(30):
        step = 0.02 * rng.normal(size=(2, 2))
        step[0, 1] = 0.0
        assert total(shared.cell + step) > least
    for own, strain in zip(cells, shared.strains, strict=True):
        gradient = np.linalg.inv(own) @ shared.cell - np.eye(2)
        assert strain == pytest.approx([gradient[0, 0], gradient[1, 1], gradient[0, 1] + gradient[1, 0]], abs=1e-12)
    # turning one cell in its plane costs nothing
    turn = np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
    turned = share_strain([cells[0] @ turn, *cells[1:]], thick, matrices)
    assert turned.cell == pytest.approx(shared.cell, rel=1e-12)


def test_measures_of_misfit():
    own = np.array([[3.0, 0.0], [0.0, 5.0]])
    found = misfit(own, np.array([[3.03, 0.0], [0.05, 4.9]]), normal=0.005)
    assert found.strain_x_percent == pytest.approx(1.0)
    assert found.strain_y_percent == pytest.approx(-2.0)
    assert found.shear_xy_percent == pytest.approx(1.0)
    assert found.area_percent == pytest.approx(100 * (1.01 * 0.98 - 1))
    e = np.array([[0.01, 0.005, 0], [0.005, -0.02, 0], [0, 0, 0.005]])
    s = e - np.trace(e) / 3 * np.eye(3)
    assert found.von_mises_percent == pytest.approx(100 * np.sqrt(2 / 3 * np.sum(s * s)))
    assert misfit(own, own).to_dict() == dict.fromkeys(found.to_dict(), 0.0)
    # uniaxial strain at constant volume has its own size as von Mises strain
    assert misfit(np.eye(2), np.diag([1.01, 0.995]), -0.005).von_mises_percent == pytest.approx(1.0)
    # 1 eV/A2 is 16.02 J/m2
    assert energy_meV_per_unit(16.02176634, 7.0, 2) == pytest.approx(3500.0)


def test_elastic_intergrowth_thins_its_blocks_and_rebuilds():
    model = intergrowth(PAIR, (2, 2), "elastic")
    a = model.report.a_A
    assert a == pytest.approx(common_plane(PAIR, [P2, O3], "elastic")[0])
    for block, own, constants in zip(model.report.blocks, (P2, O3), (STIFF, SOFT), strict=True):
        change = -2 * constants["C13"] / constants["C33"] * (a / own.a_A - 1)
        free = thickness_A(PAIR[block.block], own)
        assert block.thickness_A / free - 1 == pytest.approx(change, rel=1e-9)
        slab = 0.2 * change * (own.slab_A + next(iter(own.galleries_A.values())))
        assert block.slab_A - own.slab_A == pytest.approx(slab, rel=1e-9)
    again = rebuild(json.loads(json.dumps(model.recipe)))
    assert again.structure.positions.tobytes() == model.structure.positions.tobytes()
    flat = intergrowth(PAIR, (2, 2), "elastic", settings=Settings(thinning=0.0))
    assert flat.report.height_A == pytest.approx(4 * 5.54 + 6 * 5.23)


def test_elastic_constants_may_be_given_to_the_block():
    bare = [replace(b, heights=replace(b.heights, elastic=None)) for b in PAIR]
    given = [replace(b, elastic=c) for b, c in zip(bare, (STIFF, SOFT), strict=True)]
    model = intergrowth(given, (1, 1), "elastic")
    assert model.report.a_A == intergrowth(PAIR, (1, 1), "elastic").report.a_A
    again = rebuild(json.loads(json.dumps(model.recipe)))
    assert again.structure.positions.tobytes() == model.structure.positions.tobytes()
    assert Block.from_dict(json.loads(json.dumps(given[0].to_dict()))) == given[0]


def test_heights_share_a_change_between_slab_and_gallery():
    for share in (None, 0.0, 0.3, 1.0):
        changed = P2.thickened(0.02, share)
        assert changed.slab_A + changed.gallery_A("P2") == pytest.approx(1.02 * 5.54)
    assert P2.thickened(0.02, 1.0).slab_A == P2.slab_A
    assert P2.thickened(0.02, 0.0).gallery_A("P2") == pytest.approx(3.55)
    with pytest.raises(InputError, match=r"gallery_share = 1.5"):
        P2.thickened(0.02, 1.5)


def test_heights_with_shape_and_constants_survive_records():
    heights = Heights(2.95, 2.0, {"O3": 3.2}, 1.1, -0.05, SOFT)
    assert Heights(**json.loads(json.dumps(heights.to_dict()))) == heights
    assert pickle.loads(pickle.dumps(heights)) == heights
    assert np.array(heights.elastic).shape == (6, 6)
    assert Heights(2.95, 2.0, {"O3": 3.2}, 1.1, -0.05, heights.elastic) == heights
    short, long = heights.sides_A
    assert long / short == pytest.approx(np.sqrt(3) * 1.1)
    assert short * long == pytest.approx(np.sqrt(3) * 2.95**2)


CELL = (5.6672, 2.8606, 5.8007, 90, 113.143, 90)


@pytest.mark.parametrize("repeats", [(1, 1), (2, 3), orthogonal(3, 2)])
@pytest.mark.parametrize("gaps", [1, 2, 3])
def test_a_strained_cell_and_a_block_of_that_shape_are_the_same(gaps, repeats):
    block = Block("O3", gaps, {"Mn": 1.0}, heights=Heights(3.06, 2.06, {"O3": 3.275}))
    strained = distorted(bulk(block, repeats).structure, CELL)
    shape = published(CELL, Stack.from_gaps(["O3"]))
    rise = shape.spacing_A / 5.335
    heights = Heights(shape.a_A, 2.06 * rise, {"O3": 3.275 * rise}, shape.ratio, shape.lean)
    built = bulk(replace(block, phase="O'3", heights=heights), repeats).structure
    assert strained.cell == pytest.approx(built.cell, abs=1e-9)
    assert strained.positions == pytest.approx(built.positions, abs=1e-9)
    assert space_group(strained) == ("C2/m", 12)
    # the published metric: a, b and the height and lean of c
    read = harvest(strained, shape=True)
    assert read.sides_A == pytest.approx((2.8606, 5.6672), abs=1e-9)
    assert strained.volume / len(strained) * 8 == pytest.approx(5.6672 * 2.8606 * 5.8007 * np.sin(np.radians(113.143)))
    assert (read.ratio, read.lean) == pytest.approx((shape.ratio, shape.lean), abs=1e-9)


def test_published_cells_in_either_setting():
    o3 = Stack.from_gaps(["O3"])
    swapped = published((2.8606, 5.6672, 5.8007, 113.143, 90, 90), o3)
    assert swapped == published(CELL, o3)
    acute = published((5.6672, 2.8606, 5.8007, 90, 180 - 113.143, 90), o3)
    assert acute.lean == pytest.approx(swapped.lean)
    upright = published((2.84, 5.30, 11.2, 90, 90, 90), Stack.from_gaps(["P2", "P2"]))
    assert (upright.lean, upright.spacing_A) == (0.0, 5.6)


@pytest.mark.parametrize(
    ("phase", "gaps", "cell", "group", "slabs"),
    [
        ("O3", 3, CELL, 12, 1),
        ("O3", 2, CELL, 12, 1),
        ("P2", 2, (2.84, 5.30, 11.2, 90, 90, 90), 63, 2),
        ("P2", 4, (2.87, 2.87, 11.19, 90, 90, 120), 194, 2),
        ("O3", 3, (3.025, 3.025, 16.085, 90, 90, 120), 166, 3),
    ],
)
def test_a_block_takes_the_published_cell(phase, gaps, cell, group, slabs):
    block = Block(phase, gaps, {"Mn": 1.0}, cell=cell)
    model = bulk(block, (2, 2))
    assert space_group(model.structure)[1] == group
    a, b, c, _, beta, gamma = cell
    layer = a * b * np.sin(np.radians(gamma)) * (1 if gamma == 120 else 0.5)
    height = c * np.sin(np.radians(beta)) / slabs
    # volume of one formula unit of the published cell
    assert model.structure.volume / (4 * gaps) == pytest.approx(layer * height)
    again = rebuild(json.loads(json.dumps(model.recipe)))
    assert again.structure.positions.tobytes() == model.structure.positions.tobytes()
    joined = intergrowth([block, Block("O3", 3, {"Mn": 1.0})], orthogonal(2, 1), max_strain_percent=8.0)
    assert joined.report.gaps[:gaps] == (phase,) * gaps


def test_a_block_knows_whether_it_is_distorted():
    shaped = Heights(2.9, 2.0, {"O3": 3.2}, ratio=1.1)
    assert [Block("O3", 1).distorted, Block("O'3", 1).distorted] == [False, True]
    assert [Block("O3", 1, heights=shaped).distorted, Block("O3", 1, cell=CELL).distorted] == [True, True]
    assert not Block("O3", 3, cell=(3.025, 3.025, 16.085, 90, 90, 120)).distorted


def test_two_distorted_phases_share_a_rectangle():
    blocks = [Block("O'3", 3, {"Mn": 1.0}), Block("P'2", 2, {"Mn": 1.0})]
    model = intergrowth(blocks, orthogonal(2, 1))
    x, y = model.structure.cell[0, 0] / 2, model.structure.cell[1, 1]
    own = [bulk(b, orthogonal(2, 1)).structure.cell for b in blocks]
    assert x == pytest.approx(np.mean([c[0, 0] / 2 for c in own]))
    assert y == pytest.approx(np.mean([c[1, 1] for c in own]))
    for report, cell in zip(model.report.blocks, own, strict=True):
        worst = max(x / (cell[0, 0] / 2) - 1, y / cell[1, 1] - 1, key=abs)
        assert report.strain_percent == pytest.approx(100 * worst)
    assert plane_strain(P2, 2.887, 1.0) == (0.0, 0.0)


BAD = [
    (lambda: stiffness({"C11": 200.0}), "C12, C13, C33 are missing"),
    (lambda: stiffness({**SOFT, "K": 3.0}), "K is unknown"),
    (lambda: stiffness({**SOFT, "C13": 120.0}), "lowest eigenvalue of the stiffness is -"),
    (lambda: stiffness(np.eye(5)), r"shape \(5, 5\); give a symmetric 6 x 6"),
    (lambda: share_strain([np.eye(2)], [1.0, 2.0], [np.eye(6)]), "1 cells, 2 thicknesses"),
    (lambda: share_strain([[[0, 1], [1, 0]]], [1.0], [np.eye(6)]), "left-handed"),
    (lambda: Heights(2.9, 2.0, {}, ratio=1.5), "ratio = 1.5"),
    (lambda: intergrowth([PAIR[0], Block("O3", 6)], (1, 1), "elastic"), r"block 1 \(O3\); give it"),
    (lambda: intergrowth(PAIR, (1, 1), "elastik"), "use 'equal', 'thickness', 'elastic' or 'fix:k' with k from 0 to 1"),
    (lambda: intergrowth(PAIR, (1, 1), settings=Settings(thinning="more")), "thinning = 'more'"),
    (lambda: bulk(Block("O3", 3), settings=Settings(thinning="elastic")), "needs elastic constants"),
    (lambda: published((3.0, 3.0, 5.0, 90, 90, 90), Stack.from_gaps(["O3"])), r"near sqrt\(3\) .* \(here 1.000\)"),
    (lambda: Block("O3", 3, cell=(5.6, 2.9, 5.8)), "cell = .* in block O3; give a, b, c"),
    (lambda: bulk(Block("OP4", 4, cell=(2.9, 2.9, 16, 90, 90, 120))), "about 3 slabs of .* the stacking 4"),
    (lambda: published((5.6, 2.9, 5.8, 100, 110, 90), Stack.from_gaps(["O3"])), r"leans by \+10.00 degrees"),
    (lambda: published((5.3, 2.9, 11.2, 90, 95, 90), Stack.from_gaps(["P2"] * 2)), "both senses"),
    (lambda: distorted(bulk(Block("O3", 3)).structure, (5.6, 2.9, 11.2, 90, 90, 90)), "about 2 slabs"),
    (lambda: distorted(bulk(Block("O3", 3)).structure, (5.6, 2.9, 11.2)), "give a, b, c in A and alpha"),
]


@pytest.mark.parametrize(("make", "text"), BAD)
def test_bad_constants_and_cells_say_what_is_wrong(make, text):
    with pytest.raises(InputError, match=text):
        make()


def test_shear_coupling_is_refused_with_its_size():
    skew = np.array(stiffness(SOFT))
    skew[0, 5] = skew[5, 0] = 30.0
    blocks = [PAIR[0], replace(PAIR[1], heights=replace(O3, elastic=skew))]
    with pytest.raises(InputError, match=r"oblique by -?0\.\d+ %"):
        intergrowth(blocks, (1, 1), "elastic")
