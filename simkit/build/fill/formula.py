"""Published formulas to compositions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from simkit.build.arguments import is_number, require_kind, require_list, require_text
from simkit.build.heights import ALKALI
from simkit.build.valence import ANION_VALENCE, require_dopant, require_metal
from simkit.elements import NUMBERS
from simkit.errors import InputError

METAL_TOLERANCE, ANION_TOLERANCE = 0.02, 0.06
"""How far the metals may sum from 1, and the anions from 2, before `normalise` must be asked for."""
TOKEN = re.compile(r"([A-Z][a-z]?|[()\[\]{}])|(\d+(?:\.\d+)?(?:/\d+(?:\.\d+)?)?)|(\s+)")
CLOSING = {"(": ")", "[": "]", "{": "}"}


def parse_formula(
    formula: str,
    mobile: str | Sequence[str] = "Na",
    in_slab: Mapping[str, float] | None = None,
    normalise: bool = False,
) -> dict[str, object]:
    """The fields of a `Composition` that a formula names: Composition(**parse_formula("Na2/3Ni1/3Mn2/3O2")).

    formula    symbols with decimals or fractions, nested brackets: "Na(Ni2/9Fe1/3Cu1/9Mn1/3)0.98Mn0.02O2"
    mobile     the alkali of the galleries; ("Na", "Ca"): the alkali, then dopants on its sites
    in_slab    how much of a mobile element sits among the metals, as written: {"Li": 1/3} of Li1.33Mn0.67O2
    normalise  scale the formula to one metal; without it the metals must sum to 1 within 0.02 and the anions to 2
               within 0.06, and the content stays as written

    Raises InputError for what cannot be read, for unknown elements, for sums outside the tolerance, and for more
    mobile ions than one per metal.
    """
    mobile, in_slab = _mobile(mobile), {} if in_slab is None else in_slab
    require_kind("in_slab", in_slab, Mapping, "{'Li': 0.33}")
    require_kind("normalise", normalise, bool, "True")
    amounts = formula_amounts(formula)
    ions, metals, anions = _sorted(amounts, mobile, in_slab, formula)
    whole, around = sum(metals.values()), sum(anions.values())
    if not metals or not anions:
        raise InputError(f"{formula} has {len(metals)} metals and {len(anions)} anions; both are needed.")
    if not normalise and abs(whole - 1.0) > METAL_TOLERANCE:
        raise InputError(
            f"the metals of {formula} sum to {whole:.4g}, not to 1 within {METAL_TOLERANCE}; pass normalise=True to "
            f"divide the formula by {whole:.4g}, or correct it (a mobile element among the metals goes to in_slab)."
            + _counted(metals, mobile)
        )
    scale = whole if normalise else 1.0
    if not normalise and abs(around - 2.0) > ANION_TOLERANCE:
        raise InputError(
            f"the anions of {formula} sum to {around:.4g}, not to 2 within {ANION_TOLERANCE}; pass normalise=True to "
            "keep their ratio, or correct it."
        )
    inside = sum(ions.values())
    content = inside / scale
    if content > 1.0 + 1e-9:
        raise InputError(
            f"{formula} has {content:.4g} {' and '.join(ions)} per metal; galleries hold up to 1: say with in_slab how "
            "much of it sits among the metals."
        )
    fields: dict[str, object] = {
        "metals": {name: n / whole for name, n in metals.items()},
        "alkali": mobile[0],
        "content": min(content, 1.0),
        "anions": {name: n / around for name, n in anions.items()},
    }
    dopants = {name: n / inside for name, n in ions.items() if name != mobile[0] and n > 0}
    return {**fields, "dopants": dopants} if dopants else fields


def _mobile(mobile: object) -> tuple[str, ...]:
    """The alkali and its dopants. Raises InputError where the first is no alkali or another has no valence."""
    names = (mobile,) if isinstance(mobile, str) else require_list("mobile", mobile, str, "'Na' or ('Na', 'Ca')")
    if not names or names[0] not in ALKALI:
        raise InputError(
            f"mobile = {mobile!r}; name the alkali of the galleries first, one of {', '.join(ALKALI)}, then dopants on "
            "its sites, as ('Na', 'Ca')."
        )
    for name in names[1:]:
        require_dopant(name)
    return names


def _counted(metals: Mapping[str, float], mobile: tuple[str, ...]) -> str:
    """A remark on alkali elements that were counted as metals because `mobile` does not name them."""
    others = [name for name in metals if name in ALKALI and name not in mobile]
    return f" {' and '.join(others)} counts as a metal here: mobile names {' and '.join(mobile)}." if others else ""


def formula_amounts(formula: str) -> dict[str, float]:
    """Amount of each element of a formula, in the order of first appearance.

    Raises InputError naming what cannot be read.
    """
    require_text("formula", formula)
    stack: list[tuple[str, list]] = [("", [])]
    place = 0
    while place < len(formula):
        found = TOKEN.match(formula, place)
        if found is None:
            raise InputError(
                f"{formula!r} cannot be read at {formula[place:]!r}; write symbols, numbers such as 0.5 or 2/3, and "
                "brackets (put numbers for letters such as x or d)."
            )
        _take(stack, found, formula)
        place = found.end()
    if len(stack) != 1:
        raise InputError(f"{formula!r} has {len(stack) - 1} open brackets; close them.")
    if not stack[0][1]:
        raise InputError(f"{formula!r} names no element; write for example 'Na2/3Ni1/3Mn2/3O2'.")
    return _summed(stack[0][1])


def _take(stack: list, found: re.Match, formula: str) -> None:
    word, number, _ = found.groups()
    if number:
        _count(stack[-1][1], number, formula)
    elif word in CLOSING:
        stack.append((CLOSING[word], []))
    elif word in NUMBERS:
        stack[-1][1].append(({word: 1.0}, None))
    elif word in CLOSING.values():
        wanted, inner = stack.pop()
        if wanted != word or not inner:
            raise InputError(f"{formula!r}: the bracket {word!r} closes nothing.")
        stack[-1][1].append((_summed(inner), None))
    elif word:
        raise InputError(f"{formula!r}: {word} is not an element.")


def _count(items: list, number: str, formula: str) -> None:
    if not items or items[-1][1] is not None:
        raise InputError(f"{formula!r}: the number {number} follows nothing it could count.")
    top, _, bottom = number.partition("/")
    if bottom and float(bottom) == 0:
        raise InputError(f"{formula!r}: {number} divides by zero.")
    items[-1] = (items[-1][0], float(top) / float(bottom or 1))


def _summed(items: list) -> dict[str, float]:
    total: dict[str, float] = {}
    for part, number in items:
        for name, n in part.items():
            total[name] = total.get(name, 0.0) + n * (1.0 if number is None else number)
    return total


def _sorted(amounts: Mapping[str, float], mobile: tuple[str, ...], in_slab: Mapping[str, float], formula: str) -> tuple:
    """Ions, metals and anions of the formula."""
    for name, n in in_slab.items():
        if not is_number(n) or not 0 <= n <= amounts.get(name, 0.0) + 1e-9:
            raise InputError(f"in_slab[{name!r}] = {n!r}; {formula} has {amounts.get(name, 0.0):.4g} of it.")
    ions = {name: max(amounts.get(name, 0.0) - in_slab.get(name, 0.0), 0.0) for name in mobile}
    anions = {name: n for name, n in amounts.items() if name in ANION_VALENCE and n > 0}
    metals = {}
    for name, n in amounts.items():
        amount = in_slab.get(name, 0.0) if name in mobile else n
        if name in ANION_VALENCE or amount <= 0:
            continue
        require_metal(name)
        metals[name] = amount
    return ions, metals, anions
