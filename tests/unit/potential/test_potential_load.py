"""Words to potentials, cards, sums, devices, the planner and ASE calculators."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.eam import EAM
from ase.calculators.emt import EMT
from ase.calculators.fd import calculate_numerical_stress
from conformance import a_batch_is_its_structures_one_by_one, derivatives
from scipy.interpolate import InterpolatedUnivariateSpline

from simkit import potential
from simkit.errors import CorruptFileError, InputError, SimkitError
from simkit.potential import cards, planner
from simkit.potential.ase import ASEPotential
from simkit.structure import Batch, Structure


def copper(seed=0, repeats=1):
    a = 3.7
    fractional = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    noise = 0.05 * np.random.default_rng(seed).normal(size=(4, 3))
    return Structure([29, 13, 29, 29], fractional * a + noise, np.eye(3) * a).repeated(repeats, 1, 1)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("chgnt", "did you mean 'chgnet'"),
        ("defualt", "did you mean 'default'"),
        ("mace", "mace:"),
        ("mace:", "unknown potential"),
        ("chgnet:0.3.0", "unknown potential"),
        ("mace-mp:medum", "did you mean 'medium'"),
        ("lj?head=x", "unknown option"),
        ("simkit:x?haed=x", "did you mean 'head'"),
    ],
)
def test_an_unknown_word_is_named_with_the_nearest_known_one(spec, says):
    with pytest.raises(InputError, match=says):
        potential.load(spec)


def test_what_is_available_loads():
    found = dict(potential.available())
    assert {"default", "chgnet", "chgnet+d3", "d3", "lj", "morse"} <= set(found)
    assert all(found.values())
    for spec in found:
        if ":" not in spec:
            assert potential.load(spec, device="cpu").card.summary


def test_only_a_shipped_model_has_a_scorecard_beside_it(tmp_path):
    assert "# Scorecard of" in potential.scorecard_of("simkit:nalox").read_text(encoding="utf-8")
    assert potential.scorecard_of("chgnet+d3") is None
    assert potential.scorecard_of(f"simkit:{tmp_path / 'mine.json'}") is None


def test_any_potential_takes_dispersion_on_top():
    both = potential.load("lj+d3")
    parts = [p.evaluate([copper()])[0].energy for p in (potential.load("lj"), potential.load("d3"))]
    assert both.evaluate([copper()])[0].energy == pytest.approx(sum(parts), abs=1e-12)
    assert both.card.name == "lj+d3"


def test_a_device_that_is_not_there_is_an_error_not_a_slow_run():
    absent = torch.cuda.device_count() if torch.cuda.is_available() else 0
    with pytest.raises(InputError, match="CUDA devices here"):
        potential.load("chgnet", device=f"cuda:{absent}")
    with pytest.raises(InputError, match="unknown"):
        potential.load("chgnet", device="gpu")
    with pytest.raises(InputError, match="dtype"):
        potential.load("chgnet", dtype="float16")


def test_importing_the_room_imports_no_model_package():
    heavy = "('torch', 'mace', 'chgnet', 'ase')"
    code = f"import sys; import simkit.potential; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_card_can_be_read_and_says_what_it_is_not_good_for():
    for card in cards.all_cards().values():
        assert card.limits
        assert card.licence
    with pytest.raises(InputError, match="did you mean"):
        cards.read_card("chgne")
    with pytest.raises(CorruptFileError, match="unknown keys"):
        cards.parse('name = "x"\nkind = "y"\nsummary = "z"\nlimit = 3', "x.toml")


class Limited(potential.Potential):
    """A potential that runs out of memory above a number of atoms."""

    def __init__(self, atoms):
        self.card = potential.Card("limited", "test", "runs out of memory")
        self._inner = potential.load("lj")
        self._atoms = atoms
        self.calls = []

    def _compute(self, batch, virials):
        return planner.evaluate_in_parts(self._part, batch, virials, (torch.device("cpu"), 5.0, 1.0))

    def _part(self, batch, virials):
        self.calls.append(len(batch.numbers))
        if len(batch.numbers) > self._atoms:
            raise torch.OutOfMemoryError("full")
        return self._inner.evaluate_batch(batch, virials)


def test_out_of_memory_halves_the_batch_and_loses_nothing():
    structures = [copper(seed, 1 + seed % 2) for seed in range(5)]  # 4, 8, 4, 8, 4 atoms
    limited = Limited(12)
    whole = potential.load("lj").evaluate_batch(Batch.of(structures), virials=True)
    parts = limited.evaluate_batch(Batch.of(structures), virials=True)
    for name in ("energy", "forces", "stress", "virials", "system_of"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert limited.calls[0] == 28
    assert max(limited.calls[1:]) <= 16
    with pytest.raises(SimkitError, match="does not fit"):
        Limited(6).evaluate(structures)


def test_the_plan_keeps_order_and_cost():
    assert planner.split_by_cost(np.array([3.0, 3.0, 3.0, 9.0, 1.0]), 6.5) == [(0, 2), (2, 3), (3, 4), (4, 5)]
    assert planner.split_by_cost(np.array([1.0, 1.0]), np.inf) == [(0, 2)]


def measured_on_a_device(monkeypatch, needs):
    """Stands in for CUDA's allocator: a part needs `needs` bytes per expected edge, and 1e9 bytes are free."""
    held = {"peak": 0.0}
    monkeypatch.setattr(planner, "free_bytes", lambda device: 1e9)
    monkeypatch.setattr(planner, "expected_edges", lambda batch, cutoff: np.full(len(batch), 1e5))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 5.0)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: held.update(peak=5.0))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: held["peak"])
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    sizes, inner = [], potential.load("lj")

    def part(batch, virials):
        sizes.append(len(batch))
        held["peak"] = 5.0 + needs * 1e5 * len(batch)
        if needs * 1e5 * len(batch) > 1e9:
            raise torch.OutOfMemoryError("full")
        return inner.evaluate_batch(batch, virials)

    return part, sizes


