"""Special quasirandom arrangements through icet, with the pairs of every slab brought near those of a random alloy."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from icet import ClusterSpace
from icet.input_output.logging_tools import logger as icet_logger
from icet.tools.structure_generation import generate_sqs_from_supercells

from simkit.arrays import Floats, Integers
from simkit.build.fill.pairs import polished
from simkit.errors import InputError
from simkit.kernels.pair_search import find_pairs

PAIR_SHELLS, TRIPLET_SHELLS = 2.1, 1.1
"""Reach of pairs and of triplets, in nearest distances: three shells of a triangular layer, and its triangles."""
STEPS = 1500
"""Exchanges icet tries, at about 1 ms each whatever the size; `polished` follows."""
MOST_SUBLATTICES = 26
"""icet names sublattices by letters; every stratum with two or more species is one."""


def quasirandom(points: Floats, cell: Floats, names: np.ndarray, group: Integers, key: tuple[int, ...]) -> np.ndarray:
    """(n,) symbols exchanged within their group so that the correlations come near those of random occupation.

    A. van de Walle et al., Calphad 42, 13 (2013), as implemented in icet; every group is a sublattice of its own,
    so that its counts stay exact. To icet, species of different groups are different: with several groups the
    clusters across groups outnumber those within. `polished` then exchanges further for the pairs within groups.

    points (n, 3) A, cell (3, 3) A of one region; names (n,) symbols drawn at random; group (n,) whole numbers; key
    of the random stream. Same key, same answer. An anneal: not promised to be the best arrangement, and triplets are
    not looked at after icet's part.
    Raises InputError where the sites are not a periodic lattice or have too many groups.
    """
    alias, real = _aliases(names, group)
    reach = float(find_pairs(points, points, cell, _span(points, cell)).distance.min())
    allowed = [sorted(set(alias[group == k])) for k in group]
    atoms = Atoms(alias.tolist(), positions=points, cell=cell, pbc=True)
    with _silent():
        try:
            space = ClusterSpace(atoms, [PAIR_SHELLS * reach, TRIPLET_SHELLS * reach], allowed, symprec=1e-3)
        except (ValueError, RuntimeError) as error:
            raise InputError(f"sqs: icet finds no lattice in this region ({error}); take 'random'.") from error
        _require_lattice(space, group, len(points))
        seed = int(np.random.default_rng(key).integers(2**31 - 1))
        done = generate_sqs_from_supercells(
            space,
            [atoms],
            _concentrations(space, atoms),
            n_steps=STEPS,
            random_seed=seed,
            random_start=False,
        )
    names = np.array([real[symbol] for symbol in done.get_chemical_symbols()])
    return polished(points, cell, names, group, np.random.default_rng((*key, 3)))


def _aliases(names: np.ndarray, group: Integers) -> tuple[np.ndarray, dict[str, str]]:
    """A stand-in element for every pair of group and symbol, and the symbol each stands for."""
    pairs = sorted({(int(g), str(s)) for g, s in zip(group, names, strict=True)})
    if len(pairs) > len(chemical_symbols) - 2 or len(np.unique(group)) > MOST_SUBLATTICES:
        raise InputError(
            f"sqs: {len(np.unique(group))} slabs with {len(pairs)} occupants in all are more than icet can tell apart "
            f"({MOST_SUBLATTICES} and {len(chemical_symbols) - 2}); take 'random', or a region with fewer slabs."
        )
    alias = {pair: chemical_symbols[k + 1] for k, pair in enumerate(pairs)}
    real = {symbol: pair[1] for pair, symbol in alias.items()}
    return np.array([alias[int(g), str(s)] for g, s in zip(group, names, strict=True)]), real


def _span(points: Floats, cell: Floats) -> float:
    """A distance within which some pair of points lies, A."""
    return 1.5 * (abs(float(np.linalg.det(cell))) / len(points)) ** (1 / 3) + 3.0


def _require_lattice(space: ClusterSpace, group: Integers, count: int) -> None:
    sites = len(space.primitive_structure)
    if sites > 4 * len(np.unique(group)) and sites > count // 2:
        raise InputError(
            f"sqs: the {count} sites of this region repeat only after {sites}; a quasirandom structure needs a "
            "bulk-like region. Take 'random' with several seeds, or 'ordered'."
        )


def _concentrations(space: ClusterSpace, atoms: Atoms) -> dict[str, dict[str, float]]:
    symbols = np.array(atoms.get_chemical_symbols())
    table = {}
    for lattice in space.get_sublattices(atoms):
        if len(lattice.chemical_symbols) < 2:
            continue
        inside = symbols[lattice.indices]
        table[lattice.symbol] = {s: float((inside == s).mean()) for s in lattice.chemical_symbols}
    return table


@contextlib.contextmanager
def _silent():
    """icet's own logger at errors only, nothing on stdout, and no word of its use of an older spglib."""
    level = icet_logger.level
    icet_logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, message="Set OLD_ERROR_HANDLING")
            yield
    finally:
        icet_logger.setLevel(level)
