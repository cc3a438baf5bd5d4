"""Long paths in pieces: a row of equal wells, whose every saddle is known."""

import numpy as np
import pytest
from solve_toys import EggBox, Well, one

from simkit import solve
from simkit.errors import InputError

BOX = EggBox(a=0.6, spacing=2.5)
TIGHT = solve.NebSettings(fmax_eV_per_A=0.005, others_eV_per_A=0.01, barrier_change_eV=1e-5)
START, HALF, END = (one([x, 0.0, 0.0], side=20.0) for x in (0.0, 2.5, 5.0))


@pytest.fixture(scope="module")
def whole():
    """Over two saddles with a well between them, in one band."""
    return solve.find_path(START, END, BOX, images=5, settings=TIGHT)


def pieces(path, images=5):
    middle = 0.5 * float(path.distances_A[-1])
    return [
        solve.piece_of(path, (0.0, middle), (START, HALF), images),
        solve.piece_of(path, (middle, float(path.distances_A[-1])), (HALF, END), images),
    ]


def test_positions_lie_on_the_straight_lines_between_images(whole):
    middle = 0.5 * (whole.distances_A[1] + whole.distances_A[2])
    found = solve.positions_at(whole, np.array([0.0, middle, whole.distances_A[-1]]))
    expected = [
        whole.images[0].positions,
        0.5 * (whole.images[1].positions + whole.images[2].positions),
        whole.images[-1].positions,
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_every_saddle_is_climbed_and_the_states_between_are_stops(whole):
    found = solve.find_paths(pieces(whole), BOX, images=5, settings=TIGHT)
    path = solve.joined_path(found)
    assert path.converged and path.status == solve.CONVERGED
    assert path.stops == (6,) and len(path.images) == 13
    np.testing.assert_allclose(path.images[6].positions, HALF.positions, atol=1e-9)
    # 0.005 eV/A over a curvature of 1.9 eV/A^2 leaves 1e-5 eV
    assert path.energies_eV[:7].max() == pytest.approx(0.6, abs=1e-4)
    assert path.energies_eV[6:].max() == pytest.approx(0.6, abs=1e-4)
    assert path.energies_eV[6] == pytest.approx(0.0, abs=1e-9)
    assert path.distances_A[-1] == pytest.approx(5.0, abs=1e-3)
    assert np.all(np.diff(path.distances_A) > 0.3)
    assert path.evaluations == sum(piece.evaluations for piece in found)
    assert path.energies_eV[path.climbing_image] == path.energies_eV.max()


def test_a_piece_that_did_not_converge_is_told(whole):
    first = solve.find_paths(pieces(whole)[:1], BOX, images=5, settings=TIGHT)[0]
    settings = solve.NebSettings(fmax_eV_per_A=1e-12, max_steps=1, mirror=False)
    last = solve.find_path(HALF, END, Well(), images=5, settings=settings)
    path = solve.joined_path([first, last])
    assert not path.converged and path.status == last.status
    assert path.residual_force_eV_per_A == max(first.residual_force_eV_per_A, last.residual_force_eV_per_A)


def test_pieces_that_do_not_follow_one_another_are_refused(whole):
    first, last = solve.find_paths(pieces(whole), BOX, images=5, settings=TIGHT)
    with pytest.raises(InputError, match=r"piece 1 begins 5 A from where piece 0 ends"):
        solve.joined_path([last, first])


@pytest.mark.parametrize(
    ("guess", "words"),
    [
        (np.zeros((4, 1, 3)), r"shape \(4, 1, 3\); 5 images between these ends need \(7, 1, 3\)"),
        (np.zeros((7, 1, 3)), r"lies 5 A from the final structure"),
    ],
)
def test_a_guess_that_does_not_fit_is_refused(guess, words):
    with pytest.raises(InputError, match=words):
        solve.find_paths([solve.Hop(START, END, guess=guess)], BOX, images=5)


def test_ions_one_after_the_other_pass_lower_than_both_at_once():
    """Two independent ions: together they climb twice the hill, and by symmetry nothing turns them off it."""
    start = one([0.0, 0.0, 0.0], [0.0, 7.5, 0.0], side=20.0)
    end = start.moved_to(start.positions + np.array([2.5, 0.0, 0.0]))
    between = start.moved_to(start.positions + np.array([[2.5, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    at_once = solve.find_path(start, end, BOX, images=5, settings=TIGHT)
    in_turn = solve.find_paths([solve.Hop(start, end, between)], BOX, images=5, settings=TIGHT)[0]
    assert at_once.barrier_eV == pytest.approx(1.2, abs=1e-3)
    assert in_turn.barrier_eV == pytest.approx(0.6, abs=1e-3)
