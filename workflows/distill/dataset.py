"""Labelled structures: what a teacher said of a structure, where that structure came from, and files of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from simkit import io
from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.io import checkpoint
from simkit.potential.base import Evaluation
from simkit.structure import Structure

SODIUM = 11
ANIONS = (8, 9, 16)
"""Oxygen, fluorine and sulfur: two of them make one formula unit of a layered oxide."""
ENERGY_KEYS = ("REF_energy", "energy", "dft_energy", "free_energy")
FORCE_KEYS = ("REF_forces", "forces", "force", "dft_forces")
STRESS_KEYS = ("REF_stress", "stress", "dft_stress")
VIRIAL_KEYS = ("REF_virial", "REF_virials", "virial", "virials", "dft_virial")
"""Of the whole cell, eV: minus the volume times the stress."""
SAME_FRACTION = 1e-3
"""Two structures are duplicates when their cells (A) and fractional coordinates agree to this grid."""
MOST_STRESS_EV_PER_A3 = 3.0
"""Nearly 500 GPa; labels above it are in other units."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A structure and what the teacher says of it.

    energy_eV; forces (n, 3) eV/A; stress (3, 3) eV/A^3, tensile positive, or None where the teacher gave none;
    group   phase or phases it was built as ("P2", "P2+O3", "spinel"); for errors by phase
    origin  how it came about ("built", "relaxed", "rattled", "md300", "hop" ...); for errors by kind
    sodium  Na per two anions
    """

    structure: Structure
    energy_eV: float
    forces: Floats
    stress: Floats | None
    group: str
    origin: str
    sodium: float


def labelled(structure: Structure, answer: Evaluation, group: str, origin: str) -> Labelled:
    """A structure with an evaluation as its label."""
    return Labelled(
        structure, float(answer.energy), answer.forces, answer.stress, group, origin, sodium_content(structure)
    )


def sodium_content(structure: Structure) -> float:
    """Na per two anions; 0 where there is no anion."""
    anions = int(np.isin(structure.numbers, ANIONS).sum())
    return 2.0 * float((structure.numbers == SODIUM).sum()) / anions if anions else 0.0


def fingerprint(structure: Structure, grid: float = SAME_FRACTION) -> str:
    """A hash that two copies of a structure share: cell (A) and wrapped fractional coordinates on a grid."""
    fractional = np.round(structure.fractional / grid).astype(np.int64) % round(1 / grid)
    order = np.lexsort((*fractional.T, structure.numbers))
    rows = np.column_stack([structure.numbers, fractional])[order]
    cell = np.round(structure.cell / grid).astype(np.int64)
    return hashlib.sha256(rows.tobytes() + cell.tobytes() + _open_sides(structure)).hexdigest()


def _open_sides(structure: Structure) -> bytes:
    """Which directions repeat, where not all three do."""
    return b"" if structure.periodic.all() else structure.periodic.tobytes()


def deduplicated(labels: Iterable[Labelled]) -> list[Labelled]:
    """The first of each set of equal structures, in order."""
    seen: dict[str, Labelled] = {}
    for label in labels:
        seen.setdefault(fingerprint(label.structure), label)
    return list(seen.values())


def checksum(labels: Sequence[Labelled]) -> str:
    """SHA-256 over species, positions, cells, open sides, energies, forces and stresses in order."""
    digest = hashlib.sha256()
    for label in labels:
        stress = np.full((3, 3), np.nan) if label.stress is None else label.stress
        arrays = (label.structure.numbers, label.structure.positions, label.structure.cell, label.forces, stress)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(np.float64(label.energy_eV).tobytes() + _open_sides(label.structure))
    return digest.hexdigest()


def write_labels(path: str | Path, labels: Sequence[Labelled], key: str = "") -> None:
    """Write labels atomically, exact to the last bit, under the key of the work that made them."""
    checkpoint.save(path, list(labels), key)


def read_labels(path: str | Path, key: str | None = None) -> list[Labelled]:
    """Read what `write_labels` wrote. Raises CorruptFileError where file or key does not match."""
    return checkpoint.load(path, (Labelled,), key)


def write_extxyz(path: str | Path, labels: Sequence[Labelled], force_scale_eV_per_A: float | None = None) -> None:
    """Extended XYZ with REF_energy (eV), REF_forces (eV/A), REF_stress (9 numbers, eV/A^3): what trainers read.

    With a scale s, each frame has weights config_forces_weight and config_energy_weight of s / sqrt(s^2 + f^2), f the
    root mean square of its forces.
    """
    frames = [_frame(label) for label in labels]
    if force_scale_eV_per_A is not None:
        for frame, label in zip(frames, labels, strict=True):
            size = float(np.sqrt(np.mean(np.sum(label.forces**2, axis=1))))
            for name in ("forces", "energy"):
                frame.metadata[f"config_{name}_weight"] = 1 / float(np.hypot(1.0, size / force_scale_eV_per_A))
    io.write_atomic(path, io.frames_text(frames).encode())


def _frame(label: Labelled) -> io.Frame:
    given = label.structure
    plain = Structure(given.numbers, given.positions, given.cell, given.periodic)
    words: dict[str, str | float] = {"REF_energy": label.energy_eV, "group": label.group, "origin": label.origin}
    if label.stress is not None:
        words["REF_stress"] = " ".join(repr(float(x)) for x in np.ravel(label.stress))
    return io.Frame(plain, words, {"REF_forces": np.asarray(label.forces)})


def read_extxyz(path: str | Path) -> list[Labelled]:
    """Labels from a user's extended XYZ file, as DFT programs and ASE write it.

    Energy, forces and stress (6 Voigt numbers xx yy zz yz xz xy, or 9) under the names in `ENERGY_KEYS`,
    `FORCE_KEYS` and `STRESS_KEYS`, or instead of the stress a virial under one of `VIRIAL_KEYS`; the words group and
    origin are kept. Raises InputError, naming the frame, where energy or forces are missing, or they or the stress are
    no finite numbers, or the stress is above `MOST_STRESS_EV_PER_A3`.
    """
    return [label_of(frame, where) for where, frame in frames_of(path)]


def frames_of(path: str | Path) -> list[tuple[str, io.Frame]]:
    """The frames of a file, each with the words that name it in errors."""
    return [(f"{path}, frame {index}", frame) for index, frame in enumerate(io.read_frames(path))]


def label_of(frame: io.Frame, where: str) -> Labelled:
    """The label in a frame as `read_extxyz` reads it; `where` names the frame in errors."""
    energy = _number(next((frame.metadata[key] for key in ENERGY_KEYS if key in frame.metadata), None))
    forces = next((frame.columns[key] for key in FORCE_KEYS if key in frame.columns), None)
    if energy is None:
        raise InputError(
            f"{where} has no energy; give one of {', '.join(ENERGY_KEYS)} (eV, a finite number) in the comment line."
        )
    if forces is None or forces.shape[1] != 3 or not np.isfinite(forces).all():
        raise InputError(f"{where} has no forces; give three finite columns named {', '.join(FORCE_KEYS)} (eV/A).")
    stress = _stress_of(frame, where)
    answer = Evaluation(energy, forces, np.zeros((3, 3)) if stress is None else stress)
    words = (str(frame.metadata.get(name, "data")) for name in ("group", "origin"))
    label = labelled(frame.structure, answer, *words)
    return label if stress is not None else replace(label, stress=None)


def _number(value: object) -> float | None:
    """A finite number, written as one or in quotes; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _stress_of(frame: io.Frame, where: str) -> Floats | None:
    """(3, 3) eV/A^3 of a frame, from its stress or else its virial; None where it has neither."""
    for key in (*STRESS_KEYS, *VIRIAL_KEYS):
        if key in frame.metadata:
            given = _stress(str(frame.metadata[key]), where)
            stress = given if key in STRESS_KEYS else -given / frame.structure.volume
            if not np.abs(stress).max() <= MOST_STRESS_EV_PER_A3:
                raise InputError(
                    f"{where} has a stress of {np.abs(stress).max():.3g} eV/A^3 ({key}); finite numbers of at most "
                    f"{MOST_STRESS_EV_PER_A3:g} are allowed: 1 eV/A^3 is 160.2 GPa or 1602 kbar."
                )
            return stress
    return None


def _stress(text: str, where: str) -> Floats:
    """(3, 3) from six Voigt or nine numbers in text."""
    try:
        numbers = np.array([float(word) for word in text.strip("[]{}()").replace(",", " ").split()])
    except ValueError as error:
        raise InputError(f"{where} has a stress of {text[:60]!r}; six or nine numbers (eV/A^3) are wanted.") from error
    if len(numbers) == 9:
        return numbers.reshape(3, 3)
    if len(numbers) != 6:
        raise InputError(f"{where} has a stress of {len(numbers)} numbers; six (Voigt) or nine are wanted.")
    xx, yy, zz, yz, xz, xy = numbers
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
