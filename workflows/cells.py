"""The cells of a study: the intergrowth, each of its phases alone, and those phases strained to fit it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from simkit import build
from simkit.arrays import Floats
from simkit.config import Section
from simkit.errors import InputError
from simkit.structure import Structure

LARGEST_PHASE_CELL = 12
"""Galleries tried when looking for the smallest cell of one phase that closes without shear."""


class BlockConfig(Section):
    """One block: phase, number of galleries, metals by fraction, alkali and its content per metal."""

    phase: str
    gaps: int = Field(gt=0)
    metals: dict[str, float]
    alkali: str = "Na"
    content: float | list[float] = 1.0
    sites: str = "auto"


class StructureConfig(Section):
    """The cell: blocks from below, in-plane repeats, how strain is shared, and the largest strain accepted."""

    blocks: list[BlockConfig] = Field(min_length=1)
    repeats: list[int] | list[list[int]] = Field(default_factory=lambda: [3, 3])
    strain: str = "equal"
    max_strain_percent: float = Field(default=4.0, gt=0)
    closure: str = "auto"

    @field_validator("repeats")
    @classmethod
    def _square(cls, repeats: list) -> list:
        rows = [row if isinstance(row, list) else [row] for row in repeats]
        if len(rows) != 2 or any(len(row) != len(rows[0]) or len(row) > 2 for row in rows):
            raise ValueError("give two counts, as [3, 3], or a 2 x 2 matrix, as [[2, 1], [1, 2]]")
        return repeats


def blocks_of(config: StructureConfig, heights: Mapping[str, build.Heights] | None = None) -> list[build.Block]:
    """The blocks, with the heights of their phases where they are known."""
    names = phase_names(config)
    return [
        build.Block(
            block.phase,
            block.gaps,
            metals=block.metals,
            alkali=block.alkali,
            content=block.content,
            sites=block.sites,
            heights=None if heights is None else heights[name],
        )
        for name, block in zip(names, config.blocks, strict=True)
    ]


def phase_names(config: StructureConfig) -> list[str]:
    """One name per block; blocks of one phase and one composition share theirs."""
    kinds = [block.model_copy(update={"gaps": 1}) for block in config.blocks]
    names = []
    for k, kind in enumerate(kinds):
        same = [j for j, other in enumerate(kinds[:k]) if other == kind]
        twins = {names[j] for j in range(k) if kinds[j].phase == kind.phase}
        names.append(names[same[0]] if same else kind.phase + (f" ({len(twins) + 1})" if twins else ""))
    return names


def intergrowth(config: StructureConfig, seed: int, heights: Mapping[str, build.Heights] | None = None) -> build.Model:
    """The cell of a study, from starting heights or from those harvested of relaxed phases."""
    blocks = blocks_of(config, heights)
    settings = build.Settings(closure=config.closure)
    if len(blocks) == 1:
        return build.bulk(
            blocks[0], config.repeats, seed, max_strain_percent=config.max_strain_percent, settings=settings
        )
    return build.intergrowth(blocks, config.repeats, config.strain, seed, config.max_strain_percent, settings)


def phase_cells(config: StructureConfig, seed: int) -> dict[str, build.Model]:
    """Each distinct phase alone, in the smallest cell of at least two galleries that closes without shear."""
    cells = {}
    for name, block in zip(phase_names(config), blocks_of(config), strict=True):
        if name not in cells:
            model = build.bulk(_alone(block), config.repeats, seed)
            cells[name] = replace(model, structure=_named(model.structure, [name]))
    return cells


def named(model: build.Model, config: StructureConfig) -> build.Model:
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
    period = len(build.PHASES[block.phase])
    content = block.content if isinstance(block.content, float) else float(np.mean(block.content))
    for gaps in range(max(2, period), LARGEST_PHASE_CELL + 1):
        if gaps % period == 0 and _closes(block.phase, gaps):
            return replace(block, gaps=gaps, content=content)
    raise InputError(f"no cell of phase {block.phase} of up to {LARGEST_PHASE_CELL} galleries closes without shear.")


def _closes(phase: str, gaps: int) -> bool:
    period = len(build.PHASES[phase])
    try:
        build.Stack.from_gaps(list(build.PHASES[phase]) * (gaps // period), closure="strict")
    except InputError:
        return False
    return True


def _frame(cell: Any) -> Floats:
    x = cell[0] / np.linalg.norm(cell[0])
    z = np.cross(cell[0], cell[1])
    z = z / np.linalg.norm(z)
    return np.array([x, np.cross(z, x), z])
