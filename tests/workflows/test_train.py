"""Training on labels: what is fitted first, what mace-torch makes of it, how a folder is taken up again, what fails."""

import json
import math
import os
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from safetensors.numpy import load_file

from simkit import build, potential
from simkit.errors import InputError, SimkitError
from simkit.io import read_frames
from simkit.kernels.neighbours import pairs_within
from simkit.potential.mace_backend import quarantine
from simkit.structure import Batch, Structure
from simkit.workflows.distill import trainer
from simkit.workflows.distill.baseline import Baseline, fit
from simkit.workflows.distill.dataset import Labelled, labelled, read_extxyz, write_extxyz
from simkit.workflows.distill.history import DivergedError, Epoch, Reader, from_plain, merged, plain
from simkit.workflows.distill.starting import wider
from simkit.workflows.distill.train import Training, claim, held_out, like, read_trained, train

with quarantine():
    from mace.data.utils import KeySpecification, config_from_atoms

TINY = Training(
    channels=4,
    lmax=1,
    radial_mlp=(8,),
    bessel=4,
    epochs=2,
    batch_size=4,
    validation_fraction=0.2,
    threads=1,
    optimiser="soap",
)


def rattled(count=10, seed=0, metal="Mn"):
    """Cells of 14 atoms off their sites, labelled by a soft Morse potential."""
    generator, teacher = np.random.default_rng(seed), potential.load("morse")
    cell = build.bulk(build.Block("P2", 2, metals={metal: 1.0}, content=0.5), (1, 2)).structure
    moved = [cell.moved_to(cell.positions + generator.normal(0, 0.08, cell.positions.shape)) for _ in range(count)]
    return [labelled(s, e, "P2", "rattled") for s, e in zip(moved, teacher.evaluate(moved), strict=True)]


@pytest.fixture(scope="module")
def labels():
    return rattled()


@pytest.fixture(scope="module")
def trained(labels, tmp_path_factory):
    """A training of two epochs, and what the observer saw of it."""
    seen = []
    return train(
        labels, TINY, 1, tmp_path_factory.mktemp("train") / "a", observer=lambda *said: seen.append(said)
    ), seen


def weights(done):
    return load_file(done.model_path.with_suffix(".safetensors"))


def errors(model_path, file):
    """Root mean square errors of energy (meV/atom), forces (meV/A) and stress (meV/A^3) on a file of labels."""
    held = read_extxyz(file)
    answers = potential.load(f"simkit:{model_path}", device="cpu").evaluate([label.structure for label in held])
    pairs = list(zip(answers, held, strict=True))
    energy = [(a.energy - x.energy_eV) / len(x.structure) for a, x in pairs]
    forces = np.concatenate([(a.forces - x.forces).ravel() for a, x in pairs])
    stress = [a.stress - (np.nan if x.stress is None else x.stress) for a, x in pairs]
    return [1e3 * float(np.sqrt(np.mean(np.square(x)))) for x in (energy, forces, stress)]


def largest_difference(a, b):
    return max(float(np.abs(a[k].astype(float) - b[k].astype(float)).max()) for k in a if a[k].size)


def alone(numbers, energy_eV, seed=0):
    positions = np.random.default_rng(seed).uniform(0, 6, (len(numbers), 3))
    return Labelled(Structure(numbers, positions, np.eye(3) * 6), energy_eV, positions - 3, None, "x", "x", 0.0)


def test_energies_that_are_sums_over_elements_are_fitted_exactly():
    constants = {8: -5.0, 11: -1.5, 25: -9.0}
    cells = [[8, 8, 25], [8, 11, 25], [8, 8, 11, 11, 25], [8] * 4 + [25, 11]]
    given = [alone(cell, sum(constants[z] for z in cell), k) for k, cell in enumerate(cells)]
    found = fit(given, 5.0)
    assert found.energies_eV == pytest.approx(constants, abs=1e-10)  # float64 on numbers of order 10
    forces = np.concatenate([label.forces for label in given])
    assert found.scale == pytest.approx(np.sqrt(np.mean(forces**2)), rel=1e-12)


def test_constants_that_the_labels_leave_open_are_equal():
    found = fit([alone([8, 8, 25], -30.0), alone([8, 8, 25] * 2, -66.0)], 5.0)
    assert list(found.energies_eV.values()) == pytest.approx([-10.5, -10.5], abs=1e-10)  # mean of -10 and -11 per atom


def test_neighbours_are_counted_from_both_sides(labels):
    s = labels[0].structure
    batch = Batch.of([s])
    pairs = pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, 4.0)
    counted = np.bincount(pairs.first, minlength=len(s)) + np.bincount(pairs.second, minlength=len(s))
    assert fit(labels[:1], 4.0).neighbours == pytest.approx(counted.mean(), rel=1e-12)


