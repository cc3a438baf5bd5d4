"""Every check of a cell in one record: what passed, what is flagged, what fails, what does not apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from simkit.arrays import Integers
from simkit.build.check import charge, contacts, coordination, order, relaxed, size
from simkit.build.check.limits import Rules
from simkit.build.columns import annihilation_problems, classify_columns, column_problems, wall_problems
from simkit.build.scaffold import Scaffold
from simkit.errors import InputError
from simkit.structure import Structure

STATES = ("passed", "flagged", "failed", "does not apply")
NAMES = ("distances", "coordination", "stacking", "closure", "charge", "sizes", "interfaces", "relaxation")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    number, name   1 to 8, `NAMES`
    state          one of `STATES`
    hard, soft     sentences that refuse the cell, and sentences that flag it
    remark         what was looked at, or why the check does not apply
    """

    number: int
    name: str
    state: str
    hard: tuple[str, ...]
    soft: tuple[str, ...]
    remark: str


@dataclass(frozen=True)
class Validation:
    """The findings of all checks, in order."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed; flags are allowed."""
        return not self.hard

    @property
    def hard(self) -> tuple[str, ...]:
        """Every sentence that refuses the cell."""
        return tuple(text for f in self.findings for text in f.hard)

    @property
    def soft(self) -> tuple[str, ...]:
        """Every sentence that flags the cell."""
        return tuple(text for f in self.findings for text in f.soft)

    def to_dict(self) -> dict:
        """JSON-able record."""
        return {"passed": self.passed, "findings": [asdict(f) for f in self.findings]}

    def text(self) -> str:
        """A readable table, then the sentences."""
        lines = [f"{f.number} {f.name:13s} {f.state:15s} {f.remark}" for f in self.findings]
        lines += [f"failed: {text}" for text in self.hard]
        return "\n".join([*lines, *(f"flagged: {text}" for text in self.soft)])


@dataclass(frozen=True, eq=False)
class Subject:
    """A cell to examine: its structure, what its builder promises, and its scaffold where there is one."""

    structure: Structure
    rules: Rules = field(default_factory=Rules)
    scaffold: Scaffold | None = None
    atom_of: Integers | None = None

    def __post_init__(self) -> None:
        if self.atom_of is None:
            return
        filled = int((self.atom_of >= 0).sum())
        if filled != len(self.structure) or self.atom_of.max(initial=-1) >= filled:
            raise InputError(
                f"the structure has {len(self.structure)} atoms, and {filled} sites of the cell it was built as are "
                "filled; give the cell as it was built (or moved), or validate the changed structure alone."
            )

    @property
    def kinds(self) -> Integers:
        """Kind of each atom: from the scaffold's roles, else from numbers, layers and tags."""
        if self.scaffold is None or self.atom_of is None:
            return contacts.kinds_of(self.structure)
        kinds = np.empty(len(self.structure), dtype=np.int64)
        there = self.atom_of >= 0
        roles = np.array([contacts.ROLE_KINDS[r] for r in self.scaffold.role])
        kinds[self.atom_of[there]] = roles[there]
        return kinds


def examine(subject: Subject, found: contacts.Contacts | None = None) -> Validation:
    """Checks 1 to 7 of a cell as built (8 needs a relaxed one: `examine_relaxed`).

    found  contacts of the structure where they are known already
    """
    found = found or contacts.contacts(subject.structure, subject.kinds)
    return Validation(
        (
            _distances(subject, found),
            _coordination(subject, found),
            _stacking(subject),
            _closure(subject, found),
            _charge(subject, found),
            _sizes(subject),
            _interfaces(subject),
            finding(8, (), (), None, "a relaxed cell is needed (validate_relaxed)"),
        )
    )


