"""What a user brings: labels of their own, structures to label besides, a model to go on from at another zero."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.potential.base import Potential, check_elements
from simkit.potential.load import backend, load
from simkit.structure import Structure
from simkit.workflows.distill.baseline import constants
from simkit.workflows.distill.dataset import (
    Labelled,
    checksum,
    fingerprint,
    frames_of,
    label_of,
    labelled,
)
from simkit.workflows.distill.labelling import Keep, Source, by_atoms, kept, key_of, within_limit
from simkit.workflows.distill.stages import Tell, teacher_facts
from simkit.workflows.distill.starting import starting_model, stored_baseline

SAME = 1e-6
"""Grid (fractions, A) on which two of a user's structures are one: finer than any displacement that is meant."""
SAME_ENERGY_EV_PER_ATOM = 1e-3
ADDED = "added"
"""Group and origin of structures that were added to those drawn."""
FEWEST = 5


@dataclass(frozen=True)
class Given:
    """What a user brings: files (extended XYZ) of labels of their own, a model to start from, structures to add.

    data   labels that are learnt in place of a teacher's
    start  a model (its JSON, an embedded name, the folder of a training)
    added  files of structures that the teacher labels besides those that the recipe draws
    """

    data: Path | Sequence[Path] | None = None
    start: Path | None = None
    added: Sequence[Path] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of `data`."""
        if self.data is None:
            return ()
        return (self.data,) if isinstance(self.data, str | Path) else tuple(self.data)


@dataclass(frozen=True)
class Own:
    """Labels to learn, labels held out, and how these were chosen."""

    learnt: list[Labelled]
    held_out: list[Labelled]
    how: str


def own_labels(files: Sequence[Path], most: int, seed: int, tell: Tell) -> Own:
    """The labels of a user's files, some of them held out.

    Held out are at most `most` and at most a fifth: whole groups of one composition, drawn with the seed, so that no
    sibling of a held-out structure is learnt; where such groups are less than half of what may be held out, the
    last structures of the files as well. Never single atoms, and nothing that would leave an element without a
    label to learn. Raises InputError for fewer than 5 different structures, for one structure with two energies,
    and where nothing can be held out.
    """
    labels = different(files, tell)
    names = ", ".join(map(str, files))
    if len(labels) < FEWEST:
        raise InputError(f"{names} holds {len(labels)} different structures; at least {FEWEST} are needed.")
    chosen, how = chosen_to_hold(labels, min(most, len(labels) // FEWEST), seed)
    if not chosen:
        raise InputError(
            f"nothing in {names} can be held out: every structure is a single atom or has an element that too few "
            "others have; give more structures of each element."
        )
    tell(f"held out are {len(chosen)} of {len(labels)} structures: {how}")
    apart = [[label for i, label in enumerate(labels) if (i in chosen) == held] for held in (False, True)]
    return Own(*apart, how)


def different(files: Sequence[Path], tell: Tell) -> list[Labelled]:
    """The labels of files in order, each structure once. Raises InputError for one structure with two energies."""
    found: dict[str, tuple[str, Labelled]] = {}
    copies = 0
    for where, frame in (item for path in files for item in frames_of(path)):
        label = label_of(frame, where)
        first, had = found.setdefault(fingerprint(label.structure, SAME), (where, label))
        if had is label:
            continue
        copies += 1
        apart = abs(had.energy_eV - label.energy_eV) / len(label.structure)
        if apart > SAME_ENERGY_EV_PER_ATOM:
            raise InputError(
                f"{where} is the structure of {first} with an energy {apart:.3g} eV/atom away; leave out the wrong one."
            )
    if copies:
        tell(f"{copies} structures that are there twice are left out")
    return [label for _, label in found.values()]


def chosen_to_hold(labels: Sequence[Labelled], count: int, seed: int) -> tuple[set[int], str]:
    """Indices of labels that nothing is learnt from, at most `count`, and how they were chosen."""
    kinds = [set(map(int, label.structure.numbers)) for label in labels]
    left = Counter(z for kind in kinds for z in kind)
    chosen: set[int] = set()

    def take(group: Sequence[int]) -> None:
        lost = Counter(z for i in group for z in kinds[i])
        several = all(len(labels[i].structure) > 1 for i in group)
        if several and len(chosen) + len(group) <= count and all(left[z] > n for z, n in lost.items()):
            chosen.update(group)
            left.subtract(lost)

    groups: dict[tuple[int, ...], list[int]] = {}
    for index, label in enumerate(labels):
        numbers, counts = np.unique(label.structure.numbers, return_counts=True)
        groups.setdefault((*numbers, *(counts // np.gcd.reduce(counts))), []).append(index)
    names = sorted(groups)
    for k in np.random.default_rng(seed).permutation(len(names)):
        take(groups[names[k]])
    if 2 * len(chosen) >= count:
        return chosen, "whole compositions, none of them learnt"
    for index in reversed(range(len(labels))):
        if index not in chosen:
            take([index])
    return chosen, "the last structures of the files, beside learnt ones of the same composition"


def added_labels(files: Sequence[Path], source: Source, folder: Path, tell: Tell) -> list[Labelled]:
    """What the teacher says, asked once, of structures that a user adds to those drawn; labels in files do not count.

    Those with a force above the recipe's limit are left out, which `tell` says. Raises InputError for an element that
    the recipe does not know.
    """
    found: dict[str, Structure] = {}
    read = [item for path in files for item in frames_of(path)]
    for where, frame in read:
        unknown = sorted({SYMBOLS[z] for z in frame.structure.numbers} - set(source.sampling.elements))
        if unknown:
            raise InputError(
                f"{where} holds {', '.join(unknown)}, which [sampling] of the recipe lacks; name it there."
            )
        found.setdefault(fingerprint(frame.structure, SAME), frame.structure)
    keep = Keep(folder / "added.npz", key_of(ADDED, *teacher_facts(source), list(found)), (Labelled,))
    taught, _ = kept(keep, lambda: _asked(source.teacher, list(found.values())), tell)
    limit = source.sampling.force_limit_eV_per_A
    fit = within_limit(taught, limit)
    tell(
        f"added: {len(fit)} labels of {len(read)} structures; {len(read) - len(taught)} are there twice, "
        f"{len(taught) - len(fit)} have a force above {limit:g} eV/A"
    )
    return fit


def _asked(teacher: Potential, structures: Sequence[Structure]) -> list[Labelled]:
    answers = [a for part in by_atoms(structures) for a in teacher.evaluate([structures[i] for i in part])]
    return [labelled(s, answer, ADDED, ADDED) for s, answer in zip(structures, answers, strict=True)]


def on_the_zero_of(labels: Sequence[Labelled], start: Path, folder: Path, tell: Tell) -> Path:
    """A copy of a model in `folder` whose constants of the elements are moved to the energy zero of labels.

    The moves minimise the errors of energies per atom, as the constants of a first training do: another code, other
    pseudopotentials or other corrections shift every atom of an element alike, and no network should learn that.
    Elements in no label are moved by the mean of the others, which is a guess. Moves are computed once and kept.
    Raises InputError where the labels hold an element that the model does not know.
    """
    model = starting_model(start)
    known = stored_baseline(model).energies_eV
    keep = Keep(
        folder / "zero.npz", key_of("zero", checksum(labels), backend("simkit").read_record(model)["sha256"]), ()
    )
    asked = partial(_moves, labels, model, list(known))
    (moves, before, after), _ = kept(keep, asked, tell)
    moved = {z: energy + moves[z] for z, energy in known.items()}
    held = {int(z) for label in labels for z in label.structure.numbers}
    words = ", ".join(f"{SYMBOLS[z]} {move:+.3f}" for z, move in moves.items() if abs(move) >= 5e-4 and z in held)
    tell(
        f"the constants of the model begun from are moved to the energies of the labels (eV: {words or 'none'}): "
        f"{1e3 * before:.1f} meV/atom off before, {1e3 * after:.1f} after"
    )
    path: Path = backend("training").with_constants(model, moved, folder / "start")
    return path


def _moves(labels: Sequence[Labelled], model: Path, known: Sequence[int]) -> tuple[dict[int, float], float, float]:
    """Move (eV) of the constant of each element, and root mean squares (eV/atom) of energies before and after."""
    potential = load(f"simkit:{model}", device="cpu")
    for label in labels:
        check_elements(label.structure.numbers, potential.card)
    groups = by_atoms([label.structure for label in labels])
    answers = [a for part in groups for a in potential.evaluate([labels[i].structure for i in part])]
    apart = [(x.energy_eV - a.energy) / len(x.structure) for x, a in zip(labels, answers, strict=True)]
    fitted = constants([label.structure for label in labels], np.array(apart))
    others = float(np.mean(list(fitted.values())))
    moves = {z: round(fitted.get(z, others), 6) for z in known}
    left = [d - np.mean([moves[int(z)] for z in x.structure.numbers]) for x, d in zip(labels, apart, strict=True)]
    before, after = (float(np.sqrt(np.mean(np.square(errors)))) for errors in (apart, left))
    return moves, before, after


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
