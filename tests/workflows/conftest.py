"""One tiny study for all tests of this folder."""

from pathlib import Path

import pytest
from study_runs import TINY, simkit


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """The study file."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory) -> Path:
    """The run directory of the study, run once without disturbance."""
    out = tmp_path_factory.mktemp("reference") / "run"
    done = simkit("run", tiny, "--out", out)
    assert done.returncode in (0, 1), done.stderr  # 1: something did not converge, which results.json names
    assert (out / "report.html").exists(), done.stderr
    return out
