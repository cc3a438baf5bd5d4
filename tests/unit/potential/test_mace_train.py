"""Models in and out of mace-torch's trainer, and the processes that share a training."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conformance import layered
from small_mace import small_mace

from simkit import potential
from simkit.errors import CorruptFileError, InputError
from simkit.potential import mace_trainer
from simkit.potential.mace import MACEPotential, Place
from simkit.potential.mace_backend import quarantine
from simkit.potential.mace_soap import UnfoldedSOAP
from simkit.potential.mace_train import convert, trainable
from simkit.potential.mace_trainer import Job, adapted, end, environment, first_failure, run_train

CARD = potential.Card("small", "mace", "random weights")


def saved(module, path):
    with quarantine():  # torch warns that TorchScript is old
        torch.save(module, path)
    return path


def test_a_trained_model_is_the_same_in_the_safe_format(tmp_path):
    module = small_mace()
    base = convert(saved(module, tmp_path / "a.model"), tmp_path / "safe", CARD)
    ours = potential.load(f"simkit:{base}", dtype="float64", device="cpu").evaluate([layered()])[0]
    direct = MACEPotential(module, CARD, Place(torch.device("cpu"), torch.float64)).evaluate([layered()])[0]
    assert ours.energy == direct.energy
    np.testing.assert_array_equal(ours.forces, direct.forces)


def test_weights_that_are_no_numbers_are_not_made_a_model(tmp_path):
    module = small_mace()
    with torch.no_grad():
        next(module.parameters()).fill_(torch.nan)
    with pytest.raises(InputError, match="not finite: the training diverged"):
        convert(saved(module, tmp_path / "a.model"), tmp_path / "safe", CARD)
    assert not (tmp_path / "safe.json").exists()
    with pytest.raises(InputError, match="left no model"):
        convert(tmp_path / "absent.model", tmp_path / "safe", CARD)


def test_a_start_can_learn_and_has_one_head(tmp_path):
    potential.save_safe(small_mace(), tmp_path / "one", CARD)
    module = trainable(tmp_path / "one")
    assert module.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in module.parameters())
    with open(tmp_path / "one.safetensors", "r+b") as file:
        file.truncate(1000)
    with pytest.raises(CorruptFileError, match="checksum"):
        trainable(tmp_path / "one")
    potential.save_safe(small_mace(heads=["Default", "scan"]), tmp_path / "two", CARD)
    with pytest.raises(InputError, match="heads Default, scan"):
        trainable(tmp_path / "two")


def job(**changes):
    given = dict(arguments=(), processes=2, threads=1, start="", written="", result="", card={}, meeting="")
    return Job(**{**given, **changes})


def test_the_names_of_mace_are_put_back_even_after_a_failure(tmp_path):
    base = potential.save_safe(small_mace(), tmp_path / "m", CARD)
    before = run_train.DDP, run_train.configure_model, run_train.get_optimizer
    with pytest.raises(RuntimeError), adapted(job(start=str(base), fused=False)):
        assert run_train.DDP is mace_trainer.on_cpu
        module, outputs = run_train.configure_model(None, None, None)
        assert module.r_max == 5.0
        assert outputs["forces"]
        raise RuntimeError
    assert (run_train.DDP, run_train.configure_model, run_train.get_optimizer) == before


@pytest.mark.parametrize(("word", "kind"), [("soap", UnfoldedSOAP), ("adam", torch.optim.Adam)])
def test_the_optimiser_is_the_one_asked_for(tmp_path, word, kind):
    base = potential.save_safe(small_mace(), tmp_path / "m", CARD)
    args = run_train.tools.build_default_arg_parser().parse_args(["--name=a", "--lr=0.002"])
    with adapted(job(start=str(base), fused=False, optimiser=word)):
        module, _ = run_train.configure_model(None, None, None)
        optimiser = run_train.get_optimizer(args, run_train.get_params_options(args, module))
    assert isinstance(optimiser, kind)
    shapes = [tuple(p.shape) for group in optimiser.param_groups for p in group["params"]]
    assert ((16, 16) in shapes) == (word == "soap")
    assert {group["lr"] for group in optimiser.param_groups} == {0.002}


def test_each_process_knows_its_place():
    found = environment(job(threads=3), 1)
    assert (found["RANK"], found["WORLD_SIZE"], found["OMP_NUM_THREADS"]) == ("1", "2", "3")
    assert found["GLOO_SOCKET_IFNAME"].startswith("lo")  # nothing is offered to other machines


def sleeping(seconds, status):
    code = f"import sys, time; time.sleep({seconds}); sys.exit({status})"
    return subprocess.Popen([sys.executable, "-S", "-c", code])


def test_the_first_failure_ends_the_waiting_and_the_others():
    since, processes = time.monotonic(), [sleeping(600, 0), sleeping(0, 3)]
    try:
        assert first_failure(processes) == 3
    finally:
        end(processes)
    assert [process.poll() is not None for process in processes] == [True, True]
    assert time.monotonic() - since < 60  # not the 600 s that the first would have taken
    well = [sleeping(0, 0), sleeping(0, 0)]
    assert first_failure(well) == 0
    end(well)
