"""Tables that say what fills a part of a cell: a composition, a block of a stack, a domain of any shape."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from pydantic import Field

from simkit import build, io
from simkit.config import Section
from simkit.errors import InputError
from simkit.workflows.records import made, section_of

COMPOSED = tuple(field.name for field in fields(build.Composition))
SHAPED = tuple(field.name for field in fields(build.Block) if field.name not in (*COMPOSED, "phase", "gaps", "heights"))
"""Fields of a block beside its composition, phase, size and heights."""

Part = tuple[str, build.Composition]
"""A phase and what fills it."""

CompositionTable: type[Section] = section_of(build.Composition)
HeightsTable: type[Section] = section_of(build.Heights)
ShapeTable: type[Section] = section_of(build.Block, (*COMPOSED, "phase", "gaps", "heights"))


class CompositionConfig(CompositionTable):
    """Composition of one region: a formula, or metals and the rest; what is given beside a formula replaces its part.

    in_slab, normalise: how a formula is read, see `build.parse_formula`; its mobile element is `alkali`
    """

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
            read = build.parse_formula(self.formula, self.alkali or "Na", self.in_slab, self.normalise)
            return build.Composition(**{**read, **given})
        if metals is None:
            raise InputError("a block names neither metals nor a formula; write metals = { Ni = 0.5, Mn = 0.5 }.")
        return build.Composition(**given)


class PhaseConfig(CompositionConfig, ShapeTable):
    """A phase with its composition, and the heights it has alone; left out, they follow from ionic radii."""

    phase: str
    heights: HeightsTable | None = None

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
    """Metals of the lowest and of the highest slab of a block; those between follow linearly (`build.gradient`)."""

    start: dict[str, float]
    end: dict[str, float]


class BlockConfig(PhaseConfig):
    """One block: phase, number of galleries, composition; or a layered structure file, taken as it is.

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
    """A phase inside a shape, as shape = { shape = "prism", radius_A = 9.0 }; it has the galleries of its matrix."""

    shape: dict[str, Any]

    def domain(self, gaps: int) -> build.Domain:
        """The checked domain in a matrix of so many galleries."""
        return build.Domain(self.sized(gaps), build.shape_from_dict(self.shape))
