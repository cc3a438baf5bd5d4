"""Gliding as workflows: cycles that close, moves against cells built apart, points that are kept, the lock."""

from __future__ import annotations

import numpy as np
import pytest
from ionic import ionic

from simkit import build, io, potential, solve
from simkit.config import checked
from simkit.errors import InputError
from simkit.workflows import (
    gliding,
    gliding_collective,
    gliding_lock,
    gliding_slabs,
    gliding_surface,
    numbers,
)
from simkit.workflows.common import Hooks
from simkit.workflows.glides import files, resistance
from simkit.workflows.glides.starts import with_nudged_ions

MODEL = ionic()
TIGHT = solve.RelaxSettings(max_steps=2000, stress_max_GPa=1e-4)


def block(phase, gaps, content=1.0, **more):
    return build.Block(phase, gaps, metals={"Co": 1.0}, content=content, **more)


def relaxed(*structures, cell="free", fmax=1e-3):
    found = solve.relax(list(structures), MODEL, cell, fmax, TIGHT)
    assert all(o.converged for o in found), [o.status for o in found]
    return [o.structure for o in found]


@pytest.fixture(scope="module")
def p2():
    return relaxed(build.bulk(block("P2", 2)).structure)[0]


COMMITTEE = potential.Committee([ionic("weak", 0.5), ionic("strong", 1.5)])
"""Members whose energies differ by a factor: so do differences of energies, and the spread is that of the factors."""
APART = np.std([0.5, 1.5], ddof=1)


def test_a_committee_says_how_far_a_profile_is_known(p2):
    config = gliding.Config(points=3, modes=["rigid", "held"], galleries=[0], max_steps=40)
    for profile in gliding.run(config, COMMITTEE, {"P2": p2}).profiles:
        for way in numbers.ways(profile):
            gamma = np.abs(way["gamma_J_per_m2"])
            np.testing.assert_allclose(way["gamma_spread_J_per_m2"], APART * gamma, rtol=1e-6, atol=1e-9)
            assert way["unstable_spread_J_per_m2"] == pytest.approx(APART * gamma.max(), rel=1e-6)
            mine = gliding.points_of(profile, way["letter"])
            forces = [e.spread.largest for e in COMMITTEE.evaluate([profile.structures[k] for k in mine])]
            assert way["force_spread_meV_per_A"] == pytest.approx(1e3 * max(forces), rel=1e-6)
            assert f"± {way['unstable_spread_J_per_m2']:.4f} J/m2" in files.way_line({**way, "converged": True})


def test_a_committee_says_how_far_a_slab_move_is_known(p2):
    config = gliding_slabs.Config(points=3, slabs=[0], letters=[1], mode="rigid")
    (move,) = gliding_slabs.run(config, COMMITTEE, {"P2": p2}).moves
    told = gliding_slabs.table(move)
    energies = np.array(told["energy_J_per_m2"])
    np.testing.assert_allclose(told["energy_committee_spread_J_per_m2"], APART * np.abs(energies), rtol=1e-6, atol=1e-9)
    assert told["barrier_committee_spread_J_per_m2"] == pytest.approx(APART * energies.max(), rel=1e-6)
    assert told["force_spread_meV_per_A"] > 0


def test_points_that_are_kept_get_their_spreads(p2, tmp_path):
    """Kept points are read back, and so is what a committee said of them."""
    config = gliding.Config(points=3, modes=["rigid"], galleries=[0])
    directory = io.open_run(tmp_path / "run", "", {}, resume=False)
    first = gliding.run(config, COMMITTEE, {"P2": p2}, Hooks(directory.step))
    counted = potential.Counted(COMMITTEE)
    again = gliding.run(config, counted, {"P2": p2}, Hooks(directory.step))
    assert counted.cost.evaluations == 0
    one, other = again.profiles[0], first.profiles[0]
    np.testing.assert_allclose(one.apart.energy_eV, other.apart.energy_eV, rtol=1e-9)
    for mine, before in zip(one.structures, other.structures, strict=True):
        np.testing.assert_array_equal(mine.positions, before.positions)  # those of either direction
    assert gliding.run(config, MODEL, {"P2": p2}).profiles[0].apart is None


