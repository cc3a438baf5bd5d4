"""The scorecard: closed forms, a potential beside itself and beside a scaled copy, saved numbers, the table."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ionic import ionic, rattled_labels

from simkit import build, io, potential, solve
from simkit.errors import CorruptFileError
from simkit.potential import Counted, double_well, fcc_spring_stiffness, springs
from simkit.solve import Hop
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows.common import Hooks
from simkit.workflows.scorecard import (
    Compared,
    Config,
    Scorecard,
    Verdict,
    barriers,
    cells,
    consistency,
    elastic,
    errors,
    lattice,
    markdown,
    run,
    smoothness,
    spacing,
    speed,
    stability,
    stacking,
)
from simkit.workflows.scorecard.answers import Answers, Row, apart, largest, row_of
from simkit.workflows.scorecard.labels import NO_LABELS

QUICK = Config(quick=True)
STILL = ["lattice", "stacking", "barriers", "gliding", "elastic", "spacing"]
"""Rows of relaxed cells."""


@pytest.fixture(scope="module")
def beside_scaled() -> Scorecard:
    """A potential of 1.01 times the energy, held against the potential itself."""
    settings = Config(quick=True, rows=STILL)
    return run(settings, Compared(ionic("student", scale=1.01), ionic("teacher")))


def by_quantity(row):
    return {(line.case, line.quantity): line for line in row.lines}


def test_one_percent_of_energy_changes_energies_and_stiffness_by_one_percent_and_no_length(beside_scaled):
    # minima, and so lengths, are those of any multiple of the energy; what is left is where relaxations stop
    for line in beside_scaled.row("lattice").lines + beside_scaled.row("spacing").lines:
        assert abs(line.difference) < 0.02, line
    for line in beside_scaled.row("elastic").lines:
        assert line.difference == pytest.approx(1.0, abs=0.05), line
    energies = [line for line in beside_scaled.row("stacking").lines if line.other]
    assert len(energies) == 3
    for line in energies:
        # what forces of 0.01 eV/A leave: f^2 / 2k with k of 5 eV/A^2 is 0.01 meV for each of 3.7 atoms
        assert line.own == pytest.approx(1.01 * line.other, abs=0.05), line
    for line in beside_scaled.row("gliding").lines:
        # the same for forces of 0.02 eV/A: 0.04 meV for each of 4 atoms
        assert line.own == pytest.approx(1.01 * line.other, abs=0.2), line
    assert len(beside_scaled.row("barriers").lines) == 4
    octahedral = [line for line in beside_scaled.row("barriers").lines if line.case.startswith("O3")]
    for line in octahedral:  # the way of these ions in P2 has two saddles of like height: either may be found
        # a band stops when its barrier changes by less than 2 meV over two steps, on either side
        assert line.own == pytest.approx(1.01 * line.other, abs=4.0), line
    assert not [problem for row in beside_scaled.rows for problem in row.problems]
    assert beside_scaled.met


def test_a_potential_beside_itself_differs_in_nothing():
    card = run(Config(quick=True, rows=["lattice", "elastic"]), Compared(ionic(), ionic()))
    differences = [line.difference for row in card.rows for line in row.lines]
    assert len(differences) == 14
    assert set(differences) == {0.0}
    assert card.met


def test_a_harder_ion_misses_the_lattice_by_the_percent_it_says():
    card = run(Config(quick=True, rows=["lattice"]), Compared(ionic("hard", hardness_eV=0.45), ionic()))
    row = card.row("lattice")
    worst = max(abs(100 * (line.own / line.other - 1)) for line in row.lines if line.quantity == "a_A")
    verdict = next(v for v in row.verdicts if v.what == "lattice parameter a")
    assert verdict.value == pytest.approx(worst)
    assert verdict.value > lattice.GOAL_PERCENT
    assert not verdict.met
    assert not card.met


def test_stiffness_of_a_spring_crystal_is_the_closed_form():
    k, rest = 3.0, 2.5
    half = rest / np.sqrt(2)
    cell = np.array([[0, half, half], [half, 0, half], [half, half, 0]])
    crystal = Structure(np.array([29]), np.zeros((1, 3)), cell)
    found, failed = elastic.stiffness_columns(
        {"fcc": crystal}, springs(k, {"Cu": rest}, 1.2 * rest), QUICK, (0, 1, 2, 3, 4, 5)
    )
    c11, c12, c44 = EV_PER_A3_IN_GPA * np.array(fcc_spring_stiffness(k, rest))
    expected = np.diag([c11] * 3 + [c44] * 3)
    expected[:3, :3] += c12 * (1 - np.eye(3))
    assert not failed
    # a central difference over 1 % of strain errs in second order, some 1e-4 of the stiffness
    np.testing.assert_allclose(found["fcc"], expected, atol=1e-3 * c11)


def test_relaxed_ions_soften_the_shear_of_the_slabs():
    built, _ = cells.built({"O3": elastic.CELLS["O3 NaCoO2"]}, QUICK, ionic())
    start = cells.relaxed(built, ionic(), QUICK, fmax_eV_per_A=elastic.FMAX_EV_PER_A)[0]["O3"].structure
    found, _ = elastic.stiffness_columns({"O3": start}, ionic(), QUICK, elastic.COLUMNS)
    for row, column in zip(found["O3"], elastic.COLUMNS, strict=True):
        stresses = [
            elastic._voigt(ionic().evaluate([start.strained_to(start.cell @ (np.eye(3) + sign * strain))])[0].stress)
            for strain in [elastic._strain(column)]
            for sign in (1, -1)
        ]
        clamped = (stresses[0] - stresses[1])[column] / (2 * elastic.STRAIN) * EV_PER_A3_IN_GPA
        assert 0 < row[column] < clamped, "letting ions go can only lower the energy of a strain"


def test_only_pairs_that_differ_can_be_swapped():
    teacher = {"O3": 0.0, "P2": 9.0, "P3": 9.5, "O2": 30.0}
    assert stacking.swaps({"O3": 0.0, "P2": 9.5, "P3": 9.0, "O2": 12.0}, teacher) == [], "P2 and P3 are degenerate"
    assert stacking.swaps({"O3": 0.0, "P2": -1.0, "P3": 40.0, "O2": 30.0}, teacher) == [("O3", "P2"), ("P3", "O2")]
    order, size = stacking.judge({"x": {"O3": 0.0, "P2": -2.0}}, {"x": {"O3": 0.0, "P2": 9.0}})
    assert (order.value, order.met) == (1.0, False)
    assert (size.value, size.met) == (11.0, False)


def test_layers_that_drift_apart_are_seen():
    teacher = {"P2 host": {"x=1.00_A": 5.3, "x=0.33_A": 5.5, "x=0.00_A": 4.8}, "O3 host": {"x=0.00_A": 4.4}}
    student = {"P2 host": {"x=1.00_A": 5.3, "x=0.33_A": 5.5, "x=0.00_A": 6.0}, "O3 host": {"x=0.00_A": 4.444}}
    octahedral, prismatic = spacing.judge(student, teacher)
    assert (octahedral.value, octahedral.met) == (pytest.approx(1.0), True)
    assert (prismatic.value, prismatic.met) == (pytest.approx(25.0), False)
    filled = {"O3 host": {"x=1.00_A": 5.2, "x=0.00_A": 4.4}}
    (alone,) = spacing.judge_alone(student | filled)
    assert (alone.value, alone.met) == (pytest.approx(6.0 / 5.5), False)
    assert spacing.judge_alone(teacher | filled)[0].met
    assert not spacing.judge_alone(teacher)[0].met, "without a filled host it is not computed"
    assert not spacing.judge_alone(filled)[0].met, "nor without the other phase"


def test_an_empty_host_that_did_not_relax_is_a_goal_missed():
    teacher = {phase: {"x=1.00_A": 5.3, "x=0.33_A": 5.5, "x=0.00_A": 4.8} for phase in ("P2 host", "O3 host")}
    filled = {name: value for name, value in teacher["P2 host"].items() if name != "x=0.00_A"}
    own = Answers(teacher | {"P2 host": filled}, {"P2 host, x=0.00_A": "the cell exploded"})
    row = row_of(Row("spacing", "Spacing", ()), own, Answers(teacher), spacing.judge)
    found = {verdict.what: (verdict.value, verdict.met) for verdict in row.verdicts}
    assert found == {
        "numbers that only the other potential has of cases that both answer": (1, False),
        "spacing of the empty O3 host": (0.0, True),
        "spacing of the empty P2 host": (None, False),
    }
    (alone,) = spacing.judge_alone(own.numbers)
    assert (alone.value, alone.met) == (None, False)
    other_way = row_of(Row("spacing", "Spacing", ()), Answers(teacher), own, spacing.judge)
    assert [(v.what, v.met) for v in other_way.verdicts] == [("spacing of the empty O3 host", True)], "not its fault"


def test_what_only_the_other_potential_has_is_counted_by_case_and_by_number():
    own = Answers({"a": {"x": 1.0, "own": 2.0}, "mine": {"x": 1.0}})
    other = Answers({"a": {"x": 1.0, "y": 2.0, "z": 3.0}, "b": {"x": 1.0, "y": 1.0}})
    cases, numbers = row_of(Row("row", "Row", ()), own, other).verdicts
    assert (cases.what[:5], cases.value, cases.met) == ("cases", 1, False)
    assert (numbers.what[:7], numbers.value, numbers.met) == ("numbers", 2, False)
    assert row_of(Row("row", "Row", ()), own, own).verdicts == ()


@pytest.fixture(scope="module")
def labels():
    return rattled_labels()


def test_errors_of_a_potential_scaled_by_a_tenth_are_a_tenth_of_the_labels(labels):
    numbers = errors.measure(ionic(scale=1.1), labels).numbers
    whole = numbers[errors.OVERALL]
    per_atom = np.array([1e3 * label.energy_eV / len(label.structure) for label in labels])
    assert whole["structures"] == 3
    assert whole["force error relative_percent"] == pytest.approx(10.0)
    assert whole["energy rmse_meV_per_atom"] == pytest.approx(0.1 * np.sqrt(np.mean(per_atom**2)))
    assert whole["energy mae_meV_per_atom"] == pytest.approx(0.1 * np.mean(np.abs(per_atom)))
    stress = np.concatenate([label.stress.ravel() for label in labels])
    assert whole["stress rmse_meV_per_A3"] == pytest.approx(100 * np.sqrt(np.mean(stress**2)))
    split = {name: row["structures"] for name, row in numbers.items()}
    assert split == {
        "all": 3, "phase O3": 2, "phase P2": 1, "origin md": 2, "origin md300": 1, "origin md900": 1,
        "origin rattled": 1, "sodium 0.00 to 0.05": 1, "sodium from 0.75": 2,
    }  # fmt: skip


def test_errors_are_judged_by_the_goals(labels):
    exact = errors.judge_alone(errors.measure(ionic(), labels).numbers)
    assert [verdict.met for verdict in exact] == [True] * 4
    shifted = [replace(label, energy_eV=label.energy_eV + 0.006 * len(label.structure)) for label in labels]
    energy = errors.judge_alone(errors.measure(ionic(), shifted).numbers)[0]
    assert energy.value == pytest.approx(6.0)
    assert not energy.met
    without = [replace(label, stress=None, origin="rattled") for label in labels]
    assert len(errors.judge_alone(errors.measure(ionic(), without).numbers)) == 2


def test_without_labels_the_row_says_so_and_misses_no_goal():
    card = run(Config(quick=True, rows=["errors"]), Compared(ionic()))
    row = card.row("errors")
    assert (row.lines, row.verdicts, row.problems) == ((), (), (NO_LABELS,))
    assert card.met, "nothing was asked of the potential"
    assert "- no labels: give --labels FILE" in markdown(card).splitlines()
    why = "no labels: held-out.extxyz is not what the record names"
    assert run(Config(rows=["errors"]), Compared(ionic(), unlabelled=why)).row("errors").problems == (why,)


def test_labels_with_unknown_elements_are_named_not_dropped_in_silence(labels):
    blind = ionic(elements=("O", "Co"))
    answers = errors.measure(blind, labels)
    assert answers.numbers[errors.OVERALL]["structures"] == 1
    assert "2 of 3 structures left out" in answers.problems[errors.OVERALL]


def test_two_vacancies_share_a_neighbour_and_the_guess_goes_through_the_triangle():
    case = barriers.FULL["O3 NaCoO2 two vacancies"]
    parent = case.cell.built()
    ends = barriers.hop_of(case, parent, parent)
    one = barriers.hop_of(replace(case, vacancies=1), parent, parent)
    assert len(ends.initial) == len(one.initial) - 1
    length = np.linalg.norm(ends.final.positions[ends.moving] - ends.initial.positions[ends.moving])
    assert length == pytest.approx(build.classify(parent).a_A, rel=1e-3)
    arms = [np.linalg.norm(ends.through_A - s.positions[ends.moving]) for s in (ends.initial, ends.final)]
    assert arms == pytest.approx([length / np.sqrt(3)] * 2), "the centre of an equilateral triangle of sites"
    middle = 0.5 * (ends.initial.positions[ends.moving] + ends.final.positions[ends.moving])
    empty = middle + 3.0 * (ends.through_A - middle)
    sodium = ends.initial.positions[ends.initial.numbers == 11]
    nearest = min(np.linalg.norm(barriers._nearest(ion - empty, parent.repeated(*case.repeats).cell)) for ion in sodium)
    assert nearest > 2.0, "the third site of the triangle is empty"


def test_a_hop_is_the_same_however_the_parent_relaxed():
    case = barriers.QUICK["P2 Na1/3Ni1/3Mn2/3O2 edge to face"]
    parent = case.cell.built()
    stretched = parent.strained_to(parent.cell * 1.03)
    here, there = barriers.hop_of(case, parent, parent), barriers.hop_of(case, parent, stretched)
    assert here.moving == there.moving
    np.testing.assert_allclose(there.final.positions, 1.03 * here.final.positions, atol=1e-9)


def test_a_band_from_a_slope_has_no_barrier():
    def at(x):
        return Structure(np.array([11]), np.array([[x, 0.0, 0.0]]), 8.0 * np.eye(3), np.array([True] * 3))

    hops = {"pass": Hop(at(-1.0), at(1.0)), "slope": Hop(at(-1.0), at(-0.5))}
    numbers, problems = barriers._barriers(hops, double_well("Na", 0.2, 1.0), QUICK)
    assert numbers["pass"] == pytest.approx({"forward_meV": 200.0, "reverse_meV": 200.0}, abs=0.5)
    assert set(numbers) == {"pass"} and "left downhill" in problems["slope"]


def test_dynamics_of_a_sound_potential_and_of_one_that_falls_apart():
    settings = Config(quick=True, md_ps=0.05, rows=["dynamics"])
    good = run(settings, Compared(ionic())).row("dynamics")
    numbers = {line.quantity: line.own for line in good.lines}
    assert numbers[stability.FINISHED] == pytest.approx(0.05)
    assert numbers["metals out of their octahedra_percent"] == 0.0
    assert 1.5 < numbers["shortest metal-oxygen_A"] < 2.1
    assert all(verdict.met for verdict in good.verdicts)
    bad = run(settings, Compared(ionic(scale=-1.0))).row("dynamics")
    assert bad.problems
    assert not any(verdict.met for verdict in bad.verdicts)


def test_bonds_are_counted():
    structure = elastic.CELLS["O3 NaCoO2"].built()
    shortest, oxygens = stability._bonds(structure)
    assert (oxygens == 6).all()
    metal = int(np.flatnonzero(structure.numbers == 27)[0])
    positions = structure.positions.copy()
    positions[metal, 2] += 2.6
    assert sorted(stability._bonds(structure.moved_to(positions))[1])[0] < stability.OXYGENS
    assert shortest == pytest.approx(shortest[0])


def test_times_are_of_both_potentials():
    settings = Config(quick=True, rows=["speed"])
    structure = speed.structure_of(settings, ionic(), ionic())
    times = speed.interleaved(structure, ionic(), ionic(), blocks=2)
    assert len(times.ms_per_atom) == 2
    assert min(*times.ms_per_atom, times.ratio) > 0
    row = run(settings, Compared(ionic(elements=("O", "Na", "Co")))).row("speed")
    assert "does not know" in row.problems[0]


def test_saved_numbers_are_read_back_and_a_teacher_is_asked_once(tmp_path):
    settings = Config(quick=True, rows=["elastic"])
    hooks = Hooks(keep=io.RunDirectory(tmp_path, "scorecard").step)
    teacher, student = Counted(ionic("teacher")), Counted(ionic("student", scale=1.02))
    first = run(settings, Compared(student, teacher), hooks)
    asked = teacher.cost.evaluations
    assert min(asked, student.cost.evaluations) > 0
    again = run(settings, Compared(student, teacher), hooks)
    assert again.to_dict() == first.to_dict()
    run(settings, Compared(Counted(ionic("other", scale=0.98)), teacher), hooks)
    assert teacher.cost.evaluations == asked, "the teacher's numbers were saved"
    run(Config(quick=True, rows=["elastic"], seed=1), Compared(student, teacher), hooks)
    assert teacher.cost.evaluations > asked, "other settings are other work"
    nameless = Counted(ionic())
    nameless.card = replace(nameless.card, sha256="")
    run(settings, Compared(nameless), hooks)
    spent = nameless.cost.evaluations
    run(settings, Compared(nameless), hooks)
    assert nameless.cost.evaluations == 2 * spent, "without a hash nothing says that it is the same potential"


def test_cases_that_a_potential_cannot_answer_are_missed():
    blind = ionic("blind", elements=("O", "Na", "Co"))
    row = run(Config(quick=True, rows=["lattice"]), Compared(blind, ionic())).row("lattice")
    lost = row.verdicts[0]
    assert (lost.value, lost.met) == (2, False)
    assert sum("does not know" in problem for problem in row.problems) == 2


class Bumpy(potential.Potential):
    """Ions, and a wave over the height of the cell: minima that a relaxation from the ideal cell stops in."""

    def __init__(self, inner, height_eV, wavelength_A):
        self._inner, self.card = inner, inner.card
        self._height, self._wavenumber = height_eV, 2 * np.pi / wavelength_A

    def _compute(self, batch, virials):
        answer = self._inner.evaluate_batch(batch, virials)
        energy, stress = answer.energy.copy(), answer.stress.copy()
        for k, cell in enumerate(batch.cells):
            unit = cell[2] / np.linalg.norm(cell[2])
            phase = self._wavenumber * np.linalg.norm(cell[2])
            energy[k] += self._height * np.sin(phase)
            slope = self._height * self._wavenumber * np.cos(phase)
            stress[k] += slope * np.linalg.norm(cell[2]) * np.outer(unit, unit) / abs(np.linalg.det(cell))
        return replace(answer, energy=energy, stress=stress)


def test_the_lower_of_two_minima_counts():
    """From the ideal cell the bumpy one stops in a bump; from the other's minimum it finds a lower one."""
    rough = Bumpy(ionic("rough"), 0.03, 0.3)
    card = run(Config(quick=True, rows=["lattice"]), Compared(rough, ionic()))
    alone = run(Config(quick=True, rows=["lattice"]), Compared(rough))
    named = "O3 NaCoO2"
    structure = lattice.cells(QUICK)[named].built()
    settings = solve.RelaxSettings(max_steps=300, stress_max_GPa=cells.STRESS_MAX_GPA)
    smooth = solve.relax([structure], ionic(), "free", cells.FMAX_EV_PER_A, settings)[0].structure
    ends = [solve.relax([start], rough, "free", cells.FMAX_EV_PER_A, settings)[0] for start in (structure, smooth)]
    energies = [end.evaluation.energy for end in ends]
    heights = [lattice.geometry(end.structure)["layer_A"] for end in ends]
    assert energies[1] < energies[0] - 0.01, "the case is one in which it matters"
    assert by_quantity(alone.row("lattice"))[named, "layer_A"].own == pytest.approx(heights[0], abs=1e-4)
    assert by_quantity(card.row("lattice"))[named, "layer_A"].own == pytest.approx(heights[1], abs=1e-4)


