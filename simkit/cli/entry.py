"""Where `simkit` begins: what is asked often, or starts a job, is done at once; other words load what they may need."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from simkit.cli import standing
from simkit.errors import SimkitError

DISK_EXIT_CODE = 74


def main() -> None:
    """Entry point of the command."""
    quick = status_of(sys.argv[1:]) or drive_of(sys.argv[1:])
    if quick is None:
        importlib.import_module("simkit.cli.commands").main()
        return
    sys.exit(guarded(quick))


def status_of(words: list[str]) -> Callable[[], int] | None:
    """What `simkit status FOLDER [--watch]` does for a campaign; None for anything else."""
    folders = [word for word in words[1:] if word != "--watch"]
    if words[:1] != ["status"] or len(folders) != 1 or folders[0].startswith("-"):
        return None
    folder = Path(folders[0])
    if not standing.is_campaign(folder):
        return None
    return partial(standing.show, folder, "--watch" in words, print)


def drive_of(words: list[str]) -> Callable[[], int] | None:
    """What the `simkit drive FOLDER --engine KIND` of a batch script does; None for anything else."""
    if len(words) != 4 or words[0] != "drive" or words[2] != "--engine" or words[1].startswith("-"):
        return None

    def drive() -> int:
        importlib.import_module("simkit.workflows.campaign.stopping").listen()  # a signal may come at any time
        driving = importlib.import_module("simkit.cli.driving")
        return driving.drive(Path(words[1]), words[3], driving.said)

    return drive


def guarded(work: Callable[[], int]) -> int:
    """The exit code of some work; mistakes are one clear line each."""
    try:
        return work()
    except SimkitError as error:
        for line in str(error).splitlines():
            print(f"simkit: {line}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except OSError as error:
        print(f"simkit: {error}", file=sys.stderr)  # noqa: T201
        return DISK_EXIT_CODE
    except KeyboardInterrupt:
        return 130
