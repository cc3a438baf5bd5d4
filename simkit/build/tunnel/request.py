"""What a layered | tunnel cell is asked to be: records that go into recipes and come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from simkit.build.composition import Composition
from simkit.build.tunnel.bulk import DEFAULT
from simkit.build.tunnel.join import Contact
from simkit.build.tunnel.phase import TunnelLattice
from simkit.build.tunnel.registry import Clearance
from simkit.build.tunnel.strain import Constants
from simkit.errors import InputError, nearest

OXYGEN = ("keep", "sodium")


@dataclass(frozen=True)
class TunnelBlock:
    """The tunnel side of an interface.

    layers       lattice planes across the interface; None: the fewest that are 15 A thick
    composition  what fills it; content is alkali per metal, 0 to 8/18
    lattice      its lattice parameters
    """

    layers: int | None = None
    composition: Composition = DEFAULT
    lattice: TunnelLattice = field(default_factory=TunnelLattice)

    def to_dict(self) -> dict:
        """JSON-able record."""
        return {"layers": self.layers, "composition": self.composition.to_dict(), "lattice": asdict(self.lattice)}

    @classmethod
    def from_dict(cls, record: Mapping) -> TunnelBlock:
        """The block a `to_dict` record describes."""
        return cls(record["layers"], Composition(**record["composition"]), TunnelLattice(**record["lattice"]))


@dataclass(frozen=True)
class InterfaceSettings:
    """Less common choices of `tunnel_interface`.

    oxygen              "keep": whole polyhedra on both sides; "sodium": alkali ions in the voids of the interfaces
                        make up for the anions beyond two per metal
    ions                alkali ions in interface voids with "sodium", per cell along the chain; None: as many as the
                        spare anions ask for, or as fit
    chain               cells along the shared axis (2.86 A each); 3 keeps images 8 A apart
    rows                periods sqrt(3) a of a head-on layered block across the interface
    periods             lattice periods across the axis (tunnel, layered); None: the fewest within max_misfit_percent
    max_misfit_percent  of the periods across the axis
    max_strain_percent  of either block in any direction
    contact             registry grid, least distances, extra opening of each interface
    constants           elastic constants of the layered and the tunnel block, GPa, in the frame of the interface;
                        needed by strain="elastic", and with them heights follow Poisson

    Raises InputError for an unknown word or a number out of range.
    """

    oxygen: str = "keep"
    ions: int | None = None
    chain: int = 1
    rows: int = 4
    periods: tuple[int, int] | None = None
    max_misfit_percent: float = 3.0
    max_strain_percent: float = 4.0
    contact: Contact = field(default_factory=Contact)
    constants: tuple[Constants, Constants] | None = None

    def __post_init__(self) -> None:
        if self.oxygen not in OXYGEN:
            raise InputError(f"oxygen = {self.oxygen!r} is unknown; {nearest(str(self.oxygen), OXYGEN)}")
        if self.ions is not None and (self.oxygen != "sodium" or self.ions < 0):
            raise InputError(f"ions = {self.ions!r} needs oxygen='sodium' and a number of 0 or more.")
        counts = {"chain": self.chain, "rows": self.rows}
        if self.periods is not None:
            object.__setattr__(self, "periods", tuple(self.periods))
            counts |= dict(zip(("periods[0]", "periods[1]"), self.periods, strict=True))
        for name, value in counts.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} = {value!r}; it must be a whole number, at least 1.")

    @classmethod
    def from_dict(cls, record: Mapping) -> InterfaceSettings:
        """The settings an `asdict` record describes, also after a round trip through JSON."""
        return cls(**{**record, "contact": contact_from_dict(record["contact"])})


def contact_from_dict(record: Mapping) -> Contact:
    """The contact an `asdict` record describes."""
    clearance = Clearance(**record["clearance"])
    return Contact(tuple(record["grid"]), clearance, tuple(record["extra_A"]))
