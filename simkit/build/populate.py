"""Placing atoms on a plan: metals drawn into slabs, ions onto the sites of the galleries."""

from __future__ import annotations

import numpy as np

from simkit.arrays import Floats
from simkit.build.decorate import FACE_EV_PER_VALENCE, allowed_kinds, drawn_metals, placed_ions
from simkit.build.geometry import Frame, gallery_sites
from simkit.build.sites import Sites, site_tag
from simkit.build.summary import Plan
from simkit.build.valence import required_valences, slab_valences
from simkit.elements import atomic_number
from simkit.structure import Structure


def populate(plan: Plan, metals: list[dict[str, int]], ions: list[int], seed: int) -> tuple[Structure, Sites]:
    """Structure and candidate sites of a plan: per slab lower oxygen, metals, upper oxygen, then the ions above.

    metals counts by element per slab; ions per gallery; each slab and gallery draws from its own stream of seed.
    """
    frame, count = plan.frame, len(plan.frame.stack)
    drawn = [drawn_metals(metals[j], np.random.default_rng((seed, 0, j))) for j in range(count)]
    valences = required_valences([n / frame.cells for n in ions])
    charges = [slab_valences(metals[j], float(valences[j])) for j in range(count)]
    atoms, candidates, size = [], [], 0
    for j in range(count):
        atoms += _slab_rows(frame, j, drawn[j])
        size += 3 * frame.cells
        letters = gallery_sites(frame.stack, j)
        points = np.concatenate([frame.layer(letter, frame.gallery_height_A(j)) for letter, _ in letters])
        kinds = np.repeat([kind for _, kind in letters], frame.cells)
        table = points, kinds, _face_energies(frame, j, (drawn, charges))
        filled = _filled(plan, j, ions[j], table, np.random.default_rng((seed, 1, j)))
        alkali = plan.blocks[plan.block_of[j]].alkali
        tags = [site_tag(str(kind), alkali) for kind in kinds[filled]]
        atoms.append(_rows(points[filled], [alkali] * len(tags), -1, j, tags))
        atom = np.full(len(kinds), -1)
        atom[filled] = size + np.arange(ions[j])
        candidates.append((points, np.full(len(kinds), j), kinds, atom))
        size += ions[j]
    sites = Sites(*(np.concatenate(column) for column in zip(*candidates, strict=True)))
    return _structure(plan, [np.concatenate(column) for column in zip(*atoms, strict=True)]), sites


def _structure(plan: Plan, columns: list[np.ndarray]) -> Structure:
    numbers, positions, layers, galleries, site = columns
    block = plan.block_of[np.where(layers >= 0, layers, galleries)]
    phase = np.array([b.phase for b in plan.blocks])[block]
    tags = {"gallery": galleries, "phase": phase, "site": site, "block": block}
    return Structure(numbers, positions, plan.frame.cell, layers=layers, tags=tags)


def _slab_rows(frame: Frame, j: int, metals: list[str]) -> list[tuple]:
    lower, metal, upper = frame.slab(j)
    oxygen = ["O"] * frame.cells
    return [
        _rows(lower, oxygen, j, -1, oxygen),
        _rows(metal, metals, j, -1, ["TM"] * frame.cells),
        _rows(upper, oxygen, j, -1, oxygen),
    ]


def _rows(points: Floats, symbols: list[str], slab: int, gallery: int, site: list[str]) -> tuple:
    n = len(points)
    numbers = np.array([atomic_number(s) for s in symbols], dtype=np.int64)
    return numbers, points, np.full(n, slab), np.full(n, gallery), np.array(site, dtype="<U8")


def _face_energies(frame: Frame, j: int, slabs: tuple[list[list[str]], list[dict[str, float]]]) -> Floats:
    """(sites,) eV penalty for octahedral faces shared with slab j and with the slab above it."""
    drawn, charges = slabs
    k = (j + 1) % len(frame.stack)
    below = np.array([charges[j][symbol] for symbol in drawn[j]])
    above = np.array([charges[k][symbol] for symbol in drawn[k]])[_columns_above(frame, j)]
    energies = []
    for letter, _ in gallery_sites(frame.stack, j):
        faces = below * (letter == frame.stack.slabs[j].z) + above * (letter == frame.stack.above(j).z)
        energies.append(FACE_EV_PER_VALENCE * faces)
    return np.concatenate(energies)


def _columns_above(frame: Frame, j: int) -> np.ndarray:
    """Index of the metal above gallery j in the column of each point of that letter's layer."""
    if j < len(frame.stack) - 1 or frame.stack.shear == 0:
        return np.arange(frame.cells)
    points = frame.layer(frame.stack.above(j).z, 0.0)[:, :2]
    metals = frame.layer(frame.stack.slabs[0].z, 0.0)[:, :2] + frame.cell[2, :2]
    steps = (points[:, None] - metals[None]) @ np.linalg.inv(frame.cell[:2, :2])
    steps -= np.round(steps)
    return np.argmin(np.linalg.norm(steps, axis=2), axis=1)


def _filled(plan: Plan, j: int, count: int, table: tuple, rng: np.random.Generator) -> np.ndarray:
    """Indices of the sites of gallery j that are filled."""
    points, kinds, energies = table
    frame = plan.frame
    gap = frame.stack.gap(j)
    allowed = allowed_kinds(plan.blocks[plan.block_of[j]], gap, count == frame.cells)
    usable = np.flatnonzero(np.isin(kinds, allowed))
    return usable[placed_ions(points[usable, :2], frame.cell[:2, :2], count, energies[usable], rng)]
