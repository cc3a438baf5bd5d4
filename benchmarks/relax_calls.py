"""C5: model calls of a vacancy's relaxation to 0.01 eV/A, ours against ASE's optimisers.

The same start, criterion and calculator (ASE's EMT) on both sides. Run: python benchmarks/relax_calls.py
"""

from __future__ import annotations

from collections.abc import Iterator

import ase
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.optimize import BFGS, FIRE, LBFGS
from rows import Row, main

from simkit import potential, solve
from simkit.structure import Structure

FMAX = 0.01
SAME_EV = 0.002
GOALS = {"LBFGS": 0.5, "FIRE": 0.25, "BFGS": None}


def vacancy(symbol: str, n: int, rattle: float) -> ase.Atoms:
    """A cubic cell with one atom out, the others displaced by seeded noise (A)."""
    atoms = bulk(symbol, cubic=True) * (n, n, n)
    del atoms[0]
    atoms.rattle(rattle, seed=1)
    return atoms


def ours(atoms: ase.Atoms, plain: bool) -> tuple[int, float]:
    """Evaluations and final energy."""
    s = Structure(atoms.numbers, atoms.positions, atoms.cell.array)
    settings = solve.RelaxSettings(model=None) if plain else solve.RelaxSettings()
    out = solve.relax([s], potential.from_ase(EMT()), fmax_eV_per_A=FMAX, settings=settings)[0]
    return out.evaluations, out.evaluation.energy


def theirs(atoms: ase.Atoms, optimiser: type) -> tuple[int, float]:
    """The same for ASE."""
    atoms = atoms.copy()
    atoms.calc = EMT()
    run = optimiser(atoms, logfile=None)
    run.run(fmax=FMAX, steps=1000)
    return run.nsteps + 1, atoms.get_potential_energy()


def rows() -> Iterator[Row]:
    """One row per case and peer."""
    for symbol, n, rattle in (("Al", 3, 0.0), ("Cu", 3, 0.0), ("Al", 3, 0.05), ("Cu", 3, 0.05), ("Cu", 4, 0.1)):
        atoms = vacancy(symbol, n, rattle)
        (mine, energy), (plain, _) = ours(atoms, False), ours(atoms, True)
        what = f"{symbol}{len(atoms)} vacancy rattled {rattle:g} A"
        yield Row("C5", f"{what}: lbfgs exp", "plain lbfgs", mine, plain, "evaluations")
        for optimiser in (LBFGS, FIRE, BFGS):
            calls, other = theirs(atoms, optimiser)
            assert abs(energy - other) < SAME_EV, f"{what}: minima {1e3 * (energy - other):.2f} meV apart"
            name = optimiser.__name__
            yield Row("C5", f"{what}: lbfgs exp", f"ASE {name}", mine, calls, "evaluations", GOALS[name])


if __name__ == "__main__":
    main(rows)
