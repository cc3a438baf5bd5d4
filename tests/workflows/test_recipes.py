"""Every shipped recipe: builds, passes the checks, holds what it says, and comes back from its recipe byte for byte."""

import json
import runpy
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from simkit import build, io, plot, potential
from simkit.workflows import building, figures, formulas, gallery, settling
from simkit.workflows.structures import KINDS

NAMES = list(building.recipes())
STACKS = [name for name in NAMES if building.load(name)[1].structure.kind == "stack"]


@cache
def cell(name):
    return building.run(*building.load(name))


def test_there_is_a_recipe_of_every_kind_of_cell():
    """But of joins of two files: no structure file is shipped."""
    assert {building.load(name)[1].structure.kind for name in NAMES} == set(KINDS) - {"coherent"}


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_every_hard_check(name):
    found = build.validate(cell(name).built)
    assert found.passed, found.text()


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_the_composition_it_states(name):
    about, structure = cell(name).request.about, cell(name).structure
    assert about.formula, f"{name} names no formula, so nothing holds its cell against what its text says"
    assert formulas.misses(structure, about.formula, about.per, about.within) == []
    for phase, formula in about.regions.items():
        assert formulas.misses(formulas.of_phase(structure, phase), formula, "metals") == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_written_in_every_format_and_reads_back(name, tmp_path, monkeypatch):
    monkeypatch.setattr(plot, "png_bytes", lambda picture: b"")  # drawing is tested with the gallery
    monkeypatch.setattr(figures, "cell", lambda structure, title: None)
    building.write(tmp_path / "cell", cell(name))
    for file in ("cell.extxyz", "cell.cif", "cell.lammps-data", "POSCAR"):
        text = (tmp_path / "cell" / file).read_text()
        assert cell(name).structure.periodic.all() != ("not periodic along" in text) or file == "cell.extxyz"
        assert str(building.provenance(cell(name))["recipe_sha256"]) in text
    back = io.read(tmp_path / "cell" / "cell.extxyz")
    assert back.positions.tobytes() == cell(name).structure.positions.tobytes()
    assert (back.periodic == cell(name).structure.periodic).all()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_where_it_comes_from_and_how_large_it_is(name):
    about = cell(name).request.about
    assert about.system
    assert about.source
    assert about.atoms == len(cell(name).structure)


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_reads_back_as_the_galleries_asked_for(name):
    built = cell(name).built
    wanted = [gap for block in built.blocks for gap in block.gap_names]
    assert build.same_cyclic(build.classify(built.structure).stack.gaps(), wanted)
    noise = np.random.default_rng(1).normal(0.0, 0.1, built.structure.positions.shape)
    shaken = built.structure.moved_to(built.structure.positions + noise)
    assert build.same_cyclic(build.classify(shaken).stack.gaps(), wanted)


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_back_from_its_recipe_byte_for_byte(name):
    first = cell(name).structure
    again = build.rebuild(json.loads(json.dumps(cell(name).built.recipe))).structure
    assert again.numbers.tobytes() == first.numbers.tobytes()
    assert again.positions.tobytes() == first.positions.tobytes()
    assert again.cell.tobytes() == first.cell.tobytes()
    assert again.layers.tobytes() == first.layers.tobytes()


def test_the_list_names_every_recipe_once_and_fits_its_columns():
    lines = gallery.table().splitlines()
    assert [line.split()[0] for line in lines[1:]] == NAMES
    start = lines[0].index("kind")
    assert all(line[start - 1] == " " and line[start] != " " for line in lines[1:])


def test_an_impossible_sodium_content_of_a_region_is_refused():
    asked = building.load("p2-p3-na046mnni", ["structure.blocks.0.content=1.2"])
    with pytest.raises(build.checks.InputError, match=r"1\.2"):
        building.run(*asked)


