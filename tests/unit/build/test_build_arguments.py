"""Bad arguments of the stacking rooms: each is refused in a sentence that names it, never with another exception."""

import json
import math

import numpy as np
import pytest

from simkit import build
from simkit.build import (
    Block,
    Heights,
    Settings,
    Slab,
    Stack,
    bulk,
    default_heights,
    distorted,
    environments,
    harvest,
    interfaces_of,
    intergrowth,
    interlock_scores,
    minimal_moves,
    plane_stress,
    published,
    same_cyclic,
    share_strain,
    stiffness,
)
from simkit.build.arguments import require_record
from simkit.build.recipes import FIELDS, REBUILDERS
from simkit.build.sequences import basal_twin, faulted, markov, phase_gradient, sequence, z_phase
from simkit.build.spinel import cubic_spinel_A, oxygen_parameter, spinel_heights
from simkit.build.strain import elastic_energy_J_per_m2, normal_strain
from simkit.errors import InputError

NAN = math.nan
O3, P2 = Stack.from_gaps(["O3"] * 3), Stack.from_gaps(["P2"] * 2)
LAYERS = Heights(2.9, 2.0, {"P2": 3.5})
PAIR = [Block("P2", 2), Block("O3", 3)]
DISTORTED = Heights(2.95, 2.0, {"O3": 3.2}, ratio=1.1)
CUBE = np.eye(6) * 100.0
MN = {"Mn": 1.0}


def block(**more):
    return Block("P2", 2, **more)


def pair(**more):
    return intergrowth(PAIR, (1, 1), **more)


def scaled(**more):
    return bulk(block(), (1, 1), settings=Settings(**more))


