"""The time a run spends in the bare model, told from inside: what else the machine does drops out of the ratio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simkit.potential import mace, mace_host


class Inside:
    """Adds up the time spent in the bare model, wherever it is called from."""

    def __init__(self, path: str, clock: Callable[[], float]) -> None:
        self.seconds, self._clock = 0.0, clock
        module, name = (mace, "energies_and_gradient") if path == "torch" else (mace_host, "evaluate_edges")
        setattr(module, name, self._timed(getattr(module, name)))

    def _timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            start = self._clock()
            found = work(*given)
            self.seconds += self._clock() - start
            return found

        return timed
