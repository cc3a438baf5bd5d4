"""The pictures and the page of a scorecard: they show its numbers, and do without whatever was not computed."""

import json
import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from ionic import ionic, rattled_labels

from simkit.errors import InputError
from simkit.workflows.common import Hooks
from simkit.workflows.distill.baseline import Baseline
from simkit.workflows.distill.history import Epoch
from simkit.workflows.distill.train import Trained
from simkit.workflows.scorecard import Compared, Config, Scorecard, Verdict, errors, figures, page, predicted, run
from simkit.workflows.scorecard.answers import Answers, Row, row_of
from simkit.workflows.scorecard.card import Subject

OWN = {
    "lattice": {"O3 NaCoO2": {"a_A": 2.9, "layer_A": 5.2}},
    "stacking": {"MnO2": {"O3_meV_per_fu": 0.0, "P2_meV_per_fu": 20.0}},
    "barriers": {"O3 one vacancy": {"forward_meV": 300.0, "reverse_meV": 310.0}},
    "gliding": {"O3 CoO2": {"to O1 highest_meV_per_fu": 90.0, "to O1 end_meV_per_fu": -5.0}},
    "elastic": {"O3 NaCoO2": {"C11_GPa": 240.0, "C33_GPa": 120.0}},
    "spacing": {"P2 host": {"x=1.00_A": 5.3, "x=0.50_A": 5.5, "x=0.00_A": 4.7}},
    "smoothness": {"O3 NaCoO2": {"off a polynomial rms_meV_per_A": 3.0, "forces rms_meV_per_A": 1500.0}},
    "dynamics": {
        "300 K": {
            "mean temperature_K": 301.0, "lowest temperature_K": 250.0, "highest temperature_K": 350.0,
            "shortest metal-oxygen_A": 1.7, "potential energy drift_meV_per_atom": 0.1,
        }
    },
    "speed": {"P2/O3 intergrowth, 34 atoms": {"evaluation_ms_per_atom": 0.2}},
}  # fmt: skip
"""Numbers of every row but the errors."""


def made(rows, teacher: bool = True) -> Scorecard:
    subject = Subject("small", "ab" * 32, "float32", "cpu")
    other = Subject("large", "cd" * 32, "float32", "cpu") if teacher else None
    return Scorecard(subject, other, {"quick": True, "seed": 3}, "a machine", tuple(rows))


def filled(name: str, teacher: bool = True) -> Row:
    own = Answers(OWN[name])
    other = {case: {key: 1.1 * value + 1.0 for key, value in row.items()} for case, row in OWN[name].items()}
    relative = name in ("lattice", "elastic", "spacing")
    return row_of(Row(name, name.capitalize(), (), relative=relative), own, Answers(other) if teacher else None)


@pytest.fixture(scope="module")
def labels():
    return rattled_labels()


@pytest.fixture(scope="module")
def judged(labels) -> tuple[Scorecard, dict]:
    compared = Compared(ionic("student", scale=1.05), None, labels)
    settings = Config(quick=True, rows=["errors"])
    return run(settings, compared), predicted(settings, compared)