def test_labels_without_forces_to_learn_are_refused():
    still = alone([8, 25], -1.0)
    zero = Labelled(still.structure, -1.0, np.zeros((2, 3)), None, "x", "x", 0.0)
    with pytest.raises(InputError, match="forces of 0 eV/A"):
        fit([zero], 5.0)


def test_the_trainer_gets_its_share_of_a_batch_and_our_statistics(tmp_path):
    settings = Training(batch_size=6, processes=2, learning_rate=0.01, final_learning_rate=1e-4, epochs=5)
    words = trainer.arguments(settings, Baseline({8: -5.0, 25: -9.0}, 2.0, 40.0), trainer.Place(tmp_path, 3))
    assert {"--batch_size=3", "--E0s={8: -5.0, 25: -9.0}", "--std=2.0", "--distributed"} <= set(words)
    gamma = float(next(word for word in words if "gamma" in word).partition("=")[2])
    assert 0.01 * gamma**4 == pytest.approx(1e-4)
    assert "--distributed" not in trainer.arguments(TINY, Baseline({8: 0.0}, 1.0, 1.0), trainer.Place(tmp_path, 3))


def line(**facts):
    return json.dumps(facts) + "\n"


def test_the_reader_takes_whole_lines_once_and_averages_steps(tmp_path):
    path = tmp_path / "lines.txt"
    reader = Reader(path, lambda epoch: 0.1**epoch)
    assert reader.new() == []
    whole = line(mode="eval", epoch=None, loss=9.0) + line(mode="opt", epoch=0, loss=2.0)
    last = line(mode="eval", epoch=0, loss=1.0, rmse_e_per_atom=0.004, rmse_f=0.1)
    path.write_text(whole + line(mode="opt", epoch=0, loss=4.0) + last[:10])
    assert reader.new() == []
    path.write_text(whole + line(mode="opt", epoch=0, loss=4.0) + last)
    (found,) = reader.new()
    assert (found.training_loss, found.validation_loss, found.learning_rate) == (3.0, 1.0, 1.0)
    assert (found.energy_rmse_meV_per_atom, found.force_rmse_meV_per_A) == (4.0, 100.0)
    assert math.isnan(found.stress_rmse_meV_per_A3)
    assert reader.new() == []


