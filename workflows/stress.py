"""Stress maps: per atom, in excess of the bulk phases, and coarse-grained, for several structures on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from simkit import build, io, measure
from simkit.arrays import Floats
from simkit.config import Section
from simkit.potential.base import Evaluation, Potential, Spread
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA
from simkit.workflows.common import QUIET, Hooks, named_structures

PROFILE_POINTS = 200


class Config(Section):
    """width_A: Gaussian of the coarse-grained field, 0 for one formula unit; threshold_GPa: for the share of volume."""

    width_A: float = Field(default=0.0, ge=0)
    threshold_GPa: float = Field(default=1.0, gt=0)


@dataclass(frozen=True, eq=False)
class StressMap:
    """The stress of one structure, GPa, tensile positive.

    field: volumes and per-atom stress (raw, and excess over the bulk phases where references were given);
    virials (n, 3, 3) eV: what was coarse-grained, the excess where there is one;
    smooth (n, 3, 3) eV/A^3: the coarse-grained field at the atoms; profile: plane averages along the normal.
    mean, p50, p95, p99: of the von Mises stress of the coarse-grained field over the volume; share: part of the
    volume above the threshold; cell_stress (3, 3) eV/A^3.
    """

    name: str
    structure: Structure
    evaluation: Evaluation
    field: measure.StressField
    virials: Floats
    smooth: Floats
    profile: measure.StressProfile
    width_A: float
    mean_GPa: float
    p50_GPa: float
    p95_GPa: float
    p99_GPa: float
    share: float
    threshold_GPa: float

    @property
    def raw_mean_GPa(self) -> float:
        """Volume mean of the raw per-atom von Mises stress: the species pattern, not mechanics."""
        return measure.volume_mean(measure.von_mises(self.field.raw_GPa), self.field.volumes)

    @property
    def smooth_von_mises_GPa(self) -> Floats:
        """(n,) von Mises stress of the coarse-grained field at the atoms."""
        return measure.von_mises(self.smooth) * EV_PER_A3_IN_GPA

    @property
    def smooth_hydrostatic_GPa(self) -> Floats:
        """(n,) hydrostatic part of the coarse-grained field at the atoms, tensile positive."""
        return measure.hydrostatic(self.smooth) * EV_PER_A3_IN_GPA


@dataclass(frozen=True)
class Result:
    """maps: one per structure, by name."""

    maps: dict[str, StressMap]

    def to_ase(self) -> dict[str, Any]:
        """Each structure as ase.Atoms with its stress in per-atom arrays, by name."""
        return {name: io.to_ase(measure.with_stress(m.structure, m.field)) for name, m in self.maps.items()}


TYPES = (Result, StressMap, Evaluation, Spread, measure.StressField, measure.StressProfile)


def run(
    config: Config,
    potential: Potential,
    structures: Any,
    references: Sequence[str] = (),
    hooks: Hooks = QUIET,
) -> Result:
    """Map the stress of `structures` (Structure, ase.Atoms, pymatgen.Structure; one or by name) in one batch.

    references   names of those structures that are bulk phases relaxed alone: each site's virial there is taken
                 off to give the excess; without them only the raw field is mapped, which shows the split of the
                 energy among species rather than mechanics
    Raises SimkitError where the potential gives no atomic virials.
    """
    given = named_structures(structures)
    for name, structure in given.items():
        build.require_filled(structure, name)

    def compute() -> Result:
        evaluations = dict(zip(given, potential.evaluate(list(given.values()), virials=True), strict=True))
        return mapped(config, given, evaluations, references)

    return hooks.keep("stress", compute, TYPES)


def mapped(
    config: Config,
    given: Mapping[str, Structure],
    evaluations: Mapping[str, Evaluation],
    references: Sequence[str] = (),
) -> Result:
    """Maps of structures that are evaluated already, with virials (from one frame, or averaged over many)."""
    sites = _sites(given, evaluations, references)
    return Result({name: _mapped(config, name, s, evaluations[name], sites) for name, s in given.items()})


def site_labels(structure: Structure) -> tuple[list[str], list[str]]:
    """Two bulk sites for each atom, as "P2 Na_e Na": by the gallery below its slab, and by the one above.

    Both are the same but where a slab is shared by two phases: there an oxygen belongs to the gallery it faces, and a
    metal half to each. A foreign layered structure is classified first.
    """
    labelled = structure if "site" in structure.tags else build.label(structure)
    found = build.classify(labelled)
    slab, level = found.slab_of, found.layering.level
    own = np.array([str(name) for name in labelled.tags["phase"]])
    of_gallery = np.array([own[np.flatnonzero(slab == j)[0]] for j in range(len(found.stack))])
    inside = slab >= 0
    below, above = own.copy(), own.copy()
    below[inside & (level < 2)] = of_gallery[slab[inside & (level < 2)] - 1]
    above[inside & (level < 1)] = of_gallery[slab[inside & (level < 1)] - 1]
    return tuple(
        [
            f"{p} {site} {symbol}"
            for p, site, symbol in zip(phases, labelled.tags["site"], labelled.symbols, strict=True)
        ]
        for phases in (below, above)
    )


def _sites(
    given: Mapping[str, Structure], evaluations: Mapping[str, Evaluation], references: Sequence[str]
) -> dict[str, measure.Site]:
    sites: dict[str, measure.Site] = {}
    for name in references:
        sites |= measure.site_reference(given[name], evaluations[name], site_labels(given[name])[1])
    return sites


def _reference(sites: Mapping[str, measure.Site], structure: Structure) -> measure.Reference:
    """What each atom would carry in the bulk; where one of its two sites is in no bulk phase, the other counts."""
    pairs = list(zip(*site_labels(structure), strict=True))
    below = measure.reference_of(sites, [a if a in sites else b for a, b in pairs])
    above = measure.reference_of(sites, [b if b in sites else a for a, b in pairs])
    return measure.Reference(0.5 * (below.virials + above.virials), 0.5 * (below.volumes + above.volumes))


def _mapped(
    config: Config, name: str, structure: Structure, evaluation: Evaluation, sites: Mapping[str, measure.Site]
) -> StressMap:
    reference = _reference(sites, structure) if sites else None
    field = measure.stress_field(structure, evaluation, reference)
    virials = evaluation.virials if reference is None else evaluation.virials - reference.virials
    width = config.width_A or measure.default_width_A(structure)
    smooth = measure.coarse_grain(structure, virials, width)
    von_mises = measure.von_mises(smooth) * EV_PER_A3_IN_GPA
    p50, p95, p99 = measure.volume_percentiles(von_mises, field.volumes, [50, 95, 99])
    return StressMap(
        name=name,
        structure=structure,
        evaluation=evaluation,
        field=field,
        virials=virials,
        smooth=smooth,
        profile=measure.profile_along_normal(structure, virials, PROFILE_POINTS, width),
        width_A=width,
        mean_GPa=measure.volume_mean(von_mises, field.volumes),
        p50_GPa=float(p50),
        p95_GPa=float(p95),
        p99_GPa=float(p99),
        share=measure.share_above(von_mises, field.volumes, config.threshold_GPa),
        threshold_GPa=config.threshold_GPa,
    )
