"""Elastic constants from the stresses of strained cells, the moduli they give, and whether the crystal is stable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simkit.arrays import Floats, frozen, symmetric
from simkit.errors import InputError

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""xx yy zz yz xz xy."""
_MANDEL = np.array([1.0, 1.0, 1.0, np.sqrt(2), np.sqrt(2), np.sqrt(2)])
_RANK_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Elastic:
    """Elastic constants of one crystal, GPa, z along the layer normal.

    stiffness_GPa (6, 6) Voigt xx yy zz yz xz xy with engineering shear; asymmetry_GPa largest |C_ij - C_ji| before
    symmetrising: what strains of finite size and forces left over cost; strains how many strained pairs were needed.
    """

    stiffness_GPa: Floats
    asymmetry_GPa: float
    strains: int

    @property
    def compliance_per_GPa(self) -> Floats:
        """(6, 6) inverse of the stiffness. Raises InputError where it has none."""
        if self.eigenvalues_GPa[0] <= 0:
            raise InputError(
                f"the crystal is not stable (lowest eigenvalue of the stiffness {self.eigenvalues_GPa[0]:.3g} GPa), "
                "so it has no moduli; relax it further or take another structure."
            )
        return np.linalg.inv(self.stiffness_GPa)

    @property
    def eigenvalues_GPa(self) -> Floats:
        """(6,) eigenvalues of the stiffness as a tensor (Mandel's scaling), smallest first: what rotations keep."""
        return np.linalg.eigvalsh(self.stiffness_GPa * np.outer(_MANDEL, _MANDEL))

    @property
    def stable(self) -> bool:
        """Born's criterion for any symmetry: every strain costs energy (Mouhat and Coudert, PRB 90, 224104, 2014)."""
        return bool(self.eigenvalues_GPa[0] > 0)

    @property
    def constants_GPa(self) -> dict[str, float]:
        """C11, C12, C13, C33, C44, C66 averaged over turns about z: what `build` shares strain with."""
        c = self.stiffness_GPa
        shear = 0.125 * (c[0, 0] + c[1, 1]) - 0.25 * c[0, 1] + 0.5 * c[5, 5]
        first = 0.375 * (c[0, 0] + c[1, 1]) + 0.25 * c[0, 1] + 0.5 * c[5, 5]
        return {
            "C11": float(first), "C12": float(first - 2 * shear), "C13": float(0.5 * (c[0, 2] + c[1, 2])),
            "C33": float(c[2, 2]), "C44": float(0.5 * (c[3, 3] + c[4, 4])), "C66": float(shear),
        }  # fmt: skip


@dataclass(frozen=True)
class Moduli:
    """Engineering moduli, GPa.

    young_along, young_across    in the layers (mean over all in-plane directions) and along the normal
    shear_along, shear_between   within the layers (mean over directions), and layers sliding over one another
    poisson_along, poisson_normal  in-plane contraction, and thinning along the normal, under in-plane tension (x)
    bulk, shear                  Hill's means of Voigt's and Reuss's bounds
    biaxial                      stress per equal in-plane strain with a free normal: C11 + C12 - 2 C13^2 / C33
    """

    young_along: float
    young_across: float
    shear_along: float
    shear_between: float
    poisson_along: float
    poisson_normal: float
    bulk: float
    shear: float
    biaxial: float


def strains_needed(rotations: ArrayLike) -> list[int]:
    """Fewest Voigt strains, first come first taken, whose images under the point group span all six strains.

    rotations (k, 3, 3) cartesian, acting on columns. Two for a cubic crystal, three for a hexagonal one, six without
    symmetry.
    """
    rotations = _rotations(rotations)
    chosen: list[int] = []
    span = np.zeros((0, 6))
    for k in range(6):
        images = _mandel(_turned(_unit(k), rotations))
        wider = np.concatenate([span, images])
        if np.linalg.matrix_rank(wider, _RANK_TOLERANCE) > _rank(span):
            chosen.append(k)
            span = wider
    return chosen


def strain(component: int, size: float) -> Floats:
    """(3, 3) symmetric strain whose Voigt component (engineering shear) is `size`."""
    return size * _unit(component)


