"""Spinel on the O3 stacking: which octahedra and tetrahedra of each sheet are filled, and its lattice parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from simkit.arrays import Integers
from simkit.build.arguments import require_kind, require_number
from simkit.build.heights import Heights
from simkit.build.identify import classify
from simkit.build.plane import lattice_points
from simkit.build.recognise import metal_order
from simkit.build.valence import mean_bond_A, tetrahedral_valence
from simkit.errors import InputError
from simkit.structure import Structure

TETRAHEDRAL_RADII_A: Mapping[str, float] = MappingProxyType(
    {"Li": 0.59, "Na": 0.99, "K": 1.37, "Mg": 0.57, "Zn": 0.60, "Al": 0.39, "Ga": 0.47}
    | {"Mn": 0.66, "Fe": 0.63, "Co": 0.58, "Ni": 0.55, "Cu": 0.57, "Ti": 0.42}
)
"""Ionic radii in fourfold coordination, A (Shannon, Acta Cryst. A 32, 751, 1976): high-spin divalent metals, Ti4+."""
OXYGEN_RADIUS_A = 1.38
"""Radius of O2- with four neighbours, as in a spinel, A (Shannon 1976)."""
VACANT_RADIUS_A = 0.50
"""Radius of an empty tetrahedron that gives the cell of lambda-MnO2 (a = 8.03 A, Hunter, J. Solid State Chem. 39,
142, 1981) from d(Mn4+-O) = 1.93 A."""


def far(point: tuple[int, int], letters: int) -> tuple[int, int]:
    """The farthest of four: of the 2 x 2 points `letters` (+1 or -1) letters away, that nowhere near `point`.

    Points are thirds of the primitive in-plane vectors, modulo 6 (the 2 x 2 cell). Three of the four points of
    another letter lie at a / sqrt(3), the fourth at 2 a / sqrt(3), at -2 times the step of one letter.
    """
    return (point[0] - 2 * letters) % 6, (point[1] - 4 * letters) % 6


def step(first: int, second: int) -> int:
    """+1 or -1 letters from one letter to another, unlike one (modulo 3)."""
    return 1 if (second - first) % 3 == 1 else -1


def on_point(matrix: Integers, letter: int, point: tuple[int, int]) -> np.ndarray:
    """(area,) bool: which points of a layer of this letter are `point` modulo 2 x 2, ordered as `lattice_points`."""
    thirds = 3 * lattice_points(matrix) + (letter % 3) * np.array([1, 2])
    return np.all(thirds % 6 == np.array(point) % 6, axis=1)


def first_vacancy(letter: int, origin: int) -> tuple[int, int]:
    """One of the four octahedra (origin 0 to 3) of a sheet with this letter."""
    return (letter + 3 * (origin // 2)) % 6, (2 * letter + 3 * (origin % 2)) % 6


def require_even(matrix: Integers, phase: str) -> None:
    """Raise InputError unless the supercell holds whole 2 x 2 cells, naming the repeats that do."""
    if np.any(np.asarray(matrix) % 2):
        rows = np.asarray(matrix).tolist()
        raise InputError(
            f"repeats = {rows} hold no whole 2 x 2 cells, which the {phase} order needs: every entry must be even; "
            f"twice these, {(2 * np.asarray(matrix)).tolist()}, would do."
        )


def spinel_heights(a_s_A: float) -> Heights:
    """Heights of a cubic spinel, or of rock-salt with a_s = 2 a_rs.

    a = a_s / (2 sqrt 2), slab = gallery = a_s / (2 sqrt 3); a_s_A cell parameter of the spinel, A. Raises InputError
    where it is no number, or the heights are none that `Heights` takes.
    """
    a_s_A = require_number("a_s_A", a_s_A, 0.0)
    layer = a_s_A / (2.0 * math.sqrt(3.0))
    return Heights(a_s_A / (2.0 * math.sqrt(2.0)), layer, {"O3": layer})


def cubic_spinel_A(octahedral_A: float, tetrahedral_A: float) -> float:
    """Cell parameter of a spinel with these two bond lengths, A.

    With A-O = sqrt(3) (u - 1/8) a and (B-O)^2 = (3 u^2 - 2 u + 3/8) a^2, eliminating u:
    11/64 a^2 - 5/(4 sqrt 3) (A-O) a + (A-O)^2 - (B-O)^2 = 0, of which a is the larger root. Raises InputError for
    lengths that no spinel joins.
    """
    octahedral_A = require_number("octahedral_A", octahedral_A, 0.0)
    tetrahedral_A = require_number("tetrahedral_A", tetrahedral_A, 0.0)
    half = 5.0 / (8.0 * math.sqrt(3.0)) * tetrahedral_A
    root = half**2 - 11.0 / 64.0 * (tetrahedral_A**2 - octahedral_A**2)
    if root < 0:
        raise InputError(
            f"octahedral bonds of {octahedral_A:.3f} A and tetrahedral bonds of {tetrahedral_A:.3f} A close no spinel; "
            "the tetrahedral ones must be at most 2.03 times as long."
        )
    return (half + math.sqrt(root)) * 64.0 / 11.0


def oxygen_parameter(structure: Structure) -> float:
    """Oxygen parameter u of a spinel cell, relaxed or not, from the heights of its anion layers.

    The anions of a mixed sheet stand sqrt(3) (u - 1/4) a_s / 2 outside their ideal planes on average (those of a
    tetrahedron's base a third of that of its apex), so mixed sheets are thicker than kagome sheets by
    2 sqrt(3) (u - 1/4) a_s, a_s = 2 sqrt(2) a. Exact for cubic cells. Raises InputError unless the whole
    structure is one spinel.
    """
    require_kind("structure", structure, Structure, "bulk(...).structure")
    found = classify(structure)
    order = metal_order(structure, found)
    if set(order.galleries) != {"spinel"}:
        raise InputError(f"{structure.formula} is no spinel throughout; its galleries hold {order.galleries}.")
    thicker = float(found.gallery_heights_A.mean() - found.thicknesses_A.mean())
    in_slabs = (order.kind == "K") & (found.slab_of >= 0)
    sign = 1.0 if in_slabs.any() else -1.0
    return 0.25 + sign * thicker / (2.0 * math.sqrt(3.0) * 2.0 * math.sqrt(2.0) * found.a_A)


def decorated_heights(
    phase: str, metals: Mapping[str, float] | Sequence[Mapping[str, float]], tetrahedral: Mapping[str, float]
) -> Heights:
    """Starting values for a spinel or rock-salt block from ionic radii.

    Within about 2 % of printed cells of cubic oxides; Jahn-Teller distortion is averaged over. Raises
    InputError for a tetrahedral cation without a radius.
    """
    table = metals if isinstance(metals, Mapping) else metals[0]
    if phase == "rock-salt":
        return spinel_heights(4.0 * mean_bond_A(table, 2.0))
    missing = [symbol for symbol in tetrahedral if symbol not in TETRAHEDRAL_RADII_A]
    if missing:
        raise InputError(
            f"{missing[0]} has no tetrahedral radius here (known: {', '.join(TETRAHEDRAL_RADII_A)}); "
            "give the block its heights (`spinel_heights`)."
        )
    charge = sum(x * tetrahedral_valence(s) for s, x in tetrahedral.items())
    bond = mean_bond_A(table, (8.0 - charge) / 2.0)
    radius = sum(x * TETRAHEDRAL_RADII_A[s] for s, x in tetrahedral.items()) if tetrahedral else VACANT_RADIUS_A
    return spinel_heights(cubic_spinel_A(bond, OXYGEN_RADIUS_A + radius))