@pytest.mark.parametrize(
    ("phase", "gaps", "cycle"), [("O3", 3, ["O1", "P3", "O3"]), ("P2", 2, ["O2u", "O2l", "P2"])], ids=str
)
def test_three_steps_return_to_the_start(phase, gaps, cycle):
    """Slide, let ions find their sites with slabs held, three times: galleries exact, energy to 1e-6 eV."""
    (start,) = relaxed(build.bulk(block(phase, gaps)).structure)
    settings = solve.SlideSettings(1e-5, TIGHT)
    first = solve.settle([start], ["held"], MODEL, settings)[0]
    now = first
    for name in cycle:
        s = now.structure
        vector = build.letter_vectors(s)[0]
        stack = build.classify(s).stack.glide(0, 1)
        # ions wait below, where they stand on a site of the next letter's neighbourhood, a little aside of symmetry
        ions = build.label(s).tags["gallery"] == 0
        weights = np.where(ions, 0.0, build.slide_weights(s, 0))
        starts = [solve.slid_by(with_nudged_ions(s, ions, seed), weights, vector) for seed in (0, 1)]
        now = min(solve.settle(starts, ["held", "held"], MODEL, settings), key=lambda o: o.evaluation.energy)
        assert now.converged, now.status
        assert build.classify(now.structure).stack.gaps() == stack.gaps()
        assert build.classify(now.structure).stack.gaps()[0] == name
    assert now.evaluation.energy == pytest.approx(first.evaluation.energy, abs=1e-6)


@pytest.mark.parametrize("letter", [1, -1])
@pytest.mark.parametrize("other", ["P3", "O3"])
def test_the_end_of_a_move_is_the_cell_built_apart(other, letter):
    """P2|P3 and P2|O3 with a shared slab moved either way, to O2|O3, O2|O1 and O2|P3, against stacks with those
    galleries built and relaxed on their own."""
    (cell,) = relaxed(build.intergrowth([block("P2", 2), block(other, 3)], (1, 1)).structure)
    config = gliding_slabs.Config(points=3, letters=[letter], slabs=[2], fmax_eV_per_A=2e-3, max_steps=1000)
    (move,) = gliding_slabs.run(config, MODEL, cell).moves
    assert move.converged and move.found == move.after
    stack = build.classify(cell).stack.glide_slab(2, letter)
    apart = build.bulk(block("moved", 5, pattern=stack.gaps()), a_A=build.classify(cell).a_A, max_strain_percent=10)
    ends = solve.relax([move.structures[-1], apart.structure], MODEL, "c", 2e-3, TIGHT)
    assert all(o.converged for o in ends)
    energies = [o.evaluation.energy for o in ends]
    # two relaxations that stop at 2 meV/A: a few tenths of a meV in 20 atoms
    assert energies[0] == pytest.approx(energies[1], abs=2e-3)
    assert move.energy_eV[-1] == pytest.approx(energies[1], abs=2e-3)


@pytest.mark.parametrize(("phase", "gaps"), [("P2", 2), ("O3", 3), ("P3", 3), ("O2", 2), ("O1", 2)])
def test_a_full_step_of_a_gallery_is_the_cell_built_apart(phase, gaps):
    """Both letters of one gallery of each phase, sliding with slabs held, against the stacks they lead to, which are
    built from their galleries and relaxed on their own at the same lattice."""
    (cell,) = relaxed(build.bulk(block(phase, gaps)).structure)
    found = build.classify(cell)
    config = gliding.Config(points=3, modes=["held"], galleries=[0], fmax_eV_per_A=2e-3, max_steps=1000)
    (profile,) = gliding.run(config, MODEL, cell).profiles
    assert profile.converged, profile.statuses
    stacks = {letter: found.stack.glide(0, letter) for letter in (1, -1)}
    built = [build.bulk(block("slid", gaps, pattern=s.gaps()), a_A=found.a_A, max_strain_percent=10) for s in
             stacks.values()]  # fmt: skip
    apart = solve.relax([one.structure for one in built], MODEL, "c", 2e-3, TIGHT)
    for letter, end, other in zip(stacks, (-1, 0), apart, strict=True):
        assert other.converged and profile.fraction[end] == letter
        assert build.classify(profile.structures[end]).stack.gaps() == stacks[letter].gaps()
        assert build.same_cyclic(build.classify(other.structure).stack.gaps(), stacks[letter].gaps())
        # two relaxations that stop at 2 meV/A: a few tenths of a meV in 8 or 12 atoms
        assert profile.energy_eV[end] == pytest.approx(other.evaluation.energy, abs=2e-3), letter


def test_the_same_fault_in_a_cell_twice_as_tall():
    (cell,) = relaxed(build.bulk(block("O3", 3)).structure)
    tall = cell.repeated(1, 1, 2)
    tall = build.label(tall.with_layers(np.full(len(tall), -1)))
    config = gliding.Config(points=3, letters=[-1], modes=["rigid", "normal"], galleries=[1], fmax_eV_per_A=2e-3)
    found = gliding.run(config, MODEL, {"short": cell, "tall": tall}).profiles
    peaks = {(p.structure, p.mode): gliding.gamma(p, -1).unstable_J_per_m2 for p in found}
    for mode in ("rigid", "normal"):
        assert peaks["tall", mode] == pytest.approx(peaks["short", mode], rel=0.01)


