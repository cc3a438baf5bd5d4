"""The message functions of CHGNet with their derivatives, evaluated block by block.

The first linear map over a concatenation of features is a sum of maps over its parts, so each part is
mapped once per atom, bond or angle and only the results are gathered and added. Core and gate are the
two halves of one row of 128. Blocks keep the intermediate rows in cache; only the sums before and after
the hidden layer are kept for the backward pass.
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from simkit.potential import chgnet_device, chgnet_host
from simkit.potential.chgnet_records import WIDTH, Layer, Rows, Sources
from simkit.potential.threads import summed

ROWS_PER_BLOCK = 2048
"""Rows worked on at a time on the CPU: a megabyte per intermediate in float32."""


def gated_sum(sources: Sources, weights: Tensor, rows: Rows, layer: Layer) -> Tensor:
    """sum over messages of each `first` row of w * silu(norm(core)) * sigmoid(norm(gate)): (rows of first, 64)."""
    tables = (sources.first, sources.second, sources.third, sources.feature)
    return _GatedSum.apply(*tables, weights, rows, layer)


def gated_step(sources: Sources, rows: Rows, layer: Layer) -> Tensor:
    """feature + silu(norm(core)) * sigmoid(norm(gate)) of every message: (rows, 64)."""
    return _GatedStep.apply(sources.first, sources.second, sources.feature, rows, layer)


def steps_for(device: torch.device) -> ModuleType:
    """The block functions for a device."""
    return chgnet_host if device.type == "cpu" else chgnet_device


def _blocks(share: slice, device: torch.device) -> list[slice]:
    size = ROWS_PER_BLOCK if device.type == "cpu" else max(share.stop - share.start, 1)
    return [slice(low, min(low + size, share.stop)) for low in range(share.start, share.stop, size)]


def _block_of(feature: Tensor | None, block: slice) -> Tensor | None:
    return None if feature is None else feature[block]


class _GatedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *inputs):
        first, second, third, feature, weights, rows, layer = inputs
        steps = steps_for(first.device)
        x, z = (first.new_empty(len(rows.first), 2 * WIDTH) for _ in range(2))

        def work(share):
            total = first.new_zeros(len(first), WIDTH)
            for block in _blocks(share, first.device):
                sources = Sources(first, second, third, _block_of(feature, block))
                steps.sum_forward(sources, weights, rows.block(block), layer, (x[block], z[block], total))
            return (total,)

        (total,) = summed(work, len(x), first.device)
        ctx.save_for_backward(first, second, third, feature, weights, x, z)
        ctx.rows, ctx.layer = rows, layer
        return total

    @staticmethod
    def backward(ctx, gradient):
        *tables, x, z = ctx.saved_tensors
        rows, layer, weights = ctx.rows, ctx.layer, tables[4]
        steps, gradient = steps_for(x.device), gradient.contiguous()
        features = None if tables[3] is None else torch.empty_like(tables[3])

        def work(share):
            into = [None if t is None else torch.zeros_like(t) for t in (*tables[:3], weights)]
            for block in _blocks(share, x.device):
                kept, targets = (x[block], z[block], gradient), [*into, _block_of(features, block)]
                steps.sum_backward(kept, weights, rows.block(block), layer, targets)
            return into

        into = summed(work, len(x), x.device)
        return (*into[:3], features, into[3], None, None)


class _GatedStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *inputs):
        first, second, feature, rows, layer = inputs
        steps = steps_for(first.device)
        x, result = first.new_empty(len(rows.first), 2 * WIDTH), torch.empty_like(feature)

        def work(share):
            for block in _blocks(share, first.device):
                sources = Sources(first, second, None, feature[block])
                steps.step_forward(sources, rows.block(block), layer, (x[block], result[block]))
            return ()

        summed(work, len(x), first.device)
        ctx.save_for_backward(first, second, x)
        ctx.rows, ctx.layer = rows, layer
        return result

    @staticmethod
    def backward(ctx, gradient):
        first, second, x = ctx.saved_tensors
        rows, layer = ctx.rows, ctx.layer
        steps, gradient = steps_for(x.device), gradient.contiguous()
        features = torch.empty_like(gradient)

        def work(share):
            into = [torch.zeros_like(first), torch.zeros_like(second), None, None]
            for block in _blocks(share, x.device):
                kept, targets = (x[block], gradient[block]), [*into, features[block]]
                steps.step_backward(kept, rows.block(block), layer, targets)
            return into

        into = summed(work, len(x), x.device)
        return into[0], into[1], features, None, None
