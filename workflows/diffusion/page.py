"""The words and tables of the report of a run, and the lines a terminal shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from simkit.measure.error_bars import Estimate
from simkit.potential.card import Card
from simkit.trajectory import FINISHED
from simkit.workflows.diffusion import numbers
from simkit.workflows.diffusion.figures import WAYS
from simkit.workflows.diffusion.findings import Findings
from simkit.workflows.diffusion.ladder import Ladder


def page(found: Findings, card: Card) -> dict:
    """Title, lead, warnings, headline and sections: what the page template shows."""
    names = ", ".join(found.structures)
    return {
        "study": "molecular dynamics",
        "title": f"{names}: molecular dynamics",
        "lead": _lead(found),
        "warnings": warnings(found),
        "headline": headline(found),
        "sections": [_run(found), *_transport(found), *_structure(found)],
        "potential": asdict(card),
    }


def lines(found: Findings) -> list[str]:
    """The headline for a terminal, problems last."""
    text = [f"{c['label']}: {c['value']} {c['unit']}".rstrip() for c in headline(found)]
    return text + [f"warning: {line}" for line in warnings(found)]


def scientific(value: Estimate | None) -> str:
    """A value with its 95 % interval, as 1.2e-06 (0.9e-06 to 1.5e-06)."""
    if value is None:
        return "–"
    return f"{value.value:.2e} ({value.lower:.1e} to {value.upper:.1e})".replace("-", "−")


def _plain(value: Estimate | None) -> str:
    return "–" if value is None else f"{value.value:.2f} ± {value.reach:.2f}"


def warnings(found: Findings) -> list[str]:
    """What a reader must know before the numbers."""
    words = [f"{name}: {status}" for name, status in found.run.statuses.items() if status != FINISHED]
    for one in found.histories:
        if one.peroxides.max() > 0:
            words.append(
                f"{one.name}: up to {one.peroxides.max()} pairs of oxygens nearer than 1.6 Å "
                f"(shortest {one.shortest_OO_A:.2f} Å): oxygens bond to each other, the run left the cathode."
            )
        if one.overlaps:
            near = ", ".join(f"{pair} {distance:.2f} Å" for pair, distance in one.overlaps.items())
            words.append(f"{one.name}: atoms fell into one another ({near}): do not trust this potential there.")
        if one.left is not None and one.left.max() > 0:
            words.append(f"{one.name}: up to {one.left.max()} metals left the middle of their slab.")
    words += [f"{one.source}, {one.temperature_K:g} K: {one.reason}" for one in found.motions if one.reason]
    return [*words, *found.run.notes, *found.missing]


def headline(found: Findings) -> list[dict]:
    """Activation energies, or the diffusivities where there is only one temperature."""
    cards = []
    for one in found.ladders:
        if one.fit is None or one.quantity == "sigma T" or (one.quantity == "D" and one.axes == "z"):
            continue
        energy = one.fit.activation_eV
        name = "jumps" if one.quantity == "jumps" else f"{_ions(one)}, {WAYS[one.axes]}"
        cards.append(_card(f"activation, {name}", f"{energy.value:.2f} ± {energy.reach:.2f}", "eV", one.source))
    for one in found.motions if not cards else ():
        for entry in one.entries:
            if entry.group == "all" and entry.found.value_cm2_per_s is not None:
                value = scientific(entry.found.value_cm2_per_s)
                note = f"{one.source}, {one.temperature_K:g} K"
                cards.append(_card(f"diffusivity, {WAYS[entry.axes]}", value, "cm²/s", note))
    glides = sum(len(one.glides) for one in found.histories)
    if found.histories:
        cards.append(_card("glides", str(glides), "", f"in {len(found.histories)} trajectories"))
    done = sum(status == FINISHED for status in found.run.statuses.values())
    cards.append(_card("trajectories finished", f"{done} of {len(found.run.statuses)}", "", ""))
    return cards


def _ions(one: Ladder) -> str:
    return "ions" if one.group == "all" else one.group


def _card(label: str, value: str, unit: str, note: str) -> dict:
    return {"label": label, "value": value, "unit": unit, "note": note, "digits": 2}


def _lead(found: Findings) -> str:
    d = found.config.dynamics
    heat = "along a ramp" if d.heating else f"at {', '.join(f'{t:g}' for t in d.temperatures_K)} K"
    times = f", {d.replicas} times each" if d.replicas > 1 else ""
    return f"{d.length_ps:g} ps ({d.ensemble.upper()}, steps of {d.timestep_fs:g} fs) {heat}{times}."


def _column(name: str, unit: str = "", digits: int = 3, text: bool = False) -> dict:
    return {"name": name, "unit": unit, "digits": digits, "text": text}


def _section(title: str, paragraphs: Sequence[str], figures: Sequence[tuple[str, str]], tables: Sequence[dict]) -> dict:
    shown = [{"name": name, "caption": caption} for name, caption in figures]
    return {"title": title, "paragraphs": list(paragraphs), "figures": shown, "tables": list(tables)}


def _run(found: Findings) -> dict:
    rows = []
    for system in found.run.systems:
        means = numbers.log_means(found, system.name)
        drift = _plain(numbers.drift_meV_per_atom_ns(found, system.name))
        status = found.run.statuses[system.name]
        rows.append([system.name, means["temperature_K"], means["pressure_GPa"], means["volume_A3"], drift, status])
    table = {
        "caption": "Means over the second half of each log; the drift is that of the conserved energy.",
        "columns": [
            _column("trajectory", text=True), _column("temperature", "K", 1), _column("pressure", "GPa", 2),
            _column("volume", "Å³", 1), _column("drift", "meV/atom/ns", text=True), _column("status", text=True),
        ],
        "rows": rows,
    }  # fmt: skip
    words = "Pale lines are the log itself, strong ones its running mean. The logs lie in thermo/ as tables."
    return _section("The runs", [words], [("log", "Temperature, energy and volume over time.")], [table])


def _transport(found: Findings) -> list[dict]:
    if not found.motions:
        return []
    rows = [
        [one.source, one.temperature_K, entry.group, WAYS[entry.axes], scientific(entry.found.value_cm2_per_s),
         entry.found.log_slope.value, entry.found.status]
        for one in found.motions
        for entry in one.entries
    ]  # fmt: skip
    table = {
        "caption": "Tracer diffusivities with their 95 % intervals (block bootstrap over ions and stretches of time). "
        "Where ions do not diffuse yet there is no number, but about how long a run it takes.",
        "columns": [
            _column("structure", text=True), _column("temperature", "K", 0), _column("ions", text=True),
            _column("direction", text=True), _column("D", "cm²/s", text=True), _column("log slope", "", 2),
            _column("status", text=True),
        ],
        "rows": rows,
    }  # fmt: skip
    words = [
        "Displacements are taken relative to the host and, where the cell changes, in the mean cell. Slope 1 in the "
        "logarithmic plot is diffusion; ions that only rattle show a plateau.",
        "Jump rates count an ion once it has stayed on its new site; where both stand, the activation energy of the "
        "jumps lies beside that of the diffusivity.",
    ]
    figures = [
        ("msd", "Mean squared displacement of the ions; dotted where not diffusive yet, pale where origins are few."),
        ("arrhenius", "Arrhenius plots with 95 % intervals; bands are those of the fits."),
        ("van-hove", "How far ions have gone after several lags: peaks are sites."),
        ("density", "Mean density of the ions; cube files of it lie in structures/."),
    ]
    return [_section("Transport", words, figures, [table, *_charge(found), *_hopping(found)])]


def _charge(found: Findings) -> list[dict]:
    rows = [
        [one.source, one.temperature_K, WAYS[c.axes], scientific(c.nernst_einstein_S_per_cm),
         scientific(c.collective_S_per_cm), _plain(c.haven_ratio)]
        for one in found.motions
        for c in one.charges
        if c.nernst_einstein_S_per_cm is not None
    ]  # fmt: skip
    if not rows:
        return []
    columns = [
        _column("structure", text=True), _column("temperature", "K", 0), _column("direction", text=True),
        _column("Nernst–Einstein", "S/cm", text=True), _column("of the charge", "S/cm", text=True),
        _column("Haven ratio", text=True),
    ]  # fmt: skip
    return [{"caption": "Ionic conductivity.", "columns": columns, "rows": rows}]


def _hopping(found: Findings) -> list[dict]:
    rows = []
    for one in found.motions:
        if one.hopping is None:
            continue
        for kind, residence in one.hopping.residence_ps.items():
            leaving = sum(n for way, n in one.hopping.counts.items() if way.startswith(f"{kind} >"))
            known = numbers.number(residence)
            rows.append([one.source, one.temperature_K, kind, one.hopping.occupancy[kind], leaving, known])
    if not rows:
        return []
    columns = [
        _column("structure", text=True), _column("temperature", "K", 0), _column("site", text=True),
        _column("ions per site", "all replicas", 3), _column("jumps from it", "", 0), _column("residence", "ps", 2),
    ]  # fmt: skip
    return [{"caption": "Sites of the starting stacking.", "columns": columns, "rows": rows}]


def _structure(found: Findings) -> list[dict]:
    if not found.histories:
        return []
    rows = []
    for one in found.histories:
        last = ", ".join(f"{k} {v[-1]:.2f}" for k, v in one.fractions.items() if v[-1] > 0)
        events = [f"{g.time_ps:.1f} ps gallery {g.gallery} {g.before} > {g.after}" for g in one.glides]
        left = None if one.left is None else int(one.left[-1])
        shortest = numbers.number(one.shortest_OO_A)
        rows.append([one.name, last, "; ".join(events) or "none", left, int(one.peroxides.max()), shortest])
    table = {
        "caption": "The last frame, and what happened on the way.",
        "columns": [
            _column("trajectory", text=True), _column("galleries at the end", text=True), _column("glides", text=True),
            _column("metals out of layer", "", 0), _column("O–O pairs under 1.6 Å", "", 0),
            _column("shortest of them", "Å", 2),
        ],
        "rows": rows,
    }  # fmt: skip
    figures = [
        ("stacking", "Stacking read from the coordinates; black lines are glides that lasted."),
        ("radial", "Radial distributions over the second half."),
        ("xrd-time", "Powder patterns of averages over time."),
        ("xrd-temperature", "Powder patterns of averages over temperature."),
    ]
    return [_section("Structure over time", [], figures, [table])]
