"""A small cell of every builder, for tests that hold for all of them."""

import numpy as np

from simkit.build import (
    Block,
    Domain,
    JoinSettings,
    Part,
    ParticleSettings,
    Prism,
    Ribbon,
    bulk,
    coherent,
    core_shell,
    domains,
    intergrowth,
    lateral,
    lateral_flip,
    markov,
    mirror_twin,
    orthogonal,
    particle,
    tunnel_bulk,
    tunnel_interface,
)
from simkit.build.tunnel import MatchSearch
from simkit.structure import Structure

MN, NM = {"Mn": 1.0}, {"Ni": 0.5, "Mn": 0.5}


def spinel(gaps):
    return Block("spinel", gaps, MN, tetrahedral={"Mg": 1.0})


def sodium_fluoride():
    """Rock-salt NaF, squeezed to the layers it coats."""
    sodium = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]])
    points = 2.1 * np.concatenate([sodium, sodium + np.eye(3)[0]])
    return Structure([11] * 4 + [9] * 4, points, np.eye(3) * 4.2)


CELLS = {
    "stack": lambda seed: intergrowth(
        [Block("P2", 4, {"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3), Block("O3", 6, NM)], (3, 3), seed=seed
    ),
    "three phases": lambda seed: intergrowth(
        [Block("P2", 2, NM, content=0.5), Block("P3", 3, NM, content=0.5), Block("O3", 3, NM, content=0.75)],
        (4, 2),
        seed=seed,
    ),
    "spinel": lambda seed: intergrowth([Block("O3", 3, MN), spinel(3)], (4, 4), seed=seed, max_strain_percent=6.0),
    "ewald": lambda seed: bulk(
        Block("P2", 2, NM, content=0.5, ordering="ewald", arrangement="ordered"), (4, 4), seed=seed
    ),
    "markov": lambda seed: bulk(
        Block("random", 8, NM, content=0.5, pattern=markov({"P2": 0.6, "O2u": 0.2, "O2l": 0.2}, 8, seed)), (4, 3), seed
    ),
    "lateral": lambda seed: lateral(
        Block("P2", 2, MN, content=0.5), Block("O2", 2, MN, content=0.5), lengths_A=(25.0, 25.0), seed=seed
    ),
    "lateral flip": lambda seed: lateral_flip(
        Block("P2", 2, MN, content=2 / 3), Block("O3", 2, MN, content=2 / 3), lengths_A=(25.0, 25.0), seed=seed
    ),
    "domains spinel": lambda seed: domains(
        Block("O3", 6, NM), [Domain(spinel(6), Ribbon(0.0, 15.0, "armchair"))], orthogonal(12, 4), seed=seed
    ),
    "domains rock-salt": lambda seed: domains(
        Block("O3", 6, NM), [Domain(Block("rock-salt", 6, {"Ni": 1.0}), Prism(8.0))], (8, 8), seed=seed
    ),
    "core-shell": lambda seed: core_shell(Block("O3", 3, NM), Block("O3", 3, MN), Prism(8.0), (8, 8), seed=seed),
    "particle": lambda seed: particle(
        bulk(Block("P2", 4, MN, content=0.5), (8, 8)), Prism(7.0, sides=6), seed, ParticleSettings(ion_anions=3)
    ),
    "twin": lambda seed: mirror_twin(Block("O3", 3, MN), (0, 1, 2), seed=seed),
    "tunnel": lambda seed: tunnel_bulk(seed=seed),
    "tunnel interface": lambda seed: tunnel_interface(Block("P2", 4, MN, content=2 / 3), seed=seed),
    "coating": lambda seed: coherent(
        Part(bulk(Block("O3", 3, NM), (2, 2)).structure, (0, 0, 1), "O3"),
        Part(sodium_fluoride(), (1, 1, 1), "NaF", 6.0),
        "fix:0",
        seed,
        JoinSettings(MatchSearch(80.0, 4.0)),
    ),
}