@pytest.mark.parametrize(("needs", "says"), [(500.0, [2, 18, 10]), (5001.0, [1, 1, 1]), (9000.0, [1, 1, 1])])
def test_what_an_edge_needs_is_measured_and_the_rest_planned_by_it(monkeypatch, needs, says):
    """An estimate of 4000 bytes plans 2 of 1e5 edges into 80 % of 1e9; once it is known, 92 % are filled."""
    part, sizes = measured_on_a_device(monkeypatch, needs)
    structures = [copper(seed) for seed in range(30)]
    memory = planner.EdgeMemory(4000.0)
    plan = (torch.device("cuda"), 5.0, memory)
    whole = planner.evaluate_in_parts(part, Batch.of(structures), True, plan)
    wanted = potential.load("lj").evaluate_batch(Batch.of(structures), virials=True)
    for name in ("energy", "forces", "stress", "virials", "system_of"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(wanted, name))
    done = [size for size in sizes if needs * 1e5 * size <= 1e9]
    assert done[:3] == says
    assert sum(done) == 30
    assert len(sizes) - len(done) <= 1, "memory runs out once at most"
    assert memory.measured
    again = planner.evaluate_in_parts(part, Batch.of(structures[:4]), True, plan)
    np.testing.assert_array_equal(again.energy, wanted.energy[:4])


def test_running_out_of_memory_makes_the_parts_to_come_smaller():
    inner, memory = potential.load("lj"), planner.EdgeMemory(4000.0)

    def part(batch, virials):
        if len(batch) > 1:
            raise torch.OutOfMemoryError("full")
        return inner.evaluate_batch(batch, virials)

    planner.evaluate_in_parts(
        part, Batch.of([copper(seed) for seed in range(4)]), True, (torch.device("cpu"), 5.0, memory)
    )
    assert memory.bytes_per_edge == pytest.approx(4000.0 * planner.AFTER_RUNNING_OUT**3)  # 4, then twice 2


def test_small_parts_say_nothing_about_edges():
    memory = planner.EdgeMemory(4000.0)
    memory.learn(1e9, planner.LEAST_MEASURED - 1)
    assert (memory.bytes_per_edge, memory.measured, memory.share) == (4000.0, False, planner.SHARE_OF_FREE_MEMORY)
    memory.learn(1e9, 1e6)
    memory.learn(5e8, 1e6)
    assert (memory.bytes_per_edge, memory.measured, memory.share) == (1000.0, True, planner.MEASURED_SHARE)
    memory.ran_out()
    assert memory.bytes_per_edge == 1000.0 * planner.AFTER_RUNNING_OUT


def test_a_planned_batch_is_the_whole_batch(monkeypatch):
    structures = [copper(seed) for seed in range(4)]
    monkeypatch.setattr(planner, "free_bytes", lambda device: 1e9)
    monkeypatch.setattr(planner, "expected_edges", lambda batch, cutoff: np.full(len(batch), 4e8))
    limited = Limited(1000)
    a_batch_is_its_structures_one_by_one(limited, structures)
    assert limited.calls[:2] == [8, 8]