class Reader(HTMLParser):
    """Headings, words and sources of pictures of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "img":
            self.images.append(given["src"])
        self.links += [given[name] for name in ("href", "src") if name in given]

    def handle_data(self, data):
        self.words.append(data.strip())


def test_the_errors_in_the_picture_are_those_of_the_table(judged):
    card, parity = judged
    whole = {line.quantity: line.own for line in card.row("errors").lines if line.case == "all"}
    difference = np.concatenate([item.force_said - item.force_label for item in parity.values()])
    assert 1e3 * np.sqrt(np.mean(difference**2)) == pytest.approx(whole["force rmse_meV_per_A"], rel=1e-12)
    energy = np.concatenate([item.energy_said - item.energy_label for item in parity.values()])
    assert 1e3 * np.sqrt(np.mean(energy**2)) == pytest.approx(whole["energy rmse_meV_per_atom"], rel=1e-9)
    assert [len(item.energy_label) for item in (parity["md"], parity["other"])] == [2, 1]
    # labels are of the unscaled potential: 5 % too much force, on every component
    for item in parity.values():
        np.testing.assert_allclose(item.force_said, 1.05 * item.force_label, rtol=1e-9, atol=1e-12)
    panels = figures.predictions(parity).axes
    for axes, name in zip(panels, ("md", "other"), strict=False):
        assert axes.collections[0].get_array().sum() == len(parity[name].force_label)


def test_predictions_are_left_out_where_there_is_nothing_to_ask(labels):
    settings = Config(quick=True, rows=["errors"])
    assert predicted(settings, Compared(ionic())) == {}
    assert predicted(Config(quick=True, rows=["lattice"]), Compared(ionic(), None, labels)) == {}
    assert predicted(settings, Compared(ionic(elements=("O",)), None, labels)) == {}


def test_predictions_are_kept_under_a_name_of_their_own(labels):
    kept = {}

    def keep(name, compute, types):
        return kept.setdefault(name, compute())

    settings = Config(quick=True, rows=["errors"])
    for scale in (1.0, 1.1, 1.0):
        predicted(settings, Compared(ionic(scale=scale), None, labels), Hooks(keep=keep))
    assert len(kept) == 2


@pytest.mark.parametrize("teacher", [True, False])
@pytest.mark.parametrize("name", sorted(OWN))
def test_each_row_alone_makes_its_picture_with_and_without_a_teacher(name, teacher):
    drawn = figures.draw(made([filled(name, teacher)], teacher), {})
    assert set(drawn) == {name}


def test_a_row_of_problems_alone_leaves_no_picture():
    card = made([Row("lattice", "Lattice", (), problems=("nothing converged",))])
    assert figures.draw(card, {}) == {}


def test_a_lattice_is_shown_in_percent_of_the_teacher_and_within_its_goal():
    axes = figures.draw(made([filled("lattice")]), {})["lattice"].axes
    found = [line.get_xdata()[0] for line in axes[0].get_lines() if line.get_marker() == "o"]
    assert found == [pytest.approx(100 * (2.9 - 4.19) / 4.19)]
    assert axes[0].get_xlabel() == "a (%)"


def test_spacings_run_from_the_empty_host_to_the_full_one():
    (axes,) = figures.draw(made([filled("spacing")]), {})["spacing"].axes
    own, other = axes.get_lines()
    np.testing.assert_allclose(own.get_xydata(), [[0.0, 4.7], [0.5, 5.5], [1.0, 5.3]])
    np.testing.assert_allclose(other.get_ydata(), 1.1 * own.get_ydata() + 1.0)


@pytest.mark.parametrize(
    ("verdict", "part"),
    [
        (Verdict("a", 20.0, 40.0, "meV"), 0.5),
        (Verdict("a", 30.0, 15.0, "x", at_least=True), 0.5),
        (Verdict("a", 5.0, 15.0, "x", at_least=True), 3.0),
        (Verdict("a", 0.0, 15.0, "x", at_least=True), math.inf),
        (Verdict("a", 0.0, 0.0, "pairs"), 0.0),
        (Verdict("a", 2.0, 0.0, "pairs"), math.inf),
        (Verdict("a", None, 1.0, ""), None),
        (Verdict("a", math.nan, 1.0, ""), None),
    ],
)
def test_a_goal_is_met_where_no_more_than_its_allowance_is_used(verdict, part):
    assert figures.used(verdict) == part
    assert verdict.met == (part is not None and part <= 1.0)


def test_units_are_printed_as_in_books():
    assert figures.heading("stress rmse_meV_per_A3") == "stress RMSE (meV/Å³)"
    assert figures.heading("shortest_A") == "shortest (Å)"
    assert figures.pretty("at most 5 meV/atom") == "at most 5 meV/atom"


def test_the_page_holds_every_row_and_needs_no_other_file(tmp_path, judged):
    errors_card, parity = judged
    card = made([errors_card.row("errors"), filled("spacing")])
    written = page.publish(card, ionic("small").card, tmp_path, parity, "simkit potentials check small")
    names = {"goals", "parity", "errors", "spacing"}
    assert {path.stem for path in (tmp_path / "figures").glob("*.svg")} == names
    assert {path.stem for path in (tmp_path / "figures").glob("*.png")} == names
    assert Scorecard.from_dict(json.loads((tmp_path / "scorecard.json").read_text())) == card
    reader = Reader(written.read_text(encoding="utf-8"))
    assert len(reader.images) == len(names)
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    for row in card.rows:
        assert row.title in reader.words
    assert "5.3" in reader.words, "a spacing"
    assert "simkit potentials check small" in reader.words
    assert any("25 %" not in words and words.startswith("Missed: held-out energy rmse") for words in reader.words)


def test_a_poorer_scorecard_in_the_same_folder_leaves_no_old_picture(tmp_path):
    card = ionic("small").card
    page.publish(made([filled("stacking")]), card, tmp_path)
    written = page.publish(made([filled("speed", teacher=False)], teacher=False), card, tmp_path)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"speed.png", "speed.svg"}
    assert "stand alone" in written.read_text(encoding="utf-8")


def test_a_potential_beside_itself_is_told_apart():
    card = made([filled("speed")])
    assert figures.names_of(card).other == "large"
    assert figures.names_of(replace(card, teacher=card.potential)).other == "small, the other"


def epochs(count: int, stress: float) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(k, 0.01, 2.0 / (k + 1), 1.0 / (k + 1), 50.0 / (k + 1), 300.0 / (k + 1), stress) for k in range(count)
    )


def trained(folder: Path, history: tuple[Epoch, ...]) -> Trained:
    baseline = Baseline({8: -1.0}, 1.0, 10.0)
    return Trained(folder / "model.json", len(history), len(history) - 1, 60.0, history, (2,), baseline, "")


def test_a_training_is_drawn_as_it_went_and_saved_beside_its_model(tmp_path):
    drawn = figures.courses(trained(tmp_path, epochs(5, 2.0)))
    titles = [axes.get_title("left") for axes in drawn.axes]
    assert titles[:2] == ["energy, validation RMSE (meV/atom)", "forces, validation RMSE (meV/Å)"]
    np.testing.assert_allclose(drawn.axes[0].get_lines()[0].get_ydata(), [50.0, 25.0, 50 / 3, 12.5, 10.0])
    without = figures.courses(trained(tmp_path, epochs(5, math.nan)))
    assert len(without.axes) == len(drawn.axes) - 1
    saved = figures.learning(trained(tmp_path, epochs(5, 2.0)))
    assert saved == tmp_path / "figures" / "learning.png"
    assert saved.read_bytes().startswith(b"\x89PNG")
    assert saved.with_suffix(".svg").exists()
    with pytest.raises(InputError):
        figures.courses(trained(tmp_path, (Epoch(0, 0.0, *[math.nan] * 5),)))


def test_the_goals_of_the_errors_are_those_they_are_judged_by():
    whole = {"energy rmse_meV_per_atom": 1.0, "force error relative_percent": 1.0, "stress rmse_meV_per_A3": 1.0}
    limits = {verdict.limit for verdict in errors.judge_alone({"all": whole})}
    assert limits == {goal for goal in figures.ERRORS.values() if goal is not None}
