"""Cells to learn from and their changed copies: seeded, within bounds, and what their names say."""

import numpy as np
import pytest

from simkit import build
from simkit.errors import InputError
from simkit.workflows.distill import perturb
from simkit.workflows.distill.heldout import strata
from simkit.workflows.distill.sampling import FAMILIES, Sampling, draw

METALS = {"Mn": 4.0, "Ni": 3.0, "Fe": 2.0, "Ti": 1.0}
SAMPLING = Sampling(metals=METALS, dopants={"Mg": 1.0, "Cu": 1.0})


def test_a_stream_of_numbers_names_one_cell():
    first, again, other = draw(SAMPLING, (1, 0, 7)), draw(SAMPLING, (1, 0, 7)), draw(SAMPLING, (1, 0, 8))
    assert first.structure.positions.tobytes() == again.structure.positions.tobytes()
    assert first.structure.cell.tobytes() != other.structure.cell.tobytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_cells_of_its_own(family):
    sampling = SAMPLING.model_copy(update={"families": {family: 1.0}})
    base = draw(sampling, (3, 0, 1))
    largest = SAMPLING.largest_joined if family in ("lateral", "tunnel", "dilute") else SAMPLING.largest
    assert SAMPLING.smallest <= len(base.structure) <= largest
    assert set(base.structure.symbols) <= {"Na", "O", "Mg", "Cu", *METALS}
    assert base.stacked == (family in ("bulk", "intergrowth", "dilute"))


def test_draws_cover_phases_contents_and_dopants():
    bases = [draw(SAMPLING, (5, 0, index)) for index in range(60)]
    groups = {base.group for base in bases}
    contents = [base.structure.symbols.count("Na") * 2 / base.structure.symbols.count("O") for base in bases]
    assert {"P2", "O3", "P3"} <= groups and any("+" in group for group in groups)
    assert min(contents) < 0.2 and max(contents) > 0.9
    assert any({"Mg", "Cu"} & set(base.structure.symbols) for base in bases)


def test_unknown_families_and_impossible_metals_are_refused_by_name():
    with pytest.raises(InputError, match="layer cake"):
        draw(SAMPLING.model_copy(update={"families": {"layer cake": 1.0}}), (1,))
    with pytest.raises(ValueError, match="layer cake"):
        Sampling(metals=METALS, families={"layer cake": 1.0})
    with pytest.raises(InputError, match="no spinel cell"):
        draw(Sampling(metals={"Mg": 1.0}, families={"spinel": 1.0}), (1,))