def test_on_a_cpu_a_part_stays_below_its_bound_however_much_memory_is_free(monkeypatch):
    monkeypatch.setattr(planner, "free_bytes", lambda device: 1e12)
    share = 0.4 * planner.MOST_ON_CPU
    monkeypatch.setattr(planner, "expected_edges", lambda batch, cutoff: np.full(len(batch), share))
    limited = Limited(1000)
    limited.evaluate([copper(seed) for seed in range(5)])
    assert limited.calls == [8, 8, 4], "two systems of 40 % each, never three"


def test_an_ase_calculator_gives_what_it_gives_to_ase():
    p = potential.from_ase(EMT())
    assert isinstance(p, ASEPotential)
    s = copper()
    e = p.evaluate([s])[0]
    atoms = Atoms(numbers=s.numbers, positions=s.positions, cell=s.cell, pbc=True, calculator=EMT())
    assert e.energy == atoms.get_potential_energy()
    np.testing.assert_array_equal(e.forces, atoms.get_forces())
    np.testing.assert_array_equal(e.stress, atoms.get_stress(voigt=False))
    a_batch_is_its_structures_one_by_one(p, [copper(1), copper(2, 2), copper(1)])
    derivatives(p, s)
    with pytest.raises(SimkitError, match="no atomic virials"):
        p.evaluate([s], virials=True)


class Plain(Calculator):
    """EMT without a stress of its own; NaN where asked."""

    implemented_properties = ("energy", "forces")

    def __init__(self, broken=False):
        super().__init__()
        self._inner = EMT()
        self._broken = broken

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        inner = atoms.copy()
        inner.calc = self._inner
        self.results = {"energy": inner.get_potential_energy(), "forces": inner.get_forces()}
        self.results["free_energy"] = self.results["energy"]
        if self._broken:
            self.results["forces"][0, 0] = np.nan


def test_a_calculator_without_stress_gets_it_by_differences_and_the_card_says_so():
    p = potential.from_ase(Plain())
    s = copper()
    e, wanted = p.evaluate([s])[0], potential.from_ase(EMT()).evaluate([s])[0]
    np.testing.assert_allclose(e.stress, wanted.stress, atol=1e-8)  # strain^2 of the third derivative and rounding
    assert any("finite differences" in limit for limit in p.card.limits)


def test_nan_comes_back_as_it_is():
    e = potential.from_ase(Plain(broken=True)).evaluate([copper()])[0]
    assert np.isnan(e.forces[0, 0])
    assert not e.finite


def test_results_are_not_shared_between_structures():
    p = potential.from_ase(EMT())
    first = p.evaluate([copper(1)])[0]
    kept = first.forces.copy()
    p.evaluate([copper(2)])
    np.testing.assert_array_equal(first.forces, kept)


def test_what_is_no_calculator_or_fails_is_named():
    with pytest.raises(InputError, match="not a str"):
        potential.from_ase("emt")
    with pytest.raises(SimkitError, match="EMT failed on Na: "):
        potential.from_ase(EMT()).evaluate([Structure([11], [[0, 0, 0]], np.eye(3) * 4)])


def test_the_stress_of_ase_eam_is_the_slope_of_its_energy():
    """ASE's own EAM stress has the right sign and size; a made-up metal stands in for a published file."""
    eam = made_up_eam()
    s = copper()
    s = Structure(np.full(4, 13), s.positions, s.cell)
    e = potential.from_ase(eam).evaluate([s])[0]
    atoms = Atoms(numbers=s.numbers, positions=s.positions, cell=s.cell, pbc=True, calculator=eam)
    numerical = calculate_numerical_stress(atoms, eps=1e-5, voigt=False, force_consistent=False)
    np.testing.assert_allclose(e.stress, numerical, atol=1e-7)


def made_up_eam():
    """Exponential density and repulsion, square-root embedding, switched off at 5.5 A."""
    r, rho = np.linspace(0.001, 5.5, 2000), np.linspace(0, 60, 2000)
    switch = np.clip(1 - (r / 5.5) ** 2, 0, 1) ** 3
    embedding = InterpolatedUnivariateSpline(rho, -np.sqrt(rho + 1e-3), k=3)
    density = InterpolatedUnivariateSpline(r, 20 * np.exp(-r) * switch, k=3)
    repulsion = InterpolatedUnivariateSpline(r, 8 * np.exp(-2 * r) * switch, k=3)
    return EAM(
        elements=["Al"],
        embedded_energy=np.array([embedding]),
        d_embedded_energy=np.array([embedding.derivative()]),
        electron_density=np.array([density]),
        d_electron_density=np.array([density.derivative()]),
        phi=np.array([[repulsion]]),
        d_phi=np.array([[repulsion.derivative()]]),
        cutoff=5.5,
        form="alloy",
    )
