"""CHGNet here against the chgnet package, finite differences and the conformance suite; D3 against s-dftd3."""

import contextlib
import io
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from conformance import (
    Difference,
    Tolerance,
    derivatives,
    invariances,
    layered,
    virials_sum_to_volume_times_stress,
)
from dftd3.interface import DispersionModel, RationalDampingParam

from simkit import potential
from simkit.errors import InputError, SimkitError
from simkit.potential import chgnet_device, chgnet_layers
from simkit.potential.cards import read_card
from simkit.potential.chgnet import load_chgnet
from simkit.potential.dispersion import CUTOFFS, D3
from simkit.structure import Structure
from simkit.units import BOHR_A, HARTREE_EV

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # whatever the peer's own imports say
    from chgnet.model.model import BatchedGraph, CHGNet
    from pymatgen.core import Lattice
    from pymatgen.core import Structure as PymatgenStructure

EV_PER_A3_IN_CHGNET_GPA = 160.21766208
PRECISE = Tolerance(energy=1e-9, force=1e-8, stress=1e-9)
"""Float64 through sums of about 1e4 messages and an arccos whose slope grows like 1/sqrt(1e-6)."""

CARD = read_card("d3")
SHARP = replace(CUTOFFS, fading=0.0)
"""As s-dftd3 cuts off."""
STIFF = Difference(step=1e-4, force=1e-7, stress=1e-8)
"""The angular series has frequencies up to 15: the error falls as step^4, from 2e-5 eV/A at 1e-3 A to 2e-9 here."""


@pytest.fixture(scope="module")
def stock():
    with contextlib.redirect_stdout(io.StringIO()):
        return CHGNet.load(use_device="cpu", verbose=False)


@pytest.fixture(scope="module")
def double():
    return potential.load("chgnet", dtype="float64", device="cpu")


def in_pymatgen(s):
    return PymatgenStructure(Lattice(s.cell), s.symbols, s.positions, coords_are_cartesian=True)


def stock_prediction(model, s):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch on chgnet's own volumes
        return model.predict_structure(in_pymatgen(s))


def chain(spacing=4.0):
    """Atoms that see one another within 6 A but form no angle within 3 A."""
    return Structure([11, 17], [[0, 0, 0], [0, 0, spacing]], np.diag([5.0, 5.5, 2 * spacing]))


