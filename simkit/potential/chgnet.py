"""CHGNet 0.3.0 with the weights in its wheel, evaluated by simkit's own graph and layers."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from importlib import resources

import numpy as np
import torch

from simkit.elements import SYMBOLS
from simkit.errors import InputError, SimkitError
from simkit.kernels.angles import angles_between
from simkit.kernels.edges import Edges, edges_of
from simkit.kernels.neighbours import Pairs, pairs_within
from simkit.potential.base import Evaluations, Potential
from simkit.potential.card import Card
from simkit.potential.chgnet_model import ATOM_CUTOFF_A, BOND_CUTOFF_A, Graph, Weights, arrange, energies
from simkit.potential.chgnet_records import Rows, cast
from simkit.potential.gradient import PairGradient, read_back, to_device
from simkit.potential.planner import evaluate_in_parts
from simkit.structure import Batch

WEIGHTS = ("pretrained", "0.3.0", "chgnet_0.3.0_e29f68s314m37.pth.tar")
"""Where the weights lie inside the installed `chgnet` package."""
BYTES_PER_EDGE = {torch.float32: 20_000, torch.float64: 40_000}
"""Memory of one evaluation over directed edges: 15 kB measured for P2-NaCoO2, whose many bonds below 3 A make angles,
and a third more."""


class CHGNet(Potential):
    """CHGNet as a batched potential; made by `load_chgnet`."""

    def __init__(self, card: Card, weights: Weights, references: np.ndarray, device: torch.device) -> None:
        self.card = card
        self._device = device
        self._dtype = weights.embedding.dtype
        self._weights = weights
        self._references = references

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        return evaluate_in_parts(self._part, batch, virials, (self._device, ATOM_CUTOFF_A, BYTES_PER_EDGE[self._dtype]))

    def _part(self, batch: Batch, virials: bool) -> Evaluations:
        pairs = pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, ATOM_CUTOFF_A)
        pairs = short_first(pairs)
        edges = edges_of(pairs, len(batch.numbers))
        refuse_isolated(edges, batch)
        graph = make_graph(batch.numbers, pairs, edges, self._device, self._dtype)
        vectors = to_device([pairs.vectors], self._device)[0].requires_grad_(True)
        first, second, system_of = to_device([pairs.first, pairs.second, batch.system_of], self._device)
        site = energies(vectors, graph, self._weights)
        (gradient,) = torch.autograd.grad(site.sum(), vectors)
        energy = torch.zeros(len(batch), dtype=torch.float64, device=self._device)
        energy.index_add_(0, system_of, site.detach().double())
        parts = PairGradient(system_of, first, second, vectors.detach(), gradient)
        result = read_back(energy, parts, batch, virials)
        reference = np.add.reduceat(self._references[batch.numbers - 1], batch.starts[:-1])
        return replace(result, energy=result.energy + reference)


def load_chgnet(card: Card, device: torch.device, dtype: torch.dtype) -> CHGNet:
    """CHGNet 0.3.0 from the installed `chgnet` wheel.

    Raises SimkitError when the weights are not the file named on the card.
    """
    found = resources.files("chgnet").joinpath(*WEIGHTS)
    if not found.is_file():
        raise SimkitError(f"the chgnet package holds no {'/'.join(WEIGHTS)}; install chgnet >= 0.4.2.")
    content = found.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.sha256:
        raise SimkitError(
            f"the weights of CHGNet have sha256 {digest[:16]}..., the card says {card.sha256[:16]}...; "
            "reinstall chgnet or take the potential from another source."
        )
    model = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["model"]
    state = {name: tensor.detach() for name, tensor in model["state_dict"].items()}
    weights = cast(arrange(state, model["model_args"]), device, dtype)
    references = state["composition_model.fc.weight"].double().numpy().reshape(-1)
    named = replace(card, device=str(device), dtype=str(dtype).removeprefix("torch."))
    return CHGNet(named, weights, references, device)


def short_first(pairs: Pairs) -> Pairs:
    """The pairs with those shorter than 3 A in front."""
    order = np.argsort(pairs.lengths >= BOND_CUTOFF_A, kind="stable")
    return Pairs(pairs.first[order], pairs.second[order], pairs.shifts[order], pairs.vectors[order])


def refuse_isolated(edges: Edges, batch: Batch) -> None:
    """Raise InputError where an atom has no neighbour: CHGNet was not trained on isolated atoms."""
    alone = np.flatnonzero(np.diff(edges.starts) == 0)
    if len(alone):
        system = int(batch.system_of[alone[0]])
        atom = int(alone[0] - batch.starts[system])
        raise InputError(
            f"atom {atom} ({SYMBOLS[batch.numbers[alone[0]]]}) of structure {system} has no neighbour within "
            f"{ATOM_CUTOFF_A} A; CHGNet knows no isolated atoms. Check the structure."
        )


def make_graph(numbers: np.ndarray, pairs: Pairs, edges: Edges, device: torch.device, dtype: torch.dtype) -> Graph:
    """Index tensors of a batch whose pairs come `short_first`."""
    shorts = int(np.searchsorted(pairs.lengths[: len(pairs)] >= BOND_CUTOFF_A, True))
    short = np.flatnonzero(edges.pair_of < shorts)
    short_pair, short_atom = edges.pair_of[short], edges.receiver[short]
    sign = np.where(edges.edges_of[short_pair, 0] == short, 1, -1)
    angles = angles_between(short_atom)
    arrays = [numbers - 1, edges.receiver, edges.sender, edges.pair_of, short_pair, short_atom, sign, angles.pairs]
    arrays += [angles.first, short_pair[angles.second], angles.pair_of]
    species, receiver, sender, pair, short_pair, short_atom, sign, angle_pairs, *rows = to_device(arrays, device)
    first, second, angle_of = rows
    return Graph(
        species=species,
        atom_rows=Rows(receiver, sender, pair, pair),
        shorts=shorts,
        short_pair=short_pair,
        short_atom=short_atom,
        short_sign=sign.to(dtype),
        angle_pairs=angle_pairs,
        angle_rows=Rows(first, second, None, second),
        angle_of=angle_of,
    )
