"""`python -m benchmarks`: every CPU benchmark in turn, each in a process of its own, rows printed as they come.

`python -m benchmarks recipes [NAME ...]` builds and relaxes the shipped recipes instead (hours on two cores);
`--collect FOLDER` writes the table of those that are finished."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("potential_floor", "relax_calls", "neb_calls", "binning", "msd", "md_overhead", "build_cells")


def main() -> int:
    """Run the benchmarks; the exit status is that of the worst one."""
    asked = sys.argv[1:]
    recipes = asked[:1] == ["recipes"]
    names, words = (asked[:1], asked[1:]) if recipes else (NAMES, asked)
    worst = 0
    for name in names:
        sys.stdout.write(f"# {name}\n")
        sys.stdout.flush()
        worst = max(worst, subprocess.run([sys.executable, str(HERE / f"{name}.py"), *words], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
