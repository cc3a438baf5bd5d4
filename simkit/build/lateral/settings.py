"""Choices shared by the lateral builders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from simkit.build.arguments import require_kind, require_number, require_text, require_whole
from simkit.build.checks import Limits
from simkit.build.lateral.burgers import MODES
from simkit.errors import InputError, nearest

STRAINS = ("equal", "thickness", "fix:0", "fix:1")


@dataclass(frozen=True)
class LateralSettings:
    """Less common choices of the lateral builders.

    mode      "minedge" or "minburgers" (`slips`)
    width_A   width w of the step f = (1 + erf(2 x / w)) / 2 over which the slabs slip, A
    repeats   periods along the boundary line; None: the fewest that keep images 8 A apart
    strain    common lattice parameter along the line: "equal" mean of the two, "thickness" weighted by the lengths
              of the domains, "fix:0" or "fix:1" that of the left or right phase
    max_strain_percent    largest strain of a domain along the line
    max_c_strain_percent  largest strain of a domain along the stacking axis, which both share
    limits    what the finished cell must keep

    Raises InputError for an unknown word or a number out of range.
    """

    mode: str = "minedge"
    width_A: float = 8.0
    repeats: int | None = None
    strain: str = "equal"
    max_strain_percent: float = 4.0
    max_c_strain_percent: float = 8.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "width_A", require_number("width_A", self.width_A, 1.0, 100.0))
        if self.repeats is not None:
            put(self, "repeats", require_whole("repeats", self.repeats, 1, 1000))
        for name in ("max_strain_percent", "max_c_strain_percent"):
            put(self, name, require_number(name, getattr(self, name), 0.0, 100.0))
        for name, allowed in (("mode", MODES), ("strain", STRAINS)):
            if require_text(name, getattr(self, name)) not in allowed:
                raise InputError(
                    f"{name} = {getattr(self, name)!r} is unknown; {nearest(getattr(self, name), allowed)}"
                )
        require_kind("limits", self.limits, Limits, "Limits(oxygen_oxygen_A=2.3)")

    def to_dict(self) -> dict:
        """JSON-able record."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping) -> LateralSettings:
        """The settings a `to_dict` record describes."""
        return cls(**{**record, "limits": Limits(**record["limits"])})
