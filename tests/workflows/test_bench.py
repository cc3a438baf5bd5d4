"""Timing a potential: what is timed is checked first, and the numbers add up."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from simkit import config, potential
from simkit.cli.commands import app
from simkit.errors import SimkitError
from simkit.potential.base import Evaluations, Potential
from simkit.workflows import bench

QUICK = {"sizes_atoms": [8, 32], "batches": [1, 3], "batch_atoms": 8, "steps": 3, "blocks": 2, "block_s": 0.001}


def settings(**more):
    return config.checked(bench.Config, QUICK | more)


def test_what_is_timed_has_the_sizes_asked_for():
    result = bench.run(settings(), potential.lennard_jones(0.01, 2.0, 5.0))
    assert [p.atoms for p in result.sizes] == [8, 32]
    assert [(p.structures, p.atoms) for p in result.batches] == [(1, 8), (3, 24)]
    assert all(0 < p.list_s < p.seconds for p in (*result.sizes, *result.batches))
    assert result.driver.evaluations == 3 * 4
    assert result.driver.overhead > 1
    assert len(result.lines) == 3 and len(result.rows) == 4


def test_supercells_are_even_and_near_the_size():
    for wanted in (8, 72, 200, 1000):
        s = bench.grown(bench.p2_cell(), wanted)
        assert abs(len(s) - wanted) <= 0.35 * wanted
        lengths = np.linalg.norm(s.cell, axis=1)
        assert lengths.max() / lengths.min() < 4.1  # the cell of 8 atoms has 3.9


class Leaking(Potential):
    """A potential whose energies depend on how many structures share the batch."""

    def __init__(self, inner):
        self.card, self.inner = inner.card, inner

    def _compute(self, batch, virials):
        e = self.inner.evaluate_batch(batch, virials)
        return Evaluations(e.energy + 1e-6 * len(batch), e.forces, e.stress, e.virials, e.system_of)


def test_a_potential_whose_numbers_depend_on_the_batch_is_not_timed():
    with pytest.raises(SimkitError, match="with the batch it is in; 1e-09 is allowed in float64"):
        bench.run(settings(), Leaking(potential.lennard_jones(0.01, 2.0, 5.0)))


def test_the_command_writes_table_figure_and_record(tmp_path):
    words = [f"--set={key}={value}" for key, value in QUICK.items()]
    out = tmp_path / "bench"
    done = CliRunner().invoke(
        app, ["bench", "--potential", "simkit:nalox", "--device", "cpu", "--out", str(out), *words]
    )
    assert done.exit_code == 0, done.output
    assert "us per atom and evaluation" in done.output and "% driver" in done.output
    record = json.loads((out / "bench.json").read_text())
    assert record["potential"] == "nalox" and len(record["rows"]) == 4
    assert (out / "bench.csv").read_text().startswith("kind,structures,atoms,seconds")
    assert (out / "bench.png").stat().st_size > 10_000 and (out / "bench.svg").exists()
