"""C3, C6, C7 and C10: what the driver costs beside the bare model, with TorchSim and ASE on the same weights.

Blocks are taken in turn (A B A B ...), medians count, numbers are compared before anything is timed. TorchSim is timed
where it is installed in the same environment. Usage: python benchmarks/driver_steps.py [--blocks 5] [--steps 20]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.optimize import FIRE
from inside import Inside
from potential_floor import batch_of, interleaved, p2, random_mace
from rows import Row, main
from torch.utils._python_dispatch import TorchDispatchMode

from simkit import potential, solve
from simkit.kernels.edges import edges_of
from simkit.kernels.neighbours import pairs_within
from simkit.potential.mace import MACEPotential, Place, energies_and_gradient
from simkit.structure import Batch, Structure

BATCH = {"cpu": "C72", "cuda": "B72"}
SYNCHRONISING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "item", "equal")
"""Operations of torch that a device must be waited for, whatever it is."""


def model(device: torch.device) -> MACEPotential:
    """Random weights: small on a CPU, those of the medium foundation model on a GPU."""
    place = Place(device, torch.float32, path="torch")
    return MACEPotential(random_mace(device.type == "cuda"), potential.Card("m", "mace", "random"), place)


def structures_of(batch: Batch) -> list[Structure]:
    """The systems of a batch."""
    return [
        Structure(batch.numbers[a:b], batch.positions[a:b], cell)
        for a, b, cell in zip(batch.starts, batch.starts[1:], batch.cells, strict=False)
    ]


def ours(p: MACEPotential, structures: list[Structure], steps: int) -> tuple[float, int]:
    """Seconds and batched evaluations of FIRE on all structures at once."""
    counted = potential.Counted(p)
    settings = solve.RelaxSettings(optimiser="fire2", max_steps=steps)
    start = time.perf_counter()
    solve.relax(structures, counted, fmax_eV_per_A=1e-9, settings=settings)
    return time.perf_counter() - start, counted.cost.batches


class Mace(Calculator):
    """The bare module as ASE would call it: list and graph for one structure at every call."""

    implemented_properties = ("energy", "forces")

    def __init__(self, p: MACEPotential) -> None:
        super().__init__()
        self.p, self.calls = p, 0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes) -> None:
        """Energy and forces."""
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        e = self.p.evaluate([Structure(atoms.numbers, atoms.positions, atoms.cell.array)])[0]
        self.results = {"energy": e.energy, "forces": e.forces}


def by_ase(p: MACEPotential, structures: list[Structure], steps: int) -> tuple[float, int]:
    """Seconds and evaluations of ASE's FIRE, one structure after the other."""
    start, calls = time.perf_counter(), 0
    for s in structures:
        atoms = Atoms(s.numbers, s.positions, cell=s.cell, pbc=True)
        atoms.calc = Mace(p)
        FIRE(atoms, logfile=None).run(fmax=1e-9, steps=steps)
        calls += atoms.calc.calls
    return time.perf_counter() - start, calls


def by_torchsim(p: MACEPotential, structures: list[Structure], steps: int) -> tuple[float, int]:
    """Seconds and batched evaluations of TorchSim's FIRE on the same module."""
    import torch_sim as ts
    from torch_sim.models.mace import MaceModel

    device = next(p.module.parameters()).device
    wrapped = MaceModel(model=p.module, device=device, dtype=torch.float32, compute_stress=False)
    atoms = [Atoms(s.numbers, s.positions, cell=s.cell, pbc=True) for s in structures]
    state = ts.io.atoms_to_state(atoms, device=device, dtype=torch.float32)
    first = wrapped(state)["energy"].detach().cpu().numpy()
    mine = np.array([e.energy for e in p.evaluate(structures)])
    np.testing.assert_allclose(first, mine, rtol=1e-6)
    init, step = torchsim_fire(ts, wrapped)
    start = time.perf_counter()
    state = init(state)
    for _ in range(steps):
        state = step(state)
    return time.perf_counter() - start, steps + 1


def torchsim_fire(ts: ModuleType, wrapped: object) -> tuple[Callable, Callable]:
    """First state and step of its FIRE: one function that makes both until 0.3, two that take the model since."""
    if tuple(int(part) for part in version("torch-sim-atomistic").split(".")[:2]) <= (0, 3):
        return ts.optimizers.fire(wrapped)
    return (lambda state: ts.fire_init(state, wrapped)), (lambda state: ts.fire_step(state, wrapped))


def per_call(runs: list[tuple[float, int]]) -> tuple[float, float]:
    """Median seconds of one evaluation with its share of the driver, and the relative spread."""
    each = np.array([seconds / calls for seconds, calls in runs])
    return float(np.median(each)), float(np.ptp(each) / np.median(each))