def test_what_only_one_of_two_reaches_is_its_own():
    octahedral, prismatic = (cells.Cell(phase, 2, {"Co": 1.0}, 1.0).built() for phase in ("O1", "P2"))
    low, high, fallen = (
        cells.Minimum(structure, energy)
        for structure, energy in ((octahedral, -2.0), (octahedral, -1.0), (prismatic, -3.0))
    )
    first = cells.Minima({"a": high, "b": low, "c": high, "e": high}, {"d": "ran out of steps"})
    found = cells.lower(first, cells.Minima({"a": low, "b": high, "d": low, "e": fallen}, {"c": "exploded"}))
    assert found.found == {"a": low, "b": low, "c": high, "e": high}
    assert found.problems == {
        "d": "ran out of steps",
        f"c, {cells.BEGUN}": "exploded",
        f"e, {cells.BEGUN}": "lower, but of another stacking: left out",
    }


def test_minima_are_saved_by_where_they_begin(tmp_path):
    settings = Config(quick=True, rows=["stacking"])
    hooks = Hooks(keep=io.RunDirectory(tmp_path, "scorecard").step)
    teacher, student = Counted(ionic("teacher")), Counted(ionic("student", hardness_eV=0.45))
    first = run(settings, Compared(student, teacher), hooks)
    spent = teacher.cost.evaluations, student.cost.evaluations
    again = run(settings, Compared(student, teacher), hooks)
    assert again.to_dict() == first.to_dict()
    assert (teacher.cost.evaluations, student.cost.evaluations) == spent
    alone = Counted(ionic("teacher"))
    run(settings, Compared(alone))
    run(settings, Compared(Counted(ionic("third", hardness_eV=0.55)), teacher), hooks)
    anew = teacher.cost.evaluations - spent[0]
    assert 0 < anew < alone.cost.evaluations + spent[0], "from other minima only"


