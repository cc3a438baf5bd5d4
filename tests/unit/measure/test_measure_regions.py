"""Stress by region, averages over dynamics, grids for ParaView: against sums done by hand and VTK's own rules."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from simkit import measure
from simkit.arrays import symmetric
from simkit.errors import InputError
from simkit.potential.base import Evaluation
from simkit.structure import Structure
from simkit.units import BOLTZMANN_EV_PER_K, FEMTOSECOND

RNG = np.random.default_rng(4)
CELL = np.array([[5.0, 0, 0], [-2.5, 4.4, 0], [0.7, 0.3, 8.0]])


def random_cell(atoms=12):
    s = Structure(np.full(atoms, 8), RNG.uniform(size=(atoms, 3)) @ CELL, CELL)
    return s, symmetric(RNG.normal(size=(atoms, 3, 3)))


def test_regions_add_up_to_the_cell():
    s, virials = random_cell()
    volumes = measure.voronoi_volumes(s)
    stress = virials / volumes[:, None, None]
    names = ["A", "B", "A", ""] * 3
    found = measure.stress_by_region(stress, volumes, names, 0.5)
    assert [r.name for r in found] == ["A", "B"]
    rest = volumes[[n == "" for n in names]].sum()
    assert sum(r.volume_A3 for r in found) + rest == pytest.approx(s.volume)
    a = [n == "A" for n in names]
    np.testing.assert_allclose(found[0].mean_GPa, virials[a].sum(axis=0) / volumes[a].sum())
    assert found[0].hydrostatic_GPa == pytest.approx(np.trace(found[0].mean_GPa) / 3)
    assert found[0].von_mises_mean_GPa >= found[0].von_mises_of_mean_GPa - 1e-12  # a norm: the mean's is the least
    with pytest.raises(InputError, match="no atom"):
        measure.stress_by_region(stress, volumes, [""] * 12, 0.5)


def test_principal_axes_turn_with_the_stress():
    stress = symmetric(RNG.normal(size=(6, 3, 3)))
    values, axes = measure.principal_axes(stress)
    np.testing.assert_allclose(np.einsum("nki,nk,nkj->nij", axes, values, axes), stress, atol=1e-12)
    turn = Rotation.random(rng=RNG).as_matrix()
    other, turned = measure.principal_axes(turn @ stress @ turn.T)
    np.testing.assert_allclose(other, values, atol=1e-12)
    np.testing.assert_allclose(np.abs(np.einsum("nki,nki->nk", turned, axes @ turn.T)), 1.0, atol=1e-9)


def test_distances_from_planes_are_periodic():
    d = measure.distance_to_planes_A([0.5, 9.9, 5.0], [0.0, 4.0], 10.0)
    np.testing.assert_allclose(d, [0.5, 0.1, 1.0])
    assert measure.distance_bins([0.0, 1.99, 2.0], 2.0) == ["0-2 A", "0-2 A", "2-4 A"]


def test_motion_adds_the_pressure_of_an_ideal_gas():
    """Atoms without forces: sigma = - N k T / V on the diagonal, by the mean over Maxwell velocities."""
    n, temperature = 4000, 600.0
    s = Structure(np.full(n, 11), RNG.uniform(size=(n, 3)) * 60.0, 60.0 * np.eye(3))
    mass = 22.98976928
    v = RNG.normal(size=(n, 3)) * np.sqrt(BOLTZMANN_EV_PER_K * temperature / mass) * FEMTOSECOND
    still = Evaluation(0.0, np.zeros((n, 3)), np.zeros((3, 3)), np.zeros((n, 3, 3)))
    _, e = measure.averaged([s], [still], [v])
    wanted = -n * BOLTZMANN_EV_PER_K * temperature / s.volume
    np.testing.assert_allclose(np.diag(e.stress), wanted, rtol=0.08)  # 4000 atoms: 2 % standard error, at 3.5 sigma
    np.testing.assert_allclose(e.virials.sum(axis=0), e.stress * s.volume, atol=1e-9)


def test_averages_are_means_and_refuse_what_cannot_be_one():
    s, virials = random_cell()
    stress = virials.sum(axis=0) / s.volume
    e = Evaluation(1.0, np.zeros((12, 3)), stress, virials)
    zero = np.zeros((12, 3))
    place, mean = measure.averaged([s, s.moved_to(s.positions + 0.2)], [e, e], [zero, zero])
    np.testing.assert_allclose(place.positions, s.positions + 0.1)
    np.testing.assert_allclose(mean.virials, virials)
    with pytest.raises(InputError, match="cell changes"):
        measure.averaged([s, s.strained_to(1.01 * CELL)], [e, e], [zero, zero])
    with pytest.raises(InputError, match="virials=True"):
        measure.averaged([s], [Evaluation(1.0, zero, stress)], [zero])
    with pytest.raises(InputError, match="at least one"):
        measure.averaged([], [], [])


def test_the_grid_for_paraview_holds_one_cell():
    """Mean over its cells = the cell's stress; shape, spacing and binary lengths as VTK reads them."""
    s, virials = random_cell()
    grid = measure.box_grid(s, virials, 1.2)
    np.testing.assert_allclose(grid.stress.mean(axis=(0, 1, 2)), virials.sum(axis=0) / s.volume, atol=2e-4)
    assert np.linalg.det(grid.cell) == pytest.approx(s.volume)
    root = ElementTree.fromstring(measure.vti_text(grid))
    image = root.find("ImageData")
    counts = [int(x) for x in image.get("WholeExtent").split()[1::2]]
    spacing = [float(x) for x in image.get("Spacing").split()]
    np.testing.assert_allclose(np.multiply(counts, spacing), np.diag(CELL), rtol=1e-6)
    array = next(a for a in image.iter("DataArray") if a.get("Name") == "von_mises_GPa")
    content = base64.b64decode(array.text)
    assert int.from_bytes(content[:4], "little") == len(content) - 4 == 4 * np.prod(counts)
    values = np.frombuffer(content[4:], "<f4").reshape(counts[::-1]).transpose(2, 1, 0)
    np.testing.assert_allclose(values, grid.von_mises_GPa, rtol=1e-5)
    with pytest.raises(InputError, match="rectangular"):
        measure.vti_text(measure.stress_grid(s, virials, 1.2))
    with pytest.raises(InputError, match="along x"):
        measure.box_grid(s.strained_to(CELL @ Rotation.from_euler("z", 20, degrees=True).as_matrix()), virials, 1.2)
