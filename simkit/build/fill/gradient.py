"""Composition gradients: one table of metals per slab."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from simkit.build.arguments import require_kind, require_whole
from simkit.build.composition import Composition
from simkit.build.fill.counts import spread_tables
from simkit.errors import InputError

Table = Mapping[str, float]


def gradient(start: Table, end: Table, slabs: int, sites: int | None = None) -> tuple[dict[str, float], ...]:
    """Tables of metals for slabs from below that run linearly from `start` to `end`, both included.

    slabs, sites and errors as for `profile`
    """
    first, last = _checked(start), _checked(end)
    names = list(dict.fromkeys([*first, *last]))

    def mixed(x: float) -> dict[str, float]:
        return {name: (1.0 - x) * first.get(name, 0.0) + x * last.get(name, 0.0) for name in names}

    return profile(mixed, slabs, sites)


def profile(table: Callable[[float], Table], slabs: int, sites: int | None = None) -> tuple[dict[str, float], ...]:
    """Tables of metals for slabs from below: `table` at x = 0 for the first slab, 1 for the last, even steps.

    slabs  number of tables, 1 or more; a single one is taken at x = 1/2
    sites  metals in a slab: then every table holds whole atoms, shared out by systematic sampling, so that the sum
           over slabs is the nearest to the profile (filling does the same when it is None)
    Raises InputError for tables that are no composition and for numbers below 1.
    """
    require_kind("table", table, Callable, "lambda x: {'Ni': 1 - x, 'Mn': x}")
    slabs = require_whole("slabs", slabs, 1)
    sites = None if sites is None else require_whole("sites", sites, 1)
    places = np.linspace(0.0, 1.0, slabs) if slabs > 1 else [0.5]
    tables = [_checked(table(float(x))) for x in places]
    if sites is None:
        return tuple(tables)
    names = list(dict.fromkeys(name for row in tables for name in row))
    counts = spread_tables(np.array([[row.get(name, 0.0) for name in names] for row in tables]), [sites] * slabs)
    return tuple({name: int(n) / sites for name, n in zip(names, row, strict=True) if n} for row in counts)


def _checked(table: Table) -> dict[str, float]:
    """Fractions above zero, normalised; errors as for the metals of a `Composition`."""
    if not isinstance(table, Mapping):
        raise InputError(f"metals = {table!r}; give a table of fractions such as {{'Ni': 0.5, 'Mn': 0.5}}.")
    return dict(Composition(metals={name: x for name, x in table.items() if x != 0}).metals)
