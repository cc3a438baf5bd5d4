"""FLOOR and OVERHEAD of evaluating a potential, and CHGNet here against the chgnet package.

Usage: python benchmarks/potential_floor.py [--device cpu|cuda] [--blocks 5] [--repeats 20] [--only mace|chgnet]
Parity is asserted before anything is timed. One row per line: id, ours, theirs, ratio, spread, machine, versions.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch

from simkit import potential
from simkit.kernels.edges import edges_of
from simkit.kernels.neighbours import pairs_within
from simkit.potential.mace import MACEPotential, Place, energies_and_gradient
from simkit.potential.mace_backend import ScaleShiftMACE, default_dtype, interaction_classes, o3, quarantine
from simkit.structure import Batch, Structure


@dataclass(frozen=True)
class Row:
    """One line of the result: medians in the unit of the id and half the spread of the blocks."""

    id: str
    ours: float
    theirs: float
    spread: float

    def __str__(self) -> str:
        machine = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu"
        versions = " ".join(f"{name} {version(name)}" for name in ("torch", "mace-torch", "chgnet", "numba"))
        ratio = self.ours / self.theirs
        return f"{self.id}, {self.ours:.5g}, {self.theirs:.5g}, {ratio:.3f}, {self.spread:.2f}, {machine}, {versions}"


def p2(repeats: tuple[int, int, int], seed: int) -> Structure:
    """P2-NaMnO2 supercell of 8 atoms per cell, rattled by 0.02 A."""
    a, c = 2.885, 11.155
    cell = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]])
    u, v = 1 / 3, 2 / 3
    sites = [(v, u, 0.25), (v, u, 0.75), (0, 0, 0), (0, 0, 0.5), (u, v, 0.09), (v, u, 0.91), (u, v, 0.41), (v, u, 0.59)]
    s = Structure([11, 11, 25, 25, 8, 8, 8, 8], np.array(sites) @ cell, cell).repeated(*repeats)
    return s.moved_to(s.positions + 0.02 * np.random.default_rng(seed).normal(size=(len(s), 3)))


BATCHES = {"B72": (64, (3, 3, 1)), "B192": (32, (4, 3, 2)), "B480": (12, (5, 6, 2)), "C72": (8, (3, 3, 1))}


def batch_of(name: str) -> Batch:
    """One of the named batches: count and cell repeats (8 atoms a cell)."""
    count, repeats = BATCHES[name]
    return Batch.of([p2(repeats, seed) for seed in range(count)])


def random_mace(medium: bool) -> torch.nn.Module:
    """Random weights: like the medium foundation model, or a small one."""
    interaction = interaction_classes["RealAgnosticResidualInteractionBlock"]
    with quarantine(), default_dtype(torch.float32):
        torch.manual_seed(0)
        return ScaleShiftMACE(
            r_max=6.0 if medium else 5.0,
            num_bessel=10 if medium else 8,
            num_polynomial_cutoff=5,
            max_ell=3 if medium else 2,
            interaction_cls=interaction,
            interaction_cls_first=interaction,
            num_interactions=2,
            num_elements=3,
            hidden_irreps=o3.Irreps("128x0e+128x1o" if medium else "16x0e"),
            MLP_irreps=o3.Irreps("16x0e"),
            atomic_energies=np.zeros((1, 3)),
            avg_num_neighbors=60.0,
            atomic_numbers=[8, 11, 25],
            correlation=3 if medium else 2,
            gate=torch.nn.functional.silu,
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
        )


def interleaved(functions: list[Callable[[], object]], blocks: int, repeats: int) -> tuple[list[float], float]:
    """Median seconds per call of each function, blocks taken in turn, and the largest relative spread."""
    times = np.empty((len(functions), blocks))
    for function in functions:
        function()
    for block in range(blocks):
        for k, function in enumerate(functions):
            synchronise()
            start = time.perf_counter()
            for _ in range(repeats):
                function()
            synchronise()
            times[k, block] = (time.perf_counter() - start) / repeats
    spread = (times.max(1) - times.min(1)) / np.median(times, axis=1)
    return list(np.median(times, axis=1)), float(spread.max())


def synchronise() -> None:
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def mace_rows(device: torch.device, blocks: int, repeats: int) -> Iterator[Row]:
    """C3/G1: evaluate with the list and the read-back against the bare module; C6/G10: virials against stress only."""
    medium = device.type == "cuda"
    place = Place(device, torch.float32, path="torch")
    p = MACEPotential(random_mace(medium), potential.Card("m", "mace", "random"), place)
    for name in ("B72", "B192", "B480") if medium else ("C72",):
        batch = batch_of(name)
        data = p.graph(batch)
        data["shifts"].requires_grad_(True)
        bare = lambda data=data: energies_and_gradient(p.module, dict(data))  # noqa: E731
        whole = lambda batch=batch: p.evaluate_batch(batch)  # noqa: E731
        full = lambda batch=batch: p.evaluate_batch(batch, virials=True)  # noqa: E731
        np.testing.assert_allclose(whole().energy, bare()[0].cpu().numpy(), rtol=1e-6)
        (floor, ours, virials), spread = interleaved([bare, whole, full], blocks, repeats)
        yield Row(f"OVERHEAD mace {name} [s]", ours, floor, spread)
        yield Row(f"VIRIALS mace {name} [s]", virials, ours, spread)


def chgnet_rows(device: torch.device, blocks: int) -> list[Row]:
    """ms per atom of CHGNet (energy, forces, stress): here, with D3, and the package with its graph conversion."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from chgnet.model.model import CHGNet
        from pymatgen.core import Lattice
        from pymatgen.core import Structure as Pymatgen

        stock = CHGNet.load(use_device=device.type, verbose=False)
    s = p2((3, 6, 1), 0)
    peer = Pymatgen(Lattice(s.cell), s.symbols, s.positions, coords_are_cartesian=True)
    ours, with_d3 = (potential.load(spec, device=str(device)) for spec in ("chgnet", "chgnet+d3"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        e, theirs = ours.evaluate([s])[0], stock.predict_structure(peer, task="efs")
        assert abs(e.energy / len(s) - float(theirs["e"])) < 1e-5
        exact = potential.load("chgnet", device=str(device), dtype="float64").evaluate([s])[0]
        assert np.abs(e.forces - exact.forces).max() < 2e-4  # float32 through four layers at forces near 4 eV/A
        assert np.abs(theirs["f"] - exact.forces).max() < 5e-4  # the package's own float32 error reaches 2e-4
        calls = [
            lambda: ours.evaluate([s]),
            lambda: with_d3.evaluate([s]),
            lambda: stock.predict_structure(peer, task="efs"),
        ]
        (one, two, three), spread = interleaved(calls, blocks, 2)
    scale = 1e3 / len(s)
    rows = [Row(f"CHGNET {len(s)} atoms [ms/atom]", one * scale, three * scale, spread)]
    rows.append(Row(f"CHGNET+D3 {len(s)} atoms [ms/atom]", two * scale, three * scale, spread))
    return rows


def neighbour_rows(blocks: int) -> list[Row]:
    """C7: the list of all directed edges at 6 A against matscipy, us per edge."""
    from ase import Atoms
    from matscipy.neighbours import neighbour_list

    rows = []
    for repeats in ((5, 5, 2), (9, 9, 4)):
        s = p2(repeats, 0)
        batch, atoms = Batch.of([s]), Atoms(numbers=s.numbers, positions=s.positions, cell=s.cell, pbc=True)
        within = (batch.positions, batch.cells, batch.periodic, batch.starts, 6.0)
        ours = lambda within=within: edges_of(pairs_within(*within), len(within[0]))  # noqa: E731
        theirs = lambda atoms=atoms: neighbour_list("ijSD", atoms, 6.0)  # noqa: E731
        edges = len(ours())
        assert edges == len(theirs()[0])
        (a, b), spread = interleaved([ours, theirs], blocks, 3)
        rows.append(Row(f"NEIGHBOURS {len(s)} atoms [us/edge]", a * 1e6 / edges, b * 1e6 / edges, spread))
    return rows


def main(arguments: list[str]) -> None:
    """Print the rows asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=20, help="consecutive MACE evaluations in a block")
    parser.add_argument("--only", choices=("mace", "chgnet", "neighbours"))
    given = parser.parse_args(arguments)
    device = torch.device(given.device)
    tables = {
        "mace": lambda: mace_rows(device, given.blocks, given.repeats),
        "chgnet": lambda: chgnet_rows(device, given.blocks),
        "neighbours": lambda: neighbour_rows(given.blocks),
    }
    sys.stdout.write("id, ours, theirs, ratio, spread, machine, versions\n")
    for name, rows in tables.items():
        if given.only in (None, name):
            for row in rows():
                sys.stdout.write(f"{row}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
