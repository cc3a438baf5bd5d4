"""C10: seconds to build, check and report cells of about 5,000 atoms with every builder, on one core.

The goal is 10 s for each (an intergrowth of 5,000 atoms, checks included). Two sizes of each cell are timed, so that
the exponent of the growth shows what is worse than linear. Run as `python benchmarks/build_cells.py [NAME ...]`;
prints a table: cell, atoms, seconds, atoms per second, exponent, share of the validation.
"""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Callable

import numpy as np

from simkit.build import Block, Composite, Model, bulk, intergrowth, validate
from simkit.build.lateral.flip import lateral_flip
from simkit.build.lateral.glide import lateral
from simkit.build.plane import orthogonal
from simkit.build.shapes.core_shell import core_shell
from simkit.build.shapes.decoration import Domain
from simkit.build.shapes.domains import domains
from simkit.build.shapes.shape import Prism, Ribbon
from simkit.build.tunnel.interface import tunnel_interface
from simkit.build.tunnel.request import InterfaceSettings

GOAL_S = 10.0
Built = Model | Composite
P2_METALS = {"Ni": 1 / 3, "Mn": 2 / 3}
O3_METALS = {"Ni": 0.5, "Mn": 0.5}


def stack(n: int, **how: str) -> Built:
    """P2|O3 along c, ten slabs of n x n."""
    p2, o3 = Block("P2", 4, P2_METALS, content=2 / 3, **how), Block("O3", 6, O3_METALS, **how)
    return intergrowth([p2, o3], (n, n))


def entropy(n: int) -> Built:
    """Nine metals, fluorine and calcium in one O3 phase."""
    metals = {"Ni": 0.12, "Cu": 0.12, "Mg": 0.12, "Fe": 0.15, "Co": 0.15, "Mn": 0.1, "Ti": 0.1, "Sn": 0.1, "Sb": 0.04}
    return bulk(Block("O3", 12, metals, content=0.9, anions={"O": 0.95, "F": 0.05}, dopants={"Ca": 0.02}), (n, n))


def spinel(n: int) -> Built:
    """O3|spinel along c, twelve slabs."""
    tetrahedra = Block("spinel", 6, {"Mn": 1.0}, tetrahedral={"Mg": 1.0})
    return intergrowth([Block("O3", 6, {"Mn": 1.0}), tetrahedra], (n, n), max_strain_percent=6.0)


def beside(n: int) -> Built:
    """P2 beside O2: a glide boundary, domains of n A."""
    return lateral(Block("P2", 4, P2_METALS, content=0.5), Block("O2", 4, P2_METALS, content=0.5), lengths_A=(n, n))


def flipped(n: int) -> Built:
    """P2 beside O3: sense-flip boundary, domains of n A."""
    manganese = {"Mn": 1.0}
    return lateral_flip(
        Block("P2", 2, manganese, content=2 / 3), Block("O3", 2, manganese, content=2 / 3), lengths_A=(n, n)
    )


def nanodomain(n: int) -> Built:
    """A ribbon of rock-salt in O3."""
    matrix, salt = Block("O3", 6, O3_METALS), Block("rock-salt", 6, {"Ni": 1.0})
    return domains(matrix, [Domain(salt, Ribbon(0.0, 25.0, "armchair"))], orthogonal(2 * n, n))


def prism(n: int) -> Built:
    """A prism of one composition in a shell of another."""
    return core_shell(Block("O3", 6, O3_METALS), Block("O3", 6, {"Mn": 1.0}), Prism(12.0), (n, n))


def tunnel(n: int) -> Built:
    """P2 on the tunnel phase, n cells along the chains."""
    return tunnel_interface(Block("P2", 4, {"Mn": 1.0}, content=2 / 3), settings=InterfaceSettings(chain=n))


CELLS: dict[str, tuple[Callable[[int], Built], int, int]] = {
    "stack P2|O3 screened": (stack, 6, 12),
    "stack P2|O3 random": (lambda n: stack(n, ordering="random"), 6, 12),
    "stack P2|O3 ordered ewald": (lambda n: stack(n, ordering="ewald", arrangement="ordered"), 6, 12),
    "bulk nine metals": (entropy, 6, 11),
    "stack O3|spinel": (spinel, 6, 12),
    "lateral glide": (beside, 30, 120),
    "lateral flip": (flipped, 30, 90),
    "domains rock-salt": (nanodomain, 8, 10),
    "core-shell prism": (prism, 12, 16),
    "tunnel interface": (tunnel, 3, 9),
}


def timed(make: Callable[[], Built]) -> tuple[Built, float]:
    """What was built and the CPU seconds of this thread."""
    start = time.thread_time()
    made = make()
    return made, time.thread_time() - start


def row(name: str) -> tuple[str, bool]:
    """One line of the table, and whether the goal was met."""
    make, small, large = CELLS[name]
    make(small)  # compiles
    first, first_s = timed(lambda: make(small))
    second, second_s = timed(lambda: make(large))
    _, check_s = timed(lambda: validate(second))
    sizes = len(first.structure), len(second.structure)
    exponent = math.log(second_s / first_s) / math.log(sizes[1] / sizes[0])
    text = (
        f"{name:26s} {sizes[1]:7d} {second_s:9.2f} {sizes[1] / second_s:9.0f} {exponent:9.2f} "
        f"{100 * check_s / second_s:9.0f} %"
    )
    return text, second_s < GOAL_S


def main() -> int:
    """The table; returns 1 when a cell takes longer than the goal."""
    wanted = [name for name in CELLS if len(sys.argv) < 2 or any(part in name for part in sys.argv[1:])]
    sys.stdout.write(f"C10 build, one core of {platform.machine()}, numpy {np.__version__}; goal < {GOAL_S:g} s each\n")
    sys.stdout.write(f"{'cell':26s} {'atoms':>7s} {'s':>9s} {'atoms/s':>9s} {'exponent':>9s} {'checks':>11s}\n")
    good = True
    for name in wanted:
        text, met = row(name)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
        good = good and met
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
