"""MACE here against mace's own calculator, finite differences and the conformance suite; the safe format."""

import hashlib
import io
import json
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from ase import Atoms
from conformance import derivatives, invariances, layered
from small_mace import small_mace

from simkit import potential
from simkit.errors import CorruptFileError, InputError, UntrustedFileError
from simkit.io import file_name
from simkit.potential.mace import MACEPotential, Place
from simkit.potential.mace_backend import RELAXED, quarantine
from simkit.potential.mace_format import stem
from simkit.potential.mace_heads import parted
from simkit.structure import Structure
from simkit.workflows.kept import content_key

with quarantine():
    from mace.calculators import MACECalculator

CARD = potential.Card("small", "mace", "random weights")
FLOAT64 = Place(torch.device("cpu"), torch.float64)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("mace") / "small.model"
    with quarantine():  # torch warns that TorchScript is old
        torch.save(small_mace(), path)
    return path


@pytest.fixture(scope="module")
def safe_files(tmp_path_factory):
    return potential.save_safe(small_mace(), tmp_path_factory.mktemp("safe") / "m", CARD).parent


@pytest.fixture
def safe_copy(safe_files, tmp_path):
    return shutil.copytree(safe_files, tmp_path / "safe")


@pytest.fixture(scope="module")
def mace():
    return MACEPotential(small_mace(), CARD, FLOAT64)


def test_importing_mace_leaves_the_process_as_it_was():
    assert RELAXED not in os.environ
    assert torch.get_default_dtype() == torch.float32


def test_agrees_with_the_calculator_of_mace(model_file, monkeypatch):
    ours = potential.load(f"mace:{model_file}", dtype="float64", device="cpu", trust="small.model")
    structure = layered().repeated(2, 2, 1)
    monkeypatch.setenv(RELAXED, "1")  # the peer unpickles in its own way
    with quarantine():
        theirs = MACECalculator(str(model_file), device="cpu", default_dtype="float64")
        atoms = Atoms(
            numbers=structure.numbers, positions=structure.positions, cell=structure.cell, pbc=True, calculator=theirs
        )
        energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False)
    e = ours.evaluate([structure], virials=True)[0]
    assert np.abs(forces).max() > 0.1  # the comparison is of something
    assert abs(e.energy - energy) / len(structure) < 1e-9
    assert np.abs(e.forces - forces).max() < 1e-8
    assert np.abs(e.stress - stress).max() < 1e-10
    assert torch.get_default_dtype() == torch.float32


def test_conforms(mace):
    invariances(mace, layered())


def test_has_the_derivatives_of_its_energy(mace):
    derivatives(mace, layered())


def test_float32_is_float64_to_its_precision(mace):
    single = MACEPotential(small_mace(), CARD, Place(torch.device("cpu"), torch.float32))
    a, b = (p.evaluate([layered()])[0] for p in (mace, single))
    assert abs(a.energy - b.energy) / 8 < 1e-5  # 2^-24 of sums of tens of eV
    assert np.abs(a.forces - b.forces).max() < 1e-4


def test_an_isolated_atom_has_its_reference_energy(mace):
    alone = Structure([11], [[0, 0, 0]], np.eye(3) * 30)
    e = mace.evaluate([alone], virials=True)[0]
    np.testing.assert_array_equal(e.forces, 0)
    assert np.isfinite(e.energy)


def test_the_head_is_chosen_by_name():
    module = small_mace(heads=["pbe", "scan"])
    with pytest.raises(InputError, match="heads pbe, scan"):
        MACEPotential(module, CARD, FLOAT64)
    energies = [
        MACEPotential(module, CARD, Place(torch.device("cpu"), torch.float64, head)).evaluate([layered()])[0].energy
        for head in ("pbe", "scan")
    ]
    assert abs(energies[0] - energies[1]) > 1.0  # eight isolated energies differ by 0.5 eV each
    with pytest.raises(InputError, match="did you mean 'scan'"):
        MACEPotential(module, CARD, Place(torch.device("cpu"), torch.float64, "scn"))


@pytest.fixture(scope="module")
def two_heads(tmp_path_factory):
    """Spec without a head of a safe model with the heads "Default" and "r2 scan+U"."""
    path = tmp_path_factory.mktemp("heads") / "m"
    potential.save_safe(small_mace(heads=["Default", "r2 scan+U"]), path, CARD)
    return f"simkit:{path}"


def loaded(spec):
    return potential.load(spec, dtype="float64", device="cpu")


def test_two_heads_of_one_file_are_two_potentials_by_name_and_by_key(two_heads):
    default, other = loaded(two_heads), loaded(f"{two_heads}?head=r2%20scan%2BU")
    energies = [p.evaluate([layered()])[0].energy for p in (default, other)]
    assert abs(energies[0] - energies[1]) > 1.0  # eight isolated energies differ by 0.5 eV each
    assert default.card.sha256 == other.card.sha256
    assert default.card.name == "small?head=Default"
    assert other.card.name == "small?head=r2%20scan%2BU"
    assert content_key({}, default.card) != content_key({}, other.card)
    assert loaded(f"{two_heads}?head=Default").card == default.card
    assert file_name(default.card.name) == "small-head-Default"
    assert file_name(other.card.name) == "small-head-r2-20scan-2BU"


def test_the_name_of_a_head_is_read_as_it_is_written(two_heads):
    both = loaded(f"{two_heads}+d3?head=r2%20scan%2BU")
    assert both.card.name == "small+d3?head=r2%20scan%2BU"
    option = parted(both.card.name)[1]
    assert loaded(f"{two_heads}{option}").card.name == f"small{option}"


