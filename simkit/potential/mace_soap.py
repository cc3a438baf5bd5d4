"""SOAP (Vyas et al., ICLR 2025) for MACE: Adam in the eigenbases of the gradients of each matrix of weights.

The optimiser is that of pytorch-optimizer. e3nn keeps the matrices of a layer as one flat array, of which no basis
can be found; here they are shown to the optimiser with the shapes that they have when they are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pytorch_optimizer import SOAP
from torch import Tensor

LARGEST = 128
"""Longest side that gets a basis; longer ones (radial weights of all channels and degrees) stay as they are."""
EVERY = 10
"""Steps between two updates of the bases."""


class UnfoldedSOAP(SOAP):
    """SOAP over the weights of `groups`, those in `shapes` (by identity) seen in another shape.

    The shapes share memory with the weights: steps and averages of either are steps and averages of both.
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]], shapes: Mapping[int, tuple[int, ...]], lr: float) -> None:
        self._pairs: list[tuple[Tensor, Tensor]] = []
        seen = [{**group, "params": [self._seen(p, shapes) for p in group["params"]]} for group in groups]
        super().__init__(seen, lr=lr, max_precondition_dim=LARGEST, precondition_frequency=EVERY)

    def _seen(self, weight: Tensor, shapes: Mapping[int, tuple[int, ...]]) -> Tensor:
        shown = torch.nn.Parameter(weight.data.view(shapes.get(id(weight), tuple(weight.shape))))
        self._pairs.append((weight, shown))
        return shown

    def step(self, closure: Any = None) -> Any:
        """One step with the gradients that the weights have."""
        for weight, shown in self._pairs:
            shown.grad = None if weight.grad is None else weight.grad.view(shown.shape)
        return super().step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the weights."""
        super().zero_grad(set_to_none)
        for weight, _ in self._pairs:
            weight.grad = None


def soap(model: torch.nn.Module, groups: Sequence[Mapping[str, Any]], lr: float) -> UnfoldedSOAP:
    """The optimiser of a MACE's weights, in mace's groups (with their own weight decay)."""
    return UnfoldedSOAP(groups, matrices(model), lr)


def matrices(model: torch.nn.Module) -> dict[int, tuple[int, ...]]:
    """Shapes of `unfolded` weights without axes of length one: those of which bases are made."""
    return {key: tuple(n for n in shape if n > 1) or (1,) for key, shape in unfolded(model).items()}


def unfolded(model: torch.nn.Module) -> dict[int, tuple[int, ...]]:
    """Shapes of e3nn's flat weights by the identity of the tensor: (paths, in, [species,] out).

    A layer whose paths differ in shape is left flat, and so goes through plain Adam.
    """
    found: dict[int, tuple[int, ...]] = {}
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, torch.nn.Parameter) or weight.ndim != 1:
            continue
        paths = [tuple(path.path_shape) for path in getattr(module, "instructions", ()) if path.path_shape]
        if len(set(paths)) == 1 and len(paths) * torch.Size(paths[0]).numel() == weight.numel():
            found[id(weight)] = (len(paths), *paths[0])
    return found
