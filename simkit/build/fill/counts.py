"""Exact counts: whole numbers nearest to fractions, shared out over strata of unequal capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simkit.arrays import Floats, Integers
from simkit.build.composition import Composition
from simkit.build.scaffold import Scaffold
from simkit.errors import InputError

FITS = 200
"""Rounds of proportional fitting; tables of slabs settle to 1e-12 in far fewer."""


def whole_counts(fractions: Mapping[str, float], total: int, what: str) -> dict[str, int]:
    """Whole numbers summing to total, nearest to the fractions (largest remainder).

    Raises InputError where a requested species would vanish, naming the nearest fraction that exists.
    """
    names = list(fractions)
    ideal = np.array([fractions[name] for name in names]) * total
    counts = _rounded(ideal, total)
    for name, count in zip(names, counts, strict=True):
        if count == 0 and fractions[name] > 0:
            raise InputError(
                f"{what}: {name} {fractions[name]:.4g} of {total} sites is less than one atom; the "
                f"nearest that can be reached are 0 and {1 / max(total, 1):.4g}: take more repeats or galleries."
            )
    return dict(zip(names, (int(c) for c in counts), strict=True))


def _rounded(ideal: Floats, total: int) -> Integers:
    counts = np.floor(ideal + 1e-9).astype(np.int64)
    for k in np.argsort(counts - ideal, kind="stable")[: total - int(counts.sum())]:
        counts[k] += 1
    return counts


def spread(counts: Sequence[int], bins: int | Sequence[int]) -> Integers:
    """(bins, species) whole numbers: each species over the bins, its share rounded up or down in each.

    counts  of each species
    bins    number of equal bins, or the size of each; the sizes sum to the sum of the counts
    The extra atom of a species goes to the bins where it is most overdue (systematic sampling).
    """
    total = np.asarray(counts, dtype=np.int64)
    if isinstance(bins, int | np.integer):
        bins = [int(total.sum()) // bins] * bins
    sizes = np.asarray(bins, dtype=np.int64)
    whole = max(int(sizes.sum()), 1)
    ideal = np.outer(sizes, total)
    return _shared(ideal // whole, ideal % whole / whole, np.cumsum(ideal % whole, axis=0) / whole, sizes)


def spread_tables(tables: Floats, sizes: Sequence[int]) -> Integers:
    """(bins, species) whole numbers following one row of fractions per bin; column sums nearest to their sum.

    tables (bins, species) fractions, each row summing to 1; sizes (bins,) atoms in each bin
    """
    sizes = np.asarray(sizes, dtype=np.int64)
    ideal = np.asarray(tables, dtype=np.float64) * sizes[:, None]
    columns = _rounded(ideal.sum(axis=0), int(sizes.sum()))
    for _ in range(FITS):
        ideal *= _ratio(columns, ideal.sum(axis=0))
        ideal *= _ratio(sizes, ideal.sum(axis=1))[:, None]
    base = np.floor(ideal + 1e-7).astype(np.int64)
    rest = np.where(ideal - base < 1e-7, 0.0, ideal - base)
    return _shared(base, rest, np.cumsum(rest, axis=0), sizes)


def _ratio(wanted: Integers, found: Floats) -> Floats:
    return np.divide(wanted, found, out=np.zeros(len(found)), where=found > 0)


LATER = -1e18
"""Place in a row's order of a species that has had all its extra atoms: before those that may have none there, so that
a row short of others keeps to its shares and `_settle` finds where the atom is missing."""


def _shared(base: Integers, rest: Floats, due: Floats, sizes: Integers) -> Integers:
    """base plus 0 or 1 where rest is positive, with row sums `sizes` and the column sums of base + rest."""
    left = np.round(rest.sum(axis=0)).astype(np.int64)
    extra = np.zeros(base.shape, dtype=np.int64)
    given, need = np.zeros(len(left), dtype=np.int64), sizes - base.sum(axis=1)
    open_rows = np.cumsum((rest > 0)[::-1], axis=0)[::-1]
    for row in range(len(base)):
        overdue = due[row] - given
        overdue[left >= open_rows[row]] = np.inf
        overdue[left <= 0] = LATER
        overdue[rest[row] <= 0] = -np.inf
        chosen = np.argsort(-overdue, kind="stable")[: int(need[row])]
        extra[row, chosen] += 1
        given[chosen] += 1
        left[chosen] -= 1
    _settle(extra, rest > 0, left)
    return base + extra


def _settle(extra: Integers, allowed: np.ndarray, left: Integers) -> None:
    """Move extras along chains of rows from columns with too many (left < 0) to columns with too few."""
    for _ in range(int(np.abs(left).sum()) // 2):
        chain = _chain(extra, allowed, left) or _chain(extra, np.ones_like(allowed), left)
        _follow(chain, extra, left)


def _follow(chain: list[tuple[int, int, int]], extra: Integers, left: Integers) -> None:
    for row, here, there in chain:
        extra[row, here] -= 1
        extra[row, there] += 1
    left[chain[0][1]] += 1
    left[chain[-1][2]] -= 1


def _chain(extra: Integers, allowed: np.ndarray, left: Integers) -> list[tuple[int, int, int]]:
    """Shortest chain of moves (row, from column, to column) from a crowded to a short column; empty if none."""
    reached: dict[int, list] = {int(c): [] for c in np.flatnonzero(left < 0)}
    queue = list(reached)
    while queue:
        here = queue.pop(0)
        for row in np.flatnonzero(extra[:, here] > 0):
            for there in np.flatnonzero(allowed[row] & (extra[row] == 0)):
                if int(there) in reached:
                    continue
                reached[int(there)] = [*reached[here], (int(row), here, int(there))]
                if left[there] > 0:
                    return reached[int(there)]
                queue.append(int(there))
    return []


def stratum_counts(scaffold: Scaffold) -> list[dict[str, int]]:
    """Atoms of each element in every stratum: exact for every region, shared out over its strata.

    The metals of each region are those nearest to its fractions, unless the sums over the regions would be an atom or
    more off (`joint_counts`).
    Raises InputError where a composition cannot be reached, with the nearest that can.
    """
    sites = np.bincount(scaffold.stratum, minlength=len(scaffold.strata))
    result: list[dict[str, int]] = [{} for _ in scaffold.strata]
    metals = _metal_totals(scaffold, sites)
    for r, region in enumerate(scaffold.regions):
        for role in ("metal", "anion", "tetrahedral", "alkali"):
            mine = [k for k, s in enumerate(scaffold.strata) if s.region == r and s.role == role and sites[k]]
            if not mine:
                continue
            what = f"{role} sites of region {r} ({region.phase})"
            if role == "alkali":
                found = _ions(scaffold, mine, region.composition, what)
            elif role == "tetrahedral" and not _tetrahedral(region.composition):
                continue
            else:
                given = metals.get(r) if role == "metal" else None
                found = _species(scaffold, mine, sites[mine], (role, region.composition, what, given))
            for k, counts in zip(mine, found, strict=True):
                result[k] = counts
    return result


def _metal_totals(scaffold: Scaffold, sites: Integers) -> dict[int, dict[str, int]]:
    """Metals of each region with one table of fractions: nearest for the region, mended for their sum."""
    metal = np.array([s.role == "metal" for s in scaffold.strata], dtype=bool)
    home = np.array([s.region for s in scaffold.strata])
    size = {r: int(sites[metal & (home == r)].sum()) for r in range(len(scaffold.regions))}
    tables = {r: scaffold.regions[r].composition.metals for r, n in size.items() if n}
    tables = {r: table for r, table in tables.items() if table and not isinstance(table, tuple)}
    what = {r: f"metal sites of region {r} ({scaffold.regions[r].phase})" for r in tables}
    found = {r: whole_counts(table, size[r], what[r]) for r, table in tables.items()}
    if len(found) < 2:
        return found
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    ideal = np.array([[table.get(name, 0.0) * size[r] for name in names] for r, table in tables.items()])
    counts = joint_counts(ideal, np.array([[row.get(name, 0) for name in names] for row in found.values()]))
    return {r: {n: int(row[names.index(n)]) for n in tables[r]} for r, row in zip(tables, counts, strict=True)}


def joint_counts(ideal: Floats, counts: Integers) -> Integers:
    """(regions, species) counts; where a column sum is an atom or more off, moved to the nearest column sums.

    ideal   (regions, species) atoms asked for
    counts  (regions, species) whole numbers, each the ideal rounded up or down
    Row sums stay, every count stays its ideal rounded up or down, and none falls to zero. Column sums that cannot
    be reached so stay as near as they come.
    """
    asked = ideal.sum(axis=0)
    if np.abs(counts.sum(axis=0) - asked).max() < 1.0 - 1e-9:
        return counts
    base = np.floor(ideal + 1e-9).astype(np.int64)
    free = (ideal - base > 1e-9) & (base > 0)
    base = np.where(free, base, counts)
    extra = counts - base
    left = _rounded(asked, int(counts.sum())) - counts.sum(axis=0)
    while chain := _chain(extra, free, left):
        _follow(chain, extra, left)
    return base + extra


def _species(scaffold: Scaffold, mine: list[int], sizes: Integers, wanted: tuple) -> list[dict[str, int]]:
    role, composition, what, totals = wanted
    tetrahedral = _tetrahedral(composition)
    table = {"metal": composition.metals, "anion": composition.anions, "tetrahedral": tetrahedral}[role]
    if not table:
        raise InputError(f"{what}: nothing is named for them; give `{role}` fractions such as {{'Mg': 1}}.")
    if isinstance(table, tuple):
        place = _places(scaffold, mine, len(table), f"metals of {what} list {len(table)} tables")
        names = list(dict.fromkeys(name for row in table for name in row))
        rows = np.array([[row.get(name, 0.0) for name in names] for row in table])[place]
        whole_counts(dict(zip(names, sizes @ rows / sizes.sum(), strict=True)), int(sizes.sum()), what)
        counts = spread_tables(rows, sizes)
    else:
        totals = totals or whole_counts(table, int(sizes.sum()), what)
        names, counts = list(totals), spread(list(totals.values()), sizes.tolist())
    return [{name: int(n) for name, n in zip(names, row, strict=True) if n and name} for row in counts]


def _tetrahedral(composition: Composition) -> dict[str, float]:
    """Fractions of the tetrahedral sites: each cation times the content; the rest, named "", stays empty."""
    content = composition.mean_content
    table = {name: content * x for name, x in composition.tetrahedral.items() if content}
    return {**table, "": 1.0 - content} if table and content < 1 else table


def _ions(scaffold: Scaffold, mine: list[int], composition: Composition, what: str) -> list[dict[str, int]]:
    capacity = np.array([scaffold.strata[k].capacity for k in mine])
    if isinstance(composition.content, tuple):
        content = composition.content
        place = _places(scaffold, mine, len(content), f"content of {what} lists {len(content)} numbers")
        ions = np.zeros(len(mine), dtype=np.int64)
        for p, x in enumerate(content):
            ions[place == p] = _ion_share(x, capacity[place == p], composition.alkali, what)
    else:
        ions = _ion_share(composition.content, capacity, composition.alkali, what)
    if not composition.dopants or not ions.sum():
        return [{composition.alkali: int(n)} if n else {} for n in ions]
    pure = {composition.alkali: 1.0 - sum(composition.dopants.values()), **composition.dopants}
    totals = whole_counts(pure, int(ions.sum()), f"ions of {what}")
    rows = spread(list(totals.values()), ions.tolist())
    return [{name: int(n) for name, n in zip(totals, row, strict=True) if n} for row in rows]


def _ion_share(content: float, capacity: Integers, alkali: str, what: str) -> Integers:
    """Ions in each stratum: the total nearest to content times capacity, shared out."""
    whole = int(capacity.sum())
    count = whole_ions(content, whole, f"of {what} is less than one {alkali} on {whole} sites")
    return spread([count, whole - count], capacity.tolist())[:, 0]


def whole_ions(content: float, total: int, what: str) -> int:
    """The number of ions nearest to content times total (sites or metals).

    Raises InputError, saying "content ... `what`", where a content above zero comes to no ion at all.
    """
    count = int(np.floor(content * total + 0.5))
    if content > 0 and count == 0:
        raise InputError(
            f"content {content:.4g} {what}; the nearest that can be reached are 0 and {1 / max(total, 1):.4g}: take "
            "more repeats or galleries."
        )
    return count


def _places(scaffold: Scaffold, mine: list[int], count: int, what: str) -> Integers:
    """(strata,) index into a per-slab or per-gallery list: rank of the stratum's slab or gallery in its region."""
    index = np.array([stratum_level(scaffold, k) for k in mine])
    found, place = np.unique(index, return_inverse=True)
    if found[0] < 0:
        raise InputError(f"{what}, but these sites lie in no slab or gallery; give one.")
    if len(found) != count:
        raise InputError(f"{what}, but they lie in {len(found)} slabs or galleries; give one or {len(found)}.")
    return place


def stratum_level(scaffold: Scaffold, k: int) -> int:
    """Slab or gallery of a stratum, -1 where its sites share none."""
    mine = scaffold.stratum == k
    for numbers in (scaffold.layers[mine], scaffold.gallery[mine]):
        if len(numbers) and numbers[0] >= 0 and (numbers == numbers[0]).all():
            return int(numbers[0])
    return -1