def test_verdicts_have_a_side():
    assert Verdict("error", 5.0, 5.0, "meV").met
    assert not Verdict("error", 5.1, 5.0, "meV").met
    assert Verdict("faster", 15.0, 15.0, "x", at_least=True).met
    assert not Verdict("faster", 14.9, 15.0, "x", at_least=True).met
    assert not Verdict("nothing", None, 5.0, "meV").met
    assert not Verdict("broken", float("nan"), 5.0, "meV").met


def test_the_record_survives_json_and_damage_is_refused(beside_scaled):
    text = json.dumps(beside_scaled.to_dict(), allow_nan=False)
    assert Scorecard.from_dict(json.loads(text)) == beside_scaled
    with pytest.raises(CorruptFileError, match="no record"):
        Scorecard.from_dict({"schema": "something else"})
    broken = json.loads(text)
    del broken["potential"]["sha256"]
    with pytest.raises(CorruptFileError, match="sha256"):
        Scorecard.from_dict(broken)


def test_the_table_shows_numbers_differences_measurements_and_verdicts(beside_scaled):
    row = row_of(
        Row("lattice", "Lattice", (), relative=True),
        Answers({"O3": {"a_A": 2.9, "odd": 1.0}}, {"P2": "not converged"}),
        Answers({"O3": {"a_A": 2.88}}),
        lambda own, other: (Verdict("a", 0.6944, 0.5, "%"),),
        {"O3": {"a_A": 2.889}},
    )
    card = replace(beside_scaled, rows=(consistency(2e-5, 1e-4), row))
    lines = markdown(card).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert ["case", "quantity", "student", "teacher", "difference (%)", "measured"] in cells
    assert ["O3", "a (A)", "2.9", "2.88", "+0.69", "2.889"] in cells
    assert ["", "odd", "1", "", "", ""] in cells
    assert ["a", "0.6944 %", "at most 0.5 %", "missed"] in cells
    assert "- P2: not converged" in lines
    assert "1 of 2 met." in lines
    widths = {len(line) for line in lines if line.startswith("|") and ("O3" in line or "odd" in line)}
    assert len(widths) == 1, "columns are aligned"


