"""Paths that are their own mirror image: half the images, the same barrier, refused where the potential disagrees."""

import numpy as np
import pytest
from solve_toys import EggBox, Morse, Well, fcc, one

from simkit import solve
from simkit.potential.base import Evaluations, Potential
from simkit.solve.idpp import shortest_way
from simkit.solve.mirror import Asked, candidates, mirrors_of, symmetric

MORSE = Morse()
WHOLE = {"mirror": False}


@pytest.fixture(scope="module")
def hop():
    """Relaxed ends of a vacancy hop in fcc: the plane between both sites turns it round."""
    s = fcc(2)
    away = np.linalg.norm(shortest_way(s, s.moved_to(s.positions[[0] * len(s)])), axis=1)
    jumper = int(np.argsort(away)[1])
    x = s.positions.copy()
    x[jumper] = s.positions[0]
    ends = [s.without(0), s.moved_to(x).without(0)]
    return tuple(out.structure for out in solve.relax(ends, MORSE, fmax_eV_per_A=0.005))


@pytest.mark.parametrize(("images", "asked"), [(3, 2), (5, 3)])
@pytest.mark.parametrize("optimiser", ["lbfgs", "fire2"])
def test_half_the_images_give_the_same_barrier(hop, images, asked, optimiser):
    runs = {}
    for mirror in (True, False):
        settings = solve.NebSettings(optimiser=optimiser, fmax_eV_per_A=0.01, mirror=mirror)
        runs[mirror] = solve.find_path(*hop, MORSE, images=images, settings=settings)
        assert runs[mirror].converged
    assert runs[True].evaluations == asked * (runs[True].steps + 1)
    assert runs[False].evaluations == images * (runs[False].steps + 1)
    # the criterion allows 2 meV; both follow the same forces but for the ends, equal to 0.005 eV/A
    assert runs[True].barrier_eV == pytest.approx(runs[False].barrier_eV, abs=5e-4)
    np.testing.assert_array_equal(runs[True].energies_eV[1:-1], runs[True].energies_eV[-2:0:-1])
    e = MORSE.evaluate(runs[True].images)
    np.testing.assert_allclose([x.energy for x in e], runs[True].energies_eV, atol=1e-9)


def test_energies_forces_and_stress_of_the_unseen_half_are_those_of_the_potential(hop):
    settings = solve.NebSettings(fmax_eV_per_A=0.01)
    descent = solve.prepare_paths([hop, hop[::-1]], MORSE, images=5, settings=settings)
    bands = descent.landscape
    assert all(bands.mirrors)
    rng = np.random.default_rng(0)
    start = bands.start() + rng.normal(0, 0.03, len(bands.start()))
    point = bands.at(start, np.ones(2, bool), None)
    said = MORSE.evaluate_batch(bands.batch.moved_to(point.x.reshape(-1, 3)))
    np.testing.assert_allclose(point.answers.energy, said.energy, atol=1e-9)
    # the middle image's forces are made symmetric; they are to rounding
    np.testing.assert_allclose(point.answers.forces, said.forces, atol=1e-9)
    np.testing.assert_allclose(point.answers.stress, said.stress, atol=1e-11)


def test_a_valley_with_a_well_half_way_has_two_climbing_images():
    """Three minima in a row: both saddles are climbed, each the other's image."""
    box = EggBox(a=0.4, spacing=2.5)
    ends = one([0, 0, 0.0]), one([5.0, 0, 0])
    path = solve.find_path(*ends, box, images=7, settings=solve.NebSettings(fmax_eV_per_A=0.005))
    assert path.converged and path.evaluations == 4 * (path.steps + 1)
    assert path.barrier_eV == pytest.approx(0.4, abs=1e-4)
    top = path.climbing_image
    assert path.energies_eV[top] == path.energies_eV[8 - top] and top != 4
    assert path.energies_eV[4] == pytest.approx(0.0, abs=1e-3)


def test_atoms_that_look_alike_to_a_field_that_does_not_are_asked():
    """A field with a floor that bends to one side: the mirror x -> -x holds, the inversion does not."""
    well = Well(bend=0.5)
    guess = np.linspace(well.place(-1).positions, well.place(1).positions, 7)
    asked = Asked(well.place(-1), (0.0, 0.0), guess)
    assert len(candidates(asked)) > 1
    (found,) = mirrors_of([asked], well)
    np.testing.assert_allclose(found.rotation @ [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0], atol=1e-12)


class Tilted(Potential):
    """Another potential with a force on every atom along z that grows with x."""

    def __init__(self, inner):
        self.card, self.inner = inner.card, inner

    def _compute(self, batch, virials):
        e = self.inner.evaluate_batch(batch)
        pull = 0.05 * np.sin(batch.positions[:, :1]) * np.array([[0.0, 0.0, 1.0]])
        return Evaluations(e.energy, e.forces + pull, e.stress, None, batch.system_of)


def test_no_half_band_where_the_potential_breaks_the_symmetry(hop):
    descent = solve.prepare_paths([hop], Tilted(MORSE), images=3)
    assert descent.landscape.mirrors == (None,)


def test_even_numbers_of_climbing_images_and_unlike_ends_are_whole_bands(hop):
    assert solve.prepare_paths([hop], MORSE, images=4).landscape.mirrors == (None,)
    assert solve.prepare_paths([hop], MORSE, images=4, climb=False).landscape.mirrors != (None,)
    assert solve.prepare_paths([hop], MORSE, settings=solve.NebSettings(mirror=False)).landscape.mirrors == (None,)
    moved = hop[1].positions.copy()
    moved[3] += 0.2
    assert solve.prepare_paths([(hop[0], hop[1].moved_to(moved))], MORSE, images=3).landscape.mirrors == (None,)


def test_a_symmetric_guess_is_its_own_image(hop):
    descent = solve.prepare_paths([hop], MORSE, images=5)
    (mirror,), guess = descent.landscape.mirrors, descent.landscape.hops[0].guess
    np.testing.assert_allclose(mirror.places(guess[::-1])[1:-1], guess[1:-1], atol=1e-10)
    np.testing.assert_allclose(mirror.places(guess[::-1]), guess, atol=0.05)  # the ends as they were relaxed
    np.testing.assert_allclose(symmetric(mirror, guess), guess, atol=1e-10)
    turn = mirror.rotation
    np.testing.assert_allclose(turn @ turn, np.eye(3), atol=1e-12)
