"""What gliding leaves behind: numbers, sentences, tables and pages of surfaces, single-slab moves and the lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from simkit import build
from simkit.potential.card import Card
from simkit.structure import Structure
from simkit.workflows import gliding_slabs, gliding_surface, numbers
from simkit.workflows.glides import figures as gliding_figures
from simkit.workflows.glides.resistance import Lock, locks, resistances
from simkit.workflows.gliding import Profile
from simkit.workflows.gliding_collective import Transformation
from simkit.workflows.gliding_lock import Result
from simkit.workflows.gliding_slabs import Move
from simkit.workflows.gliding_surface import Surface
from simkit.workflows.rundirs import box, card_facts, column, section

MODES = (
    "Rigid: nothing relaxes. Normal: atoms and the cell along the normal only. In both the ions of the gallery go half "
    "the way and cannot find their next sites, so that what they give at the next letter is no fault. Held: the centre "
    "of every slab stays where the slide put it in the plane, and ions are free: these are the faults and barriers."
)
LIMITS = (
    "What these numbers are not: every slab moves as a whole at zero temperature, so they are energies per area of a "
    "uniform slide, the ideal strength and no yield stress: real slabs glide by dislocations, at a small part of it. "
    "Ions keep their number and arrangement. Compare cells at the same content with one another."
)
ADDITIVE = (
    "A gallery between two slabs of one phase is not touched by an interface and glides as in that phase; what an "
    "interface can lock is a slab that two phases share, since moving it changes a gallery of each."
)


def lines_section(profiles: Sequence[Profile]) -> dict:
    """Gliding along lines between letters."""
    rows = [
        [w["name"], w["mode"], w["gallery"], f"{w['kind']} → {w['becomes']}", w["unstable_J_per_m2"],
         w["unstable_meV_per_fu"], w["next_letter_J_per_m2"], w["ideal_shear_stress_GPa"], _status(w["converged"])]
        for profile in profiles for w in numbers.ways(profile)
    ]  # fmt: skip
    columns = [
        column("profile"), column("relaxation", text=True), column("gallery", digits=0), column("turns", text=True),
        column("unstable", "J/m²"), column("unstable", "meV per formula unit", 1), column("at the next letter", "J/m²"),
        column("ideal shear stress", "GPa", 2), column("status", text=True),
    ]  # fmt: skip
    grid = {"caption": "Everything above one gallery moved to the next letter.", "columns": columns, "rows": rows}
    return section("One gallery, along lines", [MODES, LIMITS], [("gliding", "Energy towards each letter.")], [grid])


def surface_section(surfaces: Sequence[Surface]) -> dict:
    """Gamma surfaces: low paths and stable translations."""
    rows = [
        [s.name, s.mode, s.gallery, f"{s.kind} → {s.becomes[g]}", path.unstable_J_per_m2,
         s.gamma.meV_per_fu(path.unstable_J_per_m2), float(path.gamma_J_per_m2[-1]), path.ideal_shear_stress_GPa,
         path.length_A, f"{s.unlike} of {s.gamma.values_J_per_m2.size}", _status(s.converged)]
        for s in surfaces for g, path in s.paths.items()
    ]  # fmt: skip
    columns = [
        column("surface"), column("relaxation", text=True), column("gallery", digits=0), column("turns", text=True),
        column("unstable on the low path", "J/m²"), column("unstable", "meV per formula unit", 1),
        column("at the next letter", "J/m²"), column("ideal shear stress", "GPa", 2), column("path", "Å", 2),
        column("points computed", text=True), column("status", text=True),
    ]  # fmt: skip
    words = [
        "Everything above one gallery was moved to every point of a grid over one period; points that symmetry makes "
        "alike were computed once. A Fourier series goes through them, and the low path is the string of least energy "
        f"across it. {MODES}"
    ]
    caption = "Gamma surfaces on one colour scale; white: low paths to the neighbouring letters."
    grid = {"caption": "Low paths.", "columns": columns, "rows": rows}
    return section("Gamma surfaces", [*words, LIMITS], [("gamma-surfaces", caption)], [grid])


def moves_section(moves: Sequence[Move], title: str = "Single slabs") -> dict:
    """Every move of a slab between its two galleries."""
    rows = [
        [m.structure, m.slab, f"{' | '.join(m.before)} → {' | '.join(m.after)}", m.barrier_J_per_m2,
         gliding_slabs.per_unit(m, m.barrier_J_per_m2), m.final_J_per_m2, gliding_slabs.per_unit(m, m.final_J_per_m2),
         " | ".join(m.found) if any(m.found) else "no stack", _status(m.converged)]
        for m in moves
    ]  # fmt: skip
    columns = [
        column("cell"), column("slab", digits=0), column("galleries below | above", text=True),
        column("barrier", "J/m²"), column("barrier", "meV per formula unit", 1), column("end", "J/m²"),
        column("end", "meV per formula unit", 1), column("read after relaxing", text=True), column("status", text=True),
    ]  # fmt: skip
    words = (
        "One slab moves to the next letter between neighbours that stay: two galleries change at once. The centre of "
        "every slab is held in the plane at each point; ions start half way, staying or going along, and the lowest "
        "counts. Energies are per area and formula unit of the one slab, above the same cell before the move."
    )
    shown = [("moves", "Barrier and end of every move.")]
    return section(title, [words, LIMITS], shown, [{"caption": "", "columns": columns, "rows": rows}])


def collective_section(found: Sequence[Transformation]) -> dict:
    """Transformations of the whole crystal at once."""
    columns = [
        column("structure"), column("from", text=True), column("to", text=True), column("slabs that glide", text=True),
        column("barrier", "meV per formula unit", 1), column("end", "meV per formula unit", 1),
        column("volume", "%", 2), column("status", text=True),
    ]  # fmt: skip
    rows = [
        [t.structure, " ".join(t.start), t.target, ", ".join(f"{j} by {g:+d}" for j, g in t.moves),
         t.barrier_meV_per_fu if t.converged else None, t.energy_meV_per_fu, t.volume_change_percent, t.status]
        for t in found
    ]  # fmt: skip
    words = (
        "Bands in positions and cell between stacks relaxed free of stress. Every slab of the crystal moves at once: "
        "the barrier grows with the crystal: per formula unit it is what a homogeneous transformation costs, and an "
        "upper bound on a front that runs through it."
    )
    grid = {"caption": "", "columns": columns, "rows": rows}
    return section("Collective transformations", [words], [("collective", "Energy along each band.")], [grid])


def collective_line(t: Transformation) -> str:
    """One transformation in words."""
    if not t.converged:
        return f"{t.structure} to {t.target}: {t.status}"
    return (
        f"{t.structure} to {t.target}: barrier {t.barrier_meV_per_fu:.1f} meV per formula unit, end "
        f"{t.energy_meV_per_fu:+.1f}, volume {t.volume_change_percent:+.1f} %"
    )


def interlock_rows(structures: dict[str, Structure]) -> list[dict]:
    """The stacking algebra's table of what each move turns the neighbours into, for every structure."""
    return [
        {"structure": name, "slab": row.slab, "letter": row.g, "before": list(row.before), "after": list(row.after)}
        for name, structure in structures.items()
        for row in build.classify(structure).stack.interlock_table()
    ]


