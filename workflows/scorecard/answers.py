"""What a row of the scorecard holds: numbers by case and quantity, verdicts against goals, and what went wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

Numbers = Mapping[str, Mapping[str, float]]
"""case -> quantity (its unit in the name) -> number."""


@dataclass(frozen=True)
class Answers:
    """What one potential says in one row; `problems` has a sentence for every case without numbers."""

    numbers: Numbers
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """A number held against a goal.

    value  None where it could not be computed, which is a goal missed
    limit  the largest allowed value, or the least where `at_least`
    """

    what: str
    value: float | None
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        if self.value is None or not math.isfinite(self.value):
            return False
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True)
class Line:
    """One number, that of the other potential, their difference (or percent), and a measured value where known."""

    case: str
    quantity: str
    own: float | None
    other: float | None = None
    difference: float | None = None
    known: float | None = None


@dataclass(frozen=True)
class Row:
    """One subject of the scorecard; relative: differences are in percent of the other potential's number."""

    name: str
    title: str
    lines: tuple[Line, ...]
    verdicts: tuple[Verdict, ...] = ()
    problems: tuple[str, ...] = ()
    relative: bool = False


Judge = Callable[[Numbers, Numbers], tuple[Verdict, ...]]
"""Own numbers that the teacher has as well, and all of the teacher's, to verdicts."""


def row_of(
    row: Row, own: Answers, other: Answers | None = None, judge: Judge | None = None, known: Numbers | None = None
) -> Row:
    """An empty row filled with what one or two potentials say.

    What the other potential answers and this one does not, a whole case or a number of one, counts as a goal missed.
    """
    lines = tuple(_lines(row.relative, own.numbers, {} if other is None else other.numbers, known or {}))
    problems = [f"{case}: {words}" for case, words in own.problems.items()]
    verdicts: tuple[Verdict, ...] = ()
    if other is not None:
        problems += [f"{case}, the other potential: {words}" for case, words in other.problems.items()]
        verdicts += _lost(own.numbers, other.numbers)
        if judge is not None and any(case in other.numbers for case in own.numbers):
            verdicts += judge(common(own.numbers, other.numbers), other.numbers)
    return Row(row.name, row.title, lines, verdicts, tuple(problems), row.relative)


def common(own: Numbers, other: Numbers) -> Numbers:
    """Own numbers of the cases and quantities that the other has as well."""
    return {
        case: {name: value for name, value in numbers.items() if name in other[case]}
        for case, numbers in own.items()
        if case in other
    }


def percent(own: float, other: float) -> float:
    """100 (own - other) / |other|; not a number where other is 0."""
    return 100.0 * (own - other) / abs(other) if other else math.nan


def largest(own: Numbers, other: Numbers, of: Callable[[float, float], float], name: str = "") -> float | None:
    """Largest |of(own, other)| over all cases and quantities whose name contains `name`; None when there is none.

    NaN where any is.
    """
    found = [
        abs(of(value, other[case][quantity]))
        for case, numbers in own.items()
        for quantity, value in numbers.items()
        if name in quantity
    ]
    return math.nan if any(map(math.isnan, found)) else max(found, default=None)


def apart(own: float, other: float) -> float:
    """own - other."""
    return own - other


def _lost(own: Numbers, other: Numbers) -> tuple[Verdict, ...]:
    """Whole cases, and single numbers of cases that both answer, which only the other potential has."""
    cases = sum(case not in own for case in other)
    single = sum(name not in own[case] for case, numbers in other.items() if case in own for name in numbers)
    counts = {
        "cases that the other potential answers and this one does not": cases,
        "numbers that only the other potential has of cases that both answer": single,
    }
    return tuple(Verdict(what, count, 0, "") for what, count in counts.items() if count)


def _lines(relative: bool, own: Numbers, other: Numbers, known: Numbers) -> Iterator[Line]:
    of = percent if relative else apart
    for case in dict.fromkeys((*own, *other)):
        mine, theirs = own.get(case, {}), other.get(case, {})
        for name in dict.fromkeys((*mine, *theirs)):
            a, b = mine.get(name), theirs.get(name)
            difference = None if a is None or b is None else of(a, b)
            if difference is not None and not math.isfinite(difference):
                difference = None
            yield Line(case, name, a, b, difference, known.get(case, {}).get(name))
