"""Committees: mean and spread by hand, derivatives, and the structures members disagree about."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conformance import a_batch_is_its_structures_one_by_one, derivatives, invariances, layered
from scipy.stats import chi2
from small_mace import small_mace

from simkit import potential, solve
from simkit.errors import InputError
from simkit.potential import Committee, Limits, Watched, cards, planner, watched
from simkit.potential.committee import difference_spread, energy_spread, force_spread
from simkit.solve.descent import from_arrays, run, to_arrays
from simkit.solve.relaxation import outcomes, prepare_relaxation
from simkit.structure import Batch, Structure

DEPTHS = (0.27, 0.30, 0.36)


def members(depths=DEPTHS):
    return [potential.morse(depth, 1.3, 2.4, 5.5) for depth in depths]


def batch_of_three():
    small = layered(seed=1)
    return [layered(), small.take(np.arange(5)), layered(seed=2).repeated(2, 1, 1)]


@pytest.fixture
def committee():
    return Committee(members())


def test_mean_and_spread_by_hand(committee):
    batch = Batch.of(batch_of_three())
    said = [m.evaluate_batch(batch, virials=True) for m in members()]
    found = committee.evaluate_batch(batch, virials=True)
    for name in ("energy", "forces", "stress", "virials"):
        a, b, c = (getattr(one, name) for one in said)
        np.testing.assert_allclose(getattr(found, name), (a + b + c) / 3, rtol=1e-14, atol=1e-14)
    for system in range(3):
        a, b, c = (one.energy[system] for one in said)
        mean = (a + b + c) / 3
        wanted = np.sqrt(((a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2) / 2) / (8, 5, 16)[system]
        assert found.spread.energy[system] == pytest.approx(wanted, rel=1e-12)
    for atom in (0, 9, 20):
        vectors = [one.forces[atom] for one in said]
        mean = sum(vectors) / 3
        wanted = np.sqrt(sum((v - mean) @ (v - mean) for v in vectors) / 3)
        assert found.spread.forces[atom] == pytest.approx(wanted, rel=1e-12)


def test_members_that_differ_by_a_factor_differ_by_that_factor(committee):
    """Energies and forces are proportional to the depth: the closed form of both spreads."""
    e = committee.evaluate([layered()])[0]
    depths = np.array(DEPTHS)
    assert e.spread.energy == pytest.approx(abs(e.energy) / 8 * depths.std(ddof=1) / depths.mean(), rel=1e-12)
    lengths = np.linalg.norm(e.forces, axis=1)
    np.testing.assert_allclose(e.spread.forces, lengths * depths.std() / depths.mean(), rtol=1e-12)
    assert e.spread.largest == e.spread.forces.max()


def test_what_each_member_says_is_kept_structure_by_structure(committee):
    structures = batch_of_three()
    alone = [[m.evaluate([s])[0].energy for m in members()] for s in structures]
    for e, wanted in zip(committee.evaluate(structures), alone, strict=True):
        np.testing.assert_allclose(e.spread.members, wanted, rtol=1e-12)


def test_differences_are_known_better_than_energies():
    """Offsets of the members cancel: what is left are the factors 1, 2, 4 of a rise of 0.1 eV, by hand."""
    offsets, rise = np.array([0.0, 3.0, -5.0]), 0.1 * np.array([1.0, 2.0, 4.0])
    found = difference_spread(np.array([offsets, offsets + rise, offsets - rise]))
    np.testing.assert_allclose(found, [0.0, *[0.1 * np.sqrt(7 / 3)] * 2], atol=1e-15)


def test_identical_members_have_no_spread():
    one = members()[0]
    e = Committee([one, one, one]).evaluate([layered()])[0]
    alone = one.evaluate([layered()])[0]
    assert e.spread.energy < 1e-15  # eV/atom: rounding of the mean of three equal numbers
    assert e.spread.forces.max() < 1e-15
    assert e.energy == pytest.approx(alone.energy, rel=1e-15)
    np.testing.assert_allclose(e.forces, alone.forces, atol=1e-15)
    assert alone.spread is None


def test_an_offset_of_a_member_spreads_energies_and_no_forces():
    """A constant per atom, as two trainings leave it, cancels from forces: limits belong there."""

    class Shifted(potential.Potential):
        def __init__(self, inner, offset):
            self.card, self._inner, self._offset = inner.card, inner, offset

        def _compute(self, batch, virials):
            e = self._inner.evaluate_batch(batch, virials)
            return replace(e, energy=e.energy + self._offset * np.bincount(batch.system_of))

    one = members()[0]
    found = Committee([one, Shifted(one, 0.01), Shifted(one, 0.03)]).evaluate(batch_of_three())
    for e in found:
        assert e.spread.energy == pytest.approx(np.std([0, 0.01, 0.03], ddof=1), rel=1e-9)
        assert e.spread.largest < 1e-14


def test_a_committee_conforms_and_has_the_derivatives_of_its_energy(committee):
    invariances(committee, layered())
    derivatives(committee, layered())


def test_every_structure_keeps_its_own_spread(committee):
    structures = batch_of_three()
    together = committee.evaluate(structures)
    a_batch_is_its_structures_one_by_one(committee, structures)
    for s, e in zip(structures, together, strict=True):
        alone = committee.evaluate([s])[0]
        assert e.spread.forces.shape == (len(s),)
        np.testing.assert_allclose(e.spread.forces, alone.spread.forces, rtol=1e-9)
        assert e.spread.energy == pytest.approx(alone.spread.energy, rel=1e-9)


def test_counting_summing_and_cutting_into_parts_keep_the_spread(committee, monkeypatch):
    batch = Batch.of(batch_of_three())
    plain = committee.evaluate_batch(batch).spread
    counted = potential.Counted(committee).evaluate_batch(batch).spread
    lj = potential.load("lj")
    summed = potential.SumPotential([committee, lj], committee.card).evaluate_batch(batch)
    double = potential.SumPotential([committee, committee], committee.card).evaluate_batch(batch)
    monkeypatch.setattr(planner, "free_bytes", lambda device: 1e9)
    monkeypatch.setattr(planner, "expected_edges", lambda batch, cutoff: np.full(len(batch), 4e8))
    calls = []

    def part(batch, virials):
        calls.append(len(batch))
        return committee.evaluate_batch(batch, virials)

    parts = planner.evaluate_in_parts(part, batch, False, (torch.device("cpu"), 5.0, 1.0)).spread
    assert calls == [2, 1]
    for found in (counted, summed.spread, parts):
        np.testing.assert_allclose(found.energy, plain.energy, rtol=1e-9)
        np.testing.assert_allclose(found.forces, plain.forces, rtol=1e-9)
    for found in (counted, parts):
        np.testing.assert_allclose(found.members, plain.members, rtol=1e-12)
    added = lj.evaluate_batch(batch).energy[:, None]
    np.testing.assert_allclose(summed.spread.members, plain.members + added, rtol=1e-12)
    assert double.spread.members is None
    np.testing.assert_allclose(double.spread.forces, np.sqrt(2) * plain.forces, rtol=1e-12)
    assert lj.evaluate_batch(batch).spread is None
    assert potential.SumPotential([lj, lj], lj.card).evaluate_batch(batch).spread is None


def test_a_relaxation_ends_with_the_spread_of_its_last_structure(committee):
    """Structures that converge early leave the batch and keep their own spread, also through saved arrays."""
    starts = [layered(rattle=0.01), layered(rattle=0.1, seed=3)]
    descent = prepare_relaxation(starts, committee, "fixed", 0.02, solve.RelaxSettings(max_steps=200))
    state = run(descent)
    ended = outcomes(descent, from_arrays(to_arrays(state)))
    assert ended[0].steps != ended[1].steps
    for outcome in ended:
        again = committee.evaluate([outcome.structure])[0]
        np.testing.assert_allclose(outcome.evaluation.spread.forces, again.spread.forces, atol=1e-12)
        assert outcome.evaluation.spread.energy == pytest.approx(again.spread.energy, rel=1e-9)
    single = solve.relax(starts, members()[0], settings=solve.RelaxSettings(max_steps=3))
    assert single[0].evaluation.spread is None


def test_the_limit_is_what_chance_reaches_at_the_expected_error():
    """The worst of 200 atoms when each component of each member is off by 60 meV/A."""
    for count in (3, 4):
        quantile = 0.06 * np.sqrt(chi2.ppf(1 - 1 / 200, 3 * (count - 1)) / count)
        assert quantile == pytest.approx(watched.SPREAD_LIMIT_EV_PER_A, abs=0.005)
    noise = 0.06 * np.random.default_rng(0).normal(size=(3, 20000, 3))
    found = np.quantile(force_spread(noise), 1 - 1 / 200)
    assert found == pytest.approx(watched.SPREAD_LIMIT_EV_PER_A, abs=0.01)  # 100 of 20,000 lie above: 2 % of it


def stretched(scales):
    """Cells strained by these factors: the more, the larger the spread of forces."""
    base = layered(rattle=0.15, seed=5)
    return [base.strained_to(base.cell * scale) for scale in scales]


def spreads_of(potential_, structures):
    return [e.spread.largest for e in potential_.evaluate(structures)]


def test_doubtful_structures_are_kept_worst_first_and_no_others(committee):
    structures = stretched([0.80, 0.86, 0.92, 0.98])
    largest = np.array(spreads_of(committee, structures))
    assert len(set(largest)) == 4
    limit = float(np.sort(largest)[1:3].mean())
    looking = Watched(committee, Limits(limit, 10))
    result = looking.evaluate(structures)
    assert [one.spread.largest for one in looking.kept] == sorted(largest[largest > limit], reverse=True)
    worst = looking.kept[0]
    index = int(np.argmax(largest))
    np.testing.assert_array_equal(worst.structure.positions, structures[index].positions)
    np.testing.assert_array_equal(worst.structure.cell, structures[index].cell)
    np.testing.assert_array_equal(worst.spread.forces, result[index].spread.forces)
    seen = looking.take_seen()
    assert (seen.evaluations, seen.doubtful, seen.forces) == (4, 2, largest.max())
    assert seen.energy == max(e.spread.energy for e in result)
    assert looking.take_seen() == potential.Seen()


def test_at_most_so_many_are_kept_whatever_the_order(committee):
    structures = stretched([0.80, 0.85, 0.90, 0.95])
    order = np.argsort(spreads_of(committee, structures))
    for way in (order, order[::-1], [2, 0, 3, 1]):
        looking = Watched(committee, Limits(1e-6, 2))
        for k in way:
            looking.evaluate([structures[k]])
        kept = [one.spread.largest for one in looking.kept]
        assert kept == pytest.approx(sorted(spreads_of(committee, structures), reverse=True)[:2], rel=1e-12)


def test_near_structures_count_once_by_the_worst(committee):
    base = layered(rattle=0.15, seed=5)
    rng = np.random.default_rng(4)
    shaken = [base.moved_to(base.positions + 0.01 * rng.normal(size=(8, 3))) for _ in range(6)]
    imaged = base.moved_to(base.positions + base.cell[1])
    other = layered(rattle=0.15, seed=6)
    looking = Watched(committee, Limits(1e-6, 10))
    looking.evaluate([base, *shaken, imaged, other])
    largest = spreads_of(committee, [base, *shaken])
    assert [one.spread.largest for one in looking.kept] == pytest.approx(
        sorted([max(largest), *spreads_of(committee, [other])], reverse=True), rel=1e-9
    )
    assert looking.take_seen().doubtful == 9


def test_failed_trial_steps_are_neither_kept_nor_counted(committee):
    base = layered()
    collided = base.moved_to(np.concatenate([base.positions[:1], base.positions[:1] + 0.5, base.positions[2:]]))
    assert spreads_of(committee, [collided])[0] > 1e-3
    looking = Watched(committee, Limits(1e-3, 10))
    looking.evaluate([collided])
    assert looking.kept == ()
    assert looking.take_seen() == potential.Seen()
    inside_out = Batch(base.numbers, base.positions, base.cell[None, [1, 0, 2]], base.periodic[None], np.zeros(8, int))
    assert watched.labelable(inside_out, 0) is None
    np.testing.assert_array_equal(watched.labelable(Batch.of([collided, base]), 1).positions, base.positions)


def test_broken_numbers_pass_through_and_are_not_watched(committee):
    class Broken(potential.Potential):
        card = committee.card

        def _compute(self, batch, virials):
            e = committee.evaluate_batch(batch, virials)
            return replace(e, spread=potential.Spreads(e.spread.energy, np.full_like(e.spread.forces, np.nan)))

    looking = Watched(Broken(), Limits(1e-6, 10))
    assert np.isnan(looking.evaluate([layered()])[0].spread.largest)
    assert looking.kept == ()
    assert looking.take_seen().evaluations == 0


def test_an_infinite_member_gives_a_spread_that_is_no_number():
    energies = np.array([[1.0, np.inf], [1.2, 3.0]])
    found = energy_spread(energies, np.array([2, 2]))
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_a_plain_potential_is_not_watched():
    looking = Watched(members()[0], Limits(1e-9, 10))
    assert looking.evaluate([layered()])[0].spread is None
    assert looking.take_seen() == potential.Seen()
    assert looking.kept == ()


def test_what_was_kept_before_is_kept_on(committee):
    structures = stretched([0.80, 0.90])
    first = Watched(committee, Limits(1e-6, 10))
    first.evaluate(structures[:1])
    second = Watched(committee, Limits(1e-6, 10), first.kept)
    second.evaluate(structures)
    assert len(second.kept) == 2


def test_limits_that_cannot_work_are_refused(committee):
    for limits in (Limits(0.0, 5), Limits(float("nan"), 5), Limits(0.1, 0)):
        with pytest.raises(InputError, match="spread limit"):
            Watched(committee, limits)
    with pytest.raises(InputError, match="at least two"):
        Committee(members()[:1])


def test_words_make_committees():
    made = potential.load("committee:lj,morse")
    assert isinstance(made, Committee)
    lj, morse = potential.load("lj"), potential.load("morse")
    s = Structure([29] * 4, np.array([[0, 0, 0], [0, 1.85, 1.85], [1.85, 0, 1.9], [1.85, 1.85, 0]]), np.eye(3) * 3.7)
    e, a, b = (p.evaluate([s])[0] for p in (made, lj, morse))
    assert e.energy == pytest.approx((a.energy + b.energy) / 2, rel=1e-12)
    assert made.card.name == "committee:lj,morse"
    assert made.card.committee == ("lj", "morse")
    assert made.card.limits[-1].startswith("The spread shows where the members disagree")
    assert dict(potential.available())["committee:A,B,C"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("committee:lj", "two or more"),
        ("committee:lj,lj", "two or more"),
        ("committee:", "two or more"),
        ("committee:lj,committee:morse", "two or more"),
        ("committee:lj,mors", "did you mean 'morse'"),
        ("committee:lj,", "unknown potential"),
        ("comittee:lj,morse", "did you mean 'committee:...'"),
    ],
)
def test_committees_that_make_no_sense_are_named(spec, says):
    with pytest.raises(InputError, match=says):
        potential.load(spec)


def test_two_trainings_of_one_mace_make_a_committee(tmp_path):
    """Safe files loaded by a word: the members' own answers, and forces that are the slope of the mean energy."""
    rng = torch.Generator().manual_seed(1)
    for name, noise in (("a", 0.0), ("b", 0.05)):
        model = small_mace()
        with torch.no_grad():
            for weights in model.parameters():
                weights += noise * weights.std(unbiased=False) * torch.randn(weights.shape, generator=rng)
        potential.save_safe(model, tmp_path / name, potential.Card(name, "mace", "random weights"))
    specs = [f"simkit:{tmp_path / name}.json" for name in "ab"]
    made = potential.load(f"committee:{','.join(specs)}", device="cpu", dtype="float64")
    one, two = (potential.load(spec, device="cpu", dtype="float64").evaluate([layered()])[0] for spec in specs)
    e = made.evaluate([layered()], virials=True)[0]
    np.testing.assert_allclose(e.forces, (one.forces + two.forces) / 2, atol=1e-12)
    np.testing.assert_allclose(e.spread.forces, np.linalg.norm(one.forces - two.forces, axis=1) / 2, atol=1e-12)
    assert e.spread.energy == pytest.approx(abs(one.energy - two.energy) / np.sqrt(2) / 8, rel=1e-9)
    assert e.spread.largest > 0.01
    assert len(made.card.sha256) == 64
    assert made.card.elements == ("O", "Na", "Co")
    derivatives(made, layered())


def test_trust_of_a_member_is_its_own():
    request = potential.parse("committee:mace:a.model?trust=a.model,mace:b.model", "cpu", "float32", "b.model")
    assert [member.trust for member in request.members] == ["a.model", "b.model"]
    assert request.trust == "a.model"
    plain = potential.parse("committee:lj,morse", "cpu", "float32", None)
    assert plain.trust is None


def test_a_card_can_list_the_members_of_its_committee():
    card = cards.parse('name = "x"\nkind = "mace"\nsummary = "s"\ncommittee = ["simkit:x-1", "simkit:x-2"]', "x.toml")
    assert card.committee == ("simkit:x-1", "simkit:x-2")