def test_a_loss_that_is_no_number_is_noticed(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(line(mode="opt", epoch=2, loss=math.nan))
    with pytest.raises(DivergedError, match="nan in epoch 2"):
        Reader(path, float).new()


def test_epochs_run_again_replace_what_followed():
    old = tuple(Epoch(k, 0.1, 1.0, 1.0, 1.0, 1.0, math.nan) for k in range(4))
    again = Epoch(2, 0.1, 0.5, 0.5, 0.5, 0.5, math.nan)
    assert [item.training_loss for item in merged(old, (again,))] == [1.0, 1.0, 0.5]
    assert math.isnan(from_plain(plain(old))[3].stress_rmse_meV_per_A3)


def test_what_cannot_be_trained_is_refused_before_anything_is_written(labels, tmp_path):
    broken = Labelled(labels[0].structure, math.nan, labels[0].forces, None, "x", "x", 0.0)
    cases = [
        ([*labels, broken], TINY, "label 10"),
        (labels[:4], TINY, "fewer than batch_size"),
        (labels, TINY.model_copy(update={"processes": 3}), "cannot be shared by 3"),
        (labels, TINY.model_copy(update={"processes": 2, "device": "cuda"}), "processes = 1 on cuda"),
    ]
    for given, settings, says in cases:
        with pytest.raises(InputError, match=says):
            train(given, settings, 1, tmp_path / "a")
    with pytest.raises(InputError, match="no model to start from"):
        train(labels, TINY, 1, tmp_path / "a", start=tmp_path / "absent.json")
    with pytest.raises(InputError, match="no finished training"):
        read_trained(tmp_path)
    assert not (tmp_path / "a").exists()


def test_a_folder_belongs_to_one_training(tmp_path):
    request = {"seed": 1, "labels": "x", "start": "", "settings": {"epochs": 2}}
    claim(tmp_path, request)
    claim(tmp_path, request)
    with pytest.raises(InputError, match=r"other seed, labels, epochs \(2 there, 3 here\)"):
        claim(tmp_path, {**request, "seed": 2, "labels": "y", "settings": {"epochs": 3}})


def test_the_model_has_the_errors_that_the_trainer_reports(trained):
    """mace's numbers against ours from the files: units, signs, order of stresses and element constants agree."""
    done, seen = trained
    ours = errors(done.model_path, done.model_path.parent / "valid.extxyz")
    said = done.history[done.best_epoch]
    theirs = [said.energy_rmse_meV_per_atom, said.force_rmse_meV_per_A, said.stress_rmse_meV_per_A3]
    assert ours == pytest.approx(theirs, rel=1e-4)  # float32 in both, summed in another order
    assert min(ours) > 1.0  # the comparison is of something
    assert [epoch for epoch, _ in seen] == [0, 1]
    assert seen[1][1]["validation_loss"] == done.history[1].validation_loss
    rates = [TINY.learning_rate, TINY.final_learning_rate]
    assert [item.learning_rate for item in done.history] == pytest.approx(rates)


def test_a_finished_folder_is_read_back_and_another_request_refused(trained, labels):
    done, _ = trained
    folder, stamp = done.model_path.parent, done.model_path.stat().st_mtime_ns
    again = train(labels, TINY.model_copy(update={"threads": 2}), 1, folder)  # threads do not make another training
    assert again == done
    assert done.model_path.stat().st_mtime_ns == stamp
    for given, settings, seed, says in (
        (labels, TINY, 2, "seed"),
        (labels[::-1], TINY, 1, "labels"),
        (labels, TINY.model_copy(update={"lmax": 2}), 1, "lmax"),
    ):
        with pytest.raises(InputError, match=f"other {says}"):
            train(given, settings, seed, folder)


def test_a_start_must_know_the_elements_and_have_the_shape(trained, labels, tmp_path):
    folder = trained[0].model_path.parent
    with pytest.raises(InputError, match=r"hold Co, which model\.json has never seen"):
        train(rattled(metal="Co"), TINY, 1, tmp_path / "b", start=folder)
    other = TINY.model_copy(update={"channels": 3, "bessel": 3})
    with pytest.raises(InputError, match="channels = 4, bessel = 4"):
        train(labels, other, 1, tmp_path / "b", start=folder)
    assert like(other, folder) == TINY
    assert wider(other, folder, {"channels": None, "bessel": None}) == TINY
    assert wider(other, folder, {"channels": 7}) == TINY.model_copy(update={"channels": 7})


def test_a_start_may_be_made_wider(trained, labels, tmp_path):
    start = trained[0].model_path.parent
    settings = wider(TINY, start, {"channels": 6, "bessel": 5}).model_copy(
        update={"epochs": 1, "learning_rate": 1e-9, "final_learning_rate": 1e-9, "huber_eV_per_A": 1e-4}
    )
    done = train(labels, settings, 1, tmp_path / "wide", start=start)
    assert {x.shape[-1] for name, x in weights(done).items() if name.endswith("weights_max")} == {6}
    ours = errors(done.model_path, start / "valid.extxyz")
    assert ours == pytest.approx(errors(trained[0].model_path, start / "valid.extxyz"), rel=1e-4)  # float32


def test_labels_of_large_forces_weigh_less_where_a_scale_is_given(labels, tmp_path):
    words = trainer.arguments(TINY.model_copy(update={"huber_eV_per_A": 0.2}), Baseline({8: 0.0}, 1.0, 1.0),
                              trainer.Place(tmp_path, 3))  # fmt: skip
    assert "--huber_delta=0.2" in words
    size = np.sqrt(np.mean(np.sum(labels[0].forces ** 2, axis=1)))
    scaled = Labelled(labels[0].structure, 0.0, labels[0].forces * 4 / size, None, "x", "x", 0.0)
    write_extxyz(tmp_path / "a.extxyz", [scaled, alone([8, 25], -1.0)], 3.0)
    first, second = read_frames(tmp_path / "a.extxyz")
    assert first.metadata["config_forces_weight"] == pytest.approx(3 / 5)  # 3 / sqrt(3^2 + 4^2)
    assert second.metadata["config_forces_weight"] > 3 / 5
    write_extxyz(tmp_path / "b.extxyz", [scaled])
    assert "config_forces_weight" not in read_frames(tmp_path / "b.extxyz")[0].metadata
    keys = KeySpecification({"energy": "REF_energy"}, {"forces": "REF_forces"})
    found = config_from_atoms(read(tmp_path / "a.extxyz", 0), keys).property_weights  # the names that mace reads
    assert found == pytest.approx({"forces": 3 / 5, "energy": 3 / 5})


def test_labels_are_split_by_the_seed_and_none_is_lost(trained, labels):
    folder = trained[0].model_path.parent
    parts = [read_extxyz(folder / name) for name in ("train.extxyz", "valid.extxyz")]
    assert [len(part) for part in parts] == [8, 2]
    assert sorted(x.energy_eV for part in parts for x in part) == sorted(x.energy_eV for x in labels)
    assert held_out(1, TINY.model_copy(update={"processes": 2})) == 2


def test_a_checkpoint_that_was_cut_short_is_set_aside(trained, tmp_path):
    place = trainer.Place(trained[0].model_path.parent, 1)
    assert place.checkpoint() == trained[0].best_epoch == 1
    whole = place.checkpoints()[1].read_bytes()
    copy = trainer.Place(tmp_path, 1)
    folder = copy.mace / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "model_run-1_epoch-3.pt").write_bytes(whole)
    (folder / "model_run-1_epoch-4.pt").write_bytes(whole[:-100])
    with zipfile.ZipFile(folder / "model_run-1_epoch-5.pt", "w") as closed:  # so torch leaves it when stopped
        closed.writestr("model_run-1_epoch-5/version", "3\n")
    assert copy.checkpoint() == 3
    assert (folder / "model_run-1_epoch-4.corrupt").exists()
    assert (folder / "model_run-1_epoch-5.corrupt").exists()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_does_not(trained, labels, tmp_path):
    first = weights(trained[0])
    again, other = (weights(train(labels, TINY, seed, tmp_path / str(seed))) for seed in (1, 2))
    assert largest_difference(first, again) == 0.0
    assert largest_difference(first, other) > 1e-3


