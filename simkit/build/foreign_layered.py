"""Layered phases read from a file as Blocks, ready to be stacked."""

from __future__ import annotations

from collections import Counter

import numpy as np

from simkit.build.arguments import require_kind, require_text
from simkit.build.heights import Heights, harvest
from simkit.build.identify import Classification, classify
from simkit.build.phases import Block
from simkit.build.polytypes import PHASES
from simkit.build.recognise import metal_order
from simkit.build.stacking import same_cyclic
from simkit.errors import InputError
from simkit.structure import Structure

ROUND = 0.01
"""A ratio this near to 1, or a lean this near to 0, is that of a hexagonal layer."""


def layered_block(structure: Structure, phase: str | None = None) -> Block:
    """A layered structure as a Block: its galleries, heights and composition, ready to be stacked.

    phase  name to carry; None: that of `PHASES` with this pattern of galleries, else "foreign" with the pattern
    Heights are measured (`harvest`), with the in-plane ratio and the lean where either is off by more than `ROUND`.
    Metals are one table, or one per slab where slabs differ by an atom or more; contents likewise per gallery.
    Raises InputError where the structure is no stack of MO2 slabs, or spinel or rock-salt.
    """
    require_kind("structure", structure, Structure, "simkit.io.read('cell.cif')")
    phase = phase if phase is None else require_text("phase", phase)
    found = classify(structure)
    _require_layered(structure, found)
    gaps = found.stack.gaps()
    known = [
        n for n, p in PHASES.items() if len(gaps) % len(p) == 0 and same_cyclic(gaps, list(p) * (len(gaps) // len(p)))
    ]
    symbols = np.array(structure.symbols)
    level, gallery = found.layering.level, found.gallery_of
    ions = Counter(symbols[gallery >= 0].tolist())
    alkali = ions.most_common(1)[0][0] if ions else "Na"
    counts = np.bincount(gallery[gallery >= 0], minlength=len(gaps)) / found.layering.sites
    content = float(counts[0]) if np.ptp(counts) < 1e-9 else tuple(counts.tolist())
    return Block(
        phase or (known[0] if known else "foreign"),
        len(gaps),
        metals=_metals(symbols, found),
        alkali=alkali,
        content=content,
        heights=_heights(structure),
        anions=_shares(symbols[(level == 0) | (level == 2)]),
        dopants={s: n / sum(ions.values()) for s, n in ions.items() if s != alkali},
        pattern=None if known and (phase is None or phase in known) else gaps,
    )


def _require_layered(structure: Structure, found: Classification) -> None:
    order = metal_order(structure, found).galleries
    mixed = sorted(set(order) - {""})
    if mixed:
        where = ", ".join(str(j) for j, name in enumerate(order) if name)
        raise InputError(
            f"galleries {where} of {structure.formula} hold metals ({' and '.join(mixed)}): no layered phase. Build it "
            "as Block('spinel', ...) or Block('rock-salt', ...), or join the crystal as it is by `coherent`."
        )


def _heights(structure: Structure) -> Heights:
    shaped, plain = harvest(structure, shape=True), harvest(structure)
    if abs(shaped.ratio - 1.0) > ROUND or abs(shaped.lean) > ROUND:
        return shaped
    return plain


def _metals(symbols: np.ndarray, found: Classification) -> dict[str, float] | list[dict[str, float]]:
    """One table of metals, or one per slab where a slab is off the mean by an atom or more."""
    slab, metal = found.layering.slab_of, found.layering.level == 1
    tables = [symbols[metal & (slab == j)] for j in range(len(found.stack))]
    mean, least = _shares(symbols[metal]), min(len(table) for table in tables)
    off = max(abs(mean[s] - _shares(table).get(s, 0.0)) for s in mean for table in tables)
    return mean if off * least < 1.0 - 1e-9 else [_shares(table) for table in tables]


def _shares(symbols: np.ndarray) -> dict[str, float]:
    counts = Counter(symbols.tolist())
    return {s: n / len(symbols) for s, n in sorted(counts.items())}
