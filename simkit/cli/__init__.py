"""The command `simkit`."""

from simkit.cli.main import main

__all__ = ["main"]
