"""What became of the structure along a trajectory: stacking, glides, lost metals, peroxides, radial distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit import build, measure
from simkit.arrays import Floats
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.trajectory import Trajectory
from simkit.workflows.diffusion.config import Evolution

ALKALI = ("Li", "Na", "K", "Rb", "Cs")
LOST = "not layered"
OVERLAP_A = 1.2
"""No two atoms of an oxide without hydrogen are so near: the potential lets them fall into one another."""


@dataclass(frozen=True)
class Glide:
    """A gallery that changed its stacking for good: when, which, from what to what."""

    time_ps: float
    gallery: int
    before: str
    after: str


@dataclass(frozen=True, eq=False)
class History:
    """The structure over time.

    times_ps (f,) of the classified frames; fractions: share of galleries by kind (f,), `LOST` where a frame is no stack
    glides; left (f,) metals out of their layers, None without slabs; peroxides (f,) pairs of oxygens too close
    shortest_OO_A over all frames looked at; overlaps: pairs of elements seen nearer than 1.2 A, and how near
    radial: distributions of the second half; cells (f, 3, 3) A
    patterns (t, k) over pattern_times_ps (t,) and angles_deg (k,); average (k,): of the mean positions
    """

    name: str
    times_ps: Floats
    fractions: dict[str, Floats]
    glides: tuple[Glide, ...]
    left: np.ndarray | None
    peroxides: np.ndarray
    shortest_OO_A: float
    overlaps: dict[str, float]
    radial: tuple[measure.Radial, ...]
    cells: Floats
    pattern_times_ps: Floats
    angles_deg: Floats
    patterns: Floats
    average: Floats


def history(config: Evolution, name: str, run: Trajectory) -> History:
    """Follow the structure of a trajectory that holds every atom.

    The stacking is read from means over equal stretches of time, so that vibrations are no glides; distances and metals
    from the frame in the middle of each.
    """
    parts = np.array_split(np.arange(len(run)), min(config.frames, len(run)))
    chosen = np.array([part[len(part) // 2] for part in parts])
    frames = [run[int(k)] for k in chosen]
    times = run.time_fs[chosen] * 1e-3
    read = [_galleries(measure.mean_structure(run.structure, run.positions[p], run.cells[p])) for p in parts]
    peroxides, shortest = measure.close_pairs(frames)
    late = frames[len(frames) // 2 :]
    pattern_times, angles, patterns = _patterns(config, run)
    return History(
        name=name,
        times_ps=times,
        fractions=_fractions([fractions for _, fractions in read]),
        glides=tuple(glides(times, [gaps for gaps, _ in read], config.persist)),
        left=left_layers(frames, config.left_A),
        peroxides=peroxides,
        shortest_OO_A=float(shortest.min(initial=np.inf)),
        overlaps=_overlaps(frames),
        radial=tuple(_radial(late)),
        cells=run.cells[chosen],
        pattern_times_ps=pattern_times,
        angles_deg=angles,
        patterns=patterns,
        average=_average(config, run),
    )


def glides(times_ps: Floats, galleries: Sequence[Sequence[str] | None], persist: int) -> list[Glide]:
    """Changes of the name of a gallery that last for `persist` readings; frames that are no stack (None) are left out.

    times_ps (f,) of the readings; a change is dated to the first reading of the new name.
    """
    known = [(t, g) for t, g in zip(times_ps, galleries, strict=True) if g is not None]
    if not known:
        return []
    events = []
    for gallery in range(len(known[0][1])):
        names = [g[gallery] for _, g in known]
        current, began = names[0], 0
        for k, name in enumerate(names):
            if k and name != names[k - 1]:
                began = k
            if name != current and k - began + 1 >= persist:
                events.append(Glide(float(known[began][0]), gallery, current, name))
                current = name
    return sorted(events, key=lambda event: (event.time_ps, event.gallery))


def left_layers(frames: Sequence[Structure], left_A: float) -> np.ndarray | None:
    """(f,) metals of slabs that are more than left_A from the mean height of the metals of their slab.

    Slabs as in `Structure.layers`; heights along the normal of the first two vectors, so unwrapped positions are
    needed. None where the structure has no slabs with metals.
    """
    first = frames[0]
    symbols = np.array(first.symbols)
    anions = np.isin(symbols, ("O", "S", "F", "Se"))
    metals = np.flatnonzero((first.layers >= 0) & ~anions & ~np.isin(symbols, ALKALI))
    if not len(metals):
        return None
    slab = np.unique(first.layers[metals], return_inverse=True)[1]
    start = _heights(first)[metals]
    out = np.zeros(len(frames), dtype=np.int64)
    for k, frame in enumerate(frames):
        moved = _heights(frame)[metals] - start
        middle = np.array([np.median(moved[slab == j]) for j in range(slab.max() + 1)])
        out[k] = int((np.abs(moved - middle[slab]) > left_A).sum())
    return out


def _overlaps(frames: Sequence[Structure]) -> dict[str, float]:
    """Shortest distance of each pair of elements that came nearer than any bond of a cathode, hydrogen left out."""
    symbols = sorted(set(frames[0].symbols) - {"H"})
    pairs = [(a, b) for k, a in enumerate(symbols) for b in symbols[k:]]
    nearest = {f"{a}-{b}": measure.close_pairs(frames, (a, b), OVERLAP_A)[1].min() for a, b in pairs}
    return {name: float(distance) for name, distance in nearest.items() if np.isfinite(distance)}


def _heights(structure: Structure) -> Floats:
    normal = np.cross(*structure.cell[:2])
    return structure.positions @ (normal / np.linalg.norm(normal))


def _galleries(structure: Structure) -> tuple[list[str] | None, dict[str, float]]:
    """Names of the galleries and their shares; None and `LOST` where the frame is no stack."""
    try:
        found = build.classify(structure)
    except InputError:
        return None, {LOST: 1.0}
    return found.stack.gaps(), found.fractions


def _fractions(read: Sequence[dict[str, float]]) -> dict[str, Floats]:
    names = dict.fromkeys(name for one in read for name in one)
    return {name: np.array([one.get(name, 0.0) for one in read]) for name in names}


def _radial(frames: Sequence[Structure]) -> list[measure.Radial]:
    """Metals, ions and oxygen around one another, as far as there are any."""
    symbols = set(frames[0].symbols)
    metals = sorted(symbols - {"O", *ALKALI})
    pairs = [(m, "O") for m in metals] + [(a, "O") for a in ALKALI if a in symbols] + [("O", "O")]
    pairs += [(a, a) for a in ALKALI if a in symbols]
    counts = {s: frames[0].symbols.count(s) for s in symbols}
    return [
        measure.radial_distribution(frames, pair)
        for pair in pairs
        if all(counts.get(e, 0) for e in pair) and (pair[0] != pair[1] or counts[pair[0]] > 1)
    ]


def _patterns(config: Evolution, run: Trajectory) -> tuple[Floats, Floats, Floats]:
    """Patterns of the averages over equal stretches of time: thermal motion is averaged, changes remain."""
    if not config.patterns:
        return np.zeros(0), np.zeros(0), np.zeros((0, 0))
    radiation = measure.Radiation(config.wavelength, config.two_theta_deg)
    parts = np.array_split(np.arange(len(run)), min(config.patterns, len(run)))
    times = np.array([run.time_fs[part].mean() * 1e-3 for part in parts])
    means = [measure.mean_structure(run.structure, run.positions[part], run.cells[part]) for part in parts]
    found = [measure.powder_pattern(mean, radiation) for mean in means]
    return times, found[0][0], np.array([intensity for _, intensity in found])


def _average(config: Evolution, run: Trajectory) -> Floats:
    """The pattern of the mean of the second half."""
    if not config.patterns:
        return np.zeros(0)
    late = slice(len(run) // 2, None)
    mean = measure.mean_structure(run.structure, run.positions[late], run.cells[late])
    return measure.powder_pattern(mean, measure.Radiation(config.wavelength, config.two_theta_deg))[1]
