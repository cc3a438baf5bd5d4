"""`kill -9` at random times: trajectories stay readable, at most the last part is lost, and the end is the same."""

import os
import signal
import time
from itertools import pairwise

import numpy as np
import pytest

from simkit import io, potential
from simkit.io.segments import parts
from simkit.structure import Structure
from simkit.workflows import md

MORSE = potential.morse(cutoff_A=4.5)
CONFIG = md.Config(
    temperatures_K=(300.0, 600.0), length_ps=0.8, timestep_fs=2.0, frame_fs=8.0, log_fs=4.0, save_ps=0.02,
    ensemble="npt",
)  # fmt: skip
STEPS_A_PART = 10


def crystal():
    """Sixteen atoms of aluminium."""
    base = np.array([[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]) * 3.95
    s = Structure(np.full(4, 13), base, np.eye(3) * 3.95).repeated(2, 2, 1)
    return s.moved_to(s.positions + np.random.default_rng(1).normal(0, 0.03, s.positions.shape))


def child(folder):
    """A process of its own that runs to the end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            md.simulate(CONFIG, MORSE, {"al": crystal()}, folder)
            code = 0
        finally:
            os._exit(code)
    return pid


def readable(folder):
    """Steps stored of each system, after reading every number; 0 where the run had not begun to store."""
    if not (folder / "head.h5").exists():
        return 0
    run = io.open_trajectories(folder)
    ends = set()
    for name in run.names:
        for kind in ("frames", "log"):
            for column in run.columns(name, kind):
                assert np.isfinite(run.column(name, kind, column)).all()
        steps = run.column(name, "log", "step")
        np.testing.assert_array_equal(steps, np.arange(len(steps)) * 2)
        ends.add(int(steps[-1]) if len(steps) else 0)
    assert len(ends) == 1
    return ends.pop()


def kills(folder, times, whole):
    """Kill a run after each of some times, then let it end; returns the steps stored after each kill."""
    stored = []
    for wait in times:
        pid = child(folder)
        time.sleep(wait)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        stored.append(readable(folder / "trajectories"))
        for path, last in parts(folder / "trajectories"):
            assert last % STEPS_A_PART == 0, path
    assert os.waitstatus_to_exitcode(os.waitpid(child(folder), 0)[1]) == 0
    end = io.open_trajectories(folder / "trajectories")
    for name in whole.names:
        for kind in ("frames", "log"):
            for column in whole.columns(name, kind):
                np.testing.assert_array_equal(end.column(name, kind, column), whole.column(name, kind, column))
    return stored


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The run that nothing disturbs, and how long it takes."""
    began = time.monotonic()
    result = md.simulate(CONFIG, MORSE, {"al": crystal()}, tmp_path_factory.mktemp("whole"))
    return result.run, time.monotonic() - began


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_twenty_kills_lose_nothing_but_the_last_part(reference, tmp_path):
    whole, seconds = reference
    rng = np.random.default_rng(7)
    stored = []
    for attempt in range(4):
        # five kills a run, so that most fall in its midst
        waits = rng.uniform(0.02, 0.35, 5) * seconds
        stored.append(kills(tmp_path / str(attempt), waits, whole))
    # nothing that was stored is lost to a later kill, but for the part that a state did not yet know of
    for run in stored:
        assert all(b >= a - STEPS_A_PART for a, b in pairwise(run)), run
    assert max(max(run) for run in stored) > 0
