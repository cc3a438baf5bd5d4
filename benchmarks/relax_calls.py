"""C5: model calls of a vacancy's relaxation to 0.01 eV/A, ours against ASE's optimisers.

The same start, criterion and calculator (ASE's EMT) on both sides. Run: python benchmarks/relax_calls.py
"""

from __future__ import annotations

import platform
import sys

import ase
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.optimize import BFGS, FIRE, LBFGS

from simkit import potential, solve
from simkit.structure import Structure

FMAX = 0.01
GOALS = {"LBFGS": 0.5, "FIRE": 0.25, "BFGS": float("nan")}


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


def main() -> None:
    """Print one row per case and peer."""
    out = sys.stdout.write
    out("id  case             ours  (plain)  peer   theirs  ratio  goal   dE meV  machine, versions\n")
    machine = f"{platform.machine()} python {platform.python_version()} ase {ase.__version__}"
    for symbol, n, rattle in (("Al", 3, 0.0), ("Cu", 3, 0.0), ("Al", 3, 0.05), ("Cu", 3, 0.05), ("Cu", 4, 0.1)):
        atoms = vacancy(symbol, n, rattle)
        (mine, energy), (plain, _) = ours(atoms, False), ours(atoms, True)
        for optimiser in (LBFGS, FIRE, BFGS):
            name = optimiser.__name__
            calls, other = theirs(atoms, optimiser)
            out(
                f"C5  {symbol}{len(atoms):<4d} rattle {rattle:4.2f}{mine:5d}  {plain:7d}  {name:6s} {calls:6d}  "
                f"{mine / calls:5.2f}  {GOALS[name]:4.2f}  {1e3 * (energy - other):7.2f}  {machine}\n"
            )


if __name__ == "__main__":
    main()
