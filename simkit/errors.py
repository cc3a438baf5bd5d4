"""The few exceptions of simkit; each message says what was found, what is allowed and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SimkitError(Exception):
    """Anything simkit raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(SimkitError):
    """The request cannot be met as written: nothing was computed, nothing was written."""

    exit_code = 2


class UntrustedFileError(InputError):
    """A model file would run code on loading and the user has not said by name that it may."""


class CorruptFileError(SimkitError):
    """A file written by simkit fails its own checksum or schema."""

    exit_code = 74


class Stopped(SimkitError):
    """A run ended before its last step; what was finished is on disk."""


class Interrupted(SimkitError):
    """A signal asked the command to stop; a study can be taken up again with --resume."""

    exit_code = 75


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Sentence naming the closest allowed word, or all of them when none is close."""
    names = sorted(set(allowed))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "allowed: " + ", ".join(names)
