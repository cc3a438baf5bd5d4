"""A solver stopped anywhere and taken up elsewhere gives the same bytes as one that was left alone."""

import numpy as np
import pytest

from simkit import build, potential, solve
from simkit.errors import Interrupted
from simkit.io import Store
from simkit.io.keys import digest
from simkit.structure import Structure
from simkit.workflows import relax
from simkit.workflows.campaign.saving import Saver
from simkit.workflows.common import Hooks

KEY = digest("saved")


class StopsAfter:
    """Says stop once, after so many looks."""

    def __init__(self, looks):
        self.left = looks

    def reason(self):
        self.left -= 1
        return "the test says so" if self.left == 0 else ""


def cell(seed=0):
    built = build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), (1, 1)).structure
    noise = np.random.default_rng(seed).normal(0.0, 0.05, built.positions.shape)
    return built.moved_to(built.positions + noise)


def relaxed(watch):
    config = relax.Config(cell="inplane", fmax_eV_per_A=0.05, max_steps=25)
    return relax.run(config, potential.load("morse"), [cell(0), cell(1)], Hooks(watch=watch))


def fired(watch):
    config = relax.Config(cell="fixed", fmax_eV_per_A=0.05, max_steps=25, optimiser="fire")
    return relax.run(config, potential.load("morse"), [cell(0)], Hooks(watch=watch))


def argon(vacant=None):
    """32 sites of solid argon, one of them empty where asked for."""
    sites = np.array([[i, j, k] for i in range(4) for j in range(4) for k in range(4) if (i + j + k) % 2 == 0]) * 2.63
    kept = np.array([k for k in range(len(sites)) if k != vacant])
    return Structure(np.full(len(kept), 18), sites[kept], np.eye(3) * 4 * 2.63)


def band(watch):
    """The atom beside a vacancy hops into it."""
    start = argon(vacant=0)
    place = argon().positions[0]
    moving = int(np.argmin(np.linalg.norm(start.positions - place, axis=1)))
    moved = start.positions.copy()
    moved[moving] = place
    settings = solve.NebSettings(fmax_eV_per_A=1e-4, max_steps=12)
    return solve.find_paths([(start, start.moved_to(moved))], potential.load("lj"), 3, True, settings, watch("band"))


def molecular_dynamics(watch):
    facts = {"temperature_K": 40.0, "timestep_fs": 1.0, "steps": 25, "seed": 4}
    return solve.run_md([argon()], potential.load("lj"), "nvt", **facts, hooks=watch("md"))


def slid_twice(watch):
    """Two descents with the same hooks, as a held slide has them: each has a checkpoint of its own."""
    same = watch("slide")
    settings = solve.RelaxSettings(max_steps=10)
    return [solve.relax([cell(k)], potential.load("morse"), "fixed", 0.01, settings, same) for k in (4, 5)]


def test_hooks_change_nothing(tmp_path):
    plain = relaxed(lambda label: None)
    assert digest(relaxed(Saver(Store(tmp_path), KEY, StopsAfter(-1)).watch).outcomes) == digest(plain.outcomes)


@pytest.mark.parametrize("work", [relaxed, fired, band, molecular_dynamics, slid_twice])
def test_stopped_again_and_again_equals_undisturbed_byte_for_byte(work, tmp_path):
    undisturbed = digest(plain(work(Saver(Store(tmp_path / "one"), KEY, StopsAfter(-1)).watch)))
    store, stops, found = Store(tmp_path / "two"), 0, None
    while found is None and stops < 40:
        try:
            found = work(Saver(store, KEY, StopsAfter(4)).watch)
        except Interrupted:
            stops += 1
    assert stops >= 2
    assert digest(plain(found)) == undisturbed


def plain(value):
    """What of a result can be hashed: trajectories and the like as their arrays."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return vars(value) if hasattr(value, "__dict__") and not isinstance(value, np.ndarray) else value


def test_a_stop_between_checkpoints_saves_at_once_and_a_damaged_one_falls_back(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(Interrupted, match="saved at step 3"):
        relaxed(Saver(store, KEY, StopsAfter(3)).watch)
    with pytest.raises(Interrupted):
        relaxed(Saver(store, KEY, StopsAfter(3)).watch)
    (file,) = store.folder(KEY).glob("*.ckpt")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(Interrupted, match="saved at step 5"):
        relaxed(Saver(store, KEY, StopsAfter(2)).watch)


def test_other_work_does_not_take_the_checkpoint(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(Interrupted):
        relaxed(Saver(store, KEY, StopsAfter(5)).watch)
    hooks = Saver(store, KEY, StopsAfter(-1)).watch("relax")
    settings = solve.RelaxSettings(max_steps=3)
    other = [solve.relax([cell(9)], potential.load("morse"), "inplane", 0.05, settings, h)[0] for h in (hooks, None)]
    assert digest(other[0]) == digest(other[1])
