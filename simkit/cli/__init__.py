"""The command `simkit`."""

from simkit.cli.entry import main

__all__ = ["main"]
