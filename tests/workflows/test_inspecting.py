"""`simkit classify`, `simkit match`, `build --orders`: what a structure is, which planes fit, which order is lowest."""

import sys

import numpy as np
import pytest
from ase.build import bulk as ase_bulk

from simkit import build, cli, io
from simkit.workflows import building, settling


def call(monkeypatch, capsys, *words):
    """Run the command line in this process; returns exit code, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["simkit", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.fixture
def p2(tmp_path):
    block = build.Block("P2", 4, metals={"Mn": 1.0}, content=0.5)
    structure = build.bulk(block, repeats=(3, 2)).structure
    noise = np.random.default_rng(0).normal(0.0, 0.1, (2, *structure.positions.shape))
    frames = [structure, *(structure.moved_to(structure.positions + step) for step in noise)]
    return io.write(tmp_path / "md.extxyz", frames), io.write(tmp_path / "p2.cif", structure)


def test_every_frame_is_classified(p2, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "classify", *p2)
    assert code == 0, err
    assert len(out.strip().splitlines()) == 4
    assert out.count("P2 P2 P2 P2 (P2 100%)") == 4


def test_columns_see_two_domains(tmp_path, monkeypatch, capsys):
    cell = building.run(*building.load("p2-o2-lateral")).structure
    path = io.write(tmp_path / "lateral.extxyz", cell)
    code, out, err = call(monkeypatch, capsys, "classify", path, "--columns", "a", "--checks")
    assert code == 0, err
    assert "P2 P2" in out
    assert "O2" in out
    assert "distances" in out


def test_a_lateral_cell_is_noticed_without_being_told(tmp_path, monkeypatch, capsys):
    path = io.write(tmp_path / "lateral.cif", building.run(*building.load("p2-o2-lateral")).structure)
    code, out, err = call(monkeypatch, capsys, "classify", path)
    assert code == 0, err
    assert "not uniform in the plane, columns along a" in out
    assert "(O2 51%, P2 49%)" in out
    _, asked, _ = call(monkeypatch, capsys, "classify", path, "--columns", "a")
    assert "read it with" not in asked
    _, wrong, _ = call(monkeypatch, capsys, "classify", path, "--columns", "b")
    assert "read it with --columns a" in wrong


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("linio2-rock-salt-domain", ("rock-salt 23%", "gallery 0: 36% rock-salt")),
        ("linio2-spinel-domain", ("spinel 52%",)),
        ("p2-spinel-na044mnmg", ("spinel 33%", "galleries 6, 7, 8: spinel")),
        ("namno2-twin-012", ("no layered cell along its third vector", "of the anions alone")),
    ],
)
def test_what_lies_between_the_slabs_is_told(recipe, words, tmp_path, monkeypatch, capsys):
    path = io.write(tmp_path / "cell.cif", building.run(*building.load(recipe)).structure)
    code, out, err = call(monkeypatch, capsys, "classify", path)
    assert code == 0, err
    assert all(word in out for word in words), out


def test_the_tunnel_table_is_that_of_the_smallest_period(p2, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "match", p2[1], "--max-strain", "1.5")
    assert code == 0, err
    found = build.classify(io.read(p2[1]))
    table = build.tunnel_matches(found.a_A, found.height_A / 2)  # four slabs are two periods of P2
    assert any(f"({m.tunnel}) on ({m.layered})" in out for m in table)
    assert "(140) on (0001)" in out


def test_two_rock_salts_match_one_to_one(tmp_path, monkeypatch, capsys):
    for name, a in (("nio", 4.18), ("mgo", 4.21)):
        ase_bulk("NiO", "rocksalt", a=a, cubic=True).write(tmp_path / f"{name}.cif")
    files = tmp_path / "nio.cif", tmp_path / "mgo.cif"
    code, out, err = call(monkeypatch, capsys, "match", *files, "--plane", "0,0,1", "--plane", "0,0,1")
    assert code == 0, err
    strain = 100 * (4.18 / 4.21 - 1)
    assert f"{strain:+.2f} {strain:+.2f}" in " ".join(out.splitlines()[1].split())
    code, _, err = call(monkeypatch, capsys, "match", *files, "--plane", "0,0", "--plane", "0,0,1")
    assert code == 2
    assert "h,k,l" in err


class Counting:
    """Energy falls from one structure to the next, so that the order of the answer shows."""

    card = type("Card", (), {"name": "counting", "elements": None})

    def evaluate(self, structures, virials=False):
        return [type("Answer", (), {"energy": -float(k)}) for k in range(len(structures))]


def test_orders_come_lowest_energy_first_and_leave_the_cell_alone(tmp_path):
    cell = building.run(*building.load("p2-p3-na046mnni", ["structure.repeats=[3, 2]"]))
    lines = settling.write_orders(tmp_path, cell, settling.rank(cell, Counting(), 3))
    energies = [float(line.split()[2]) for line in lines]
    assert energies == sorted(energies)
    assert len(lines) == 3
    for k in range(3):
        made = io.read(tmp_path / "orders" / f"{k}.extxyz")
        assert sorted(made.symbols) == sorted(cell.structure.symbols)
