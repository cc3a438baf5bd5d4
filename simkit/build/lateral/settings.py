"""Choices shared by the lateral builders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from simkit.build.checks import Limits
from simkit.errors import InputError


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
    """

    mode: str = "minedge"
    width_A: float = 8.0
    repeats: int | None = None
    strain: str = "equal"
    max_strain_percent: float = 4.0
    max_c_strain_percent: float = 8.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 1.0 <= self.width_A <= 100.0:
            raise InputError(f"width_A = {self.width_A!r}; a boundary is 1 to 100 A wide, 8 is usual.")
        if self.repeats is not None and not (isinstance(self.repeats, int) and self.repeats >= 1):
            raise InputError(f"repeats = {self.repeats!r}; give a whole number of periods along the line, or None.")
        if self.strain not in ("equal", "thickness", "fix:0", "fix:1"):
            raise InputError(f"strain = {self.strain!r}; use 'equal', 'thickness', 'fix:0' or 'fix:1'.")

    def to_dict(self) -> dict:
        """JSON-able record."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping) -> LateralSettings:
        """The settings a `to_dict` record describes."""
        return cls(**{**record, "limits": Limits(**record["limits"])})
