"""Build and relax every shipped recipe with the embedded potential; a table of what became of each.

    python -m benchmarks recipes [--out FOLDER] [--device cpu] [NAME ...]
    python -m benchmarks recipes --collect FOLDER [--out TO]

Writes FOLDER/NAME/ as `simkit build NAME --relax` does, and FOLDER/table.md and FOLDER/relaxed.csv after every recipe,
so that an interrupted run keeps its rows; folders of finished recipes are read, not computed again. A recipe that fails
has the reason in its row, and the run goes on. --collect computes nothing: it writes TO/relaxed.csv from the recipes
that are finished in FOLDER. The gallery reads workflows/recipes/relaxed.csv.
"""

from __future__ import annotations

import argparse
import csv
import io as io_text
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from simkit import io, potential
from simkit.workflows import building, gallery, settling

COLUMNS = (
    *("recipe", "atoms", "potential", "status", "steps", "seconds", "fmax_eV_per_A"),
    *("volume_change_percent", "largest_displacement_A", "changed"),
)
HEAD = (
    "| recipe | atoms | build s | relax s | steps | status | fmax eV/A | volume % | moved A | what changed |\n"
    "|---|---|---|---|---|---|---|---|---|---|\n"
)


def main() -> int:
    """Relax what is asked for; the exit status is 1 where one could not be built or did not converge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--potential", default="chgnet+d3")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--collect", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    if asked.collect is not None:
        return _collect(asked.collect, asked.out)
    loaded = potential.load(asked.potential, device=asked.device)
    rows, done, good = [], {}, True
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.names or building.recipes():
        facts = _facts(asked.out / name, name, loaded)
        good = good and facts["good"]
        rows.append(_row(name, facts))
        sys.stdout.write(rows[-1])
        sys.stdout.flush()
        done[name] = facts
        io.write_atomic(asked.out / "table.md", (HEAD + "".join(rows)).encode())
        io.write_atomic(asked.out / gallery.RELAXED, _csv(done).encode())
    return 0 if good else 1


def _collect(source: Path, out: Path) -> int:
    """Write the table of what is finished; the exit status is 1 where nothing is."""
    files = {name: source / name / "relaxation.json" for name in building.recipes()}
    done = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}
    out.mkdir(parents=True, exist_ok=True)
    io.write_atomic(out / gallery.RELAXED, _csv(done).encode())
    sys.stdout.write(f"{out / gallery.RELAXED}: {len(done)} of {len(files)} recipes\n")
    return 0 if done else 1


def _csv(done: Mapping[str, Mapping]) -> str:
    """One row per recipe; numbers as they were computed, to six digits."""
    text = io_text.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, facts in done.items():
        found = {**facts, "recipe": name, "seconds": facts.get("relax_s", ""), "changed": _changed(facts)}
        values = [found.get(column, "") for column in COLUMNS]
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in values])
    return text.getvalue()


def _changed(facts: Mapping) -> str:
    """What a relaxation did not keep, in the words of the checks; of what they only flag, without the list of atoms."""
    findings = (facts.get("checks") or {"findings": []})["findings"]
    failed = [text for finding in findings for text in finding["hard"]]
    flagged = [text.partition(": ")[0].rstrip(".") + "." for finding in findings for text in finding["soft"]]
    return " ".join([*failed, *(f"Flagged: {text}" for text in flagged)]) or "nothing"


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
    return f"| {name} | {' | '.join(words)} | {_changed(facts)} |\n"


if __name__ == "__main__":
    sys.exit(main())