def test_the_gallery_shows_every_recipe_in_small_pictures():
    folder = building.recipes()[NAMES[0]].parent
    page = (folder / "GALLERY.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"## {name}\n" in page
        picture = folder / "pictures" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size <= 60_000


def test_a_gradient_of_a_block_is_one_of_its_slabs():
    structure = cell("o3-graded-linimn").structure
    symbols = np.array(structure.symbols)
    manganese = [int((symbols[structure.layers == slab] == "Mn").sum()) for slab in range(6)]
    assert manganese == [0, 3, 6, 6, 3, 0]


def test_the_benchmark_goes_on_after_a_recipe_that_fails(tmp_path, monkeypatch, capsys):
    script = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "recipes.py"))
    narrow = SimpleNamespace(card=SimpleNamespace(name="narrow", elements=("O",)))
    monkeypatch.setattr(potential, "load", lambda name, device: narrow)
    (tmp_path / "oprime3-namno2").write_text("a file where the folder should be")
    names = ["no-such-recipe", "oprime3-namno2", "p2-p3-na046mnni"]
    monkeypatch.setattr(sys, "argv", ["recipes.py", "--out", str(tmp_path), *names])
    assert script["main"]() == 1
    rows = (tmp_path / "table.md").read_text().splitlines()[2:]
    assert [row.split()[1] for row in rows] == names
    assert "no recipe" in rows[0]
    assert "failed" in rows[1]
    assert "does not know" in rows[2]
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_finished_relaxations_become_the_table_of_the_gallery(tmp_path, monkeypatch):
    script = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "recipes.py"))
    finding = {"hard": [], "soft": ["3 of 9 ions changed their number of anions: atom 7 (Na) 6 to 5."]}
    facts = {"atoms": 144, "potential": "p", "status": "converged", "steps": 11, "relax_s": 17.06, "energy_eV": -1.0}
    facts |= {"fmax_eV_per_A": 0.0247, "volume_change_percent": 4.442, "largest_displacement_A": 0.1574}
    (tmp_path / "from" / "oprime3-namno2").mkdir(parents=True)
    done = {**facts, "checks": {"findings": [finding]}}
    (tmp_path / "from" / "oprime3-namno2" / "relaxation.json").write_text(json.dumps(done))
    monkeypatch.setattr(sys, "argv", ["recipes.py", "--collect", str(tmp_path / "from"), "--out", str(tmp_path)])
    assert script["main"]() == 0
    monkeypatch.setattr(building, "folder", lambda: tmp_path)
    found = gallery.relaxations()
    assert list(found) == ["oprime3-namno2"]
    words = gallery.relaxed_words(found["oprime3-namno2"])
    for word in ("converged after 11 steps in 17 s", "0.025 eV/A", "+4.44 %", "0.16 A", "3 of 9 ions changed"):
        assert word in words, words
    assert "atom 7" not in words
    assert gallery.relaxed_words(found.get("p2-o3-lateral")) == "not relaxed yet"


def test_the_shipped_table_of_relaxations_is_of_the_shipped_recipes():
    for name, row in gallery.relaxations().items():
        assert int(row["atoms"]) == building.load(name)[1].about.atoms, name


@pytest.mark.parametrize("name", ["p2-p3-spinel-na05mnnife", "linio2-spinel-domain", "p2-tunnel-na06mno2"])
def test_the_gallery_tells_every_region_as_asked_and_as_built(name):
    lines = gallery.regions(cell(name))
    parts = cell(name).request.structure.parts
    assert len(lines) >= len(parts)
    for phase, composition in parts:
        mine = [line for line in lines if line.startswith(phase)]
        assert any("asked" in line and "built" in line for line in mine)
        assert all(symbol in mine[0] for symbol in composition.mean_metals)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["o3-he-namnfeconiti", "p2-p3-na044mnco"])
def test_a_small_copy_relaxes_and_keeps_its_phases(name):
    """The whole set is relaxed by benchmarks/recipes.py; two small cells show the way there."""
    small = [*(["structure.repeats=[2, 2]"] if "p2" in name else ["structure.repeats=[5, 1]"]), "relax.max_steps=60"]
    built = building.run(*building.load(name, [*small, "relax.fmax_eV_per_A=0.1"]))
    result = settling.run(built, potential.load("default", device="cpu", dtype="float64"))
    assert result.good, result.text()
    assert abs(result.facts["volume_change_percent"]) < 5