def test_a_surface_and_a_line_agree_where_they_meet():
    (cell,) = relaxed(build.bulk(block("P2", 2)).structure)
    surface = gliding_surface.run(gliding_surface.Config(grid=6, galleries=[0]), MODEL, cell).surfaces[0]
    line = gliding.run(gliding.Config(points=3, letters=[1], modes=["rigid"], galleries=[0]), MODEL, cell).profiles[0]
    assert surface.gamma.at([0, 0]) == pytest.approx(0.0, abs=1e-12)
    vectors = build.letter_vectors(cell)[0] * np.array([[0], [1 / 3], [2 / 3], [1]])
    at = surface.gamma.at(vectors @ np.linalg.pinv(surface.gamma.lattice))
    there = gliding.gamma(line, 1).gamma_J_per_m2
    assert at[3] == pytest.approx(there[3], abs=1e-9)
    np.testing.assert_allclose(at, there, atol=0.05 * there.max())  # between grid points the series interpolates
    assert surface.paths[1].unstable_J_per_m2 <= at.max() + 1e-6


def counted(hooks_folder, calls):
    """Hooks that keep under a folder, and a potential that counts."""

    class Counting(type(MODEL)):
        def _compute(self, batch, virials):
            calls.append(len(batch))
            return super()._compute(batch, virials)

    model = Counting(MODEL._law, MODEL._cutoff_A, MODEL.card)
    return Hooks(io.RunDirectory(hooks_folder, "key").step), model


def test_points_are_kept_one_by_one(tmp_path):
    """A run cut off after some points goes on with the others only, and gives the same numbers."""
    (cell,) = relaxed(build.bulk(block("P2", 2)).structure)
    config = gliding.Config(points=4, letters=[1], modes=["normal"], galleries=[0], fmax_eV_per_A=5e-3)
    calls: list[int] = []
    hooks, model = counted(tmp_path, calls)
    whole = gliding.run(config, model, {"P2": cell}, hooks).profiles[0]
    files = sorted((tmp_path / "steps").glob("*.npz"))
    assert len(files) == 5
    for file in files[:2]:
        file.unlink()
    calls.clear()
    again = gliding.run(config, model, {"P2": cell}, hooks).profiles[0]
    assert max(calls) == 2
    np.testing.assert_allclose(again.energy_eV, whole.energy_eV, atol=1e-9)
    calls.clear()
    gliding.run(config, model, {"P2": cell}, hooks)
    assert not calls


def test_a_run_that_is_killed_has_kept_what_was_done(tmp_path):
    (cell,) = relaxed(build.bulk(block("P2", 2)).structure)
    hooks, model = counted(tmp_path, [])

    class Killed(Exception):
        pass

    def watch(label):
        def observer(step, summary):
            if summary.groups - summary.active >= 2:
                raise Killed

        return observer

    config = gliding.Config(points=4, letters=[1], modes=["normal"], galleries=[0], fmax_eV_per_A=5e-3)
    with pytest.raises(Killed):
        gliding.run(config, model, {"P2": cell}, Hooks(hooks.keep, watch))
    assert 1 <= len(list((tmp_path / "steps").glob("*.npz"))) < 5


LOCK = {
    "structure": {
        "repeats": [1, 1],
        "blocks": [
            {"phase": "P2", "gaps": 2, "metals": {"Co": 1.0}, "content": 1.0},
            {"phase": "O3", "gaps": 3, "metals": {"Co": 1.0}, "content": 1.0},
        ],
    },
    "slabs": {"points": 3},
    "over": {"seeds": [0, 1]},
}


