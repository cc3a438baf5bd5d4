"""What the report of an intergrowth says about gliding, and which interfaces it calls alike."""

import json
import time

import numpy as np
import pytest

from simkit import build
from simkit.build import (
    Block,
    Heights,
    Settings,
    Stack,
    all_equivalent,
    bulk,
    interfaces_of,
    intergrowth,
    interlock_scores,
    minimal_moves,
)
from simkit.build.gliding import paths_of
from simkit.build.interlock import fewest_flips
from simkit.errors import InputError

MN = {"Mn": 1.0}
ENERGIES = {"P2": 10.0, "O3": 0.0, "P3": 45.0, "O2": 36.0, "O1": 80.0}


@pytest.fixture(scope="module")
def mixed():
    blocks = [Block("P2", 2, MN), Block("O3", 3, MN)] * 2
    return intergrowth(blocks, (1, 1), settings=Settings(gallery_energies=ENERGIES))


def test_the_report_says_what_gliding_makes_of_each_shared_slab(mixed):
    assert [g.slab for g in mixed.report.glides] == [i.slab for i in mixed.report.interfaces] == [0, 2, 5, 7]
    for glide in mixed.report.glides:
        assert set(glide.before) == {"P2", "O3"}
        # P2|O3 becomes O2|P3 or O2|O1, by either glide, whichever end is up
        assert {frozenset(n[:2] for n in names) for _, *names in glide.after} == {
            frozenset(("O2", "P3")),
            frozenset(("O2", "O1")),
        }
        for g, *names in glide.after:
            moved = mixed.stack.glide_slab(glide.slab, g)
            assert [moved.gap(glide.slab - 1), moved.gap(glide.slab)] == names
        assert glide.energy_meV == pytest.approx(36.0 + 45.0 - 10.0 - 0.0)
    text = mixed.report.text()
    assert "glide of shared slab" in text and "at least +71.0 meV" in text
    assert max(map(len, text.splitlines())) <= 120
    assert json.loads(json.dumps(mixed.report.to_dict()))["glides"][0]["energy_meV"] == 71.0


def test_without_energies_there_is_no_score_and_the_recipe_gives_the_cell_again(mixed):
    plain = intergrowth(mixed.blocks, (1, 1))
    assert {g.energy_meV for g in plain.report.glides} == {None}
    assert "meV" not in "".join(line for line in plain.report.text().splitlines() if "glide" in line)
    again = build.rebuild(json.loads(json.dumps(mixed.recipe)))
    assert again.structure.positions.tobytes() == plain.structure.positions.tobytes()
    assert again.report.to_dict() == mixed.report.to_dict()
    with pytest.raises(InputError, match="no energy for galleries O1"):
        less = {k: v for k, v in ENERGIES.items() if k != "O1"}
        intergrowth(mixed.blocks, (1, 1), settings=Settings(gallery_energies=less))


def test_the_report_says_how_far_each_phase_is():
    blocks = [Block("P2", 4, MN), Block("O2", 4, MN)]
    model = intergrowth(blocks, (1, 1))
    paths = {path.phase: path for path in model.report.paths}
    # four galleries are of either phase already
    assert [len(paths[name].galleries) for name in ("P2", "O2")] == [4, 4]
    for name, path in paths.items():
        end = Stack.from_gaps(["P2" if name == "P2" else "O2u"] * 8)
        moves = minimal_moves(model.stack, end)
        assert (path.slabs, path.galleries) == (moves.slabs, moves.galleries)
        moved = model.stack
        for j, g in path.slabs:
            moved = moved.glide_slab(j, g)
        assert Stack(moved.slabs, (moved.shear + moves.shear) % 3).gaps() == end.gaps()
        assert fewest_flips(model.stack, end) == path.flips == 0
    assert f"to P2 throughout: {len(paths['P2'].slabs)} of 8 slabs glide" in model.report.text()
    mixed = intergrowth([Block("P2", 2, MN), Block("O3", 4, MN)], (1, 1))
    found = {path.phase: path for path in mixed.report.paths}
    # senses +-++++ against +-+-+- and ++++++
    assert (found["P2"].flips, found["O3"].flips) == (2, 1)
    assert found["P2"].slabs is None and "out of reach of gliding, 2 of 6" in mixed.report.text()
    assert bulk(Block("P2", 2, MN), (1, 1)).report.paths == bulk(Block("P2", 2, MN), (1, 1)).report.glides == ()


