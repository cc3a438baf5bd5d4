"""Interface, coherency and formation energy of an intergrowth against its phases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from simkit import measure, solve
from simkit.structure import Structure
from simkit.workflows.cells import area_A2, phase_names
from simkit.workflows.structures import StackConfig

COMPARABLE = ("free", "c")
"""Cells whose normal is relaxed, so that the strained phases are fair references."""
EQUAL_COUNT = 1e-6
"""Atoms by which the sum of the references may differ from the cell: rounding only."""


def against_phases(
    config: StackConfig,
    whole: solve.Outcome,
    strained: Mapping[str, solve.Outcome],
    phases: Mapping[str, solve.Outcome],
) -> measure.IntergrowthEnergies:
    """The three energies; every block brings as many formula units of its phase as it has metals.

    Call it only where `obstacle` finds none.
    """
    shares = [
        measure.PhaseShare(name, units, _per_metal(strained[name]), _per_metal(phases[name]))
        for name, units in _units(config, whole.structure).items()
    ]
    return measure.intergrowth_energies(whole.evaluation.energy, shares, area_A2(whole.structure))


def obstacle(config: StackConfig, cell: str, whole: Structure, phases: Mapping[str, solve.Outcome]) -> str:
    """Why these energies cannot be given, as a sentence; empty when they can."""
    if len(phases) < 2:
        return "A cell of one phase has no interface."
    if cell not in COMPARABLE:
        return f"Interface energies need cells relaxed along the normal; relax.cell was {cell!r}."
    wanted: Counter = Counter()
    for name, units in _units(config, whole).items():
        structure = phases[name].structure
        for symbol in structure.symbols:
            wanted[symbol] += units / _metals(structure)
    found = Counter(whole.symbols)
    apart = {s: found[s] - wanted[s] for s in {*found, *wanted} if abs(found[s] - wanted[s]) > EQUAL_COUNT}
    if not apart:
        return ""
    words = ", ".join(f"{symbol} {excess:+.2f}" for symbol, excess in sorted(apart.items()))
    return (
        f"No interface energy: counts round differently in the cell and in its phases alone ({words} atoms in the "
        "cell), and energies of different compositions cannot be subtracted. Choose repeats that fit the composition."
    )


def _units(config: StackConfig, whole: Structure) -> dict[str, float]:
    """Metals of the cell that belong to each phase."""
    per_gallery = _metals(whole) / sum(block.gaps for block in config.blocks)
    units: dict[str, float] = {}
    for name, block in zip(phase_names(config), config.blocks, strict=True):
        units[name] = units.get(name, 0.0) + per_gallery * block.gaps
    return units


def _metals(structure: Structure) -> int:
    return int((structure.tags["site"] == "TM").sum())


def _per_metal(outcome: solve.Outcome) -> float:
    return outcome.evaluation.energy / _metals(outcome.structure)