def lock_page(study: str, result: Result, card: Card) -> dict[str, Any]:
    """results.json and page of a study of the lock."""
    found = locks(result)
    moves = [move for case in result.cases for move in case.moves]
    return {
        "study": study,
        "title": study,
        "lead": f"What it costs to glide the slabs that {' and '.join(result.phases)} share, beside the slabs of each "
        "phase alone at the same sodium content and in-plane lattice.",
        "warnings": [f"{case.name}: {case.problem}." for case in result.cases if case.problem],
        "headline": [
            box(f"lock at {_content(lock)}", lock.barrier_J_per_m2, "J/m²", _note(lock), 3)
            for lock in found if lock.phase == "softest phase"
        ],
        "sections": [_statement(found), _resistances(result), moves_section(moves, "All moves")],
        "potential": card_facts(card),
        "lock": [asdict(lock) for lock in found],
        "resistance": [asdict(row) for row in resistances(result)],
        "moves": [gliding_slabs.table(move) for move in moves],
        "interlock": interlock_rows(_first_cells(result)),
    }  # fmt: skip


def lock_lines(result: Result) -> list[str]:
    """The statement, one sentence for each content and phase."""
    return [sentence(lock) for lock in locks(result)] + [f"{c.name}: {c.problem}" for c in result.cases if c.problem]


