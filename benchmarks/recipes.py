"""Build and relax every shipped recipe with the embedded potential; a table of what became of each.

    python benchmarks/recipes.py [--out FOLDER] [--device cpu] [NAME ...]

Writes FOLDER/NAME/ as `simkit build NAME --relax` does, and FOLDER/table.md after every recipe, so that an interrupted
run keeps its rows; folders of finished recipes are read, not computed again. A recipe that fails has the reason in its
row, and the run goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from simkit import io, potential
from simkit.workflows import building, settling

HEAD = (
    "| recipe | atoms | build s | relax s | steps | status | fmax eV/A | volume % | moved A | what changed |\n"
    "|---|---|---|---|---|---|---|---|---|---|\n"
)


def main() -> int:
    """Relax what is asked for; the exit status is 1 where one could not be built or did not converge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--potential", default="default")
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    loaded = potential.load(asked.potential, device=asked.device)
    rows, good = [], True
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.names or building.recipes():
        facts = _facts(asked.out / name, name, loaded)
        good = good and facts["good"]
        rows.append(_row(name, facts))
        sys.stdout.write(rows[-1])
        sys.stdout.flush()
        io.write_atomic(asked.out / "table.md", (HEAD + "".join(rows)).encode())
    return 0 if good else 1


def _facts(folder: Path, name: str, loaded: potential.Potential) -> dict:
    done = folder / "relaxation.json"
    if done.exists():
        return json.loads(done.read_text(encoding="utf-8"))
    facts: dict = {}
    try:
        _compute(folder, name, loaded, facts)
    except Exception as error:  # one recipe that breaks must not take the others with it
        reason = " ".join(str(error).split()).replace("|", "/")
        return {**facts, "good": False, "status": f"failed, {type(error).__name__}: {reason}"}
    io.write_atomic(done, io.json_bytes(facts))
    return facts


def _compute(folder: Path, name: str, loaded: potential.Potential, facts: dict) -> None:
    """Build, write, relax and write one recipe; `facts` fill up on the way, so that a failure keeps those it had."""
    start = time.perf_counter()
    cell = building.run(*building.load(name))
    facts |= {"atoms": len(cell.structure), "build_s": time.perf_counter() - start}
    building.write(folder, cell)
    start = time.perf_counter()
    result = settling.run(cell, loaded)
    facts |= {**result.to_dict(), "good": result.good, "relax_s": time.perf_counter() - start}
    settling.write(folder, cell, result)


def _row(name: str, facts: dict) -> str:
    keys = ("atoms", "build_s", "relax_s", "steps", "status", "fmax_eV_per_A")
    more = ("volume_change_percent", "largest_displacement_A")
    words = [f"{v:.3g}" if isinstance(v := facts.get(key, ""), float) else str(v) for key in (*keys, *more)]
    told = facts.get("checks") or {"findings": []}
    failed = [text for f in told["findings"] for text in f["hard"]]
    return f"| {name} | {' | '.join(words)} | {' '.join(failed) or 'nothing'} |\n"


if __name__ == "__main__":
    sys.exit(main())
