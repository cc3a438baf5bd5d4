"""Two states on disk: one of them is whole at every moment, and a damaged one is set aside."""

import os

import numpy as np
import pytest

from simkit import io
from simkit.errors import CorruptFileError


def test_the_newest_and_the_one_before_are_kept(tmp_path, monkeypatch):
    assert io.load_state(tmp_path, "k") == (None, [])
    for step in range(3):
        io.save_state(tmp_path, {"step": step, "x": np.arange(4.0) * step}, "k")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.npz", "state.prev.npz"]
    state, notes = io.load_state(tmp_path, "k")
    assert state["step"] == 2 and notes == []
    (tmp_path / "state.npz").write_bytes(b"simkit-1\nabc\nk\n")
    state, notes = io.load_state(tmp_path, "k")
    assert state["step"] == 1 and "state.npz was set aside" in notes[0]
    assert (tmp_path / "state.corrupt").exists()
    # a file system without hard links gets copies
    monkeypatch.setattr(os, "link", lambda a, b: (_ for _ in ()).throw(PermissionError("no links here")))
    for step in (5, 6):
        io.save_state(tmp_path, {"step": step}, "k")
    (tmp_path / "state.npz").unlink()
    assert io.load_state(tmp_path, "k")[0]["step"] == 5


def test_states_of_other_work_are_refused(tmp_path):
    io.save_state(tmp_path, {"step": 1}, "mine")
    with pytest.raises(CorruptFileError, match="belongs to other work"):
        io.load_state(tmp_path, "yours")


def test_a_save_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    io.save_state(tmp_path, {"step": 1}, "k")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        io.save_state(tmp_path, {"step": 2}, "k")
    monkeypatch.undo()
    assert io.load_state(tmp_path, "k")[0]["step"] == 1
