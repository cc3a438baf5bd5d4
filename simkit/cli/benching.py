"""simkit bench: how fast a potential is on this machine, and where the time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from simkit import config, io, plot, potential
from simkit.cli.building import require_free
from simkit.io.record import versions
from simkit.potential.base import Potential, check_elements
from simkit.workflows import bench

File = Annotated[Path | None, typer.Argument(help="A structure to repeat; without it P2-NaMnO2.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for table and figure; new or empty.")]
PotentialName = Annotated[str, typer.Option("--potential", help="See: simkit potentials list.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
DType = Annotated[str, typer.Option("--dtype", help="float32 or float64.")]
Trust = Annotated[str | None, typer.Option("--trust", help="Name or SHA-256 of a pickled model file you trust.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="key=value: sizes_atoms=[72,480], block_s=1.0.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("bench")(bench_command)


def bench_command(  # noqa: PLR0913 (one option each)
    file: File = None,
    out: Out = Path("bench"),
    potential_name: PotentialName = "default",
    device: Device = "auto",
    dtype: DType = "float32",
    trust: Trust = None,
    set_: Assignments = None,
) -> None:
    """Time a potential on this machine: cost per atom against size and batch, and what the driver adds."""
    settings = config.checked(bench.Config, config.with_overrides({}, set_ or []))
    cell = None if file is None else io.read(file)
    require_free(out)
    loaded = potential.load(potential_name, device=device, dtype=dtype, trust=trust)
    check_elements((bench.p2_cell() if cell is None else cell).numbers, loaded.card)
    result = bench.run(settings, loaded, cell)
    out.mkdir(parents=True, exist_ok=True)
    _write(out, loaded, result)
    for line in result.lines:
        typer.echo(line)
    typer.echo(f"table and figure: {out}")


def _write(out: Path, loaded: Potential, result: bench.Result) -> None:
    keys = list(result.rows[0])
    lines = [",".join(keys), *(",".join(str(row[key]) for key in keys) for row in result.rows)]
    io.write_atomic(out / "bench.csv", "\n".join(lines).encode() + b"\n")
    card = loaded.card
    record = {
        "potential": card.name,
        "sha256": card.sha256,
        "dtype": card.dtype,
        "device": card.device,
        "versions": versions(),
        "rows": result.rows,
        "driver": {**vars(result.driver), "overhead": result.driver.overhead},
    }
    io.write_atomic(out / "bench.json", io.json_bytes(record))
    figure = plot.speed_figure(*_series(result, card.name), title=f"{card.name}, {card.dtype}, {card.device}")
    io.write_atomic(out / "bench.png", plot.png_bytes(figure))
    io.write_atomic(out / "bench.svg", plot.svg_bytes(figure))


def _series(result: bench.Result, name: str) -> tuple[list[plot.Scaling], list[plot.Scaling], list[plot.Scaling]]:
    def made(points: tuple[bench.Point, ...], grows: list[int], scale: list[float]) -> list[plot.Scaling]:
        whole = np.array([p.seconds for p in points]) * scale
        return [plot.Scaling(name, np.array(grows), whole, np.array([p.list_s for p in points]) * scale)]

    sizes, batches = result.sizes, result.batches
    return (
        made(sizes, [p.atoms for p in sizes], [1e6 / p.atoms for p in sizes]),
        made(batches, [p.structures for p in batches], [1e6 / p.atoms for p in batches]),
        made(batches, [p.atoms for p in batches], [1e3] * len(batches)),
    )
