"""Sodium barriers: one and two vacancies in O3, the step from an edge to a face site in P2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simkit import build, solve
from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Potential
from simkit.structure import Structure
from simkit.workflows.scorecard.answers import Answers, Numbers, Verdict, apart, largest
from simkit.workflows.scorecard.cells import NIMN, Cell, built, relaxed
from simkit.workflows.scorecard.config import Config

GOAL_MEV = 40.0
IMAGES = 5
FMAX_EV_PER_A = 0.03
"""Of the climbing image: over the 0.2 A of a flat saddle 6 meV."""
END_FMAX_EV_PER_A = 0.02
NEIGHBOUR_A = 3.4
"""Two sites of a gallery nearer than this are neighbours; the next ones are sqrt(3) times 2.8 A away."""
SAME_A = 0.3
"""Ends whose moving ions are this near to one another are one state."""
SHELF_MEV = 1.0
"""An end with less before it is no state: forces below `END_FMAX_EV_PER_A` held it on the slope."""


@dataclass(frozen=True)
class Case:
    """A hop: parent cell, how often it is repeated once it is relaxed, kind of hop, and vacancies.

    kind       as `build.Hop.kind`
    vacancies  0: into an empty site as things are; 1: into a site that is emptied; 2: with a common neighbour of
               both sites empty as well, which opens the tetrahedra beside the oxygen dumbbell
    """

    cell: Cell
    repeats: tuple[int, int, int]
    kind: str
    vacancies: int


COBALT: Mapping[str, float] = {"Co": 1.0}
O3 = Cell("O3", 2, COBALT, 1.0)
P2 = Cell("P2", 2, NIMN, 1 / 3, build.ROOT3)
QUICK: Mapping[str, Case] = {
    "O3 NaCoO2 one vacancy": Case(O3, (2, 2, 1), "oct-oct", 1),
    "P2 Na1/3Ni1/3Mn2/3O2 edge to face": Case(P2, (1, 1, 1), "Na_e-Na_f", 0),
}
FULL: Mapping[str, Case] = {
    "O3 NaCoO2 one vacancy": Case(O3, (3, 3, 1), "oct-oct", 1),
    "O3 NaCoO2 two vacancies": Case(O3, (3, 3, 1), "oct-oct", 2),
    "O3 NaFeO2 one vacancy": Case(Cell("O3", 2, {"Fe": 1.0}, 1.0), (3, 3, 1), "oct-oct", 1),
    "P2 Na1/3Ni1/3Mn2/3O2 edge to face": Case(replace(P2, repeats=(3, 3)), (1, 1, 1), "Na_e-Na_f", 0),
    "P2 Na1/3Ni1/3Mn2/3O2 edge to edge": Case(replace(P2, repeats=(3, 3)), (1, 1, 1), "Na_e-Na_e", 0),
    "P2 NaCoO2 one vacancy": Case(Cell("P2", 2, COBALT, 1.0), (3, 3, 1), "Na_e-Na_e", 1),
}


def measure(potential: Potential, config: Config) -> Answers:
    """Climbing-image barriers in both directions, meV: parents with free cells, then ends and bands at fixed cell."""
    cases = QUICK if config.quick else FULL
    parents, problems = built({name: case.cell for name, case in cases.items()}, config, potential)
    found, failed = relaxed(parents, potential, config)
    problems.update(failed)
    starts = {name: hop_of(cases[name], parents[name], outcome.structure) for name, outcome in found.items()}
    ends, failed = _relaxed_ends(starts, potential, config)
    problems.update(failed)
    hops, spontaneous = _open(starts, ends)
    problems.update(spontaneous)
    numbers, failed = _barriers(hops, potential, config)
    return Answers(numbers, {**problems, **failed})


@dataclass(frozen=True, eq=False)
class Ends:
    """The two states of a hop, unrelaxed, the moving ion, and where it passes (None: straight), (3,) A."""

    initial: Structure
    final: Structure
    moving: int
    through_A: Floats | None


def hop_of(case: Case, parent: Structure, relaxed_parent: Structure) -> Ends:
    """The hop of a case in the relaxed cell.

    It is chosen in the cell as built, so that every potential is asked for the same hop however it relaxes.
    Raises InputError where the cell offers no such hop.
    """
    ideal, structure = parent.repeated(*case.repeats), relaxed_parent.repeated(*case.repeats)
    hops = [h for h in build.hops(ideal) if h.kind == case.kind and (h.vacancy >= 0) == (case.vacancies > 0)]
    if not hops:
        raise InputError(f"{ideal.formula} has no hop {case.kind} with {case.vacancies} vacancies; repeat the cell.")
    hop = min(hops, key=lambda h: (round(h.distance_A, 2), h.gallery, h.ion, h.vacancy))
    hop = replace(hop, target_A=tuple(map(float, np.array(hop.target_A) @ np.linalg.inv(ideal.cell) @ structure.cell)))
    initial, final = build.endpoints(structure, hop)
    if case.vacancies < 2:
        return Ends(initial, final, hop.moving, None)
    third, centre = _common_neighbour(initial, final, hop.moving)
    moving = hop.moving - (third < hop.moving)
    return Ends(initial.without(third), final.without(third), moving, centre)


def _common_neighbour(initial: Structure, final: Structure, moving: int) -> tuple[int, Floats]:
    """An ion beside both places of the moving one, and the centre of the three sites (3,) A."""
    start = initial.positions[moving]
    across = _nearest(final.positions[moving] - start, initial.cell)
    for ion in np.flatnonzero(initial.numbers == initial.numbers[moving]):
        step = _nearest(initial.positions[ion] - start, initial.cell)
        if ion != moving and max(np.linalg.norm(step), np.linalg.norm(step - across)) < NEIGHBOUR_A:
            return int(ion), start + (step + across) / 3.0
    raise InputError(f"no ion of {initial.formula} neighbours both ends of the hop; a full gallery is needed.")


def _nearest(vector: Floats, cell: Floats) -> Floats:
    """The shortest of the images of a vector next to the rounded one."""
    fraction = vector @ np.linalg.inv(cell)
    around = np.array(list(np.ndindex(3, 3, 3))) - 1
    images = (fraction - np.round(fraction) + around) @ cell
    return images[int(np.argmin((images**2).sum(axis=1)))]


def _relaxed_ends(
    starts: Mapping[str, Ends], potential: Potential, config: Config
) -> tuple[dict[str, tuple[solve.Outcome, solve.Outcome]], dict[str, str]]:
    sides = {f"{name}\n{side}": getattr(ends, side) for name, ends in starts.items() for side in ("initial", "final")}
    good, failed = relaxed(sides, potential, config, "fixed", END_FMAX_EV_PER_A)
    pairs = {
        name: (good[f"{name}\ninitial"], good[f"{name}\nfinal"])
        for name in starts
        if f"{name}\ninitial" in good and f"{name}\nfinal" in good
    }
    return pairs, {key.split("\n")[0]: f"the {key.split(chr(10))[1]} state: {words}" for key, words in failed.items()}


def _open(starts: Mapping[str, Ends], ends: Mapping[str, tuple]) -> tuple[dict[str, solve.Hop], dict[str, str]]:
    """Hops whose ends stayed two states, and why the others are none."""
    hops, problems = {}, {}
    for name, (first, last) in ends.items():
        moving, centre = starts[name].moving, starts[name].through_A
        step = last.structure.positions[moving] - first.structure.positions[moving]
        if np.linalg.norm(_nearest(step, first.structure.cell)) < SAME_A:
            problems[name] = "one end falls into the other: no barrier"
            continue
        through = None
        if centre is not None:
            positions = 0.5 * (first.structure.positions + last.structure.positions)
            positions[moving] = centre
            through = first.structure.moved_to(positions)
        hops[name] = solve.Hop(first.structure, last.structure, through)
    return hops, problems


def _barriers(
    hops: Mapping[str, solve.Hop], potential: Potential, config: Config
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    if not hops:
        return {}, {}
    settings = solve.NebSettings(fmax_eV_per_A=FMAX_EV_PER_A, max_steps=config.max_steps)
    paths = dict(zip(hops, solve.find_paths(list(hops.values()), potential, IMAGES, settings=settings), strict=True))
    numbers, problems = {}, {}
    for name, path in paths.items():
        forward, reverse = 1e3 * path.barrier_eV, 1e3 * path.reverse_barrier_eV
        if not path.converged:
            problems[name] = path.status
        elif min(forward, reverse) < SHELF_MEV:
            problems[name] = f"one end is left downhill ({min(forward, reverse):.2f} meV before it): no barrier"
        else:
            numbers[name] = {"forward_meV": forward, "reverse_meV": reverse}
    return numbers, problems


def judge(own: Numbers, other: Numbers) -> tuple[Verdict, ...]:
    """Largest difference of a barrier in either direction."""
    return (Verdict("sodium barrier", largest(own, other, apart), GOAL_MEV, "meV"),)