@pytest.mark.slow
def test_two_processes_train_the_model_that_one_does(labels, tmp_path):
    """With all labels in each step both see the same gradients: the mean over the processes is that of the batch."""
    # SOAP's eigenbases tell rounding apart, Adam's steps do not
    settings = TINY.model_copy(update={"batch_size": 8, "epochs": 3, "optimiser": "adam"})
    one = train(labels, settings, 1, tmp_path / "one")
    two = train(labels, settings.model_copy(update={"processes": 2}), 1, tmp_path / "two")
    assert largest_difference(weights(one), weights(two)) < 1e-5  # float32 sums in another order, steps of 0.01
    assert one.history[2].force_rmse_meV_per_A == pytest.approx(two.history[2].force_rmse_meV_per_A, rel=1e-5)


@pytest.mark.slow
def test_an_interrupted_training_goes_on(labels, tmp_path):
    settings = TINY.model_copy(update={"epochs": 20})

    def stop(epoch, facts):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(labels, settings, 1, tmp_path / "a", observer=stop)
    assert not running(tmp_path / "a")
    epochs = []
    done = train(labels, settings, 1, tmp_path / "a", observer=lambda epoch, facts: epochs.append(epoch))
    assert 1 <= done.resumed_at[0] < 20  # the trainer may be some epochs ahead of what is seen of it
    assert epochs == list(range(done.resumed_at[0], 20))
    assert [item.epoch for item in done.history] == list(range(20))
    assert done.history[-1].training_loss < done.history[0].training_loss


@pytest.mark.slow
def test_a_start_gives_its_weights_and_constants(trained, labels, tmp_path):
    """Steps of 1e-12 leave what was there, though these labels alone would give other constants."""
    done, _ = trained
    still = TINY.model_copy(update={"learning_rate": 1e-12, "final_learning_rate": 1e-12, "epochs": 1})
    shifted = [Labelled(x.structure, x.energy_eV + 5000, x.forces, None, "a", "b", 0.0) for x in labels]
    tuned = train(shifted, still, 7, tmp_path / "a", start=done.model_path.parent)
    assert largest_difference(weights(done), weights(tuned)) < 1e-7  # float32 rounding of numbers of order 1
    assert tuned.baseline.energies_eV == pytest.approx(done.baseline.energies_eV, rel=1e-6)  # kept in float32
    said, wrong = tuned.history[0], errors(done.model_path, tmp_path / "a" / "valid.extxyz")
    assert [said.energy_rmse_meV_per_atom, said.force_rmse_meV_per_A] == pytest.approx(wrong[:2], rel=1e-4)
    assert wrong[0] > 1e5  # 5000 eV on 14 atoms: the constants were not fitted again
    assert math.isnan(said.stress_rmse_meV_per_A3)


@pytest.mark.slow
def test_a_training_that_diverges_says_so(labels, tmp_path):
    wild = TINY.model_copy(update={"learning_rate": 1e25, "final_learning_rate": 1e25, "epochs": 50})
    with pytest.raises(DivergedError, match=r"lower learning_rate.*trainer.log"):
        train(labels, wild, 1, tmp_path / "a")
    with pytest.raises(InputError, match="diverged"):
        train(labels, wild, 1, tmp_path / "a")


@pytest.mark.slow
def test_when_one_process_dies_the_others_are_ended(labels, tmp_path):
    endless = TINY.model_copy(update={"processes": 2, "epochs": 100_000})

    def kill(epoch, facts):
        last = [pid for pid, words in running(tmp_path / "a") if words[-1] == "1"]
        for pid in last:
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(SimkitError, match="ended with status"):
        train(labels, endless, 1, tmp_path / "a", observer=kill)
    assert not running(tmp_path / "a")


def running(folder):
    """(process, words) of the trainers of a folder that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text().rstrip("\0").split("\0")
        except OSError:
            continue
        if str(folder / "job.json") in words:
            found.append((int(path.parent.name), words))
    return found