def examine_relaxed(before: Subject, after: Structure, fmax_eV_per_A: float, converged_eV_per_A: float) -> Validation:
    """Checks 1, 2 and 8 of a relaxed cell against the cell it came from.

    The limits of distances shrink to `relaxed.CLOSER`; a coordination map that changed is a flag.
    """
    limits = relaxed.relaxed_limits(before.rules.limits)
    kinds = before.kinds
    found = contacts.contacts(after, kinds)
    distances = finding(1, contacts.distance_problems(after, limits, found), (), "relaxed limits")
    bonds = coordination.bond_valence_problems(after, limits, found)
    changes = relaxed.coordination_changes(before.structure, after)
    return Validation(
        (
            distances,
            finding(2, (), [*changes, *bonds], "against the cell as built"),
            _relaxed(before, after, (fmax_eV_per_A, converged_eV_per_A)),
        )
    )


def finding(number: int, hard: Sequence[str], soft: Sequence[str], remark: str | None, absent: str = "") -> Finding:
    """A finding whose state follows from its sentences; remark None: the check does not apply, for `absent`."""
    state = "failed" if hard else "flagged" if soft else "passed" if remark is not None else "does not apply"
    return Finding(number, NAMES[number - 1], state, tuple(hard), tuple(soft), absent if remark is None else remark)


def _distances(subject: Subject, found: contacts.Contacts) -> Finding:
    s, limits = subject.structure, subject.rules.limits
    hard = contacts.overlaps(s) or contacts.distance_problems(s, limits, found)
    soft = contacts.face_problems(s, limits, found) + contacts.crowding_problems(s, found)
    return finding(1, hard, soft, f"{len(contacts.shortest_A(found))} kinds of pair within {contacts.REACH_A} A")


def _coordination(subject: Subject, found: contacts.Contacts) -> Finding:
    allowed = subject.rules.coordination
    hard = coordination.coordination_problems(subject.structure, found, allowed)
    soft = coordination.bond_valence_problems(subject.structure, subject.rules.limits, found)
    soft += coordination.stretched_problems(subject.structure, found)
    reach = ", ".join(f"{kind} {r:g}" for kind, r in coordination.COORDINATION_A.items())
    told = "".join(f"; {tag} may have {', '.join(map(str, n))}" for tag, n in allowed.items())
    return finding(2, hard, soft, f"metals 6, alkali 5 to 9, tetrahedral 4{told}; counted to {reach} A")


def _stacking(subject: Subject) -> Finding:
    rules = subject.rules
    hard, seen = [], []
    if rules.gaps is not None:
        hard += _told(lambda: order.stacking_problems(subject.structure, rules.gaps, rules.limits))
        seen.append("galleries read back from the coordinates")
    if rules.columns:
        hard += _told(lambda: _columns(subject.structure, rules))
        seen.append(f"{len(rules.columns)} domains read back in columns")
    if rules.space_group is not None:
        hard += _told(lambda: order.space_group_problems(subject.structure, rules.space_group))
        seen.append(f"slabs of space group {rules.space_group}")
    return finding(3, hard, (), ", ".join(seen) or None, "the builder promises no stacking along the third vector")


def _columns(structure: Structure, rules: Rules) -> list[str]:
    found = classify_columns(structure, rules.normal)
    return column_problems(found, rules.columns, rules.limits.order_parameter)


def _told(check: Callable[[], list[str]]) -> list[str]:
    """The problems of a check, or the sentence with which the structure was refused as not layered."""
    try:
        return check()
    except InputError as error:
        return [str(error)]


def _closure(subject: Subject, found: contacts.Contacts) -> Finding:
    s, rules, hard, soft, seen = subject.structure, subject.rules, [], [], []
    if rules.gaps is not None:
        hard += order.parity_problems(rules.gaps) + _told(lambda: order.closure_problems(s))
        seen.append("senses, letters and shear")
    if (found.kinds == 3).any() and "site" in s.tags and (s.layers >= 0).any():
        hard += order.kagome_problems(s, rules.limits, found)
        seen.append("kagome")
    if rules.burgers_A:
        hard += order.burgers_problems(rules.burgers_A)
        seen.append("Burgers vectors")
    if rules.columns:
        soft += _told(lambda: wall_problems(classify_columns(s, rules.normal)))
        seen.append("registry measured across the boundaries")
    return finding(4, hard, soft, ", ".join(seen) or None, "no stacking, kagome sheets or displacements to close")


