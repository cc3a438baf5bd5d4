"""The [structure] tables of the tunnel phase, its interfaces with layers, and joins of two crystals from files."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from simkit import build, io
from simkit.config import Section
from simkit.workflows.records import made, section_of
from simkit.workflows.regions import BlockConfig, CompositionConfig, Kind, Part

InterfaceTable: type[Section] = section_of(build.InterfaceSettings)
LatticeTable: type[Section] = section_of(build.TunnelLattice)
JoinTable: type[Section] = section_of(build.JoinSettings)


class TunnelConfig(Kind):
    """The tunnel phase alone (`build.tunnel_bulk`).

    lattice  its lattice parameters
    """

    explained_by: ClassVar = (build.tunnel_bulk,)
    kind: Literal["tunnel"]
    composition: CompositionConfig
    repeats: list[int] = Field(default_factory=lambda: [1, 1, 3], min_length=3, max_length=3)
    lattice: LatticeTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Phase and composition."""
        return [("tunnel", self.composition.composition)]

    def built(self, seed: int) -> build.Composite:
        """The checked cell."""
        lattice = made(self.lattice, build.TunnelLattice)
        return build.tunnel_bulk(self.composition.composition, tuple(self.repeats), seed, lattice)


class TunnelSide(CompositionConfig):
    """The tunnel block of an interface: lattice planes across it, and what fills it.

    layers   lattice planes across the interface; left out: the fewest that are 15 A thick
    lattice  its lattice parameters
    """

    layers: int | None = Field(default=None, gt=0)
    lattice: LatticeTable | None = None


class TunnelInterfaceConfig(Kind):
    """A layered block and a tunnel block (`build.tunnel_interface`).

    settings  less common choices
    """

    explained_by: ClassVar = (build.tunnel_interface,)
    kind: Literal["tunnel_interface"]
    layered: list[BlockConfig] = Field(min_length=1)
    tunnel: TunnelSide
    plane: str = "140|0001"
    strain: str = "equal"
    settings: InterfaceTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Phase and composition of the layered blocks and of the tunnel block."""
        return [*(block.part for block in self.layered), ("tunnel", self.tunnel.composition)]

    def built(self, seed: int) -> build.Composite:
        """The checked cell."""
        lattice = made(self.tunnel.lattice, build.TunnelLattice)
        tunnel = build.TunnelBlock(self.tunnel.layers, self.tunnel.composition, lattice)
        settings = made(self.settings, build.InterfaceSettings)
        layered = [block.block() for block in self.layered]
        return build.tunnel_interface(layered, tunnel, self.plane, self.strain, seed, settings)


class SideConfig(Section):
    """One crystal of a coherent join: a structure file, the plane of the interface, the name of the phase.

    file         CIF, POSCAR, extended XYZ or LAMMPS data of an ordered crystal
    plane        Miller indices of the interface in the crystal's own cell
    phase        name that the report carries
    thickness_A  least thickness of the block, A
    """

    file: str
    plane: list[int] = Field(min_length=3, max_length=3)
    phase: str
    thickness_A: float = Field(default=12.0, gt=0)

    @property
    def side(self) -> build.Part:
        """The checked side. Raises InputError for a file that cannot be read."""
        return build.Part(io.read(self.file), tuple(self.plane), self.phase, self.thickness_A)


class CoherentConfig(Kind):
    """Two crystals from files, joined on matching planes (`build.coherent`).

    a, b      the two crystals
    settings  less common choices
    """

    explained_by: ClassVar = (build.coherent,)
    kind: Literal["coherent"]
    a: SideConfig
    b: SideConfig
    strain: str = "equal"
    settings: JoinTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Nothing: the files say what the crystals hold."""
        return []

    def built(self, seed: int) -> build.Composite:
        """The checked cell."""
        return build.coherent(self.a.side, self.b.side, self.strain, seed, made(self.settings, build.JoinSettings))
