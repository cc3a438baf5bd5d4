"""PBE-D3(BJ) dispersion, to be added to potentials trained on plain PBE."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import numpy as np

from simkit.elements import SYMBOLS
from simkit.errors import SimkitError
from simkit.kernels.dispersion import Cutoffs, D3Table, dispersion_of_each
from simkit.potential.base import Evaluations, Potential
from simkit.potential.card import Card
from simkit.potential.gradient_host import stress_of
from simkit.structure import Batch
from simkit.units import BOHR_A, HARTREE_EV

PBE = {"s6": 1.0, "s8": 0.7875, "a1": 0.4289, "a2": 4.4407}
"""PBE-D3(BJ), a2 in bohr (Grimme, Ehrlich, Goerigk, J. Comput. Chem. 32, 1456, 2011)."""
CUTOFFS = Cutoffs(pair_A=60 * BOHR_A, contact_A=40 * BOHR_A, fading=0.1)
"""The lengths of s-dftd3; faded, because a sharp cutoff leaves stress and energy 6e-5 eV/A^3 apart."""
HEAVIEST = 86
"""Radon: the reference data of the elements beyond were revised after the original publication."""


class D3(Potential):
    """PBE-D3(BJ) without the three-body term, in float64 on the CPU; made by `load_d3`."""

    def __init__(self, card: Card, cutoffs: Cutoffs = CUTOFFS) -> None:
        self._cutoffs = cutoffs
        self.card = replace(card, elements=tuple(SYMBOLS[1 : HEAVIEST + 1]), cutoff_A=cutoffs.pair_A)

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        present, species = np.unique(batch.numbers, return_inverse=True)
        table = d3_table(tuple(int(z) for z in present))
        parts = [slice(low, high) for low, high in pairwise(batch.starts)]
        systems = [(batch.positions[p], batch.cells[m], batch.periodic[m]) for m, p in enumerate(parts)]
        results = dispersion_of_each(systems, [species[p] for p in parts], table, self._cutoffs)
        energy = np.array([r[0] for r in results])
        forces, atomic = (np.concatenate([r[k] for r in results]) for k in (1, 2))
        return Evaluations(energy, forces, stress_of(atomic, batch), atomic if virials else None, batch.system_of)


def load_d3(card: Card) -> D3:
    """PBE-D3(BJ); the reference data come with the torch-dftd package."""
    return D3(card)


@lru_cache(maxsize=1)
def reference_data() -> dict[str, np.ndarray]:
    """Reference C6 (au), coordination numbers, radii and r42 (bohr) of Grimme's D3, from the torch-dftd package.

    Raises SimkitError when the package does not hold them.
    """
    file = resources.files("torch_dftd").joinpath("nn", "params", "dftd3_params.npz")
    if not file.is_file():
        raise SimkitError("the torch-dftd package holds no D3 reference data; install torch-dftd >= 0.5.")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        return {name: data[name] for name in ("c6ab", "rcov", "r2r4")}


@lru_cache(maxsize=32)
def d3_table(numbers: tuple[int, ...]) -> D3Table:
    """The PBE-D3(BJ) table of these elements, in eV and A."""
    data, z = reference_data(), np.array(numbers)
    entries = data["c6ab"][z[:, None], z[None, :]]
    own = data["c6ab"][z, z]
    coordination = own[:, :, 0, 1]
    return D3Table(
        c6=np.where(entries[..., 0] > 0, entries[..., 0], 0.0) * HARTREE_EV * BOHR_A**6,
        coordination=np.ascontiguousarray(coordination),
        references=(own[:, :, 0, 0] > 0).sum(axis=1),
        radius=data["rcov"][z] * BOHR_A,
        r42=data["r2r4"][z] * BOHR_A,
        s6=PBE["s6"],
        s8=PBE["s8"],
        a1=PBE["a1"],
        a2=PBE["a2"] * BOHR_A,
    )