def _charge(subject: Subject, found: contacts.Contacts) -> Finding:
    unknown = charge.without_valence(subject.structure)
    if unknown:
        return finding(5, (), (), None, f"no valence is known for {', '.join(unknown)}")
    total = charge.ledger(subject.structure, found.kinds)
    hard, soft, seen = charge.neutrality_problems(total), [], "the cell"
    if subject.scaffold is not None and subject.atom_of is not None:
        filled = subject.structure, subject.scaffold, subject.atom_of
        asked = charge.shares(*filled, subject.rules.contents, subject.rules.amounts)
        hard += charge.composition_problems(asked, subject.rules.limits)
        soft += charge.rounding_problems(asked, subject.rules.limits)
        (hard if subject.rules.neutral_slabs else soft).extend(charge.valence_problems(*filled))
        seen = "every slab, the composition asked and the cell"
    return finding(5, hard, soft, f"{seen} ({total.lowest:+.1f} to {total.highest:+.1f} e)")


def _sizes(subject: Subject) -> Finding:
    rules, s = subject.rules, subject.structure
    strains = size.measured_strains(s.cell, rules, None if subject.scaffold is None else subject.scaffold.cell)
    limit = rules.limits.strain_percent
    hard = size.strain_excess(strains, limit)
    soft = size.strain_warnings({n: x for n, x in strains.items() if abs(x) <= limit + 1e-9}, rules.limits)
    soft += size.thickness_warnings(rules.galleries, rules.lengths_A, rules.tunnels_A, rules.limits)
    if not rules.surface:
        soft += size.image_warnings(s, rules.limits) + size.volume_warnings(s, rules.limits)
    told = "particle in vacuum: no images, no volume" if rules.surface else "strain, images, extents, volume"
    return finding(6, hard, soft, told)


def _interfaces(subject: Subject) -> Finding:
    alike = subject.rules.alike
    if alike is not None:
        soft = () if alike else ("the interfaces of one pair of phases are not all equivalent by stacking.",)
        return finding(7, (), soft, "by stacking")
    if subject.scaffold is None or len(subject.scaffold.regions) < 2:
        return finding(7, (), (), None, "one region, no interface")
    found = size.faces(subject.scaffold)
    if len(found) < 2:
        return finding(7, (), (), None, f"{len(found)} connected interface, nothing to compare")
    return finding(7, (), size.interface_warnings(found), f"{len(found)} interfaces by their neighbour distances")


def _relaxed(before: Subject, after: Structure, forces: tuple[float, float]) -> Finding:
    fmax, converged = forces
    change = relaxed.volume_change_percent(before.structure, after)
    hard, soft = [], relaxed.displacement_warnings(before.structure, after)
    if not fmax <= converged:
        soft.append(f"the largest force is {fmax:.3f} eV/A, above {converged:g} eV/A: not relaxed.")
    for limit, texts in zip(relaxed.VOLUME_PERCENT[::-1], (hard, soft), strict=True):
        if abs(change) > limit:
            texts.append(f"the volume changed by {change:+.1f} %, more than {limit:g} %.")
            break
    told = f"volume {change:+.2f} %, fmax {fmax:.3f} eV/A"
    rules = before.rules
    if rules.gaps is not None:
        hard += _told(lambda: relaxed.retention_problems(before.structure, after))
    if rules.columns:
        hard += _told(lambda: _columns(after, rules) + _annihilated(before.structure, after, rules.normal))
        soft += _told(lambda: wall_problems(classify_columns(after, rules.normal)))
    if rules.gaps is None and not rules.columns:
        told += "; no stacking to keep"
    return finding(8, hard, soft, told)


def _annihilated(before: Structure, after: Structure, normal: str | None) -> list[str]:
    return annihilation_problems(classify_columns(after, normal), classify_columns(before, normal))
