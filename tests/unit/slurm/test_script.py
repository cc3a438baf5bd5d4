"""The batch script is pure text, and nothing from a file can leave its place in it."""

import re
import shlex
import subprocess

import pytest

from simkit.errors import InputError
from simkit.slurm import site
from simkit.slurm.script import Job, script
from simkit.slurm.words import seconds

JOB = Job("/scratch/me/runs/map", "/opt/simkit/bin/simkit", "map")
FULL = {
    "partition": "gpu,gpu-long",
    "account": "proj_1",
    "qos": "normal",
    "constraint": "(a100|h100)&nvme",
    "gpu_type": "a100",
    "gpus": 2,
    "cpus_per_worker": 8,
    "memory_GB": 64,
    "time": "1-02:03:04",
    "nodes": 3,
    "modules": ["cuda/12.4", "gcc"],
    "environment": {"HTTPS_PROXY": "proxy:3128"},
    "activate": "/opt/simkit",
    "scratch": "/local/scratch",
    "srun": ["--mpi=none"],
}


def text(**changes):
    return script(JOB, site.site({**FULL, **changes}))


def test_the_script_is_what_was_asked_for_and_a_shell_can_read_it():
    found = text()
    for line in (
        "--partition=gpu,gpu-long",
        "--account=proj_1",
        '--constraint="(a100|h100)&nvme"',
        "--gres=gpu:a100:2",
        "--cpus-per-task=16",
        "--mem=64G",
        "--time=1-02:03:04",
        "--nodes=3",
        "--requeue",
        "--signal=B:USR1@120",
        "--output=/scratch/me/runs/map/runs/%j.log",
    ):
        assert f"#SBATCH {line}\n" in found, line
    assert "module load cuda/12.4\nmodule load gcc\n" in found
    assert "export HTTPS_PROXY=proxy:3128\n" in found
    assert 'NUMBA_CACHE_DIR="/local/scratch/simkit-numba-' in found
    assert 'drive "$root" --engine allocation' in found
    assert subprocess.run(["bash", "-n"], input=found, text=True, check=False).returncode == 0
    assert found == text(), "the same job and site give the same text"
    head = found.split("\n\n")[0].splitlines()
    assert all(line.startswith("#") for line in head), "SLURM reads directives up to the first command"


def test_a_driver_of_its_own_asks_for_no_gpu():
    found = text(max_jobs=8, driver_partition="long", driver_time="7-00:00:00")
    assert "--engine blocks" in found
    assert "#SBATCH --partition=long\n" in found
    assert "#SBATCH --cpus-per-task=1\n" in found
    assert "#SBATCH --time=7-00:00:00\n" in found
    assert "--gres" not in found
    assert "#SBATCH --nodes=1\n" in found


EVIL = [
    "x\n#SBATCH --uid=0",
    "x\r#SBATCH",
    "a;reboot",
    "a b",
    "$(id)",
    "`id`",
    "a'b",
    'a"b',
    "a|b;c",
    "../up",
    "a/../b",
    "-rf",
    "x\n",
    "\n",
    "a\\b",
    "a>b",
    "~",
    "a#b",
    "ä",
    "a\0b",
    "a*;b",
    "${HOME}",
    "a\tb",
    "a&&b;",
]
WORDS = (
    "partition",
    "account",
    "qos",
    "gpu_type",
    "time",
    "driver_partition",
    "driver_time",
    "activate",
    "scratch",
    "address",
)


@pytest.mark.parametrize("key", WORDS)
@pytest.mark.parametrize("evil", EVIL)
def test_words_that_would_break_out_are_refused_with_their_key(key, evil):
    with pytest.raises(InputError, match=re.escape(key)):
        text(**{key: evil})


@pytest.mark.parametrize("evil", EVIL)
def test_lists_tables_and_paths_too(evil):
    for change, key in (
        ({"modules": ["cuda", evil]}, "modules.1"),
        ({"srun": [evil]}, "srun.0"),
        ({"environment": {evil: "1"}}, "its name"),
    ):
        with pytest.raises(InputError, match=re.escape(key)):
            text(**change)
    if evil not in ("-rf",):  # a value may begin with a dash: it stands behind NAME=
        with pytest.raises(InputError, match=r"environment\.A"):
            text(environment={"A": evil})
    for broken, key in (
        (Job(f"/runs/{evil}", JOB.simkit, "map"), "--out"),
        (Job("/runs", "/bin/simkit", evil), "name"),
    ):
        if key == "name" or evil not in ("-rf",):
            with pytest.raises(InputError, match=key):
                script(broken, site.site({}))


def test_a_constraint_may_have_its_signs_and_no_others():
    assert '"a&b|[c*2]"' in text(constraint="a&b|[c*2]")
    for evil in ("a;b", "a b", 'a"', "a\n#SBATCH -x", "$(id)", "../a"):
        with pytest.raises(InputError, match="constraint"):
            text(constraint=evil)


def test_counts_times_and_unknown_keys():
    for change, words in (
        ({"gpus": -1}, "gpus = -1"),
        ({"nodes": 0}, "nodes = 0"),
        ({"time": "4h"}, "HH:MM:SS"),
        ({"max_jobs": True}, "max_jobs"),
        ({"save_s": 4}, "save_s"),
        ({"time": "00:01:00"}, "longer than save_s"),
        ({"partion": "gpu"}, "'partition'"),
    ):
        with pytest.raises(InputError, match=words):
            site.site({**FULL, **change})
    assert seconds("1-02:03:04") == 86400 + 2 * 3600 + 3 * 60 + 4


def test_shipped_sites_are_good_and_an_unknown_one_names_them():
    assert set(site.shipped()) == {"gpu-cluster", "many-gpus"}
    for name in site.shipped():
        found = script(JOB, site.site(site.read(name)))
        assert subprocess.run(["bash", "-n"], input=found, text=True, check=False).returncode == 0
    with pytest.raises(InputError, match="gpu-cluster"):
        site.read("gpu-clster")


def test_quoting_survives_a_shell():
    """The body's own words come back from a shell as they went in."""
    found = text(activate="/opt/a+b=c,d")
    line = next(line for line in found.splitlines() if line.startswith("root="))
    assert shlex.split(line) == ["root=/scratch/me/runs/map"]
