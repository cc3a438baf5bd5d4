"""Trajectories check themselves; masses are those of the tables."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_masses

from simkit.elements import MASSES_AMU, SYMBOLS
from simkit.errors import InputError
from simkit.structure import Structure
from simkit.trajectory import FINISHED, Trajectory
from simkit.units import FEMTOSECOND

RNG = np.random.default_rng(0)
START = Structure(
    [11, 8, 25], RNG.normal(size=(3, 3)), np.eye(3) * 5.0, layers=[-1, 0, 0], tags={"site": np.array(["a", "b", "c"])}
)


def fields(f=4, **changes):
    """Fields of a trajectory of f frames with random numbers in them."""
    plain = {
        "structure": START,
        "time_fs": np.arange(f) * 5.0,
        "positions": RNG.normal(size=(f, 3, 3)),
        "cells": np.repeat(START.cell[None], f, axis=0),
        "velocities_A_per_fs": RNG.normal(size=(f, 3, 3)) * 0.01,
        "energy": RNG.normal(size=f),
        "forces": RNG.normal(size=(f, 3, 3)),
        "stress": RNG.normal(size=(f, 3, 3)),
        "freedoms": 6,
        "status": FINISHED,
        "steps": 15,
        "evaluations": 16,
    }
    return plain | changes


def test_frames_are_structures_with_the_tags_of_the_start():
    given = fields()
    t = Trajectory(**given)
    assert len(t) == 4 and t.finished
    np.testing.assert_array_equal(t[-1].positions, given["positions"][3])
    np.testing.assert_array_equal(t[1].layers, START.layers)
    assert list(t[1].tags["site"]) == ["a", "b", "c"]
    with pytest.raises(IndexError):
        t[4]


def test_kinetic_energy_and_temperature_are_those_of_ase():
    t = Trajectory(**fields())
    for frame in range(4):
        atoms = Atoms(START.numbers, masses=np.take(MASSES_AMU, START.numbers))
        atoms.set_velocities(t.velocities_A_per_fs[frame] / FEMTOSECOND)
        assert t.kinetic_eV[frame] == pytest.approx(atoms.get_kinetic_energy(), rel=1e-12)
        # ASE counts 9 degrees of freedom; its Boltzmann constant is of CODATA 2014, 1e-6 off
        assert t.temperature_K[frame] == pytest.approx(atoms.get_temperature() * 9 / 6, rel=2e-6)
    np.testing.assert_allclose(t.total_eV, t.energy + t.kinetic_eV)


def test_nothing_can_be_written_into_it():
    t = Trajectory(**fields())
    with pytest.raises(ValueError, match="read-only"):
        t.positions[0] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        t.status = "other"


def test_a_run_that_broke_at_once_has_no_frames():
    t = Trajectory(**fields(0, status="the potential returned ...", steps=0))
    assert len(t) == 0 and not t.finished and len(t.temperature_K) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"positions": np.zeros((3, 3, 3))}, "positions has shape"),
        ({"forces": np.full((4, 3, 3), np.nan)}, "forces holds nan"),
        ({"energy": np.zeros(5)}, "energy has shape"),
        ({"force_spread": np.zeros((4, 2))}, "force_spread has shape"),
        ({"time_fs": np.array([0.0, 5.0, 5.0, 10.0])}, "time_fs does not rise"),
        ({"freedoms": 0}, "at least one degree of freedom"),
    ],
)
def test_what_does_not_fit_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        Trajectory(**fields(**change))


def test_masses_are_standard_atomic_weights():
    assert len(MASSES_AMU) == len(SYMBOLS)
    ours, theirs = np.array(MASSES_AMU[1:]), atomic_masses[1:]
    stable = np.array([m != round(m) for m in ours])
    # weights of 2016 against those of 2021: argon, hafnium and ytterbium were revised by up to 5e-5
    np.testing.assert_allclose(ours[stable], theirs[stable], rtol=6e-5)
    # elements without a standard weight: another isotope may be named
    np.testing.assert_allclose(ours[~stable], theirs[~stable], rtol=0.01)
    assert MASSES_AMU[11] == pytest.approx(22.98977, abs=5e-6) and MASSES_AMU[25] == pytest.approx(54.93804, abs=5e-6)
