"""Validation of built and relaxed cells of every builder."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from simkit.build.arguments import require_kind, require_number
from simkit.build.assemble import Model
from simkit.build.check.limits import Limits, Rules
from simkit.build.check.order import FRAMEWORK_GROUPS
from simkit.build.check.validation import Subject, Validation, examine, examine_relaxed
from simkit.build.composite import Composite
from simkit.build.report import BlockReport
from simkit.errors import InputError
from simkit.structure import Structure

CONVERGED_EV_PER_A = 0.05


def validate(built: Model | Composite | Structure) -> Validation:
    """All checks of a built cell; hard ones refuse it, soft ones flag it, and the rest says why it does not apply.

    A bare Structure is checked for what needs no promise of a builder. Raises InputError for anything else.
    """
    return examine(subject_of(built))


def validate_relaxed(
    before: Model | Composite | Structure,
    after: Structure,
    fmax_eV_per_A: float,
    converged_eV_per_A: float = CONVERGED_EV_PER_A,
) -> Validation:
    """What relaxation did to a cell: distances, coordination map, stacking kept, volume, displacements, forces.

    after          the same atoms in the same order, relaxed
    fmax_eV_per_A  largest force on an atom of it
    Raises InputError where the atoms are not the same and for forces that are no finite number, 0 or larger.
    """
    subject = subject_of(before)
    require_kind("after", after, Structure, "the relaxed structure")
    forces = {"fmax_eV_per_A": fmax_eV_per_A, "converged_eV_per_A": converged_eV_per_A}
    fmax, converged = (require_number(name, value, 0.0) for name, value in forces.items())
    if len(after) != len(subject.structure) or (after.numbers != subject.structure.numbers).any():
        raise InputError(
            f"{after.formula} with {len(after)} atoms is not the cell {subject.structure.formula} with "
            f"{len(subject.structure)} atoms; give the relaxed structure with its atoms in the same order."
        )
    return examine_relaxed(subject, after, fmax, converged)


def subject_of(built: Model | Composite | Structure) -> Subject:
    """A built cell as the checks see it: its structure and what its builder promises."""
    if isinstance(built, Structure):
        return Subject(built)
    if isinstance(built, Composite):
        return built.subject
    if not isinstance(built, Model):
        raise InputError(f"{type(built).__name__} is no built cell; give a Model, a Composite or a Structure.")
    report = built.report
    blocks = {f"block {b.block} ({b.phase})": b for b in report.blocks}
    rules = Rules(
        limits=replace(Limits(**built.recipe["settings"]["limits"]), strain_percent=built.recipe["max_strain_percent"]),
        gaps=tuple(report.gaps),
        neutral_slabs=True,
        space_group=_group(built),
        strains_percent={name: b.strain_percent for name, b in blocks.items()},
        planes_A={name: _own_plane(built, b) for name, b in blocks.items()},
        galleries={name: b.galleries for name, b in blocks.items()} if len(blocks) > 1 else {},
        alike=report.interfaces_equivalent if report.interfaces else None,
    )
    return Subject(built.structure, rules, built.scaffold, built.atom_of)


def _own_plane(built: Model, block: BlockReport) -> tuple[tuple[float, ...], ...]:
    """The first two vectors of the cell as built, in the block's own lattice: its own area per metal and its shape."""
    sides = np.array([1.0 + block.strain_x_percent / 100.0, 1.0 + block.strain_y_percent / 100.0])
    plane = built.scaffold.cell[:2, :2] / sides
    area = built.report.galleries[0].metals_per_slab * math.sqrt(0.75) * block.own_a_A**2
    plane *= math.sqrt(area / abs(float(np.linalg.det(plane))))
    return tuple(tuple(row) for row in plane.tolist())


def _group(built: Model) -> int | None:
    """Space group that the slabs of a single block of a named phase must have; None where no table says."""
    block = built.blocks[0]
    alone = len(built.blocks) == 1 and block.pattern is None
    bent = block.cell is not None and block.phase not in ("O'3", "P'2")
    return FRAMEWORK_GROUPS.get(block.phase) if alone and not bent else None
