"""What a layered | tunnel cell is asked to be: records that go into recipes and come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from simkit.build.arguments import require_kind, require_list, require_number, require_whole
from simkit.build.composition import Composition
from simkit.build.strain import stiffness
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

    Raises InputError for less than one layer, or anything that is no such record.
    """

    layers: int | None = None
    composition: Composition = DEFAULT
    lattice: TunnelLattice = field(default_factory=TunnelLattice)

    def __post_init__(self) -> None:
        if self.layers is not None:
            object.__setattr__(self, "layers", require_whole("layers of the tunnel block", self.layers, 1))
        require_kind("composition", self.composition, Composition, "Composition({'Mn': 1.0}, content=0.44)")
        if self.lattice is None:
            object.__setattr__(self, "lattice", TunnelLattice())
        require_kind("lattice", self.lattice, TunnelLattice, "TunnelLattice(9.09, 26.42, 2.826)")

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

    Raises InputError for an unknown word, a number out of range, or anything that is no such record.
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
        put = object.__setattr__
        if self.oxygen not in OXYGEN:
            raise InputError(f"oxygen = {self.oxygen!r} is unknown; {nearest(str(self.oxygen), OXYGEN)}")
        if self.ions is not None:
            put(self, "ions", require_whole("ions", self.ions, 0))
            if self.oxygen != "sodium":
                raise InputError(f"ions = {self.ions} needs oxygen='sodium', which puts them into the interfaces.")
        for name in ("chain", "rows"):
            put(self, name, require_whole(name, getattr(self, name), 1))
        for name in ("max_misfit_percent", "max_strain_percent"):
            put(self, name, require_number(name, getattr(self, name), 0.0, 100.0))
        put(self, "periods", _periods(self.periods))
        require_kind("contact", self.contact, Contact, "Contact(grid=(4, 64))")
        put(self, "constants", _constants(self.constants))

    @classmethod
    def from_dict(cls, record: Mapping) -> InterfaceSettings:
        """The settings an `asdict` record describes, also after a round trip through JSON."""
        return cls(**{**record, "contact": contact_from_dict(record["contact"])})


def _periods(periods: object) -> tuple[int, int] | None:
    if periods is None:
        return None
    numbers = require_list("periods", periods, object, "(1, 9)")
    if len(numbers) != 2:
        raise InputError(
            f"periods has {len(numbers)} numbers; give two, of the tunnel and of the layered block: (1, 9)."
        )
    return tuple(require_whole(f"periods[{k}]", n, 1) for k, n in enumerate(numbers))


def _constants(constants: object) -> tuple[Constants, Constants] | None:
    if constants is None:
        return None
    kinds = (Mapping, Sequence, np.ndarray)
    tables = require_list("constants", constants, kinds, "({'C11': 220, ...}, {'C11': 180, ...})")
    if len(tables) != 2:
        raise InputError(f"constants has {len(tables)} tables; give two, of the layered and of the tunnel block.")
    matrices = [stiffness(table) for table in tables]
    return tuple(
        dict(table) if isinstance(table, Mapping) else tuple(map(tuple, matrix.tolist()))
        for table, matrix in zip(tables, matrices, strict=True)
    )


def contact_from_dict(record: Mapping) -> Contact:
    """The contact an `asdict` record describes."""
    clearance = Clearance(**record["clearance"])
    return Contact(tuple(record["grid"]), clearance, tuple(record["extra_A"]))
