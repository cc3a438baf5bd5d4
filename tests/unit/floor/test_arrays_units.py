import numpy as np
import pytest
from ase import units as ase_units

from simkit import units
from simkit.arrays import from_voigt, to_voigt
from simkit.elements import SYMBOLS, atomic_number
from simkit.errors import InputError


def test_units_agree_with_ase():
    # ASE uses CODATA 2014 by default: relative differences of 1e-8 are the tables', not ours
    assert units.EV_PER_A3_IN_GPA == pytest.approx(1 / ase_units.GPa, rel=1e-7)
    assert pytest.approx(ase_units.fs, rel=1e-7) == units.FEMTOSECOND
    assert pytest.approx(ase_units.kB, rel=1e-6) == units.BOLTZMANN_EV_PER_K


def test_voigt_round_trip_and_order():
    tensor = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
    assert np.array_equal(to_voigt(tensor), [1, 2, 3, 4, 5, 6])
    assert np.array_equal(from_voigt(to_voigt(tensor[None])), tensor[None])


def test_symbols():
    assert (SYMBOLS[11], SYMBOLS[25], SYMBOLS[118]) == ("Na", "Mn", "Og")
    assert atomic_number("Na") == 11
    with pytest.raises(InputError, match="unknown element 'Mnn'; did you mean"):
        atomic_number("Mnn")
