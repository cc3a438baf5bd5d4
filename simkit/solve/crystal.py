"""The landscape of single structures: fixed or free cell, frozen atoms and directions, held slabs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simkit.arrays import Floats
from simkit.potential.base import Potential
from simkit.solve.band_rules import SOFT_EV_PER_A2
from simkit.solve.cells import ENTRIES, cell_forces, frames, free_entries, free_stress, gradients
from simkit.solve.groups import Groups, largest_by
from simkit.solve.host_model import HostModel, Model, Modes, stiffness
from simkit.solve.landscape import Answers, Landscape, Point, ask
from simkit.solve.precondition import Springs, solver, spring_model, strain_stiffness
from simkit.solve.stepper import identity
from simkit.structure import Batch, Structure


@dataclass(frozen=True, eq=False)
class Freedom:
    """What one structure may do.

    cell  "fixed", "free", "c" (length along the normal of a1 and a2) or "inplane"
    moves (n, 3) which cartesian components of each atom may change
    held  (n,) atoms with the same number >= 0 keep the in-plane centroid of their group; -1 are not held

    Where the cell is free, `moves` and `held` speak of the reference coordinates: a frozen atom keeps
    its fractional position.
    """

    cell: str
    moves: np.ndarray
    held: np.ndarray

    @classmethod
    def full(cls, structure: Structure, cell: str = "fixed") -> Freedom:
        """Every atom free, nothing held."""
        return cls(cell, np.ones((len(structure), 3), dtype=bool), np.full(len(structure), -1))


@dataclass(frozen=True, eq=False)
class Criterion:
    """When a structure counts as relaxed.

    fmax  eV/A, largest norm of a free atom's force (after the constraints)
    stress eV/A^3, largest component of stress + pressure that a free cell entry works against
    pressure eV/A^3, outside pressure (compressive positive)
    error  eV, (m,) largest energy that the forces on all atoms may still stand for: 1/2 f.H^-1.f with a host's Hessian,
           else |f|^2 / 2k with k = `SOFT_EV_PER_A2`
    """

    fmax: float
    stress: float
    pressure: float = 0.0
    error: float | Floats = np.inf


@dataclass(frozen=True, eq=False)
class Crystals(Landscape):
    """Structures laid end to end, each its own group.

    Coordinates: reference positions y (3 n entries), then six strain entries per structure in units that
    make them comparable with displacements. The true positions are y @ F and the cell is cell_0 @ F with
    the deformation gradient F of `cells.gradients`.
    """

    potential: Potential
    structures: tuple[Structure, ...]
    freedoms: tuple[Freedom, ...]
    criterion: Criterion
    models: tuple[Model, ...]

    @cached_property
    def batch(self) -> Batch:
        """The structures as given."""
        return Batch.of(list(self.structures))

    @cached_property
    def groups(self) -> Groups:
        """One group per structure."""
        m = len(self.structures)
        return Groups(np.concatenate([np.repeat(self.batch.system_of, 3), np.repeat(np.arange(m), 6)]), m)

    @cached_property
    def owner(self) -> np.ndarray:
        """System i is group i."""
        return np.arange(len(self.structures))

    @cached_property
    def _frame(self) -> Floats:
        return frames(self.batch.cells)

    @cached_property
    def _free(self) -> np.ndarray:
        return np.stack([free_entries(f.cell) for f in self.freedoms])

    @cached_property
    def _moves(self) -> np.ndarray:
        return np.concatenate([f.moves for f in self.freedoms])

    @cached_property
    def _held(self) -> np.ndarray:
        """(atoms,) held group of each atom, numbered over the whole batch, or -1."""
        out, base = [], 0
        for f in self.freedoms:
            out.append(np.where(f.held >= 0, f.held + base, -1))
            base += int(f.held.max(initial=-1)) + 1
        return np.concatenate(out)

    @cached_property
    def _unit(self) -> Floats:
        """(m, 1) A: length by which a strain of 1 counts, sqrt(n) times the spacing of the atoms."""
        n = np.array([len(s) for s in self.structures])
        return (np.sqrt(n) * (self.batch.volumes / n) ** (1 / 3))[:, None]

    @cached_property
    def _solvers(self) -> list[Callable[[Floats, Floats], tuple[Floats, Floats]]]:
        """For each structure what applies its inverse model Hessian to forces (n, 3) and strain entries (6,)."""
        return [self._solver(k, model) for k, model in enumerate(self.models)]

    def _solver(self, k: int, model: Model) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
        if model is None:
            return lambda forces, entries: (forces, entries)
        return self._spring_solver(k, model) if isinstance(model, Springs) else self._host_solver(k)

    def _spring_solver(self, k: int, springs: Springs) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
        model = spring_model(self.structures[k], springs)
        atoms = solver(model, self.freedoms[k].moves)
        strain = self._unit[k] ** 2 / np.maximum(strain_stiffness(model, self._frame[k], ENTRIES), 1e-12)
        return lambda forces, entries: (atoms(forces), strain * entries)

    def _host_solver(self, k: int) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
        def apply(forces: Floats, entries: Floats) -> tuple[Floats, Floats]:
            solved = self._modes[k].divided(np.concatenate([forces.ravel(), entries])[None])[0]
            return solved[:-6].reshape(-1, 3), solved[-6:]

        return apply

    @cached_property
    def _modes(self) -> dict[int, Modes]:
        """Those of the structures whose model Hessian is a host's."""
        found = {}
        for k, model in enumerate(self.models):
            if isinstance(model, HostModel):
                free = np.concatenate([self.freedoms[k].moves.ravel(), self._free[k]])
                found[k] = stiffness(model, self.structures[k], float(self._unit[k, 0])).modes(free)
        return found

    def _left(self, forces: Floats, batch: Batch) -> Floats:
        """(m,) eV that forces (atoms, 3) stand for: by a host's Hessian, else as if all motions were soft."""
        out = np.bincount(batch.system_of, (forces**2).sum(axis=1), len(batch)) / (2.0 * SOFT_EV_PER_A2)
        for k, modes in self._modes.items():
            mine = forces[batch.starts[k] : batch.starts[k + 1]].ravel()
            out[k] = modes.left(np.concatenate([mine, np.zeros(6)])[None])[0]
        return out

    def start(self) -> Floats:
        """The structures as given: no strain."""
        return np.concatenate([self.batch.positions.ravel(), np.zeros(6 * len(self.structures))])

    def shape(self, x: Floats) -> tuple[Floats, Floats]:
        """Positions (atoms, 3) A and cells (m, 3, 3) A at coordinates x; fixed cells exactly as given."""
        y, gradient = self._unpack(x)
        moving = self._free.any(axis=1)
        if not moving.any():
            return y, self.batch.cells
        positions = np.einsum("ni,nij->nj", y, gradient[self.batch.system_of])
        positions = np.where(moving[self.batch.system_of, None], positions, y)
        return positions, np.where(moving[:, None, None], self.batch.cells @ gradient, self.batch.cells)

    def _unpack(self, x: Floats) -> tuple[Floats, Floats]:
        n = 3 * len(self.batch.numbers)
        return x[:n].reshape(-1, 3), gradients(x[n:].reshape(-1, 6) / self._unit, self._frame)

    def at(self, x: Floats, active: np.ndarray, before: Point | None) -> Point:
        """Evaluate the active structures at x."""
        positions, cells = self.shape(x)
        batch = self.batch.moved_to(positions, cells)
        answers = ask(self.potential, batch, active, None if before is None else before.answers)
        stress = answers.stress + self.criterion.pressure * np.eye(3)
        m = len(self.structures)
        allowed = self._allowed(answers.forces)
        norms, left = np.linalg.norm(allowed, axis=1), self._left(allowed, batch)
        force_ratio = np.maximum(
            largest_by(batch.system_of, norms, m) / self.criterion.fmax, np.sqrt(left / self.criterion.error)
        )
        stress_ratio = free_stress(stress, self._frame, self._free) / self.criterion.stress
        return Point(
            x=x,
            force=self.generalised(x, answers),
            answers=answers,
            energy=answers.energy,
            largest=largest_by(batch.system_of, np.linalg.norm(answers.forces, axis=1), m),
            residual=np.maximum(force_ratio, stress_ratio),
            watched=answers.energy,
            mode=np.full(m, -1),
        )

    def generalised(self, x: Floats, answers: Answers) -> Floats:
        """(d,) what pushes the coordinates, from the potential's answers at x."""
        return self.generalised_of(x, answers.forces, answers.stress)

    def generalised_of(self, x: Floats, forces: Floats, stress: Floats) -> Floats:
        """(d,) the same from forces (atoms, 3) eV/A and stress (m, 3, 3) eV/A^3."""
        _, gradient = self._unpack(x)
        pulled = self._allowed(np.einsum("ni,nji->nj", forces, gradient[self.batch.system_of]))
        volumes = self.batch.volumes * np.linalg.det(gradient)
        tension = volumes[:, None, None] * (stress + self.criterion.pressure * np.eye(3))
        push = np.where(self._free, cell_forces(tension, gradient, self._frame), 0.0) / self._unit
        return np.concatenate([pulled.ravel(), push.ravel()])

    def swelling(self, x: Floats) -> Floats:
        """(m,) factor of the volume change, 1 or more."""
        ratio = np.abs(np.linalg.det(self._unpack(x)[1]))
        return np.maximum(ratio, 1.0 / np.maximum(ratio, 1e-12))

    def free_forces(self, forces: Floats) -> Floats:
        """(m,) largest norm of a force, eV/A, after the constraints."""
        return largest_by(self.batch.system_of, np.linalg.norm(self._allowed(forces), axis=1), len(self.structures))

    def _allowed(self, vectors: Floats) -> Floats:
        """Orthogonal projection of per-atom vectors onto what may move."""
        out = np.where(self._moves, vectors, 0.0)
        for axis in (0, 1):
            free = np.flatnonzero(self._moves[:, axis] & (self._held >= 0))
            if len(free):
                mean = np.bincount(self._held[free], out[free, axis]) / np.maximum(np.bincount(self._held[free]), 1)
                out[free, axis] -= mean[self._held[free]]
        return out

    def metric(self, point: Point) -> Callable[[Floats], Floats]:
        """Inverse model Hessian on the atoms and the strains, restricted to what may move."""
        return self._solved if any(model is not None for model in self.models) else identity

    def _solved(self, vector: Floats) -> Floats:
        n = 3 * len(self.batch.numbers)
        parts, entries = self.batch.split(vector[:n].reshape(-1, 3)), vector[n:].reshape(-1, 6)
        solved = [solve(part, row) for solve, part, row in zip(self._solvers, parts, entries, strict=True)]
        atoms, strains = zip(*solved, strict=True)
        return np.concatenate([self._allowed(np.concatenate(atoms)).ravel(), *strains])
