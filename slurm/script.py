"""The batch script of a campaign as pure text of a job and a site."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from simkit.slurm import words
from simkit.slurm.site import Site

MOST_CRASHES = 3
MOST_SUCCESSORS = 200
MOST_IDLE = 3
"""Jobs in a row that ran out of time without a value, checkpoint or result."""
TAKEN_WAIT_S = 90
"""After tasks were told to stop, and nobody told the script: SLURM takes a preempted job within its grace time."""


@dataclass(frozen=True)
class Job:
    """A campaign to be driven. root: its folder, absolute; simkit: the command; name: for the queue."""

    root: str
    simkit: str
    name: str


def script(job: Job, site: Site) -> str:
    """The text given to sbatch. Raises InputError for anything that could leave its place in it."""
    words.path("--out", job.root)
    words.path("activate", job.simkit)
    return "\n".join(["#!/bin/bash", *_directives(job, site), "", *_environment(site), "", _body(job, site)]) + "\n"


def resources(site: Site) -> list[str]:
    """#SBATCH lines of a job with workers."""
    gpu = f"gpu:{site.gpu_type}:{site.gpus}" if site.gpu_type else f"gpu:{site.gpus}"
    known = [
        f"--partition={site.partition}" if site.partition else "",
        f"--gres={gpu}" if site.gpus else "",
        f"--cpus-per-task={site.cpus_per_worker * site.per_node}",
        f"--mem={site.memory_GB}G" if site.memory_GB else "",
    ]
    return [f"#SBATCH {line}" for line in [*known, *_charged(site)] if line]


def prepare(site: Site) -> list[str]:
    """Lines of shell before simkit starts on a node: modules, variables, caches on the node's own disk."""
    lines = ["module purge", *(f"module load {shlex.quote(one)}" for one in site.modules)] if site.modules else []
    lines += [f"export {key}={shlex.quote(value)}" for key, value in site.environment.items()]
    scratch = shlex.quote(site.scratch) if site.scratch else "${TMPDIR:-/tmp}"
    lines.append(f'export NUMBA_CACHE_DIR="{scratch}/simkit-numba-$(id -u)"')
    return [*lines, f"export OMP_NUM_THREADS={site.cpus_per_worker}", "export PYTHONUNBUFFERED=1"]


def _charged(site: Site) -> list[str]:
    known = {"account": site.account, "qos": site.qos, "constraint": site.constraint}
    return [f"--{name}={_quoted(name, value)}" for name, value in known.items() if value]


def _quoted(name: str, value: str) -> str:
    return f'"{value}"' if name == "constraint" else value


def _directives(job: Job, site: Site) -> list[str]:
    lines = [
        f"--job-name=simkit-{words.name('name', job.name)}",
        f"--nodes={1 if site.max_jobs > 1 else site.nodes}",
        "--ntasks-per-node=1",
        f"--time={(site.driver_time or site.time) if site.max_jobs > 1 else site.time}",
        f"--output={job.root}/runs/%j.log",
        "--open-mode=append",
        "--requeue",
        f"--signal=B:USR1@{site.save_s}",
    ]
    if site.max_jobs > 1:
        partition = site.driver_partition or site.partition
        lines += [f"--partition={partition}" if partition else "", "--cpus-per-task=1", *_charged(site)]
        return [f"#SBATCH {line}" for line in lines if line]
    return [*(f"#SBATCH {line}" for line in lines), *resources(site)]


def _environment(site: Site) -> list[str]:
    return ["set -u", *prepare(site)]


def _body(job: Job, site: Site) -> str:
    engine = "blocks" if site.max_jobs > 1 else "allocation"
    root, simkit = shlex.quote(job.root), shlex.quote(job.simkit)
    limits = {
        "crashes": MOST_CRASHES,
        "successors": MOST_SUCCESSORS,
        "idle": MOST_IDLE,
        "wait": TAKEN_WAIT_S,
        "save": site.save_s,
    }
    return BODY.format(root=root, simkit=simkit, engine=engine, **limits)


BODY = """\
root={root}
driver=
reason=   # why this job must end: limit (USR1, the time is nearly up) or taken (TERM: preempted, or cancelled)
say() {{ echo "$(date '+%F %T') job $SLURM_JOB_ID restart ${{SLURM_RESTART_COUNT:-0}}: $*"; }}
finished() {{ find "$root/tasks" -name result.json | wc -l; }}
begun="$root/runs/$SLURM_JOB_ID.begun"; touch "$begun"
saved=(-name '*.ckpt' -o -name '*.npz' -o -name result.json)
progress() {{ find "$root/tasks" -newer "$begun" '(' "${{saved[@]}}" ')' -print -quit; }}
left() {{   # seconds before it is time to save; SLURM's signal may come a minute early
  end=$(squeue -h -j "$SLURM_JOB_ID" -o %e 2>/dev/null) && end=$(date -d "$end" +%s 2>/dev/null) || end=0
  echo $((end - $(date +%s) - {save}))
}}
limit() {{
  early=$(left)
  if [ "$early" -gt 1 ]; then (sleep "$early"; kill -USR1 $$ 2>/dev/null) & return; fi
  reason=${{reason:-limit}}
  kill -USR1 "$driver" 2>/dev/null
}}
trap limit USR1
trap 'reason=taken; kill -TERM "$driver" 2>/dev/null' TERM
echo "$SLURM_JOB_ID" >> "$root/runs/jobs"
crashes=0
while true; do
  before=$(finished)
  say "driver starts, $before tasks are done"
  {simkit} drive "$root" --engine {engine} &
  driver=$!
  while true; do   # a trapped signal ends wait before the driver ends
    wait "$driver"; code=$?
    kill -0 "$driver" 2>/dev/null || break
  done
  say "driver ended with $code${{reason:+, $reason}}, $(finished) tasks are done"
  if [ "$code" = 75 ] && [ -z "$reason" ]; then
    # The steps of this job were told to stop and this script was not: SLURM is about to take the job. It comes back.
    say "waiting to be taken"
    for second in $(seq {wait}); do [ -n "$reason" ] && break; sleep 1; done
    [ -n "$reason" ] && break
    say "still here: going on"
    continue
  fi
  case $code in 0|1|2|74|75) break ;; esac
  [ -n "$reason" ] && break
  if [ "$(finished)" -gt "$before" ]; then crashes=0; else crashes=$((crashes + 1)); fi
  if [ "$crashes" -ge {crashes} ]; then say "the driver died {crashes} times without a task done in between"; break; fi
done
if [ "$reason" = limit ] && [ "$code" -gt 2 ] && [ "$code" != 74 ]; then
  export SIMKIT_SUCCESSOR=$((${{SIMKIT_SUCCESSOR:-0}} + 1))
  if [ -n "$(progress)" ]; then export SIMKIT_IDLE=0; else export SIMKIT_IDLE=$((${{SIMKIT_IDLE:-0}} + 1)); fi
  if [ "$SIMKIT_IDLE" -ge {idle} ]; then
    say "{idle} jobs in a row saved nothing: give a longer --time, then simkit submit again"
  elif [ "$SIMKIT_SUCCESSOR" -gt {successors} ]; then
    say "{successors} jobs in a row did not finish it; look at the logs, then: simkit resume"
  else
    next=$(sbatch --parsable --dependency=afterany:"$SLURM_JOB_ID" "$root/runs/job.sh")
    echo "${{next%%;*}}" >> "$root/runs/jobs"
    say "successor $next"
  fi
fi
rm -f "$begun"
exit "$code"
"""
