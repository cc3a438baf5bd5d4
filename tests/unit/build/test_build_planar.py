"""Planar symmetry of gliding: the reduced grid against every point of the whole one, and free surfaces."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from simkit import build, solve
from simkit.errors import InputError
from simkit.structure import Structure

sys.path.insert(0, str(Path(__file__).parents[2] / "workflows"))
from ionic import ionic

CELLS = {"O3": 3, "P2": 2, "P3": 3}


def crystal(phase: str, content: float = 1.0, repeats=(1, 1)) -> Structure:
    return build.bulk(build.Block(phase, CELLS[phase], metals={"Co": 1.0}, content=content), repeats).structure


@pytest.mark.parametrize(("phase", "unlike"), [("O3", 10), ("P2", 7), ("P3", 10)])
def test_rigid_gamma_has_the_symmetry_that_the_grid_claims(phase, unlike):
    """All 36 energies of the whole grid, and 36 more one period on, are those of the reduced points: 1e-8 eV/A^2."""
    s = crystal(phase)
    grid = build.glide_grid(s, 1, 6)
    assert len(grid.fractions) == unlike
    weights = build.slide_weights(s, 1)
    i, j = np.meshgrid(range(6), range(6), indexing="ij")
    everywhere = np.stack([i, j], -1).reshape(-1, 2) / 6 @ grid.lattice
    area = np.linalg.norm(np.cross(*s.cell[:2]))
    model = ionic()
    reduced = np.array([p.energy_eV for p in solve.slide(s, weights, grid.vectors_A, model)])[grid.index].ravel()
    # ions go half the way: two periods on they are on like places, one period on only where the half is a period
    ions_aside = s.take(build.label(s).tags["site"] != "oct") if phase == "O3" else s
    whole = np.array([p.energy_eV for p in solve.slide(s, weights, _folded(everywhere, grid), model)])
    np.testing.assert_allclose(whole / area, reduced / area, atol=1e-8)
    bare = ions_aside.take(ions_aside.layers >= 0)
    w = weights[: len(s)][s.layers >= 0]
    here, there = (
        np.array([p.energy_eV for p in solve.slide(bare, w, everywhere + shift, model)])
        for shift in (0 * grid.lattice[0], grid.lattice[0])
    )
    np.testing.assert_allclose(here / area, there / area, atol=1e-8)


def _folded(vectors, grid):
    """Each translation as the shortest of its images."""
    shifts = np.stack(np.meshgrid(range(-2, 3), range(-2, 3), indexing="ij"), -1).reshape(-1, 2) @ grid.lattice
    images = vectors[:, None] + shifts
    best = np.argmin(np.round(np.linalg.norm(images, axis=2), 9), axis=1)
    return images[np.arange(len(images)), best]


def test_the_period_of_ordered_vacancies_is_longer_than_that_of_the_slabs():
    s = crystal("P2", 2 / 3, build.ROOT3)
    slabs, whole = (build.glide_grid(s, 0, 6, period) for period in ("slabs", "structure"))
    areas = [np.linalg.norm(np.cross(*grid.lattice)) for grid in (slabs, whole)]
    assert areas[1] >= 3 * areas[0] - 1e-6
    assert len(whole.turns) <= 12


@pytest.mark.parametrize(
    ("words", "given"),
    [("galleries 0 to 1", {"gallery": 2}), ("3 or more", {"size": 2}), ("'slabs' or", {"period": "cell"})],
)
def test_bad_grids_are_refused(words, given):
    with pytest.raises(InputError, match=words):
        build.glide_grid(**{"structure": crystal("P2"), "gallery": 0, "size": 6, **given})


def test_free_surfaces_are_seen():
    s = crystal("P2")
    assert build.free_surface(s) is None
    cell = s.cell.copy()
    cell[2, 2] += 9.0
    axis, width = build.free_surface(s.moved_to(s.positions, cell))
    assert axis == 2 and width > 9.0
    with pytest.raises(InputError, match="free surfaces"):
        build.require_filled(s.moved_to(s.positions, cell), "film")
    flat = Structure(s.numbers, s.positions, s.cell, periodic=[True, True, False])
    with pytest.raises(InputError, match="periodic along 2 of its 3"):
        build.require_filled(flat, "film")
