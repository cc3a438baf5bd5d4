"""`python -m benchmarks [NAME ...]`: every benchmark in turn, each in a process of its own, rows printed as they come.

What each says is kept in results/MACHINE/NAME.csv, rows that stand for a goal in results/MACHINE/table.csv.
`python -m benchmarks recipes [NAME ...]` builds and relaxes the shipped recipes instead (hours on two cores);
`--collect FOLDER` writes the table of those that are finished."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
NAMES = (
    "driver_steps",
    "potential_floor",
    "relax_calls",
    "neb_calls",
    "oxide_calls",
    "scaling",
    "binning",
    "msd",
    "md_overhead",
    "campaign_overhead",
    "build_cells",
    "memory",
)
ON_CUDA = ("gpu_goals",)
"""Only run by default where torch sees a CUDA device."""
GOAL = re.compile(r"[CG]\d+,? ")
"""How a row begins that stands for a goal."""


def main() -> int:
    """Run the benchmarks; the exit status is that of the worst one."""
    asked = sys.argv[1:]
    if asked[:1] == ["recipes"]:
        return subprocess.run([sys.executable, str(HERE / "recipes.py"), *asked[1:]], check=False).returncode
    known = (*NAMES, *ON_CUDA)
    unknown = [name for name in asked if name not in known]
    if unknown:
        sys.stderr.write(f"{unknown[0]!r} is no benchmark; there are {', '.join(known)} and recipes.\n")
        return 2
    from rows import HEADER, machine

    folder = HERE / "results" / machine()
    folder.mkdir(parents=True, exist_ok=True)
    codes = [run(name, folder) for name in asked or (known if has_cuda() else NAMES)]
    goals = [line for name in known for line in kept(folder / f"{name}.csv") if GOAL.match(line)]
    (folder / "table.csv").write_text("\n".join([HEADER, *goals]) + "\n")
    sys.stdout.write(f"# table: {folder / 'table.csv'}\n")
    return max(codes)


def has_cuda() -> bool:
    """Whether torch sees a CUDA device, asked in a process of its own: the benchmarks get the memory to themselves."""
    words = [sys.executable, "-c", "import sys, torch; sys.exit(not torch.cuda.is_available())"]
    return subprocess.run(words, check=False).returncode == 0


def run(name: str, folder: Path) -> int:
    """One benchmark; its lines are printed as they come and kept where it ended well."""
    sys.stdout.write(f"# {name}\n")
    sys.stdout.flush()
    lines = []
    words = [sys.executable, str(HERE / f"{name}.py")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    if process.returncode == 0:
        (folder / f"{name}.csv").write_text("".join(lines))
    return process.returncode


def kept(path: Path) -> list[str]:
    """Lines of a file that may not be there."""
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
