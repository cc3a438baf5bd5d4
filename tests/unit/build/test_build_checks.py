"""Each predicate finds the fault put in on purpose and names the atoms; sound cells pass."""

import numpy as np
import pytest

from simkit.build import Block, Limits, bulk, checks, intergrowth
from simkit.errors import InputError
from simkit.structure import Structure


@pytest.fixture(scope="module")
def sound():
    return intergrowth([Block("P2", 2), Block("O3", 3)], (2, 2))


def moved(structure, atom, step):
    positions = structure.positions.copy()
    positions[atom] += step
    return structure.moved_to(positions)


def test_a_sound_cell_has_no_problems(sound):
    s = sound.structure
    assert checks.overlaps(s) == []
    assert checks.distance_problems(s) == []
    assert checks.coordination_problems(s) == []
    assert checks.stacking_problems(s, sound.stack.gaps()) == []


def test_close_atoms_are_named(sound):
    s = sound.structure
    metal = int(np.flatnonzero(s.tags["site"] == "TM")[2])
    problems = checks.distance_problems(moved(s, metal, [0, 0, 0.7]))
    assert problems
    assert any(f"atom {metal} (Co)" in p and "at least 1.75 A" in p for p in problems)


def test_atoms_on_top_of_each_other_are_found_across_the_cell_edge():
    s = Structure([29, 29], [[0.1, 0, 0], [4.9, 0, 0]], np.eye(3) * 5.0)
    (problem,) = checks.overlaps(s)
    assert "atom 0 (Cu) and atom 1 (Cu) in the next cell are 0.200 A apart" in problem


def test_coordination_is_counted(sound):
    s = sound.structure
    oxygen = int(np.flatnonzero(s.numbers == 8)[0])
    problems = checks.coordination_problems(s.without(oxygen))
    assert sum("(Co) has 5 anions" in p for p in problems) == 3


def test_other_galleries_than_requested_are_reported(sound):
    (problem,) = checks.stacking_problems(sound.structure, ["O3"] * 5)
    assert "read back as P2 P2 O3 O3 O3" in problem


def test_weak_letters_are_reported(sound):
    rng = np.random.default_rng(0)
    noisy = sound.structure.moved_to(sound.structure.positions + 0.3 * rng.normal(size=(len(sound.structure), 3)))
    assert any("order parameter" in p for p in checks.stacking_problems(noisy, sound.stack.gaps()))


def test_charge_windows_name_the_slab():
    metals = [{"Al": 4}, {"Mn": 4}]
    assert checks.charge_problems(metals, [1.0, 1.0]) == []
    (problem,) = checks.charge_problems(metals, [1.0, 0.5])
    assert "slab 0 (4 Al) needs a mean metal valence of 3.250" in problem
    assert "allow 3.000 to 3.000" in problem
    assert "more ions or higher-valent metals" in problem
    (problem,) = checks.charge_problems([{"Sn": 4}, {"Mn": 4}], [1.0, 0.5])
    assert "fewer ions or lower-valent metals" in problem


def test_strain_limits():
    assert checks.strain_problems([3.9, -3.9], ["P2", "O3"], 4.0) == []
    (problem,) = checks.strain_problems([1.0, -4.2], ["P2", "O3"], 4.0)
    assert "block 1 (O3)" in problem
    assert "-4.20 %" in problem


def test_lithium_may_come_closer_and_potassium_may_not():
    def shortest(alkali):
        s = bulk(Block("O3", 3, alkali=alkali), (2, 2)).structure
        ion = int(np.flatnonzero(s.layers < 0)[0])
        return checks.distance_problems(moved(s, ion, [0, 0, 0.45]), Limits(alkali_oxygen_A=2.2))

    assert shortest("Li") == []
    assert any("at least 2.20 A" in p for p in shortest("Na"))


def test_require_raises_with_the_first_problems():
    checks.require([])
    with pytest.raises(InputError, match=r"a b c \(and 1 more\)"):
        checks.require(["a", "b", "c", "d"])
