"""Bands in positions and cell: forces against differences of the energy, and a saddle fixed by symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from simkit import solve
from simkit.errors import InputError
from simkit.potential.analytic import morse
from simkit.solve.loop import Hooks
from simkit.structure import Structure

MODEL = morse()
B = 2.80
HEIGHT = B * np.sqrt(2 / 3)
A1, A2 = np.array([B, 0, 0]), np.array([B / 2, B * np.sqrt(0.75), 0])
PARTIAL = (A1 + A2) / 3


def crystal(letters: float, atoms: int = 1) -> Structure:
    """One atom per layer, each layer `letters` partials from the one below: 1 and 2 are fcc and its mirror image."""
    step = letters * PARTIAL + [0, 0, HEIGHT]
    return Structure([13] * atoms, [k * step for k in range(atoms)], np.array([A1, A2, atoms * step]))


def relaxed(*structures):
    settings = solve.RelaxSettings(stress_max_GPa=1e-4)
    found = solve.relax(list(structures), MODEL, "free", 1e-5, settings)
    assert all(o.converged for o in found)
    return [o.structure for o in found]


@pytest.fixture(scope="module")
def twins():
    return relaxed(crystal(1), crystal(2))


def half_way_energy(start: Structure) -> float:
    """Lowest energy of the layer stacked half way, by symmetry the saddle: the other five entries by scipy."""
    b0, h0 = start.cell[0, 0], start.cell[2, 2]

    def energy(x):
        a1, a2 = np.array([b0 * x[0], 0, 0]), np.array([b0 * x[1], b0 * x[2], 0])
        third = 0.5 * (a1 + a2) + [b0 * x[3], b0 * x[4], h0 * x[5]]
        return MODEL.evaluate([Structure([13], [[0, 0, 0]], np.array([a1, a2, third]))])[0].energy

    # the layer may rise, spread and lean across, not along the way: x[3:5] are tied to the direction across
    def tied(y):
        along = PARTIAL[:2] / np.linalg.norm(PARTIAL)
        across = y[3] * np.array([-along[1], along[0]])
        return energy([y[0], y[1], y[2], *across, y[4]])

    best = minimize(
        tied,
        [1.0, 0.5, np.sqrt(0.75), 0.0, 1.02],
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 6000},
    )
    return best.fun


def test_the_barrier_between_an_fcc_crystal_and_its_mirror_image(twins):
    path = solve.find_cell_paths([tuple(twins)], MODEL, images=5, settings=solve.NebSettings(fmax_eV_per_A=2e-3))[0]
    assert path.converged, path.status
    first = MODEL.evaluate([twins[0]])[0].energy
    assert path.barrier_eV == pytest.approx(half_way_energy(twins[0]) - first, abs=2e-4)
    assert path.barrier_eV == pytest.approx(path.reverse_barrier_eV, abs=1e-6)
    top = path.images[path.climbing_image].cell
    np.testing.assert_allclose(np.linalg.solve(top[:2, :2].T, top[2, :2]), 0.5, atol=5e-3)
    steps = np.diff(path.distances_A)
    assert steps.max() < 1.3 * steps.min()


def test_a_crystal_of_several_atoms_gives_the_same_barrier_per_atom(twins):
    one = solve.find_cell_paths([tuple(twins)], MODEL, images=3)[0]
    pair = relaxed(crystal(1, 2), crystal(2, 2))
    two = solve.find_cell_paths([tuple(pair)], MODEL, images=3)[0]
    assert two.converged
    assert two.barrier_eV / 2 == pytest.approx(one.barrier_eV, abs=2e-3)  # 2 meV: what the criterion leaves


def test_generalised_forces_are_minus_the_slope_of_the_energy(twins):
    descent = solve.prepare_cell_paths([tuple(relaxed(crystal(1, 2), crystal(2, 2)))], MODEL, images=2)
    bands, active = descent.landscape, np.ones(1, dtype=bool)
    rng = np.random.default_rng(0)
    x = bands.start() + rng.normal(0, 0.03, len(bands.start()))

    def energies(x):
        point = bands.at(x, active, None)
        return point, point.answers.energy.sum()

    point, _ = energies(x)
    force = bands.crystals.generalised(x, point.answers)
    for k in range(len(x)):
        bump = np.zeros_like(x)
        bump[k] = 1e-5
        slope = (energies(x + bump)[1] - energies(x - bump)[1]) / 2e-5
        assert force[k] == pytest.approx(-slope, abs=1e-6)


def test_together_as_one_by_one(twins):
    other = relaxed(crystal(1, 2), crystal(2, 2))
    together = solve.find_cell_paths([tuple(twins), tuple(other)], MODEL, images=3)
    alone = [solve.find_cell_paths([tuple(pair)], MODEL, images=3)[0] for pair in (twins, other)]
    for a, b in zip(together, alone, strict=True):
        assert a.barrier_eV == pytest.approx(b.barrier_eV, abs=1e-9)


def test_stopped_paths_say_so(twins):
    descent = solve.prepare_cell_paths([tuple(twins)], MODEL, images=3)
    path = solve.cell_paths(descent, solve.run(descent, Hooks(stop=lambda: True)))[0]
    assert not path.converged and "stopped" in path.status


def test_wrapped_atoms_are_brought_near():
    start = crystal(1, 2)
    wrapped = start.moved_to(start.positions + np.array([[0, 0, 0], start.cell[0]]))
    np.testing.assert_allclose(solve.nearest_final(start, wrapped).positions, start.positions, atol=1e-12)


def test_bad_ends_are_refused(twins):
    with pytest.raises(InputError, match="one state"):
        solve.find_cell_paths([(twins[0], twins[0])], MODEL)
    turned = twins[1].strained_to(twins[1].cell @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]))
    with pytest.raises(InputError, match="not upright"):
        solve.find_cell_paths([(twins[0], turned)], MODEL)
    with pytest.raises(InputError, match="same atoms"):
        solve.find_cell_paths([(twins[0], crystal(2, 2))], MODEL)
    with pytest.raises(InputError, match="at least one of each"):
        solve.find_cell_paths([], MODEL)
