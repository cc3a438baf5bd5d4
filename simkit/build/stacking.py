"""Stacking algebra of close-packed-oxygen phases: slabs (z, s), galleries, closure and glide."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from simkit.build.arguments import is_number, require_kind, require_list, require_whole
from simkit.errors import InputError, nearest

LETTERS = "ABC"
HALVES = (0, 0.5, 1, 1.5, 2, 2.5)
"""Places of a slab, and shears of a stack, in letters."""
EXAMPLE = '["P2", "O3", "P2", "O3"]'

GAP_RULES: dict[str, tuple[int, int]] = {
    "O3": (1, 2),
    "P3": (1, 1),
    "O1": (1, 0),
    "P2": (-1, 0),
    "O2u": (-1, 1),
    "O2l": (-1, 2),
}
"""Gap name -> (s2 s1, k) with k = (z2 - z1) s1 mod 3 for slab 1 below and slab 2 above."""

GAP_NAMES: dict[tuple[int, int], str] = {rule: name for name, rule in GAP_RULES.items()}
RULES: dict[str, tuple[int, float]] = {**GAP_RULES, "T2": (-1, 1.5)}
"""All gaps that can be built: those of letters, and T2 (of T#2), half-way from O2u to O2l."""
PRISMATIC: frozenset[str] = frozenset({"P2", "P3"})
"""Gaps whose two oxygen layers carry the same letter."""
PAIRED: frozenset[str] = PRISMATIC | {"T2"}
"""Gaps with two kinds of site that exclude each other."""
ALIASES = {"O2": "O2u", "T#2": "T2"}


@dataclass(frozen=True)
class Slab:
    """One TMO2 slab: metal letter z (0 = A, 1 = B, 2 = C, or half-way between two) and sense s (+1 or -1).

    Lower oxygen z + s, metal z, upper oxygen z - s, all modulo 3. Written as its two oxygen letters, with a
    star where it stands half a letter further ("AB*"). Raises InputError for another z or s.
    """

    z: float
    s: int

    def __post_init__(self) -> None:
        real = is_number(self.z) and is_number(self.s)
        if not real or self.z not in HALVES or self.s not in (1, -1):
            raise InputError(
                f"slab (z={self.z!r}, s={self.s!r}) does not exist; z is 0 to 2.5 in steps of 0.5 and s is +1 or -1."
            )
        object.__setattr__(self, "z", _whole(self.z))

    @property
    def lower(self) -> float:
        """Letter of the lower oxygen layer."""
        return (self.z + self.s) % 3

    @property
    def upper(self) -> float:
        """Letter of the upper oxygen layer."""
        return (self.z - self.s) % 3

    def moved(self, g: float) -> Slab:
        """The slab glided by g letters; gliding keeps the sense. Raises InputError where g is no half letter."""
        _require_letters(g)
        return Slab((self.z + g) % 3, self.s)

    def __str__(self) -> str:
        star = "" if self.z == int(self.z) else "*"
        return LETTERS[int(self.lower)] + LETTERS[int(self.upper)] + star


@dataclass(frozen=True)
class Interlock:
    """What one shared slab does to its two neighbouring galleries when it alone glides by g letters."""

    slab: int
    g: float
    before: tuple[str, str]
    after: tuple[str, str]


@dataclass(frozen=True)
class Stack:
    """A periodic sequence of slabs, from below; the image above is displaced by `shear` letters.

    Gallery j lies between slab j and slab j + 1 (modulo the number of slabs). A shear of q letters means
    that the third cell vector carries the in-plane part q (1/3, 2/3) of the primitive hexagonal cell.
    Raises InputError for no slab, for what is no slab and for a shear other than 0 to 2.5 in steps of 0.5.
    """

    slabs: tuple[Slab, ...]
    shear: float = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "slabs", require_list("slabs", self.slabs, Slab, "(Slab(2, 1), Slab(2, -1))"))
        if not self.slabs:
            raise InputError("a stack needs at least one slab; none was given.")
        if not is_number(self.shear) or self.shear not in HALVES:
            raise InputError(f"shear {self.shear!r} is not a letter; it must be 0, 1 or 2, or half-way between two.")
        object.__setattr__(self, "shear", _whole(self.shear))

    @classmethod
    def from_string(cls, text: str) -> Stack:
        """Stack written as oxygen letter pairs from below, as "AB BA" or "AB CA BC"; "AB +2" adds a shear.

        A star after a pair sets that slab half a letter further: "AB CB*" is T#2.
        Raises InputError for other characters, an odd number of letters or a pair of equal letters.
        """
        require_kind("the stack", text, str, '"AB BA"')
        body, _, tail = text.partition("+")
        letters = "".join(body.split()).upper()
        if tail and tail.strip() not in ("0", "0.5", "1", "1.5", "2", "2.5"):
            raise InputError(f"stack {text!r} ends in shear +{tail.strip()}; it must be +0, +1 or +2 (or +0.5 ...).")
        if not re.fullmatch(r"([ABC]{2}\*?)+", letters):
            raise InputError(f'stack {text!r} is not made of letter pairs A, B, C; write it like "AB BA".')
        pairs = re.findall(r"[ABC]{2}\*?", letters)
        return cls(tuple(_slab_of_pair(pair, text) for pair in pairs), float(tail or 0))

    @classmethod
    def from_gaps(cls, gaps: Sequence[str], closure: str = "auto") -> Stack:
        """Stack with these gap names from below, slab 0 being AB; "O2" reads as "O2u" and "T#2" as "T2".

        closure  "strict": the letters must return to the start; "shear" or "auto": a remainder is kept as
                 a shear of the third vector (0 where the letters close)
        Raises InputError for unknown names, an odd number of sense-flipping gaps (P2, O2u, O2l, T2) or, when
        strict, letters that do not close. O2u throughout and O2l throughout are the same P6_3mc crystal
        upside down; alternating them is O6 (R-3m), and two of each in turn another O2 polytype (P-3m1).
        """
        if closure not in ("auto", "strict", "shear"):
            raise InputError(f"closure {closure!r} is unknown; {nearest(str(closure), ('auto', 'strict', 'shear'))}")
        names = [gap_name(name) for name in require_list("gaps", gaps, str, EXAMPLE)]
        if not names:
            raise InputError("an empty list of gaps makes no stack; give at least one gap name.")
        _require_even_flips(names)
        slabs = [Slab(2, 1)]
        for name in names:
            slabs.append(_slab_above(slabs[-1], name))
        remainder = (slabs[-1].z - slabs[0].z) % 3
        if remainder and closure == "strict":
            raise InputError(
                f"{len(names)} gaps leave the letters displaced by {remainder} of 3, so the cell does not close; "
                "take O3 and P3 galleries in multiples of 3 and T2 in pairs, or closure='shear'."
            )
        return cls(tuple(slabs[:-1]), remainder)

    def __len__(self) -> int:
        return len(self.slabs)

    def __str__(self) -> str:
        return " ".join(map(str, self.slabs)) + (f" +{self.shear}" if self.shear else "")

    def above(self, j: int) -> Slab:
        """The slab above gallery j, shear included where it is the image of slab 0."""
        j = require_whole("gallery", j)
        last = j % len(self) == len(self) - 1
        return self.slabs[0].moved(self.shear) if last else self.slabs[j % len(self) + 1]

    def gap(self, j: int) -> str:
        """Name of gallery j (modulo the number of galleries)."""
        above = self.above(j)
        return gap_between(self.slabs[int(j) % len(self)], above)

    def gaps(self) -> list[str]:
        """Names of the galleries from below: P2, O3, P3, O1, O2u, O2l or T2, or two names as "P2/O2u" half-way."""
        return [self.gap(j) for j in range(len(self))]

    def glide(self, gallery: int, g: int) -> Stack:
        """Everything above one gallery glided by g letters: that gallery changes and no other.

        Raises InputError for a gallery that does not exist and a glide that is no half letter.
        """
        self._require(gallery, "gallery")
        _require_letters(g)
        slabs = tuple(slab if j <= gallery else slab.moved(g) for j, slab in enumerate(self.slabs))
        return Stack(slabs, (self.shear + g) % 3)

    def glide_slab(self, j: int, g: int) -> Stack:
        """Slab j alone (with its periodic images) glided by g letters: the galleries on its two sides change.

        Raises InputError for a slab that does not exist and a glide that is no half letter.
        """
        self._require(j, "slab")
        return Stack(tuple(s.moved(g) if i == j else s for i, s in enumerate(self.slabs)), self.shear)

    def sense_class(self) -> str:
        """Shortest repeating pattern of senses, as "+", "+-" or "+--+"; no glide ever changes it."""
        signs = "".join("+" if slab.s > 0 else "-" for slab in self.slabs)
        period = next(p for p in range(1, len(signs) + 1) if len(signs) % p == 0 and _repeats(signs, p))
        pattern = signs[:period]
        flipped = pattern.translate(str.maketrans("+-", "-+"))
        forms = [form for p in (pattern, flipped) for q in (p, p[::-1]) for form in _rotations(q)]
        return max(form for form in forms if form[0] == "+")

    def interlock_table(self) -> tuple[Interlock, ...]:
        """For every slab and both glides: names of the gallery below and above, before and after.

        A slab next to a T2 gallery also glides by half a letter, which takes T2 to O2u or O2l.
        """
        n, gaps = len(self), self.gaps()
        rows = []
        for j, slab in enumerate(self.slabs):
            below, above = self.slabs[j - 1], self.above(j)
            lower = slab if j else slab.moved(self.shear)
            before = gaps[j - 1], gaps[j]
            for g in (1, -1, 0.5, -0.5) if "T2" in before else (1, -1):
                over = above.moved(g) if n == 1 else above
                under = below.moved(g) if n == 1 else below
                rows.append(
                    Interlock(j, g, before, (gap_between(under, lower.moved(g)), gap_between(slab.moved(g), over)))
                )
        return tuple(rows)

    def _require(self, index: int, what: str) -> None:
        if require_whole(what, index) not in range(len(self)):
            raise InputError(f"{what} {index} does not exist; this stack has {what} 0 to {len(self) - 1}.")


