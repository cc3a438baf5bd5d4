"""Errors of energy, forces and stress on labelled structures that the training never saw."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.errors import InputError
from simkit.potential.base import Evaluation, Potential, check_elements
from simkit.workflows.distill.dataset import Labelled
from simkit.workflows.scorecard.answers import Answers, Numbers, Verdict

GOAL_ENERGY_MEV = 5.0
GOAL_DYNAMICS_MEV_PER_A = 60.0
GOAL_RELATIVE_PERCENT = 10.0
GOAL_STRESS_MEV_PER_A3 = 1.5
OVERALL = "all"
DYNAMICS = "origin md"
"""Origins that begin with md are snapshots of molecular dynamics; together they are this case."""
BINS = (0.0, 0.05, 0.25, 0.5, 0.75, np.inf)
"""Bounds of sodium per formula unit: the empty hosts are a bin of their own."""
ATOMS = 3000
"""Atoms evaluated in one call."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A label and what a potential says of the same structure."""

    label: Labelled
    answer: Evaluation


def measure(potential: Potential, labels: Sequence[Labelled]) -> Answers:
    """Root mean square and mean absolute errors: over all, and by phase, origin and sodium content.

    Energies are compared as they are, without any shift. Forces and stresses are compared by component; the relative
    force error is the root mean square error over the root mean square force of the same labels.
    """
    known, refused = [], ""
    for label in labels:
        try:
            check_elements(label.structure.numbers, potential.card)
        except InputError as error:
            refused = str(error)
            continue
        known.append(label)
    left_out = len(labels) - len(known)
    problems = {OVERALL: f"{left_out} of {len(labels)} structures left out: {refused}"} if left_out else {}
    judged = [Judged(label, answer) for part in _parts(known) for label, answer in _said(potential, part)]
    broken = sum(not item.answer.finite for item in judged)
    if broken:
        return Answers({}, {OVERALL: f"{broken} of {len(judged)} answers are not finite numbers"})
    return Answers({name: statistics(chosen) for name, chosen in _cases(judged)}, problems)


def statistics(judged: Sequence[Judged]) -> dict[str, float]:
    """The errors of at least one structure; stress only where labels have one."""
    sizes = np.array([len(item.label.structure) for item in judged])
    energy = 1e3 * np.array([item.answer.energy - item.label.energy_eV for item in judged]) / sizes
    force = 1e3 * np.concatenate([(item.answer.forces - item.label.forces).ravel() for item in judged])
    label = 1e3 * np.concatenate([item.label.forces.ravel() for item in judged])
    found = {
        "structures": float(len(judged)),
        "energy rmse_meV_per_atom": _rms(energy),
        "energy mae_meV_per_atom": float(np.abs(energy).mean()),
        "force rmse_meV_per_A": _rms(force),
        "force mae_meV_per_A": float(np.abs(force).mean()),
        "force of labels rms_meV_per_A": _rms(label),
    }
    if _rms(label) > 0:
        found["force error relative_percent"] = 100.0 * _rms(force) / _rms(label)
    stress = [1e3 * (i.answer.stress - i.label.stress).ravel() for i in judged if i.label.stress is not None]
    if stress:
        found["stress rmse_meV_per_A3"] = _rms(np.concatenate(stress))
    return found


def judge_alone(own: Numbers) -> tuple[Verdict, ...]:
    """The four goals on held-out labels; that on dynamics only where there are snapshots."""
    whole = own.get(OVERALL, {})
    verdicts = [
        Verdict("held-out energy rmse", whole.get("energy rmse_meV_per_atom"), GOAL_ENERGY_MEV, "meV/atom"),
        Verdict("held-out forces, relative", whole.get("force error relative_percent"), GOAL_RELATIVE_PERCENT, "%"),
    ]
    if DYNAMICS in own:
        value = own[DYNAMICS]["force rmse_meV_per_A"]
        verdicts.append(Verdict("forces on snapshots of dynamics, rmse", value, GOAL_DYNAMICS_MEV_PER_A, "meV/A"))
    if "stress rmse_meV_per_A3" in whole:
        value = whole["stress rmse_meV_per_A3"]
        verdicts.append(Verdict("held-out stress rmse", value, GOAL_STRESS_MEV_PER_A3, "meV/A^3"))
    return tuple(verdicts)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _parts(labels: Sequence[Labelled]) -> Iterator[list[Labelled]]:
    """Runs of labels of about `ATOMS` atoms."""
    part: list[Labelled] = []
    for label in labels:
        if part and sum(len(item.structure) for item in part) + len(label.structure) > ATOMS:
            yield part
            part = []
        part.append(label)
    if part:
        yield part


def _said(potential: Potential, part: Sequence[Labelled]) -> zip:
    return zip(part, potential.evaluate([label.structure for label in part]), strict=True)


def _cases(judged: Sequence[Judged]) -> Iterator[tuple[str, list[Judged]]]:
    """All, then by group, by origin, and by sodium content; empty cases are left out."""
    if judged:
        yield OVERALL, list(judged)
    for group in sorted({item.label.group for item in judged}):
        yield f"phase {group}", [item for item in judged if item.label.group == group]
    snapshots = [item for item in judged if item.label.origin.startswith("md")]
    if snapshots:
        yield DYNAMICS, snapshots
    for origin in sorted({item.label.origin for item in judged} - {"md"}):
        yield f"origin {origin}", [item for item in judged if item.label.origin == origin]
    for low, high in itertools.pairwise(BINS):
        inside = [item for item in judged if low <= item.label.sodium < high]
        if inside:
            yield (f"sodium {low:.2f} to {high:.2f}" if high < np.inf else f"sodium from {low:.2f}"), inside
