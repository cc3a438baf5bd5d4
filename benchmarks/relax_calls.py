"""C5: model calls of a vacancy's relaxation to 0.01 eV/A, ours against ASE's optimisers.

The same start, criterion and calculator (ASE's EMT) on both sides. The perfect crystal's Hessian, taken once for all
vacancies in it, is a row of its own. Run: python benchmarks/relax_calls.py
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


def ours(atoms: ase.Atoms, model: solve.HostModel | solve.Springs | None) -> tuple[int, float]:
    """Evaluations and final energy."""
    s = Structure(atoms.numbers, atoms.positions, atoms.cell.array)
    settings = solve.RelaxSettings(model=model)
    out = solve.relax([s], potential.from_ase(EMT()), fmax_eV_per_A=FMAX, settings=settings)[0]
    assert out.converged, out.status
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
        perfect, atoms = bulk(symbol, cubic=True) * (n, n, n), vacancy(symbol, n, rattle)
        crystal = Structure(perfect.numbers, perfect.positions, perfect.cell.array)
        host = solve.host_hessian(crystal, potential.from_ase(EMT()))
        what = f"{symbol}{len(atoms)} vacancy rattled {rattle:g} A"
        name = f"Hessian of {symbol}{len(perfect)} once for all vacancies"
        yield Row("C5", name, "both ways, every atom", host.evaluations, 6 * len(perfect) + 13, "evaluations")
        models = {"host": solve.HostModel(host), "exp": solve.Springs(), "none": None}
        runs = {name: ours(atoms, model) for name, model in models.items()}
        mine, energy = runs["host"]
        for name in ("host", "exp"):
            yield Row("C5", f"{what}: lbfgs {name}", "plain lbfgs", runs[name][0], runs["none"][0], "evaluations")
        for optimiser in (LBFGS, FIRE, BFGS):
            calls, other = theirs(atoms, optimiser)
            assert abs(energy - other) < SAME_EV, f"{what}: minima {1e3 * (energy - other):.2f} meV apart"
            name = optimiser.__name__
            yield Row("C5", f"{what}: lbfgs host", f"ASE {name}", mine, calls, "evaluations", GOALS[name])


if __name__ == "__main__":
    main(rows)
