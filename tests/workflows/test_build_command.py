"""`simkit build`: files with their provenance, lists, and one clear line for each mistake."""

import json
import sys
from dataclasses import replace
from importlib import metadata

import numpy as np
import pytest
from ase.build import bulk as ase_bulk
from ase.io import read as ase_read

from simkit import build, cli, io
from simkit.cli import commands
from simkit.errors import Interrupted
from simkit.workflows import building, keys, settling
from simkit.workflows.regions import BlockConfig
from simkit.workflows.structures import KINDS

NAME = "p2-p3-na046mnni"
FILES_OF_MISTAKES = {
    "rock-salt.toml": """[structure]
repeats = [2, 2]
[[structure.blocks]]
phase = "rock-salt"
gaps = 3
metals = { Ni = 1.0 }
""",
    "two-blocks.toml": """[structure]
kind = "particle"
shape = { shape = "sphere", radius_A = 6.0 }
[[structure.blocks]]
phase = "O3"
gaps = 3
metals = { Co = 1.0 }
[[structure.blocks]]
phase = "O3"
gaps = 3
metals = { Ni = 1.0 }
[[structure.domains]]
phase = "O3"
metals = { Mn = 1.0 }
shape = { shape = "sphere", radius_A = 4.0 }
""",
}
FILES = ("cell.cif", "cell.extxyz", "cell.lammps-data", "POSCAR")


