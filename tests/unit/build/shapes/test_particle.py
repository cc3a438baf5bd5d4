"""Particles: whole polyhedra, formula, neutrality, vacuum, surfaces counted and not refused."""

import json

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from simkit.build import (
    Block,
    Domain,
    Everywhere,
    Layers,
    Offset,
    ParticleSettings,
    Prism,
    Ribbon,
    bulk,
    domains,
    intergrowth,
    particle,
    sphere,
)
from simkit.build.shapes.particle import _where, rebuild_particle
from simkit.errors import InputError
from simkit.io import to_ase


@pytest.fixture(scope="module")
def nickelate():
    return bulk(Block("O3", 6, {"Ni": 1.0}, alkali="Li"), (8, 8))


@pytest.fixture(scope="module")
def manganate():
    return bulk(Block("P2", 4, {"Mn": 1.0}, content=2 / 3), (8, 8))


def anions_around(structure, atoms, reach_A=2.6):
    i, j = neighbor_list("ij", to_ase(structure), reach_A)
    return np.bincount(i[structure.numbers[j] == 8], minlength=len(structure))[atoms]


def test_whole_polyhedra_keep_six_anions_around_every_metal(manganate):
    source = bulk(Block("P2", 4, {"Sn": 0.5, "Mn": 0.5}, content=0.5), (8, 8))
    with pytest.raises(InputError, match="neutral"):
        particle(source, Prism(7.0, sides=6))
    built = particle(manganate, Prism(7.0, sides=6), settings=ParticleSettings(ion_anions=3))
    s = built.structure
    assert not s.periodic.any()
    assert (anions_around(s, np.flatnonzero(s.numbers == 25)) == 6).all()
    assert built.report.facts["undercoordinated_metals"] == 0
    assert built.report.facts["anions_per_metal"] > 2


def test_the_formula_is_kept_and_surfaces_are_counted(nickelate):
    built = particle(nickelate, sphere(9.0), settings=ParticleSettings("formula"))
    s, facts = built.structure, built.report.facts
    nickel, oxygen = np.flatnonzero(s.numbers == 28), np.flatnonzero(s.numbers == 8)
    assert len(oxygen) == 2 * len(nickel)
    numbers = anions_around(s, nickel)
    assert (numbers < 6).sum() == facts["undercoordinated_metals"] > 0
    assert numbers.min() >= 3
    lithium = (s.numbers == 3).sum()
    assert 2 * len(nickel) <= 2 * len(oxygen) - lithium <= 4 * len(nickel)


def test_the_core_of_a_particle_is_the_crystal(nickelate):
    """Atoms deep inside have the neighbour distances of the source: 6 O at one length, 6 Ni at a."""
    built = particle(nickelate, sphere(10.0), settings=ParticleSettings("formula"))
    s = built.structure
    centre = s.positions[s.numbers == 28].mean(axis=0)
    deep = np.flatnonzero((s.numbers == 28) & (np.linalg.norm(s.positions - centre, axis=1) < 4.0))
    i, j, d = neighbor_list("ijd", to_ase(s), 3.0)
    for kind, count in ((8, 6), (28, 6)):
        lengths = d[np.isin(i, deep) & (s.numbers[j] == kind)]
        assert len(lengths) == count * len(deep)
        assert np.ptp(lengths) < 1e-6


def test_vacuum_only_moves_the_walls(nickelate):
    first, second = (
        particle(nickelate, sphere(8.0), settings=ParticleSettings("formula", vacuum_A=v)) for v in (8.0, 20.0)
    )
    assert np.array_equal(first.structure.numbers, second.structure.numbers)
    shift = second.structure.positions - first.structure.positions
    assert np.allclose(shift, shift[0], atol=1e-9)
    assert np.allclose(np.diag(second.structure.cell - first.structure.cell), 12.0)


def test_a_stated_valence_fixes_the_ions_exactly(nickelate):
    choice = ParticleSettings("formula", valence=3.5)
    s = particle(nickelate, sphere(9.0), settings=choice).structure
    metals = (s.numbers == 28).sum()
    assert (s.numbers == 3).sum() == round(2 * (s.numbers == 8).sum() - 3.5 * metals)
    with pytest.raises(InputError, match="sites"):
        particle(nickelate, sphere(9.0), settings=ParticleSettings("formula", valence=2.0))


