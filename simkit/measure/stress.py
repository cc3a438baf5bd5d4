"""Stress of each atom: raw, and in excess of what its site carries in the bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats, frozen
from simkit.errors import InputError, SimkitError, nearest
from simkit.measure.tensors import hydrostatic, von_mises
from simkit.measure.volumes import voronoi_volumes
from simkit.potential.base import Evaluation
from simkit.structure import Structure
from simkit.units import EV_PER_A3_IN_GPA

AVERAGE_TOLERANCE_EV_PER_A3 = 1e-6
"""Largest disagreement allowed between the volume average of the atomic stress and the cell's stress."""


@dataclass(frozen=True, eq=False)
class Site:
    """Mean virial (3, 3) eV and mean volume A^3 of one kind of site in its bulk phase relaxed alone."""

    virial: Floats
    volume: float


@dataclass(frozen=True, eq=False)
class Reference:
    """What each atom of a structure would carry in its bulk phase: virials (n, 3, 3) eV and volumes (n,) A^3."""

    virials: Floats
    volumes: Floats


@dataclass(frozen=True, eq=False)
class StressField:
    """Atomic stresses of one structure, tensile positive.

    volumes (n,) A^3
    raw (n, 3, 3) eV/A^3, virial / volume
    excess (n, 3, 3) eV/A^3, the same with the virial of the atom's site in the bulk phase taken off first
    dilation (n,) volume / reference volume - 1

    The last two are None without a reference. The volume average of raw, and of excess where the references are
    free of stress, is the stress of the cell.
    """

    volumes: Floats
    raw: Floats
    excess: Floats | None = None
    dilation: Floats | None = None

    @property
    def shown(self) -> Floats:
        """(n, 3, 3) GPa: the excess where there is one, else the raw stress."""
        return (self.raw if self.excess is None else self.excess) * EV_PER_A3_IN_GPA

    @property
    def shown_name(self) -> str:
        """Which field `shown` is: "excess" or "raw"."""
        return "raw" if self.excess is None else "excess"

    @property
    def raw_GPa(self) -> Floats:
        """(n, 3, 3) GPa."""
        return self.raw * EV_PER_A3_IN_GPA

    @property
    def von_mises_GPa(self) -> Floats:
        """(n,) GPa of the field `shown`."""
        return von_mises(self.shown)

    @property
    def hydrostatic_GPa(self) -> Floats:
        """(n,) GPa of the field `shown`."""
        return hydrostatic(self.shown)


def stress_field(structure: Structure, evaluation: Evaluation, reference: Reference | None = None) -> StressField:
    """Stress of each atom: sigma_i = W_i / V_i with V_i the Voronoi volume, W_i the atomic virial.

    In a crystal of several species each site carries a large virial even when the crystal is free of stress; only
    their sum vanishes. With a reference the excess (W_i - W_i,bulk) / V_i is given too. Virials are taken off, not
    stresses: so the volume average of the excess stays the cell's stress when the references are stress-free.

    Raises InputError when the evaluation holds no virials or the reference has another number of atoms,
    SimkitError when the volume average of the raw stress misses the cell's by more than 1e-6 eV/A^3. Not promised:
    a unique field; how a many-body energy is split among atoms is the potential's choice, and so is the raw map.
    """
    virials = virials_of(structure, evaluation)
    volumes = voronoi_volumes(structure)
    average = np.einsum("nij->ij", virials) / structure.volume
    error = np.abs(average - evaluation.stress).max()
    if not error <= AVERAGE_TOLERANCE_EV_PER_A3:
        raise SimkitError(
            f"the atomic stresses average to another stress than the cell's: they differ by {error:.2e} eV/A^3, "
            f"allowed is {AVERAGE_TOLERANCE_EV_PER_A3}. The potential's virials are not those of its stress."
        )
    raw = virials / volumes[:, None, None]
    if reference is None:
        return StressField(volumes, raw)
    bulk = frozen(reference.virials, np.float64, (len(structure), 3, 3), "reference virials")
    bulk_volumes = frozen(reference.volumes, np.float64, (len(structure),), "reference volumes")
    excess = (virials - bulk) / volumes[:, None, None]
    return StressField(volumes, raw, excess, volumes / bulk_volumes - 1.0)


def virials_of(structure: Structure, evaluation: Evaluation) -> Floats:
    """(n, 3, 3) eV, checked. Raises InputError when the evaluation holds none or holds those of other atoms."""
    if evaluation.virials is None:
        raise InputError("the evaluation holds no atomic virials; ask the potential with virials=True.")
    return frozen(evaluation.virials, np.float64, (len(structure), 3, 3), "virials")


def site_reference(structure: Structure, evaluation: Evaluation, labels: Sequence[str]) -> dict[str, Site]:
    """Mean virial and volume of each kind of site of a bulk phase relaxed alone.

    labels (n,) names the kind of each atom, as "P2 Na_e"; symmetry-equal sites must share one. The bulk must be
    oriented as in the structure it will be compared with. Raises InputError for a wrong number of labels.
    """
    names = np.asarray(labels)
    if names.shape != (len(structure),):
        raise InputError(f"labels of shape {names.shape} for {len(structure)} atoms; one each is needed.")
    virials, volumes = virials_of(structure, evaluation), voronoi_volumes(structure)
    kinds = {str(name): names == name for name in np.unique(names)}
    return {name: Site(virials[mask].mean(axis=0), float(volumes[mask].mean())) for name, mask in kinds.items()}


def reference_of(sites: Mapping[str, Site], labels: Sequence[str]) -> Reference:
    """The reference of each atom from its label. Raises InputError naming a label that no bulk phase has."""
    missing = sorted({str(label) for label in labels} - set(sites))
    if missing:
        raise InputError(f"no bulk site is called {missing[0]!r}; {nearest(missing[0], sites)}")
    chosen = [sites[str(label)] for label in labels]
    return Reference(np.array([site.virial for site in chosen]), np.array([site.volume for site in chosen]))
