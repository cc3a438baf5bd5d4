"""Whatever is killed on the way, the results are those of an undisturbed run, byte for byte."""

import math
import os
import signal
import time

import pytest
from campaigns import events, fingerprint

pytestmark = pytest.mark.slurm

SOME = 4
"""Tasks done before something happens: the campaign is well under way, and far from its end."""
QUIET_S, START_S, WORK_S = 8.0, 8.0, 20.0
"""Of the small campaign in one process, and of a driver and its worker until they are at work, where nothing else runs:
a busy machine takes longer for both. What is to be left of a job of one minute for work."""


def test_nothing_happens_in_one_job(place, undisturbed):
    place.submit()
    place.until(place.over)
    assert fingerprint(place.root) == undisturbed.files, place.log()
    status = place.simkit("status", "run")
    assert status.returncode == 0
    assert "68 of 68 tasks done" in status.stdout, status.stdout
    place.here("verify", "run")
    starts = [line for line in events(place.root) if line["event"] == "start"]
    assert {line["device"] for line in starts} == {"0"}, "the job was given one GPU, the first"
    assert len({line["pid"] for line in starts}) == 1, "one worker for one GPU, alive for the whole job"


@pytest.mark.slow
def test_a_worker_is_killed(place, undisturbed):
    place.submit()
    place.until(lambda: place.done() >= SOME and place.under_way())
    os.kill(place.under_way()[0]["pid"], signal.SIGKILL)
    place.until(place.over)
    assert fingerprint(place.root) == undisturbed.files, place.log()
    assert [line["what"] for line in events(place.root) if line["event"] == "lost"] == ["worker"]


@pytest.mark.slow
def test_the_driver_is_killed_and_its_jobs_are_gone_in_half_a_minute(place, undisturbed):
    """Jobs that come and go, driven from outside; the new driver uses what was done."""
    place.submit("--max-jobs", 2, "--dry-run")
    driver = _driving(place)
    place.until(lambda: place.done() >= SOME and place.under_way())
    driver.kill()
    driver.wait()
    killed = time.monotonic()
    place.until(place.over, 60)
    assert time.monotonic() - killed < 30
    kept = {path: path.stat().st_mtime_ns for path in (place.root / "tasks").rglob("result.json")}
    again = place.simkit("drive", "run", "--engine", "blocks")
    assert again.returncode == 0, again.stdout + again.stderr
    assert fingerprint(place.root) == undisturbed.files
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "finished work was done again"


@pytest.mark.slow
def test_a_block_is_cancelled_and_blocks_on_one_node_have_different_devices(place, undisturbed):
    _larger(place, 5)
    driver = _driving(place)
    place.until(lambda: len({line["job"] for line in place.under_way()}) == 2)
    both = {line["job"]: (line["node"], line["device"]) for line in place.under_way()}
    assert len(set(both.values())) == len(both) == 2, "two jobs at work at once have two devices"
    place.cluster.asked("scancel", next(iter(both)))
    assert driver.wait(600) == 0
    assert undisturbed.within(fingerprint(place.root)), place.log()


@pytest.mark.slow
def test_two_drivers_at_once(place, undisturbed):
    """Both reach the queue before either knows of the other."""
    words = ("submit", "campaign.toml", "--out", "run", "--site", "site.toml")
    both = [place.simkit(*words, wait=False) for _ in range(2)]
    assert {process.wait(300) for process in both} == {0}
    place.until(place.over)
    assert fingerprint(place.root) == undisturbed.files, place.log()
    again = place.simkit(*words)
    assert again.returncode == 0
    place.until(place.over)
    assert fingerprint(place.root) == undisturbed.files


@pytest.mark.slow
def test_an_urgent_job_takes_the_nodes(place, undisturbed):
    place.submit()
    place.until(lambda: place.done() >= SOME and place.under_way())
    before = place.done()
    place.cluster.asked(
        "sbatch", "-p", "urgent", "-N2", "--gres=gpu:2", "--cpus-per-task=4", "-o", "/dev/null", "--wrap", "sleep 5"
    )
    place.until(place.over)
    assert before < len(undisturbed.files) - 1
    assert "restart 1" in place.log(), place.log()
    assert fingerprint(place.root) == undisturbed.files, place.log()


@pytest.mark.slow
def test_the_time_is_up_at_least_twice(place, undisturbed):
    """Jobs of one minute, told to save when a driver and a worker have worked a while; then a longer one."""
    slow = max(1.0, undisturbed.seconds / QUIET_S)
    save_s = int(max(5.0, 60.0 - START_S * slow - WORK_S))
    _larger(place, math.ceil(3.0 * WORK_S / (undisturbed.seconds / 2)) + 1)
    site = place.folder / "site.toml"
    site.write_text(site.read_text().replace("save_s = 10", f"save_s = {save_s}"))
    place.submit("--time", "00:01:00")
    place.until(lambda: place.log().count("successor ") >= 2 or place.over())
    assert place.log().count("successor ") >= 2, place.log()
    place.here("cancel", "run")
    place.until(place.over)
    kept = place.root / "runs" / "site.toml"
    kept.write_text(kept.read_text().replace('"00:01:00"', '"00:30:00"'))
    place.here("resume", "run")
    place.until(place.over)
    assert place.simkit("status", "run").returncode == 0, place.log()
    assert undisturbed.within(fingerprint(place.root)), place.log()


def _driving(place):
    """A driver outside any job, with up to two jobs of one GPU each; the campaign's folder is made first."""
    site = place.folder / "site.toml"
    site.write_text(site.read_text() + "max_jobs = 2\n")
    place.submit()
    place.cluster.asked("scancel", *place.jobs())
    place.until(place.over, 60)
    (place.root / "STOP").unlink(missing_ok=True)
    return place.simkit("drive", "run", "--engine", "blocks", wait=False)


def _larger(place, seeds):
    """The campaign over so many seeds, those of the small one first."""
    file = place.folder / "campaign.toml"
    file.write_text(file.read_text().replace("[3, 4]", f"{{ start = 3, stop = {2 + seeds}, count = {seeds} }}"))
