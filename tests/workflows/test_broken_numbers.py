"""Runs whose numbers break stop with a status, and keep everything up to there."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from study_runs import TINY

from simkit import config, potential
from simkit.errors import InputError, Stopped
from simkit.potential import Evaluations, Potential
from simkit.workflows import study


class BreaksAfter(Potential):
    """The embedded potential for so many batched calls, then energies and forces that are not numbers."""

    def __init__(self, calls: int) -> None:
        self._inner = potential.load("chgnet+d3", device="cpu", dtype="float64")
        self.card = self._inner.card
        self._left = calls

    def _compute(self, batch, virials):
        found = self._inner.evaluate_batch(batch, virials)
        self._left -= 1
        if self._left >= 0:
            return found
        broken = np.full_like(found.forces, np.nan)
        return Evaluations(found.energy * np.nan, broken, found.stress, found.virials, found.system_of)


def settings(**changes):
    return config.checked(study.Config, {**tomllib.loads(TINY), **changes})


@pytest.mark.parametrize(("calls", "kept"), [(3, []), (20, ["phase-P2.npz"])])
def test_numbers_that_are_not_finite_stop_the_run_and_keep_the_rest(calls, kept, tmp_path):
    with pytest.raises(Stopped, match="not a finite number"):
        study.run(settings(), tmp_path / "run", model=BreaksAfter(calls))
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert "not a finite number" in record["status"]
    assert record["steps"][-1]["status"].startswith("stopped")
    steps = tmp_path / "run" / "steps"
    found = sorted(p.name for p in steps.iterdir()) if steps.exists() else []
    assert set(kept) <= set(found)
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_study_cannot_vouch_for_a_pickle(tmp_path):
    with pytest.raises(InputError, match="--trust"):
        study.run(settings(potential="mace:model.pt?trust=model.pt"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_potential_without_atomic_virials_leaves_out_the_stress_and_says_so(tmp_path):
    class NoVirials(Potential):
        def __init__(self):
            self._inner = potential.load("chgnet+d3", device="cpu", dtype="float64")
            self.card = replace(self._inner.card, virials=False)

        def _compute(self, batch, virials):
            return self._inner.evaluate_batch(batch, virials)

    result = study.run(settings(), tmp_path / "run", model=NoVirials())
    assert result.findings.stress.maps == {}
    assert "no stress map" in (tmp_path / "run" / "report.html").read_text()
    assert result.to_ase()["P2/O3"].get_chemical_formula() == "Co6Na6O12"