def call(monkeypatch, capsys, *words):
    """Run the command line in this process; returns exit code, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["simkit", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.fixture
def built(tmp_path, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "build", NAME, "--seed", 3, "--out", tmp_path / "cell")
    assert code == 0, err
    assert "P2" in out
    return tmp_path / "cell"


def test_every_file_says_where_it_comes_from_and_reads_back(built):
    facts = json.loads((built / "report.json").read_text())["provenance"]
    assert facts["seed"] == 3
    cell = build.rebuild(json.loads((built / "recipe.json").read_text())).structure
    for name in FILES:
        text = (built / name).read_text()
        for key in ("recipe", "seed", "recipe_sha256", "simkit"):
            assert str(facts[key]) in text, f"{name} says nothing of {key}"
        back = io.read(built / name)
        assert sorted(back.symbols) == sorted(cell.symbols)
        np.testing.assert_allclose(back.volume, cell.volume, rtol=1e-10)  # 12 digits in a CIF
        atoms = ase_read(built / name, format="lammps-data" if "lammps" in name else None)
        assert sorted(atoms.symbols) == sorted(cell.symbols)
    exact = io.read(built / "cell.extxyz")
    assert exact.positions.tobytes() == cell.positions.tobytes()
    assert (exact.tags["phase"] == cell.tags["phase"]).all()


def test_a_poscar_names_each_element_once(built):
    symbols = (built / "POSCAR").read_text().splitlines()[5].split()
    assert len(symbols) == len(set(symbols))


def test_another_seed_is_another_arrangement_with_the_same_counts():
    cells = [building.run(*building.load(NAME, [f"seed={seed}"])).structure for seed in (0, 1)]
    assert cells[0].formula == cells[1].formula
    assert cells[0].symbols != cells[1].symbols


def test_the_hash_follows_the_recipe_and_not_the_folder(built):
    first = building.provenance(building.run(*building.load(NAME, ["seed=3"])))
    assert first == json.loads((built / "report.json").read_text())["provenance"]
    other = building.provenance(building.run(*building.load(NAME, ["seed=4"])))
    assert other["recipe_sha256"] != first["recipe_sha256"]


def test_list_needs_no_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["simkit", "build", "--list"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 0
    assert NAME in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["p2-p3-na046mnn"], ["did you mean", NAME]),
        ([], ["--list"]),
        ([NAME, "--set", "structure.blocks.0.contnt=0.5"], ["contnt", "unknown key", "content"]),
        ([NAME, "--set", "structure.kind='laterall'"], ["laterall", "did you mean 'lateral'"]),
        ([NAME, "--set", "structure.blocks.0.formula='Na0.5XxO2'"], ["Xx"]),
        ([NAME, "--set", "structure.blocks.0.formula='Na0.5Mn0.5O2'"], ["0.5"]),
        ([NAME, "--set", "structure.repeats=[1]"], ["repeats"]),
        (["p2-o2-lateral", "--set", "structure.settings.widht_A=3.0"], ["widht_A", "did you mean 'width_A'"]),
        (["p2-tunnel-na06mno2", "--set", "structure.plane='141|0001'"], ["141"]),
        (["linio2-spinel-domain", "--set", "structure.domains.0.shape.shape='prsm'"], ["prsm"]),
        ([NAME, "--set", "structure.kind=['a']"], ["structure.kind", "['a']"]),
        (
            [
                NAME,
                "--set",
                "structure.blocks.0.formula='Na0.46MnO2'",
                "--set",
                "structure.blocks.0.gaps=4",
                "--set",
                "structure.blocks.0.gradient={ start = { Mn = 1.0 }, end = { Ni = 0.7 } }",
            ],
            ["0.7"],
        ),
        (["o3-graded-linimn", "--set", "structure.blocks.0.metals={ Mn = 1.0 }"], ["metals", "gradient"]),
        (["o3-graded-linimn", "--set", "structure.blocks.0.normalise=true"], ["normalise", "formula"]),
        (["o3-graded-linimn", "--set", "structure.blocks.0.in_slab={ Ni = 1.0 }"], ["in_slab", "formula"]),
        (["o3-basal-twin-nanimn", "--set", "structure.blocks.0.phase='O3 twin'"], ["O3 twin", "blank"]),
        (["rock-salt.toml", "--orders", "2"], ["holds no ions"]),
        (["two-blocks.toml"], ["one block", "2 are given"]),
    ],
)
def test_a_bad_request_gets_one_line_and_leaves_nothing(words, expected, tmp_path, monkeypatch, capsys):
    for name, text in FILES_OF_MISTAKES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    code, _, err = call(monkeypatch, capsys, "build", *words, "--out", tmp_path / "cell")
    assert code == 2, err
    assert len(err.strip().splitlines()) == 1, err
    for word in expected:
        assert word in err, err
    assert not (tmp_path / "cell").exists()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"stack"}))
def test_a_study_of_another_kind_says_what_to_do_instead(kind, tmp_path, monkeypatch, capsys):
    file = tmp_path / "shape.toml"
    file.write_text(f'[structure]\nkind = "{kind}"\n')
    code, _, err = call(monkeypatch, capsys, "run", file, "--out", tmp_path / "run")
    assert code == 2
    assert "simkit build" in err
    assert not (tmp_path / "run").exists()


class Narrow:
    """A potential that knows oxygen alone."""

    card = type("Card", (), {"name": "narrow", "elements": ("O",)})


def test_elements_the_potential_does_not_know_leave_the_cell_built_and_checked(tmp_path):
    cell = building.run(*building.load(NAME))
    building.write(tmp_path, cell)
    result = settling.run(cell, Narrow())
    assert result.good
    assert result.text().startswith("not relaxed, built and checked only:")
    settling.write(tmp_path, cell, result)
    assert "does not know" in json.loads((tmp_path / "report.json").read_text())["relaxation"]["status"]
    assert not (tmp_path / "relaxed.cif").exists()


def test_a_layered_structure_file_is_a_block_of_a_stack(tmp_path, monkeypatch, capsys):
    model = build.bulk(build.Block("O3", 3, metals={"Ni": 0.5, "Mn": 0.5}), repeats=(2, 2))
    io.write(tmp_path / "mine.extxyz", model.structure)
    file = tmp_path / "own.toml"
    file.write_text(
        f'[structure]\nrepeats = [2, 2]\n[[structure.blocks]]\nphase = "P2"\ngaps = 4\nformula = "Na0.75MnO2"\n'
        f'[[structure.blocks]]\nphase = "O3"\nfile = "{tmp_path / "mine.extxyz"}"\n'
    )
    code, _, err = call(monkeypatch, capsys, "build", file, "--out", tmp_path / "cell")
    assert code == 0, err
    found = build.classify(io.read(tmp_path / "cell" / "cell.extxyz")).stack.gaps()
    assert build.same_cyclic(found, ["P2"] * 4 + ["O3"] * 3)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("metals = { Fe = 1.0 }", ["metals", "follows from the file"]),
        ("content = 0.0", ["content", "follows from the file"]),
        ("variant = 1", ["variant"]),
        ('formula = "NaFeO2"', ["formula"]),
        ('phase = "P2"', ["no P2", "O3 O3 O3"]),
        ("gaps = 4", ["3 galleries", "gaps = 4"]),
    ],
)
def test_a_block_from_a_file_refuses_what_the_file_says(line, expected, tmp_path, monkeypatch, capsys):
    io.write(tmp_path / "mine.extxyz", build.bulk(build.Block("O3", 3), repeats=(2, 2)).structure)
    phase = "" if line.startswith("phase") else 'phase = "O3"\n'
    file = tmp_path / "own.toml"
    file.write_text(f'[[structure.blocks]]\n{phase}file = "{tmp_path / "mine.extxyz"}"\n{line}\n')
    code, _, err = call(monkeypatch, capsys, "build", file, "--out", tmp_path / "cell")
    assert code == 2, err
    for word in expected:
        assert word in err, err
    assert not (tmp_path / "cell").exists()


def test_a_layered_structure_file_is_a_matrix_with_domains(tmp_path, monkeypatch, capsys):
    block = build.Block("O3", 3, metals={"Ni": 1.0}, alkali="Li")
    io.write(tmp_path / "mine.extxyz", build.bulk(block, repeats=(2, 2)).structure)
    file = tmp_path / "own.toml"
    file.write_text(
        f'[structure]\nkind = "domains"\nrepeats = [6, 6]\n'
        f'[structure.matrix]\nphase = "O3"\nfile = "{tmp_path / "mine.extxyz"}"\n'
        '[[structure.domains]]\nphase = "O3"\nmetals = { Mn = 1.0 }\nalkali = "Li"\n'
        'shape = { shape = "prism", radius_A = 6.0 }\n'
    )
    code, _, err = call(monkeypatch, capsys, "build", file, "--out", tmp_path / "cell")
    assert code == 0, err
    assert {"Li", "Ni", "Mn", "O"} == set(io.read(tmp_path / "cell" / "cell.extxyz").symbols)


def test_a_cell_that_cannot_be_written_leaves_no_folder(tmp_path):
    cell = building.run(*building.load(NAME))
    broken = replace(cell, built=replace(cell.built, recipe={**cell.built.recipe, "seed": float("nan")}))
    with pytest.raises(ValueError, match="JSON"):
        building.write(tmp_path / "cell", broken)
    assert not (tmp_path / "cell").exists()


def test_two_structure_files_are_joined_on_their_planes(tmp_path, monkeypatch, capsys):
    for symbol, a in (("Ni", 4.18), ("Mg", 4.21)):
        ase_bulk(f"{symbol}O", "rocksalt", a=a, cubic=True).write(tmp_path / f"{symbol}O.cif")
    sides = "".join(
        f'[structure.{name}]\nfile = "{tmp_path / symbol}O.cif"\nplane = [0, 0, 1]\nphase = "{symbol}O"\n'
        for name, symbol in (("a", "Ni"), ("b", "Mg"))
    )
    file = tmp_path / "join.toml"
    file.write_text(f'[structure]\nkind = "coherent"\n{sides}')
    code, _, err = call(monkeypatch, capsys, "build", file, "--out", tmp_path / "cell")
    assert code == 0, err
    recipe = json.loads((tmp_path / "cell" / "recipe.json").read_text())
    made = io.read(tmp_path / "cell" / "cell.extxyz")
    assert build.rebuild(recipe).structure.positions.tobytes() == made.positions.tobytes()
    assert {"Ni", "Mg", "O"} == set(made.symbols)


@pytest.mark.parametrize(
    ("words", "expected", "absent"),
    [
        (["structure.blocks.0.phase='spinel'", "structure.blocks.0.formula='LiMn2O4'"], ["tetrahedral"], "normalise"),
        (["structure.blocks.0.formula='KSnO2'"], ['alkali = "K"'], "valence table"),
        (["structure.blocks.0.formula='LiCoO2'"], ['alkali = "Li"'], "sum to"),
        (["structure.blocks.0.phase='OP5'"], ["did you mean 'OP4'?"], "?,"),
        (["structure.blocks.0.formula=' '"], ["names no element"], "0 open"),
        (["structure.blocks.0.elastic={ C11 = 200.0 }"], ["C12, C13, C33 are missing"], "C11: C12"),
        (["structure.blocks.0.dopants={ Xq = 0.1 }"], ["Xq", "Ca"], "Ca, Ca"),
    ],
)
def test_a_refusal_names_the_remedy_that_works(words, expected, absent, tmp_path, monkeypatch, capsys):
    given = [part for word in words for part in ("--set", word)]
    base = tmp_path / "base.toml"
    base.write_text('[[structure.blocks]]\nphase = "O3"\ngaps = 3\nformula = "NaCoO2"\n')
    code, _, err = call(monkeypatch, capsys, "build", base, *given, "--out", tmp_path / "cell")
    assert code == 2, err
    assert all(word in err for word in expected), err
    assert absent not in err


def test_the_remedies_of_refused_formulas_build(tmp_path, monkeypatch, capsys):
    fills = ['phase = "O3"\ngaps = 3\nformula = "LiCoO2"\nalkali = "Li"']
    fills += ['phase = "O3"\ngaps = 3\nformula = "KCrO2"\nalkali = "K"']
    fills += ['phase = "spinel"\ngaps = 3\nmetals = { Mn = 1.0 }\ntetrahedral = { Li = 1.0 }']
    for k, fill in enumerate(fills):
        file = tmp_path / f"{k}.toml"
        file.write_text(f"[structure]\nrepeats = [2, 2]\n[[structure.blocks]]\n{fill}\n")
        code, _, err = call(monkeypatch, capsys, "build", file, "--out", tmp_path / str(k))
        assert code == 0, err


def test_a_refused_name_of_a_recipe_does_not_list_them_all(monkeypatch, capsys):
    code, _, err = call(monkeypatch, capsys, "build", "qqqqq")
    assert code == 2
    assert "--list" in err
    assert len(err) < 120


@pytest.mark.parametrize(("command", "resumes"), [("build", False), ("run", True)])
def test_only_a_stopped_study_is_told_to_resume(command, resumes, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["simkit", command])
    with pytest.raises(Interrupted) as stopped:
        commands._interrupt(2, None)
    assert ("--resume" in str(stopped.value)) == resumes


def test_a_changed_recipe_says_so_and_names_what_it_was_made_with(tmp_path):
    same = building.provenance(building.run(*building.load(NAME, ["seed=0"])))
    other = building.run(*building.load(NAME, ["seed=7", 'structure.strain="equal"']))
    assert same["recipe"] == NAME
    assert building.provenance(other)["recipe"] == f'{NAME}, changed: seed=7 structure.strain="equal"'
    for package in ("numpy", "ase", "icet"):
        assert f"{package} {metadata.version(package)}" in same["with"]
    building.write(tmp_path / "cell", other)
    assert io.read_frames(tmp_path / "cell" / "cell.extxyz")[0].metadata["recipe"].endswith('structure.strain="equal"')
    for name in FILES:
        assert sorted(io.read(tmp_path / "cell" / name).symbols) == sorted(other.structure.symbols)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_keys_of_a_kind_are_those_that_the_file_is_checked_by(kind, monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "build", "--keys", kind)
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 120
    told = {key.name: key for key in keys.keys(KINDS[kind])}
    assert list(told) == list(KINDS[kind].model_fields)
    assert [key.name for key in told.values() if not key.meaning] == []
    for name in told:
        assert f"\n  {name}  (" in out
    needed = {name for name, field in KINDS[kind].model_fields.items() if field.is_required()}
    assert {name for name, key in told.items() if key.default == "needed"} == needed


def test_every_key_of_a_block_is_explained_with_its_default():
    told = {key.name: key for key in keys.keys(BlockConfig)}
    assert [key.name for key in told.values() if not key.meaning] == []
    assert told["alkali"].default == f'default: "{build.Block("O3", 3).alkali}"'
    assert "summing to 1" in told["metals"].meaning


def test_keys_of_an_unknown_kind_are_refused(monkeypatch, capsys):
    code, _, err = call(monkeypatch, capsys, "build", "--keys", "laterall")
    assert code == 2
    assert "did you mean 'lateral'" in err