def gap_between(below: Slab, above: Slab) -> str:
    """Name of the gallery between two slabs; half-way between two letters both names, but T2 for O2u/O2l."""
    relation, k = below.s * above.s, (above.z - below.z) * below.s % 3
    if (relation, k) in GAP_NAMES:
        return GAP_NAMES[relation, int(k)]
    if (relation, k) == RULES["T2"]:
        return "T2"
    return f"{GAP_NAMES[relation, int(k - 0.5) % 3]}/{GAP_NAMES[relation, int(k + 0.5) % 3]}"


def gap_name(name: str) -> str:
    """The gap name itself, "O2" read as "O2u" and "T#2" as "T2". Raises InputError for an unknown name."""
    name = ALIASES.get(name, name) if isinstance(name, str) else name
    if not isinstance(name, str) or name not in RULES:
        raise InputError(f"gap {name!r} is unknown; {nearest(str(name), [*RULES, 'O2'])}")
    return name


def same_cyclic(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two gap lists are equal up to a cyclic rotation. Raises InputError for what is no list."""
    first, second = (list(require_list("gaps", gaps, object, EXAMPLE)) for gaps in (first, second))
    return len(first) == len(second) and any(second[i:] + second[:i] == first for i in range(len(first)))


def flipped(name: str) -> str:
    """Gap name read upside down: O2u and O2l exchange, the others stay."""
    return {"O2u": "O2l", "O2l": "O2u"}.get(name, name)


def _slab_of_pair(pair: str, text: str) -> Slab:
    x, y = (LETTERS.index(letter) for letter in pair[:2])
    if x == y:
        raise InputError(f"slab {pair} in stack {text!r} has a prismatic metal; the two letters must differ.")
    return Slab(-(x + y) % 3 + 0.5 * (len(pair) - 2), 1 if (y - x) % 3 == 1 else -1)


def _require_letters(g: object) -> None:
    if not is_number(g) or 2 * g % 1 != 0:
        raise InputError(f"a glide by {g!r} letters; give a whole or half number of letters, as 1, -1 or 0.5.")


def _whole(number: float) -> float:
    return int(number) if number == int(number) else float(number)


def _slab_above(below: Slab, name: str) -> Slab:
    relation, k = RULES[name]
    return Slab((below.z + k * below.s) % 3, below.s * relation)


def _require_even_flips(names: list[str]) -> None:
    flips = [name for name in names if RULES[name][0] < 0]
    if len(flips) % 2:
        raise InputError(
            f"{len(flips)} of {len(names)} gaps flip the slab sense (P2, O2u, O2l, T2), an odd number, so the period "
            f"cannot close; use {len(flips) - 1} or {len(flips) + 1} of them."
        )


def _repeats(text: str, period: int) -> bool:
    return text[:period] * (len(text) // period) == text


def _rotations(text: str) -> list[str]:
    return [text[i:] + text[:i] for i in range(len(text))]
