"""Elastic constants: from strains and symmetry, against closed forms, and the moduli of isotropic matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from simkit import measure
from simkit.errors import InputError

CUBE = np.array([r.as_matrix() for r in Rotation.create_group("O")])
SIX = np.array([Rotation.from_euler("z", 60 * k, degrees=True).as_matrix() for k in range(6)])
HEXAGONAL = {"C11": 240.0, "C12": 90.0, "C13": 40.0, "C33": 120.0, "C44": 30.0}


def hexagonal() -> np.ndarray:
    c = np.zeros((6, 6))
    c[0, 0] = c[1, 1] = HEXAGONAL["C11"]
    c[0, 1] = c[1, 0] = HEXAGONAL["C12"]
    c[:2, 2] = c[2, :2] = HEXAGONAL["C13"]
    c[2, 2] = HEXAGONAL["C33"]
    c[3, 3] = c[4, 4] = HEXAGONAL["C44"]
    c[5, 5] = 0.5 * (c[0, 0] - c[0, 1])
    return c


def response(stiffness: np.ndarray, component: int) -> np.ndarray:
    v = stiffness[:, component]
    return np.array([[v[0], v[5], v[4]], [v[5], v[1], v[3]], [v[4], v[3], v[2]]])


@pytest.mark.parametrize(("group", "count"), [(CUBE, 2), (SIX, 3), (np.eye(3)[None], 6)])
def test_symmetry_saves_strains(group, count):
    assert len(measure.strains_needed(group)) == count


def test_constants_come_back_from_the_fewest_strains():
    c = hexagonal()
    needed = measure.strains_needed(SIX)
    found = measure.elastic_constants(needed, [response(c, k) for k in needed], SIX)
    np.testing.assert_allclose(found.stiffness_GPa, c, atol=1e-9)  # rounding
    assert found.stable
    assert found.constants_GPa == pytest.approx({**HEXAGONAL, "C66": 75.0})


def test_without_symmetry_any_stiffness_comes_back():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 6))
    c = root @ root.T
    found = measure.elastic_constants(range(6), [response(c, k) for k in range(6)])
    np.testing.assert_allclose(found.stiffness_GPa, c, atol=1e-9)
    assert found.asymmetry_GPa < 1e-9


def test_moduli_of_isotropic_matter_are_those_of_the_textbook():
    lam, mu = 60.0, 40.0
    c = np.zeros((6, 6))
    c[:3, :3] = lam
    c += np.diag([2 * mu] * 3 + [mu] * 3)
    m = measure.moduli(measure.Elastic(c, 0.0, 6))
    young, poisson = mu * (3 * lam + 2 * mu) / (lam + mu), lam / (2 * (lam + mu))
    assert (m.young_along, m.young_across) == pytest.approx((young, young))
    assert (m.shear_along, m.shear_between, m.shear) == pytest.approx((mu, mu, mu))
    assert (m.poisson_along, m.poisson_normal) == pytest.approx((poisson, poisson))
    assert m.bulk == pytest.approx(lam + 2 * mu / 3)
    assert m.biaxial == pytest.approx(young / (1 - poisson))


def test_moduli_of_layers_do_not_depend_on_the_direction_of_x():
    c = hexagonal()
    m = measure.moduli(measure.Elastic(c, 0.0, 3))
    s = np.linalg.inv(c)
    assert m.young_along == pytest.approx(1 / s[0, 0])
    assert m.shear_along == pytest.approx(c[5, 5])
    assert m.shear_between == pytest.approx(c[3, 3])
    assert m.biaxial == pytest.approx(240 + 90 - 2 * 40**2 / 120)


def test_an_unstable_crystal_is_called_so():
    c = hexagonal()
    c[2, 2] = 2 * 40**2 / (240 + 90) - 0.1
    found = measure.Elastic(c, 0.0, 3)
    assert not found.stable
    with pytest.raises(InputError, match="not stable"):
        measure.moduli(found)


def test_bad_strains_are_refused():
    with pytest.raises(InputError, match="span 1 of 6"):
        measure.elastic_constants([0], [np.eye(3)])
    with pytest.raises(InputError, match="orthogonality"):
        measure.elastic_constants([0], [np.eye(3)], [2 * np.eye(3)])
