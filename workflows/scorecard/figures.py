"""The figures of a scorecard and of a training: numbers handed to the plot room."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from simkit import io, plot
from simkit.workflows.distill.train import Trained
from simkit.workflows.scorecard import errors, lattice
from simkit.workflows.scorecard.answers import Line, Row, Verdict
from simkit.workflows.scorecard.card import Scorecard
from simkit.workflows.scorecard.parity import Parity
from simkit.workflows.scorecard.table import named, shown

SETS = {"md": "snapshots of dynamics", "other": "other structures"}
ERRORS = {
    "energy rmse_meV_per_atom": errors.GOAL_ENERGY_MEV,
    "force rmse_meV_per_A": None,
    "force error relative_percent": errors.GOAL_RELATIVE_PERCENT,
    "stress rmse_meV_per_A3": errors.GOAL_STRESS_MEV_PER_A3,
}
"""Quantity of the row of errors -> its goal over all labels; the goal of forces in meV/A holds for dynamics alone."""
HEADINGS = {"phase": "by phase", "origin": "by origin", "sodium": "by Na per formula unit"}
DYNAMICS = {
    "mean temperature_K": "mean temperature_K",
    "shortest metal-oxygen_A": "shortest metal-oxygen distance_A",
    "potential energy drift_meV_per_atom": "drift of the potential energy_meV_per_atom",
}
GROUPED = {
    "stacking": "energy above O3 (meV per formula unit)",
    "gliding": "energy above the start (meV per formula unit)",
    "elastic": "elastic constant (GPa)",
}


def draw(card: Scorecard, parity: Mapping[str, Parity]) -> dict[str, object]:
    """Figure by file name, in the order of the page; a row without numbers leaves no figure.

    parity: what the potential says of each label, by set of structures; empty for none.
    """
    figures: dict[str, object] = {}
    if card.verdicts:
        figures["goals"] = goals(card.verdicts)
    if parity:
        figures["parity"] = predictions(parity)
    makers: dict[str, Callable[[Row, plot.Names], object]] = {
        "errors": error_dots, "lattice": lattice_dots, "stacking": grouped_dots, "barriers": table_dots,
        "gliding": grouped_dots, "elastic": grouped_dots, "spacing": spacings, "smoothness": table_dots,
        "dynamics": dynamics_dots, "speed": speed,
    }  # fmt: skip
    for row in card.rows:
        if row.name in makers and any(line.own is not None for line in row.lines):
            figures[row.name] = makers[row.name](row, names_of(card))
    return figures


def names_of(card: Scorecard) -> plot.Names:
    """What the two potentials are called; a potential beside itself is told apart."""
    other = "other" if card.teacher is None else card.teacher.name
    return plot.Names(card.potential.name, other if other != card.potential.name else f"{other}, the other")


def learning(trained: Trained, folder: Path | None = None) -> Path:
    """The course of a training, written as learning.svg and learning.png; returns the PNG.

    folder: where to, made when missing; None: `figures` beside the model.
    """
    at = trained.model_path.parent / "figures" if folder is None else Path(folder)
    at.mkdir(parents=True, exist_ok=True)
    return save({"learning": courses(trained)}, at)["learning"]


def courses(trained: Trained) -> object:
    """Validation errors, losses and learning rate against the epoch; what no label has (stress) has no panel."""
    wanted = {
        "energy_rmse_meV_per_atom": "energy, validation RMSE (meV/atom)",
        "force_rmse_meV_per_A": "forces, validation RMSE (meV/Å)",
        "stress_rmse_meV_per_A3": "stress, validation RMSE (meV/Å³)",
        "validation_loss": "validation loss",
        "training_loss": "training loss",
        "learning_rate": "learning rate",
    }
    found = []
    for field, name in wanted.items():
        points = [(item.epoch, getattr(item, field)) for item in trained.history]
        shown_points = np.array([point for point in points if math.isfinite(point[1]) and point[1] > 0], dtype=float)
        if len(shown_points):
            found.append(plot.Course(name, shown_points[:, 0], shown_points[:, 1]))
    minutes = trained.wall_s / 60.0
    title = f"Training: {trained.epochs} epochs in {minutes:.0f} min"
    return plot.learning_figure(found, trained.best_epoch, trained.resumed_at, title)


def save(figures: Mapping[str, object], folder: Path) -> dict[str, Path]:
    """Write each figure as SVG and PNG into a folder that exists; the PNG of each name."""
    for name, figure in figures.items():
        io.write_atomic(folder / f"{name}.png", plot.png_bytes(figure))
        io.write_atomic(folder / f"{name}.svg", plot.svg_bytes(figure))
    return {name: folder / f"{name}.png" for name in figures}


def goals(verdicts: Sequence[Verdict]) -> object:
    """One bar for each goal; a goal of at least L is shown as L over what was reached."""
    met = sum(verdict.met for verdict in verdicts)
    return plot.goal_figure([_goal(verdict) for verdict in verdicts], f"Goals: {met} of {len(verdicts)} met")


def _goal(verdict: Verdict) -> plot.Goal:
    unit = pretty(f" {verdict.unit}") if verdict.unit else ""
    bound = "at least" if verdict.at_least else "at most"
    reached = shown(verdict.value) or "no number"
    return plot.Goal(verdict.what, f"{reached}{unit}, {bound} {shown(verdict.limit)}{unit}", used(verdict), verdict.met)


def used(verdict: Verdict) -> float | None:
    """Part of the allowance that is used: 1 at the limit, less where the goal is met; infinite past a limit of 0."""
    value = verdict.value
    if value is None or not math.isfinite(value):
        return None
    above, below = (verdict.limit, value) if verdict.at_least else (value, verdict.limit)
    if below == 0:
        return 0.0 if above <= 0 else math.inf
    return max(0.0, above / below)


def predictions(parity: Mapping[str, Parity]) -> object:
    """Force components against their labels, and errors of energies."""
    forces, energies = [], []
    for name, item in parity.items():
        force, energy = item.force_said - item.force_label, item.energy_said - item.energy_label
        forces.append(plot.Scatter(SETS[name], item.force_label, item.force_said, f"RMSE {_rms(force)} meV/Å"))
        energies.append(plot.Scatter(SETS[name], item.energy_label, 1e3 * energy, f"RMSE {_rms(energy)} meV/atom"))
    return plot.parity_figure(forces, energies, "Predictions on held-out structures")


def _rms(differences: np.ndarray) -> str:
    return f"{1e3 * math.sqrt(float(np.mean(differences**2))):.3g}"


def error_dots(row: Row, names: plot.Names) -> object:
    """Errors by phase, origin and sodium content, with the goals."""
    present = [quantity for quantity in ERRORS if any(line.quantity == quantity for line in row.lines)]
    columns = []
    for quantity in present:
        goal = ERRORS[quantity]
        columns.append(plot.DotColumn(heading(quantity), True, None if goal is None else (0.0, goal)))
    rows = []
    for case in _cases(row):
        kind, _, rest = case.partition(" ")
        group = HEADINGS.get(kind, "")
        count = next((line.own for line in row.lines if (line.case, line.quantity) == (case, "structures")), None)
        label = f"{rest if group else case}  ({shown(count)})"
        rows.append(plot.DotRow(group, label, tuple(_dot(row, case, quantity) for quantity in present)))
    return plot.dot_figure(rows, columns, names, f"{row.title} (number of structures)")


def lattice_dots(row: Row, names: plot.Names) -> object:
    """Percent from the other potential with the goal; without another, the lengths beside what was measured."""
    beside = any(line.difference is not None for line in row.lines)
    if not beside:
        return table_dots(row, names)
    limit = lattice.GOAL_PERCENT
    quantities = list(dict.fromkeys(line.quantity for line in row.lines))
    bands = {"a_A": (-limit, limit), "layer_A": (-limit, limit)}
    words = {"a_A": "a (%)", "layer_A": "height of a layer (%)", "volume_A3_per_fu": "volume (%)"}
    columns = [plot.DotColumn(words.get(q, q), True, bands.get(q)) for q in quantities]
    rows = [
        plot.DotRow("", case, tuple(plot.Dot(_difference(row, case, q)) for q in quantities)) for case in _cases(row)
    ]
    return plot.dot_figure(rows, columns, names, f"{row.title}: difference from {names.other}")


def grouped_dots(row: Row, names: plot.Names) -> object:
    """A heading for each case and a line for each of its quantities, which share one unit."""
    column = plot.DotColumn(GROUPED[row.name], True)
    rows = [plot.DotRow(line.case, named(line.quantity).partition(" (")[0], (_dots(line),)) for line in row.lines]
    return plot.dot_figure(rows, [column], names, row.title)


def table_dots(row: Row, names: plot.Names) -> object:
    """A line for each case and a panel for each quantity."""
    quantities = list(dict.fromkeys(line.quantity for line in row.lines))
    columns = [plot.DotColumn(heading(quantity), quantity.endswith("meV")) for quantity in quantities]
    rows = [plot.DotRow("", case, tuple(_dot(row, case, q) for q in quantities)) for case in _cases(row)]
    return plot.dot_figure(rows, columns, names, row.title)


def dynamics_dots(row: Row, names: plot.Names) -> object:
    """Temperature beside that of the bath, shortest bond and drift of each run."""
    rows = []
    for case in _cases(row):
        dots = [_dot(row, case, quantity) for quantity in DYNAMICS]
        low, high = (_dot(row, case, f"{word} temperature_K").own for word in ("lowest", "highest"))
        span = None if low is None or high is None else (low, high)
        dots[0] = plot.Dot(dots[0].own, dots[0].other, float(case.removesuffix(" K")), span)
        rows.append(plot.DotRow("", case, tuple(dots)))
    zeros = {"potential energy drift_meV_per_atom"}
    columns = [plot.DotColumn(heading(words), quantity in zeros) for quantity, words in DYNAMICS.items()]
    return plot.dot_figure(rows, columns, plot.Names(names.own, names.other, "bath"), row.title)


def spacings(row: Row, names: plot.Names) -> object:
    """Height per layer against sodium content, one panel for each host."""
    panels: dict[str, list[plot.LineCurve]] = {}
    for case in _cases(row):
        panels[case] = []
        for label, field, dashed in ((names.own, "own", False), (names.other, "other", True)):
            points = [
                (float(line.quantity.removeprefix("x=").removesuffix("_A")), getattr(line, field))
                for line in row.lines
                if line.case == case and getattr(line, field) is not None
            ]
            if points:
                x, y = np.array(sorted(points)).T
                panels[case].append(plot.LineCurve(label, x, y, dashed))
    return plot.panel_figure(panels, "Na per formula unit, x", "height of a layer (Å)", row.title)


def speed(row: Row, names: plot.Names) -> object:
    """Time of an evaluation of both."""
    (line,) = row.lines[:1]
    pairs = [(name, value) for name, value in ((names.own, line.own), (names.other, line.other)) if value is not None]
    group = plot.BarGroup(heading(line.quantity), tuple(value for _, value in pairs))
    return plot.bar_figure([name for name, _ in pairs], [group], f"{row.title}: {line.case}")


def heading(quantity: str) -> str:
    """A quantity with its unit in brackets, for an axis."""
    return pretty(named(quantity)).replace("rmse", "RMSE")


def pretty(words: str) -> str:
    """Units as they are printed: meV/A^3 as meV/Å³."""
    for plain, printed in (("A^3", "Å³"), ("/A", "/Å"), ("(A)", "(Å)")):
        words = words.replace(plain, printed)
    return f" {words.strip()[:-1]}Å" if words.strip() == "A" else words


def _cases(row: Row) -> list[str]:
    return list(dict.fromkeys(line.case for line in row.lines))


def _dots(line: Line) -> plot.Dot:
    return plot.Dot(line.own, line.other, line.known)


def _line(row: Row, case: str, quantity: str) -> Line:
    found = [line for line in row.lines if (line.case, line.quantity) == (case, quantity)]
    return found[0] if found else Line(case, quantity, None)


def _dot(row: Row, case: str, quantity: str) -> plot.Dot:
    return _dots(_line(row, case, quantity))


def _difference(row: Row, case: str, quantity: str) -> float | None:
    return _line(row, case, quantity).difference
