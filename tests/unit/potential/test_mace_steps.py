"""Steps on a device, run on the CPU: the numbers of the plain path, whatever is kept, padded or outgrown."""

import numpy as np
import pytest
import torch
from conformance import layered
from scalar_mace import Shape, scalar_mace
from small_mace import small_mace
from torch.utils._python_dispatch import TorchDispatchMode

from simkit import potential
from simkit.potential import mace_steps
from simkit.potential.edge_buffers import FEWEST, capacity_for, rounded
from simkit.potential.mace import MACEPotential, Place, energies_and_gradient
from simkit.potential.mace_backend import o3
from simkit.potential.mace_frame import Reading, make_frame
from simkit.potential.mace_steps import DeviceSteps
from simkit.structure import Batch

CPU = torch.device("cpu")
CARD = potential.Card("m", "mace", "random")
EQUIVARIANT = {"hidden_irreps": o3.Irreps("4x0e+4x1o")}
KINDS = {
    "scalars": {},
    "vectors": EQUIVARIANT,
    "density": {"interaction_cls": "density", "interaction_cls_first": "density"},
    "repulsion": {"pair_repulsion": True},
    "transformed distances": {"distance_transform": "Agnesi"},
    "cutoff on the messages": {"apply_cutoff": False},
}


def module(kind="scalars"):
    more = dict(KINDS[kind])
    shape = Shape()
    if more.pop("interaction_cls", None):
        more.pop("interaction_cls_first")
        shape = Shape(
            interaction_cls="RealAgnosticDensityResidualInteractionBlock",
            interaction_cls_first="RealAgnosticDensityInteractionBlock",
        )
    return scalar_mace(shape, **more)


def made(kind="scalars", dtype="float64", neighbours="device"):
    place = Place(CPU, getattr(torch, dtype), path="torch", neighbours=neighbours)
    return MACEPotential(module(kind), CARD, place)


def cells():
    """A thin cell, one that leans, a supercell, a slab of one layer and a lone atom."""
    s = layered()
    lean = s.cell + np.outer([0.0, 0.0, 1.0], 0.8 * s.cell[0] + 1.3 * s.cell[1])
    layer = s.take(np.flatnonzero(np.abs(s.fractional[:, 2] - 0.5) < 0.2))
    lone = s.take([0])
    return [
        s,
        s.moved_to(s.fractional @ lean, lean),
        s.repeated(2, 1, 1),
        layer,
        lone.moved_to(lone.positions, 9 * np.eye(3)),
    ]


def rattled(structures, size, seed=0):
    rng = np.random.default_rng(seed)
    return [s.moved_to(s.positions + size * rng.normal(size=s.positions.shape)) for s in structures]


def alike(a, b, dtype="float64"):
    """The same numbers to what rounding of other orders of sums allows."""
    energy, force = {"float64": (1e-10, 1e-9), "float32": (1e-5, 1e-4)}[dtype]
    scale = max(1.0, np.abs(b.forces).max())
    assert (np.abs(a.energy - b.energy) <= energy * scale * np.bincount(b.system_of)).all()
    np.testing.assert_allclose(a.forces, b.forces, atol=force * scale)
    np.testing.assert_allclose(a.stress, b.stress, atol=force * scale)
    np.testing.assert_allclose(a.virials, b.virials, atol=10 * force * scale)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["scalars", "vectors"])
def test_a_step_says_what_the_plain_path_says(kind, dtype):
    batch = Batch.of(cells())
    one, other = (made(kind, dtype, where).evaluate_batch(batch, virials=True) for where in ("device", "host"))
    assert np.abs(other.forces).max() > 0.1, "the comparison is of something"
    alike(one, other, dtype)