STRUCTURES = {
    "rattled": layered(rattle=0.08).repeated(2, 2, 1),
    "smaller than every cutoff": layered(),
    "one atom": Structure([29], [[0, 0, 0]], [[2.5, 0, 0], [0.4, 2.4, 0], [0.2, 0.3, 2.6]]),
    "no angles": chain(),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_agrees_with_the_package_in_float32(name, stock):
    s = STRUCTURES[name]
    ours = potential.load("chgnet", dtype="float32", device="cpu").evaluate([s])[0]
    theirs = stock_prediction(stock, s)
    assert abs(ours.energy / len(s) - float(theirs["e"])) < 1e-5
    assert np.abs(ours.forces - theirs["f"]).max() < 3e-4  # the package's own float32 error reaches 2e-4
    assert np.abs(ours.stress - theirs["s"] / EV_PER_A3_IN_CHGNET_GPA).max() < 1e-5


def in_double(model, s):
    """Energy without references, forces and V x stress of the package's own layers in float64."""
    graph = model.graph_converter(in_pymatgen(s))
    graph.atom_frac_coord = torch.tensor(s.fractional, dtype=torch.float64, requires_grad=True)
    graph.lattice = torch.tensor(s.cell, dtype=torch.float64, requires_grad=True)
    graph.neighbor_image = graph.neighbor_image.double()
    expansions = (model.bond_basis_expansion, model.angle_basis_expansion)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        batch = BatchedGraph.from_graphs([graph], *expansions, compute_stress=True)
    # the package keeps volumes in float32: put one in so that "stress" is dE/dstrain itself
    batch.volumes = torch.full((1,), EV_PER_A3_IN_CHGNET_GPA, dtype=torch.float64)
    out = model._compute(batch, compute_force=True, compute_stress=True)
    return float(out["e"]), out["f"][0].detach().numpy(), out["s"][0].detach().numpy()


@pytest.mark.parametrize("name", ["rattled", "smaller than every cutoff", "one atom"])
def test_agrees_with_the_package_in_float64(name, double):
    s = STRUCTURES[name]
    with contextlib.redirect_stdout(io.StringIO()):
        model = CHGNet.load(use_device="cpu", verbose=False).double().eval()
    energy, forces, strain = in_double(model, s)
    reference = model.composition_model.fc.weight.detach().numpy()[0, s.numbers - 1].mean()
    ours = double.evaluate([s])[0]
    assert abs(ours.energy / len(s) - energy - reference) < 1e-9
    assert np.abs(ours.forces - forces).max() < 1e-8
    assert np.abs(ours.stress * s.volume - strain).max() < 1e-7


def test_float32_forces_are_good_to_a_tenth_of_a_millielectronvolt(double):
    single = potential.load("chgnet", dtype="float32", device="cpu")
    a, b = (p.evaluate([STRUCTURES["rattled"]])[0] for p in (single, double))
    assert abs(a.energy - b.energy) / 32 < 1e-6
    assert np.abs(a.forces - b.forces).max() < 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_and_torch_operations_give_the_same(dtype, monkeypatch):
    """The CPU runs `chgnet_host`, every other device `chgnet_device`."""
    p = potential.load("chgnet", dtype=dtype, device="cpu")
    s = STRUCTURES["rattled"]
    host = p.evaluate([s])[0]
    monkeypatch.setattr(chgnet_layers, "steps_for", lambda device: chgnet_device)
    device = p.evaluate([s])[0]
    energy, force = {"float32": (1e-6, 1e-4), "float64": (1e-13, 1e-11)}[dtype]  # other orders of summation
    assert abs(host.energy - device.energy) / len(s) < energy
    assert np.abs(host.forces - device.forces).max() < force


def test_blocks_and_threads_change_nothing_but_rounding(double, monkeypatch):
    s = STRUCTURES["rattled"]
    whole = double.evaluate([s])[0]
    monkeypatch.setattr(chgnet_layers, "ROWS_PER_BLOCK", 300)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        parts = double.evaluate([s])[0]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert abs(whole.energy - parts.energy) < 1e-11
    np.testing.assert_allclose(parts.forces, whole.forces, atol=1e-10)


def test_conforms(double):
    invariances(double, layered(), PRECISE)


def test_has_the_derivatives_of_its_energy(double):
    derivatives(double, layered(), STIFF)


def test_with_dispersion_it_has_the_derivatives_of_its_energy_and_sums_its_virials():
    p = potential.load("chgnet+d3", dtype="float64", device="cpu")
    derivatives(p, layered(), STIFF)
    virials_sum_to_volume_times_stress(p, layered(), PRECISE)


def test_structures_with_and_without_angles_share_a_batch(double):
    together = double.evaluate([chain(), layered(), STRUCTURES["one atom"]])
    for s, e in zip((chain(), layered(), STRUCTURES["one atom"]), together, strict=True):
        alone = double.evaluate([s])[0]
        assert abs(alone.energy - e.energy) < 1e-9
        np.testing.assert_allclose(e.forces, alone.forces, atol=1e-9)


def test_an_isolated_atom_is_refused_by_name(double):
    far = Structure([11, 17, 8], [[0, 0, 0], [0, 0, 2.5], [20, 20, 10]], np.eye(3) * 40)
    with pytest.raises(InputError, match=r"atom 2 \(O\) of structure 1 has no neighbour"):
        double.evaluate([layered(), far])


def test_elements_the_model_was_not_trained_on_are_refused(double):
    assert len(double.card.elements) == 89
    with pytest.raises(InputError, match="does not know Po"):
        double.evaluate([Structure([84], [[0, 0, 0]], np.eye(3) * 3.3)])


def test_other_weights_than_those_on_the_card_are_refused():
    wrong = replace(read_card("chgnet"), sha256="0" * 64)
    with pytest.raises(SimkitError, match="sha256"):
        load_chgnet(wrong, torch.device("cpu"), torch.float32)


def test_loading_and_evaluating_print_nothing(capsys):
    potential.load("chgnet+d3").evaluate([layered()])
    assert capsys.readouterr() == ("", "")


def peer_dispersion(s):
    """s-dftd3 with the same functional and cutoffs, no three-body term."""
    model = DispersionModel(s.numbers, s.positions / BOHR_A, s.cell / BOHR_A, s.periodic)
    model.set_realspace_cutoff(60.0, 40.0, 40.0)
    out = model.get_dispersion(RationalDampingParam(s6=1.0, s8=0.7875, a1=0.4289, a2=4.4407, s9=0.0), grad=True)
    per_A = HARTREE_EV / BOHR_A
    return float(out["energy"]) * HARTREE_EV, -out["gradient"] * per_A, out["virial"] * HARTREE_EV / s.volume


@pytest.mark.parametrize("periodic", [(1, 1, 1), (1, 1, 0), (0, 0, 0)])
def test_dispersion_agrees_with_s_dftd3(periodic):
    # the peer takes vectors that do not repeat as if they did when it wraps atoms and looks for images: atoms stay
    # inside and only the fully periodic cell is sheared
    s = layered()
    cell = s.cell + all(periodic) * np.array([[0, 0, 0], [0, 0, 0], [4.1, -3.3, 0]])
    inside = 0.2 + 0.6 * ((s.fractional + 0.013) % 1.0)
    s = Structure(s.numbers, inside @ cell, cell, np.array(periodic, dtype=bool))
    e = D3(CARD, SHARP).evaluate([s], virials=True)[0]
    energy, forces, stress = peer_dispersion(s)
    assert abs(e.energy - energy) / len(s) < 1e-7  # constants of bohr and hartree differ in the 9th digit
    assert np.abs(e.forces - forces).max() < 1e-7
    assert np.abs(e.stress - stress).max() < 1e-8


def test_a_vector_that_does_not_repeat_does_not_matter():
    s = layered()
    cells = [s.cell, s.cell + np.array([[0, 0, 0], [0, 0, 0], [9.0, 5.0, 20.0]])]
    slabs = [Structure(s.numbers, s.positions, cell, np.array([True, True, False])) for cell in cells]
    for p in (potential.load("d3"), potential.load("chgnet", dtype="float64", device="cpu")):
        a, b = p.evaluate(slabs)
        assert a.energy == pytest.approx(b.energy, abs=1e-9)
        np.testing.assert_allclose(a.forces, b.forces, atol=1e-9)


def test_dispersion_of_many_elements_agrees_with_s_dftd3():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(4) * 3.0] * 3, indexing="ij"), -1).reshape(-1, 3)
    numbers = rng.permutation(np.arange(1, 87))[: len(grid)]
    s = Structure(numbers, grid + 0.2 * rng.normal(size=grid.shape), np.eye(3) * 12.0)
    e = D3(CARD, SHARP).evaluate([s])[0]
    energy, forces, _ = peer_dispersion(s)
    assert abs(e.energy - energy) / len(s) < 1e-6
    assert np.abs(e.forces - forces).max() < 1e-6


def test_dispersion_conforms():
    d3 = potential.load("d3")
    invariances(d3, layered())
    derivatives(d3, layered(), Difference(step=1e-3, force=1e-7, stress=1e-8))


def test_fading_changes_the_dispersion_energy_by_less_than_its_tail():
    sharp, faded = D3(CARD, SHARP), potential.load("d3")
    a, b = (p.evaluate([layered()])[0].energy / 8 for p in (sharp, faded))
    assert 0 < b - a < 2e-4  # the missing tail beyond r is 2/3 pi rho C6 / r^3 = 2e-4 eV at 31.75 A


def test_dispersion_is_added_to_chgnet():
    sum_, chgnet, d3 = (potential.load(spec, dtype="float64") for spec in ("chgnet+d3", "chgnet", "d3"))
    assert sum_.card.name == "chgnet+d3"
    e, a, b = (p.evaluate([layered()])[0] for p in (sum_, chgnet, d3))
    assert e.energy == pytest.approx(a.energy + b.energy, abs=1e-12)
    np.testing.assert_allclose(e.forces, a.forces + b.forces, atol=1e-14)
    assert not any("No dispersion" in limit for limit in sum_.card.limits)
    assert any("No dispersion" in limit for limit in chgnet.card.limits)