def test_phases_whose_periods_do_not_fill_the_stack_have_no_path():
    stack = Stack.from_gaps(["P2"] * 2 + ["O3"] * 3)
    assert [p.phase for p in paths_of(stack, [Block("P2", 2), Block("O3", 3), Block("OP4", 4)])] == ["O3"]


def test_half_way_galleries_do_not_make_slabs_vanish_from_the_scores():
    halves = interlock_scores(Stack.from_gaps(["T2", "T2"]), {"T2": 0.0, "O2": 5.0})
    assert [(m.slab, abs(m.g), m.energy) for m in halves] == [(0, 0.5, 10.0), (1, 0.5, 10.0)]
    stack = Stack.from_gaps(["T2", "P2", "P2", "T2"])
    with pytest.raises(InputError, match=r"slab 1 between T2 and P2 glides to half-way galleries only; .*P2/O2"):
        interlock_scores(stack, {"T2": 0.0, "O2": 0.0, "P2": 0.0})
    half = {name: 7.0 for row in stack.interlock_table() for name in row.after if "/" in name}
    assert [m.slab for m in interlock_scores(stack, {"T2": 0.0, "O2": 0.0, "P2": 0.0, **half})] == [0, 1, 2, 3]


P2 = Block("P2", 4, MN, content=2 / 3)
O3 = Block("O3", 3, MN)


def spinel(variant):
    return Block("spinel", 6, MN, tetrahedral=MN, variant=variant)


@pytest.mark.parametrize(
    "other",
    [
        Block("O3", 3, MN, heights=Heights(2.95, 2.0, {"O3": 3.3})),
        Block("O3", 3, MN, cell=(2.95, 2.95, 16.5, 90, 90, 120)),
    ],
)
def test_one_phase_of_unlike_heights_or_cell_makes_unlike_interfaces(other):
    assert all_equivalent(interfaces_of([P2, O3, P2, O3]))
    assert not all_equivalent(interfaces_of([P2, O3, P2, other]))
    assert not intergrowth([P2, O3, P2, other], (1, 3)).report.interfaces_equivalent
    assert len(interfaces_of([O3, other])) == 2


def test_the_same_heights_given_or_by_default_are_alike():
    given = Block("O3", 3, MN, heights=build.default_heights(MN, "Na", {"O3": 1.0}))
    assert all_equivalent(interfaces_of([P2, O3, P2, given]))
    assert interfaces_of([O3, given]) == ()
    # harvested heights on both phases: the slab of one phase or the other between them changes nothing
    named = Block("P2", 4, MN, content=2 / 3, heights=Heights(2.9, 1.99, {"P2": 3.55}))
    assert all_equivalent(interfaces_of([named, given, named, given]))


def test_two_variants_of_spinel_meet_at_an_interface():
    assert interfaces_of([spinel(0), spinel(0)]) == ()
    assert [i.blocks for i in interfaces_of([spinel(0), spinel(1)])] == [(1, 0), (0, 1)]


def test_long_stacks_are_quick():
    """Two hundred blocks: surroundings are found once, and not with a search of the whole cell per gallery."""
    bulk(Block("O3", 3, MN), (1, 1))
    begun = time.process_time()
    long = bulk(Block("O3", 420, MN), (2, 2))
    # 2 s here; 16 s with the metals of each slab and the faces of each gallery searched over all sites
    assert time.process_time() - begun < 6.0
    assert len(long.structure) == 6720 and not long.report.interfaces
    begun = time.process_time()
    many = intergrowth([Block("P2", 2, MN), Block("O3", 3, MN)] * 40, (1, 1))
    assert time.process_time() - begun < 6.0
    assert many.report.interfaces_equivalent and len(many.report.interfaces) == 80
    assert len([line for line in many.report.text().splitlines() if line.startswith("glide of")]) <= 4
    assert np.array_equal(np.unique(many.structure.tags["block"]), np.arange(80))