def test_many_steps_are_those_of_the_plain_path_with_few_searches():
    """Atoms move, the cell breathes and leans, structures leave, the order changes: always the numbers of now."""
    ours, theirs = made(), made(neighbours="host")
    given = cells()
    for step in range(12):
        given = rattled(given, 0.02, step)
        if step % 3 == 2:
            cell = given[0].cell @ (np.eye(3) + 0.01 * np.random.default_rng(step).normal(size=(3, 3)))
            given[0] = given[0].moved_to(given[0].fractional @ cell, cell)
        some = given if step < 9 else given[::-1][:3]
        alike(*(p.evaluate_batch(Batch.of(some), virials=True) for p in (ours, theirs)))
    assert 2 <= ours.steps.searches <= 7, "lists serve more than one step"


def reading(cutoff=5.0, padded=False):
    return Reading(cutoff, 3, 0, torch.float64, CPU, padded)


def stepper(kind="scalars", padded=False, run=None, **more):
    plain = module(kind)
    return DeviceSteps(run or (lambda data: energies_and_gradient(plain, dict(data))), reading(padded=padded), **more)


def species(batch):
    return np.searchsorted([8, 11, 27], batch.numbers)


def test_edges_that_outgrow_their_buffers_are_not_lost():
    """An open cell is pressed together in one step by less than the skin allows: more edges, the same list."""
    s = layered("NaCoO").repeated(2, 2, 1)
    first = Batch.of([s.moved_to(s.positions * 1.03, s.cell * 1.03)])
    steps = stepper(skin_A=1.5)
    steps.evaluate(species(first), first, True)
    pressed = Batch.of([s.moved_to(s.positions * 0.93, s.cell * 0.93)])
    said = steps.evaluate(species(pressed), pressed, True)
    assert (steps.searches, steps.widenings) == (1, 1)
    alike(said, made(neighbours="host").evaluate_batch(pressed, virials=True))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_number(kind):
    """The gradient of a padding edge is zero itself, and neither capacity nor lone atoms change what comes back."""
    batch = Batch.of(cells())
    plain = module(kind)
    exact, padded = stepper(kind), stepper(kind, padded=True)
    wanted = exact.evaluate(species(batch), batch, True)
    alike(padded.evaluate(species(batch), batch, True), wanted)
    frame = exact._kept[-1].frame
    edges = int((frame.buffers.edge_vectors.norm(dim=1) < 5.0).sum())
    big = make_frame(batch, species(batch), 2 * edges + 100, reading(padded=True))
    big.buffers.index[:, :edges] = frame.buffers.index[:, :edges]
    big.buffers.vectors[:edges] = frame.buffers.vectors[:edges]
    energy, gradient = energies_and_gradient(plain, dict(big.data))
    assert (gradient[edges:] == 0.0).all()
    assert gradient[:edges].abs().max() > 0.1
    np.testing.assert_allclose(energy[: len(batch)], wanted.energy, rtol=1e-12)


def test_an_atom_without_neighbours_and_a_batch_of_such_need_no_other_way():
    lone = layered().take([2])
    batch = Batch.of([lone.moved_to(lone.positions, 20.0 * np.eye(3))] * 2)
    said, wanted = (made(neighbours=where).evaluate_batch(batch, virials=True) for where in ("device", "host"))
    np.testing.assert_array_equal(said.forces, 0.0)
    alike(said, wanted)