def sentence(lock: Lock) -> str:
    """What a paper can say of one content and phase."""
    several = lock.seeds > 1
    spread, unit, end = (
        f" ± {value:.{digits}f}" if several else ""
        for value, digits in (
            (lock.barrier_spread_J_per_m2, 3), (lock.barrier_spread_meV_per_fu, 1), (lock.final_spread_J_per_m2, 3)
        )
    )  # fmt: skip
    barrier, per_unit = abs(lock.barrier_J_per_m2), abs(lock.barrier_meV_per_fu)
    higher = _side(lock.barrier_J_per_m2)
    return (
        f"{_content(lock)}: the barrier of the easiest glide of a shared slab is {barrier:.3f}{spread} J/m2 "
        f"({per_unit:.1f}{unit} meV per formula unit) {higher} than that of {_than(lock)}, and its end "
        f"{abs(lock.final_J_per_m2):.3f}{end} J/m2 {_side(lock.final_J_per_m2)} "
        f"({lock.seeds} arrangement{'s' if several else ''})"
    )


def _side(difference: float) -> str:
    return "higher" if difference >= 0 else "lower"


def _statement(found: Sequence[Lock]) -> dict:
    columns = [
        column("content"), column("beside", text=True), column("barrier, difference", "J/m²"),
        column("spread", "J/m²"), column("barrier, difference", "meV per formula unit", 1), column("spread", "meV", 1),
        column("end, difference", "J/m²"), column("spread", "J/m²"), column("arrangements", digits=0),
    ]  # fmt: skip
    rows = [
        [_content(k), _than(k), k.barrier_J_per_m2, k.barrier_spread_J_per_m2, k.barrier_meV_per_fu,
         k.barrier_spread_meV_per_fu, k.final_J_per_m2, k.final_spread_J_per_m2, k.seeds]
        for k in found
    ]  # fmt: skip
    words = [sentence(lock) + "." for lock in found if lock.phase == "softest phase"]
    caption = "Easiest move of a shared slab less the easiest move of a slab of the phase alone; spread: standard "
    caption += "deviation over arrangements of metals and ions. Positive: the interface locks."
    return section("The lock", [*words, ADDITIVE], [], [{"caption": caption, "columns": columns, "rows": rows}])


def _resistances(result: Result) -> dict:
    columns = [
        column("case"), column("cell", text=True), column("easiest move", text=True), column("barrier", "J/m²"),
        column("barrier", "meV per formula unit", 1), column("lowest end", "J/m²"),
        column("lowest end", "meV per formula unit", 1),
    ]  # fmt: skip
    rows = [
        [r.case, r.cell, r.move, r.barrier_J_per_m2, r.barrier_meV_per_fu, r.final_J_per_m2, r.final_meV_per_fu]
        for r in resistances(result)
    ]
    caption = "Easiest single-slab move of the shared slabs and of each phase alone; a dot per arrangement."
    return section(
        "Resistance to gliding", [], [("resistance", caption)], [{"caption": "", "columns": columns, "rows": rows}]
    )


def lock_figures(result: Result) -> dict[str, object]:
    """Figure by file name."""
    return {"resistance": gliding_figures.resistance(result)} if resistances(result) else {}


def surface_rows(surfaces: Sequence[Surface]) -> list[dict]:
    """Plain numbers of every surface."""
    return [gliding_surface.table(surface) for surface in surfaces]


def _first_cells(result: Result) -> dict[str, Structure]:
    return next((case.cells for case in result.cases if case.cells), {})


def _content(lock: Lock) -> str:
    return "as built" if lock.content is None else f"x = {lock.content:g}"


def _than(lock: Lock) -> str:
    return f"{lock.phase} alone" if lock.phase != "softest phase" else "the softest phase"


def _note(lock: Lock) -> str:
    spread = f"± {lock.barrier_spread_J_per_m2:.3f} over {lock.seeds} arrangements; " if lock.seeds > 1 else ""
    return f"{spread}barrier beside the softest phase alone"


def _status(converged: bool) -> str:
    return "converged" if converged else "not converged"
