"""How work is cut and put together by the memory that the planner expects, and what starts without loading models."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit import build
from simkit.workflows.campaign import sizing

HEAVY = {"torch", "scipy", "ase", "pymatgen", "matplotlib", "numba", "spglib", "icet"}


@given(st.integers(1, 500), st.floats(0.01, 1e4), st.floats(0.1, 1e5), st.integers(1, 64))
def test_no_part_is_beyond_the_limit_unless_one_item_is(count, each_MB, most_MB, spread):
    parts = sizing.parts(count, each_MB, most_MB, spread)
    assert 1 <= parts <= count
    largest = -(-count // parts)
    assert largest == 1 or largest * each_MB <= most_MB * (1 + 1e-12)
    assert parts >= min(count, spread)


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=60), st.floats(0.1, 300.0), st.integers(1, 16))
@settings(max_examples=200)
def test_batches_hold_everything_once_in_order_and_fit(sizes, most_MB, spread):
    named = dict(enumerate(sizes))
    found = list(sizing.batches(list(named), named, most_MB, spread))
    assert [item for batch in found for item in batch] == list(named)
    for batch in found:
        assert len(batch) == 1 or sum(named[k] for k in batch) <= most_MB
        assert len(batch) <= -(-len(sizes) // spread)


def test_memory_follows_density_and_dtype():
    cell = build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), (1, 1)).structure
    larger = build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), (2, 2)).structure
    one, four = (sizing.memory_MB(s, "float32") for s in (cell, larger))
    assert four == pytest.approx(4 * one, rel=1e-4)
    assert sizing.memory_MB(cell, "float64") == pytest.approx(2 * one, rel=1e-4)
    neighbours = one * 1e6 / sizing.BYTES_PER_EDGE["float32"] / len(cell)
    assert 60 < neighbours < 140, "atoms of a layered oxide within 6 A"


def test_the_limit_is_that_of_the_campaign_else_of_the_device():
    assert sizing.limit_MB(3.5, "cuda") == 3500
    assert sizing.limit_MB(None, "cpu") == 2000
    assert sizing.limit_MB(None, "auto") == 16000


@pytest.mark.parametrize("module", ["simkit.cli", "simkit.cli.driving"])
def test_status_and_driver_load_nothing_that_computes(module):
    words = f"import {module}, sys; print(*sorted({{n.split('.')[0] for n in sys.modules}} & {HEAVY}))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_entry_point_stays_itself_when_commands_are_loaded():
    words = (
        "import simkit.cli.commands, simkit.cli; from simkit.cli import main; assert callable(simkit.cli.main) and main"
    )
    subprocess.run([sys.executable, "-c", words], check=True)