def test_a_committee_of_heads_names_them(two_heads):
    heads = [loaded(f"{two_heads}?head={head}") for head in ("Default", "r2%20scan%2BU")]
    assert potential.Committee(heads).card.committee == ("small?head=Default", "small?head=r2%20scan%2BU")


def test_one_head_leaves_the_name_alone(mace):
    assert mace.card.name == "small"
    assert MACEPotential(small_mace(), CARD, Place(torch.device("cpu"), torch.float64, "Default")).card == mace.card


def test_a_model_saved_through_one_head_holds_all_and_is_named_after_none(two_heads, tmp_path):
    other = loaded(f"{two_heads}?head=r2%20scan%2BU")
    potential.save_safe(other, tmp_path / "copy", other.card)
    assert json.loads((tmp_path / "copy.json").read_text())["card"]["name"] == "small"
    again = loaded(f"simkit:{tmp_path}/copy")
    assert again.card.name == "small?head=Default"
    assert again.card.sha256 == other.card.sha256


def test_an_unknown_element_is_refused(mace):
    with pytest.raises(InputError, match="does not know Mn"):
        mace.evaluate([Structure([25], [[0, 0, 0]], np.eye(3) * 5)])


class Marker:
    """Writes a file when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_a_planted_pickle_is_refused_and_does_not_run(tmp_path):
    marker = tmp_path / "ran"
    planted = tmp_path / "model.model"
    torch.save(Marker(marker), planted)
    for spec in (f"mace:{planted}", f"mace:{planted}?trust=other.model"):
        with pytest.raises(UntrustedFileError, match="pickle"):
            potential.load(spec)
    assert not marker.exists()
    with pytest.raises(InputError):  # the trap works: named, it runs
        potential.load(f"mace:{planted}", trust="model.model")
    assert marker.exists()


def test_a_pickle_dressed_as_a_safe_model_is_refused_and_does_not_run(safe_copy):
    marker = safe_copy / "ran"
    record = json.loads((safe_copy / "m.json").read_text())
    bad = io.BytesIO()
    pickle.dump(Marker(marker), bad)
    (safe_copy / "m.safetensors").write_bytes(bad.getvalue())
    with pytest.raises(CorruptFileError, match="checksum"):
        potential.load(f"simkit:{safe_copy}/m")
    record["sha256"] = hashlib.sha256(bad.getvalue()).hexdigest()
    (safe_copy / "m.json").write_text(json.dumps(record))
    with pytest.raises(CorruptFileError, match="weights"):
        potential.load(f"simkit:{safe_copy}/m")
    assert not marker.exists()


def test_trust_by_hash_names_exactly_these_bytes(model_file):
    digest = hashlib.sha256(model_file.read_bytes()).hexdigest()
    p = potential.load(f"mace:{model_file}", trust=digest, dtype="float64")
    assert p.card.sha256 == digest
    with pytest.raises(UntrustedFileError):
        potential.load(f"mace:{model_file}", trust="0" * 64)


def test_the_safe_format_gives_the_same_model_back(safe_files, mace):
    again = potential.load(f"simkit:{safe_files}/m", dtype="float64", device="cpu")
    a, b = (p.evaluate([layered()])[0] for p in (mace, again))
    assert a.energy == b.energy
    np.testing.assert_array_equal(a.forces, b.forces)
    assert again.card.name == "small"
    assert again.card.sha256 == hashlib.sha256((safe_files / "m.safetensors").read_bytes()).hexdigest()


def test_either_file_or_their_common_name_may_be_given():
    assert {str(stem(f"/a/m{suffix}")) for suffix in ("", ".json", ".safetensors")} == {"/a/m"}
    assert str(stem("/a/m.v2")) == "/a/m.v2"


def test_the_safe_format_keeps_heads(tmp_path):
    module = small_mace(heads=["pbe", "scan"])
    potential.save_safe(module, tmp_path / "m", CARD)
    again = potential.load(f"simkit:{tmp_path}/m?head=scan", dtype="float64", device="cpu")
    direct = MACEPotential(module, CARD, Place(torch.device("cpu"), torch.float64, "scan"))
    assert again.evaluate([layered()])[0].energy == direct.evaluate([layered()])[0].energy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": 99}, "schema"),
        ({"model": "os.system"}, "unknown model"),
        ({"arguments": {"interaction_cls": "eval"}}, "not understood"),
        ({"card": {"surprise": 1}}, "card"),
    ],
)
def test_a_safe_file_with_unknown_content_is_refused(safe_copy, change, says):
    record = json.loads((safe_copy / "m.json").read_text())
    (safe_copy / "m.json").write_text(json.dumps(record | change))
    with pytest.raises(CorruptFileError, match=says):
        potential.load(f"simkit:{safe_copy}/m")


def test_missing_and_broken_files_are_named(tmp_path, model_file):
    with pytest.raises(InputError, match="no such model file"):
        potential.load(f"mace:{tmp_path}/absent.model")
    with pytest.raises(InputError, match="no such model file"):
        potential.load(f"simkit:{tmp_path}/absent")
    cut = tmp_path / "cut.model"
    shutil.copy(model_file, cut)
    with open(cut, "r+b") as file:
        file.truncate(1000)
    with pytest.raises(CorruptFileError, match="cannot be read"):
        potential.load(f"mace:{cut}", trust="cut.model")
