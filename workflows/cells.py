"""The cells of a study: the intergrowth, each of its phases alone, and those phases strained to fit it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from simkit import build
from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.workflows.structures import StackConfig

LARGEST_PHASE_CELL = 12
"""Galleries tried when looking for the smallest cell of one phase that closes without shear."""


def blocks_of(config: StackConfig, heights: Mapping[str, build.Heights] | None = None) -> list[build.Block]:
    """The blocks, with the heights of their phases where they are known."""
    names = phase_names(config)
    return [
        block.block(None if heights is None else heights[name])
        for name, block in zip(names, config.blocks, strict=True)
    ]


def phase_names(config: StackConfig) -> list[str]:
    """One name per block; blocks of one phase and one composition share theirs."""
    kinds = [block.model_copy(update={"gaps": 1}) for block in config.blocks]
    names = []
    for k, kind in enumerate(kinds):
        same = [j for j, other in enumerate(kinds[:k]) if other == kind]
        twins = {names[j] for j in range(k) if kinds[j].phase == kind.phase}
        names.append(names[same[0]] if same else kind.phase + (f"({len(twins) + 1})" if twins else ""))
    return names


def intergrowth(config: StackConfig, seed: int, heights: Mapping[str, build.Heights] | None = None) -> build.Model:
    """The cell of a study, from starting heights or from those harvested of relaxed phases."""
    return config.built(seed, None if heights is None else [heights[name] for name in phase_names(config)])


def phase_cells(config: StackConfig, seed: int) -> dict[str, build.Model]:
    """Each distinct phase alone, in the smallest cell of at least two galleries that closes without shear."""
    return dict(_phase_cells(_Said(config.model_dump_json(), config), seed))


@dataclass(frozen=True)
class _Said:
    """Settings that are the same where they say the same."""

    text: str
    config: StackConfig = field(compare=False)


@lru_cache(maxsize=32)
def _phase_cells(said: _Said, seed: int) -> dict[str, build.Model]:
    """Built once: the steps of a study ask for them again and again. Models are frozen."""
    cells: dict[str, build.Model] = {}
    config = said.config
    for name, block in zip(phase_names(config), blocks_of(config), strict=True):
        if name not in cells:
            model = build.bulk(_alone(block), config.repeats, seed)
            cells[name] = replace(model, structure=_named(model.structure, [name]))
    return cells


def named(model: build.Model, config: StackConfig) -> build.Model:
    """The model with its "phase" columns in the names of `phase_names`, so that two P2 of a study stay apart."""
    return replace(model, structure=_named(model.structure, phase_names(config)))


def _named(structure: Structure, names: list[str]) -> Structure:
    return structure.with_tags(phase=np.array(names)[structure.tags["block"]])


def strained_to(structure: Structure, cell: Floats) -> Structure:
    """A phase with its layers strained onto the first two vectors of `cell`; its height is kept.

    Raises InputError where the two do not repeat alike in the plane.
    """
    old, new = _frame(structure.cell), _frame(np.asarray(cell))
    plane_old, plane_new = (structure.cell[:2] @ old.T)[:, :2], (np.asarray(cell)[:2] @ new.T)[:, :2]
    deformation = np.linalg.solve(plane_old, plane_new)
    if np.abs(deformation - np.eye(2)).max() > 0.2:
        raise InputError("the two cells have different repeats in the plane; build both with the same ones.")
    third = structure.cell[2] @ old.T
    third = np.array([*(third[:2] @ deformation), third[2]]) @ new
    return structure.strained_to(np.array([cell[0], cell[1], third]))


def area_A2(structure: Structure) -> float:
    """Area of the plane of the first two cell vectors."""
    return float(np.linalg.norm(np.cross(structure.cell[0], structure.cell[1])))


def _alone(block: build.Block) -> build.Block:
    names = block.gap_names[: block.period]
    content = block.content if isinstance(block.content, float) else float(np.mean(block.content))
    metals = block.metals if isinstance(block.metals, Mapping) else block.composition.mean_metals
    for gaps in range(max(2, len(names)), max(LARGEST_PHASE_CELL, 6 * len(names)) + 1):
        if gaps % len(names) == 0 and _closes(names * (gaps // len(names))):
            return replace(block, gaps=gaps, metals=metals, content=content)
    raise InputError(f"no cell of phase {block.phase} of up to {LARGEST_PHASE_CELL} galleries closes without shear.")


def _closes(gaps: list[str]) -> bool:
    try:
        build.Stack.from_gaps(gaps, closure="strict")
    except InputError:
        return False
    return True


def _frame(cell: Any) -> Floats:
    x = cell[0] / np.linalg.norm(cell[0])
    z = np.cross(cell[0], cell[1])
    z = z / np.linalg.norm(z)
    return np.array([x, np.cross(z, x), z])
