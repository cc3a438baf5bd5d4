"""Sequences of galleries: they always close, follow their law, and enter a stack through Block.pattern."""

import itertools
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.build import (
    PHASES,
    Block,
    Stack,
    basal_twin,
    bulk,
    classify,
    faulted,
    intergrowth,
    markov,
    phase_gradient,
    rebuild,
    same_cyclic,
    sequence,
    z_phase,
)
from simkit.build.stacking import RULES
from simkit.errors import InputError

FLIPPING = [name for name, (relation, _) in RULES.items() if relation < 0]
KEEPING = [name for name, (relation, _) in RULES.items() if relation > 0]
kinds = st.lists(st.sampled_from(sorted(RULES)), min_size=1, max_size=5, unique=True)
seeds = st.integers(0, 2**32 - 1)
QUICK = settings(max_examples=60, deadline=None)


def flips(names):
    return sum(name in FLIPPING for name in names)


@st.composite
def chains(draw):
    names = draw(kinds)
    weights = st.lists(st.floats(0.05, 1.0), min_size=len(names), max_size=len(names))
    rows = [draw(weights) for _ in names]
    return {a: {b: w / sum(row) for b, w in zip(names, row, strict=True)} for a, row in zip(names, rows, strict=True)}


@QUICK
@given(chains(), st.integers(1, 40), seeds)
def test_markov_sequences_close_whatever_the_chain(chain, gaps, seed):
    if all(name in FLIPPING for name in chain) and gaps % 2:
        with pytest.raises(InputError, match=f"use {gaps - 1} or {gaps + 1}"):
            markov(chain, gaps, seed)
        return
    names = markov(chain, gaps, seed)
    assert len(names) == gaps
    assert flips(names) % 2 == 0
    assert Stack.from_gaps(names).gaps() == names
    assert names == markov(chain, gaps, seed)


@QUICK
@given(st.integers(2, 30), seeds, st.sampled_from([("P2", "O3"), ("P2", "P3", "O1"), ("O2u", "O3", "P3")]))
def test_strict_markov_sequences_return_to_their_letters(gaps, seed, names):
    drawn = markov(dict.fromkeys(names, 1 / len(names)), gaps, seed, closure="strict")
    assert Stack.from_gaps(drawn, closure="strict").shear == 0


def ring_law(chain, gaps):
    """Probability of every closing sequence, by enumeration."""
    law = {}
    for names in itertools.product(chain, repeat=gaps):
        if flips(names) % 2 == 0:
            law[names] = np.prod([chain[a][b] for a, b in zip((names[-1], *names), names, strict=False)])
    total = sum(law.values())
    return {names: p / total for names, p in law.items()}


def test_markov_draws_follow_the_conditioned_law():
    chain = {"P2": {"P2": 0.7, "O3": 0.2, "P3": 0.1}, "O3": {"P2": 0.3, "O3": 0.7}, "P3": {"O3": 0.5, "P2": 0.5}}
    full = {a: {b: row.get(b, 0.0) for b in chain} for a, row in chain.items()}
    law = ring_law(full, 4)
    draws, count = {}, 2500
    for seed in range(count):
        names = tuple(markov(chain, 4, seed))
        draws[names] = draws.get(names, 0) + 1
    assert set(draws) <= {names for names, p in law.items() if p > 0}
    # five standard deviations of a binomial count; 41 sequences
    for names, p in law.items():
        assert abs(draws.get(names, 0) - count * p) < 5 * np.sqrt(count * p * (1 - p)) + 1


def test_forbidden_successors_never_occur():
    chain = {"P2": {"P2": 0.5, "O3": 0.5}, "O3": {"P2": 1.0}}
    for seed in range(50):
        names = markov(chain, 12, seed)
        assert not any(a == b == "O3" for a, b in zip(names, names[1:] + names[:1], strict=True))


@QUICK
@given(st.integers(1, 20), st.data(), seeds)
def test_z_phase_has_its_fraction_and_closes(pairs, data, seed):
    gaps = 2 * pairs
    count = data.draw(st.integers(0, gaps))
    for names in (z_phase(gaps, count / gaps), z_phase(gaps, count / gaps, seed)):
        assert sum(name != "P2" for name in names) == count
        stack = Stack.from_gaps(names)
        # one glide vector back and forth: only an odd number of faults leaves a letter over
        assert stack.shear == (0 if count % 2 == 0 else 1)
        assert stack.sense_class() == "+-"


