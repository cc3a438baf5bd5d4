"""Sequences of galleries that are no simple phase: faults, twins, Markov chains, gradients, the Z phase."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.arguments import is_number, require_list, require_number, require_whole
from simkit.build.polytypes import PHASES
from simkit.build.stacking import RULES, gap_name
from simkit.errors import InputError, nearest

Probabilities = Mapping[str, float]
FLAT = 0.005
"""How far from 1 a table of probabilities may sum: three of three decimals; it is divided by its sum."""
WHOLE = 0.05
"""How far from a whole number of galleries a fraction may be: one of four decimals in 500 galleries."""


def faulted(phase: str, gaps: int, at: int | Sequence[int], kind: str) -> list[str]:
    """A phase with the galleries `at` (from 0) replaced by another kind: stacking faults.

    A fault that keeps the sense (O3 to O1 or P3, P2 to O2u or O2l) is a glide and may stand alone; one that
    flips it (a twin plane) needs a partner. Raises InputError for an odd number of sense flips, a gallery that
    does not exist or one that is of that kind already, with what can be done.
    """
    names = _pattern(phase, gaps)
    listed = [at] if is_number(at) else require_list("at", at, (int, float, np.integer), "at=[0, 3]")
    chosen = [require_whole("at", j) for j in listed]
    fault = gap_name(kind)
    for j in chosen:
        if not 0 <= j < gaps:
            raise InputError(f"fault at gallery {j!r} does not exist; {gaps} galleries are 0 to {gaps - 1}.")
        if names[j] == fault:
            raise InputError(f"gallery {j} of {phase} is {fault} already; name another kind or another gallery.")
        names[j] = fault
    if _flips(names) % 2:
        like = [n for n in RULES if RULES[n][0] != RULES[fault][0]]
        raise InputError(
            f"{len(chosen)} fault(s) {fault} in {gaps} galleries of {phase} leave {_flips(names)} sense flips, an odd "
            f"number, so the period cannot close; fault one gallery more or less, or use one of {', '.join(like)}."
        )
    return names


def basal_twin(first: int, second: int, phase: str = "O3", planes: Sequence[str] = ("P2", "P2")) -> list[str]:
    """Two twin domains of one phase: `first` galleries, a twin plane, `second` galleries, a twin plane.

    planes  two kinds that flip the sense: P2 mirrors in the plane of the ions, O2u and O2l in an oxygen plane
    Raises InputError where a plane keeps the sense, or the phase itself flips it.
    """
    kinds = [gap_name(plane) for plane in require_list("planes", planes, str, '["P2", "P2"]')]
    flipping = [name for name, (relation, _) in RULES.items() if relation < 0]
    if len(kinds) != 2 or set(kinds) - set(flipping):
        raise InputError(f"planes = {list(planes)!r}; a twin needs two of {', '.join(flipping)}.")
    domains = [_pattern(phase, first, "first"), _pattern(phase, second, "second")]
    if _flips(domains[0]) or _flips(domains[1]):
        raise InputError(f"phase {phase} flips the sense in its own galleries, so its mirror image is itself: no twin.")
    return [*domains[0], kinds[0], *domains[1], kinds[1]]


def z_phase(gaps: int, fraction: float, seed: int | None = None) -> list[str]:
    """P2 with a fraction of its galleries turned into O2 by gliding: the Z phase between P2, OP4 and O2.

    fraction  O galleries over all galleries; 1/2 evenly ordered is OP4 and 1 is O2
    seed      draws their places; None spreads them evenly
    One glide vector serves all (successive faults go back and forth), so an even number of them closes without
    shear. Raises InputError for a fraction that is no whole number of galleries (within `WHOLE` of one), naming the
    nearest.
    """
    gaps, fraction = require_whole("gaps", gaps, 1), require_number("fraction", fraction, 0, 1)
    if gaps % 2:
        raise InputError(f"gaps = {gaps}; every gallery of Z flips the sense, so take {gaps - 1} or {gaps + 1}.")
    count = round(fraction * gaps)
    if abs(count - fraction * gaps) > WHOLE:
        low = int(np.floor(fraction * gaps))
        raise InputError(
            f"{fraction:.4g} of {gaps} galleries is {fraction * gaps:.3f}, no whole number; the nearest fractions are "
            f"{low / gaps:.4g} ({low} O galleries) and {(low + 1) / gaps:.4g} ({low + 1}), or take other gaps."
        )
    if seed is None:
        places = np.floor((np.arange(count) + 0.5) * gaps / count).astype(int) if count else np.zeros(0, int)
    else:
        places = np.sort(_stream(seed).choice(gaps, count, replace=False))
    names = ["P2"] * gaps
    for turn, j in enumerate(places):
        names[j] = "O2u" if (turn + j) % 2 == 0 else "O2l"
    return names


def markov(
    table: Probabilities | Mapping[str, Probabilities], gaps: int, seed: int, closure: str = "auto"
) -> list[str]:
    """A random sequence of galleries: independent draws {kind: p} or a chain {kind: {next kind: p}}.

    The period is a ring, of weight prod_j p(g_j | g_j-1), conditioned on closing: a backward pass sums the weight
    of all completions with an even number of sense flips (and, for closure "strict", closing letters), and each
    gallery is drawn from those that can still close. Nothing is rejected or repaired.
    Raises InputError where no sequence of this length closes, or for a table that is none or does not sum to 1
    within `FLAT`, by which it is divided.
    """
    gaps = require_whole("gaps", gaps, 1)
    _require_closure(closure)
    kinds, matrix = _chain(table)
    return _ring(kinds, [matrix] * gaps, seed, closure == "strict")


def phase_gradient(
    first: str,
    second: str,
    gaps: int,
    profile: str | Sequence[float] = "rise",
    seed: int | None = None,
    closure: str = "auto",
) -> list[str]:
    """From mostly `first` to mostly `second` along c: gallery j is `second` with the probability of a profile.

    profile  "rise" from 0 to 1, "peak" from 0 to 1 and back (smooth across the period), or one number per gallery
    seed     draws independently, conditioned on closing as in `markov`; None spreads the fraction evenly
    Raises InputError where the number of sense flips comes out odd (seed None) or no sequence closes.
    """
    gaps = require_whole("gaps", gaps, 1)
    _require_closure(closure)
    chance = _profile(profile, gaps)
    kinds = [gap_name(first), gap_name(second)]
    if seed is not None:
        return _ring(kinds, [np.tile([1 - p, p], (2, 1)) for p in chance], seed, closure == "strict")
    steps = np.diff(np.floor(np.concatenate([[0.0], np.cumsum(chance)]) + 0.5 + 1e-9)).astype(int)
    names = [kinds[step] for step in steps]
    if _flips(names) % 2:
        raise InputError(
            f"the even gradient {first} to {second} over {gaps} galleries has {_flips(names)} sense flips, an odd "
            f"number; use {gaps - 1} or {gaps + 1} galleries, another profile, or a seed (drawn to close)."
        )
    return names


SEQUENCES: Mapping[str, tuple[Callable, tuple[str, ...]]] = MappingProxyType(
    {
        "faulted": (faulted, ("phase", "at", "kind")),
        "twin": (basal_twin, ("first", "second", "phase", "planes")),
        "z": (z_phase, ("fraction", "seed")),
        "markov": (markov, ("table", "seed", "closure")),
        "gradient": (phase_gradient, ("first", "second", "profile", "seed", "closure")),
    }
)
"""Name of a sequence in a record -> its function and the fields it takes beside `gaps`."""


def sequence(record: Sequence[str] | Mapping, gaps: int) -> list[str]:
    """The gallery names a record describes: a list of names, repeated to `gaps`, or a table.

    A table names a function of `SEQUENCES` and its fields: {"sequence": "z", "fraction": 0.25, "seed": 1}.
    Raises InputError for an unknown sequence or field, or a length that is not `gaps`.
    """
    if isinstance(record, str) or not isinstance(record, Mapping | Sequence) or not record:
        raise InputError(f'pattern = {record!r}; give a list of gap names or a table such as {{"sequence": "z"}}.')
    if isinstance(record, Mapping):
        return _from_table(record, gaps)
    names = [gap_name(name) for name in record]
    gaps = require_whole("gaps", gaps, 1)
    if gaps % len(names):
        raise InputError(f"the pattern lists {len(names)} galleries, gaps = {gaps} is no multiple of it.")
    return names * (gaps // len(names))


def _from_table(record: Mapping, gaps: int) -> list[str]:
    fields = {name: value for name, value in record.items() if name != "sequence"}
    kind = str(record.get("sequence", ""))
    if kind not in SEQUENCES:
        raise InputError(f"sequence {kind!r} is unknown; {nearest(kind, SEQUENCES)}")
    gaps = require_whole("gaps", gaps, 1)
    function, allowed = SEQUENCES[kind]
    unknown = sorted(str(name) for name in fields if name not in allowed)
    if unknown:
        raise InputError(f"sequence {kind!r} takes no field {unknown[0]!r}; {nearest(unknown[0], allowed)}")
    arguments = inspect.signature(function).parameters
    missing = [name for name in allowed if arguments[name].default is inspect.Parameter.empty and name not in fields]
    if missing:
        raise InputError(f"sequence {kind!r} lacks {', '.join(missing)}; it takes the fields {', '.join(allowed)}.")
    if "gaps" in arguments:
        fields["gaps"] = gaps
    names = function(**fields)
    if len(names) != gaps:
        raise InputError(
            f"sequence {kind!r} makes {len(names)} galleries, the block has gaps = {gaps}; make them equal."
        )
    return names


def _ring(kinds: list[str], tables: list[Floats], seed: int, strict: bool) -> list[str]:
    """Draw from prod_j tables[j][g_j-1, g_j] around the period, over the sequences that close."""
    follow = _follow(kinds, strict)
    count, n = len(kinds), len(tables)
    end = np.zeros(int(follow.max()) + 1)
    end[0] = 1.0
    ahead = [np.einsum("kf,g->fkg", tables[0], end)]
    for table in reversed(tables[1:]):
        ahead.append(_backward(ahead[-1], table, follow))
    ahead = ahead[::-1]
    first = np.array([ahead[0][f, f, follow[f, 0]] for f in range(count)])
    if first.sum() <= 0:
        letters = " and closing letters" if strict else ""
        raise InputError(
            f"no sequence of {n} galleries of {', '.join(kinds)} with these probabilities has an even number of sense "
            f"flips{letters}; use {n - 1} or {n + 1} galleries, or allow another kind."
        )
    rng = _stream(seed)
    f = int(rng.choice(count, p=first / first.sum()))
    drawn, state = [f], int(follow[f, 0])
    for j in range(1, n):
        weight = tables[j][drawn[-1]] * ahead[j][f, np.arange(count), follow[:, state]]
        drawn.append(int(rng.choice(count, p=weight / weight.sum())))
        state = int(follow[drawn[-1], state])
    return [kinds[k] for k in drawn]


def _backward(ahead: Floats, table: Floats, follow: Integers) -> Floats:
    """One step of the backward pass: [first, k, state] from [first, next k, next state]; rescaled."""
    gathered = np.stack([ahead[:, k, follow[k]] for k in range(len(follow))], axis=1)
    result = np.einsum("kl,flg->fkg", table, gathered)
    return result / max(result.max(), 1e-300)


def _follow(kinds: list[str], strict: bool) -> Integers:
    """(kinds, states) state after a gallery; a state is sense (and, when strict, six half letters), 0 closed."""
    size = 6 if strict else 1
    states = [(s, z) for s in (1, -1) for z in range(size)]
    rows = []
    for kind in kinds:
        relation, k = RULES[kind]
        rows.append([states.index((s * relation, int(z + 2 * k * s) % size)) for s, z in states])
    return np.array(rows)


def _chain(table: object) -> tuple[list[str], Floats]:
    if not isinstance(table, Mapping) or not table:
        raise InputError(f"table = {table!r}; give {{kind: probability}} or {{kind: {{next kind: probability}}}}.")
    kinds = [gap_name(name) for name in table]
    if not any(isinstance(row, Mapping) for row in table.values()):
        return kinds, np.tile(_row(table, kinds, "the table"), (len(kinds), 1))
    rows = [_row(row, kinds, f"row {name!r}") for name, row in table.items()]
    return kinds, np.array(rows)


def _row(row: object, kinds: list[str], what: str) -> Floats:
    if not isinstance(row, Mapping):
        raise InputError(f"{what} of the chain is {row!r}; give a table {{next kind: probability}}.")
    values = {gap_name(name): value for name, value in row.items()}
    unknown = sorted(set(values) - set(kinds))
    if unknown:
        raise InputError(f"{what} leads to {unknown[0]}, which has no row of its own; rows: {', '.join(kinds)}.")
    for name, value in values.items():
        require_number(f"the probability of {name} in {what}", value, 0, 1)
    weights = np.array([float(values.get(kind, 0.0)) for kind in kinds])
    if abs(weights.sum() - 1) > FLAT:
        raise InputError(f"{what} of probabilities sums to {weights.sum():.4g}; the sum is 1 (within {FLAT}).")
    return weights / weights.sum()


def _profile(profile: object, gaps: int) -> Floats:
    ramp = (np.arange(gaps) + 0.5) / gaps
    if isinstance(profile, str):
        shapes = {"rise": ramp, "peak": 1.0 - np.abs(2.0 * ramp - 1.0)}
        if profile not in shapes:
            raise InputError(
                f"profile {profile!r} is unknown; give {gaps} numbers, or a word: {nearest(profile, shapes)}"
            )
        return shapes[profile]
    listed = require_list("profile", profile, (int, float, np.number), '"rise", or one number per gallery')
    if len(listed) != gaps:
        raise InputError(f"profile has length {len(listed)}; give {gaps} numbers, one per gallery, each from 0 to 1.")
    return np.array([require_number(f"profile[{j}]", value, 0, 1) for j, value in enumerate(listed)])


def _pattern(phase: str, gaps: int, name: str = "gaps") -> list[str]:
    gaps = require_whole(name, gaps, 1)
    if not isinstance(phase, str) or phase not in PHASES:
        raise InputError(f"phase {phase!r} is unknown; {nearest(str(phase), PHASES)}")
    pattern = PHASES[phase]
    if gaps % len(pattern):
        raise InputError(f"{gaps} galleries of {phase}; it repeats every {len(pattern)}, use a multiple of that.")
    return list(pattern) * (gaps // len(pattern))


def _flips(names: Sequence[str]) -> int:
    return sum(RULES[name][0] < 0 for name in names)


def _require_closure(closure: str) -> None:
    if closure not in ("auto", "shear", "strict"):
        raise InputError(f"closure {closure!r} is unknown; {nearest(str(closure), ('auto', 'shear', 'strict'))}")


def _stream(seed: int) -> np.random.Generator:
    return np.random.default_rng((require_whole("seed", seed, 0),))
