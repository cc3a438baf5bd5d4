"""A second look at bands: other orders of ions that move together, and pieces where the ions rest on the way."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simkit import solve
from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.solve.outcome import Outcome
from simkit.structure import Structure
from simkit.workflows.hops.bands import Wanted, found
from simkit.workflows.hops.ends import Bench, Ready, relaxed_states
from simkit.workflows.hops.facts import splits

OTHERS_A = 0.8
"""Another atom that moves farther than this from end to end changes its site: neighbouring sites lie 1.6 apart, A."""
SAME_A = 0.3
"""States of a path that differ by no more than this on any atom are one, A."""
STRAYED_A = 1.0
"""A state on the way that relaxes farther than this from the path is no part of it, A."""
MOST_RESTS = 3
"""A path that rests more often than this on its way is a rearrangement of many ions, not a hop: it is left as it is."""

TURNS, RESTS, PIECES = "turns", "rests", "pieces"
"""The stages of a second look, which many may share."""

Turn = tuple[int, int]
"""Number of a hop, and of one of its states or bands."""


@dataclass(frozen=True, eq=False)
class _Rest:
    """Where a path passes a minimum: how far along it (A), and the structure there."""

    at_A: float
    start: Structure


def refined(bench: Bench, hops: Mapping[int, Ready], paths: Mapping[int, solve.Path]) -> dict[int, solve.Path]:
    """The paths after a second look, by number of the hop; those to which none applies as they were.

    Where another ion changes its site as well, a band begun from all ions moving at once may find a concerted saddle
    far above that of one ion after the other: both orders are tried too, and the lowest path is kept. Then a path with
    minima on the way is cut at them: each minimum is relaxed, and each piece is a band with a climbing image of its
    own, for one band climbs to one saddle only and has few images for many. Evaluations of all bands are counted.
    """
    if not bench.config.refine:
        return dict(paths)
    return _in_pieces(bench, hops, _in_turn(bench, hops, paths))


def _in_turn(bench: Bench, hops: Mapping[int, Ready], paths: Mapping[int, solve.Path]) -> dict[int, solve.Path]:
    """The lowest of the first band, that with the hopping ion ahead of all others, and that with it behind them."""
    starts = {
        (k, j): band
        for k, path in paths.items()
        if hops[k].through is None and _others_A(path, hops[k].chosen.hop.moving) > OTHERS_A
        for j, band in enumerate(_orders(path, hops[k].chosen.hop.moving))
        if _possible(band, bench.config.images)
    }
    wanted = {
        key: _wanted(bench, hops, key, "turn", {"ends": [band.initial, band.final], "through": band.through})
        for key, band in starts.items()
    }
    tried = found(bench, wanted, lambda keys: [starts[key] for key in keys], TURNS)
    lowest = dict(paths)
    for (k, _), path in tried.items():
        spent = lowest[k].evaluations + path.evaluations
        lowest[k] = replace(min(lowest[k], path, key=_height), evaluations=spent)
    return lowest


def _others_A(path: solve.Path, ion: int) -> float:
    way = path.images[-1].positions - path.images[0].positions
    return float(np.linalg.norm(np.delete(way, ion, axis=0), axis=1).max(initial=0.0))


def _orders(path: solve.Path, ion: int) -> list[solve.Hop]:
    """The hop through the state in which the ion alone has moved, and through that in which all others have."""
    first, last = path.images[0], path.images[-1]
    ahead, behind = first.positions.copy(), last.positions.copy()
    ahead[ion], behind[ion] = last.positions[ion], first.positions[ion]
    return [solve.Hop(first, last, first.moved_to(middle)) for middle in (ahead, behind)]


def _height(path: solve.Path) -> float:
    """What a path is judged by: its highest point, eV; a path that did not converge comes after all that did."""
    if not path.converged:
        return float("inf")
    return float(path.energies_eV[0] + path.fitted_barrier_eV)


def _in_pieces(bench: Bench, hops: Mapping[int, Ready], paths: Mapping[int, solve.Path]) -> dict[int, solve.Path]:
    """The paths with minima on the way cut there, where those relax to states of their own."""
    rests = {key: rest for k, path in paths.items() for key, rest in _rests(k, path).items()}
    labels = {k: hops[k].chosen.label for k in paths}
    relaxed = relaxed_states(bench, {(labels[k], k, j): rest.start for (k, j), rest in rests.items()}, RESTS)
    outcomes = {(k, j): outcome for (_, k, j), outcome in relaxed.items()}
    starts: dict[Turn, solve.Hop] = {}
    for k, path in paths.items():
        mine = [(rest, outcomes[key]) for key, rest in rests.items() if key[0] == k]
        starts |= {(k, j): piece for j, piece in enumerate(_pieces(path, mine, bench.config.images))}
    wanted = {
        key: _wanted(bench, hops, key, "piece", {"ends": [piece.initial, piece.final], "guess": piece.guess})
        for key, piece in starts.items()
    }
    bands = found(bench, wanted, lambda keys: [starts[key] for key in keys], PIECES)
    spent = {k: sum(o.evaluations for key, o in outcomes.items() if key[0] == k) for k in paths}
    return {
        k: _joined(path, [band for key, band in bands.items() if key[0] == k], spent[k]) for k, path in paths.items()
    }


def _rests(number: int, path: solve.Path) -> dict[Turn, _Rest]:
    """The minima of a path that ended well, or that ran out of steps: it may hang between two saddles."""
    sound = path.converged or path.status.startswith(solve.NOT_CONVERGED)
    if not sound or not np.isfinite(path.energies_eV).all():
        return {}
    at = [split.at_A for split in splits(path)]
    if len(at) > MOST_RESTS:
        return {}
    places = solve.positions_at(path, np.array(at))
    return {(number, j): _Rest(s, path.images[0].moved_to(x)) for j, (s, x) in enumerate(zip(at, places, strict=True))}


def _pieces(path: solve.Path, rests: Sequence[tuple[_Rest, Outcome]], images: int) -> list[solve.Hop]:
    """The hops from state to state of a path; none where no minimum on it is a state of its own."""
    last = path.images[-1]
    chain = [(0.0, path.images[0])]
    for rest, outcome in rests:
        here = outcome.structure
        on_path = outcome.converged and _apart_A(here, rest.start) < STRAYED_A
        if on_path and min(_apart_A(here, chain[-1][1]), _apart_A(here, last)) > SAME_A:
            chain.append((rest.at_A, here))
    chain.append((float(path.distances_A[-1]), last))
    if len(chain) == 2:
        return []
    pieces = [solve.piece_of(path, (s, t), (one, other), images) for (s, one), (t, other) in itertools.pairwise(chain)]
    return pieces if all(_possible(piece, images) for piece in pieces) else []


def _apart_A(one: Structure, other: Structure) -> float:
    away: Floats = one.positions - other.positions
    return float(np.linalg.norm(away, axis=1).max())


def _possible(band: solve.Hop, images: int) -> bool:
    """Whether a band can begin there: no two atoms meet, and its ends are two states."""
    try:
        solve.first_guess(band, images)
    except InputError:
        return False
    return True


def _joined(path: solve.Path, pieces: Sequence[solve.Path], relaxing: int) -> solve.Path:
    """The pieces as one path where they converged, or the path did not; else the path."""
    spent = path.evaluations + relaxing + sum(piece.evaluations for piece in pieces)
    if pieces and (all(piece.converged for piece in pieces) or not path.converged):
        return replace(solve.joined_path(pieces), evaluations=spent)
    return replace(path, evaluations=spent)


def _wanted(bench: Bench, hops: Mapping[int, Ready], key: Turn, word: str, fixed: Mapping[str, object]) -> Wanted:
    chosen = hops[key[0]].chosen
    name = f"{bench.name}-{word}-{key[0]:04d}-{key[1]}"
    return Wanted(name, chosen.label, {**fixed, "ion": chosen.hop.moving})
