"""results.json: every headline number of a study with its unit in the key."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from simkit import build, measure, solve
from simkit.report import SCHEMA
from simkit.units import EV_PER_A2_IN_J_PER_M2, EV_PER_A3_IN_GPA
from simkit.workflows import committee, gliding, migration, stress
from simkit.workflows.cells import area_A2
from simkit.workflows.findings import Findings
from simkit.workflows.hops import tables


def results(found: Findings) -> dict:
    """The numbers of a study as plain JSON."""
    return {
        "schema": SCHEMA,
        "cell": found.label,
        "converged": found.converged,
        "problems": found.problems,
        "structure": found.model.report.to_dict(),
        "relaxations": {name: relaxation(outcome) for name, outcome in found.outcomes.items()},
        "energies": None if found.energies is None else asdict(found.energies),
        "no_energies": found.no_energies,
        "migration": [hop(h) for h in found.migration.hops],
        **({"networks": [tables.network(net) for net in found.networks]} if found.networks else {}),
        "gliding": [way for profile in found.gliding.profiles for way in ways(profile)],
        "stress": {name: stress_of(m) for name, m in found.stress.maps.items()},
        **({} if found.spreads is None else {"committee": found.spreads.to_dict()}),
    }


def relaxation(outcome: solve.Outcome) -> dict:
    """Energy, lattice and course of one relaxation."""
    structure = outcome.structure
    layers = build.classify(structure)
    metals = int((structure.tags["site"] == "TM").sum())
    return {
        "formula": structure.formula,
        "status": outcome.status,
        "energy_eV": outcome.evaluation.energy,
        "energy_eV_per_fu": outcome.evaluation.energy / metals,
        "a_A": layers.a_A,
        "height_A": layers.height_A,
        "volume_A3_per_fu": structure.volume / metals,
        "area_A2": area_A2(structure),
        "galleries": layers.stack.gaps(),
        "gallery_heights_A": layers.gallery_heights_A.tolist(),
        "fmax_eV_per_A": outcome.fmax_eV_per_A,
        "largest_stress_GPa": float(np.abs(outcome.evaluation.stress).max() * EV_PER_A3_IN_GPA),
        "steps": outcome.steps,
        "model_evaluations": outcome.evaluations,
        **committee.spread_of(outcome.evaluation),
    }


def hop(result: migration.HopResult) -> dict:
    """One hop; barriers are None where no converged path gives them."""
    path, asked = result.path, result.hop
    known = path is not None and path.converged
    around = result.around
    return {
        "name": result.name,
        "kind": result.kind,
        "structure": result.structure,
        "mechanism": asked.mechanism,
        "phase": asked.phase,
        "to_phase": asked.to_phase or asked.phase,
        "at_interface": asked.at_interface,
        "sites": result.sites,
        "gallery": result.gallery,
        "multiplicity": result.multiplicity,
        "places": list(asked.sites),
        "image": None if asked.image is None else list(asked.image),
        "sites_found_by": asked.found_by or "layers",
        "alike_by": asked.grouped_by,
        "status": result.status,
        "barrier_eV": path.barrier_eV if known else None,
        "reverse_barrier_eV": path.reverse_barrier_eV if known else None,
        "fitted_barrier_eV": path.fitted_barrier_eV if known else None,
        "fitted_reverse_barrier_eV": path.fitted_reverse_barrier_eV if known else None,
        "reaction_energy_eV": path.reaction_energy_eV if known else None,
        "best_band_barrier_eV": None if path is None else path.barrier_eV,
        "splits": [
            {"at_A": s.at_A, "energy_eV": s.energy_eV, "depth_eV": s.depth_eV} for s in (result.splits if known else ())
        ],
        "largest_rise_eV": measure.largest_rise(path.energies_eV) if known else None,
        "largest_reverse_rise_eV": measure.largest_rise(path.energies_eV[::-1]) if known else None,
        "saddle_between_ends": None if path is None else bool(0 < np.argmax(path.energies_eV) < len(path.images) - 1),
        "residual_force_eV_per_A": None if path is None else path.residual_force_eV_per_A,
        "hop_distance_A": result.distance_A,
        "track_A": result.track_A,
        "oxygen_window_A": result.window_A,
        "gallery_height_A": result.gallery_height_A,
        "height_A": None if around is None else around.height_A,
        "from_interface_A": None if around is None else around.from_interface_A,
        "metals_at_start_top_end": None if around is None else list(around.metals),
        "others_moved_A": None if around is None else around.others_A,
        "images": None if path is None else len(path.images) - 2,
        "pieces": None if path is None else len(path.stops) + 1,
        "steps": None if path is None else path.steps,
        "model_evaluations": sum(e.evaluations for e in result.ends) + (0 if path is None else path.evaluations),
        **committee.spread_along(path),
        **_barrier_spreads(result if known else None),
    }


def _barrier_spreads(result: migration.HopResult | None) -> dict[str, float]:
    """Of a committee: how well its members agree about the barriers."""
    if result is None or result.barrier_spreads_eV is None:
        return {}
    return dict(zip(("barrier_spread_eV", "reverse_barrier_spread_eV"), result.barrier_spreads_eV, strict=True))


def ways(profile: gliding.Profile) -> list[dict]:
    """One entry per way of a profile."""
    return [_way(profile, letter) for letter in profile.letters]


def _way(profile: gliding.Profile, letter: int) -> dict:
    curve = gliding.gamma(profile, letter)
    return {
        "name": profile.name,
        "structure": profile.structure,
        "gallery": profile.gallery,
        "kind": profile.kind,
        "becomes": profile.becomes[letter],
        "letter": letter,
        "mode": profile.mode,
        "converged": profile.converged,
        "fractions": curve.fractions.tolist(),
        "gamma_J_per_m2": curve.gamma_J_per_m2.tolist(),
        "unstable_J_per_m2": curve.unstable_J_per_m2,
        "unstable_meV_per_fu": curve.unstable_J_per_m2
        / EV_PER_A2_IN_J_PER_M2
        * 1e3
        * profile.area_A2
        / profile.formula_units,
        "unstable_at_fraction": curve.unstable_at,
        "next_letter_J_per_m2": float(curve.gamma_J_per_m2[-1]),
        "next_letter_meV_per_fu": float(curve.gamma_meV_per_fu[-1]),
        "ideal_shear_stress_GPa": curve.ideal_shear_stress_GPa,
        **_way_spreads(profile, letter),
    }


def _way_spreads(profile: gliding.Profile, letter: int) -> dict:
    """Of a committee: spreads at the points of a way, and at the highest of them."""
    if profile.apart is None:
        return {}
    way = gliding.points_of(profile, letter)
    energies = profile.apart.energy_eV[way] / profile.area_A2 * EV_PER_A2_IN_J_PER_M2
    return {
        "gamma_spread_J_per_m2": energies.tolist(),
        "unstable_spread_J_per_m2": float(energies[np.argmax(profile.energy_eV[way])]),
        "force_spread_meV_per_A": float(profile.apart.force_eV_per_A[way].max()) * 1e3,
    }


def stress_of(mapped: stress.StressMap) -> dict:
    """Statistics of one stress map."""
    return {
        "field": f"coarse-grained {mapped.field.shown_name}",
        "gaussian_width_A": mapped.width_A,
        "von_mises_mean_GPa": mapped.mean_GPa,
        "von_mises_p50_GPa": mapped.p50_GPa,
        "von_mises_p95_GPa": mapped.p95_GPa,
        "von_mises_p99_GPa": mapped.p99_GPa,
        "share_above_threshold": mapped.share,
        "threshold_GPa": mapped.threshold_GPa,
        "raw_atomic_von_mises_mean_GPa": mapped.raw_mean_GPa,
        "cell_stress_GPa": (mapped.evaluation.stress * EV_PER_A3_IN_GPA).tolist(),
        **committee.spread_of(mapped.evaluation),
    }
