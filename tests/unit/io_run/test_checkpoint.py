from dataclasses import dataclass

import numpy as np
import pytest

from simkit.errors import CorruptFileError, InputError
from simkit.io import checkpoint
from simkit.io.rundir import open_run
from simkit.structure import Structure


@dataclass(frozen=True)
class Sample:
    name: str
    values: tuple
    structure: Structure


@dataclass(frozen=True)
class Stranger:
    name: str


def sample():
    structure = Structure([11, 8], [[0.1, 0.2, 0.3], [1, 2, 3]], np.eye(3) * 5, tags={"site": ["Na_e", "O"]})
    return Sample("P2", (1, 2.5, None, float("inf"), np.pi * np.arange(3)), structure)


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "a.npz"
    checkpoint.save(path, {"one": [sample()], 3: np.float64(0.1)}, key="k")
    back = checkpoint.load(path, [Sample], key="k")
    assert back[3] == 0.1
    one, wanted = back["one"][0], sample()
    assert one.values[:4] == wanted.values[:4]
    assert np.array_equal(one.values[4], wanted.values[4])
    assert np.array_equal(one.structure.positions, wanted.structure.positions)
    assert list(one.structure.tags["site"]) == ["Na_e", "O"]


def test_same_value_same_bytes(tmp_path):
    for name in ("a", "b"):
        checkpoint.save(tmp_path / name, sample(), key="k")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_cut_and_a_flipped_bit_are_seen(tmp_path):
    path = tmp_path / "a.npz"
    checkpoint.save(path, sample(), key="k")
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptFileError):
            checkpoint.load(path, [Sample])
    for place in range(0, len(whole), 211):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CorruptFileError):
            checkpoint.load(path, [Sample], key="k")


def test_other_work_and_other_records_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    checkpoint.save(path, Stranger("x"), key="k")
    with pytest.raises(CorruptFileError, match="other work"):
        checkpoint.load(path, [Stranger], key="other")
    with pytest.raises(CorruptFileError, match="Stranger"):
        checkpoint.load(path, [Sample])


def test_a_step_runs_once_and_again_when_its_file_is_damaged(tmp_path):
    run = open_run(tmp_path / "run", "seed = 0\n", {"model": "x"}, resume=False)
    calls = []

    def compute():
        calls.append(1)
        return sample()

    run.step("relax", compute, [Sample])
    run.step("relax", compute, [Sample])
    assert len(calls) == 1
    file = run.path / "steps" / "relax.npz"
    file.write_bytes(file.read_bytes()[:-10])
    assert run.step("relax", compute, [Sample]).name == "P2"
    assert len(calls) == 2
    assert file.with_suffix(".corrupt").exists()


def test_a_run_folder_is_never_shared(tmp_path):
    open_run(tmp_path / "run", "seed = 0\n", {}, resume=False)
    with pytest.raises(InputError, match="--resume"):
        open_run(tmp_path / "run", "seed = 0\n", {}, resume=False)
    with pytest.raises(InputError, match="another study"):
        open_run(tmp_path / "run", "seed = 1\n", {}, resume=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        open_run(tmp_path / "full", "seed = 0\n", {}, resume=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        open_run(tmp_path / "file", "seed = 0\n", {}, resume=True)
