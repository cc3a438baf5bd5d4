"""A step recorded as a CUDA graph. Unproven: it has never run, for want of a CUDA device; see `replays` for the rest.

The part that only a device can run, kept small: buffers of its own, warm-up on a side stream, capture, copy and replay.
"""

from __future__ import annotations

import torch
from torch import Tensor

from simkit.potential.mace_frame import Data
from simkit.potential.replays import Run

WARM_UPS = 5
"""Runs before the capture: TorchScript looks at shapes and compiles in its first ones, and may wait for the device."""


def record(run: Run, data: Data) -> Run:
    """Capture one run; the function returned copies its input into the captured buffers and replays.

    Raises RuntimeError when the capture fails.
    """
    buffers = {name: tensor.detach().clone() for name, tensor in data.items()}
    buffers["shifts"].requires_grad_(True)
    here = torch.cuda.current_stream()
    aside = torch.cuda.Stream()
    aside.wait_stream(here)
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            run(buffers)
    here.wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = run(buffers)

    def replay(given: Data) -> tuple[Tensor, Tensor]:
        """Copy what is given, run the graph, hand out its own output tensors."""
        with torch.no_grad():
            for name, buffer in buffers.items():
                buffer.copy_(given[name], non_blocking=True)
        graph.replay()
        return outputs

    return replay
