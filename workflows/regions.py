"""Tables that say what fills a part of a cell: a composition, a block of a stack, a domain of any shape."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, ClassVar

from pydantic import Field

from simkit import build, io
from simkit.config import Section
from simkit.errors import InputError
from simkit.workflows.records import made, section_of

COMPOSED = tuple(field.name for field in fields(build.Composition))
SHAPED = tuple(field.name for field in fields(build.Block) if field.name not in (*COMPOSED, "phase", "gaps", "heights"))
"""Fields of a block beside its composition, phase, size and heights."""

OTHER_ALKALI = ("Li", "K")
"""Ions that a formula is read for only when `alkali` names them."""
METALS_BETWEEN = {
    "spinel": "the octahedral metals and the tetrahedral cations, as metals = { Mn = 1.0 }, tetrahedral = { Li = 1.0 }",
    "rock-salt": "its cations, as metals = { Ni = 1.0 }",
}
"""Phases whose galleries hold metals -> what fills them."""

Part = tuple[str, build.Composition]
"""A phase and what fills it."""

CompositionTable: type[Section] = section_of(build.Composition)
HeightsTable: type[Section] = section_of(build.Heights)
ShapeTable: type[Section] = section_of(build.Block, (*COMPOSED, "phase", "gaps", "heights"))


class Kind(Section):
    """A [structure] table.

    kind  which cell it is
    """


class CompositionConfig(CompositionTable):
    """Composition of one region: a formula, or metals and the rest; what is given beside a formula replaces its part.

    formula  decimals or fractions, nested brackets; its mobile element is `alkali`, which a formula with Li or K names
    in_slab, normalise: see `build.parse_formula`
    """

    explained_by: ClassVar = (build.parse_formula,)
    stated: ClassVar = {
        "metals": "needed, unless there is a formula or a gradient",
        "content": "default: of the formula, or 1",
    }

    formula: str | None = None
    in_slab: dict[str, float] | None = None
    normalise: bool = False

    @property
    def composition(self) -> build.Composition:
        """The checked composition. Raises InputError where neither a formula nor metals are given."""
        return self._composed(self.metals)

    def _composed(self, metals: Any) -> build.Composition:
        given = {name: getattr(self, name) for name in COMPOSED if getattr(self, name) is not None}
        if metals is not None:
            given["metals"] = metals
        if self.formula is None and (self.in_slab is not None or self.normalise):
            name = "normalise" if self.in_slab is None else "in_slab"
            raise InputError(f"{name} says how a formula is read, and there is none; give a formula or leave it out.")
        if self.formula is not None:
            self._require_readable(self.formula)
            read = build.parse_formula(self.formula, self.alkali or "Na", self.in_slab, self.normalise)
            return build.Composition(**{**read, **given})
        if metals is None:
            raise InputError("a block names neither metals nor a formula; write metals = { Ni = 0.5, Mn = 0.5 }.")
        return build.Composition(**given)

    def _require_readable(self, formula: str) -> None:
        """Raise InputError where the formula has another alkali than sodium, and nothing says that it is the ion."""
        found = build.formula_amounts(formula)
        others = [symbol for symbol in OTHER_ALKALI if found.get(symbol)]
        if self.alkali is None and self.content is None and others and not found.get("Na"):
            raise InputError(
                f"{formula!r} holds {' and '.join(others)} and no Na, the ion that is taken where none is named; "
                f'add alkali = "{others[0]}".'
            )


class PhaseConfig(CompositionConfig, ShapeTable):
    """A phase with its composition, and the heights it has alone; left out, they follow from ionic radii.

    phase  a name of a phase, or a short label where a pattern or a file is given
    """

    phase: str
    heights: HeightsTable | None = None

    def _require_readable(self, formula: str) -> None:
        """Raise InputError also for a formula of a phase whose galleries hold metals."""
        if self.phase in METALS_BETWEEN:
            raise InputError(
                f"phase {self.phase!r} with formula = {formula!r}: a formula does not say which cation is on which "
                f"site there; write {METALS_BETWEEN[self.phase]}."
            )
        super()._require_readable(formula)

    def sized(self, gaps: int, heights: build.Heights | None = None) -> build.Block:
        """The checked block of so many galleries, with `heights` where given and the file's own (or its cell) else."""
        own = None if self.heights is None else made(self.heights, build.Heights)
        parts = {name: getattr(self.composition, name) for name in COMPOSED}
        more = {name: getattr(self, name) for name in SHAPED if getattr(self, name) is not None}
        if heights is not None:
            more.pop("cell", None)
        return build.Block(self.phase, gaps, heights=heights or own, **parts, **more)

    @property
    def part(self) -> Part:
        """Phase and composition."""
        return self.phase, self.composition


