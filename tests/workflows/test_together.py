"""Work side by side: joint batches, the same numbers, one's fault is one's own."""

import threading

import numpy as np
import pytest

from simkit import build, potential, solve
from simkit.potential.base import Potential
from simkit.structure import Batch
from simkit.workflows import relax
from simkit.workflows.together import joined, parted, together


def cells():
    built = [build.bulk(build.Block(p, g, metals={"Co": 1.0}), (1, 1)).structure for p, g in (("O3", 3), ("P2", 2))]
    rng = np.random.default_rng(1)
    moved = [s.moved_to(s.positions + rng.normal(0, 0.05, s.positions.shape)) for s in built]
    return [*moved, built[0]]


class Noted(Potential):
    """Morse, with the size of every batch it is asked for."""

    def __init__(self):
        self._inner = potential.load("morse")
        self.card, self.sizes, self.threads = self._inner.card, [], set()

    def _compute(self, batch, virials):
        self.sizes.append(len(batch))
        self.threads.add(threading.get_ident())
        if (np.diff(batch.starts) == 1).any():
            raise ValueError("one atom alone")
        return self._inner.evaluate_batch(batch, virials)


CONFIG = relax.Config(cell="free", fmax_eV_per_A=0.02, max_steps=40)


def relaxing(cell):
    return lambda model: relax.run(CONFIG, model, {"cell": cell}).outcomes["cell"]


def test_side_by_side_is_what_each_is_alone_bit_for_bit():
    model = Noted()
    found = together(model, [relaxing(cell) for cell in cells()])
    assert max(model.sizes) == 3
    for cell, outcome in zip(cells(), found, strict=True):
        (alone,) = solve.relax([cell], potential.load("morse"), "free", 0.02, solve.RelaxSettings(max_steps=40))
        assert outcome.steps == alone.steps
        assert np.array_equal(outcome.structure.positions, alone.structure.positions)
        assert np.array_equal(outcome.structure.cell, alone.structure.cell)
        assert outcome.evaluation.energy == alone.evaluation.energy


def test_rounds_do_not_depend_on_the_speed_of_threads():
    seen = []
    for _ in range(3):
        model = Noted()
        together(model, [relaxing(cell) for cell in cells()])
        seen.append(model.sizes)
    assert seen[0] == seen[1] == seen[2]


def test_each_pays_for_himself():
    atom = cells()[0].take(np.array([0]))
    jobs = [
        relaxing(cells()[0]),
        lambda model: model.evaluate([atom]),
        lambda model: 1 / 0,
        lambda model: "no question",
    ]
    first, second, third, fourth = together(Noted(), jobs)
    assert first.evaluation.finite
    assert isinstance(second, ValueError)
    assert isinstance(third, ZeroDivisionError)
    assert fourth == "no question"


def test_virials_go_to_those_who_ask():
    jobs = [lambda model, v=v: model.evaluate([cells()[0]], virials=v)[0] for v in (True, False)]
    with_virials, without = together(Noted(), jobs)
    assert with_virials.virials.shape == (len(cells()[0]), 3, 3)
    assert without.virials is None


def test_who_is_told_to_end_leaves_nobody_waiting(monkeypatch):
    before = threading.active_count()

    def told(self, timeout=None):
        raise KeyboardInterrupt

    started = threading.Event()

    def job(model):
        started.wait(5)
        for _ in range(1000):
            model.evaluate([cells()[0]])

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", told)
        with pytest.raises(KeyboardInterrupt):
            together(Noted(), [job, job])
    started.set()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(5)
    assert threading.active_count() <= before


def test_parts_of_a_joined_batch_are_the_batches():
    batches = [Batch.of(cells()[:2]), Batch.of(cells()[2:])]
    whole = potential.load("morse").evaluate_batch(joined(batches), True)
    for batch, part in zip(batches, parted(whole, batches), strict=True):
        alone = potential.load("morse").evaluate_batch(batch, True)
        for name in ("energy", "forces", "stress", "virials", "system_of"):
            assert np.array_equal(getattr(part, name), getattr(alone, name)), name


def test_parts_of_a_committees_batch_keep_what_its_members_say():
    batches = [Batch.of(cells()[:2]), Batch.of(cells()[2:])]
    model = potential.load("committee:lj,morse")
    for batch, part in zip(batches, parted(model.evaluate_batch(joined(batches), False), batches), strict=True):
        alone = model.evaluate_batch(batch, False).spread
        for name in ("energy", "forces", "members"):
            assert np.array_equal(getattr(part.spread, name), getattr(alone, name)), name
