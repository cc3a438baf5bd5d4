"""The [structure] tables of cells that are no stack: domains, lateral joins, shapes, twins; tunnels from `joins`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from simkit import build
from simkit.config import Section
from simkit.errors import InputError
from simkit.workflows.joins import CoherentConfig, TunnelConfig, TunnelInterfaceConfig
from simkit.workflows.records import made, section_of
from simkit.workflows.regions import BlockConfig, DomainConfig, Kind, Part, PhaseConfig

Repeats = list[int] | list[list[int]]
Shape = dict[str, Any]
LateralTable: type[Section] = section_of(build.LateralSettings)
FlipTable: type[Section] = section_of(build.FlipSettings)
DomainTable: type[Section] = section_of(build.DomainSettings)
CoreShellTable: type[Section] = section_of(build.CoreShellSettings)
ParticleTable: type[Section] = section_of(build.ParticleSettings)
TwinTable: type[Section] = section_of(build.TwinSettings)


class LateralConfig(Kind):
    """Two phases of equal sense class side by side, joined by partial dislocations (`build.lateral`).

    settings  less common choices
    """

    explained_by: ClassVar = (build.lateral,)
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


class FlipConfig(Kind):
    """Two phases of unequal sense class side by side, found by a search (`build.lateral_flip`).

    settings  less common choices of both lateral kinds
    search    the search for boundaries
    """

    explained_by: ClassVar = (build.lateral_flip, build.lateral)
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


class DomainsConfig(Kind):
    """Domains of any shape on one anion lattice (`build.domains`).

    domains   each a phase, a composition and a shape; where two overlap the later one counts
    settings  less common choices
    """

    explained_by: ClassVar = (build.domains,)
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


class CoreShellConfig(Kind):
    """A core in a shell (`build.core_shell`): shape "basal", or a table as { shape = "prism", radius_A = 9.0 }.

    core, shell  phase and composition of each
    settings     less common choices
    """

    explained_by: ClassVar = (build.core_shell, build.domains)
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


class ParticleConfig(Kind):
    """A finite particle cut from a stack or from domains (`build.particle`).

    blocks    the stack it is cut from, from below; one block with domains is their matrix
    domains   inside the one block
    settings  less common choices
    """

    explained_by: ClassVar = (build.particle, build.bulk, build.intergrowth)
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


class TwinConfig(Kind):
    """A crystal and its mirror image in a rational plane (`build.mirror_twin`).

    settings  less common choices
    """

    explained_by: ClassVar = (build.mirror_twin,)
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