class Waits(TorchDispatchMode):
    """Notes operations that a host waits for: values asked for, and shapes that depend on values."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "_unique2", "equal", "bincount")

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        free = name == "repeat_interleave"  # its output size is always given here
        if name in self.NAMES and not free:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def test_no_operation_of_a_step_waits_for_the_device():
    """But a search: its candidates are counted."""
    batch = Batch.of(cells())

    def run(data):
        return torch.zeros(len(data["ptr"]) - 1, dtype=torch.float64), torch.zeros_like(data["shifts"])

    steps = stepper(run=run)
    with Waits() as searching:
        steps.evaluate(species(batch), batch, True)
    moved = batch.moved_to(batch.positions + 0.01)
    with Waits() as stepping:
        steps.evaluate(species(moved), moved, True)
    assert steps.searches == 1
    assert searching.found
    assert not stepping.found


def test_buffers_are_kept_between_steps_and_lists_of_several_batches_side_by_side():
    first, second = Batch.of(cells()), Batch.of(rattled(cells()[:2], 0.3))
    seen = []
    plain = module()

    def run(data):
        seen.append(data["shifts"].data_ptr())
        return energies_and_gradient(plain, dict(data))

    steps = stepper(run=run)
    for k in range(3):
        for batch in (first, second):
            steps.evaluate(species(batch), batch.moved_to(batch.positions + 0.01 * k), True)
    assert steps.searches == 2
    assert len(set(seen)) == 2
    many = [Batch.of(rattled([cells()[0].repeated(1, 1, 3)], 0.3, seed)) for seed in range(mace_steps.MOST_KEPT)]
    for k, batch in enumerate(many):
        batch = Batch(
            batch.numbers[: -k or None],
            batch.positions[: -k or None],
            batch.cells,
            batch.periodic,
            batch.system_of[: -k or None],
        )
        steps.evaluate(species(batch), batch, True)
    assert len(steps._kept) == mace_steps.MOST_KEPT


def test_the_same_places_with_other_species_are_another_batch():
    s = layered()
    other = type(s)(s.numbers[::-1], s.positions, s.cell)
    p, plain = made(), made(neighbours="host")
    for batch in (Batch.of([s]), Batch.of([other]), Batch.of([s])):
        alike(p.evaluate_batch(batch, virials=True), plain.evaluate_batch(batch, virials=True))


def test_running_out_of_memory_drops_what_is_kept_and_is_told_to_the_planner():
    batch = Batch.of(cells())
    full = [False]

    def run(data):
        if full[0]:
            raise torch.OutOfMemoryError("full")
        return energies_and_gradient(plain, dict(data))

    plain = module()
    steps = stepper(run=run)
    wanted = steps.evaluate(species(batch), batch, True)
    full[0] = True
    with pytest.raises(torch.OutOfMemoryError):
        steps.evaluate(species(batch), batch, True)
    assert not steps._kept
    full[0] = False
    alike(steps.evaluate(species(batch), batch, True), wanted)


def test_too_large_a_batch_is_halved_on_the_device_path_and_nothing_is_lost(monkeypatch):
    p, given = made(), cells() + rattled(cells(), 0.1)
    wanted = made(neighbours="host").evaluate_batch(Batch.of(given), virials=True)
    sizes, inner = [], p.steps._run

    def run(data):
        sizes.append(len(data["ptr"]) - 1)
        if sizes[-1] > 3:
            raise torch.OutOfMemoryError("full")
        return inner(data)

    monkeypatch.setattr(p.steps, "_run", run)
    alike(p.evaluate_batch(Batch.of(given), virials=True), wanted)
    assert sizes == [10, 5, 2, 3, 5, 2, 3]


def test_sizes_repeat_and_waste_little():
    counts = np.arange(FEWEST, 40_000)
    sizes = np.array([rounded(int(c)) for c in counts])
    assert (sizes >= counts).all()
    assert ((sizes - counts) / counts).max() <= 1 / 16
    assert len(set(sizes.tolist())) <= 16 * 10
    assert rounded(0) == rounded(FEWEST) == FEWEST
    assert all(rounded(int(size)) == size for size in set(sizes.tolist()))


def test_a_capacity_is_kept_while_it_fits_and_is_not_mostly_padding():
    first = capacity_for(10_000)
    assert first >= 10_200
    assert capacity_for(first, first) == first
    assert capacity_for(9_000, first) == first
    assert capacity_for(5_000, first) < 6_000
    assert capacity_for(first + 1, first) > first
    assert capacity_for(0) == FEWEST


def test_the_list_on_the_device_conforms_in_a_small_mace():
    p = MACEPotential(small_mace(), CARD, Place(CPU, torch.float64, neighbours="device"))
    assert p.path == "torch"
    assert "neighbours=device" in p.path_reason
    assert p.means == "backend=plain with neighbours=device and graphs=off"
