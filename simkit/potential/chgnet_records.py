"""What a message function of CHGNet is made of and what it works on."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

WIDTH = 64

Record = TypeVar("Record")


@dataclass(frozen=True, eq=False)
class Gate:
    """Normalisation of the two halves: weight and bias (128,)."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class Hidden:
    """Second linear map of core and gate: (2, 64, 64) as input x output, bias (128,)."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class Layer:
    """One message function: maps (64, 128) of each part, bias (128,), hidden (None without), output (64, 64)."""

    first: Tensor
    second: Tensor
    third: Tensor | None
    feature: Tensor | None
    bias: Tensor
    hidden: Hidden | None
    gate: Gate
    output: Tensor | None


@dataclass(frozen=True, eq=False)
class Rows:
    """Which table row each message takes: first (sorted), second, third or None, and of which weight."""

    first: Tensor
    second: Tensor
    third: Tensor | None
    weight: Tensor | None

    def block(self, rows: slice) -> Rows:
        """The same for a range of messages."""
        return Rows(*(None if t is None else t[rows] for t in (self.first, self.second, self.third, self.weight)))


@dataclass(frozen=True, eq=False)
class Sources:
    """Tables (., 128) the messages gather from, and features (rows, 64) of the messages themselves."""

    first: Tensor
    second: Tensor
    third: Tensor | None = None
    feature: Tensor | None = None


def cast(record: Record, device: torch.device, dtype: torch.dtype) -> Record:
    """A record of tensors (nested) on another device and dtype."""
    changes = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Tensor):
            changes[field.name] = value.to(device=device, dtype=dtype).contiguous()
        elif isinstance(value, tuple):
            changes[field.name] = tuple(cast(item, device, dtype) for item in value)
        elif is_dataclass(value):
            changes[field.name] = cast(value, device, dtype)
    return replace(record, **changes)
