"""The task store: what is kept comes back as it was or not at all."""

import errno
import json
import os

import numpy as np
import pytest

from simkit.errors import CorruptFileError
from simkit.io import Store, checkpoint
from simkit.io.keys import digest
from simkit.io.leases import holder, lease
from simkit.io.store import sealed, unsealed

KEY = digest("a task")


def state(step):
    return {"step": np.array(step), "x": np.arange(40.0) * step}


def test_a_kept_value_is_computed_once_also_when_it_is_none(tmp_path):
    store, calls = Store(tmp_path), []
    for _ in range(2):
        assert store.keep(KEY, "nothing", lambda: calls.append(1)) is None
    assert len(calls) == 1


def test_the_checkpoint_before_is_used_when_the_last_is_damaged(tmp_path):
    store = Store(tmp_path)
    for step in (10, 20):
        store.save_checkpoint(KEY, "relax", state(step))
    assert store.load_checkpoint(KEY, "relax")["step"] == 20
    file = store.folder(KEY) / "relax.ckpt"
    file.write_bytes(file.read_bytes()[:-3])
    assert store.load_checkpoint(KEY, "relax")["step"] == 10
    assert file.with_name("relax.ckpt.corrupt").exists()


def test_a_thousand_random_corruptions_never_give_another_state(tmp_path):
    """Bits flipped, bytes overwritten, files cut, pieces doubled and swapped, foreign files: detected, all of them."""
    store, generator = Store(tmp_path), np.random.default_rng(20)
    store.save_checkpoint(KEY, "md", state(3))
    store.write_sealed(KEY, "result.json", {"key": KEY, "barrier_eV": 0.123456789, "rows": {"a": [1, 2.5]}})
    other = digest("another task")
    store.save_checkpoint(other, "md", state(4))
    files = {name: (store.folder(KEY) / name).read_bytes() for name in ("md.ckpt", "result.json")}
    foreign = (store.folder(other) / "md.ckpt").read_bytes()
    for _ in range(1000):
        name = ("md.ckpt", "result.json")[int(generator.integers(2))]
        path, whole = store.folder(KEY) / name, files[name]
        damaged = corrupted(whole, foreign, generator)
        path.write_bytes(damaged)
        found = store.load_checkpoint(KEY, "md") if name == "md.ckpt" else store.result(KEY)
        assert found is None, f"{name} of {len(whole)} bytes was read although it was changed"
        assert not path.exists()
        path.write_bytes(whole)
    assert store.load_checkpoint(KEY, "md")["step"] == 3
    assert store.result(KEY)["barrier_eV"] == 0.123456789


def corrupted(whole, foreign, generator):
    """The bytes of a file after one of the things that happen to files; never the same bytes."""
    kind, place = int(generator.integers(6)), int(generator.integers(len(whole)))
    if kind == 0:
        return whole[:place] + bytes([whole[place] ^ (1 << int(generator.integers(8)))]) + whole[place + 1 :]
    if kind == 1:
        return whole[:place]
    if kind == 2:
        return whole + bytes(generator.integers(0, 256, 7, dtype=np.uint8))
    if kind == 3:
        zeros = whole[:place] + b"\0" * min(64, len(whole) - place) + whole[place + 64 :]
        return zeros if zeros != whole else b""
    if kind == 4:
        return whole[:place] + whole[place // 2 :] + b"."
    return foreign


def test_a_file_system_that_is_full_raises_and_the_last_state_stays(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.save_checkpoint(KEY, "md", state(1))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for write in (
        lambda: store.save_checkpoint(KEY, "md", state(2)),
        lambda: store.keep(KEY, "value", lambda: 5),
        lambda: store.finish(KEY, {}),
    ):
        with pytest.raises(OSError, match="No space left"):
            write()
    monkeypatch.undo()
    assert store.load_checkpoint(KEY, "md")["step"] == 1
    assert store.result(KEY) is None
    assert not list(store.folder(KEY).glob(".*tmp"))


def test_files_of_another_task_are_refused(tmp_path):
    store, other = Store(tmp_path), digest("another task")
    store.keep(other, "value", lambda: 1)
    store.finish(other, {"barrier_eV": 1.0})
    store.made(KEY)
    for name in ("value.npz", "result.json"):
        (store.folder(other) / name).rename(store.folder(KEY) / name)
    assert store.result(KEY) is None
    assert store.keep(KEY, "value", lambda: 2) == 2


def test_finishing_removes_what_only_led_there(tmp_path):
    store = Store(tmp_path)
    for step in (1, 2):
        store.save_checkpoint(KEY, "md", state(step))
    store.write_sealed(KEY, "failed.json", {"key": KEY, "reason": "once"})
    store.keep(KEY, "value", lambda: 1)
    store.finish(KEY, {"converged": True})
    assert sorted(path.name for path in store.folder(KEY).iterdir()) == ["result.json", "value.npz"]


def test_sealed_json_has_no_other_spelling(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(sealed({"a": 1.0}))
    assert unsealed(path) == {"a": 1.0}
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2))
    with pytest.raises(CorruptFileError, match="checksum"):
        unsealed(path)


def test_torn_lines_of_attempts_are_passed_over(tmp_path):
    store = Store(tmp_path)
    store.note(KEY, "start", pid=1)
    with (store.folder(KEY) / "attempts.jsonl").open("a") as stream:
        stream.write('{"event": "do')
    store.note(KEY, "done")
    assert [line["event"] for line in store.attempts(KEY)] == ["start", "done"]


def test_a_lease_ends_with_its_process(tmp_path):
    assert holder(tmp_path) is None
    with lease(tmp_path):
        assert holder(tmp_path)["pid"] == os.getpid()
    assert holder(tmp_path) is None
    (tmp_path / "lease").write_text(json.dumps({"host": os.uname().nodename, "pid": 2**22 + 1, "job": None}))
    assert holder(tmp_path) is None, "no process can have this number"


def test_keys_see_content_and_nothing_else():
    array = np.arange(6.0).reshape(2, 3)
    assert digest({"a": 1, "b": array}) == digest({"b": np.asfortranarray(array), "a": 1})
    different = [1, 1.0, True, "1", None, [1], {"1": 1}, array, array.T, array.astype("f4"), array.ravel(), ["1", ""]]
    different += [["", "1"], [["1"], ""], np.array(["1"]), 2, -0.0, 0.0]
    keys = [digest(value) for value in different]
    assert len(set(keys)) == len(keys)
    assert digest((1, 2)) == digest([1, 2])
    for wrong in (object(), {1: 2}, np.array([object()]), {1, 2}):
        with pytest.raises(TypeError):
            digest(wrong)


def test_another_versions_checkpoint_is_set_aside(tmp_path):
    store = Store(tmp_path)
    path = store.made(KEY) / "value.npz"
    checkpoint.save(path, [1], KEY)
    path.write_bytes(path.read_bytes().replace(b"simkit-1", b"simkit-0", 1))
    assert store.keep(KEY, "value", lambda: 2) == 2
    assert path.with_name("value.npz.corrupt").exists()
