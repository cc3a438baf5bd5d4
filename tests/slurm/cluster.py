"""A private SLURM on 127.0.0.1: two nodes on one machine, fake GPUs, a partition that preempts another.

python tests/slurm/cluster.py start|stop|status FOLDER

Needs Debian's packages (apt-get install -y --no-install-recommends slurm-wlm munge), no root file, no systemd.
Everything it writes is under FOLDER; it stops only processes whose number it wrote there and whose command line
names FOLDER.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
GPUS = 2
CPUS = 4

CONF = """\
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket,cred_expire=20
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
KillWait=10
MinJobAge=300
OverTimeLimit=0
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2,requeue_delay=1
{nodes}
PartitionName=gpu Nodes=ALL Default=YES State=UP MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=urgent Nodes=ALL State=UP MaxTime=INFINITE PriorityTier=9 PreemptMode=OFF
"""


@dataclass(frozen=True)
class Cluster:
    """Where everything of a cluster lies, and the first of its ports."""

    folder: Path
    port: int
    nodes: tuple[str, ...] = ("n1", "n2")

    @property
    def environment(self) -> dict[str, str]:
        """For commands that talk to it."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": PATH}

    def asked(self, *words: str, timeout_s: float = 30) -> str:
        """What a SLURM command prints."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def missing() -> list[str]:
    """Daemons that are not installed."""
    return [name for name in DAEMONS if shutil.which(name, path=PATH) is None]


def free_port() -> int:
    """The first of four free ports in a row."""
    for port in range(17000 + os.getpid() % 1000 * 8, 40000, 8):
        if all(_is_free(port + k) for k in range(4)):
            return port
    raise RuntimeError("no four free ports in a row between 17000 and 40000")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


def start(folder: Path) -> Cluster:
    """Bring a cluster up; every node is idle when this returns."""
    if missing():
        raise RuntimeError(
            f"{', '.join(missing())} not found: apt-get install -y --no-install-recommends slurm-wlm munge"
        )
    cluster = Cluster(folder.resolve(), free_port())
    for name in ("run", "log", "state", "dev", *(f"spool/{node}" for node in cluster.nodes)):
        (cluster.folder / name).mkdir(parents=True, exist_ok=True)
    cluster.folder.chmod(0o755)
    _configure(cluster)
    _munge(cluster)
    _daemon(cluster, "slurmctld", "-i", "-f", str(cluster.folder / "slurm.conf"))
    for node in cluster.nodes:
        _daemon(cluster, "slurmd", "-N", node, "-f", str(cluster.folder / "slurm.conf"))
    _wait_idle(cluster)
    return cluster


def _configure(cluster: Cluster) -> None:
    host, lines, gres = socket.gethostname().split(".")[0], [], []
    for k, node in enumerate(cluster.nodes):
        for gpu in range(GPUS):
            device = cluster.folder / "dev" / f"{node}-gpu{gpu}"
            device.unlink(missing_ok=True)
            device.symlink_to("/dev/null")  # SLURM only looks whether the file is there
        gres.append(f"NodeName={node} Name=gpu Type=fake File={cluster.folder}/dev/{node}-gpu[0-{GPUS - 1}]")
        lines.append(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={cluster.port + 1 + k} CPUs={CPUS} "
            f"RealMemory=4000 Gres=gpu:fake:{GPUS} State=UNKNOWN"
        )
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    facts = {"host": host, "port": cluster.port, "user": user, "folder": cluster.folder, "nodes": "\n".join(lines)}
    (cluster.folder / "slurm.conf").write_text(CONF.format(**facts))
    (cluster.folder / "gres.conf").write_text("\n".join(gres) + "\n")


def _munge(cluster: Cluster) -> None:
    key = cluster.folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    run, log = cluster.folder / "run", cluster.folder / "log"
    _daemon(
        cluster, "munged", "--force", f"--key-file={key}", f"--socket={run}/munge.socket",
        f"--pid-file={run}/munged.pid", f"--log-file={log}/munged.log", f"--seed-file={cluster.folder}/munge.seed",
    )  # fmt: skip


def _daemon(cluster: Cluster, *words: str) -> None:
    cluster.asked(*words)


def _wait_idle(cluster: Cluster) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if len(cluster.asked("sinfo", "-h", "-N", "-p", "gpu", "-t", "idle", "-o", "%N").split()) == len(
                cluster.nodes
            ):
                return
        except (RuntimeError, subprocess.TimeoutExpired):
            pass
        time.sleep(0.2)
    logs = "\n".join(path.read_text()[-800:] for path in sorted((cluster.folder / "log").glob("*.log")))
    raise RuntimeError(f"SLURM did not come up:\n{logs}")


def stop(folder: Path) -> None:
    """Stop what `start` started, the youngest first."""
    files = sorted((folder.resolve() / "run").glob("*.pid"), key=lambda path: -path.stat().st_mtime)
    for path in files:
        try:
            number = int(path.read_text())
        except (OSError, ValueError):
            continue
        if _is_ours(number, folder.resolve()):
            _end(number)
        path.unlink(missing_ok=True)


def _is_ours(number: int, folder: Path) -> bool:
    """A number that was given to another process since is not ours."""
    try:
        return str(folder).encode() in Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return False


def _end(number: int) -> None:
    for sign, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0)):
        try:
            os.kill(number, sign)
        except ProcessLookupError:
            return
        end = time.monotonic() + seconds
        while time.monotonic() < end and Path(f"/proc/{number}").exists():
            time.sleep(0.05)


def main(words: list[str]) -> int:
    """The command line."""
    if len(words) != 2 or words[0] not in ("start", "stop", "status"):
        sys.stderr.write(__doc__ or "")
        return 2
    folder = Path(words[1])
    if words[0] == "start":
        cluster = start(folder)
        sys.stdout.write(f"export SLURM_CONF={cluster.folder}/slurm.conf\n")
    elif words[0] == "status":
        environment = {**os.environ, "SLURM_CONF": str(folder.resolve() / "slurm.conf"), "PATH": PATH}
        for command in (["sinfo", "-N"], ["squeue"]):
            subprocess.run(command, env=environment, timeout=30, check=False)
    else:
        stop(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