def elastic_constants(
    components: Sequence[int], responses_GPa: ArrayLike, rotations: ArrayLike | None = None
) -> Elastic:
    """C from d stress / d strain of a few Voigt strains and the point group of the crystal.

    components     the Voigt strains that were made (engineering shear of size 1)
    responses_GPa  (m, 3, 3) derivative of the stress by each, as [stress(+e) - stress(-e)] / 2e
    rotations      (k, 3, 3) cartesian point group; None: none but the identity

    Every rotation R turns a pair (strain, response) into another, R e R^T and R s R^T; C is the least-squares solution
    of all of them. The crystal must be free of stress, or derivatives of stress and second derivatives of energy
    differ. Raises InputError where strains and rotations do not span all six strains, or shapes are wrong.
    """
    responses = frozen(responses_GPa, np.float64, (len(components), 3, 3), "responses_GPa")
    turns = _rotations(np.eye(3)[None] if rotations is None else rotations)
    made = np.concatenate([_mandel(_turned(_unit(k), turns)) for k in components])
    told = np.concatenate([_mandel(_turned(symmetric(r), turns)) for r in responses])
    if _rank(made) < 6:
        raise InputError(
            f"strains {list(components)} and {len(turns)} rotations span {_rank(made)} of 6 strains; "
            "make those of strains_needed(rotations)."
        )
    solved = np.linalg.lstsq(made, told, rcond=None)[0].T
    c = solved / np.outer(_MANDEL, _MANDEL)
    return Elastic(0.5 * (c + c.T), float(np.abs(c - c.T).max()), len(components))


def moduli(elastic: Elastic) -> Moduli:
    """Young's and shear moduli along and across the layers, Hill's means. Raises InputError for an unstable crystal."""
    s, c = elastic.compliance_per_GPa, elastic.stiffness_GPa
    angles = np.linspace(0.0, np.pi, 180, endpoint=False)
    x, y = np.cos(angles), np.sin(angles)
    zero = np.zeros_like(x)
    stretch = np.stack([x * x, y * y, zero, zero, zero, x * y], axis=1)
    twist = np.stack([2 * x * y, -2 * x * y, zero, zero, zero, y * y - x * x], axis=1)
    voigt = (c[:3, :3].sum() / 9, (np.trace(c[:3, :3]) * 1.5 - 0.5 * c[:3, :3].sum() + 3 * np.trace(c[3:, 3:])) / 15)
    reuss_shear = 15 / (6 * np.trace(s[:3, :3]) - 2 * s[:3, :3].sum() + 3 * np.trace(s[3:, 3:]))
    inner = np.linalg.solve(c[np.ix_([2, 3, 4], [2, 3, 4])], c[np.ix_([2, 3, 4], [0, 1, 5])])
    plane = c[np.ix_([0, 1, 5], [0, 1, 5])] - c[np.ix_([0, 1, 5], [2, 3, 4])] @ inner
    return Moduli(
        young_along=float(np.mean(1 / np.einsum("ki,ij,kj->k", stretch, s, stretch))),
        young_across=float(1 / s[2, 2]),
        shear_along=float(np.mean(1 / np.einsum("ki,ij,kj->k", twist, s, twist))),
        shear_between=float(0.5 * (1 / s[3, 3] + 1 / s[4, 4])),
        poisson_along=float(-s[0, 1] / s[0, 0]),
        poisson_normal=float(-s[0, 2] / s[0, 0]),
        bulk=float(0.5 * (voigt[0] + 1 / s[:3, :3].sum())),
        shear=float(0.5 * (voigt[1] + reuss_shear)),
        biaxial=float(0.5 * plane[:2, :2].sum()),
    )


def cartesian_rotations(rotations: ArrayLike, cell: ArrayLike) -> Floats:
    """(k, 3, 3) cartesian point group from rotations of fractional columns and a cell with vectors in rows."""
    columns = np.asarray(cell, dtype=np.float64).T
    return columns @ np.asarray(rotations, dtype=np.float64) @ np.linalg.inv(columns)


def _unit(component: int) -> Floats:
    i, j = VOIGT[component]
    tensor = np.zeros((3, 3))
    tensor[i, j] += 0.5
    tensor[j, i] += 0.5
    return tensor


def _turned(tensor: Floats, rotations: Floats) -> Floats:
    return rotations @ tensor @ np.swapaxes(rotations, -1, -2)


def _mandel(tensors: Floats) -> Floats:
    """(k, 6) with off-diagonal entries times sqrt(2): strains and stresses as vectors of one length."""
    return np.stack([tensors[..., i, j] for i, j in VOIGT], axis=-1) * _MANDEL


def _rank(rows: Floats) -> int:
    return int(np.linalg.matrix_rank(rows, _RANK_TOLERANCE)) if len(rows) else 0


def _rotations(rotations: ArrayLike) -> Floats:
    turns = frozen(rotations, np.float64, (None, 3, 3), "rotations")
    miss = float(np.abs(turns @ np.swapaxes(turns, -1, -2) - np.eye(3)).max())
    if miss > 1e-2:
        raise InputError(f"a rotation misses orthogonality by {miss:.2g}; give cartesian rotations (3, 3).")
    return turns
