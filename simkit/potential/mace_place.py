"""Where, how precisely and by which means a MACE runs: what may be asked for, and what goes together."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from simkit.errors import InputError, nearest
from simkit.potential.mace_accelerated import BACKENDS
from simkit.potential.mace_host_gate import fused_reason

CHOICES = {
    "path": ("auto", "fused", "torch"),
    "backend": BACKENDS,
    "graphs": ("off", "auto", "on"),
    "neighbours": ("auto", "host", "device"),
}
"""Options of a MACE spec and their words."""


@dataclass(frozen=True)
class Place:
    """Where and how precisely a model runs, which of its heads, and by which means.

    path        'fused' (simkit's kernels; CPU, scalar models), 'torch', or 'auto': fused where that can be
    backend     of the torch path: mace's own module, or its weights under another program (`mace_accelerated`)
    graphs      CUDA graphs of repeated shapes: 'off', 'auto' (plain, with the reason, where recording fails) or 'on'
    neighbours  edges from the host or found on the device; 'auto': on CUDA, and for graphs and compile, on the device
    """

    device: torch.device
    dtype: torch.dtype
    head: str | None = None
    path: str = "auto"
    backend: str = "plain"
    graphs: str = "off"
    neighbours: str = "auto"

    @property
    def means(self) -> str:
        """What of the torch path computes, in words."""
        lists = "device" if lists_on_device(self) else "host"
        return f"backend={self.backend} with neighbours={lists} and graphs={self.graphs}"


def lists_on_device(place: Place) -> bool:
    """Whether edges are found on the device: shapes only repeat, and are only padded, there."""
    if place.neighbours == "auto":
        return place.device.type == "cuda" or place.graphs != "off" or place.backend == "compile"
    return place.neighbours == "device"


def check_place(place: Place) -> None:
    """Raise InputError for an unknown word and for options that do not go together."""
    for name, words in CHOICES.items():
        if getattr(place, name) not in words:
            raise InputError(f"{name} {getattr(place, name)!r} is unknown; {nearest(getattr(place, name), words)}")
    if place.graphs != "off" and place.device.type != "cuda":
        raise InputError(
            f"graphs={place.graphs} records CUDA graphs, and the device is {place.device}; use graphs=off."
        )
    if place.graphs != "off" and place.neighbours == "host":
        raise InputError("graphs need edges found on the device; drop neighbours=host or use graphs=off.")


def asked_of_torch(place: Place) -> str | None:
    """The option that only the torch path has, as it was written; None where none was."""
    if place.backend != "plain":
        return f"backend={place.backend}"
    return f"neighbours={place.neighbours}" if place.neighbours != "auto" else None


def torch_reason(module: torch.nn.Module, place: Place) -> str | None:
    """Why a model goes through torch, in words; None when the kernels take it.

    Raises InputError for unknown words, and when the fused path is asked for and cannot be.
    """
    check_place(place)
    option = asked_of_torch(place)
    if place.path == "torch":
        return "it was asked for"
    if option is not None:
        if place.path == "fused":
            raise InputError(f"{option} is an option of path=torch; it cannot go with path=fused.")
        return f"{option} was asked for"
    reason = fused_reason(module) if place.device.type == "cpu" else f"the device is {place.device}"
    if reason is not None and place.path == "fused":
        raise InputError(f"this MACE model cannot be evaluated by simkit's kernels: {reason}; use path=torch or auto.")
    return reason
