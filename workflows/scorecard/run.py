"""Every row of the scorecard, for one potential or beside another; what was computed before is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from simkit.errors import InputError, Stopped
from simkit.io.record import machine_name, versions
from simkit.potential.base import Potential
from simkit.potential.card import Card
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.distill.dataset import Labelled, checksum
from simkit.workflows.scorecard import barriers, elastic, errors, glides, lattice, spacing, speed, stability, stacking
from simkit.workflows.scorecard.answers import Answers, Judge, Numbers, Row, Verdict, row_of
from simkit.workflows.scorecard.card import Scorecard, Subject
from simkit.workflows.scorecard.config import Config

EDITIONS: Mapping[str, int] = {"barriers": 2}
"""Raised with every change of what a row computes, so that numbers saved before are computed again; 1 for others."""
TYPES = (Answers,)


@dataclass(frozen=True)
class Part:
    """A row that asks each potential the same and compares the numbers."""

    title: str
    measure: Callable[[Potential, Config], Answers]
    judge: Judge | None = None
    relative: bool = False
    known: Numbers | None = None
    judge_alone: Callable[[Numbers], tuple[Verdict, ...]] | None = None


PARTS: dict[str, Part] = {
    "lattice": Part("Lattice of relaxed phases", lattice.measure, lattice.judge, True, lattice.KNOWN),
    "stacking": Part("Energy of stackings above O3", stacking.measure, stacking.judge),
    "barriers": Part("Sodium barriers", barriers.measure, barriers.judge),
    "gliding": Part("Gliding of one gallery", glides.measure),
    "elastic": Part("Elastic constants, relaxed ions", elastic.measure, None, True),
    "spacing": Part(
        "Layer spacing against sodium content", spacing.measure, spacing.judge, True, None, spacing.judge_alone
    ),
}


@dataclass(frozen=True, eq=False)
class Compared:
    """What is held against what.

    potential  whose scorecard it is
    teacher    the other potential; None: the numbers stand alone
    labels     structures that the training never saw, with their labels; None: no row of errors
    """

    potential: Potential
    teacher: Potential | None = None
    labels: Sequence[Labelled] | None = None


def run(
    config: Config,
    compared: Compared,
    hooks: Hooks = QUIET,
    say: Callable[[str], None] = lambda words: None,
    first: Sequence[Row] = (),
) -> Scorecard:
    """The scorecard of a potential.

    hooks  its `keep` saves each potential's numbers under a name that changes with everything they depend on, so a
           teacher is asked once for all its students; times are never kept, and nothing of a potential without hash
    say    told which row is under way; first: rows made elsewhere, put before the others

    A row that cannot be computed says why in its problems. Raises InputError for settings that make no sense.
    """
    rows = list(first)
    for name in config.rows:
        say(name)
        rows.extend(_row(name, config, compared, hooks))
    teacher = None if compared.teacher is None else Subject.of(compared.teacher.card)
    settings = config.model_dump()
    return Scorecard(Subject.of(compared.potential.card), teacher, settings, machine_name(), tuple(rows))


def consistency(error_eV_per_A: float, allowed_eV_per_A: float) -> Row:
    """The first row: force against the finite difference of the energy in float64, measured by the caller."""
    verdict = Verdict("force against finite difference of the energy", error_eV_per_A, allowed_eV_per_A, "eV/A")
    return Row("forces", "Forces against energies", (), (verdict,))


def identity(row: str, config: Config, card: Card, labels: Sequence[Labelled] | None = None) -> str:
    """Hash of everything the numbers of one potential in one row depend on (but the machine)."""
    left_out = {"rows", "both"} | (set() if row == "dynamics" else {"md_ps"})
    facts = {
        "edition": EDITIONS.get(row, 1),
        "simkit": versions()["simkit"],
        "row": row,
        "settings": config.model_dump(exclude=left_out),
        "card": {key: value for key, value in asdict(card).items() if key != "device"},
        "labels": "" if labels is None else checksum(labels),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _row(name: str, config: Config, compared: Compared, hooks: Hooks) -> list[Row]:
    if name == "errors":
        return [] if compared.labels is None else [_errors(config, compared, hooks)]
    if name == "dynamics":
        return [_dynamics(config, compared, hooks)]
    if name == "speed":
        return [_speed(config, compared)]
    part = PARTS[name]

    def asked(potential: Potential) -> Answers:
        return _kept(name, config, potential, hooks, lambda: part.measure(potential, config))

    other = None if compared.teacher is None else asked(compared.teacher)
    own = asked(compared.potential)
    row = row_of(Row(name, part.title, (), relative=part.relative), own, other, part.judge, part.known)
    return [row if part.judge_alone is None else replace(row, verdicts=row.verdicts + part.judge_alone(own.numbers))]


def _errors(config: Config, compared: Compared, hooks: Hooks) -> Row:
    labels = compared.labels

    def asked(potential: Potential) -> Answers:
        key = identity("errors", config, potential.card, labels)
        return _kept_as("errors", key, potential, hooks, lambda: errors.measure(potential, labels))

    own = asked(compared.potential)
    other = asked(compared.teacher) if config.both and compared.teacher is not None else None
    return _alone(Row("errors", "Errors on held-out labels", ()), own, other, errors.judge_alone(own.numbers))


def _dynamics(config: Config, compared: Compared, hooks: Hooks) -> Row:
    def asked(potential: Potential) -> Answers:
        return _kept("dynamics", config, potential, hooks, lambda: stability.measure(potential, config))

    own = asked(compared.potential)
    other = asked(compared.teacher) if config.both and compared.teacher is not None else None
    title = f"Molecular dynamics, {config.dynamics_ps:g} ps in a heat bath"
    return _alone(Row("dynamics", title, ()), own, other, stability.judge_alone(own.numbers, config))


def _alone(empty: Row, own: Answers, other: Answers | None, verdicts: tuple[Verdict, ...]) -> Row:
    """A row whose goals do not need another potential."""
    row = row_of(empty, own, other)
    return replace(row, verdicts=row.verdicts + verdicts)


def _speed(config: Config, compared: Compared) -> Row:
    title = "Time of one evaluation"
    potentials = [compared.potential] if compared.teacher is None else [compared.potential, compared.teacher]
    try:
        structure = speed.structure_of(config, *potentials)
    except InputError as error:
        return Row("speed", title, (), problems=(str(error),))
    times = speed.interleaved(structure, *potentials)
    case = f"{speed.CASE}, {len(structure)} atoms"
    answers = [Answers({case: {speed.QUANTITY: time}}) for time in times.ms_per_atom]
    row = row_of(Row("speed", title, (), relative=True), *answers)
    verdicts = speed.judge(times) if compared.teacher is not None else ()
    return replace(row, verdicts=verdicts)


def _kept(name: str, config: Config, potential: Potential, hooks: Hooks, compute: Callable[[], Answers]) -> Answers:
    return _kept_as(name, identity(name, config, potential.card), potential, hooks, compute)


def _kept_as(name: str, key: str, potential: Potential, hooks: Hooks, compute: Callable[[], Answers]) -> Answers:
    """Answers read back or computed; a row that cannot be asked of a potential is a problem, and is not saved."""
    try:
        if not potential.card.sha256:
            return compute()
        return hooks.keep(f"{name}-{key[:24]}", compute, TYPES)
    except (InputError, Stopped) as error:
        return Answers({}, {name: str(error)})