def test_the_lock_is_the_difference_of_the_easiest_moves():
    result = gliding_lock.run(checked(gliding_lock.Config, LOCK), MODEL)
    assert result.label == "P2/O3" and result.converged
    assert result.cases[0].shared == (0, 2)
    rows = {(r.seed, r.cell): r for r in resistance.resistances(result)}
    assert len(rows) == 6
    shared = [m for m in result.cases[0].moves if m.slab in (0, 2) and "P2/O3" in m.structure]
    assert rows[0, "P2/O3"].barrier_J_per_m2 == min(m.barrier_J_per_m2 for m in shared)
    found = {lock.phase: lock for lock in resistance.locks(result)}
    assert set(found) == {"P2", "O3", "softest phase"}
    gain = rows[0, "P2/O3"].barrier_J_per_m2 - rows[0, "P2"].barrier_J_per_m2
    assert found["P2"].barrier_J_per_m2 == pytest.approx(gain, abs=1e-6)
    # one ion per site: seeds give the same cell
    assert found["P2"].seeds == 2 and found["P2"].barrier_spread_J_per_m2 == pytest.approx(0, abs=1e-6)
    assert found["softest phase"].barrier_J_per_m2 == max(found["P2"].barrier_J_per_m2, found["O3"].barrier_J_per_m2)
    a = result.cases[0].cells
    assert build.classify(a["P2"]).a_A == pytest.approx(build.classify(a["P2/O3"]).a_A, rel=1e-9)


def test_transformations_close_a_triangle():
    """O3 to P3, P3 to O1 and O3 to O1: ends of three bands that know nothing of one another add up."""
    o3, p3 = (build.bulk(block(p, 3)).structure for p in ("O3", "P3"))
    config = gliding_collective.Config(targets=["P3", "O1"], images=3, end_fmax_eV_per_A=2e-3)
    from_o3 = {t.target: t for t in gliding_collective.run(config, MODEL, {"O3": o3}).transformations}
    config = config.model_copy(update={"targets": ["O1"]})
    (from_p3,) = gliding_collective.run(config, MODEL, {"P3": p3}).transformations
    assert all(t.converged for t in (*from_o3.values(), from_p3)), [t.status for t in (*from_o3.values(), from_p3)]
    summed = from_o3["P3"].energy_meV_per_fu + from_p3.energy_meV_per_fu
    assert from_o3["O1"].energy_meV_per_fu == pytest.approx(summed, abs=0.5)
    assert set(from_o3["P3"].reached) == {"P3"}
    assert from_o3["P3"].barrier_meV_per_fu >= from_o3["P3"].energy_meV_per_fu


def test_ions_of_unlike_galleries_start_on_their_next_sites_together():
    """Of O3|P3 to O1 the ions of one gallery go the other way, those of the other with a slab: one start has both."""
    start = build.bulk(block("OP2", 2)).structure
    before, after = build.classify(start).stack, build.Stack.from_gaps(["O1", "O1"])
    moves = build.minimal_moves(before, after)
    closest = []
    for shares in gliding_collective.starts_of(before, after, moves):
        found = io.to_ase(gliding_collective.glided(start, moves, shares))
        ions, oxygen = ([a.index for a in found if a.symbol == s] for s in ("Na", "O"))
        assert build.classify(io.from_ase(found)).stack.gaps() == ["O1", "O1"]
        closest.append(min(found.get_distances(i, oxygen, mic=True).min() for i in ions))
    octahedral = io.to_ase(start).get_all_distances(mic=True)[start.numbers == 11][:, start.numbers == 8].min()
    assert len(closest) == 5
    assert max(closest) > octahedral - 0.01
    assert max(closest[3:]) < octahedral - 0.1  # all alike


def test_p2_reaches_op4_in_a_cell_twice_as_tall():
    p2 = build.bulk(block("P2", 2)).structure
    config = gliding_collective.Config(targets=["OP4"], images=3)
    (found,) = gliding_collective.run(config, MODEL, {"P2": p2}).transformations
    assert found.converged, found.status
    assert found.start == ("P2",) * 4
    assert build.same_cyclic(list(found.reached), ["P2", "O2u", "P2", "O2l"])


@pytest.mark.parametrize(
    ("step", "config", "words"),
    [
        (gliding, gliding.Config(galleries=[7]), "galleries 0 to 1"),
        (gliding_surface, gliding_surface.Config(galleries=[7]), "galleries 0 to 1"),
        (gliding_slabs, gliding_slabs.Config(slabs=[5]), "slabs 0 to 1"),
        (gliding_collective, gliding_collective.Config(targets=["O3"]), "no gliding turns"),
        (gliding_collective, gliding_collective.Config(targets=["O8"]), "no phase"),
    ],
)
def test_what_does_not_exist_is_named(step, config, words):
    with pytest.raises(InputError, match=words):
        step.run(config, MODEL, build.bulk(block("P2", 2)).structure)


@pytest.mark.parametrize("step", [gliding, gliding_surface, gliding_slabs])
def test_free_surfaces_do_not_glide(step):
    s = build.bulk(block("P2", 2)).structure
    cell = s.cell.copy()
    cell[2, 2] += 12.0
    with pytest.raises(InputError, match="free surfaces"):
        step.run(step.Config(), MODEL, s.moved_to(s.positions, cell))
