"""Bad input: one clear line that names the key, the value, what is allowed; exit code 2; nothing half-written."""

import sys
from pathlib import Path

import pytest
from ase.build import bulk
from study_runs import TINY

from simkit import cli

ROOT = Path(__file__).resolve().parents[2]


def call(monkeypatch, capsys, *words):
    """Run the command line in this process; returns exit code, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["simkit", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("relax.fmaxx_eV_per_A=0.1", ["relax.fmaxx_eV_per_A", "unknown key", "fmax_eV_per_A"]),
        ("relax.max_steps=many", ["relax.max_steps", "'many'", "integer"]),
        ("structure.blocks.0.gaps=-2", ["structure.blocks.0.gaps", "-2", "greater than 0"]),
        ("structure.blocks.0.content=1.4", ["content", "1.4", "0 to 1"]),
        ("structure.blocks.0.phase='P4'", ["phase", "'P4'", "did you mean 'OP4'"]),
        ("structure.blocks.0.gaps=3", ["flip", "odd"]),
        ("structure.blocks.1.metals={Xx=1.0}", ["Xx"]),
        ("structure.blocks.1.metals={Mn=0.6}", ["sum", "0.6"]),
        ("structure.blocks.1.alkali='Rb'", ["'Rb'", "Li, Na, K"]),
        ("structure.blocks.1.metals={Zr=1.0}", ["strained", "4 %", "max_strain_percent"]),
        ("structure.repeats=[0, 1]", ["repeats", "0"]),
        ("structure.strain='fix:7'", ["fix:7"]),
        ("potential='chgnett'", ["chgnett", "did you mean"]),
        ("device='cuda:9'", ["cuda:9"]),
        ("seed=-1", ["seed", "-1"]),
        ("structure.max_strain_percent=0.01", ["0.01", "%"]),
    ],
)
def test_a_bad_study_gets_one_line_and_leaves_nothing(change, words, tmp_path, monkeypatch, capsys):
    study = tmp_path / "study.toml"
    study.write_text(TINY)
    code, _, err = call(monkeypatch, capsys, "run", study, "--out", tmp_path / "run", "--set", change)
    assert code == 2, err
    assert len(err.strip().splitlines()) == 1, err
    for word in words:
        assert word.lower() in err.lower(), err
    assert not (tmp_path / "run").exists()


def test_an_element_the_potential_does_not_know(tmp_path, monkeypatch, capsys):
    file = tmp_path / "radon.cif"
    file.write_text(GOOD_CIF.replace("Cl1 Cl", "Rn1 Rn"))
    code, _, err = call(monkeypatch, capsys, "relax", file, "--out", tmp_path / "out")
    assert code == 2, err
    assert "does not know Rn" in err
    assert not (tmp_path / "out").exists()


GOOD_CIF = """data_x
_cell_length_a 4.0
_cell_length_b 4.0
_cell_length_c 4.0
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na 0.0 0.0 0.0 1.0
Cl1 Cl 0.5 0.5 0.5 1.0
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["no such file"]),
        ("this is no crystal\n", ["bad.cif"]),
        (GOOD_CIF.replace("0.5 0.5 0.5 1.0", "0.5 0.5 0.5 0.5"), ["occup", "Cl"]),
        (GOOD_CIF.replace("0.5 0.5 0.5 1.0", "nan 0.5 0.5 1.0"), ["bad.cif"]),
        (GOOD_CIF.replace("_cell_length_c 4.0", "_cell_length_c 0.0"), ["singular"]),
        (GOOD_CIF.replace("0.5 0.5 0.5 1.0", "0.01 0.0 0.0 1.0"), ["apart"]),
    ],
)
def test_a_bad_structure_file_gets_one_line(text, words, tmp_path, monkeypatch, capsys):
    file = tmp_path / "bad.cif"
    if text is not None:
        file.write_text(text)
    code, _, err = call(monkeypatch, capsys, "relax", file, "--out", tmp_path / "out")
    assert code == 2, err
    assert len(err.strip().splitlines()) == 1, err
    for word in words:
        assert word.lower() in err.lower(), err
    assert not (tmp_path / "out").exists()


def test_a_partly_occupied_published_file(tmp_path, monkeypatch, capsys):
    file = ROOT.parent / "shared" / "structures" / "P2-Na2_3MnO2-partial.cif"
    if not file.parent.is_dir():
        pytest.skip("reference structures are not beside the repository (../shared/structures)")
    code, _, err = call(monkeypatch, capsys, "relax", file, "--out", tmp_path / "out")
    assert code == 2
    assert "occup" in err


def test_an_output_folder_with_another_study(tmp_path, monkeypatch, capsys):
    study = tmp_path / "study.toml"
    study.write_text(TINY)
    out = tmp_path / "run"
    out.mkdir()
    (out / "study.toml").write_text("name = 'other'\n")
    code, _, err = call(monkeypatch, capsys, "run", study, "--out", out, "--resume")
    assert code == 2
    assert "another study" in err
    assert [p.name for p in out.iterdir()] == ["study.toml"]


def test_a_broken_off_override_and_a_missing_study(tmp_path, monkeypatch, capsys):
    code, _, err = call(monkeypatch, capsys, "run", tmp_path / "none.toml")
    assert code == 2
    assert "simkit init" in err


def test_init_writes_a_study_that_is_accepted(tmp_path, monkeypatch, capsys):
    study = tmp_path / "mine.toml"
    monkeypatch.setattr(sys, "argv", ["simkit", "init", str(study)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 0
    code, out, err = call(monkeypatch, capsys, "build", study, "--out", tmp_path / "cell")
    assert code == 0, err
    assert "P2" in out
    assert {"cell.cif", "cell.png", "report.txt"} <= {p.name for p in (tmp_path / "cell").iterdir()}
    code, _, err = call(monkeypatch, capsys, "init", study)
    assert code == 2
    assert "exists" in err


def test_a_foreign_crystal_that_is_not_layered(tmp_path, monkeypatch, capsys):
    file = tmp_path / "nacl.cif"
    bulk("NaCl", "rocksalt", a=5.64, cubic=True).write(file)
    code, _, err = call(monkeypatch, capsys, "glide", file, "--potential", "lj", "--out", tmp_path / "out")
    assert code == 2, err
    assert "layered" in err
    assert not (tmp_path / "out").exists()
