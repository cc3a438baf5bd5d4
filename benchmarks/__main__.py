"""`python -m benchmarks`: every CPU benchmark in turn, each in a process of its own, rows printed as they come."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("potential_floor", "relax_calls", "neb_calls", "binning", "build_cells")


def main() -> int:
    """Run the benchmarks; the exit status is that of the worst one."""
    worst = 0
    for name in NAMES:
        sys.stdout.write(f"# {name}\n")
        sys.stdout.flush()
        worst = max(
            worst, subprocess.run([sys.executable, str(HERE / f"{name}.py"), *sys.argv[1:]], check=False).returncode
        )
    return worst


if __name__ == "__main__":
    sys.exit(main())
