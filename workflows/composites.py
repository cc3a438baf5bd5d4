"""The [structure] tables of cells that are no stack: domains, lateral joins, shapes, twins, tunnels."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from simkit import build, io
from simkit.config import Section
from simkit.errors import InputError
from simkit.workflows.records import made, section_of
from simkit.workflows.regions import BlockConfig, CompositionConfig, DomainConfig, Part, PhaseConfig

Repeats = list[int] | list[list[int]]
Shape = dict[str, Any]
LateralTable: type[Section] = section_of(build.LateralSettings)
FlipTable: type[Section] = section_of(build.FlipSettings)
DomainTable: type[Section] = section_of(build.DomainSettings)
CoreShellTable: type[Section] = section_of(build.CoreShellSettings)
ParticleTable: type[Section] = section_of(build.ParticleSettings)
TwinTable: type[Section] = section_of(build.TwinSettings)
InterfaceTable: type[Section] = section_of(build.InterfaceSettings)
LatticeTable: type[Section] = section_of(build.TunnelLattice)
JoinTable: type[Section] = section_of(build.JoinSettings)


class LateralConfig(Section):
    """Two phases of equal sense class side by side, joined by partial dislocations (`build.lateral`)."""

    kind: Literal["lateral"]
    left: BlockConfig
    right: BlockConfig
    line: str = "armchair"
    lengths_A: list[float] = Field(default_factory=lambda: [30.0, 30.0])
    settings: LateralTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Phase and composition of the two domains."""
        return [self.left.part, self.right.part]

    def built(self, seed: int) -> build.Composite:
        """The checked cell."""
        settings = made(self.settings, build.LateralSettings)
        return build.lateral(self.left.block(), self.right.block(), self.line, self.lengths_A, seed, settings)


class FlipConfig(Section):
    """Two phases of unequal sense class side by side, found by a search (`build.lateral_flip`)."""

    kind: Literal["lateral_flip"]
    left: BlockConfig
    right: BlockConfig
    lengths_A: list[float] = Field(default_factory=lambda: [30.0, 30.0])
    settings: LateralTable | None = None
    search: FlipTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Phase and composition of the two domains."""
        return [self.left.part, self.right.part]

    def built(self, seed: int) -> build.Composite:
        """The checked cell."""
        settings, search = made(self.settings, build.LateralSettings), made(self.search, build.FlipSettings)
        return build.lateral_flip(self.left.block(), self.right.block(), self.lengths_A, seed, settings, search)


class DomainsConfig(Section):
    """Domains of any shape on one anion lattice (`build.domains`)."""

    kind: Literal["domains"]
    matrix: BlockConfig
    domains: list[DomainConfig] = Field(min_length=1)
    repeats: Repeats = Field(default_factory=lambda: [6, 6])
    settings: DomainTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Phase and composition of the matrix and of every domain."""
        return [self.matrix.part, *(domain.part for domain in self.domains)]

    def built(self, seed: int) -> build.Composite:
        """The checked cell."""
        matrix = self.matrix.block()
        domains = [domain.domain(matrix.gaps) for domain in self.domains]
        settings = made(self.settings, build.DomainSettings)
        return build.domains(matrix, domains, self.repeats, seed, settings)


class CoreShellConfig(Section):
    """A core in a shell (`build.core_shell`): shape "basal", or a table as { shape = "prism", radius_A = 9.0 }."""

    kind: Literal["core_shell"]
    core: BlockConfig
    shell: BlockConfig
    shape: str | Shape
    repeats: Repeats = Field(default_factory=lambda: [6, 6])
    settings: CoreShellTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Phase and composition of core and shell."""
        return [self.core.part, self.shell.part]

    def built(self, seed: int) -> build.Model | build.Composite:
        """The checked cell."""
        shape = self.shape if isinstance(self.shape, str) else build.shape_from_dict(self.shape)
        settings = made(self.settings, build.CoreShellSettings)
        return build.core_shell(self.core.block(), self.shell.block(), shape, self.repeats, seed, settings)


class ParticleConfig(Section):
    """A finite particle cut from a stack or from domains (`build.particle`)."""

    kind: Literal["particle"]
    blocks: list[BlockConfig] = Field(min_length=1)
    domains: list[DomainConfig] = Field(default_factory=list)
    shape: Shape
    repeats: Repeats = Field(default_factory=lambda: [6, 6])
    settings: ParticleTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Phase and composition of the blocks and domains."""
        return [*(block.part for block in self.blocks), *(domain.part for domain in self.domains)]

    def built(self, seed: int) -> build.Composite:
        """The checked particle."""
        settings = made(self.settings, build.ParticleSettings)
        return build.particle(self._source(seed), build.shape_from_dict(self.shape), seed, settings)

    def _source(self, seed: int) -> build.Model | build.Composite:
        blocks = [block.block() for block in self.blocks]
        if self.domains and len(blocks) > 1:
            raise InputError(
                f"a particle with domains has one block, their matrix, and {len(blocks)} are given; leave out either "
                "the domains or all blocks but one."
            )
        if self.domains:
            inner = [domain.domain(blocks[0].gaps) for domain in self.domains]
            return build.domains(blocks[0], inner, self.repeats, seed)
        if len(blocks) == 1:
            return build.bulk(blocks[0], self.repeats, seed)
        return build.intergrowth(blocks, self.repeats, "thickness", seed)


class TwinConfig(Section):
    """A crystal and its mirror image in a rational plane (`build.mirror_twin`)."""

    kind: Literal["twin"]
    block: PhaseConfig
    plane: list[int] = Field(default_factory=lambda: [0, 1, 2], min_length=3, max_length=3)
    settings: TwinTable | None = None

    @property
    def parts(self) -> list[Part]:
        """Phase and composition."""
        return [self.block.part]

    def built(self, seed: int) -> build.Composite:
        """The checked cell."""
        pattern = len(build.PHASES.get(self.block.phase, ("",)))
        return build.mirror_twin(self.block.sized(pattern), self.plane, seed, made(self.settings, build.TwinSettings))


class TunnelConfig(Section):
    """The tunnel phase alone (`build.tunnel_bulk`)."""

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
    """The tunnel block of an interface: lattice planes across it, and what fills it."""

    layers: int | None = Field(default=None, gt=0)
    lattice: LatticeTable | None = None


class TunnelInterfaceConfig(Section):
    """A layered block and a tunnel block (`build.tunnel_interface`)."""

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
    """One crystal of a coherent join: a structure file, the plane of the interface, the name of the phase."""

    file: str
    plane: list[int] = Field(min_length=3, max_length=3)
    phase: str
    thickness_A: float = Field(default=12.0, gt=0)

    @property
    def side(self) -> build.Part:
        """The checked side. Raises InputError for a file that cannot be read."""
        return build.Part(io.read(self.file), tuple(self.plane), self.phase, self.thickness_A)


class CoherentConfig(Section):
    """Two crystals from files, joined on matching planes (`build.coherent`)."""

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


KINDS: dict[str, Any] = {
    "lateral": LateralConfig,
    "lateral_flip": FlipConfig,
    "domains": DomainsConfig,
    "core_shell": CoreShellConfig,
    "particle": ParticleConfig,
    "twin": TwinConfig,
    "tunnel": TunnelConfig,
    "tunnel_interface": TunnelInterfaceConfig,
    "coherent": CoherentConfig,
}
"""Value of structure.kind -> its table."""
