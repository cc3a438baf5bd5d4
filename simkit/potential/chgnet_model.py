"""CHGNet 0.3.0 as a function of bond vectors (Deng et al., Nat. Mach. Intell. 5, 1031, 2023)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from simkit.errors import SimkitError
from simkit.potential.chgnet_device import EPSILON
from simkit.potential.chgnet_layers import gated_step, gated_sum
from simkit.potential.chgnet_records import WIDTH, Gate, Hidden, Layer, Rows, Sources

ATOM_CUTOFF_A = 6.0
BOND_CUTOFF_A = 3.0
ENVELOPE_POWER = 8
ALMOST_ONE = 1.0 - 1e-6
"""Factor on cosines before arccos, part of the trained model."""
CONSTANT_HARMONIC = float(1.0 / torch.sqrt(torch.tensor(2.0)))
"""1/sqrt(2) in float32, part of the trained model."""
EXPECTED = {
    "n_conv": 4,
    "atom_fea_dim": WIDTH,
    "bond_fea_dim": WIDTH,
    "angle_fea_dim": WIDTH,
    "atom_conv_hidden_dim": WIDTH,
    "bond_conv_hidden_dim": WIDTH,
    "angle_layer_hidden_dim": 0,
    "cutoff_coeff": ENVELOPE_POWER,
    "atom_graph_cutoff": ATOM_CUTOFF_A,
    "bond_graph_cutoff": BOND_CUTOFF_A,
    "mlp_first": True,
    "is_intensive": True,
    "gMLP_norm": "layer",
    "readout_norm": "layer",
    "non_linearity": "silu",
}


@dataclass(frozen=True, eq=False)
class Affine:
    """x @ weight + bias."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class Weights:
    """All parameters, arranged for `energies`."""

    embedding: Tensor
    atom_frequencies: Tensor
    bond_frequencies: Tensor
    angle_frequencies: Tensor
    atom_basis: Tensor
    bond_basis: Tensor
    angle_basis: Tensor
    atoms: tuple[Layer, ...]
    bonds: tuple[Layer, ...]
    angles: tuple[Layer, ...]
    norm: Gate
    readout: tuple[Affine, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """Index tensors of a batch; pairs shorter than 3 A come first.

    species (n,) atomic number - 1; atom_rows: receiver, sender, pair of each edge; short_pair, short_atom,
    short_sign (s,): pair, atom met at and direction of each short edge; angle_pairs (q, 2) short edges of
    each unordered angle; angle_rows: first (short edge) and second (pair) of each ordered angle;
    angle_of: [0, ordered angles) -> [0, unordered).
    """

    species: Tensor
    atom_rows: Rows
    shorts: int
    short_pair: Tensor
    short_atom: Tensor
    short_sign: Tensor
    angle_pairs: Tensor
    angle_rows: Rows
    angle_of: Tensor


def arrange(state: Mapping[str, Tensor], arguments: Mapping[str, object]) -> Weights:
    """Arrange CHGNet's own state. Raises SimkitError when the model is not built like 0.3.0."""
    wrong = {name: arguments.get(name) for name, value in EXPECTED.items() if arguments.get(name) != value}
    if wrong or arguments.get("mlp_out_bias", False):
        raise SimkitError(f"this CHGNet is not built like version 0.3.0: {wrong}; only 0.3.0 is supported.")
    basis = "bond_basis_expansion.rbf_expansion"
    return Weights(
        embedding=state["atom_embedding.embedding.weight"],
        atom_frequencies=state[f"{basis}_ag.frequencies"],
        bond_frequencies=state[f"{basis}_bg.frequencies"],
        angle_frequencies=state["angle_basis_expansion.fourier_expansion.frequencies"],
        atom_basis=torch.cat([state["bond_embedding.weight"], state["bond_weights_ag.weight"]]).T,
        bond_basis=state["bond_weights_bg.weight"].T,
        angle_basis=state["angle_embedding.weight"].T,
        atoms=tuple(_layer(state, f"atom_conv_layers.{i}", "twoBody_atom", (0, 2, 1, None)) for i in range(4)),
        bonds=tuple(_layer(state, f"bond_conv_layers.{i}", "twoBody_bond", (0, 1, 3, 2)) for i in range(3)),
        angles=tuple(_layer(state, f"angle_layers.{i}", "twoBody_bond", (0, 1, 3, 2)) for i in range(2)),
        norm=Gate(state["readout_norm.weight"], state["readout_norm.bias"]),
        readout=tuple(Affine(state[f"mlp.layers.{i}.weight"].T, state[f"mlp.layers.{i}.bias"]) for i in (0, 2, 4, 7)),
    )


def _layer(state: Mapping[str, Tensor], name: str, block: str, order: tuple[int | None, ...]) -> Layer:
    """Cut the maps of one layer into the parts (first, second, third, feature) given by their place."""
    core, gate = f"{name}.{block}.mlp_core.layers", f"{name}.{block}.mlp_gate.layers"
    entry = 0 if f"{core}.0.weight" in state else 1

    def both(kind: str, place: int) -> tuple[Tensor, Tensor]:
        return state[f"{core}.{place}.{kind}"], state[f"{gate}.{place}.{kind}"]

    maps = torch.cat(both("weight", entry)).T
    parts = [None if place is None else maps[place * WIDTH : (place + 1) * WIDTH] for place in order]
    hidden = None
    if entry == 0:
        hidden = Hidden(torch.stack([w.T for w in both("weight", 3)]), torch.cat(both("bias", 3)))
    norms = [f"{name}.{block}.bn1", f"{name}.{block}.bn2"]
    norm = Gate(*(torch.cat([state[f"{n}.{kind}"] for n in norms]) for kind in ("weight", "bias")))
    output = state[f"{name}.mlp_out.layers.1.weight"].T if f"{name}.mlp_out.layers.1.weight" in state else None
    return Layer(*parts, torch.cat(both("bias", entry)), hidden, norm, output)


def energies(vectors: Tensor, graph: Graph, weights: Weights) -> Tensor:
    """(n,) energy of each atom above its elemental reference, eV, from pair vectors (p, 3) A in float64.

    Lengths and angles are taken in float64 whatever the weights are: the arccos near straight angles would
    otherwise cost three digits of the forces.
    """
    exact = torch.linalg.vector_norm(vectors, dim=1)
    lengths = exact.to(weights.embedding.dtype)
    radial = _bessel(lengths, weights.atom_frequencies, ATOM_CUTOFF_A) @ weights.atom_basis
    pair, pair_weight = radial[:, :WIDTH], radial[:, WIDTH:].contiguous()
    short, far = pair[: graph.shorts], pair[graph.shorts :]
    atom = weights.embedding[graph.species]
    if not len(graph.angle_of):
        for layer in weights.atoms:
            atom = _atom_step(atom, pair, pair_weight, graph, layer)
        return _read_out(atom, weights)
    short_weight = _bessel(lengths[: graph.shorts], weights.bond_frequencies, BOND_CUTOFF_A) @ weights.bond_basis
    angle = _harmonics(vectors, exact, graph, weights)
    for step, layer in enumerate(weights.bonds):
        atom = _atom_step(atom, torch.cat([short, far]), pair_weight, graph, weights.atoms[step])
        total = gated_sum(_sources(atom, short, angle, graph, layer), short_weight, graph.angle_rows, layer)
        total = torch.zeros_like(short).index_add(0, graph.short_pair, total)
        short = short + (total * short_weight) @ layer.output
        if step < len(weights.angles):
            layer = weights.angles[step]
            angle = gated_step(_sources(atom, short, angle, graph, layer), graph.angle_rows, layer)
    atom = _atom_step(atom, torch.cat([short, far]), pair_weight, graph, weights.atoms[-1])
    return _read_out(atom, weights)


def _bessel(lengths: Tensor, frequencies: Tensor, cutoff: float) -> Tensor:
    """(p, 31) radial Bessel functions times the polynomial envelope, zero beyond the cutoff."""
    x, n = lengths / cutoff, ENVELOPE_POWER
    polynomial = 1 - (n + 1) * (n + 2) / 2 * x**n + n * (n + 2) * x ** (n + 1) - n * (n + 1) / 2 * x ** (n + 2)
    envelope = torch.where(x < 1, polynomial, torch.zeros_like(x))
    return torch.sin(torch.outer(x, frequencies)) * (math.sqrt(2 / cutoff) * envelope / lengths)[:, None]


def _harmonics(vectors: Tensor, lengths: Tensor, graph: Graph, weights: Weights) -> Tensor:
    """(ordered angles, 64) embedded Fourier series of the angle between two short edges."""
    unit = vectors[: graph.shorts] / lengths[: graph.shorts, None]
    edge = unit.index_select(0, graph.short_pair) * graph.short_sign[:, None]
    cosine = (edge.index_select(0, graph.angle_pairs[:, 0]) * edge.index_select(0, graph.angle_pairs[:, 1])).sum(1)
    angle = torch.acos(cosine * ALMOST_ONE).to(weights.angle_frequencies.dtype)
    phase = torch.outer(angle, weights.angle_frequencies)
    constant = torch.full_like(phase[:, :1], CONSTANT_HARMONIC)
    series = torch.cat([constant, torch.sin(phase), torch.cos(phase)], dim=1) / math.sqrt(math.pi)
    return (series @ weights.angle_basis).index_select(0, graph.angle_of)


def _atom_step(atom: Tensor, pair: Tensor, pair_weight: Tensor, graph: Graph, layer: Layer) -> Tensor:
    receiver = torch.addmm(layer.bias, atom, layer.first)
    sources = Sources(receiver, atom @ layer.second, pair @ layer.third)
    return atom + gated_sum(sources, pair_weight, graph.atom_rows, layer) @ layer.output


def _sources(atom: Tensor, short: Tensor, angle: Tensor, graph: Graph, layer: Layer) -> Sources:
    centre = torch.addmm(layer.bias, atom, layer.third).index_select(0, graph.short_atom)
    return Sources(centre + (short @ layer.first).index_select(0, graph.short_pair), short @ layer.second, None, angle)


def _read_out(atom: Tensor, weights: Weights) -> Tensor:
    x = functional.layer_norm(atom, (WIDTH,), weights.norm.weight, weights.norm.bias, EPSILON)
    for affine in weights.readout[:-1]:
        x = functional.silu(torch.addmm(affine.bias, x, affine.weight))
    return torch.addmm(weights.readout[-1].bias, x, weights.readout[-1].weight).view(-1)
