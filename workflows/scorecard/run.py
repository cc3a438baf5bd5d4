"""Every row of the scorecard, for one potential or beside another; what was computed before is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from simkit.errors import InputError, Stopped
from simkit.io.record import machine_name, versions
from simkit.potential.base import Potential
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.distill.dataset import Labelled, checksum
from simkit.workflows.scorecard import (
    barriers,
    elastic,
    errors,
    glides,
    lattice,
    smoothness,
    spacing,
    speed,
    stability,
    stacking,
)
from simkit.workflows.scorecard.answers import Answers, Judge, Numbers, Row, Verdict, row_of
from simkit.workflows.scorecard.card import Scorecard, Subject
from simkit.workflows.scorecard.cells import Cell, Minima, Minimum, built, lower, minima
from simkit.workflows.scorecard.config import Config
from simkit.workflows.scorecard.labels import NO_LABELS

EDITIONS: Mapping[str, int] = {"barriers": 2, "lattice": 2, "stacking": 2}
"""Raised with every change of what a row computes, so that numbers saved before are computed again; 1 for others."""
TYPES = (Answers, Minima, Minimum)
Said = TypeVar("Said", Answers, Minima)


@dataclass(frozen=True)
class Part:
    """A row that asks each potential the same and compares the numbers."""

    title: str
    measure: Callable[[Potential, Config], Answers]
    judge: Judge | None = None
    relative: bool = False
    known: Numbers | None = None
    judge_alone: Callable[[Numbers], tuple[Verdict, ...]] | None = None


@dataclass(frozen=True)
class Settled:
    """A row that is read from relaxed cells, from the lower of two minima of each.

    Both potentials relax the ideal cells; beside another, each then also begins at the minimum of the other. On a
    rough surface a relaxation ends in one of many shallow minima, and which one is chance.
    """

    title: str
    cells: Callable[[Config], Mapping[str, Cell]]
    read: Callable[[Minima, Config], Answers]
    judge: Judge
    relative: bool = False
    known: Numbers | None = None


SETTLED: dict[str, Settled] = {
    "lattice": Settled("Lattice of relaxed phases", lattice.cells, lattice.read, lattice.judge, True, lattice.KNOWN),
    "stacking": Settled("Energy of stackings above O3", stacking.cells, stacking.read, stacking.judge),
}
PARTS: dict[str, Part] = {
    "barriers": Part("Sodium barriers", barriers.measure, barriers.judge),
    "gliding": Part("Gliding of one gallery", glides.measure),
    "elastic": Part("Elastic constants, relaxed ions", elastic.measure, None, True),
    "spacing": Part(
        "Layer spacing against sodium content", spacing.measure, spacing.judge, True, None, spacing.judge_alone
    ),
    "smoothness": Part("Smoothness of forces along straight lines", smoothness.measure),
}


@dataclass(frozen=True, eq=False)
class Compared:
    """What is held against what.

    potential  whose scorecard it is
    teacher    the other potential; None: the numbers stand alone
    labels     structures that the training never saw, with their labels; None: the row of errors has no numbers
    unlabelled why there are no labels, where there are none
    apart      why the teacher is not asked for errors on the labels, where it is not
    """

    potential: Potential
    teacher: Potential | None = None
    labels: Sequence[Labelled] | None = None
    unlabelled: str = NO_LABELS
    apart: str = ""


def run(
    config: Config,
    compared: Compared,
    hooks: Hooks = QUIET,
    say: Callable[[str], None] = lambda words: None,
    first: Sequence[Row] = (),
) -> Scorecard:
    """The scorecard of a potential.

    hooks  its `keep` saves each potential's numbers under a name that changes with everything they depend on, so a
           teacher is asked once for all its students, but for where it comes to rest from their minima; times are
           never kept, and nothing of a potential without hash
    say    told which row is under way; first: rows made elsewhere, put before the others

    A row that cannot be computed says why in its problems. Without labels that is all the row of errors says: nothing
    was asked of the potential, so no goal is missed. Raises InputError for settings that make no sense.
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