def overhead(p: MACEPotential, device: torch.device, blocks: int, steps: int) -> Iterator[Row]:
    """C3 (G2 on a GPU): time of a step over that of the bare module on the same graph."""
    batch = batch_of(BATCH[device.type])
    structures = structures_of(batch)
    peers: dict[str, tuple[Callable, list[Structure]]] = {"ASE": (by_ase, structures[:1])}
    if find_spec("torch_sim") is not None:
        peers["TorchSim"] = (by_torchsim, structures)
    bare = {len(some): floor(p, some) for some in (structures, structures[:1])}
    ours(p, structures, 1)
    model, inside = Inside("torch", time.perf_counter), []
    mine, theirs, floors = [], {name: [] for name in peers}, {n: [] for n in bare}
    for _ in range(blocks):
        for n, call in bare.items():
            floors[n].append((seconds_of(call, steps), steps))
        model.seconds = 0.0
        mine.append(ours(p, structures, steps))
        inside.append((model.seconds, mine[-1][1]))
        for name, (run, some) in peers.items():
            theirs[name].append(run(p, some, steps))
    for name, runs, n in (("simkit", mine, len(structures)), *((k, theirs[k], len(peers[k][1])) for k in peers)):
        (step, spread), (least, _) = per_call(runs), per_call(floors[n])
        what = f"{name}: FIRE on {n} x {len(structures[0])} atoms"
        yield Row("C3", what, "bare module", 1e3 * step, 1e3 * least, "ms", 1.05 if name == "simkit" else None, spread)
    if device.type == "cpu":  # a GPU answers later than it is asked
        (step, _), (least, spread) = per_call(mine), per_call(inside)
        what = f"simkit: FIRE on {len(structures)} x {len(structures[0])} atoms, all of the run"
        yield Row("C3", what, "what of it the bare module took", 1e3 * step, 1e3 * least, "ms", 1.05, spread)


def floor(p: MACEPotential, structures: list[Structure]) -> Callable[[], object]:
    """Forward and backward of the bare module on a graph that is ready."""
    data = p.graph(Batch.of(structures))
    data["shifts"].requires_grad_(True)
    return lambda: energies_and_gradient(p.module, dict(data))


def seconds_of(call: Callable[[], object], repeats: int) -> float:
    """Seconds of so many calls in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def virials(p: MACEPotential, device: torch.device, blocks: int, steps: int) -> Row:
    """C6 (G10): atomic virials beside forces and stress."""
    batch = batch_of(BATCH[device.type])
    plain, full = p.evaluate_batch(batch), p.evaluate_batch(batch, virials=True)
    assert np.abs(plain.forces - full.forces).max() <= 1e-4
    calls = [lambda: p.evaluate_batch(batch, virials=True), lambda: p.evaluate_batch(batch)]
    (a, b), spread = interleaved(calls, blocks, steps)
    return Row("C6", "forces, stress and virials", "forces and stress", 1e3 * a, 1e3 * b, "ms", 1.05, spread)


def neighbours(blocks: int) -> Iterator[Row]:
    """C7: directed edges at 6 A against the faster of matscipy and vesin."""
    from matscipy.neighbours import neighbour_list

    for repeats in ((5, 5, 2), (9, 9, 4)):
        s = p2(repeats, 0)
        batch, atoms = Batch.of([s]), Atoms(numbers=s.numbers, positions=s.positions, cell=s.cell, pbc=True)
        within = (batch.positions, batch.cells, batch.periodic, batch.starts, 6.0)
        calls = {"simkit": lambda within=within: edges_of(pairs_within(*within), len(within[0]))}
        calls["matscipy"] = lambda atoms=atoms: neighbour_list("ijSD", atoms, 6.0)
        if find_spec("vesin") is not None:
            from vesin import NeighborList

            find = NeighborList(cutoff=6.0, full_list=True)
            calls["vesin"] = lambda s=s, find=find: find.compute(s.positions, s.cell, periodic=True, quantities="ijSD")
        edges = len(calls["simkit"]())
        assert all(len(call()[0]) == edges for name, call in calls.items() if name != "simkit")
        times, spread = interleaved(list(calls.values()), blocks, 3)
        scaled = {name: 1e6 * t / edges for name, t in zip(calls, times, strict=True)}
        peer = min((name for name in calls if name != "simkit"), key=scaled.get)
        yield Row("C7", f"{len(s)} atoms", peer, scaled["simkit"], scaled[peer], "us/edge", 1.0, spread)


class Waits(TorchDispatchMode):
    """Counts operations a device would be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Note the name, then do it."""
        name = func.overloadpacket.__name__
        if name in SYNCHRONISING:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def waits(p: MACEPotential, device: torch.device) -> Row:
    """C10: synchronising operations of an evaluation outside the model, with the read-back that is allowed."""
    batch = batch_of(BATCH[device.type])
    bare = floor(p, structures_of(batch))
    found = []
    for call in (lambda: p.evaluate_batch(batch), bare):
        for _ in range(3):  # TorchScript looks at shapes in its first runs
            with Waits() as seen:
                call()
        found.append(len(seen.found))
    count = found[0] - found[1] + 1
    return Row("C10", "synchronising operations outside the model", "one read-back", count, 1, "count", 1.0)


def rows() -> Iterator[Row]:
    """All of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args(sys.argv[1:])
    device = torch.device(given.device)
    p = model(device)
    yield waits(p, device)
    yield from overhead(p, device, given.blocks, given.steps)
    yield virials(p, device, given.blocks, given.steps)
    yield from neighbours(given.blocks)


if __name__ == "__main__":
    main(rows)
