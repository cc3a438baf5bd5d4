"""The command `simkit`: `main` is its entry point, also once the module of that name is loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

from simkit.cli import entry


class _Package(ModuleType):
    """Loading a submodule binds its name in the package; `main` stays the function."""

    @property
    def main(self) -> Callable[[], None]:
        return entry.main

    @main.setter
    def main(self, module: ModuleType) -> None:
        """The module is in sys.modules, where `from simkit.cli.main import app` finds it."""


sys.modules[__name__].__class__ = _Package
