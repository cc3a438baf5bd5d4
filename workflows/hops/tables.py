"""Networks of hops and their comparison as plain JSON, units in the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simkit import measure, solve
from simkit.workflows.hops.kinetics import Diffusion, Flow, Through, Way
from simkit.workflows.hops.record import SPONTANEOUS, HopResult


def network(found: Through) -> dict[str, Any]:
    """One network: its size, what is missing, every way and every flow."""
    cell = found.cell
    return {
        "structure": cell.label,
        "mechanism": cell.mechanism,
        "walker": "vacancy" if cell.mechanism == "vacancy" else "ion",
        "sites": len(cell.phases),
        "hops": len(cell.hops),
        "hops_without_barrier": cell.missing,
        "kinds_without_barrier": list(cell.missing_classes),
        "site_energy_misfit_eV": cell.transfer.misfit_eV,
        "largest_site_energy_misfit_eV": cell.transfer.largest_misfit_eV,
        "barriers_raised_to_an_end": cell.transfer.raised,
        "attempts_per_s": _range(cell.network.attempts_per_s),
        "percolation": [way(one) for one in found.ways],
        "diffusion": [flow(one) for one in found.flows],
    }


def graph(found: Through) -> dict[str, Any]:
    """The sites and hops themselves, for a program of one's own."""
    n = found.cell.network
    return {
        "structure": found.cell.label,
        "mechanism": found.cell.mechanism,
        "cell_A": n.cell.tolist(),
        "positions_A": n.positions.tolist(),
        "energies_eV": n.energies_eV.tolist(),
        "phases": list(found.cell.phases),
        "galleries": found.cell.galleries.tolist(),
        "at_interface": found.cell.beside.tolist(),
        "ends": n.ends.tolist(),
        "offsets": n.offsets.tolist(),
        "barriers_eV": n.barriers_eV.tolist(),
        "attempts_per_s": n.attempts_per_s.tolist(),
        "names": list(n.names),
    }


def way(one: Way) -> dict[str, Any]:
    """One way through a region."""
    return {
        "region": one.region,
        "axis": one.axis,
        "barrier_eV": one.barrier_eV,
        "bottleneck": one.bottleneck,
        "hardest_hop_eV": one.hardest_hop_eV,
        "hardest_hop": one.hardest_hop,
    }


def flow(one: Flow) -> dict[str, Any]:
    """Diffusion within a region."""
    return {
        "region": one.region,
        "lone_activation_xyz_eV": list(one.lone_activation_eV),
        "activation_xyz_eV": [None if fit is None else fit.activation_eV.value for fit in one.activation],
        "activation_error_xyz_eV": [None if fit is None else fit.activation_eV.error for fit in one.activation],
        "temperatures": [_run(run) for run in one.runs],
    }


def _run(run: Diffusion) -> dict[str, Any]:
    lone = None if run.lone_cm2_per_s is None else list(run.lone_cm2_per_s)
    facts: dict[str, Any] = {"temperature_K": run.temperature_K, "lone_xyz_cm2_per_s": lone, "note": run.note}
    if run.sampled is None:
        return facts
    seen = run.sampled
    diagonals = {
        "tracer_xyz_cm2_per_s": seen.tracer_cm2_per_s,
        "tracer_error_xyz_cm2_per_s": seen.tracer_error_cm2_per_s,
        "collective_xyz_cm2_per_s": seen.collective_cm2_per_s,
        "collective_error_xyz_cm2_per_s": seen.collective_error_cm2_per_s,
    }
    facts |= {name: np.diag(tensor).tolist() for name, tensor in diagonals.items()}
    sampled = {"ions": seen.ions, "vacancy_fraction": run.vacancy_fraction, "jumps": seen.jumps}
    return facts | sampled | {"duration_s": seen.duration_s}


def _range(values: np.ndarray) -> list[float]:
    return [float(values.min()), float(values.max())] if len(values) else []


def barrier_of(hop: HopResult) -> float | None:
    """Barrier of a hop as it counts in statistics: the larger of both directions; zero where it is spontaneous."""
    if hop.status == SPONTANEOUS:
        return 0.0
    if hop.path is None or hop.status != solve.CONVERGED:
        return None
    rises = (measure.largest_rise(e) for e in (hop.path.energies_eV, hop.path.energies_eV[::-1]))
    return float(max(rises))


def statistics(hops: Sequence[HopResult]) -> dict[str, Any]:
    """Barriers of some hops, each as often as it occurs: number, lowest, median, mean, spread, highest."""
    known = [(barrier_of(hop), hop.multiplicity) for hop in hops]
    values = np.repeat([b for b, _ in known if b is not None], [m for b, m in known if b is not None])
    facts: dict[str, Any] = {
        "distinct_hops": len(hops),
        "without_barrier": sum(b is None for b, _ in known),
        "hops": len(values),
    }
    if not len(values):
        return facts
    return facts | {
        "lowest_eV": float(values.min()),
        "median_eV": float(np.median(values)),
        "mean_eV": float(values.mean()),
        "standard_deviation_eV": float(values.std()),
        "highest_eV": float(values.max()),
    }
