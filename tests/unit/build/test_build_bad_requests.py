"""Requests that cannot be met: every builder refuses with the number it found, what is allowed and what to do."""

import re

import pytest
from builder_cells import MN, NM, spinel

from simkit.build import (
    Block,
    Composition,
    Domain,
    Heights,
    LateralSettings,
    Prism,
    Ribbon,
    Settings,
    Stack,
    bulk,
    core_shell,
    domains,
    intergrowth,
    lateral,
    lateral_flip,
    mirror_twin,
    orthogonal,
    particle,
    rebuild,
    sphere,
    tunnel_bulk,
    tunnel_interface,
)
from simkit.errors import InputError

FAR = Heights(2.6, 2.0, {"O3": 3.2, "P2": 3.5, "O2": 3.2, "P3": 3.5})
O3, P2 = Block("O3", 3, MN), Block("P2", 2, MN, content=0.5)
AL = {"Al": 1.0}
RIBBON = Ribbon(0.0, 15.0, "armchair")


def wide(composition):
    return Composition(**composition)


# name -> (what is asked, the numbers and words the refusal must hold)
BAD = {
    # impossible sodium contents
    "content above 1, stack": (lambda: Block("P2", 2, MN, content=1.2), ("1.2", "0 to 1")),
    "content below 0, composition": (lambda: wide({"content": -0.1}), ("-0.1", "0 to 1")),
    "content above 1, one gallery": (lambda: Block("O3", 3, MN, content=[1.0, 1.0, 1.5]), ("1.5", "0 to 1")),
    "content between atoms": (lambda: bulk(Block("O3", 3, MN, content=0.01), (1, 1)), ("0.01", "nearest", "repeats")),
    "content of a tunnel": (lambda: tunnel_bulk(Composition(MN, content=0.6)), ("0.6", "0.444")),
    "contents of the wrong length": (lambda: Block("O3", 3, MN, content=[1.0, 0.5]), ("2 galleries", "3")),
    # sense flips
    "odd flips, stack": (lambda: Stack.from_gaps(["P2"] * 3), ("3 of 3", "2 or 4")),
    "odd flips, intergrowth": (lambda: intergrowth([Block("P2", 3, MN), O3]), ("3 of 6", "2 or 4")),
    "odd flips, pattern": (
        lambda: bulk(Block("mine", 3, NM, pattern=["P2", "O3", "O3"]), (2, 2)),
        ("1 of 3", "odd", "2 of them"),
    ),
    "letters that do not close": (
        lambda: bulk(Block("O3", 2, MN), (2, 2), settings=Settings(closure="strict")),
        ("of 3", "multiples of 3", "shear"),
    ),
    "unequal senses beside one another": (lambda: lateral(P2, O3), ("lateral_flip",)),
    "equal senses for a flip": (lambda: lateral_flip(P2, Block("O2", 2, MN, content=0.5)), ("lateral",)),
    # unknown elements
    "unknown element, stack": (lambda: Block("O3", 3, {"Xx": 1.0}), ("Xx",)),
    "unknown metal, nearest": (lambda: Block("O3", 3, {"Mo2": 1.0}), ("Mo2", "did you mean")),
    "unknown alkali": (lambda: Block("O3", 3, MN, alkali="Rb"), ("Rb", "Li, Na, K")),
    "unknown anion": (lambda: Block("O3", 3, MN, anions={"N": 1.0}), ("N", "O")),
    "unknown dopant": (lambda: Block("O3", 3, MN, dopants={"Qq": 0.1}), ("Qq",)),
    "unknown tetrahedral": (lambda: Block("spinel", 3, MN, tetrahedral={"Zz": 1.0}), ("Zz",)),
    "fractions that do not sum to 1": (lambda: Block("O3", 3, {"Ni": 0.5, "Mn": 0.3}), ("0.8", "sum to 1")),
    # mismatch over the limit
    "mismatch, stack": (
        lambda: intergrowth([Block("P2", 2, MN, heights=FAR), O3], (2, 2)),
        ("%", "limit is 4 %", "max_strain_percent"),
    ),
    "mismatch, lateral": (
        lambda: lateral(Block("P2", 2, MN, content=0.5, heights=FAR), Block("O2", 2, MN, content=0.5)),
        ("%", "4 %"),
    ),
    "mismatch, flip": (
        lambda: lateral_flip(Block("P2", 2, MN, content=0.5, heights=FAR), Block("O3", 2, MN, content=0.5)),
        ("%", "4 %"),
    ),
    "mismatch, domains": (
        lambda: domains(Block("O3", 3, NM, heights=FAR), [Domain(O3, RIBBON)], orthogonal(12, 4)),
        ("%", "4 %"),
    ),
    "mismatch, core-shell": (lambda: core_shell(Block("O3", 3, NM, heights=FAR), O3, Prism(6.0)), ("%", "4 %")),
    "mismatch, tunnel": (
        lambda: tunnel_interface(Block("P2", 4, MN, content=0.5, heights=FAR), plane="140|0001"),
        ("%",),
    ),
    # kagome sheets and lattices that cannot close
    "kagome, number of sheets": (lambda: bulk(spinel(4), (2, 2)), ("4", "multiple")),
    "kagome, odd cell in the plane": (lambda: bulk(spinel(6), (3, 3)), ("3", "even")),
    "kagome, domains": (
        lambda: domains(Block("O3", 3, NM), [Domain(spinel(3), RIBBON)], orthogonal(12, 3)),
        ("(0, 3, 6)", "even repeats"),
    ),
    "spinel without shared lattice": (
        lambda: domains(Block("P2", 6, NM, content=0.5), [Domain(spinel(6), RIBBON)], orthogonal(12, 4)),
        ("P2", "O3"),
    ),
    # valences outside their windows
    "valence, stack": (lambda: bulk(Block("O3", 3, AL, content=0.5), (2, 2)), ("3.500", "3.000 to 3.000")),
    "valence, lateral": (
        lambda: lateral(Block("P2", 2, AL, content=0.5), Block("O2", 2, AL, content=0.5)),
        ("3.500",),
    ),
    "valence, domains": (
        lambda: domains(
            Block("O3", 3, AL, content=0.5), [Domain(Block("O3", 3, AL, content=0.5), RIBBON)], orthogonal(12, 4)
        ),
        ("3.500",),
    ),
    "valence, tunnel": (lambda: tunnel_bulk(Composition(AL, content=4 / 18)), ("3.778",)),
    "valence, particle": (
        lambda: particle(bulk(Block("O3", 6, NM), (8, 8)), sphere(8.0)),
        ("2.00 to 4.00", "sites", "another size"),
    ),
    # sizes and shapes
    "too many for a pattern": (lambda: Block("OP4", 3, NM), ("3", "4")),
    "a ribbon wider than the cell": (
        lambda: domains(
            Block("O3", 3, NM), [Domain(Block("O3", 3, MN), Ribbon(0.0, 200.0, "armchair"))], orthogonal(4, 4)
        ),
        ("200.00 A", "repeats"),
    ),
    "a boundary too narrow": (
        lambda: lateral(
            Block("O3", 3, MN, content=0.5),
            Block("P3", 3, MN, content=0.5),
            "zigzag",
            settings=LateralSettings(width_A=3.0),
        ),
        ("3", "8"),
    ),
    "an unknown phase": (lambda: Block("P9", 3, MN), ("P9", "O3")),
    "an unknown plane": (lambda: tunnel_interface(P2, plane="111|0001"), ("111|0001", "140|0001")),
    "a twin plane that is none": (lambda: mirror_twin(O3, (0, 0, 0)), ("0",)),
    "an unknown recipe": (lambda: rebuild({"kind": "lateral_flop"}), ("lateral_flop", "lateral_flip")),
    "a seed below 0, stack": (lambda: bulk(O3, (2, 2), seed=-1), ("-1", "at least 0")),
    "a seed below 0, composite": (lambda: tunnel_bulk(seed=-1), ("-1", "0 or larger")),
}
REMEDY = re.compile(
    r"use |take |give |choose |change |ask |need|must|allowed|did you mean|at most|at least|raise |holds|write |"
    r"instead|nearest|repeats|limit|join ",
)


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_cannot_be_met_says_the_number_and_the_remedy(name):
    ask, words = BAD[name]
    with pytest.raises(InputError) as refused:
        ask()
    text = str(refused.value)
    for word in words:
        assert word in text, text
    assert REMEDY.search(text), text
    # a sentence for a user, not a stack of internals
    assert 30 < len(text) < 1500
    assert "array(" not in text
