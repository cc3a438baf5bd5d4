"""Single-slab moves of an intergrowth beside those of its pure phases, over sodium contents and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from simkit import build, io, solve
from simkit.config import Section
from simkit.errors import InputError
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.structure import Structure
from simkit.workflows import gliding_slabs, relax
from simkit.workflows.cells import blocks_of, intergrowth, named, phase_cells, phase_names, strained_to
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.findings import foreign_galleries
from simkit.workflows.gliding_slabs import Move
from simkit.workflows.structures import Request, StackConfig

OUTCOMES = (solve.Outcome, Evaluation, Spread)


class Over(Section):
    """What the study is repeated over.

    contents  alkali per metal, given to every block alike; none: as the blocks have it, once
    seeds     arrangements of metals and ions
    """

    contents: list[float] = Field(default_factory=list)
    seeds: list[int] = Field(default_factory=lambda: [0], min_length=1)


class Config(Request):
    """A study of the lock: the stack, how single slabs glide, and the contents and seeds it is repeated over."""

    structure: StackConfig
    slabs: gliding_slabs.Config = gliding_slabs.Config()
    over: Over = Over()


@dataclass(frozen=True, eq=False)
class Case:
    """One content and seed: what was reached, the relaxed cells by name, and the moves of each.

    shared  slabs of the intergrowth between two phases
    problem why there are no moves, "" where there are
    """

    content: float | None
    seed: int
    label: str
    cells: dict[str, Structure]
    shared: tuple[int, ...]
    moves: tuple[Move, ...]
    problem: str = ""

    @property
    def name(self) -> str:
        """As the content and seed say."""
        return f"{'as built' if self.content is None else f'x = {self.content:g}'}, seed {self.seed}"

    def of(self, name: str) -> list[Move]:
        """Converged moves of one cell; of the intergrowth those of its shared slabs."""
        shared = set(self.shared) if name == self.label else None
        return [m for m in self.moves if m.structure == self._key(name) and (shared is None or m.slab in shared)]

    def _key(self, name: str) -> str:
        return f"{self.name} {name}"


@dataclass(frozen=True)
class Result:
    """label of the intergrowth, phases, one case for each content and seed."""

    label: str
    phases: tuple[str, ...]
    cases: tuple[Case, ...]

    @property
    def converged(self) -> bool:
        """Whether every case has its moves and every point converged."""
        return all(not case.problem and all(m.converged for m in case.moves) for case in self.cases)

    def to_ase(self) -> dict[str, Any]:
        """Relaxed cells as ase.Atoms by case and name."""
        return {f"{c.name} {name}": io.to_ase(s) for c in self.cases for name, s in c.cells.items()}


def run(config: Config, potential: Potential, hooks: Hooks = QUIET) -> Result:
    """Relax the intergrowth and its phases at the common lattice for every content and seed, then glide single slabs.

    The phases have the content of the intergrowth's blocks and its in-plane lattice. Each kind of relaxation and all
    the moves are one batch over all cases. A phase or intergrowth that loses its stacking, or breaks down, leaves its
    case without moves and with a sentence. Raises InputError for cells that cannot be built.
    """
    names = tuple(dict.fromkeys(phase_names(config.structure)))
    label = "/".join(names)
    if len(names) < 2:
        raise InputError("one phase has no lock to compare; give the structure blocks of two phases.")
    asked = {(x, s): _at(config, x) for x in config.over.contents or [None] for s in config.over.seeds}
    phases = _phases(config, potential, asked, hooks)
    problems = {key: _changed(cells) for key, cells in phases.items()}
    good = {key: stack for key, stack in asked.items() if not problems[key]}
    whole = _wholes(config, potential, good, phases, hooks)
    problems |= {key: _lost(label, outcome) for key, outcome in whole.items()}
    held = {key: outcome for key, outcome in whole.items() if not problems[key]}
    strained = _strained(config, potential, held, phases, hooks)
    cells = {key: {label: held[key].structure, **strained[key]} for key in held}
    keys = {key: Case(*key, label, {}, (), ()).name for key in asked}
    given = {f"{keys[key]} {name}": s for key, own in cells.items() for name, s in own.items()}
    moves = gliding_slabs.run(config.slabs, potential, given, hooks, "lock").moves if given else ()
    cases = []
    for key in asked:
        own = cells.get(key, {})
        mine = tuple(m for m in moves if m.structure in {f"{keys[key]} {name}" for name in own})
        shared = shared_slabs(own[label]) if own else ()
        cases.append(Case(*key, label, own, shared, mine, problems[key]))
    return Result(label, names, tuple(cases))


def _at(config: Config, content: float | None) -> StackConfig:
    """The stack with one content in every block."""
    if content is None:
        return config.structure
    blocks = [block.model_copy(update={"content": content}) for block in config.structure.blocks]
    return config.structure.model_copy(update={"blocks": blocks})


def _phases(config: Config, potential: Potential, asked: Mapping, hooks: Hooks) -> dict:
    """Relaxed phases by case and name, in one batch."""
    cells = {
        (key, name): model.structure
        for key, stack in asked.items()
        for name, model in phase_cells(stack, key[1]).items()
    }
    return _by_case(_relaxed(config.relax, potential, cells, hooks, "lock-phases"))


def _wholes(config: Config, potential: Potential, asked: Mapping, phases: Mapping, hooks: Hooks) -> dict:
    """Relaxed intergrowths by case, from the heights of their own phases, in one batch."""
    cells = {}
    for key, stack in asked.items():
        blocks = dict(zip(phase_names(stack), blocks_of(stack), strict=True))
        heights = {n: build.harvest(o.structure, blocks[n].distorted) for n, o in phases[key].items()}
        cells[key, ""] = named(intergrowth(stack, key[1], heights), stack).structure
    found = _by_case(_relaxed(config.relax, potential, cells, hooks, "lock-intergrowths"))
    return {key: own[""] for key, own in found.items()}


def _strained(config: Config, potential: Potential, whole: Mapping, phases: Mapping, hooks: Hooks) -> dict:
    """The phases of every case at the in-plane lattice of its intergrowth, relaxed along the normal, in one batch."""
    settings = config.relax.model_copy(update={"cell": "c"})
    cells = {
        (key, name): strained_to(o.structure, whole[key].structure.cell)
        for key in whole
        for name, o in phases[key].items()
    }
    found = _by_case(_relaxed(settings, potential, cells, hooks, "lock-strained"))
    return {key: {name: o.structure for name, o in own.items()} for key, own in found.items()}


def _relaxed(settings: relax.Config, potential: Potential, cells: Mapping, hooks: Hooks, name: str) -> dict:
    if not cells:
        return {}
    structures = {str(k): cell for k, cell in enumerate(cells.values())}
    outcomes = relax.run(settings, potential, structures, hooks, name).outcomes
    return dict(zip(cells, outcomes.values(), strict=True))


def _by_case(found: Mapping) -> dict:
    cases: dict = {}
    for (key, name), outcome in found.items():
        cases.setdefault(key, {})[name] = outcome
    return cases


def _changed(cells: Mapping[str, solve.Outcome]) -> str:
    """Why the phases of a case cannot be used, or nothing."""
    for name, outcome in cells.items():
        trouble = _lost(name, outcome)
        if trouble:
            return trouble
        kinds = foreign_galleries(name, outcome.structure)
        if kinds:
            return f"{name} turned into galleries of kind {', '.join(kinds)} when relaxed alone"
    return ""


def _lost(name: str, outcome: solve.Outcome) -> str:
    if outcome.failed:
        return f"{name}: {outcome.status}"
    try:
        build.classify(outcome.structure)
    except InputError as error:
        return f"{name} lost its layers when relaxed: {error}"
    return ""


def shared_slabs(structure: Structure) -> tuple[int, ...]:
    """Slabs between galleries of two phases, by the tags of a built intergrowth."""
    count = int(structure.layers.max()) + 1
    owner = [str(structure.tags["phase"][structure.layers == j][0]) for j in range(count)]
    return tuple(j for j in range(count) if owner[j - 1] != owner[j])
