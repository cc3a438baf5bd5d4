"""Predicates on structures: each returns the problems it finds, in sentences that name the atoms."""

from __future__ import annotations

from collections.abc import Sequence

from simkit.build.check.charge import (
    Ledger,
    Share,
    charge_problems,
    composition_problems,
    ledger,
    neutrality_problems,
    rounding_problems,
    shares,
    valence_problems,
    without_valence,
)
from simkit.build.check.contacts import (
    KINDS,
    REACH_A,
    Contacts,
    contacts,
    crowding_problems,
    distance_problems,
    face_problems,
    kinds_of,
    overlaps,
    shortest_A,
)
from simkit.build.check.coordination import (
    ALLOWED,
    BOND_VALENCE_A,
    COORDINATION_A,
    bond_valence_problems,
    bond_valence_sums,
    coordination,
    coordination_problems,
    histogram,
)
from simkit.build.check.limits import Limits, Rules
from simkit.build.check.order import (
    FRAMEWORK_GROUPS,
    burgers_problems,
    closure_problems,
    framework,
    kagome_problems,
    parity_problems,
    space_group_problems,
    stacking_problems,
)
from simkit.build.check.relaxed import (
    coordination_changes,
    displacement_warnings,
    displacements_A,
    relaxed_limits,
    retention_problems,
    volume_change_percent,
)
from simkit.build.check.size import (
    Face,
    faces,
    image_warnings,
    interface_warnings,
    strain_problems,
    strain_warnings,
    thickness_warnings,
    volume_warnings,
)
from simkit.build.check.validation import Finding, Subject, Validation, examine, examine_relaxed
from simkit.errors import InputError

__all__ = [
    "ALLOWED",
    "BOND_VALENCE_A",
    "COORDINATION_A",
    "FRAMEWORK_GROUPS",
    "KINDS",
    "REACH_A",
    "Contacts",
    "Face",
    "Finding",
    "Ledger",
    "Limits",
    "Rules",
    "Share",
    "Subject",
    "Validation",
    "bond_valence_problems",
    "bond_valence_sums",
    "burgers_problems",
    "charge_problems",
    "closure_problems",
    "composition_problems",
    "contacts",
    "coordination",
    "coordination_changes",
    "coordination_problems",
    "crowding_problems",
    "displacement_warnings",
    "displacements_A",
    "distance_problems",
    "examine",
    "examine_relaxed",
    "face_problems",
    "faces",
    "framework",
    "histogram",
    "image_warnings",
    "interface_warnings",
    "kagome_problems",
    "kinds_of",
    "ledger",
    "neutrality_problems",
    "overlaps",
    "parity_problems",
    "relaxed_limits",
    "require",
    "retention_problems",
    "rounding_problems",
    "shares",
    "shortest_A",
    "space_group_problems",
    "stacking_problems",
    "strain_problems",
    "strain_warnings",
    "thickness_warnings",
    "valence_problems",
    "volume_change_percent",
    "volume_warnings",
    "without_valence",
]


def require(problems: Sequence[str]) -> None:
    """Raise InputError with the first three problems, or do nothing where there are none."""
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise InputError(" ".join(problems[:3]) + more)
