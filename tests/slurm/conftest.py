"""One private cluster for all tests of this folder, and one undisturbed campaign to compare with."""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cluster as private
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflows"))

from campaigns import events, fingerprint, written
from typer.testing import CliRunner

from simkit.cli.commands import app
from simkit.workflows.campaign import run, work

SIMKIT = Path(sys.executable).parent / "simkit"
CAMPAIGN = """
name = "faults"
study = "study.toml"
spread = 2
steps = ["strained phases", "migration", "gliding", "stress"]

[over]
"structure.blocks.0.content" = [0.75, 1.0]
seed = [3, 4]
"""
SITE = """
partition = "gpu"
gpus = 1
cpus_per_worker = 1
time = "00:10:00"
save_s = 10
address = "127.0.0.1"
"""
PATIENCE_S = 600


@dataclass(frozen=True)
class Place:
    """A folder with a campaign file, its site, and the cluster; `root` is where the campaign goes."""

    folder: Path
    cluster: private.Cluster

    @property
    def root(self) -> Path:
        return self.folder / "run"

    @property
    def environment(self) -> dict[str, str]:
        return {**self.cluster.environment, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

    def simkit(self, *words: object, wait: bool = True):
        """Run the command; with wait=False the process itself."""
        command = [str(SIMKIT), *(str(word) for word in words)]
        if not wait:
            return subprocess.Popen(command, env=self.environment, cwd=self.folder)
        return subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )

    def here(self, *words: object) -> None:
        """The same in this process, which has loaded everything: it must succeed."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(run, "listen", lambda: None)
            patch.setattr(work, "listen", lambda: None)
            done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, (done.output, done.exception)

    def submit(self, *words: object) -> None:
        self.here("submit", "campaign.toml", "--out", "run", "--site", "site.toml", *words)

    def jobs(self) -> list[str]:
        return self.cluster.asked("squeue", "-h", "-o", "%A").split()

    def done(self) -> int:
        return sum(1 for _ in (self.root / "tasks").rglob("result.json"))

    def until(self, what, patience_s: float = PATIENCE_S) -> None:
        """Wait until what() is true; fail with the log of the job where it never is."""
        end = time.monotonic() + patience_s
        while not what():
            assert time.monotonic() < end, self.log()
            time.sleep(0.2)

    def over(self) -> bool:
        return not self.jobs()

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted((self.root / "runs").glob("*.log")))

    def under_way(self) -> list[dict]:
        """The beginnings of tasks that have not ended."""
        last = {}
        for path in (self.root / "tasks").rglob("attempts.jsonl"):
            lines = path.read_text().splitlines()
            last[path] = lines[-1] if lines else ""
        return [line for line in events(self.root) if line["event"] == "start" and self._open(line, last)]

    @staticmethod
    def _open(line: dict, last: dict) -> bool:
        return any(f'"pid": {line["pid"]}' in text and '"start"' in text for text in last.values())


@pytest.fixture(scope="session")
def cluster():
    """Up for the session, and down whatever happens. A path short enough for a socket, outside pytest's own."""
    if private.missing():
        pytest.fail("apt-get install -y --no-install-recommends slurm-wlm munge")
    folder = Path(tempfile.mkdtemp(prefix="simkit-slurm-"))
    try:
        yield private.start(folder)
    finally:
        private.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def place(cluster, tmp_path):
    """A fresh campaign; no job of it stays behind."""
    written(tmp_path, CAMPAIGN)
    (tmp_path / "site.toml").write_text(SITE)
    here = Place(tmp_path, cluster)
    yield here
    jobs = here.jobs()
    if jobs:
        cluster.asked("scancel", *jobs)
        here.until(here.over, 60)


@dataclass(frozen=True)
class Undisturbed:
    """Digests of the result files of the campaign when nothing happens, and how long it takes here, seconds."""

    files: dict[str, str]
    seconds: float

    def within(self, found: dict[str, str]) -> bool:
        """Whether all that was computed is there, byte for byte, in the results of a larger campaign."""
        return all(found.get(path) == digest for path, digest in self.files.items() if path.endswith(".npz"))


@pytest.fixture(scope="session")
def undisturbed(cluster, tmp_path_factory) -> Undisturbed:
    """The campaign in one process, without SLURM; twice, since the first time kernels are compiled."""
    found = []
    for name in ("first", "again"):
        folder = tmp_path_factory.mktemp(name)
        written(folder, CAMPAIGN)
        here = Place(folder, cluster)
        begun = time.monotonic()
        here.here("submit", "campaign.toml", "--out", "run", "--engine", "inline", "--gpus", 0)
        seconds = time.monotonic() - begun
        assert here.done() >= 20, "a campaign of at least twenty tasks"
        found.append(fingerprint(here.root))
    assert found[0] == found[1]
    return Undisturbed(found[1], seconds)