def test_z_phase_runs_from_p2_through_op4_to_o2():
    assert z_phase(6, 0.0) == ["P2"] * 6
    assert same_cyclic(z_phase(4, 0.5), PHASES["OP4"])
    assert z_phase(4, 1.0) == ["O2u"] * 4
    assert z_phase(8, 0.25) == ["P2", "P2", "O2u", "P2", "P2", "P2", "O2l", "P2"]
    assert len({tuple(z_phase(16, 0.25, seed)) for seed in range(20)}) > 10


def test_faults_twins_and_gradients():
    assert faulted("O3", 6, 2, "P3") == ["O3", "O3", "P3", "O3", "O3", "O3"]
    assert faulted("P2", 4, [1, 3], "O2") == ["P2", "O2u", "P2", "O2u"]
    assert faulted("O3", 6, (0, 3), "P2") == ["P2", "O3", "O3", "P2", "O3", "O3"]
    assert basal_twin(3, 3) == [*["O3"] * 3, "P2", *["O3"] * 3, "P2"]
    assert Stack.from_gaps(basal_twin(3, 3), closure="strict").shear == 0
    assert Stack.from_gaps(basal_twin(3, 3, planes=("O2u", "O2l"))).shear == 2
    # two domains of opposite sense
    assert [s.s for s in Stack.from_gaps(basal_twin(2, 4)).slabs] == [1, 1, 1, -1, -1, -1, -1, -1]


@QUICK
@given(st.integers(4, 60), seeds)
def test_a_seeded_gradient_rises_and_closes(gaps, seed):
    names = phase_gradient("P2", "O3", gaps, seed=seed)
    assert flips(names) % 2 == 0
    assert set(names) <= {"P2", "O3"}


def test_gradients_follow_their_profile():
    even = phase_gradient("P2", "O3", 40)
    thirds = [even[:13].count("O3"), even[13:27].count("O3"), even[27:].count("O3")]
    assert thirds == sorted(thirds)
    assert even.count("O3") == 20
    peak = phase_gradient("O3", "P3", 20, "peak")
    assert peak[:3] == peak[-3:] == ["O3"] * 3
    assert peak[9:11] == ["P3", "P3"]
    drawn = np.mean([[n == "O3" for n in phase_gradient("P2", "O3", 30, seed=s)] for s in range(250)], axis=0)
    # 250 draws of p(1 - p) <= 1/4: four standard deviations are 0.126; conditioning on parity moves p by far less
    assert np.abs(drawn - (np.arange(30) + 0.5) / 30).max() < 0.13
    fixed = phase_gradient("P2", "O3", 4, [0, 0, 1, 1])
    assert fixed == ["P2", "P2", "O3", "O3"]


RECORDS = [
    (["P2", "O3", "P2", "O3", "O3"], 10),
    ({"sequence": "z", "fraction": 0.25}, 8),
    ({"sequence": "z", "fraction": 0.5, "seed": 4}, 8),
    ({"sequence": "markov", "table": {"P2": 0.5, "O3": 0.5}, "seed": 2}, 9),
    ({"sequence": "faulted", "phase": "O3", "at": 1, "kind": "O1"}, 6),
    ({"sequence": "twin", "first": 3, "second": 3, "planes": ["O2u", "O2l"]}, 8),
    ({"sequence": "gradient", "first": "P2", "second": "O3", "seed": 1}, 12),
]


@pytest.mark.parametrize(("pattern", "gaps"), RECORDS)
def test_a_block_takes_any_sequence_and_its_recipe_makes_the_same_cell(pattern, gaps):
    block = Block("mine", gaps, {"Mn": 1.0}, pattern=pattern)
    assert block.gap_names == sequence(pattern, gaps)
    assert Block.from_dict(json.loads(json.dumps(block.to_dict()))) == block
    assert pickle.loads(pickle.dumps(block)) == block
    model = bulk(block, (2, 2), seed=3)
    assert same_cyclic(classify(model.structure).stack.gaps(), block.gap_names)
    assert set(model.structure.tags["phase"].tolist()) == {"mine"}
    again = rebuild(json.loads(json.dumps(model.recipe)))
    assert again.structure.positions.tobytes() == model.structure.positions.tobytes()


