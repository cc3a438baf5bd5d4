"""Barrier fit, gliding profile and intergrowth energies against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from simkit import measure
from simkit.errors import InputError
from simkit.units import EV_PER_A2_IN_J_PER_M2, EV_PER_A3_IN_GPA


def cosine(s, length=2.8, height=0.4, tilt=0.1):
    """Barrier of a cosine hill on a slope, and its derivative."""
    energy = height * (1 - np.cos(2 * np.pi * s / length)) / 2 + tilt * s / length
    return energy, height * np.pi / length * np.sin(2 * np.pi * s / length) + tilt / length


def test_barrier_of_a_cubic_is_exact():
    """E = 3 s^2 - 2 s^3 + s has no error in a cubic Hermite curve, however uneven the images."""
    s = np.array([0.0, 0.2, 0.9, 1.7, 2.0])
    energy, slope = 3 * s**2 - 2 * s**3 + s, 6 * s - 6 * s**2 + 1
    fit = measure.fit_barrier(s, energy + 5.0, -slope)
    top = (1 + np.sqrt(1 + 2 / 3)) / 2
    height = 3 * top**2 - 2 * top**3 + top
    assert fit.maximum_at_A == pytest.approx(top, abs=1e-12)
    assert fit.forward_eV == pytest.approx(height, abs=1e-12)
    assert fit.reverse_eV == pytest.approx(height - energy[-1], abs=1e-12)
    assert fit.highest_image == 2
    x = fit.curve_distances_A
    np.testing.assert_allclose(fit.curve_energies_eV, 3 * x**2 - 2 * x**3 + x, atol=1e-12)


def test_barrier_of_a_hill_converges_with_the_fourth_power_of_the_spacing():
    dense = np.linspace(0, 2.8, 400_001)
    exact = cosine(dense)[0].max()
    errors = []
    for images in (6, 12):
        s = np.linspace(0, 2.8, images)
        energy, slope = cosine(s)
        errors.append(abs(measure.fit_barrier(s, energy, -slope).forward_eV - exact))
    assert errors[0] < 5e-3  # five intervals: h^4 f''''/384 = 3e-3 eV
    assert errors[1] < errors[0] / 8


def test_reversed_path_exchanges_the_barriers():
    s = np.array([0, 0.5, 1.1, 1.9, 2.8])
    energy, slope = cosine(s)
    there = measure.fit_barrier(s, energy, -slope)
    back = measure.fit_barrier(2.8 - s[::-1], energy[::-1], slope[::-1])
    assert there.forward_eV == pytest.approx(back.reverse_eV, abs=1e-12)
    assert there.reverse_eV == pytest.approx(back.forward_eV, abs=1e-12)


def test_downhill_path_has_no_barrier():
    s = np.linspace(0, 1, 5)
    fit = measure.fit_barrier(s, -(s**2), 2 * s)
    assert fit.forward_eV == 0
    assert fit.reverse_eV == pytest.approx(1.0)
    with pytest.raises(InputError, match="must rise"):
        measure.fit_barrier([0, 1, 1], [0, 1, 0], [0, 0, 0])


PLANE = measure.GlidePlane(area_A2=7.2, formula_units=1, length_A=1.66)


def test_gamma_of_a_sine():
    """gamma = g sin^2(pi t): unstable g at 1/2, slope pi g / L, in three units."""
    t = np.linspace(0, 1, 13)
    profile = measure.gamma_profile(t, 3.0 + 0.2 * np.sin(np.pi * t) ** 2, PLANE, ends="periodic")
    g = 0.2 / 7.2 * EV_PER_A2_IN_J_PER_M2
    assert profile.unstable_J_per_m2 == pytest.approx(g, rel=1e-3)  # spline of 12 intervals: (pi / 12)^4 / 5
    assert profile.unstable_at == pytest.approx(0.5, abs=1e-6)
    expected = np.pi * 0.2 / 7.2 / 1.66 * EV_PER_A3_IN_GPA
    assert profile.ideal_shear_stress_GPa == pytest.approx(expected, rel=3e-3)
    np.testing.assert_allclose(profile.gamma_meV_per_fu[6], 200.0)
    np.testing.assert_allclose(profile.gamma_meV_per_A2[6], 200.0 / 7.2)
    assert g == pytest.approx(0.445, abs=1e-3)  # 1 eV/A^2 = 16.02 J/m^2


def test_gamma_between_unequal_letters_finds_the_stable_fault():
    """3 t^2 - 2 t^3 rises to 1 and has no fault; with a bump before it the far end is one."""
    t = np.linspace(0, 1, 9)
    energy = 0.05 * (3 * t**2 - 2 * t**3) + 0.3 * np.sin(np.pi * t) ** 2
    profile = measure.gamma_profile(t, energy, PLANE, ends="stationary")
    assert profile.stable_at == 1.0
    assert profile.stable_J_per_m2 == pytest.approx(0.05 / 7.2 * EV_PER_A2_IN_J_PER_M2)
    rising = measure.gamma_profile(t, 3 * t**2 - 2 * t**3, PLANE, ends="stationary")
    assert rising.stable_at is None
    assert rising.unstable_at == 1.0
    # a clamped cubic spline reproduces a cubic with flat ends exactly: slope 1.5 at the middle
    assert rising.ideal_shear_stress_GPa == pytest.approx(1.5 / 7.2 / 1.66 * EV_PER_A3_IN_GPA, rel=1e-12)


def test_gamma_inner_minimum_and_refusals():
    t = np.linspace(0, 1, 25)
    profile = measure.gamma_profile(t, np.sin(2 * np.pi * t) ** 2 + 0.1 * np.sin(np.pi * t) ** 2, PLANE, "periodic")
    assert profile.stable_at == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(InputError, match="does not close"):
        measure.gamma_profile(t, t, PLANE, ends="periodic")
    with pytest.raises(InputError, match="allowed"):
        measure.gamma_profile(t, t, PLANE, ends="open")
    with pytest.raises(InputError, match="at least four"):
        measure.gamma_profile([0, 0.5, 1], [0, 1, 0], PLANE)
    with pytest.raises(InputError, match="area_A2"):
        measure.GlidePlane(0, 1, 1)


def test_interface_energy_from_a_made_up_intergrowth():
    """A cell assembled from known gamma and strain energies gives them back; formation is their sum."""
    phases = [measure.PhaseShare("P2", 8, -24.0, -24.01), measure.PhaseShare("O3", 12, -24.5, -24.52)]
    area, gamma = 7.4, 0.003
    energies = measure.intergrowth_energies(8 * -24.0 + 12 * -24.5 + 2 * area * gamma, phases, area)
    assert energies.interface_meV_per_A2 == pytest.approx(3.0, abs=1e-9)
    assert energies.interface_J_per_m2 == pytest.approx(0.003 * EV_PER_A2_IN_J_PER_M2, rel=1e-9)
    assert energies.coherency_meV_per_fu == pytest.approx((8 * 10 + 12 * 20) / 20, rel=1e-9)
    assert energies.formation_meV_per_fu * 20 == pytest.approx(8 * 10 + 12 * 20 + 2 * area * 3.0, rel=1e-9)
    with pytest.raises(InputError, match="above zero"):
        measure.intergrowth_energies(0.0, phases, 0.0)


def test_thickness_series():
    n = np.array([4, 8, 12])
    fit = measure.thickness_fit(n, 0.05 + 0.002 * n)
    assert fit.interface_J_per_m2 == pytest.approx(0.05)
    assert fit.slope_J_per_m2 == pytest.approx(0.002)
    assert fit.residual_J_per_m2 < 1e-14
    with pytest.raises(InputError, match="two different"):
        measure.thickness_fit([4, 4], [0, 1])
