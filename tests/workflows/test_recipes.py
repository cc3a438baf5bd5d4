"""Every shipped recipe: builds, passes the checks, holds what it says, and comes back from its recipe byte for byte."""

import json
from functools import cache

import numpy as np
import pytest

from simkit import build, potential
from simkit.workflows import building, formulas, gallery, settling
from simkit.workflows.structures import KINDS

NAMES = list(building.recipes())
STACKS = [name for name in NAMES if building.load(name)[1].structure.kind == "stack"]


@cache
def cell(name):
    return building.run(*building.load(name))


def test_there_is_a_recipe_of_every_kind_of_cell():
    """But of joins of two files: no structure file is shipped."""
    assert {building.load(name)[1].structure.kind for name in NAMES} == set(KINDS) - {"coherent"}


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_every_hard_check(name):
    found = build.validate(cell(name).built)
    assert found.passed, found.text()


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_the_published_composition(name):
    about = cell(name).request.about
    if about.formula:
        assert formulas.misses(cell(name).structure, about.formula, about.per, about.within) == []
    else:
        assert about.assumed, f"{name} has no formula of its own; it must say what is assumed of its parts"


@pytest.mark.parametrize("name", NAMES)
def test_it_says_where_it_comes_from_and_how_large_it_is(name):
    about = cell(name).request.about
    assert about.system
    assert about.source
    assert about.atoms == len(cell(name).structure)


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_reads_back_as_the_galleries_asked_for(name):
    built = cell(name).built
    wanted = [gap for block in built.blocks for gap in block.gap_names]
    assert build.same_cyclic(build.classify(built.structure).stack.gaps(), wanted)
    noise = np.random.default_rng(1).normal(0.0, 0.1, built.structure.positions.shape)
    shaken = built.structure.moved_to(built.structure.positions + noise)
    assert build.same_cyclic(build.classify(shaken).stack.gaps(), wanted)


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_back_from_its_recipe_byte_for_byte(name):
    first = cell(name).structure
    again = build.rebuild(json.loads(json.dumps(cell(name).built.recipe))).structure
    assert again.numbers.tobytes() == first.numbers.tobytes()
    assert again.positions.tobytes() == first.positions.tobytes()
    assert again.cell.tobytes() == first.cell.tobytes()
    assert again.layers.tobytes() == first.layers.tobytes()


def test_the_list_names_every_recipe_once_and_fits_its_columns():
    lines = gallery.table().splitlines()
    assert [line.split()[0] for line in lines[1:]] == NAMES
    start = lines[0].index("kind")
    assert all(line[start - 1] == " " and line[start] != " " for line in lines[1:])


def test_an_impossible_sodium_content_of_a_region_is_refused():
    name, request = building.load("p2-p3-na046mnni", ["structure.blocks.0.content=1.2"])
    with pytest.raises(build.checks.InputError, match=r"1\.2"):
        building.run(name, request)


def test_the_gallery_shows_every_recipe_in_small_pictures():
    folder = building.recipes()[NAMES[0]].parent
    page = (folder / "GALLERY.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"## {name}\n" in page
        picture = folder / "pictures" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size <= 60_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["o3-he-namnfeconiti", "p2-p3-na044mnco"])
def test_a_small_copy_relaxes_and_keeps_its_phases(name):
    """The whole set is relaxed by benchmarks/recipes.py; two small cells show the way there."""
    small = [*(["structure.repeats=[2, 2]"] if "p2" in name else ["structure.repeats=[5, 1]"]), "relax.max_steps=60"]
    built = building.run(*building.load(name, [*small, "relax.fmax_eV_per_A=0.1"]))
    result = settling.run(built, potential.load("default", device="cpu", dtype="float64"))
    assert result.good, result.text()
    assert abs(result.facts["volume_change_percent"]) < 5
