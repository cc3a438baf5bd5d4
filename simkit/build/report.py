"""What was built: counts, compositions, strains, valences, contacts; as a record, a table and a dictionary."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from simkit.build.check.coordination import COORDINATION_A

Table = Mapping[str, float]
WIDTH = 120
"""Longest line of a printed report."""


@dataclass(frozen=True)
class BlockReport:
    """One block: request, what was reached, lattice parameter of its own and strain in the cell.

    content  ions per capacity of its galleries; in a spinel the filled part of its tetrahedral sites; 0 in
             rock-salt, which has neither
    anions, dopants, tetrahedral   reached fractions of the anions, of the ions, of the tetrahedral cations
    edge_face      number of P2 ions on sites that share edges, and faces, with both slabs; None without such sites
    strain         in plane along its more strained side, along x, along y, and of its height (applied thinning)
    elastic        coherency energy, None where the block has no elastic constants
    entropy_R      configurational entropy of its octahedral metals per metal, in units of R, with its class
    """

    block: int
    phase: str
    galleries: int
    alkali: str
    metals_requested: Table
    metals_reached: Table
    content_requested: float
    content_reached: float
    anions: Table
    dopants: Table
    tetrahedral: Table
    arrangement: str
    ordering: str
    edge_face: tuple[int, int] | None
    entropy_R: float
    entropy_class: str
    own_a_A: float
    strain_percent: float
    strain_x_percent: float
    strain_y_percent: float
    normal_percent: float
    elastic_J_per_m2: float | None
    elastic_meV_per_unit: float | None
    slab_A: float
    galleries_A: Table
    thickness_A: float


@dataclass(frozen=True)
class GalleryReport:
    """One gallery: kind, ions by site, requested and reached alkali per metal, metals in it, height."""

    gallery: int
    kind: str
    block: int
    phase: str
    alkali: str
    ions: int
    metals_per_slab: int
    content_requested: float
    content_reached: float
    ions_by_site: Mapping[str, int]
    height_A: float
    cations: Mapping[str, int]


@dataclass(frozen=True)
class SlabReport:
    """One slab: letters, metals, the mean valence the slab rule asks, its window and a first guess by element.

    In spinel and rock-salt blocks valence and window are those of all octahedral metals of the block.
    """

    slab: int
    letters: str
    block: int
    metals: Mapping[str, int]
    valence_needed: float
    valence_lowest: float
    valence_highest: float
    valences: Table


@dataclass(frozen=True)
class InterfaceReport:
    """A slab shared by two blocks; interfaces of equal `environment` see the same sheets on both sides."""

    slab: int
    below: str
    above: str
    environment: str


@dataclass(frozen=True)
class GlideReport:
    """A shared slab: its galleries below and above, and what they become when it alone glides by g letters.

    after       (g, gallery below, gallery above) of each glide
    energy_meV  least energy change of these glides per formula unit of a gallery; None without energies
    """

    slab: int
    before: tuple[str, str]
    after: tuple[tuple[float, str, str], ...]
    energy_meV: float | None


@dataclass(frozen=True)
class PathReport:
    """How far the stack is from one of its phases throughout.

    flips      slabs that would have to change their sense, which no gliding does
    slabs      (slab, g) of the fewest slabs that glide there; None where gliding cannot
    galleries  galleries that change on the way; None where gliding cannot
    """

    phase: str
    flips: int
    slabs: tuple[tuple[int, int], ...] | None
    galleries: tuple[int, ...] | None


@dataclass(frozen=True)
class Report:
    """Everything `intergrowth` and `bulk` say about a cell; lengths A, strains per cent.

    mismatch_percent is (largest - smallest own a) / mean; strain of a block is a / own a - 1. Valences are
    formal and a seed for spins, not a result. senses are those of the slabs from below, "+" or "-" each; stacks of
    one sense_class differ by the slab they begin with, by direction or by all senses exchanged.
    """

    formula: str
    atoms: int
    counts: Mapping[str, int]
    stack: str
    gaps: tuple[str, ...]
    sense_class: str
    shear_letters: int
    a_A: float
    height_A: float
    image_distance_A: float
    volume_per_oxygen_A3: float
    mismatch_percent: float
    blocks: tuple[BlockReport, ...]
    galleries: tuple[GalleryReport, ...]
    slabs: tuple[SlabReport, ...]
    interfaces: tuple[InterfaceReport, ...]
    interfaces_equivalent: bool
    shortest_A: Table
    coordination: Mapping[str, Mapping[str, int]]
    warnings: tuple[str, ...]
    seed: int
    glides: tuple[GlideReport, ...] = ()
    paths: tuple[PathReport, ...] = ()
    senses: str = ""

    def to_dict(self) -> dict:
        """JSON-able dictionary; units are part of the keys."""
        return asdict(self)

    def text(self) -> str:
        """A readable table, lines of at most 120 characters."""
        lines = [
            f"{self.formula}  ({self.atoms} atoms, seed {self.seed})",
            f"stack {self.stack}   senses {self.senses} (of class {self.sense_class})   closure "
            + (f"sheared by {self.shear_letters} of 3 letters" if self.shear_letters else "strict"),
            f"a = {self.a_A:.4f} A   height {self.height_A:.3f} A   "
            f"nearest in-plane image {self.image_distance_A:.2f} A   mismatch {self.mismatch_percent:.2f} %",
            f"{self.volume_per_oxygen_A3:.2f} A^3 per anion",
            "",
            *_blocks(self.blocks),
            *_strains(self.blocks),
            "",
            *_filling(self.blocks),
            "",
            *_galleries(self.galleries),
            "",
            *_slabs(self.slabs),
            "",
            "shortest contacts, A: " + "  ".join(f"{k} {v:.3f}" for k, v in self.shortest_A.items()),
            "anions around "
            + "  ".join(f"{k} (to {COORDINATION_A[k]:g} A) {_plain(v)}" for k, v in self.coordination.items()),
            *_interfaces(self),
            *_glides(self.glides),
            *_paths(self.paths, len(self.gaps)),
            *(f"warning: {text}" for text in self.warnings),
        ]
        return "\n".join(piece for line in lines for piece in _folded(line))


def _folded(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_long_words=False) if len(line) > WIDTH else [line]


def _plain(values: Mapping[str, float]) -> str:
    return " ".join(f"{k}:{v:.3g}" if isinstance(v, float) else f"{k}:{v}" for k, v in values.items()) or "-"


def _blocks(blocks: tuple[BlockReport, ...]) -> list[str]:
    lines = ["block phase       galleries  own a/A  strain/%  alkali asked reached  metals reached"]
    for b in blocks:
        alkali = {"spinel": "tet", "rock-salt": "-"}.get(b.phase, b.alkali)
        lines.append(
            f"{b.block:5d} {b.phase:11s} {b.galleries:9d} {b.own_a_A:8.4f} {b.strain_percent:+9.3f}  {alkali:6s}"
            f" {b.content_requested:5.3f} {b.content_reached:7.3f}  {_plain(b.metals_reached)}"
        )
    return lines


def _strains(blocks: tuple[BlockReport, ...]) -> list[str]:
    """One line per block that has elastic constants or unlike strains along its two sides."""
    lines = []
    for b in blocks:
        if b.elastic_J_per_m2 is None and abs(b.strain_x_percent - b.strain_y_percent) < 1e-6:
            continue
        energy = (
            "no elastic constants"
            if b.elastic_J_per_m2 is None
            else f"elastic energy {b.elastic_J_per_m2:.4f} J/m^2, {b.elastic_meV_per_unit:.2f} meV per formula unit"
        )
        strains = f"{b.strain_x_percent:+.3f} % along x, {b.strain_y_percent:+.3f} % along y"
        lines.append(f"block {b.block} strain {strains}, {b.normal_percent:+.3f} % in height; {energy}")
    return lines


def _filling(blocks: tuple[BlockReport, ...]) -> list[str]:
    lines = ["block arrangement  ordering  edge:face  entropy/R  class   anions; dopants; tetrahedral"]
    for b in blocks:
        ratio = "-" if b.edge_face is None else f"{b.edge_face[0]}:{b.edge_face[1]}"
        tables = "; ".join(_plain(t) for t in (b.anions, b.dopants, b.tetrahedral))
        words = f"{b.block:5d} {b.arrangement:11s}  {b.ordering:8s} {ratio:>10s}"
        lines.append(f"{words} {b.entropy_R:10.3f}  {b.entropy_class:6s}  {tables}")
    return lines


def _galleries(galleries: tuple[GalleryReport, ...]) -> list[str]:
    lines = ["gallery kind block  height/A  ions  asked reached  by site"]
    for g in galleries:
        by_site = _plain(g.ions_by_site) if not g.cations else f"metals between slabs {_plain(g.cations)}"
        lines.append(
            f"{g.gallery:7d} {g.kind:4s} {g.block:5d} {g.height_A:9.3f} {g.ions:5d}  {g.content_requested:5.3f}"
            f" {g.content_reached:7.3f}  {by_site}"
        )
    return lines


def _slabs(slabs: tuple[SlabReport, ...]) -> list[str]:
    lines = ["slab letters block  valence needed  window        metals; first guess of valences"]
    for s in slabs:
        lines.append(
            f"{s.slab:4d} {s.letters:7s} {s.block:5d} {s.valence_needed:15.3f}  {s.valence_lowest:.2f} to"
            f" {s.valence_highest:.2f}  {_plain(s.metals)}; {_plain(s.valences)}"
        )
    return lines


def _interfaces(report: Report) -> list[str]:
    if not report.interfaces:
        return ["interfaces: none"]
    names = ", ".join(f"slab {i.slab} ({i.below}|{i.above})" for i in report.interfaces)
    same = "equivalent by stacking" if report.interfaces_equivalent else "not all equivalent by stacking"
    return [f"interfaces: {names}; those of one pair are {same}"]


def _glides(glides: tuple[GlideReport, ...]) -> list[str]:
    """One line for all shared slabs that gliding changes alike."""
    alike: dict[tuple, list[GlideReport]] = {}
    for item in glides:
        alike.setdefault((item.before, item.after, item.energy_meV), []).append(item)
    lines = []
    for (before, after, energy), items in alike.items():
        slabs = f"slab{'s' if len(items) > 1 else ''} {', '.join(str(item.slab) for item in items)}"
        moves = " or ".join(f"{'|'.join(names)} ({g:+g})" for g, *names in after)
        score = "" if energy is None else f"; at least {energy:+.1f} meV"
        lines.append(f"glide of shared {slabs}: {'|'.join(before)} becomes {moves}{score}")
    return lines


def _paths(paths: tuple[PathReport, ...], slabs: int) -> list[str]:
    lines = []
    for path in paths:
        if path.slabs is not None:
            how = f"{len(path.slabs)} of {slabs} slabs glide, {len(path.galleries)} galleries change"
        elif path.flips:
            how = f"out of reach of gliding, {path.flips} of {slabs} slabs have the other sense"
        else:
            how = "out of reach of gliding, half a letter is left over"
        lines.append(f"to {path.phase} throughout: {how}")
    return lines
