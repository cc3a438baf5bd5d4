"""What a potential says of each held-out label, component by component, for pictures of its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.potential.base import Potential, check_elements
from simkit.workflows.common import QUIET, Hooks
from simkit.workflows.distill.dataset import Labelled
from simkit.workflows.scorecard.config import Config
from simkit.workflows.scorecard.run import Compared, identity

STRUCTURES = 24
"""Evaluated in one call."""


@dataclass(frozen=True, eq=False)
class Parity:
    """Labels and answers of one set of structures: forces (3 atoms,) eV/A, energies (structures,) eV/atom."""

    force_label: Floats
    force_said: Floats
    energy_label: Floats
    energy_said: Floats


def predicted(config: Config, compared: Compared, hooks: Hooks = QUIET) -> dict[str, Parity]:
    """Sets "md" (snapshots of dynamics) and "other", those that have structures with answers.

    Empty without labels or without the row of errors, and where the potential knows the elements of no label or
    answers with what is no number: the row of errors says so in words. Saved as the rows are.
    """
    labels, potential = compared.labels, compared.potential
    if labels is None or "errors" not in config.rows:
        return {}
    if not potential.card.sha256:
        return computed(potential, labels)
    key = identity("parity", config, potential.card, labels)
    return hooks.keep(f"parity-{key[:24]}", lambda: computed(potential, labels), (Parity,))


def computed(potential: Potential, labels: Sequence[Labelled]) -> dict[str, Parity]:
    """The sets of `predicted`, asked of the potential."""
    known = [label for label in labels if _answers(potential, label)]
    chunks = [known[k : k + STRUCTURES] for k in range(0, len(known), STRUCTURES)]
    said = [answer for chunk in chunks for answer in potential.evaluate([label.structure for label in chunk])]
    if not all(answer.finite for answer in said):
        return {}
    snapshot = [label.origin.startswith("md") for label in known]
    sets = {}
    for name, wanted in (("md", True), ("other", False)):
        pairs = [(label, answer) for label, answer, md in zip(known, said, snapshot, strict=True) if md == wanted]
        if pairs:
            sizes = np.array([len(label.structure) for label, _ in pairs])
            sets[name] = Parity(
                force_label=np.concatenate([label.forces.ravel() for label, _ in pairs]),
                force_said=np.concatenate([answer.forces.ravel() for _, answer in pairs]).astype(float),
                energy_label=np.array([label.energy_eV for label, _ in pairs]) / sizes,
                energy_said=np.array([answer.energy for _, answer in pairs]) / sizes,
            )
    return sets


def _answers(potential: Potential, label: Labelled) -> bool:
    """Whether the potential knows the elements of a label."""
    try:
        check_elements(label.structure.numbers, potential.card)
    except InputError:
        return False
    return True
