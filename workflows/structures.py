"""The [structure] table of a file: one checked record per kind of cell, each of which builds its cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from simkit import build
from simkit.config import Section
from simkit.errors import InputError, nearest
from simkit.workflows import composites
from simkit.workflows.committee import Config as CommitteeConfig
from simkit.workflows.records import made, section_of
from simkit.workflows.regions import BlockConfig, Kind, Part
from simkit.workflows.relax import Config as RelaxConfig

Built = build.Model | build.Composite
SettingsTable: type[Section] = section_of(build.Settings, ("closure",))


class About(Section):
    """What a cell stands for: system, nominal formula, where it was reported, what the report leaves open.

    system  in words, as "P2/O3"
    formula  of the whole cell
    per     what the formula is compared by: "anions" (two of them) or "metals" (one of them), for phases whose ratio
            of metals to anions is not that of the formula
    within  largest difference accepted; 0: one atom of the cell
    regions  formulas of single phases, as { O3 = "NaNi0.5Mn0.5O2" }, compared per metal within one atom of the phase
    atoms   how many atoms the cell has
    source  where it was reported
    assumed  sentences: what the report leaves open
    """

    system: str = ""
    formula: str = ""
    per: Literal["anions", "metals"] = "anions"
    within: float = Field(default=0.0, ge=0)
    regions: dict[str, str] = Field(default_factory=dict)
    atoms: int = Field(default=0, ge=0)
    source: str = ""
    assumed: list[str] = Field(default_factory=list)


class Request(Section):
    """What every file that builds a cell holds besides its [structure] table.

    name       title of the pictures and reports
    about      what the cell stands for
    seed       draws metals and ions; the same seed gives the same cell byte for byte
    potential  used by a study; `simkit build` takes --potential
    dtype      of the potential in a study
    device     of the potential in a study: auto, cpu, cuda or cuda:0
    relax      how --relax relaxes
    committee  what is done where the members of a potential "committee:A,B,C" are far apart
    """

    name: str = "study"
    about: About = About()
    seed: int = Field(default=0, ge=0)
    potential: str = "default"
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "auto"
    relax: RelaxConfig = RelaxConfig()
    committee: CommitteeConfig = CommitteeConfig()


class StackConfig(Kind):
    """Blocks from below, in-plane repeats, how strain is shared, and the largest strain accepted.

    closure   "auto", "strict" or "shear": whether the stack may close by a shear of its cell
    settings  less common choices
    """

    explained_by: ClassVar = (build.intergrowth,)
    kind: Literal["stack"] = "stack"
    blocks: list[BlockConfig] = Field(min_length=1)
    repeats: list[int] | list[list[int]] = Field(default_factory=lambda: [3, 3])
    strain: str = "equal"
    max_strain_percent: float = Field(default=4.0, gt=0)
    closure: str = "auto"
    settings: SettingsTable | None = None

    @field_validator("repeats")
    @classmethod
    def _square(cls, repeats: list) -> list:
        rows = [row if isinstance(row, list) else [row] for row in repeats]
        if len(rows) != 2 or any(len(row) != len(rows[0]) or len(row) > 2 for row in rows):
            raise ValueError("give two counts, as [3, 3], or a 2 x 2 matrix, as [[2, 1], [1, 2]]")
        return repeats

    @property
    def parts(self) -> list[Part]:
        """Phase and composition of every block."""
        return [block.part for block in self.blocks]

    def built(self, seed: int, heights: list[build.Heights] | None = None) -> build.Model:
        """The cell, from starting heights or from one record of heights per block."""
        own = heights or [None] * len(self.blocks)
        blocks = [block.block(h) for block, h in zip(self.blocks, own, strict=True)]
        settings = made(self.settings, build.Settings, closure=self.closure)
        if len(blocks) == 1:
            limit = self.max_strain_percent
            return build.bulk(blocks[0], self.repeats, seed, max_strain_percent=limit, settings=settings)
        return build.intergrowth(blocks, self.repeats, self.strain, seed, self.max_strain_percent, settings)


KINDS: Mapping[str, type[Section]] = {"stack": StackConfig, **composites.KINDS}
"""Value of structure.kind -> its table."""


def kind_of(data: Mapping[str, Any]) -> str:
    """Kind of the [structure] table of a file, "stack" when it names none. Raises InputError for an unknown one."""
    table = data.get("structure", {})
    kind = table.get("kind", "stack") if isinstance(table, Mapping) else "stack"
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"structure.kind = {kind!r} is no kind of cell; {nearest(str(kind), KINDS)}")
    return kind