class GradientConfig(Section):
    """Metals of the lowest and of the highest slab of a block; those between follow linearly (`build.gradient`).

    start, end  fraction of each metal, summing to 1
    """

    start: dict[str, float]
    end: dict[str, float]


class BlockConfig(PhaseConfig):
    """One block: phase, number of galleries, composition; or a layered structure file, taken as it is.

    gaps      number of galleries, a multiple of the pattern of the phase; left out with a file
    file      a layered structure: besides it only `phase` is named, and `gaps` may be
    gradient  metals that change from slab to slab, instead of `metals`
    """

    gaps: int | None = Field(default=None, gt=0)
    file: str | None = None
    gradient: GradientConfig | None = None

    @property
    def composition(self) -> build.Composition:
        """The checked composition, one table of metals per slab where there is a gradient."""
        if self.gradient is None:
            return super().composition
        if self.metals is not None:
            raise InputError(f"block {self.phase} has metals and a gradient, which is instead of metals; give one.")
        return self._composed(build.gradient(self.gradient.start, self.gradient.end, self._sized_gaps()))

    def block(self, heights: build.Heights | None = None) -> build.Block:
        """The checked block. Raises InputError where neither galleries nor a file are given, or both disagree."""
        if self.file is None:
            return self.sized(self._sized_gaps(), heights)
        self._require_file_alone()
        read = build.layered_block(io.read(self.file), self.phase)
        if self.phase in build.PHASES and read.pattern is not None:
            raise InputError(
                f"{self.file} holds galleries {' '.join(read.gap_names)}, which is no {self.phase}; name the phase it "
                "is, or a label of your own."
            )
        if self.gaps not in (None, read.gaps):
            raise InputError(f"{self.file} has {read.gaps} galleries and gaps = {self.gaps}; leave gaps out.")
        return read if heights is None else replace(read, heights=heights)

    def _sized_gaps(self) -> int:
        if self.gaps is None:
            raise InputError(f"gaps is missing in block {self.phase}; say how many galleries it has.")
        return self.gaps

    def _require_file_alone(self) -> None:
        """Raise InputError where a block from a file is also told what it holds: the file says that."""
        beside = ("file", "phase", "gaps")
        given = [name for name in type(self).model_fields if name in self.model_fields_set and name not in beside]
        told = [name for name in given if getattr(self, name) not in (None, False) or name == "content"]
        if told:
            raise InputError(
                f"block {self.phase} is read from {self.file} and names {', '.join(told)} as well; what it holds "
                "follows from the file: leave these out, or build the block without a file."
            )

    @property
    def part(self) -> Part:
        """Phase and composition."""
        return self.phase, self.composition if self.file is None else self.block().composition


class DomainConfig(PhaseConfig):
    """A phase inside a shape; it has the galleries of its matrix.

    shape  a table, as shape = { shape = "prism", radius_A = 9.0 }
    """

    shape: dict[str, Any]

    def domain(self, gaps: int) -> build.Domain:
        """The checked domain in a matrix of so many galleries."""
        return build.Domain(self.sized(gaps), build.shape_from_dict(self.shape))
