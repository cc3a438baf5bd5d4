"""When a step is recorded, what it is held to, and what happens where recording fails: a recorder in place of CUDA."""

import numpy as np
import pytest
import torch
from conformance import layered
from scalar_mace import Shape, scalar_mace

from simkit.errors import SimkitError
from simkit.potential import replays
from simkit.potential.mace import energies_and_gradient
from simkit.potential.mace_frame import Reading
from simkit.potential.mace_steps import DeviceSteps
from simkit.potential.replays import REPEATS, Replays, shape_of
from simkit.structure import Batch

CPU = torch.device("cpu")


def frozen_buffers(run, data):
    """What a CUDA graph does, without one: fixed input buffers, a program without arguments, fixed outputs."""
    buffers = {name: tensor.detach().clone() for name, tensor in data.items()}
    buffers["shifts"].requires_grad_(True)
    outputs = [part.clone() for part in run(buffers)]

    def replay(given):
        with torch.no_grad():
            for name, buffer in buffers.items():
                buffer.copy_(given[name])
        for kept, new in zip(outputs, run(buffers), strict=True):
            kept.copy_(new)
        return tuple(outputs)

    return replay


def deaf(run, data):
    """A recording that reads no input, as one does that was made with a constant inside."""
    outputs = tuple(part.clone() for part in run(data))
    return lambda given: outputs


def scaled(by):
    """A recording that is wrong by a factor."""
    return lambda run, data: lambda given: tuple(by * part for part in run(given))


def lopsided(run, data):
    """A recording whose first system is off by twice what its own atoms allow, less than those of all would."""
    atoms, all_atoms = int(data["ptr"][1] - data["ptr"][0]), len(data["node_attrs"])
    assert 2 * atoms < all_atoms

    def replay(given):
        energy, gradient = run(given)
        energy = energy.clone()
        energy[0] += 2 * atoms * replays.ALLOWED[torch.float64] * max(1.0, float(gradient.abs().max()))
        return energy, gradient

    return replay


def broken(run, data):
    raise RuntimeError("operation not permitted when stream is capturing\nand more")


def full(run, data):
    raise torch.OutOfMemoryError("full")


@pytest.fixture(scope="module")
def module():
    return scalar_mace(Shape())


def made(module, record=frozen_buffers, strict=True):
    """Steps whose program is recorded, and the recorder."""
    kept = Replays(lambda data: energies_and_gradient(module, dict(data)), record, strict)
    return DeviceSteps(kept, Reading(5.0, 3, 0, torch.float64, CPU, padded=True)), kept


def moved(step, repeats=(1, 1, 1), count=2):
    rng = np.random.default_rng(step)
    some = [layered(seed=k).repeated(*repeats) for k in range(count)]
    return Batch.of([s.moved_to(s.positions + 0.03 * rng.normal(size=s.positions.shape)) for s in some])


def asked(steps, batch):
    return steps.evaluate(np.searchsorted([8, 11, 27], batch.numbers), batch, True)


def test_a_shape_is_recorded_when_it_comes_again_and_replays_are_the_plain_numbers(module):
    steps, kept = made(module)
    plain = DeviceSteps(lambda data: energies_and_gradient(module, dict(data)), Reading(5.0, 3, 0, torch.float64, CPU))
    for step in range(REPEATS + 4):
        batch = moved(step)
        said, wanted = asked(steps, batch), asked(plain, batch)
        np.testing.assert_allclose(said.energy, wanted.energy, rtol=1e-12)
        np.testing.assert_allclose(said.forces, wanted.forces, atol=1e-9)
        np.testing.assert_allclose(said.virials, wanted.virials, atol=1e-9)
    assert (kept.recordings, kept.replayed) == (1, 4)


def test_a_structure_that_leaves_may_keep_the_shape_and_a_larger_one_makes_another(module):
    steps, kept = made(module)
    for step in range(REPEATS + 1):
        asked(steps, moved(step, count=3))
    assert kept.recordings == 1
    for step in range(REPEATS + 1):
        asked(steps, moved(step, (3, 3, 1), count=3))
    assert kept.recordings == 2
    before = kept.replayed
    asked(steps, moved(9, count=3))
    assert kept.replayed == before + 1, "the first shape is still there"


def test_an_element_that_changes_is_read_by_the_recording(module):
    """Species are inputs: a batch of the same shape with other atoms replays the same recording."""
    steps, kept = made(module)
    for step in range(REPEATS + 1):
        asked(steps, moved(step))
    batch = moved(0)
    other = Batch(batch.numbers[::-1].copy(), batch.positions, batch.cells, batch.periodic, batch.system_of)
    plain = DeviceSteps(lambda data: energies_and_gradient(module, dict(data)), Reading(5.0, 3, 0, torch.float64, CPU))
    np.testing.assert_allclose(asked(steps, other).forces, asked(plain, other).forces, atol=1e-9)
    assert (kept.recordings, kept.replayed) == (1, 2)


@pytest.mark.parametrize("record", [deaf, scaled(1.0 + 1e-6), scaled(float("nan")), lopsided])
def test_a_recording_that_disagrees_is_refused_with_the_numbers(module, record):
    steps, _ = made(module, record, strict=False)
    for step in range(REPEATS):
        asked(steps, moved(step))
    with pytest.raises(SimkitError, match=r"differs from the plain one by \S+ eV/A .* is allowed; use graphs=off"):
        asked(steps, moved(REPEATS))


def test_where_recording_fails_the_reason_is_kept_or_raised(module):
    steps, kept = made(module, broken, strict=False)
    wanted, _ = made(module)
    for step in range(REPEATS + 3):
        np.testing.assert_array_equal(asked(steps, moved(step)).forces, asked(wanted, moved(step)).forces)
    assert kept.recordings == 0
    assert kept.reason.endswith("could not be recorded: operation not permitted when stream is capturing")
    strict, _ = made(module, broken, strict=True)
    for step in range(REPEATS):
        asked(strict, moved(step))
    with pytest.raises(SimkitError, match="stream is capturing; use graphs=off"):
        asked(strict, moved(REPEATS))


def test_no_memory_for_a_recording_is_no_memory_for_the_batch(module):
    steps, kept = made(module, full, strict=False)
    for step in range(REPEATS):
        asked(steps, moved(step))
    with pytest.raises(torch.OutOfMemoryError):
        asked(steps, moved(REPEATS))
    assert kept.reason is None


def test_the_recording_used_longest_ago_goes_first(module, monkeypatch):
    monkeypatch.setattr(replays, "MOST_RECORDED", 2)
    run = lambda data: (data["ptr"].double()[1:], data["shifts"].detach() * 2)  # noqa: E731
    kept = Replays(run, frozen_buffers, strict=True)

    def frame(edges):
        names = {"node_attrs": torch.zeros(4, 3), "ptr": torch.tensor([0, 4]), "unit_shifts": torch.zeros(edges, 3)}
        return {**names, "shifts": torch.ones(edges, 3)}

    for edges in (64, 68, 64, 72):
        for _ in range(REPEATS + 1):
            kept(frame(edges))
    assert {shape[2] for shape in kept._recorded} == {64, 72}
    assert shape_of(frame(64)) == (4, 1, 64)