class Wavy(potential.Potential):
    """Another potential, and on every force a wave of the coordinate that is shorter than a vibration."""

    def __init__(self, inner, height_eV_per_A, wavelength_A):
        self._inner, self.card = inner, inner.card
        self._height, self._wavenumber = height_eV_per_A, 2 * np.pi / wavelength_A

    def _compute(self, batch, virials):
        answer = self._inner.evaluate_batch(batch, virials)
        forces = answer.forces + self._height * np.sin(self._wavenumber * batch.positions)
        return replace(answer, forces=forces)


def test_forces_off_a_polynomial_are_the_waves_on_them():
    plain, wavy = (smoothness.measure(model, QUICK).numbers for model in (ionic(), Wavy(ionic(), 0.05, 0.03)))
    assert plain.keys() == wavy.keys() == smoothness.QUICK.keys()
    for case, numbers in wavy.items():
        assert plain[case]["off a polynomial rms_meV_per_A"] < 0.2
        # coordinates that hardly move see less than a wave, which the polynomial takes
        assert 0.7 < numbers["off a polynomial rms_meV_per_A"] / (50 / np.sqrt(2)) < 1.05
        assert 50 < numbers["off a polynomial largest_meV_per_A"] < 100
        forces = plain[case]["forces rms_meV_per_A"]
        assert forces > 100
        assert numbers["forces rms_meV_per_A"] == pytest.approx(np.hypot(forces, 50 / np.sqrt(2)), rel=0.03)


def test_a_polynomial_of_its_degree_leaves_nothing():
    way = np.linspace(-3, 5, smoothness.POINTS)
    forces = np.stack([way**smoothness.DEGREE, 2 - way], axis=1)
    np.testing.assert_allclose(smoothness.remainder(forces), 0, atol=1e-9 * np.abs(forces).max())
    wave = np.sin(40 * way)[:, None]
    assert np.std(smoothness.remainder(wave)) > 0.8 * np.std(wave)


@pytest.mark.parametrize("place", [0, 1])
def test_a_number_that_is_none_is_no_goal_met(place):
    """The largest of some differences is NaN where one is, wherever it stands among them."""
    own = {"a": {"x": 1.0}, "b": {"x": 2.0}}
    own["ab"[place]]["x"] = np.nan
    found = largest(own, {"a": {"x": 1.0}, "b": {"x": 1.5}}, apart)
    assert np.isnan(found) and not Verdict("x", found, 10.0, "meV").met
    assert largest({}, {}, apart) is None
