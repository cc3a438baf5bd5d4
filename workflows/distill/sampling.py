"""Cells to learn from: seeded draws over phases, joins, compositions, sodium contents and in-plane supercells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_validator

from simkit import build
from simkit.build.valence import RADII_A
from simkit.config import Section
from simkit.errors import InputError
from simkit.structure import Structure

PHASES = {"P2": 2, "O3": 3, "P3": 3, "O2": 2, "O1": 1, "OP4": 4, "OP2": 2}
"""Galleries of the smallest period of each phase."""
FAMILY_WEIGHTS = {
    "bulk": 0.66, "intergrowth": 0.22, "lateral": 0.02, "spinel": 0.04, "tunnel": 0.04, "rock-salt": 0.02
}  # fmt: skip
PHASE_WEIGHTS = (5.0, 5.0, 3.0, 2.0, 1.5, 1.5, 1.0)
PAIRS = (("P2", 2, "O3", 3), ("P2", 2, "O3", 1), ("P2", 2, "P3", 3), ("P2", 2, "P3", 1), ("O3", 3, "P3", 3),
         ("P2", 2, "O1", 1), ("O2", 2, "O3", 1), ("P2", 4, "O3", 1),
         ("O1", 1, "O3", 3), ("O1", 1, "P3", 3), ("OP4", 4, "P2", 2))  # fmt: skip
LATERALS = (("P3", 3, "O3", 3), ("O1", 1, "P3", 3), ("O1", 1, "O3", 3))
DILUTE = (
    ("O3", 1, (3, 3)),
    ("O3", 3, (3, 3)),
    ("O3", 1, (4, 3)),
    ("P2", 2, (3, 3)),
    ("P2", 2, (4, 2)),
    ("P3", 3, (3, 2)),
)
"""Phase, galleries and in-plane repeats of the cells in which sodium hops are followed."""
REPEATS = ((1, 1), (2, 1), (2, 2), (3, 1), (2, 3), build.ROOT3, build.orthogonal(1, 1), build.orthogonal(2, 1),
           build.orthogonal(3, 1), (3, 3))  # fmt: skip
CONTENTS = (0.0, 0.0, 0.25, 1 / 3, 0.5, 2 / 3, 2 / 3, 0.75, 0.85, 1.0)
"""Sodium contents drawn by name in most cells: charged hosts, the common orders and full layers."""
NEARLY = 0.15
"""Share of the layered cells whose galleries are one ion from empty or one vacancy from full."""
METALS_AT_MOST = 4
DOPANT_SHARE = (0.05, 0.35)
DOPED = 0.5
COUNTS = (0.35, 0.3, 0.2, 0.15)
"""Chances of one, two, three and four metals."""
DIRICHLET = 1.5
"""Concentration of the distribution of metal fractions: above 1, mixtures are likelier than pure metals."""
TRIES = 400
STRAIN_PERCENT = 20.0
"""Misfit allowed in these cells; they are there to teach what strain costs."""


Weights = dict[str, Annotated[float, Field(ge=0)]]
Content = Annotated[float, Field(ge=0, le=1)]


def _of(weights: dict[str, float], known: Collection[str], all_zero: bool) -> dict[str, float]:
    """Weights whose names are known and, unless they may, not all zero."""
    unknown = sorted(set(weights) - set(known))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} unknown; allowed are {', '.join(sorted(known))}")
    if not all_zero and not any(weights.values()):
        raise ValueError("at least one weight above 0 is wanted")
    return weights


@dataclass(frozen=True)
class Stratum:
    """A family of cells, and for bulk ones a phase."""

    family: str
    phase: str = ""


class Sampling(Section):
    """Which cells are drawn.

    metals       weight of each metal that slabs are made of
    dopants      weight of each metal that takes a part of a slab (`DOPANT_SHARE`), in half of the cells
    families     weight of each kind of cell: bulk, intergrowth, lateral, spinel, tunnel, rock-salt, dilute
    phases       weight of each phase in bulk cells; `PHASE_WEIGHTS` where it is left out
    contents     sodium contents of bulk, intergrown and lateral cells; where it is left out `CONTENTS`, and any other
    most_metals  different metals of a slab at most, dopants aside; `METALS_AT_MOST` where it is left out
    bases        cells drawn for the first round, or for the stage of polish that asks for them
    smallest, largest  atoms of a cell; lateral, tunnel and dilute ones may hold `largest_joined`
    relax_steps  steps that the teacher relaxes each cell
    variants     rattled, strained, glided ... copies made of each relaxed cell
    force_limit_eV_per_A  structures with a larger force are left out
    """

    metals: Weights
    dopants: Weights = Field(default_factory=dict)
    families: Weights = Field(default_factory=lambda: dict(FAMILY_WEIGHTS))
    phases: Weights | None = None
    contents: Annotated[tuple[Content, ...], Field(strict=False, min_length=1)] | None = None
    most_metals: Annotated[int, Field(ge=1, le=METALS_AT_MOST)] | None = None
    bases: Annotated[int, Field(ge=1)] = 500
    smallest: Annotated[int, Field(ge=1)] = 8
    largest: Annotated[int, Field(ge=1)] = 72
    largest_joined: Annotated[int, Field(ge=1)] = 340
    relax_steps: Annotated[int, Field(ge=1)] = 6
    variants: Annotated[int, Field(ge=0)] = 4
    force_limit_eV_per_A: Annotated[float, Field(gt=0)] = 15.0

    @field_validator("metals", "dopants")
    @classmethod
    def known_metals(cls, weights: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        """Refuse metals that no slab takes, and metals of no weight at all."""
        return _of(weights, RADII_A, all_zero=info.field_name == "dopants")

    @field_validator("families")
    @classmethod
    def known_families(cls, weights: dict[str, float]) -> dict[str, float]:
        """Refuse families that nobody draws, and families of no weight at all."""
        return _of(weights, FAMILIES, all_zero=False)

    @field_validator("phases")
    @classmethod
    def known_phases(cls, weights: dict[str, float] | None) -> dict[str, float] | None:
        """Refuse phases that are not drawn, and phases of no weight at all."""
        return None if weights is None else _of(weights, PHASES, all_zero=False)

    @model_validator(mode="after")
    def room(self) -> Self:
        """Refuse bounds without any number of atoms between them."""
        if self.smallest > self.largest:
            raise ValueError(f"smallest = {self.smallest} is above largest = {self.largest}; exchange them")
        return self

    @property
    def elements(self) -> tuple[str, ...]:
        """All elements that cells may hold: sodium, oxygen, metals and dopants of a weight above 0."""
        return tuple(sorted({"Na", "O", *_positive(self.metals), *_positive(self.dopants)}))


@dataclass(frozen=True, eq=False)
class Base:
    """A cell as built: its phase or phases, whether its slabs can glide, the seed of everything done to it, and
    whether it is a wide one of few vacancies, in which hops are followed."""

    structure: Structure
    group: str
    stacked: bool
    stream: tuple[int, ...]
    wide: bool = False


def draw(settings: Sampling, stream: Sequence[int], only: Stratum | None = None) -> Base:
    """The cell that a stream of numbers (seed, round, index) names; draws that no builder accepts are drawn again.

    only: the family, and for bulk cells the phase, that the cell is to have. The order of tables does not matter.
    Raises InputError when `TRIES` draws in a row are refused (metals without any common valence, for example).
    """
    generator = np.random.default_rng(list(stream))
    weights = _positive(settings.families)
    unknown = sorted(set(weights) - set(FAMILIES))
    if unknown:
        raise InputError(f"families of sampling: {', '.join(unknown)} unknown; allowed are {', '.join(FAMILIES)}.")
    drawn = list(weights)[generator.choice(len(weights), p=_normalised(weights.values()))]
    family, phase = (drawn, "") if only is None else (only.family, only.phase)
    largest = settings.largest_joined if family in ("lateral", "tunnel", "dilute") else settings.largest
    refusal = ""
    for _ in range(TRIES):
        try:
            group, structure = _bulk(generator, settings, phase) if phase else FAMILIES[family](generator, settings)
        except InputError as error:
            refusal = str(error)
            continue
        if settings.smallest <= len(structure) <= largest:
            return Base(structure, group, family in STACKED, tuple(stream), family == "dilute")
        refusal = f"a cell of {len(structure)} atoms"
    raise InputError(f"no {phase or family} cell in {TRIES} draws; the last was refused: {refusal}")


def _bulk(generator: np.random.Generator, settings: Sampling, phase: str = "") -> tuple[str, Structure]:
    weights = dict(zip(PHASES, PHASE_WEIGHTS, strict=True)) if settings.phases is None else _positive(settings.phases)
    phase = phase or list(weights)[generator.choice(len(weights), p=_normalised(weights.values()))]
    repeats = REPEATS[generator.integers(len(REPEATS))]
    block = _block(generator, settings.contents, phase, PHASES[phase], _fractions(generator, settings), _cells(repeats))
    model = build.bulk(block, repeats, seed=_seed(generator), max_strain_percent=STRAIN_PERCENT)
    return phase, model.structure


def _intergrowth(generator: np.random.Generator, settings: Sampling) -> tuple[str, Structure]:
    left, m, right, n = PAIRS[generator.integers(len(PAIRS))]
    fractions = _fractions(generator, settings)
    other = fractions if generator.random() < 0.5 else _fractions(generator, settings)
    repeats = REPEATS[generator.integers(len(REPEATS))]
    cells = _cells(repeats)
    each = ((left, m, fractions), (right, n, other))
    blocks = [_block(generator, settings.contents, phase, gaps, metals, cells) for phase, gaps, metals in each]
    model = build.intergrowth(blocks, repeats, seed=_seed(generator), max_strain_percent=STRAIN_PERCENT)
    return f"{left}+{right}", model.structure


def _lateral(generator: np.random.Generator, settings: Sampling) -> tuple[str, Structure]:
    left, m, right, n = LATERALS[generator.integers(len(LATERALS))]
    fractions = _fractions(generator, settings)
    contents = settings.contents
    blocks = [_block(generator, contents, phase, gaps, fractions) for phase, gaps in ((left, m), (right, n))]
    lengths = (10.0 + 2.0 * generator.random(), 10.0)
    model = build.lateral(*blocks, lengths_A=lengths, seed=_seed(generator))
    return f"{left}|{right}", model.structure


def _spinel(generator: np.random.Generator, settings: Sampling) -> tuple[str, Structure]:
    fractions = _fractions(generator, settings)
    filling = {"Na": float(generator.choice([0.0, 0.5, 1.0, 1.0]))}
    spinel = build.Block("spinel", 3, metals=fractions, tetrahedral={k: v for k, v in filling.items() if v})
    if generator.random() < 0.6:
        return "spinel", build.bulk(spinel, (2, 2), seed=_seed(generator), max_strain_percent=STRAIN_PERCENT).structure
    layered = _block(generator, settings.contents, "P2", 2, fractions)
    thin = build.Block("spinel", 2, metals=fractions, tetrahedral=spinel.tetrahedral)
    model = build.intergrowth([layered, thin], (2, 2), seed=_seed(generator), max_strain_percent=STRAIN_PERCENT)
    return "P2+spinel", model.structure


def _tunnel(generator: np.random.Generator, settings: Sampling) -> tuple[str, Structure]:
    content = float(generator.choice([0.0, 2 / 9, 1 / 3, 4 / 9, 4 / 9]))
    composition = build.Composition(metals=_fractions(generator, settings), content=content)
    cells = 1 if generator.random() < 0.6 else 2
    return "tunnel", build.tunnel_bulk(composition, (1, 1, cells), seed=_seed(generator)).structure


def _rock_salt(generator: np.random.Generator, settings: Sampling) -> tuple[str, Structure]:
    block = build.Block("rock-salt", 3, metals=_fractions(generator, settings))
    repeats = REPEATS[generator.integers(1, 5)]
    model = build.bulk(block, repeats, seed=_seed(generator), max_strain_percent=STRAIN_PERCENT)
    return "rock-salt", model.structure


def _dilute(generator: np.random.Generator, settings: Sampling) -> tuple[str, Structure]:
    """A wide cell of one phase with one or two vacancies in a full layer, or sodium enough to hop among."""
    phase, gaps, wide = DILUTE[generator.integers(len(DILUTE))]
    sites = gaps * wide[0] * wide[1]
    few = 1.0 - float(generator.integers(1, 3)) / sites
    content = few if phase != "P2" and generator.random() < 0.7 else float(generator.uniform(0.4, 0.9))
    block = build.Block(phase, gaps, metals=_fractions(generator, settings), content=content)
    return phase, build.bulk(block, wide, seed=_seed(generator), max_strain_percent=STRAIN_PERCENT).structure


def _cells(repeats: Sequence) -> int:
    """Primitive cells in the plane of one supercell."""
    matrix = np.diag(repeats) if np.ndim(repeats) == 1 else np.asarray(repeats)
    return abs(round(float(np.linalg.det(matrix))))


def _block(
    generator: np.random.Generator,
    contents: tuple[float, ...] | None,
    phase: str,
    gaps: int,
    metals: dict[str, float],
    cells: int = 0,
) -> build.Block:
    """A phase with a drawn sodium content; prismatic galleries sometimes with both kinds of site filled.

    contents: those to draw from, None for any; cells: primitive cells in the plane, from which one ion or one vacancy
    follows; 0 where they are not known yet.
    """
    if contents is not None:
        content = float(generator.choice(contents))
    else:
        content = float(generator.choice(CONTENTS)) if generator.random() < 0.6 else float(generator.random())
        if generator.random() < NEARLY and cells:
            one = 1.0 / (gaps * cells)
            content = one if generator.random() < 0.5 else 1.0 - one
    prismatic = phase in ("P2", "P3")
    sites = "mixed" if prismatic and generator.random() < 0.5 else "auto"
    return build.Block(phase, gaps, metals=metals, content=content, sites=sites)


def _fractions(generator: np.random.Generator, settings: Sampling) -> dict[str, float]:
    """Metals drawn by weight with fractions from a Dirichlet distribution, and in half of the cells dopants."""
    chosen = _drawn(generator, settings.metals, settings.most_metals or METALS_AT_MOST)
    if not _positive(settings.dopants) or generator.random() >= DOPED:
        return chosen
    dopants = _drawn(generator, settings.dopants, 2)
    share = generator.uniform(*DOPANT_SHARE)
    mixed = {name: (1.0 - share) * part for name, part in chosen.items()}
    return {name: mixed.get(name, 0.0) + share * dopants.get(name, 0.0) for name in {**mixed, **dopants}}


def _drawn(generator: np.random.Generator, weights: Mapping[str, float], most: int) -> dict[str, float]:
    """One to `most` names and their fractions."""
    weights = _positive(weights)
    names = list(weights)
    most = min(most, len(names))
    count = 1 + int(generator.choice(most, p=_normalised(COUNTS[:most])))
    chosen = generator.choice(len(names), size=count, replace=False, p=_normalised(weights.values()))
    shares = generator.dirichlet(np.full(count, DIRICHLET))
    return {names[int(i)]: float(share) for i, share in zip(chosen, shares, strict=True)}


def _positive(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights above 0 in the order of their names, so that the order of a table does not change a draw."""
    return {name: weights[name] for name in sorted(weights) if weights[name] > 0.0}


def _normalised(weights: Iterable[float]) -> np.ndarray:
    """Weights as probabilities. Raises InputError where they cannot be."""
    values = np.array(list(weights), dtype=np.float64)
    if not len(values) or not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise InputError(f"weights {values.tolist()} are wanted at least 0, not all 0.")
    return values / values.sum()


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**31))


FAMILIES: dict[str, Callable[[np.random.Generator, Sampling], tuple[str, Structure]]] = {
    "bulk": _bulk,
    "intergrowth": _intergrowth,
    "lateral": _lateral,
    "spinel": _spinel,
    "tunnel": _tunnel,
    "rock-salt": _rock_salt,
    "dilute": _dilute,
}
STACKED = ("bulk", "intergrowth", "dilute")
