"""Order, charge, sizes, interfaces and relaxation: each check passes a sound cell and names the fault put in."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from simkit.build import (
    Block,
    Composition,
    Heights,
    Limits,
    Rules,
    Stack,
    bulk,
    checks,
    classify,
    intergrowth,
    lateral,
    lateral_flip,
    prototype,
    validate,
    validate_relaxed,
)
from simkit.build.check.size import Face
from simkit.build.scaffold import Region, Scaffold, Stratum
from simkit.errors import InputError
from simkit.structure import Structure

HEIGHTS = Heights(2.9, 2.0, {"P2": 3.55, "P3": 3.55, "O3": 3.2, "O1": 3.2, "O2": 3.2})


@pytest.fixture(scope="module")
def sound():
    metals = {"Ni": 0.5, "Mn": 0.5}
    return intergrowth([Block("P2", 4, metals, content=2 / 3), Block("O3", 6, metals)], (3, 4))


def state(validation, number):
    return next(f for f in validation.findings if f.number == number).state


def test_a_sound_cell_passes_every_check_that_applies(sound):
    found = validate(sound)
    assert found.passed
    assert [f.number for f in found.findings] == list(range(1, 9))
    assert [state(found, k) for k in (2, 3, 4, 5, 6, 7)] == ["passed"] * 6
    assert state(found, 8) == "does not apply"
    assert "relaxed cell" in found.findings[7].remark
    assert found.to_dict()["passed"] is True
    assert all(f"{f.number} {f.name}" in found.text() for f in found.findings)


def test_a_bare_structure_says_which_checks_do_not_apply(sound):
    s = sound.structure
    found = validate(Structure(s.numbers, s.positions, s.cell))
    assert found.passed
    assert [state(found, k) for k in (3, 4, 7, 8)] == ["does not apply"] * 4
    assert all(f.remark for f in found.findings)


def test_only_cells_are_validated():
    with pytest.raises(InputError, match="dict is no built cell"):
        validate({})


@pytest.mark.parametrize("gaps", [["P2"], ["P2", "O2u", "O2l", "O3"]])
def test_odd_flips_are_counted(gaps):
    (text,) = checks.parity_problems(gaps)
    flips = sum(g != "O3" for g in gaps)
    assert f"{flips} of {len(gaps)} gaps flip the slab sense" in text
    assert checks.parity_problems([*gaps, "P2"]) == []


def test_a_cell_vector_that_misses_the_letters_is_refused():
    ideal = prototype(Stack.from_gaps(["O3"] * 2), HEIGHTS).repeated(3, 3, 1)
    assert classify(ideal).stack.shear == 1
    assert checks.closure_problems(ideal) == []
    cell = ideal.cell.copy()
    cell[2, 0] += 0.6
    (text,) = checks.closure_problems(ideal.moved_to(ideal.positions, cell))
    assert text.startswith("gallery 1 (O3) stands 0.60 A off its letter")
    assert "third cell vector does not close the letters (shear 1)" in text


@pytest.mark.parametrize("slabs", [1, 2, 3, 4])
def test_a_monoclinic_lean_is_no_open_closure(slabs):
    cell = (5.6672, 2.8606, 5.8007, 90.0, 113.143, 90.0)  # alpha-NaMnO2, C2/m
    assert validate(bulk(Block("O'3", slabs, {"Mn": 1.0}, cell=cell), (4, 2))).passed


@pytest.mark.parametrize("phase", checks.FRAMEWORK_GROUPS)
def test_the_slabs_of_every_phase_keep_its_space_group_whatever_sits_on_them(phase):
    period = {"OP4": 4, "OP4-Li": 4, "O4": 4}.get(phase, 2)
    model = bulk(Block(phase, period, {"Ni": 0.5, "Mn": 0.5}, content=0.5), (2, 2), seed=1)
    found = validate(model)
    assert f"slabs of space group {checks.FRAMEWORK_GROUPS[phase]}" in found.text()
    assert state(found, 3) == "passed"
    (text,) = checks.space_group_problems(model.structure, 1)
    assert f"({checks.FRAMEWORK_GROUPS[phase]}) at 0.001 A; number 1 was promised" in text


def test_a_glided_slab_breaks_the_space_group():
    s = prototype(Stack.from_gaps(["P2"] * 4), HEIGHTS, ("e",)).repeated(3, 3, 1)
    assert checks.space_group_problems(s, 194) == []
    other = prototype(Stack.from_gaps(["P2"] * 4).glide_slab(2, 1), HEIGHTS, ("e",)).repeated(3, 3, 1)
    assert "number 194 was promised" in checks.space_group_problems(other, 194)[0]


def test_slabs_that_cannot_be_neutral_are_named():
    model = bulk(Block("O3", 3, {"Al": 0.5, "Mn": 0.5}), (2, 2))
    filled = model.structure, model.scaffold, model.atom_of
    assert checks.valence_problems(*filled) == []
    slab = (model.structure.layers == 1) & (model.structure.tags["site"] == "TM")
    numbers = np.where(slab, 22, model.structure.numbers)  # one slab of Ti3+/4+, the others of Al and Mn
    ions = np.flatnonzero(model.structure.tags["gallery"] == 0)
    charged = Structure(numbers, model.structure.positions, model.structure.cell, layers=model.structure.layers)
    assert checks.valence_problems(charged, *filled[1:]) == []
    numbers[ions] = 20  # Ca in the gallery below it
    charged = Structure(numbers, model.structure.positions, model.structure.cell, layers=model.structure.layers)
    problems = checks.valence_problems(charged, *filled[1:])
    assert any("slab 1 of region 0" in p and "mean metal valence of 2.500" in p for p in problems)


def test_burgers_vectors_must_cancel():
    assert checks.burgers_problems({"slab 0": (0.0, 0.0)}) == []
    (text,) = checks.burgers_problems({"slab 0": (0.0, 0.0), "slab 3": (1.2, 1.6)})
    assert "slab 3 sum to a Burgers vector of 2.000 A" in text


def kagome():
    """An O3 slab pair whose first slab is a kagome sheet with its vacancy under a tetrahedral cation."""
    ideal = prototype(Stack.from_gaps(["O3"] * 3), Heights(2.92, 2.38, {"O3": 2.38}), (), metal="Mn").repeated(2, 2, 1)
    metals = np.flatnonzero((ideal.numbers == 25) & (ideal.layers == 0))
    vacancy = ideal.positions[metals[0]]
    keep = np.delete(np.arange(len(ideal)), metals[0])
    s = ideal.take(keep)
    site = np.where(s.numbers == 8, "O", np.where(s.layers == 0, "K", "TM")).astype("<U3")
    tet = vacancy + np.array([0.0, 0.0, 1.19 + 0.25 * 2.38])
    return Structure(
        [*s.numbers, 12], [*s.positions, tet], s.cell, layers=[*s.layers, -1], tags={"site": [*site, "tet"]}
    ), vacancy


def test_kagome_sheets_hold_three_of_four_and_meet_their_tetrahedra():
    s, vacancy = kagome()
    assert checks.kagome_problems(s) == []
    full = Structure(
        [*s.numbers, 25],
        [*s.positions, vacancy],
        s.cell,
        layers=[*s.layers, 0],
        tags={"site": [*s.tags["site"], "K"]},
    )
    problems = checks.kagome_problems(full)
    assert problems[0] == "kagome sheet 0 holds 4 metals on 4 sites; it needs three of every four."
    assert "(Mg)" in problems[1]
    assert "multiples of 3" in problems[1]


def line_of_sites(composition, metals=8, ions=4):
    """A made-up scaffold: a cubic lattice of metals, anions and ions, all far apart."""
    n = 2 * metals + metals + ions
    points = np.column_stack([np.arange(n) * 3.0, np.zeros(n), np.zeros(n)])
    stratum = np.repeat([0, 1, 2], [2 * metals, metals, ions])
    strata = (Stratum("anion", 0, 2 * metals), Stratum("metal", 0, metals), Stratum("alkali", 0, ions))
    kind = np.array(["O", "TM", "oct"])[stratum]
    none = np.full(n, -1)
    return Scaffold(
        np.diag([3.0 * n, 5.0, 5.0]), points, stratum, kind, none, none, strata, (Region("made up", composition),)
    )


def placed(scaffold, symbols):
    numbers = {"": 0, "O": 8, "F": 9, "Na": 11, "Ca": 20, "Mn": 25, "Ni": 28}
    there = np.array([s != "" for s in symbols])
    atom_of = np.where(there, np.cumsum(there) - 1, -1)
    structure = Structure(np.array([numbers[s] for s in symbols])[there], scaffold.positions[there], scaffold.cell)
    return structure, scaffold, atom_of


def test_compositions_are_compared_region_by_region():
    asked = Composition(metals={"Mn": 0.75, "Ni": 0.25}, content=0.5, anions={"O": 0.875, "F": 0.125})
    scaffold = line_of_sites(asked)
    good = ["O"] * 14 + ["F"] * 2 + ["Mn"] * 6 + ["Ni"] * 2 + ["Na", "Na", "", ""]
    found = checks.shares(*placed(scaffold, good))
    assert {(s.role, s.symbol): s.reached for s in found} == {
        ("anion", "O"): 0.875,
        ("anion", "F"): 0.125,
        ("metal", "Mn"): 0.75,
        ("metal", "Ni"): 0.25,
        ("alkali", ""): 0.5,
    }
    assert checks.composition_problems(found) == []
    one_off = ["O"] * 14 + ["F"] * 2 + ["Mn"] * 5 + ["Ni"] * 3 + ["Na", "Na", "", ""]
    found = checks.shares(*placed(scaffold, one_off))
    assert checks.composition_problems(found) == []
    assert any(
        "metal Ni 0.3750 where 0.2500 was asked; one atom is 0.1250" in t for t in checks.rounding_problems(found)
    )
    for contents, hard, soft in (({0: 0.25}, 0, 0), ({0: 0.5}, 1, 0), ({0: 0.3}, 0, 1)):
        content = [s for s in checks.shares(*placed(scaffold, good), contents) if s.role == "alkali"]
        assert [(s.asked, s.reached, s.sites, s.room) for s in content] == [(contents[0], 0.25, 8, 0.5)]
        assert [len(checks.composition_problems(content)), len(checks.rounding_problems(content))] == [hard, soft]
    full = ["O"] * 14 + ["F"] * 2 + ["Mn"] * 6 + ["Ni"] * 2 + ["Na"] * 4
    found = checks.shares(*placed(scaffold, full), {0: 0.75})
    assert checks.composition_problems(found) == []
    assert any("where 0.7500 was asked; its sites hold 0.5000 at most" in t for t in checks.rounding_problems(found))
    wrong = ["O"] * 14 + ["F"] * 2 + ["Mn"] * 4 + ["Ni"] * 4 + ["Na", "Na", "Na", "Ca"]
    found = checks.composition_problems(checks.shares(*placed(scaffold, wrong)))
    assert any("metal Mn 0.5000 where 0.7500" in t for t in found)
    assert any("content 1.0000 where 0.5000" in t for t in found)


@pytest.mark.parametrize(
    ("metals", "ions", "words"),
    [
        (["Ni"] * 8, ["Na"] * 4, None),
        (["Mn"] * 8, ["", "", "", ""], None),
        (["Ca"] * 8, ["Na"] * 4, "negative by at least 12.000 e"),
        (["Mn"] * 8, ["Ca"] * 4, None),
    ],
)
def test_a_cell_is_neutral_within_the_windows_of_its_metals(metals, ions, words):
    scaffold = line_of_sites(Composition())
    structure, _, _ = placed(scaffold, ["O"] * 16 + metals + ions)
    kinds = np.repeat([0, 1, 2], [16, 8, len([i for i in ions if i])])
    ledger = checks.ledger(structure, kinds)
    assert ledger.anions == -32
    found = checks.neutrality_problems(ledger)
    assert found == [] if words is None else words in found[0]


def test_too_many_ions_leave_a_cell_positive():
    scaffold = line_of_sites(Composition(), metals=2, ions=8)
    structure, _, _ = placed(scaffold, ["O"] * 4 + ["Mn"] * 2 + ["Na"] * 8)
    (text,) = checks.neutrality_problems(checks.ledger(structure, np.repeat([0, 1, 2], [4, 2, 8])))
    assert "stays positive by at least 4.000 e" in text
    assert "take alkali out, or take lower-valent metals" in text


def test_an_element_without_valence_is_named():
    s = bulk(Block("O3", 3), (3, 3)).structure
    numbers = np.where(s.numbers == 27, 92, s.numbers)
    strange = Structure(numbers, s.positions, s.cell, layers=s.layers)
    assert checks.without_valence(strange) == ["U"]
    found = validate(strange)
    assert state(found, 5) == "does not apply"
    assert "no valence is known for U" in found.text()


def test_sizes_are_flagged_with_their_limits(sound):
    limits = Limits()
    assert checks.strain_warnings({"P2": 1.9, "O3": -1.9}) == []
    assert "O3 is strained by -2.10 %" in checks.strain_warnings({"P2": 1.9, "O3": -2.1})[0]
    texts = checks.thickness_warnings({"P2": 2, "O3": 3}, {"left": 20.0, "right": 30.0}, {"tunnel": 12.0}, limits)
    assert [t.split()[0] for t in texts] == ["P2", "left", "tunnel"]
    assert "at least 25 A" in texts[1]
    assert "at least 15 A" in texts[2]
    small = bulk(Block("O3", 3), (2, 3)).structure
    assert "images are 5." in checks.image_warnings(small)[0]
    assert checks.image_warnings(sound.structure) == []
    assert checks.volume_warnings(sound.structure) == []
    wide = sound.structure.strained_to(sound.structure.cell * np.array([[1], [1], [1.3]]))
    assert "lies outside 17 to 23 A^3" in checks.volume_warnings(wide)[0]
    assert validate(bulk(Block("O3", 3), (2, 2))).soft != ()


def sandwich(shift):
    """Two regions stacked along x as sheets of points, the second one displaced across the x axis by shift, A."""
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(3), np.arange(3), indexing="ij"), -1).reshape(-1, 3) * 2.5
    region = (grid[:, 0] >= 15.0).astype(int)
    points = grid.copy()
    points[(region == 1) & (grid[:, 0] < 17.0), 1] += shift
    strata = (Stratum("anion", 0, 54), Stratum("anion", 1, 54))
    none = np.full(len(points), -1)
    regions = Region("A", Composition()), Region("B", Composition())
    return Scaffold(np.diag([30.0, 7.5, 7.5]), points, region, np.full(len(points), "O"), none, none, strata, regions)


def test_interfaces_are_compared_by_their_neighbours():
    found = checks.faces(sandwich(0.0))
    assert [f.phases for f in found] == [("A", "B")] * 2
    assert [len(f.sites) for f in found] == [18, 18]
    assert checks.interface_warnings(found) == []
    (text,) = checks.interface_warnings(checks.faces(sandwich(1.25)))
    assert "interfaces 0 and 1 (A|B) are not equivalent" in text
    other = Face(("A", "C"), found[0].sites, 0 * found[0].spectrum)
    assert checks.interface_warnings([found[0], other]) == []


def test_the_spectrum_of_an_interface_is_the_same_in_a_turned_mirrored_cell():
    made = sandwich(1.25)
    q, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    q = q * np.sign(np.linalg.det(q))
    turned = replace(made, positions=made.positions @ q + 1.7, cell=made.cell @ q)
    for a, b in zip(checks.faces(made), checks.faces(turned), strict=True):
        assert np.array_equal(a.sites, b.sites)
        assert a.spectrum == pytest.approx(b.spectrum, abs=1e-6)


def relaxed(structure, step, factor=1.0):
    return structure.moved_to(structure.positions + step).strained_to(structure.cell * factor)


def test_an_unchanged_cell_is_retained_and_a_rigid_drift_is_nothing(sound):
    found = validate_relaxed(sound, relaxed(sound.structure, [1.3, -0.7, 9.0]), fmax_eV_per_A=0.01)
    assert found.passed
    assert found.soft == ()
    assert np.abs(checks.displacements_A(sound.structure, relaxed(sound.structure, [40.0, 3.0, 9.0]))).max() < 1e-9


def test_forces_and_volume_are_judged(sound):
    assert "0.200 eV/A, above 0.05" in validate_relaxed(sound, sound.structure, 0.2).soft[0]
    swollen = validate_relaxed(sound, relaxed(sound.structure, 0.0, 1.03), 0.0)
    assert any("volume changed by +9.3 %, more than 5 %" in t for t in swollen.soft)
    burst = validate_relaxed(sound, relaxed(sound.structure, 0.0, 1.06), 0.0)
    assert any("volume changed by +19.1 %, more than 15 %" in t for t in burst.hard)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None, 0.1), "after is a NoneType"),
        ((..., float("nan")), "fmax_eV_per_A = nan"),
        ((..., "0.1"), "fmax_eV_per_A = '0.1'"),
        ((..., -0.1), "fmax_eV_per_A = -0.1"),
        ((..., 0.1, float("nan")), "converged_eV_per_A = nan"),
    ],
)
def test_what_is_no_relaxed_cell_and_no_force_is_refused(sound, arguments, words):
    after = sound.structure if arguments[0] is ... else arguments[0]
    with pytest.raises(InputError, match=words):
        validate_relaxed(sound, after, *arguments[1:])


def test_a_force_that_is_no_number_is_never_converged(sound):
    found = checks.examine_relaxed(checks.Subject(sound.structure, checks.Rules()), sound.structure, float("nan"), 0.05)
    assert any("not relaxed" in text for text in found.soft)


def test_bond_valence_of_zirconium_is_that_of_its_table():
    # Brese and O'Keeffe 1991: 1.928 A; six bonds of 2.078 A then sum to 6 exp((1.928 - 2.078) / 0.37) = 4.00
    assert 6 * np.exp((checks.BOND_VALENCE_A["Zr"][4] - 2.078) / 0.37) == pytest.approx(4.0, abs=0.01)


def test_a_slab_that_glides_is_named(sound):
    s = sound.structure
    found = classify(s)
    step = (np.array([[1 / 3, 2 / 3]]) @ found.primitive).ravel()
    positions = s.positions.copy()
    positions[s.layers == 2] += step
    after = s.moved_to(positions)
    glided = sound.stack.glide_slab(2, 1).gaps()
    texts = checks.retention_problems(s, after)
    assert len(texts) == 2
    assert f"gallery 1 was P2 and is now {glided[1]}" in texts[0]
    assert f"gallery 2 was P2 and is now {glided[2]}" in texts[1]
    assert state(validate_relaxed(sound, after, 0.0), 8) == "failed"
    assert any("metals and anions moved farther" in t for t in checks.displacement_warnings(s, after))


def test_a_molten_cell_has_lost_its_stacking(sound):
    rng = np.random.default_rng(0)
    s = sound.structure
    (text,) = checks.retention_problems(s, s.moved_to(s.positions + rng.normal(size=(len(s), 3))))
    assert text.startswith("the stacking is lost")


def test_changed_coordination_and_hops_are_counted(sound):
    s = sound.structure
    ion = int(np.flatnonzero(s.layers < 0)[0])
    positions = s.positions.copy()
    positions[ion] += [0, 0, 1.4]
    after = s.moved_to(positions)
    assert any(f"atom {ion} (Na)" in t for t in checks.coordination_changes(s, after))
    assert f"atom {ion} (Na) by 1.4" in checks.displacement_warnings(s, after)[0]
    assert checks.displacement_warnings(s, after)[0].startswith("1 alkali ions")


def test_another_cell_is_not_the_relaxed_one(sound):
    with pytest.raises(InputError, match="same order"):
        validate_relaxed(sound, sound.structure.without(0), 0.0)


def test_rules_travel_through_pickle():
    rules = Rules(coordination={"TM": (5, 6)}, columns=(("P2",),), lengths_A={"left": 30.0})
    assert pickle.loads(pickle.dumps(rules)) == rules


@pytest.mark.parametrize("stretch", [(1.06, 1.06), (1.06, 1.0), (0.93, 1.0)])
def test_strain_is_measured_from_the_cell(sound, stretch):
    s = sound.structure
    changed = s.strained_to(s.cell @ np.diag([*stretch, 1.0]))
    strains = [b.strain_percent / 100.0 for b in sound.report.blocks]
    limit = sound.recipe["max_strain_percent"]
    wanted = [max((100.0 * ((1 + e) * f - 1) for f in stretch), key=abs) for e in strains]
    texts = [t for t in validate(replace(sound, structure=changed)).hard if "plane of the cell" in t]
    assert len(texts) == sum(abs(x) > limit for x in wanted) > 0
    assert all(f"{x:+.2f} %" in " ".join(texts) for x in wanted if abs(x) > limit)
    turn = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    assert state(validate(replace(sound, structure=s.strained_to(s.cell @ turn))), 6) == "passed"


def test_strain_of_a_lateral_cell_is_measured_too():
    mn = {"Mn": 1.0}
    cell = lateral(Block("P2", 2, mn, content=0.5), Block("O2", 2, mn, content=0.5))
    changed = cell.structure.strained_to(cell.structure.cell * np.array([1.06, 1.06, 1.0]))
    assert state(validate(cell), 6) != "failed"
    assert any("domain is strained by" in text for text in validate(replace(cell, structure=changed)).hard)


def test_an_atom_missing_is_a_sentence(sound):
    mn = {"Mn": 1.0}
    cell = lateral(Block("P2", 2, mn, content=0.5), Block("O2", 2, mn, content=0.5))
    for built in (sound, cell):
        s = built.structure
        short = Structure(s.numbers[:-1], s.positions[:-1], s.cell)
        for check in (validate, lambda x: validate_relaxed(x, x.structure, 0.01)):
            with pytest.raises(InputError, match=f"has {len(s) - 1} atoms, and {len(s)} sites"):
                check(replace(built, structure=short))


def test_metals_that_keep_six_anions_by_long_bonds_are_flagged():
    mn = {"Mn": 1.0}
    cell = lateral_flip(Block("P2", 6, mn, content=2 / 3), Block("O3", 6, mn, content=2 / 3))
    lacking, found = cell.report.facts["boundary_metals_lacking"], validate(cell)
    assert cell.report.facts["boundary_bond_A"] < 2.45
    assert lacking > 0
    assert state(found, 2) == "flagged"
    assert any(f"{lacking} of 432 metals have 6 anions only by bonds longer than 2.45 A" in t for t in found.soft)
    assert "anions around M (to 2.8 A): 6:432" in cell.report.text()


def test_the_report_names_the_senses_of_its_own_slabs():
    model = intergrowth([Block("P2", 4), Block("O3", 3)], (3, 3))
    assert model.report.senses == "".join("+" if slab.s > 0 else "-" for slab in model.stack.slabs) == "+-+-+++"
    assert "senses +-+-+++ (of class +----+-)" in model.report.text()