# what is asked -> words the refusal holds
BAD = {
    "gaps None": (lambda: Stack.from_gaps(None), "gaps is a NoneType"),
    "gaps of a list": (lambda: Stack.from_gaps([[]]), r"gaps\[0\] is a list"),
    "gaps of a word": (lambda: Stack.from_gaps("P2"), "gaps is a str"),
    "closure None": (lambda: Stack.from_gaps(["O3"], None), "closure None"),
    "letters None": (lambda: Stack.from_string(None), "the stack is a NoneType"),
    "glide of no gallery": (lambda: O3.glide("a", 1), "gallery = 'a'"),
    "glide by a third": (lambda: O3.glide(0, 0.3), "0.3 letters"),
    "glide by nan": (lambda: O3.glide_slab(0, NAN), "nan letters"),
    "slab that is none": (lambda: O3.glide_slab(0.5, 1), "slab = 0.5"),
    "gallery that is none": (lambda: O3.gap("a"), "gallery = 'a'"),
    "slab of a list": (lambda: Slab([0], 1), r"z=\[0\]"),
    "slab of an array": (lambda: Slab(np.array([1, 2]), 1), "does not exist"),
    "slabs None": (lambda: Stack(None), "slabs is a NoneType"),
    "slabs of numbers": (lambda: Stack((1, 2)), r"slabs\[0\] is a int"),
    "shear of a word": (lambda: Stack((Slab(2, 1),), "1"), "shear '1'"),
    "rotation of None": (lambda: same_cyclic(None, []), "gaps is a NoneType"),
    "faults None": (lambda: faulted("O3", 6, None, "O1"), "at is a NoneType"),
    "fault between": (lambda: faulted("O3", 6, 1.5, "O1"), "at = 1.5"),
    "fault kind": (lambda: faulted("O3", 6, [1], None), "gap None"),
    "phase of a list": (lambda: faulted([], 6, [1], "O1"), r"phase \[\]"),
    "twin planes None": (lambda: basal_twin(3, 3, planes=None), "planes is a NoneType"),
    "twin domain": (lambda: basal_twin(3, -3), "second = -3"),
    "z of a word": (lambda: z_phase(4, "half"), "fraction = 'half'"),
    "z between galleries of many": (lambda: z_phase(100, 0.255), "25.500, no whole number"),
    "markov of a word": (lambda: markov({"P2": "x", "O3": 0.5}, 6, 1), "probability of P2 .* 'x'"),
    "markov of None": (lambda: markov({"P2": None, "O3": 1.0}, 6, 1), "probability of P2 .* None"),
    "markov of nan": (lambda: markov({"P2": NAN, "O3": 1.0}, 6, 1), "probability of P2 .* nan"),
    "markov that does not sum": (lambda: markov({"P2": 0.485, "O3": 0.5}, 6, 1), "sums to 0.985"),
    "profile of words": (lambda: phase_gradient("P2", "O3", 6, ["a"] * 6), r"profile\[0\] is a str"),
    "profile of lists": (lambda: phase_gradient("P2", "O3", 6, [[1], [1, 2]]), r"profile\[0\] is a list"),
    "profile of nan": (lambda: phase_gradient("P2", "O3", 6, [NAN] * 6), r"profile\[0\] = nan"),
    "pattern, no galleries": (lambda: sequence(["P2"], 0), "gaps = 0"),
    "pattern, galleries below 0": (lambda: sequence(["P2"], -2), "gaps = -2"),
    "pattern, galleries of a word": (lambda: sequence(["P2"], "4"), "gaps = '4'"),
    "pattern, a field of a wrong type": (
        lambda: sequence({"sequence": "z", "fraction": "a"}, 4),
        "^fraction = 'a'",
    ),
    "block of no phase": (lambda: Block([], 4), r"phase \[\]"),
    "heights of a table": (lambda: block(heights={"a_A": 2.9}), "heights is a dict"),
    "faces None": (lambda: block(faces=None), "faces = None"),
    "centres between": (lambda: block(arrangement="honeycomb", centres=1.5), "centres = 1.5"),
    "oxygen of a word": (lambda: Block("spinel", 6, oxygen_u="x", content=0), "oxygen_u = 'x'"),
    "variant of a list": (lambda: Block("spinel", 6, variant=[1], content=0), r"variant = \[1\]"),
    "constants of a word": (lambda: block(elastic="x"), "elastic constants = 'x'"),
    "a constant of a word": (lambda: block(elastic={"C11": "a"}), "elastic.'C11'. = 'a'"),
    "metals of a list": (lambda: block(metals=[["Mn"]]), "metals = "),
    "length of a word": (lambda: Heights("2.9", 2.0, {}), "a_A = '2.9'"),
    "gallery of a word": (lambda: Heights(2.9, 2.0, {"P2": "a"}), "galleries_A.'P2'. = 'a'"),
    "galleries None": (lambda: Heights(2.9, 2.0, None), "galleries_A is a NoneType"),
    "ratio of a word": (lambda: Heights(2.9, 2.0, {}, "1"), "ratio = '1'"),
    "share without galleries": (lambda: Heights(2.9, 2.0, {}).thickened(0.01, 0.5), "galleries_A is empty"),
    "thicker by nan": (lambda: LAYERS.thickened(NAN), "strain = nan"),
    "strained to nan": (lambda: LAYERS.strained_to(NAN), "a_A = nan"),
    "unknown alkali": (lambda: default_heights(MN, "Cs", {"P2": 1.0}), "alkali 'Cs'"),
    "no contents": (lambda: default_heights(MN, "Na", {}), "at least one entry"),
    "unknown metal": (lambda: default_heights({"Xx": 1.0}, "Na", {"P2": 1.0}), "metal 'Xx'"),
    "unknown gallery": (lambda: default_heights(MN, "Na", {"X2": 1.0}), "gallery kind 'X2'"),
    "no structure": (lambda: harvest(None), "structure is a NoneType"),
    "nothing to distort": (lambda: distorted(None, (2.84, 5.30, 11.2, 90, 90, 90)), "structure is a NoneType"),
    "no spinel": (lambda: oxygen_parameter(None), "structure is a NoneType"),
    "spinel of a word": (lambda: spinel_heights("8"), "a_s_A = '8'"),
    "spinel of bonds that do not meet": (lambda: cubic_spinel_A(1.0, 2.5), "close no spinel"),
    "cell of a word": (lambda: published("abc", O3), "cell is a str"),
    "angle of 500": (lambda: published([5.67, 2.86, 5.8, 90, 500, 90], O3), "from 0 to 180"),
    "cell of no stack": (lambda: published([5.67, 2.86, 5.8, 90, 113, 90], "O3"), "stack is a str"),
    "constants of nan": (lambda: stiffness(np.full((6, 6), NAN)), "elastic constants hold nan"),
    "constants None": (lambda: stiffness(None), "give a symmetric 6 x 6"),
    "stiffness of one": (lambda: plane_stress([[1.0]]), r"shape \(1, 1\)"),
    "strain of two": (lambda: normal_strain(CUBE, (0.0, 0.0)), "three finite numbers"),
    "energy of nan": (lambda: elastic_energy_J_per_m2(CUBE, NAN, (0, 0, 0)), "thickness_A = nan"),
    "thickness below 0": (lambda: share_strain([np.eye(2)] * 2, [-1, 1], [CUBE] * 2), r"thicknesses\[0\] = -1"),
    "thickness of 0": (lambda: share_strain([np.eye(2)] * 2, [1, 0], [CUBE] * 2), r"thicknesses\[1\] = 0"),
    "cells None": (lambda: share_strain(None, [1], [CUBE]), "cells is a NoneType"),
    "energy of a word": (lambda: interlock_scores(P2, {"P2": "a", "O2": 1.0}), "energies.'P2'. = 'a'"),
    "energy nan": (lambda: interlock_scores(P2, {"P2": NAN, "O2": 1.0}), "energies.'P2'. = nan"),
    "moves of None": (lambda: minimal_moves(None, P2), "start is a NoneType"),
    "interfaces of a word": (lambda: interfaces_of("P2"), "blocks is a str"),
    "surroundings None": (lambda: environments(None, [], []), "gaps is a NoneType"),
    "blocks None": (lambda: intergrowth(None), "blocks is a NoneType"),
    "a block for a list": (lambda: intergrowth(PAIR[0]), "blocks is a Block"),
    "bulk of a word": (lambda: bulk("P2"), r"blocks\[0\] is a str"),
    "limit of a word": (lambda: pair(max_strain_percent="4"), "max_strain_percent = '4'"),
    "limit of nan": (lambda: pair(max_strain_percent=NAN), "max_strain_percent = nan"),
    "a of a word": (lambda: bulk(block(), a_A="2.9"), "a_A = '2.9'"),
    "a of nan": (lambda: bulk(block(), a_A=NAN), "^a_A = nan"),
    "a of 0": (lambda: bulk(block(), a_A=0), "^a_A = 0"),
    "thinning of nan": (lambda: scaled(thinning=NAN), "^thinning = nan"),
    "thinning of a list": (lambda: scaled(thinning=[1]), r"thinning = \[1\]"),
    "share of 2": (lambda: scaled(gallery_share=2), "gallery_share = 2"),
    "no closure": (lambda: scaled(closure=None), "closure None"),
    "no limits": (lambda: scaled(limits=None), "limits is a NoneType"),
    "energies of a list": (lambda: scaled(gallery_energies=["P2"]), "gallery_energies is a list"),
    "energies of words": (lambda: scaled(gallery_energies={"P2": "a"}), "gallery_energies.'P2'. = 'a'"),
    "settings of a table": (lambda: pair(settings={"closure": "auto"}), "settings is a dict"),
    "superscript": (lambda: pair(strain="fix:²"), "fix:²"),
    "strain beside a": (lambda: pair(strain="bogus", settings=Settings(a_A=2.9)), "strain = 'bogus'"),
    "a of unlike shapes": (
        lambda: intergrowth(
            [Block("O3", 3, heights=DISTORTED), Block("O3", 3)], (1, 1), settings=Settings(a_A=2.9, closure="auto")
        ),
        r"ratios 1.1000, 1.0000",
    ),
    "recipe None": (lambda: build.rebuild(None), "the recipe is a NoneType"),
    "empty recipe": (lambda: build.rebuild({"kind": "stack"}), "lacks blocks, repeats"),
    **{
        f"empty recipe, {kind}": (lambda kind=kind: build.rebuild({"kind": kind}), f"'{kind}' lacks {fields[0]}, ")
        for kind, fields in FIELDS.items()
    },
    "kind of a list": (lambda: build.rebuild({"kind": []}), r"kind \[\] cannot"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_argument_is_named(name):
    make, text = BAD[name]
    with pytest.raises(InputError, match=text):
        make()


def test_every_kind_of_recipe_says_what_it_needs():
    assert set(FIELDS) == set(REBUILDERS)
    made = [bulk(block(), (1, 1)), build.tunnel_bulk()]
    for recipe in (item.recipe for item in made):
        assert set(recipe) == {"kind", *FIELDS[recipe["kind"]]}


@pytest.fixture(scope="module")
def recipe():
    return bulk(block(content=0.5), (2, 1)).recipe


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda r: r.update(foo=1), "has a field 'foo'"),
        (lambda r: r["blocks"][0].update(foo=1), "block has a field 'foo'"),
        (lambda r: r["blocks"][0].pop("phase"), "block lacks phase"),
        (lambda r: r["blocks"][0].update(heights={"a_A": 2.9}), "heights lacks slab_A, galleries_A"),
        (lambda r: r["settings"].update(closures="auto"), "did you mean 'closure'"),
        (lambda r: r["settings"]["limits"].update(oxygen_A=2.3), "limits has a field 'oxygen_A'"),
        (lambda r: r.update(blocks={}), "blocks is a dict"),
        (lambda r: r.pop("seed"), "lacks seed"),
    ],
)
def test_a_recipe_with_a_wrong_field_is_refused_by_its_name(recipe, change, text):
    changed = json.loads(json.dumps(recipe))
    change(changed)
    with pytest.raises(InputError, match=text):
        build.rebuild(changed)


def test_a_record_may_leave_out_what_has_a_default():
    assert require_record("heights", {"a_A": 2.9, "slab_A": 2.0, "galleries_A": {}}, Heights)["a_A"] == 2.9
    assert Block.from_dict({"phase": "P2", "gaps": 2}) == Block("P2", 2)


def test_an_imposed_parameter_strains_every_block_of_one_shape():
    both = [Block("O3", 3, MN, heights=DISTORTED), Block("O3", 3, {"Co": 1.0}, heights=DISTORTED)]
    model = intergrowth(both, (1, 1), settings=Settings(a_A=2.98))
    assert [b.strain_percent for b in model.report.blocks] == pytest.approx([100 * (2.98 / 2.95 - 1)] * 2)
    assert (model.recipe["settings"]["a_A"], model.report.a_A) == (2.98, 2.98)
