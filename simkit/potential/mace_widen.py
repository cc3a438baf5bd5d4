"""A MACE with more scalar channels or radial functions that gives the same energies as before.

Channels are copied and share what they do. Radial functions are waves of rising number, so that more of them are more
of the same series: what reads the new ones begins at zero.

After Net2WiderNet (Chen, Goodfellow and Shlens, ICLR 2016): a copy of a channel computes what the channel does; each
weight that reads the channel is split at random between the two, which lets training tell them apart. New channels at
random beside trained ones would do neither: their features have another size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from simkit.errors import InputError
from simkit.potential.mace_format import build
from simkit.potential.mace_soap import unfolded

BLOCKS = {"RealAgnosticInteractionBlock", "RealAgnosticResidualInteractionBlock"}
FIRST_RADIAL = "conv_tp_weights.layer0.weight"
"""End of the names of the weights that read the radial functions, in these blocks."""


@dataclass(frozen=True)
class Width:
    """Scalar channels of each atom, and radial Bessel functions."""

    channels: int
    bessel: int


def widened(
    module: torch.nn.Module, model: str, arguments: Mapping[str, Any], width: Width, seed: int
) -> torch.nn.Module:
    """A model of another width that answers as `module` does, to rounding.

    module is a `model` ("ScaleShiftMACE") of `arguments`, of scalar features only and in float32. At most every
    channel is copied once; which ones, and how their readers are split, is drawn with the seed.
    Raises InputError when it has more channels or radial functions, fewer channels than half as many, features that
    are not scalar, another radial basis, or interactions other than mace's agnostic ones.
    """
    channels = width.channels
    count, _, kind = arguments["hidden_irreps"].partition("x")
    had = int(count)
    if kind != "0e" or not had <= channels <= 2 * had:
        raise InputError(
            f"a model of {arguments['hidden_irreps']} cannot be widened to {channels} scalar channels; "
            f"{had} to {2 * had} can be made of scalar ones."
        )
    if arguments["radial_type"] != "bessel" or width.bessel < arguments["num_bessel"]:
        raise InputError(
            f"a model of {arguments['num_bessel']} radial functions ({arguments['radial_type']}) cannot be widened to "
            f"{width.bessel}; as many or more can be made of a Bessel basis."
        )
    unknown = {arguments[name] for name in ("interaction_cls", "interaction_cls_first")} - BLOCKS
    if unknown:
        raise InputError(f"interactions {', '.join(sorted(unknown))} cannot be widened; {', '.join(BLOCKS)} can.")
    shape = {"hidden_irreps": f"{channels}x0e", "num_bessel": width.bessel}
    wide = build(model, {**arguments, **shape}, "float32")
    draw = torch.Generator().manual_seed(seed)
    source = torch.cat([torch.arange(had), torch.randperm(had, generator=draw)[: channels - had]])
    shapes, wide_shapes = unfolded(module), unfolded(wide)
    state = {name: value for name, value in module.state_dict().items() if value.shape == wide.state_dict()[name].shape}
    for (name, weight), larger in zip(module.named_parameters(), wide.parameters(), strict=True):
        shown = weight.detach().reshape(shapes.get(id(weight), weight.shape))
        grown = wide_shapes.get(id(larger), tuple(larger.shape))
        if name.endswith(FIRST_RADIAL):
            shown = _more_rows(shown, width.bessel)
        state[name] = _grown(shown, grown, source, draw).reshape(larger.shape)
    wide.load_state_dict(state, strict=False)
    return wide


def _grown(weight: Tensor, shape: tuple[int, ...], source: Tensor, draw: torch.Generator) -> Tensor:
    """A matrix of weights in its larger shape: channels that it writes are copied, those that it reads are split.

    The last axis is written and may hold several blocks of channels; the others are read.
    """
    had, channels = int(source.max()) + 1, len(source)
    for axis, (old, new) in enumerate(zip(weight.shape, shape, strict=True)):
        if old == new:
            continue
        if axis == weight.ndim - 1:
            blocks = weight.reshape(*weight.shape[:-1], old // had, had)
            weight = blocks[..., source].reshape(*weight.shape[:-1], new)
        else:
            weight = _split(weight.movedim(axis, 0), source, draw).movedim(0, axis) * math.sqrt(channels / had)
    return weight


def _more_rows(weight: Tensor, count: int) -> Tensor:
    """Weights of `count` inputs: those of the first ones, and zero; e3nn divides by the root of their number."""
    rows = weight.new_zeros(count, weight.shape[1])
    rows[: len(weight)] = weight * math.sqrt(count / len(weight))
    return rows


def _split(weight: Tensor, source: Tensor, draw: torch.Generator) -> Tensor:
    """Rows of weights that read the channels `source`: a channel that is there twice gives its row in two parts."""
    rows, had = weight[source], weight.shape[0]
    share = torch.rand(rows[had:].shape, generator=draw)
    rows[source[had:]] = rows[source[had:]] * (1 - share)
    rows[had:] *= share
    return rows
