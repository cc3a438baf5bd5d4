"""Layered | tunnel interfaces: oriented blocks, shared strain, registry, oxygen bookkeeping, report.

No orientation relationship of a layered oxide with the tunnel phase has been published. The planes offered here follow
from lattice matching along the shared axis, the tunnels [001] parallel to [11-20] of the layers; each is a hypothesis,
to be ranked by relaxed interface energies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from simkit.arrays import Floats
from simkit.build.arguments import require_kind, require_list
from simkit.build.check.charge import ledger
from simkit.build.check.limits import Limits, Rules
from simkit.build.composite import Composite, Fact, composite
from simkit.build.phases import Block
from simkit.build.scaffold import Region, Scaffold
from simkit.build.tunnel.join import Joint, joined, joint, widened
from simkit.build.tunnel.layered import LayeredSide, basal_side, head_on_side, mean_a_A, period_A
from simkit.build.tunnel.match import BUILDABLE, periods_for
from simkit.build.tunnel.parts import reads_back
from simkit.build.tunnel.phase import FIVE, recounted, tunnel_scaffold
from simkit.build.tunnel.request import InterfaceSettings, TunnelBlock
from simkit.build.tunnel.slice import Oriented, Slice, best_cut, block, oriented, supercell_of
from simkit.build.tunnel.sodium import filled_joint, sodium_region, spare_anions
from simkit.build.tunnel.strain import Common, common_plane, require_strain, strain_percent
from simkit.errors import InputError

RECOMMENDED = ("140|0001", "230|0001", "140|1-100")
"""Best metric match; plane nearly parallel to the tunnel walls; slabs that meet the tunnel phase head-on."""
HYPOTHESIS = "no orientation relationship of layered and tunnel phases is published: this orientation is a hypothesis."
THICK_A = 15.0
"""A tunnel block is at least this thick unless its layers are given, A."""
MODEL = "the tunnel coordinates are a relaxed reconstruction, not a published refinement."


def tunnel_interface(
    layered: Block | Sequence[Block],
    tunnel: TunnelBlock | None = None,
    plane: str = "140|0001",
    strain: str = "equal",
    seed: int = 0,
    settings: InterfaceSettings | None = None,
) -> Composite:
    """A periodic cell of one layered block and one tunnel block, tunnels along [11-20] of the layers.

    layered  one block or a stack of blocks; beside (0001) it has one TMO2 slab more than galleries, so that both
             faces are bare oxygen layers; beside (1-100) its galleries are one period of the stack along c
    tunnel   whole polyhedra between two planar cuts of the fewest bonds
    plane    "hk0|0001" or "hk0|1-100"; `RECOMMENDED` are the three to start with
    strain   "equal", "thickness", "elastic" (needs `InterfaceSettings.constants`), "fix:0" (layered keeps its lattice)
             or "fix:1" (tunnel keeps its own)
    seed     draws metals and ions; the same seed gives the same cell bit for bit

    x is the shared axis, z the normal. Each of the two interfaces has its own registry and opening, the least that
    keeps `Clearance`; the third cell vector carries the shear of both. Raises InputError, with numbers and a remedy,
    for planes that do not match, strain over the limit, counts that cannot be met, a mean valence outside its
    window, a failed check or a layered block that does not read back. The orientation is a hypothesis; the cell is
    a start for relaxation.
    """
    tunnel, settings = tunnel or TunnelBlock(), settings or InterfaceSettings()
    require_kind("tunnel", tunnel, TunnelBlock, "TunnelBlock(layers=2)")
    require_kind("settings", settings, InterfaceSettings, "InterfaceSettings(oxygen='sodium')")
    blocks = (
        [layered] if isinstance(layered, Block) else list(require_list("layered", layered, Block, "Block('P2', 4)"))
    )
    if not blocks:
        raise InputError("layered holds no block; give one, as Block('P2', 4), or a stack of several.")
    design = _design(blocks, tunnel, plane, strain, settings)
    scaffold, found = _joined(design, tunnel, settings)
    facts = {"plane": plane, "strain_mode": strain, **_facts(design, found)}
    recipe = {
        "layered": [b.to_dict() for b in blocks],
        "tunnel": tunnel.to_dict(),
        "plane": plane,
        "strain": strain,
        "settings": asdict(settings),
    }
    contents = {len(blocks): tunnel.composition.content}
    rules = replace(_rules(design, blocks, found.equivalent, settings), contents=contents)
    return _accounted(composite("tunnel_interface", scaffold, seed, facts, recipe, rules), len(blocks))


@dataclass(frozen=True, eq=False)
class _Design:
    """The two blocks on their common in-plane cell, and how they got there."""

    crystal: Oriented
    side: LayeredSide
    periods: tuple[int, int]
    common: Common
    strains: dict[str, Floats]
    pair: tuple[Slice, Slice]


def _design(
    blocks: Sequence[Block], tunnel: TunnelBlock, plane: str, strain: str, settings: InterfaceSettings
) -> _Design:
    hkl, head_on = _planes(plane)
    # the content is counted once the block is cut (`recounted`): one cell may hold less than one ion of it
    crystal = oriented(tunnel_scaffold(replace(tunnel.composition, content=0.0), lattice=tunnel.lattice), hkl)
    periods = settings.periods or _periods(blocks, crystal.plane, head_on, settings)
    layers = math.ceil(THICK_A / crystal.spacing_A) if tunnel.layers is None else tunnel.layers
    piece = supercell_of(block(crystal, layers), ((1, 0), (0, periods[0])))
    side = head_on_side(blocks, periods[1], settings.rows) if head_on else basal_side(blocks, periods[1])
    common = common_plane((side.slice, piece), strain, settings.constants)
    strains = _strains(side, blocks, piece, common.plane)
    require_strain(strains, settings.max_strain_percent)
    pair = side.slice.strained_to(common.plane, common.normal[0]), piece.strained_to(common.plane, common.normal[1])
    return _Design(crystal, side, periods, common, strains, pair)


def _facts(design: _Design, found: Joint) -> dict[str, Fact]:
    row = math.sqrt(3.0) * design.side.a_A * (1.0 + float(design.common.normal[0]))
    return {
        "periods_tunnel": design.periods[0],
        "periods_layered": design.periods[1],
        **_strain_facts(design.strains, design.common),
        "opening_lower_A": found.first.opening_A,
        "opening_upper_A": found.second.opening_A,
        "interfaces_equivalent": found.equivalent,
        "layered_row_A": row,
        "cut_bonds_per_nm2": best_cut(design.crystal)[1],
        "area_per_chain_A2": float(np.linalg.det(design.common.plane)),
    }


def _rules(design: _Design, blocks: Sequence[Block], alike: bool, settings: InterfaceSettings) -> Rules:
    galleries = {f"{b.phase}_{k}": len(b.gap_names) for k, b in enumerate(blocks) if design.side.finite}
    return Rules(
        Limits(strain_percent=settings.max_strain_percent),
        coordination={FIVE: (5,)},
        strains_percent={name: _worst(value) for name, value in design.strains.items()},
        galleries=galleries,
        tunnels_A={"tunnel": float(np.ptp(design.pair[1].ends_A))},
        alike=alike,
    )


def _worst(strain: Floats) -> float:
    """The principal strain of largest size, per cent."""
    values = np.linalg.eigvalsh(strain)
    return float(values[np.argmax(np.abs(values))])


def _joined(design: _Design, tunnel: TunnelBlock, settings: InterfaceSettings) -> tuple[Scaffold, Joint]:
    """The blocks in one cell, with alkali sites in the interface voids where they are wanted."""
    pair, region = design.pair, len(design.pair[0].regions)
    found = joint(*pair, settings.contact)
    voids: list[Floats] = []
    wanted = settings.ions if settings.ions is not None else max(0, 2 * spare_anions(pair))
    if settings.oxygen == "sodium":
        found, voids = filled_joint(pair, found, settings.contact, wanted)
        wanted = wanted if settings.ions is not None else min(wanted, sum(len(v) for v in voids))
    scaffold = joined(*pair, found)
    if voids:
        scaffold = sodium_region(scaffold, voids, wanted, Region("interface", tunnel.composition))
    return recounted(widened(scaffold, settings.chain), region, tunnel.composition), found


def _planes(plane: str) -> tuple[tuple[int, int, int], bool]:
    left, _, right = str(plane).partition("|")
    if len(left) != 3 or not (left.isascii() and left.isdigit()) or left[2] != "0" or right not in BUILDABLE:
        raise InputError(
            f"plane = {plane!r}; write a tunnel plane hk0 and a layered plane, 0001 or 1-100, as "
            f"{', '.join(repr(p) for p in RECOMMENDED)}."
        )
    h, k = int(left[0]), int(left[1])
    if math.gcd(h, k) != 1:
        raise InputError(f"plane {left} has a common factor or is no plane; give coprime h and k, as 140 or 010.")
    return (h, k, 0), right == "1-100"


def _periods(blocks: Sequence[Block], tunnel: Floats, head_on: bool, settings: InterfaceSettings) -> tuple[int, int]:
    layered = period_A(blocks) if head_on else math.sqrt(3.0) * mean_a_A(blocks)
    p, q, _ = periods_for(float(tunnel[1, 1]), layered, settings.max_misfit_percent)
    return p, q


def _strains(side: LayeredSide, blocks: Sequence[Block], piece: Slice, common: Floats) -> dict[str, Floats]:
    """Strain of every phase from its own lattice, per cent."""
    strains = {}
    for k, (b, own) in enumerate(zip(blocks, side.own_a_A, strict=False)):
        ratio = own / side.a_A
        scale = np.array([[ratio, 0.0], [0.0, ratio if side.finite else 1.0]])
        strains[f"{b.phase}_{k}"] = strain_percent(side.slice.plane @ scale, common)
    return strains | {"tunnel": strain_percent(piece.plane, common)}


def _strain_facts(strains: dict[str, Floats], common: Common) -> dict[str, Fact]:
    names = ("elastic_energy_layered_J_per_m2", "elastic_energy_tunnel_J_per_m2")
    return dict(zip(names, common.energies_J_per_m2, strict=False)) | {
        f"strain_{name}_{word}_percent": float(value[i, i])
        for name, value in strains.items()
        for i, word in ((0, "along"), (1, "across"))
    }


def _accounted(built: Composite, tunnel: int) -> Composite:
    """The composite with its oxygen, its charge and what to beware of in the report."""
    kinds = built.subject.kinds
    region = built.scaffold.region[built.atom_of >= 0]
    parts = {"layered": region < tunnel, "tunnel": region == tunnel, "interface": region > tunnel}
    facts = dict(built.report.facts)
    for name in ("layered", "tunnel"):
        metals = int((parts[name] & (kinds == 1)).sum())
        ions = int((parts[name] & (kinds == 2)).sum())
        valence = ledger(built.structure, kinds, name, parts[name]).mean
        facts |= {f"{name}_metals": metals, f"{name}_ions": ions, f"{name}_mean_valence": valence}
    facts |= {
        "mean_valence": ledger(built.structure, kinds).mean,
        "spare_anions": int((kinds == 0).sum() - 2 * (kinds == 1).sum()),
        "interface_ions": int(parts["interface"].sum()),
        "layered_galleries": " ".join(reads_back(built)),
    }
    limited = built.recipe["settings"]["ions"] is not None
    warnings = (HYPOTHESIS, MODEL, *built.report.warnings, *_warnings(facts, limited))
    return replace(built, report=replace(built.report, facts=facts, warnings=warnings))


def _warnings(facts: dict[str, Fact], limited: bool) -> list[str]:
    """What the spare oxygen does to the metals, unless every spare anion has its two ions."""
    spare, ions = facts["spare_anions"], facts["interface_ions"]
    if spare <= 0 or ions >= 2 * spare:
        return []
    metals = facts["layered_metals"] + facts["tunnel_metals"]
    balanced = facts["mean_valence"] - (2 * spare - ions) / metals
    told = (
        f"{spare} anions beyond two per metal ask for {2 * spare} alkali ions in the interfaces, {ions} are there: the "
        f"metals take the rest, mean valence {facts['mean_valence']:.2f} instead of {balanced:.2f}"
    )
    remedy = "the voids hold no more, contact.extra_A opens them" if ions else "oxygen='sodium' puts ions there"
    remedy = "raise ions" if limited else remedy
    return [f"{told}; {remedy}."]
