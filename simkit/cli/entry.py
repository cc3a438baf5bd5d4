"""Where `simkit` begins: how a campaign stands is told at once, every other word loads what it may need."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from simkit.cli import standing
from simkit.errors import SimkitError

WATCH = "--watch"


def main() -> None:
    """Entry point of the command."""
    asked = campaign_asked_for(sys.argv[1:])
    if asked is None:
        importlib.import_module("simkit.cli.main").main()
        return
    try:
        sys.exit(standing.show(*asked, say=print))
    except SimkitError as error:
        print(f"simkit: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def campaign_asked_for(words: list[str]) -> tuple[Path, bool] | None:
    """The folder of `simkit status FOLDER [--watch]`, and whether to watch; None for anything else."""
    folders = [word for word in words[1:] if word != WATCH]
    if words[:1] != ["status"] or len(folders) != 1 or folders[0].startswith("-"):
        return None
    folder = Path(folders[0])
    return (folder, WATCH in words) if standing.is_campaign(folder) else None
