"""C4: model calls per image until a band's barrier is, and stays, within 5 meV; ours against ASE's NEB.

Same relaxed endpoints, same number of images, both from their own IDPP guess. ASE gets its own
calculator for each image, frozen endpoints and the improved tangent. The perfect crystal's Hessian, taken once for all
hops in it, is a row of its own. Run: python benchmarks/neb_calls.py
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.mep import NEB
from ase.optimize import FIRE, LBFGS
from rows import Row, calls_until, main

from simkit import potential, solve
from simkit.structure import Structure

WITHIN_EV = 0.005
IMAGES = 5


def crystal(atoms: Atoms) -> Structure:
    """A structure of ours."""
    return Structure(atoms.numbers, atoms.positions, atoms.cell.array)


def vacancy_hop(symbol: str, n: int) -> tuple[Structure, Structure]:
    """Relaxed ends of a nearest-neighbour vacancy hop."""
    perfect = bulk(symbol, cubic=True) * (n, n, n)
    jumper = 1 + int(np.argmin(perfect.get_distances(0, range(1, len(perfect)), mic=True)))
    initial = perfect.copy()
    del initial[0]
    final = initial.copy()
    final.positions[jumper - 1] = perfect.positions[0]
    ends = [crystal(atoms) for atoms in (initial, final)]
    relaxed = solve.relax(ends, potential.from_ase(EMT()), fmax_eV_per_A=0.005)
    return relaxed[0].structure, relaxed[1].structure


def ours(
    ends: tuple[Structure, Structure], optimiser: str, model: solve.HostModel | solve.Springs | None
) -> list[float]:
    """Barrier after every evaluation of the band."""
    p = potential.from_ase(EMT())
    zero = p.evaluate([ends[0]])[0].energy
    settings = solve.NebSettings(
        optimiser=optimiser, model=model, fmax_eV_per_A=0.01, others_eV_per_A=0.02, barrier_change_eV=5e-4
    )
    seen: list[float] = []
    descent = solve.prepare_paths([ends], p, IMAGES, settings=settings)
    solve.run(descent, solve.Hooks(observer=lambda _, told: seen.append(told.energy[0] - zero)))
    return [float("inf"), *seen]


def theirs(ends: tuple[Structure, Structure], optimiser: type) -> list[float]:
    """The same for ASE."""
    first, last = (Atoms(s.numbers, s.positions, cell=s.cell, pbc=True) for s in ends)
    band = [first, *(first.copy() for _ in range(IMAGES)), last]
    for image in band:
        image.calc = EMT()
    neb = NEB(band, climb=True, method="improvedtangent", k=1.0)
    neb.interpolate("idpp", mic=True)
    seen: list[float] = []
    run = optimiser(neb, logfile=None)
    zero = first.get_potential_energy()
    run.attach(lambda: seen.append(max(a.get_potential_energy() for a in band) - zero))
    run.run(fmax=0.01, steps=300)
    return seen


def rows() -> Iterator[Row]:
    """One row per hop and peer."""
    for symbol, n in (("Al", 2), ("Cu", 2), ("Cu", 3), ("Pt", 2), ("Ag", 2)):
        perfect = crystal(bulk(symbol, cubic=True) * (n, n, n))
        host = solve.host_hessian(perfect, potential.from_ase(EMT()))
        name = f"Hessian of {symbol}{len(perfect)} once for all hops"
        yield Row("C4", name, "both ways, every atom", host.evaluations, 6 * len(perfect) + 13, "evaluations")
        ends = vacancy_hop(symbol, n)
        models = {"host": solve.HostModel(host), "exp": solve.BAND_SPRINGS, "none": None}
        runs = {f"{o} {m}": ours(ends, o, made) for o in ("ode12r", "lbfgs") for m, made in models.items()}
        runs |= {o: ours(ends, o, None) for o in ("fire2", "abcfire")}
        reference = runs["lbfgs none"][-1]
        off = {name: 1e3 * abs(seen[-1] - reference) for name, seen in runs.items()}
        assert max(off.values()) < 2.0, f"barriers end {off} meV apart"
        calls = {name: calls_until(seen, reference, WITHIN_EV) for name, seen in runs.items()}
        hop = f"{symbol}{4 * n**3 - 1} vacancy hop"
        for peer, goal in ((LBFGS, 0.5), (FIRE, 0.33)):
            other = calls_until(theirs(ends, peer), reference, WITHIN_EV)
            yield Row(
                "C4", f"{hop}: ode12r host", f"ASE {peer.__name__}", calls["ode12r host"], other, "calls/image", goal
            )
        for name, mine in calls.items():
            yield Row("C4", f"{hop}: {name}", "plain lbfgs", mine, calls["lbfgs none"], "calls/image")


if __name__ == "__main__":
    main(rows)
