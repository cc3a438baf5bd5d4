"""Metal cells with a vacancy, and where the aluminium potential lies."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from simkit.structure import Structure

EAM_DIR = Path(os.environ.get("SIMKIT_EAM_DIR", Path(__file__).resolve().parents[3] / "shared" / "eam"))
EAM_FILE = EAM_DIR / "Al99.eam.alloy"

needs_eam = pytest.mark.skipif(
    not EAM_FILE.is_file(),
    reason=f"no {EAM_FILE}: set SIMKIT_EAM_DIR to the folder that holds Al99.eam.alloy",
)


def structure(atoms):
    """An ase.Atoms as a Structure."""
    return Structure(atoms.numbers, atoms.positions, atoms.cell.array)


def vacancy_hop(symbol, n, a=None):
    """Perfect cubic cell of 4 n^3 atoms, and both ends of a nearest-neighbour vacancy hop, as ase.Atoms."""
    perfect = bulk(symbol, "fcc", a=a, cubic=True) * (n, n, n)
    distance = perfect.get_distances(0, range(1, len(perfect)), mic=True)
    jumper = 1 + int(np.argmin(distance))
    initial = perfect.copy()
    del initial[0]
    final = initial.copy()
    final.positions[jumper - 1] = perfect.positions[0]
    return perfect, initial, final


def close_packed(a, layers):
    """fcc along (111), one atom per layer, and the partial vector a<112>/6."""
    b = a / np.sqrt(2)
    a1, a2 = np.array([b, 0, 0]), np.array([b / 2, b * np.sqrt(3) / 2, 0])
    partial, d = (a1 + a2) / 3, a / np.sqrt(3)
    x = np.array([k % 3 * partial + [0, 0, k * d] for k in range(layers)])
    cell = np.array([a1, a2, [0, 0, layers * d]])
    return Structure(np.full(layers, 13), x, cell, layers=np.arange(layers)), partial