def test_composites_and_intergrowths_are_cut_too_and_recipes_rebuild():
    shell = Domain(Block("rock-salt", 3, {"Ni": 1.0}), Prism(4.0, (0.5, 0.5)))
    composite = domains(Block("O3", 3, {"Ni": 1.0}, alkali="Li"), [shell], (8, 8))
    stack = intergrowth([Block("P2", 2, {"Mn": 1.0}, content=2 / 3), Block("O3", 3, {"Mn": 1.0})], (8, 8))
    for source, phases in ((composite, {"O3", "rock-salt"}), (stack, {"P2", "O3"})):
        built = particle(source, Prism(8.0), seed=2, settings=ParticleSettings("formula"))
        assert set(np.unique(built.structure.tags["phase"])) == phases
        again = rebuild_particle(json.loads(json.dumps(built.recipe)))
        for name in ("numbers", "positions", "cell", "periodic"):
            assert getattr(built.structure, name).tobytes() == getattr(again.structure, name).tobytes()


def test_refusals(nickelate):
    with pytest.raises(InputError, match="image"):
        particle(nickelate, sphere(14.0))
    with pytest.raises(InputError, match="no metal"):
        particle(nickelate, sphere(0.3, (0.01, 0.02, 0.03)))
    with pytest.raises(InputError, match="keep"):
        ParticleSettings("metals")
    with pytest.raises(InputError, match="vacuum_A"):
        ParticleSettings(vacuum_A=1.0)


def test_ions_per_metal_are_told_as_asked_and_reached(nickelate):
    for choice in (ParticleSettings("formula"), ParticleSettings("formula", ion_anions=3, valence=3.0)):
        built = particle(nickelate, Prism(7.0), settings=choice)
        counts = built.report.counts
        told = [x for x in built.report.regions[0].shares if x.role == "alkali"]
        assert [(x.asked, x.sites) for x in told] == [(1.0, counts["Ni"])]
        assert told[0].reached == pytest.approx(counts["Li"] / counts["Ni"])
        flagged = [text for text in built.report.warnings if "where 1.0000 was asked" in text]
        assert bool(flagged) == (abs(told[0].reached - 1.0) > 0.01)


def test_sides_follow_the_rows_of_a_distorted_lattice():
    """The distances of the six sides from the axis are equal when measured across the true close-packed rows."""
    source = bulk(Block("O'3", 3, {"Mn": 1.0}), (8, 8))
    cell = source.structure.cell[:2, :2] / 8
    assert abs(np.linalg.norm(cell[0]) - np.linalg.norm(cell[1])) > 0.05, "a distorted lattice"
    rows = np.array([cell[0], cell[1], cell[0] + cell[1]])
    across = rows[:, ::-1] * [1.0, -1.0] / np.linalg.norm(rows, axis=1)[:, None]
    seen = _where(source)
    assert np.allclose(seen.primitive, cell)
    inside = Prism(7.0, sides=6).member(seen).inside
    delta = seen.fractional[:, :2] - 0.5
    delta -= np.round(delta)
    assert np.array_equal(inside, np.abs(delta @ seen.cell[:2, :2] @ across.T).max(axis=1) <= 7.0 + 1e-6)


@pytest.mark.parametrize("shape", [Layers(0, 1), Everywhere(), Ribbon(0.0, 8.0), Offset(Layers(0, 1), 1.0), None])
def test_a_particle_is_bounded(nickelate, shape):
    with pytest.raises(InputError, match="not bounded"):
        particle(nickelate, shape)


@pytest.mark.parametrize("fields", [{"vacuum_A": "a"}, {"ion_anions": [3]}, {"valence": "a"}, {"limits": None}])
def test_settings_are_checked(fields):
    with pytest.raises(InputError, match=next(iter(fields))):
        ParticleSettings(**fields)


def test_a_structure_is_no_source(nickelate):
    with pytest.raises(InputError, match="source is a Structure"):
        particle(nickelate.structure, Prism(7.0))
