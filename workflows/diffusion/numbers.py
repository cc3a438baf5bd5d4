"""Findings as plain data for results.json, the unit in every key."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simkit import measure
from simkit.measure.error_bars import Estimate
from simkit.workflows import committee
from simkit.workflows.diffusion.evolution import History
from simkit.workflows.diffusion.findings import Findings
from simkit.workflows.diffusion.ladder import Ladder
from simkit.workflows.diffusion.transport import Charge, Entry, Hopping, Motions

STRETCHES = 10
UNIT = {"D": "cm2_per_s", "sigma T": "S_K_per_cm", "jumps": "per_ps"}


def results(found: Findings) -> dict[str, Any]:
    """Everything headline of a run."""
    return {
        "schema": "simkit-results-1",
        "systems": [_system(found, s.name) for s in found.run.systems],
        "transport": [_motions(one) for one in found.motions],
        "arrhenius": [_ladder(one) for one in found.ladders],
        "structure": [_history(one) for one in found.histories],
        "missing": list(found.missing),
    }


def log_means(found: Findings, name: str) -> dict[str, float]:
    """Means of the second half of a system's log."""
    run = found.run.run
    columns = [c for c in run.columns(name, "log") if c not in ("step", "time_ps", "set_temperature_K")]
    return {c: float(run.column(name, "log", c)[len(run.column(name, "log", c)) // 2 :].mean()) for c in columns}


def drift_meV_per_atom_ns(found: Findings, name: str) -> Estimate | None:
    """Slope of the conserved energy through the means of ten stretches; None at constant pressure or for short logs."""
    run = found.run.run
    if "conserved_eV" not in run.columns(name, "log"):
        return None
    time, energy = run.column(name, "log", "time_ps"), run.column(name, "log", "conserved_eV")
    if len(time) < 2 * STRETCHES:
        return None
    x = np.array([part.mean() for part in np.array_split(time, STRETCHES)]) * 1e-3
    y = np.array([part.mean() for part in np.array_split(energy, STRETCHES)]) * 1e3 / len(run.system(name).structure)
    (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
    return Estimate(float(slope), float(np.sqrt(covariance[0, 0])), STRETCHES - 2.0)


def number(value: float) -> float | None:
    """JSON knows no infinity and no nan."""
    return float(value) if math.isfinite(value) else None


def estimate(name: str, value: Estimate | None) -> dict[str, float | None]:
    """A value with its standard error and 95 % interval, None each where it is not known."""
    if value is None:
        return {name: None}
    low, high = number(value.lower), number(value.upper)
    return {name: value.value, f"{name}_error": number(value.error), f"{name}_low95": low, f"{name}_high95": high}


def _system(found: Findings, name: str) -> dict[str, Any]:
    means = {f"mean_{key}": value for key, value in log_means(found, name).items()}
    return {
        "name": name,
        "status": found.run.statuses[name],
        "steps": found.run.steps[name],
        **estimate("drift_meV_per_atom_ns", drift_meV_per_atom_ns(found, name)),
        **means,
        **_spread(found, name),
    }


def _spread(found: Findings, name: str) -> dict[str, float]:
    """How far the members of a committee are apart over the stored frames; nothing for a single potential."""
    run = found.run.run
    if "energy_spread" not in run.columns(name, "frames"):
        return {}
    return committee.spread_over(run.column(name, "frames", "energy_spread"))


def _motions(one: Motions) -> dict[str, Any]:
    return {
        "source": one.source,
        "temperature_K": one.temperature_K,
        "length_ps": one.length_ps,
        "replicas": one.replicas,
        "diffusivities": [_entry(entry) for entry in one.entries],
        "conductivities": [_charge(charge) for charge in one.charges],
        "jumps": None if one.hopping is None else _hopping(one.hopping),
        "remark": one.reason,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    d = entry.found
    return {
        "ions": entry.group,
        "axes": entry.axes,
        "status": d.status,
        **estimate("D_cm2_per_s", d.value_cm2_per_s),
        "log_slope": d.log_slope.value,
        "log_slope_error": d.log_slope.error,
        "needed_ps": None if d.needed_ps is None else number(d.needed_ps),
    }


def _charge(charge: Charge) -> dict[str, Any]:
    return {
        "axes": charge.axes,
        **estimate("nernst_einstein_S_per_cm", charge.nernst_einstein_S_per_cm),
        **estimate("collective_S_per_cm", charge.collective_S_per_cm),
        **estimate("haven_ratio", charge.haven_ratio),
    }


def _hopping(one: Hopping) -> dict[str, Any]:
    return {
        **estimate("rate_per_ps", one.rate_per_ps),
        "jumps": one.jumps,
        "residence_ps": {kind: number(value) for kind, value in one.residence_ps.items()},
        "occupancy": one.occupancy,
        "jumps_by_kind": one.counts,
    }


def _ladder(one: Ladder) -> dict[str, Any]:
    unit = UNIT[one.quantity]
    fit = {} if one.fit is None else _fit(one.fit, unit)
    return {
        "source": one.source,
        "quantity": one.quantity,
        "ions": one.group,
        "axes": one.axes,
        "rungs": [
            {"temperature_K": t, **estimate(f"{one.quantity.replace(' ', '')}_{unit}", v)}
            for t, v in zip(one.temperatures_K, one.values, strict=True)
        ],
        **fit,
        "remark": one.reason,
    }


def _fit(fit: measure.Arrhenius, unit: str) -> dict[str, Any]:
    value, low, high = fit.at(300.0)
    return {
        **estimate("activation_eV", fit.activation_eV),
        **estimate("log_prefactor", fit.log_prefactor),
        "misfit_chi2_per_freedom": fit.misfit,
        f"at_300K_{unit}": number(value),
        f"at_300K_{unit}_low95": number(low),
        f"at_300K_{unit}_high95": number(high),
    }


def _history(one: History) -> dict[str, Any]:
    return {
        "name": one.name,
        "galleries_first": {k: float(v[0]) for k, v in one.fractions.items()},
        "galleries_last": {k: float(v[-1]) for k, v in one.fractions.items()},
        "glides": [
            {"time_ps": g.time_ps, "gallery": g.gallery, "before": g.before, "after": g.after} for g in one.glides
        ],
        "metals_out_of_layer_last": None if one.left is None else int(one.left[-1]),
        "metals_out_of_layer_most": None if one.left is None else int(one.left.max()),
        "peroxide_pairs_most": int(one.peroxides.max()),
        "shortest_OO_A": number(one.shortest_OO_A),
        "overlaps_A": one.overlaps,
        "coordination": {
            f"{a}-{b}": {"within_A": r.first_minimum_A, "mean": r.coordination(r.first_minimum_A)}
            for r in one.radial
            for a, b in [r.elements]
        },
    }