def identity(row: str, config: Config, card: Card, labels: Sequence[Labelled] | None = None, starts: str = "") -> str:
    """Hash of everything the numbers of one potential in one row depend on (but the machine).

    starts: a hash of where relaxations begin, where that is not the ideal cell.
    """
    left_out = {"rows", "both"} | (set() if row == "dynamics" else {"md_ps"})
    facts = {
        "edition": EDITIONS.get(row, 1),
        "simkit": versions()["simkit"],
        "row": row,
        "settings": config.model_dump(exclude=left_out),
        "card": {key: value for key, value in asdict(card).items() if key != "device"},
        "labels": "" if labels is None else checksum(labels),
    } | ({"starts": starts} if starts else {})
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _row(name: str, config: Config, compared: Compared, hooks: Hooks) -> list[Row]:
    if name == "errors":
        return [_errors(config, compared, hooks)]
    if name == "dynamics":
        return [_dynamics(config, compared, hooks)]
    if name == "speed":
        return [_speed(config, compared)]
    if name in SETTLED:
        return [_settled(name, config, compared, hooks)]
    part = PARTS[name]

    def asked(potential: Potential) -> Answers:
        return _kept(name, config, potential, hooks, lambda: part.measure(potential, config))

    other = None if compared.teacher is None else asked(compared.teacher)
    own = asked(compared.potential)
    row = row_of(Row(name, part.title, (), relative=part.relative), own, other, part.judge, part.known)
    return [row if part.judge_alone is None else replace(row, verdicts=row.verdicts + part.judge_alone(own.numbers))]


def _settled(name: str, config: Config, compared: Compared, hooks: Hooks) -> Row:
    part = SETTLED[name]

    def ideal(potential: Potential) -> Minima:
        structures, unknown = built(part.cells(config), config, potential)
        reached = minima(structures, potential, config)
        return Minima(reached.found, {**unknown, **reached.problems})

    def begun(potential: Potential, own: Minima, other: Minima) -> Minima:
        """The lower of a potential's own minima and those that it finds from another's."""
        starts = {key: structure for key, structure in other.structures.items() if key in own.found}
        key = identity(name, config, potential.card, starts=_digest(starts))
        return lower(own, _kept_as(name, key, potential, hooks, lambda: minima(starts, potential, config), Minima))

    def asked(potential: Potential) -> Minima:
        key = identity(name, config, potential.card)
        return _kept_as(name, key, potential, hooks, lambda: ideal(potential), Minima)

    own, other = asked(compared.potential), None
    if compared.teacher is not None:
        other = asked(compared.teacher)
        own, other = begun(compared.potential, own, other), begun(compared.teacher, other, own)
    answers = [None if found is None else part.read(found, config) for found in (own, other)]
    return row_of(Row(name, part.title, (), relative=part.relative), *answers, part.judge, part.known)


def _digest(structures: Mapping[str, Structure]) -> str:
    """SHA-256 of names, species, positions and cells."""
    found = hashlib.sha256()
    for name, structure in structures.items():
        found.update(name.encode())
        for array in (structure.numbers, structure.positions, structure.cell):
            found.update(array.tobytes())
    return found.hexdigest()


def _errors(config: Config, compared: Compared, hooks: Hooks) -> Row:
    empty, labels = Row("errors", "Errors on held-out labels", ()), compared.labels
    if labels is None:
        return replace(empty, problems=(compared.unlabelled,))

    def asked(potential: Potential) -> Answers:
        key = identity("errors", config, potential.card, labels)
        return _kept_as("errors", key, potential, hooks, lambda: errors.measure(potential, labels))

    own = asked(compared.potential)
    both = config.both and compared.teacher is not None
    other = asked(compared.teacher) if both and not compared.apart else None
    row = _alone(empty, own, other, errors.judge_alone(own.numbers))
    return replace(row, problems=(*row.problems, compared.apart)) if both and compared.apart else row


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


def _kept_as(
    name: str, key: str, potential: Potential, hooks: Hooks, compute: Callable[[], Said], kind: type[Said] = Answers
) -> Said:
    """What was read back or computed; a row that cannot be asked of a potential is a problem, and is not saved."""
    try:
        if not potential.card.sha256:
            return compute()
        return hooks.keep(f"{name}-{key[:24]}", compute, TYPES)
    except (InputError, Stopped) as error:
        return kind({}, {name: str(error)})
