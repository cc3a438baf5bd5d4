"""The words and tables of the report, and the lines a terminal shows."""

from __future__ import annotations

from dataclasses import asdict

from simkit.potential.card import Card
from simkit.workflows import numbers
from simkit.workflows.findings import Findings
from simkit.workflows.hops import pages

SOFTEST_FIRST = ("held", "normal", "rigid")
UPPER_BOUND = {"held": "", "normal": ", an upper bound", "rigid": ", an upper bound"}
DEEPER_EV = 0.01
"""A state on the path this much below its start is worth a word."""


def page(study: str, found: Findings, card: Card) -> dict:
    """Title, lead, warnings, headline and sections: what the page template shows."""
    return {
        "study": study,
        "title": f"{found.label}: {study}",
        "lead": _lead(found),
        "warnings": _warnings(found),
        "headline": _headline(found),
        "sections": [section(found) for section in SECTIONS] + pages.networks(found.networks) + _spreads(found),
        "potential": asdict(card),
    }


def lines(found: Findings) -> list[str]:
    """The headline for a terminal, problems last."""
    text = [f"{c['label']}: {_shown(c['value'], c['digits'])} {c['unit']}".rstrip() for c in _headline(found)]
    return text + [f"warning: {line}" for line in _warnings(found)]


def _shown(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _lead(found: Findings) -> str:
    r = found.model.report
    parts = ", ".join(f"{b.galleries} {b.phase} galleries at {b.alkali} {b.content_reached:.2f}" for b in r.blocks)
    return (
        f"{r.formula}, {r.atoms} atoms: {parts}. Relaxed, then asked for its sodium barriers, its resistance to "
        "gliding and its internal stress, each beside the phases alone."
    )


def _warnings(found: Findings) -> list[str]:
    words = list(found.problems)
    words += [w[:1].upper() + w[1:].replace(" A ", " Å ") for w in found.model.report.warnings]
    return words + ([] if found.spreads is None else found.spreads.warnings)


def _card(label: str, value: object, unit: str, note: str, digits: int = 2) -> dict:
    return {"label": label, "value": value, "unit": unit, "note": note, "digits": digits}


def _headline(found: Findings) -> list[dict]:
    cards = []
    for entry in (numbers.hop(hop) for hop in found.migration.hops):
        value = entry["barrier_eV"] if entry["barrier_eV"] is not None else entry["status"]
        value = value if isinstance(value, float) else ("spontaneous" if value == "spontaneous" else "no barrier found")
        unit = "eV" if isinstance(value, float) else ""
        cards.append(_card(f"barrier, {entry['name']}", value, unit, _hop_note(entry), 3))
    for profile, lowest in _easiest(found).items():
        note = f"{lowest['kind']} to {lowest['becomes']}, {lowest['mode']}{UPPER_BOUND[lowest['mode']]}"
        cards.append(_card(f"easiest glide, {profile}", lowest["unstable_J_per_m2"], "J/m²", note, 3))
    if found.label in found.stress.maps:
        whole = found.stress.maps[found.label]
        note = f"95 % of the volume below {whole.p95_GPa:.2f}"
        cards.append(_card("von Mises stress, mean", whole.mean_GPa, "GPa", note))
    return cards


def _hop_note(entry: dict) -> str:
    note = f"{entry['sites']}, gallery {entry['gallery']}"
    barrier, rise = entry["barrier_eV"], entry["largest_rise_eV"]
    if barrier is not None and not entry["saddle_between_ends"]:
        note += "; highest at an end: no saddle found between, try more images"
    deeper = barrier is not None and rise > barrier + DEEPER_EV
    return f"{note}; {rise:.2f} eV from the deepest site on the way" if deeper else note


def _easiest(found: Findings) -> dict[str, dict]:
    """Of each structure, the converged way of lowest unstable gamma under the softest relaxation there is."""
    best: dict[str, dict] = {}
    modes = {profile.mode for profile in found.gliding.profiles}
    softest = next((mode for mode in SOFTEST_FIRST if mode in modes), "")
    for profile in found.gliding.profiles:
        for way in numbers.ways(profile) if profile.mode == softest and profile.converged else []:
            old = best.get(profile.structure)
            if old is None or way["unstable_J_per_m2"] < old["unstable_J_per_m2"]:
                best[profile.structure] = way
    return best


def _column(name: str, unit: str = "", digits: int = 3, text: bool = False) -> dict:
    return {"name": name, "unit": unit, "digits": digits, "text": text}


def _section(title: str, paragraphs: list[str], figures: list[tuple[str, str]], tables: list[dict]) -> dict:
    pictures = [{"name": name, "caption": caption} for name, caption in figures]
    return {"title": title, "paragraphs": paragraphs, "figures": pictures, "tables": tables}


def _structure(found: Findings) -> dict:
    r = found.model.report
    blocks = {
        "caption": f"Blocks as built; mismatch of the phases' own lattices {r.mismatch_percent:.2f} %.",
        "columns": [
            _column("phase"), _column("galleries", digits=0), _column("alkali per metal", "asked"),
            _column("alkali per metal", "reached"), _column("metals", "reached", text=True),
            _column("own a", "Å", 4), _column("strain", "%", 2),
        ],
        "rows": [
            [b.phase, b.galleries, b.content_requested, b.content_reached,
             ", ".join(f"{m} {x:.3f}" for m, x in b.metals_reached.items()), b.own_a_A, b.strain_percent]
            for b in r.blocks
        ],
    }  # fmt: skip
    kept = "kept every gallery" if found.stack_kept else "CHANGED its galleries"
    words = (
        f"Stacking {r.stack}; galleries {' '.join(r.gaps)}. The relaxed cell was classified again from its "
        f"coordinates and {kept}. Heights and lattice parameters were taken from the phases relaxed alone with the "
        "same potential. Metal arrangement and sodium order follow the seed; formal valences per slab are in "
        "results.json."
    )
    caption = "The relaxed cell from the side, stacking direction to the right; octahedra in the colour of their phase."
    return _section("The structure", [words], [("structure", caption)], [blocks])


def _energies(found: Findings) -> dict:
    entries = {name: numbers.relaxation(o) for name, o in found.outcomes.items()}
    table = {
        "caption": "Relaxed cells.",
        "columns": [
            _column("cell"), _column("energy", "eV per formula unit", 4), _column("a", "Å", 4),
            _column("volume", "Å³ per formula unit", 2), _column("largest force", "eV/Å"),
            _column("largest stress", "GPa"), _column("steps", digits=0), _column("status", text=True),
        ],
        "rows": [
            [name, e["energy_eV_per_fu"], e["a_A"], e["volume_A3_per_fu"], e["fmax_eV_per_A"],
             e["largest_stress_GPa"], e["steps"], e["status"]]
            for name, e in entries.items()
        ],
    }  # fmt: skip
    words = [
        "Energies per formula unit of cells with different sodium content cannot be compared with one another. Phases "
        "at the common lattice keep an in-plane stress: it is what the other phase imposes on them."
    ]
    if found.energies is None:
        words.insert(0, found.no_energies)
    else:
        e = found.energies
        words.insert(
            0,
            f"Interface energy {e.interface_J_per_m2:+.4f} J/m² ({e.interface_meV_per_A2:+.2f} meV/Å²) against the "
            f"phases strained to the common lattice; coherency strain energy {e.coherency_J_per_m2:.4f} J/m² of layer "
            f"({e.coherency_meV_per_fu:.2f} meV per formula unit); together {e.formation_meV_per_fu:+.2f} meV per "
            "formula unit against the phases relaxed alone. One thickness only, and one arrangement of metals and "
            "sodium: differences between arrangements are part of the interface energy given here.",
        )
    return _section("Energies", words, [], [table])


def _migration(found: Findings) -> dict:
    table = {
        "caption": "Barrier: highest image above the start; back: above the end; fitted: cubic through the images; "
        "largest rise: from the deepest state on the way.",
        "columns": [
            _column("hop"), _column("sites", text=True), _column("barrier", "eV"), _column("back", "eV"),
            _column("fitted", "eV"), _column("largest rise", "eV"), _column("path of the ion", "Å", 2),
            _column("closest O", "Å", 2), _column("gallery height", "Å", 2),
            _column("force at the top", "eV/Å"), _column("status", text=True),
        ],
        "rows": [
            [h["name"], h["sites"], h["barrier_eV"], h["reverse_barrier_eV"], h["fitted_barrier_eV"],
             h["largest_rise_eV"],
             h["track_A"], h["oxygen_window_A"], h["gallery_height_A"], h["residual_force_eV_per_A"], h["status"]]
            for h in (numbers.hop(hop) for hop in found.migration.hops)
        ],
    }  # fmt: skip
    words = (
        "One representative hop into a single vacancy for each phase, inside it and at the interface (where a gallery "
        "shares a slab with the other phase), in the intergrowth and in each phase alone. Both ends "
        "were relaxed at the cell of the "
        "structure; the path is a climbing nudged elastic band, converged by the climbing image's force, the "
        "energy that all forces on it stand for and the change of the barrier. Paths through a second vacancy, often "
        "lower in O3, were not looked for. A hop marked "
        "spontaneous has one end that falls into the other. Where the "
        "largest rise exceeds the barrier, the path leads through a site deeper than its start (in prismatic galleries "
        "from edge over face to edge), and that rise is what an ion has to climb. With other "
        "arrangements of metals and sodium around it the same kind of hop can differ by a tenth of an eV or more."
    )
    return _section("Sodium migration", [words], [("barriers", "Energy along each hop.")], [table])


def _gliding(found: Findings) -> dict:
    rows = [
        [w["name"], w["mode"], w["gallery"], f"{w['kind']}\u00a0→\u00a0{w['becomes']}", w["unstable_J_per_m2"],
         w["unstable_meV_per_fu"], w["next_letter_J_per_m2"], w["ideal_shear_stress_GPa"],
         "converged" if w["converged"] else "not converged"]
        for profile in found.gliding.profiles for w in numbers.ways(profile)
    ]  # fmt: skip
    table = {
        "caption": "Gliding one gallery to the next letter.",
        "columns": [
            _column("profile"), _column("relaxation", text=True), _column("gallery", digits=0),
            _column("turns", text=True), _column("unstable", "J/m²"), _column("unstable", "meV per formula unit", 1),
            _column("at the next letter", "J/m²"), _column("ideal shear stress", "GPa", 2),
            _column("status", text=True),
        ],
        "rows": rows,
    }  # fmt: skip
    words = (
        "Everything above one gallery is moved towards the next stacking letter and the third cell vector tilts by "
        "the same amount, so that the cell holds one fault and no surface. Rigid: nothing relaxes. Normal: atoms and "
        "the cell relax along the normal only; sodium starts half way and cannot change its site sideways, so these "
        "are upper bounds. Held: each slab's in-plane centre is held and sodium is free to find its site, which is "
        "what a gallery with mobile sodium costs. Energies are relative to the same cell unslid, relaxed alike, per "
        "area of one gallery. O2u and O2l are O2 galleries whose octahedra share faces with the upper or the lower "
        "slab."
    )
    caption = "Gliding energy towards each neighbouring letter; dashed: the phases alone."
    return _section("Gliding", [words], [("gliding", caption)], [table])


def _stress(found: Findings) -> dict:
    if not found.stress.maps:
        words = "This potential gives no atomic virials, so there is no stress map."
        return _section("Stress", [words], [], [])
    entries = {name: numbers.stress_of(m) for name, m in found.stress.maps.items()}
    threshold = next(iter(entries.values()))["threshold_GPa"]
    table = {
        "caption": "Von Mises stress of the coarse-grained excess field over the volume.",
        "columns": [
            _column("cell"), _column("mean", "GPa"), _column("median", "GPa"), _column("95 % below", "GPa"),
            _column("99 % below", "GPa"), _column(f"volume above {threshold:g} GPa", "%", 1),
            _column("raw atomic mean", "GPa", 2),
        ],
        "rows": [
            [name, e["von_mises_mean_GPa"], e["von_mises_p50_GPa"], e["von_mises_p95_GPa"], e["von_mises_p99_GPa"],
             100 * e["share_above_threshold"], e["raw_atomic_von_mises_mean_GPa"]]
            for name, e in entries.items()
        ],
    }  # fmt: skip
    width = found.stress.maps[found.label].width_A
    words = [
        "Each atom carries its virial from the potential over its Voronoi volume. A raw map shows the pattern of the "
        "species and how the model splits its energy among atoms; what is mapped here is the excess over the same "
        f"kind of site in the phase relaxed alone, smoothed by a Gaussian of width {width:.2f} Å. A phase with partly "
        "filled galleries is not at zero itself, because sites of one kind differ in their sodium neighbours. "
        "The volume average of the raw field was checked against the stress of the cell to 1e-6 eV/Å³.",
    ]
    pictures = [
        ("stress-map", "Von Mises stress, all cells on one colour scale."),
        (
            "stress-profile",
            f"Stress along the stacking direction of {found.label}, plane averages; tensile positive.",
        ),
    ]
    return _section("Stress", words, pictures, [table])


def _spreads(found: Findings) -> list[dict]:
    """How far the members of a committee were apart; no section for a single potential."""
    if found.spreads is None:
        return []
    entries = found.spreads.to_dict()["steps"]
    table = {
        "caption": "Largest spreads of each step.",
        "columns": [
            _column("step"), _column("evaluations", digits=0), _column("beyond the limit", digits=0),
            _column("energy", "meV/atom", 2), _column("force on one atom", "meV/Å", 0),
        ],
        "rows": [
            [name, e["committee_evaluations"], e["doubtful_evaluations"], e["largest_energy_spread_meV_per_atom"],
             e["largest_force_spread_meV_per_A"]]
            for name, e in entries.items()
        ],
    }  # fmt: skip
    return [_section("Agreement of the committee", [found.spreads.sentence], [], [table])]


SECTIONS = (_structure, _energies, _migration, _gliding, _stress)
"""What every report holds, in order."""