def test_phases_contents_and_the_number_of_metals_can_be_chosen():
    narrow = Sampling(
        metals=METALS, families={"bulk": 1.0}, phases={"O2": 1.0, "P2": 1.0}, contents=[0.0, 0.5], most_metals=1
    )
    bases = [draw(narrow, (5, 0, index)) for index in range(20)]
    assert {base.group for base in bases} == {"O2", "P2"}
    ions = [base.structure.symbols.count("Na") for base in bases]
    units = [base.structure.symbols.count("O") // 2 for base in bases]
    # half of the sites, to the nearest ion of a gallery
    assert all(n == 0 or abs(n - 0.5 * of) <= 1 for n, of in zip(ions, units, strict=True)) and 0 < ions.count(0) < 20
    assert all(len(set(base.structure.symbols) - {"Na", "O"}) == 1 for base in bases)
    with pytest.raises(ValueError, match="P7"):
        Sampling(metals=METALS, phases={"P7": 1.0})
    with pytest.raises(ValueError, match="less than or equal to 1"):
        Sampling(metals=METALS, contents=[1.5])
    with pytest.raises(ValueError, match="less than or equal to 4"):
        Sampling(metals=METALS, most_metals=5)
    assert [kind.phase for kind in strata(narrow)] == ["P2", "O2"]


def p2():
    return build.bulk(build.Block("P2", 2, metals={"Mn": 1.0}, content=0.5), (2, 2)).structure


def test_a_glide_shears_one_gallery_and_no_slab():
    structure = p2()
    slid = perturb.glided(structure, np.random.default_rng(4))
    step = slid.cell[2] - structure.cell[2]
    moved = slid.positions - structure.positions
    share = moved @ step / (step @ step)
    # every atom goes all of the way, half of it (ions of the gallery) or stays
    assert np.allclose(np.abs(share * 2 - np.round(share * 2)), 0, atol=1e-9)
    for slab in np.unique(structure.layers[structure.layers >= 0]):
        assert np.ptp(share[structure.layers == slab]) < 1e-9
    assert 0 < np.linalg.norm(step[:2]) < 2.85 / np.sqrt(3) + 0.05 and 0 <= step[2] <= perturb.LIFT_A


def test_an_opened_gallery_keeps_slabs_whole_and_the_plane():
    structure = p2()
    opened = perturb.opened(structure, np.random.default_rng(6))
    step = opened.cell[2] - structure.cell[2]
    height = np.linalg.norm(step)
    assert (
        0 < height <= perturb.OPEN_A and np.allclose(step[:2], 0) and np.allclose(opened.cell[:2], structure.cell[:2])
    )
    moved = opened.positions - structure.positions
    share = moved[:, 2] / height
    assert np.allclose(moved[:, :2], 0) and np.allclose(share * 2, np.round(share * 2))
    for slab in np.unique(structure.layers[structure.layers >= 0]):
        assert np.ptp(share[structure.layers == slab]) < 1e-9


def test_a_displaced_sodium_has_room_and_is_alone_in_moving():
    structure = p2()
    moved = perturb.displaced(structure, np.random.default_rng(2))
    distance = np.linalg.norm(moved.positions - structure.positions, axis=1)
    (atom,) = np.flatnonzero(distance > 0)
    assert structure.symbols[atom] == "Na" and perturb.STEP_A[0] <= distance[atom] <= perturb.STEP_A[1]
    assert perturb.displaced(structure.take(structure.numbers != 11), np.random.default_rng(2)) is None


def test_pressed_atoms_are_one_near_pair_on_its_line():
    structure = p2()
    shares, ions = [], 0
    for seed in range(40):
        moved = perturb.pressed(structure, np.random.default_rng(seed))
        step = moved.positions - structure.positions
        pair = np.flatnonzero(np.linalg.norm(step, axis=1) > 1e-9)
        assert len(pair) == 2 and np.allclose(step[pair[0]], -step[pair[1]])
        before, after = (np.linalg.norm(_between(s, *pair)) for s in (structure, moved))
        assert before < perturb.NEAR_A
        shares.append(after / before)
        ions += set(structure.numbers[pair]) == {11}
    assert perturb.PRESS[0] - 1e-9 <= min(shares) and max(shares) <= perturb.PRESS[1] + 1e-9
    assert 10 <= ions <= 32


def _between(structure, first, second):
    step = (structure.positions[second] - structure.positions[first]) @ np.linalg.inv(structure.cell)
    return (step - np.round(step)) @ structure.cell


def test_strains_and_squeezes_keep_fractional_coordinates():
    structure = p2()
    for change in (perturb.strained, perturb.squeezed):
        changed = change(structure, np.random.default_rng(1))
        assert np.allclose(changed.fractional, structure.fractional)
        assert changed.volume != pytest.approx(structure.volume, rel=1e-4)


def test_variants_are_seeded_and_name_what_was_done():
    structure = p2()
    first = perturb.variants(structure, 12, True, np.random.default_rng(8))
    again = perturb.variants(structure, 12, True, np.random.default_rng(8))
    assert [v.kind for v in first] == [v.kind for v in again] and len({v.kind for v in first}) >= 3
    assert all((a.structure.positions == b.structure.positions).all() for a, b in zip(first, again, strict=True))
    assert all(v.kind != "glided" for v in perturb.variants(structure, 30, False, np.random.default_rng(8)))
