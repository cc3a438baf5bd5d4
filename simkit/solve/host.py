"""The Hessian of a host crystal: computed once, used for every vacancy and every hop in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.arrays import Floats
from simkit.errors import InputError, SimkitError
from simkit.potential.base import Potential
from simkit.solve.cells import ENTRIES, cell_forces, frames, gradients
from simkit.solve.host_symmetry import Shift, Symmetry, shifts_needed, symmetry_of
from simkit.structure import Structure

MOST_ATOMS = 1500
"""A matrix of 4500 x 4500 numbers is inverted in seconds; larger ones are not worth their memory."""


@dataclass(frozen=True, eq=False)
class Host:
    """Second derivatives of the energy of one crystal with respect to positions and strain.

    structure  where they were taken
    atoms      (3 n, 3 n) eV/A^2
    mixed      (6, 3 n) eV/A, by the entries `cells.ENTRIES` of the deformation gradient, then the positions
    strain     (6, 6) eV
    evaluations  model evaluations it took
    """

    structure: Structure
    atoms: Floats
    mixed: Floats
    strain: Floats
    evaluations: int


@dataclass(frozen=True)
class HostSettings:
    """How a host's Hessian is taken.

    step_A      displacement of an atom; strain_step the same for an entry of the deformation gradient, both ways
    symprec_A   tolerance of the symmetry that spares displacements; 0: every atom is displaced
    both_sides  displace both ways: errors fall with step_A^2 instead of step_A (a few per cent, enough for a model)
    """

    step_A: float = 0.01
    strain_step: float = 0.002
    symprec_A: float = 0.01
    both_sides: bool = False


def host_hessian(structure: Structure, potential: Potential, settings: HostSettings | None = None) -> Host:
    """Differences of forces and stress, all in one batch, symmetry-reduced.

    3 n + 13 evaluations without symmetry, far fewer with it: one to three displacements for every kind of site that
    symmetry tells apart. For a crystal at rest.
    Raises InputError for structures that are not periodic in three directions, or too large, SimkitError where the
    potential breaks down.
    """
    settings = HostSettings() if settings is None else settings
    _check(structure, settings)
    symmetry = _symmetry(structure, settings.symprec_A)
    shifts = shifts_needed(symmetry, settings.both_sides)
    moved = [structure.moved_to(_shifted(structure, one, settings.step_A)) for one in shifts]
    rest, *said = potential.evaluate([structure, *moved, *_strained(structure, settings.strain_step)])
    if not all(e.finite for e in (rest, *said)):
        raise SimkitError(f"the potential returns numbers that are not finite near {structure.formula} at rest.")
    rows = _rows(symmetry, shifts, [(e.forces - rest.forces) / settings.step_A for e in said[: len(shifts)]])
    pulls, tension = _strain_answers(structure, said[len(shifts) :], settings.strain_step)
    mixed = -(pulls[0::2] - pulls[1::2]) / (2 * settings.strain_step)
    strain = -(tension[0::2] - tension[1::2]) / (2 * settings.strain_step)
    return Host(structure, _symmetric(rows), mixed, _symmetric(strain), len(said) + 1)


def host_cost(structure: Structure, settings: HostSettings | None = None) -> int:
    """Model evaluations that `host_hessian` takes."""
    settings = HostSettings() if settings is None else settings
    _check(structure, settings)
    symmetry = _symmetry(structure, settings.symprec_A)
    return 1 + len(shifts_needed(symmetry, settings.both_sides)) + 2 * len(ENTRIES)


def _check(structure: Structure, settings: HostSettings) -> None:
    if not structure.periodic.all() or len(structure) > MOST_ATOMS:
        raise InputError(
            f"a host is periodic in three directions and holds {MOST_ATOMS} atoms at most; {structure.formula} has "
            f"{len(structure)} atoms and repeats along {structure.periodic.tolist()}."
        )
    if not (settings.step_A > 0 and settings.strain_step > 0 and settings.symprec_A >= 0):
        raise InputError(f"{settings}: steps must be positive and symprec_A 0 or more.")


def _symmetry(structure: Structure, symprec_A: float) -> Symmetry:
    if symprec_A == 0:
        return Symmetry(np.eye(3)[None], np.arange(len(structure))[None])
    return symmetry_of(structure, symprec_A)


def _shifted(structure: Structure, shift: Shift, step_A: float) -> Floats:
    x = structure.positions.copy()
    x[shift.atom] += step_A * shift.direction
    return x


def _rows(symmetry: Symmetry, shifts: list[Shift], forces: list[Floats]) -> Floats:
    """(3 n, 3 n) minus the response of all forces to each coordinate, from the displacements that were made.

    What a displacement u of an atom does, R does to R u: F_R(j) = R F_j. The images of the displacements of one atom
    determine its rows by least squares; the rows of the atoms it is carried to are turned with them.
    """
    n = symmetry.maps.shape[1]
    out = np.zeros((n, 3, n, 3))
    for atom in dict.fromkeys(one.atom for one in shifts):
        mine = [k for k, one in enumerate(shifts) if one.atom == atom]
        known, seen = [], []
        for k in np.flatnonzero(symmetry.maps[:, atom] == atom):
            turn, to = symmetry.rotations[k], symmetry.maps[k]
            for s in mine:
                answer = np.empty((n, 3))
                answer[to] = forces[s] @ turn.T
                known.append(turn @ shifts[s].direction)
                seen.append(-answer.ravel())
        block = np.linalg.lstsq(np.array(known), np.array(seen), rcond=None)[0].reshape(3, n, 3)
        for turn, to in zip(symmetry.rotations, symmetry.maps, strict=True):
            out[to[atom]][:, to] = np.einsum("ab,bjc,dc->ajd", turn, block, turn)
    return out.reshape(3 * n, 3 * n)


def _strained(structure: Structure, step: float) -> list[Structure]:
    """The structure with each entry of the deformation gradient up, then down."""
    frame = frames(structure.cell[None])
    steps = np.concatenate([[e, -e] for e in step * np.eye(len(ENTRIES))])
    return [
        structure.moved_to(structure.positions @ f, structure.cell @ f)
        for f in gradients(steps, np.repeat(frame, len(steps), axis=0))
    ]


def _strain_answers(structure: Structure, said: list, step: float) -> tuple[Floats, Floats]:
    """Forces on the reference positions (12, 3 n) and on the entries (12, 6) at each of the strained cells."""
    frame = np.repeat(frames(structure.cell[None]), len(said), axis=0)
    steps = np.concatenate([[e, -e] for e in step * np.eye(len(ENTRIES))])
    gradient = gradients(steps, frame)
    pulls = np.stack([(e.forces @ f.T).ravel() for e, f in zip(said, gradient, strict=True)])
    volumes = structure.volume * np.linalg.det(gradient)
    tension = volumes[:, None, None] * np.stack([e.stress for e in said])
    return pulls, cell_forces(tension, gradient, frame)


def _symmetric(matrix: Floats) -> Floats:
    return 0.5 * (matrix + matrix.T)
