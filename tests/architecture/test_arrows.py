"""Imports follow the arrows of ARCHITECTURE.md, and heavy libraries stay in their rooms."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOOR = {"errors", "units", "arrays", "elements", "structure", "trajectory", "kernels"}
ROOMS = {"build", "solve", "measure", "io", "plot", "config"}
ALLOWED = {
    "errors": set(),
    "units": set(),
    "arrays": {"errors"},
    "elements": {"errors"},
    "structure": {"arrays", "errors", "elements"},
    "trajectory": {"structure", "arrays", "errors", "elements", "units"},
    "kernels": {"errors", "arrays", "units", "kernels"},
    "potential": FLOOR | {"potential", "potentials"},
    "build": FLOOR | {"build"},
    "solve": FLOOR | {"potential", "solve"},
    "measure": FLOOR | {"potential", "measure"},
    "io": FLOOR | {"potential", "io"},
    "plot": FLOOR | {"plot"},
    "config": FLOOR,
    "report": FLOOR | ROOMS | {"report", "potential"},
    "potentials": set(),
    "slurm": FLOOR | {"config", "io", "slurm"},
    "workflows": FLOOR | ROOMS | {"potential", "workflows", "report"},
    "cli": FLOOR | ROOMS | {"potential", "workflows", "report", "slurm", "cli"},
}
HOMES = {
    "torch": {"potential"},
    "torch_dftd": {"potential"},
    "mace": {"potential"},
    "e3nn": {"potential"},
    "chgnet": {"potential"},
    "dftd3": {"potential"},
    "ase": {"io", "potential", "build"},
    "icet": {"build"},
    "pymatgen": {"io", "build", "measure"},
    "h5py": {"io"},
    "numba": {"kernels"},
    "matplotlib": {"plot"},
    "pydantic": {"config", "workflows"},
    "typer": {"cli"},
    "rich": {"cli"},
    "jinja2": {"report"},
    "parsl": {"slurm"},
}


def sources():
    """(file, room) of every module that installs."""
    for path in sorted((ROOT / "simkit").rglob("*.py")):
        inner = path.relative_to(ROOT / "simkit").parts
        yield path, inner[0].removesuffix(".py")
    for room in ("workflows", "potentials", "slurm"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path, room


FILES = list(sources())


def imports(path):
    """Dotted names imported anywhere in a file, and whether each import sits inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "simkit" else [base]
        else:
            continue
        for name in names:
            yield name, id(node) in inner


@pytest.mark.parametrize(("path", "room"), FILES, ids=lambda value: getattr(value, "name", value))
def test_imports_point_down(path, room):
    if room == "__init__":
        return
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] == "simkit" and len(parts) > 1:
            assert parts[1] in ALLOWED[room] | {room}, f"{path.name} of {room} imports {name}"


@pytest.mark.parametrize(("path", "room"), FILES, ids=lambda value: getattr(value, "name", value))
def test_heavy_libraries_stay_home(path, room):
    for name, _ in imports(path):
        top = name.split(".")[0]
        assert room in HOMES.get(top, {room}), f"{path.name} of {room} imports {top}"


@pytest.mark.parametrize(("path", "room"), FILES, ids=lambda value: getattr(value, "name", value))
def test_no_import_hides_in_a_function(path, room):
    hidden = [name for name, inside in imports(path) if inside]
    assert not hidden, f"{path.name} of {room} imports {hidden} inside a function"


def test_ase_is_wrapped_in_one_file_of_the_potential_room():
    users = {
        p.name for p, room in sources() if room == "potential" and any(n.split(".")[0] == "ase" for n, _ in imports(p))
    }
    assert users <= {"ase.py"}


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/")), ids=lambda path: path.name)
def test_top_level_folders(path):
    allowed = {"simkit", "workflows", "potentials", "tests", "benchmarks", "slurm"}
    if path.name.startswith(".") or path.name in {"runs", "build", "dist"} or path.name.endswith(".egg-info"):
        return
    assert path.name in allowed


def test_every_room_has_a_plaque_of_at_most_five_lines():
    rooms = [p for p in (ROOT / "simkit").iterdir() if p.is_dir() and (p / "__init__.py").exists()]
    rooms += [ROOT / name for name in ("workflows", "potentials", "slurm", "tests", "benchmarks")]
    for room in rooms:
        plaque = room / "README.md"
        assert plaque.exists(), f"{room.name} has no README.md"
        assert len(plaque.read_text(encoding="utf-8").strip().splitlines()) <= 5, f"{plaque} is longer than five lines"


def test_modules_stay_small():
    long = {p.name: n for p, _ in sources() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 350}
    assert not long, f"files with more than one subject? {long}"


def test_every_package_is_installed():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {"simkit", "simkit.workflows", "simkit.potentials", "simkit.slurm"}
    found |= {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "simkit").rglob("__init__.py")}
    for room in ("workflows", "potentials", "slurm"):
        found |= {".".join(("simkit", *p.parent.relative_to(ROOT).parts)) for p in (ROOT / room).rglob("__init__.py")}
    assert listed == found
