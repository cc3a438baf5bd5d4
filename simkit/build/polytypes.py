"""Phases as repeating patterns of galleries, and the in-plane shape of the distorted ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PHASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "P2": ("P2",),
        "O3": ("O3",),
        "P3": ("P3",),
        "O2": ("O2u",),
        "O2u": ("O2u",),
        "O2l": ("O2l",),
        "O1": ("O1",),
        "O4": ("O3", "O2u"),
        "O6": ("O2u", "O2l"),
        "OP4": ("P2", "O2u", "P2", "O2l"),
        "OP4-Li": ("P2", "O3", "P2", "O3"),
        "OP2": ("O3", "P3"),
        "T#2": ("T2",),
        "O'3": ("O3",),
        "P'2": ("P2",),
        "spinel": ("O3",),
        "rock-salt": ("O3",),
    }
)
"""Phase name -> repeating gap pattern. OP4 is the one P2 reaches by gliding (P-6m2); OP4-Li is the
P6_3/mmc kind of (Li,Na)CoO2, which P2 cannot reach by gliding. O4 (P6_3mc) alternates O3 and O2 galleries, O6
(R-3m) the two directions of O2. T#2 (Cmce) stands half a glide beyond O2. O'3 and P'2 are O3 and P2 with the
shape of `SHAPES`. Spinel and rock-salt are O3 stackings whose galleries hold metals."""

SHAPES: Mapping[str, tuple[float, float]] = MappingProxyType({"O'3": (1.1438, -0.0731), "P'2": (1.0775, 0.0)})
"""Distorted phase -> (ratio, lean) of `Heights`. O'3: C2/m cell of alpha-NaMnO2 (5.6672, 2.8606, 5.8007 A,
113.143 degrees; Giot et al. 2007); P'2: Cmcm cell of Na2/3MnO2 (2.84, 5.30, 11.2 A; Kumakura et al. 2016)."""
