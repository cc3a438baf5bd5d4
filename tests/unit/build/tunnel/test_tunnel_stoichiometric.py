"""Cuts between planes: dipoles of rock-salt and of a layered oxide in closed form, exact stoichiometry."""

import numpy as np
import pytest
from pymatgen.core import Lattice
from pymatgen.core import Structure as PmgStructure

from simkit.build import Block, bulk
from simkit.build.foreign_crystal import crystal_scaffold, formal_charges
from simkit.build.tunnel.slice import block, oriented
from simkit.build.tunnel.stoichiometric import DIPOLE, neutral_cut, plane_block, plane_cuts, spare_anions
from simkit.structure import Structure

CUBIC = PmgStructure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
MGO = Structure([s.specie.Z for s in CUBIC], CUBIC.cart_coords, CUBIC.lattice.matrix)
O3 = bulk(Block("O3", 3, metals={"Ni": 0.5, "Mn": 0.5}), (2, 2)).structure


def turned(structure, plane):
    return oriented(crystal_scaffold(structure, "x"), plane)


def test_charges_sum_to_zero_and_stay_in_their_windows():
    charges = formal_charges(O3)
    assert charges.sum() == pytest.approx(0.0, abs=1e-9)
    metals = np.isin(O3.symbols, ("Ni", "Mn"))
    # NaMO2 asks for a mean valence of 3 from metals of 2 to 4
    assert charges[metals] == pytest.approx(np.full(metals.sum(), 3.0))
    assert set(formal_charges(MGO).tolist()) == {2.0, -2.0}


@pytest.mark.parametrize(("plane", "polar"), [((0, 0, 1), False), ((1, 1, 0), False), ((1, 1, 1), True)])
def test_dipoles_of_rock_salt(plane, polar):
    crystal = turned(MGO, plane)
    _, _, dipole = plane_cuts(crystal, formal_charges(MGO))
    # (111): planes of +q and -q half the spacing of equal planes apart, a (111) period of a / sqrt(3) holds one pair:
    # sum q z = +-q t / 2 for each pair, over 2 q times the spacing
    pairs = crystal.spacing_A / (4.2 / np.sqrt(3.0))
    expected = 0.25 / pairs if polar else 0.0
    assert np.abs(dipole) == pytest.approx(np.full(len(dipole), expected), abs=1e-9)
    assert (neutral_cut(crystal, formal_charges(MGO)) is None) == polar
    height = neutral_cut(crystal, formal_charges(MGO), polar=True)
    piece = plane_block(crystal, 2, height)
    assert spare_anions(crystal, piece) == 0.0
    assert np.bincount(piece.stratum).tolist() == [2 * 4, 2 * 4]
    top = piece.role[np.argmax(piece.positions[:, 2])]
    assert top == "metal" or not polar


def test_layers_are_polar_and_keep_their_polyhedra():
    crystal, charges = turned(O3, (0, 0, 1)), formal_charges(O3)
    assert neutral_cut(crystal, charges) is None
    assert np.abs(plane_cuts(crystal, charges)[2]).min() > DIPOLE
    assert spare_anions(crystal, block(crystal, 1)) == 0.0


def test_whole_polyhedra_of_rock_salt_have_spare_anions():
    crystal = turned(MGO, (0, 0, 1))
    # one oxygen above each magnesium of both faces, of which the conventional cell has two each
    assert spare_anions(crystal, block(crystal, 2)) == 4.0