def test_a_pattern_joins_other_phases():
    z = Block("Z", 6, {"Mn": 1.0}, content=2 / 3, pattern={"sequence": "z", "fraction": 1 / 3, "seed": 1})
    model = intergrowth([z, Block("O3", 3, {"Mn": 1.0})], (3, 3))
    assert model.report.gaps == (*z.gap_names, "O3", "O3", "O3")


BAD = [
    (lambda: faulted("O3", 6, 2, "P2"), "1 sense flips, an odd number.*use one of O3, P3, O1"),
    (lambda: faulted("O3", 6, 6, "P3"), "gallery 6 does not exist; 6 galleries are 0 to 5"),
    (lambda: faulted("O3", 6, 2, "O3"), "gallery 2 of O3 is O3 already"),
    (lambda: faulted("OP4", 6, 2, "P3"), "repeats every 4"),
    (lambda: basal_twin(3, 3, planes=("P2", "P3")), "a twin needs two of P2"),
    (lambda: basal_twin(2, 2, phase="P2"), "its mirror image is itself"),
    (lambda: z_phase(7, 0.5), "take 6 or 8"),
    (lambda: z_phase(10, 1 / 3), r"0.3 \(3 O galleries\) and 0.4 \(4\)"),
    (lambda: z_phase(10, 1.5), "from 0 to 1"),
    (lambda: markov({"P2": 1.0}, 5, 0), "use 4 or 6"),
    (lambda: markov({"P2": 0.5, "O3": 0.3}, 5, 0), "sums to 0.8"),
    (lambda: markov({"P2": {"O3": 1.0}}, 5, 0), "leads to O3, which has no row"),
    (lambda: markov({"P9": 1.0}, 4, 0), "gap 'P9' is unknown"),
    (lambda: markov({"P2": 1.0}, 4, -1), "seed = -1"),
    (lambda: phase_gradient("P2", "O3", 6), "3 sense flips, an odd"),
    (lambda: phase_gradient("P2", "O3", 6, "rises"), "did you mean 'rise'"),
    (lambda: phase_gradient("P2", "O3", 6, [0.5]), "give 6 numbers"),
    (lambda: sequence("P2", 2), "list of gap names"),
    (lambda: sequence({"sequence": "zz"}, 2), "did you mean 'z'|allowed"),
    (lambda: sequence({"sequence": "z", "fractoin": 0.5}, 2), "did you mean 'fraction'"),
    (lambda: sequence({"sequence": "z"}, 2), "takes the fields fraction, seed"),
    (lambda: sequence({"sequence": "twin", "first": 3, "second": 3}, 9), "makes 8 galleries, the block has gaps = 9"),
    (lambda: Block("mine", 5, pattern=["P2", "O3"]), "5 is no multiple"),
    (lambda: Block("a very long label", 2, pattern=["P2"]), "1 to 12 letters without a blank"),
    (lambda: Block("Z", 8), "phase 'Z' is unknown; a phase of your own has a pattern"),
]


@pytest.mark.parametrize(("make", "text"), BAD)
def test_impossible_sequences_say_what_is_wrong(make, text):
    with pytest.raises(InputError, match=text):
        make()


@settings(max_examples=25, deadline=None)
@given(chains(), st.integers(1, 12), st.integers(0, 1000), st.sampled_from(["Li", "Na"]))
def test_any_sequence_builds_and_reads_back(chain, gaps, seed, alkali):
    if all(name in FLIPPING for name in chain) and gaps % 2:
        gaps += 1
    names = markov(chain, gaps, seed)
    model = bulk(Block("any", gaps, {"Mn": 1.0}, alkali, pattern=names), (2, 2), seed=seed)
    found = classify(model.structure)
    assert found.stack == model.stack
    assert found.stack.gaps() == names
    assert model.report.counts == {alkali: 4 * gaps, "Mn": 4 * gaps, "O": 8 * gaps}
