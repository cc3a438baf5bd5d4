"""Words of a picture: what the parts of a cell are called, and titles that fit."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from simkit.elements import SYMBOLS
from simkit.errors import InputError
from simkit.plot.view import ALKALI, ANIONS
from simkit.structure import Structure


def named_phases(structure: Structure, phases: Sequence[str] | None) -> list[str]:
    """Phase of each atom; empty words where nothing is known."""
    if phases is None:
        return _tagged(structure)
    if len(phases) != len(structure):
        raise InputError(f"{len(phases)} phases for {len(structure)} atoms; one each is needed.")
    return [str(word) for word in phases]


def _tagged(structure: Structure) -> list[str]:
    """Phase of each atom by its tag; parts of one phase are told apart by the metals, or else the ions, they hold."""
    if "phase" not in structure.tags:
        return [""] * len(structure)
    names = np.array([str(word) for word in structure.tags["phase"]])
    parts = structure.tags.get("block", np.zeros(len(structure), dtype=int))
    if len(set(names)) > 1 or len(np.unique(parts)) < 2:
        return names.tolist()
    for slabs in (True, False):
        words = {part: _contents(structure, parts == part, slabs) for part in np.unique(parts)}
        if len(set(words.values())) > 1:
            return [f"{name} {words[part]}" for name, part in zip(names, parts, strict=True)]
    return names.tolist()


def _contents(structure: Structure, mine: np.ndarray, slabs: bool) -> str:
    """Cations of a part per metal of its slabs, as "Li0.33Mn0.67"; those between the slabs where slabs is False."""
    cation = mine & ~np.isin(structure.numbers, ANIONS)
    between = cation & (structure.layers < 0 if (structure.layers >= 0).any() else np.isin(structure.numbers, ALKALI))
    shown = structure.numbers[cation & ~between if slabs else between]
    total = max(int((cation & ~between).sum()), 1)
    found = ((SYMBOLS[z], int((shown == z).sum()) / total) for z in np.unique(shown))
    return "".join(f"{symbol}{share:.2f}".rstrip("0").rstrip(".") if share != 1 else symbol for symbol, share in found)


def folded(title: str, letters: int) -> list[str]:
    """Lines of at most so many letters; a formula too long for one is broken between its elements."""
    lines: list[str] = [""]
    for word in title.split():
        pieces = [word] if len(word) <= letters else re.findall(r"[A-Z][^A-Z]*|[^A-Z]+", word)
        for k, piece in enumerate(pieces):
            gap = " " if lines[-1] and k == 0 else ""
            if len(lines[-1]) + len(gap + piece) > letters:
                lines.append(piece)
            else:
                lines[-1] += gap + piece
    return [line for line in lines if line]
