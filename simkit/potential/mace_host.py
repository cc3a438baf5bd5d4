"""One evaluation of a scalar MACE on the CPU by kernels: forward through the layers, backward, forces.

Work is cut into shares of the atoms that run in threads. Every number is gathered by the atom it belongs to, so
the result does not depend on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from simkit.kernels.edge_forces import gather_forces, reversed_edges
from simkit.kernels.edges import Edges, edges_of
from simkit.kernels.messages import Around, messages_backward, sum_messages
from simkit.kernels.neighbours import pairs_within
from simkit.kernels.products import mix, products
from simkit.kernels.radial_spline import spline_basis
from simkit.kernels.spherical import edge_gradient, harmonics
from simkit.potential.base import Evaluations
from simkit.potential.gradient_host import stress_of
from simkit.potential.mace_host_weights import HostModel, Layer
from simkit.potential.threads import pool
from simkit.structure import Batch

FEWEST_ATOMS = 24
"""A share smaller than this is not worth a thread."""
SHARES_PER_THREAD = 4
"""More shares than threads: one that is held up by another program does not hold up the rest."""


@dataclass(frozen=True, eq=False)
class State:
    """What passes between layers: features (n, c) entering, derivatives of the products (n, lm, c)."""

    features: NDArray
    sent: NDArray
    products: NDArray


def evaluate_on_host(model: HostModel, species: NDArray, batch: Batch, virials: bool) -> Evaluations:
    """Energies, forces, stress and virials of a batch whose atoms are of species (n,) of the model."""
    pairs = pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, model.cutoff_A)
    return evaluate_edges(model, species, edges_of(pairs, len(batch.numbers)), batch, virials)


def evaluate_edges(model: HostModel, species: NDArray, edges: Edges, batch: Batch, virials: bool) -> Evaluations:
    """The same of edges that are known: those of the batch within the model's cutoff."""
    shares = shares_of(edges.starts)
    around = surroundings(model, edges, shares)
    site, slopes = energies_and_slopes(model, species, around, shares)
    gradient, opposite = np.empty((len(edges), 3)), reversed_edges(edges)
    forces, atomic = np.empty((len(species), 3)), np.empty((len(species), 3, 3))

    def to_vectors(share: slice) -> None:
        e = slice(edges.starts[share.start], edges.starts[share.stop])
        edge_gradient(edges.vectors[e], slopes[e], gradient[e])

    each(to_vectors, shares)
    each(lambda share: gather_forces(edges, opposite, gradient, share, (forces, atomic)), shares)
    energy = np.add.reduceat(site, batch.starts[:-1])
    return Evaluations(energy, forces, stress_of(atomic, batch), atomic if virials else None, batch.system_of)


def host_bytes_per_edge(model: HostModel) -> float:
    """Memory of one evaluation over directed edges, bytes: what is kept for each edge, and for each atom.

    Every atom keeps four arrays of sums and a few of features; 30 neighbours share them in a loose structure.
    """
    rows, channels = (model.max_l + 1) ** 2, model.embedding.shape[1]
    size = model.embedding.dtype.itemsize
    return 200.0 + size * (2 * rows + 13) + size * channels * (rows + 4) * (len(model.layers) + 2) / 30


def energies_and_slopes(
    model: HostModel, species: NDArray, around: Around, shares: list[slice]
) -> tuple[NDArray[np.float64], NDArray]:
    """Site energies (n,) in eV and their sum's derivatives with harmonics and length of each edge (e, lm + 1)."""
    site = model.reference[species]
    features = model.embedding[species]
    states, by_features = [], []
    for layer in model.layers:
        state, features, by_feature = forward(layer, features, (species, around, site), shares)
        states.append(state)
        by_features.append(by_feature)
    slopes = np.zeros((len(around.neighbour), around.harmonics.shape[1] + 1), dtype=features.dtype)
    gradient = by_features.pop()
    for layer, state in zip(reversed(model.layers), reversed(states), strict=True):
        entering = by_features.pop() if by_features else np.zeros_like(gradient)
        backward(layer, state, (species, around, slopes), (gradient, entering), shares)
        gradient = entering
    return site, slopes


def forward(
    layer: Layer, features: NDArray, given: tuple[NDArray, Around, NDArray], shares: list[slice]
) -> tuple[State, NDArray, NDArray]:
    """The layer's state, the features that leave it, and dE/d(those) through its own readout; adds to the energies."""
    species, around, site = given
    atoms, channels = features.shape
    rows, dtype = around.harmonics.shape[1], features.dtype
    sent, leaving, read = (np.zeros((atoms, channels), dtype=dtype) for _ in range(3))
    values, derivative = np.empty_like(features), np.empty((atoms, rows, channels), dtype=dtype)
    each(lambda share: mix(lift(features), layer.up, species, share, lift(sent)), shares)

    def gather(share: slice) -> None:
        here = slice(0, share.stop - share.start)
        sums = np.empty((here.stop, rows, channels), dtype=dtype)
        mixed = np.zeros_like(sums)
        sum_messages(around, sent, layer.table, share, sums)
        mix(sums, layer.mixing, species[share], here, mixed)
        products(mixed, layer.polynomial, species[share], here, (values[share], derivative[share]))
        mix(lift(values), layer.update, species, share, lift(leaving))
        if layer.skip is not None:
            mix(lift(features), layer.skip, species, share, lift(leaving))
        site[share] += read_out(layer, leaving[share], read[share])

    each(gather, shares)
    return State(features, sent, derivative), leaving, read


def backward(
    layer: Layer,
    state: State,
    given: tuple[NDArray, Around, NDArray],
    gradients: tuple[NDArray, NDArray],
    shares: list[slice],
) -> None:
    """From dE/d(features leaving) to dE/d(features entering), added to, and the slopes of the edges, added to."""
    species, around, slopes = given
    leaving, entering = gradients
    by_sums, by_sent = np.zeros_like(state.products), np.empty_like(state.sent)

    def to_sums(share: slice) -> None:
        by_values = np.zeros_like(leaving[share])
        here = slice(0, len(by_values))
        mix(lift(leaving[share]), turned(layer.update), species[share], here, lift(by_values))
        weighed = state.products[share] * by_values[:, None, :]
        mix(weighed, turned(layer.mixing), species[share], here, by_sums[share])

    def to_features(share: slice) -> None:
        messages_backward(around, (state.sent, layer.table), by_sums, share, (by_sent, slopes))
        mix(lift(by_sent), turned(layer.up), species, share, lift(entering))
        if layer.skip is not None:
            mix(lift(leaving), turned(layer.skip), species, share, lift(entering))

    each(to_sums, shares)
    each(to_features, shares)


def read_out(layer: Layer, features: NDArray, gradient: NDArray) -> NDArray[np.float64]:
    """Energies (n,) read from features (n, c), and their derivative written to gradient (n, c)."""
    readout = layer.readout
    if readout.hidden is None:
        gradient[:] = readout.final
        return features.astype(np.float64) @ readout.final.astype(np.float64)
    x = features @ readout.hidden[0, 0]
    sigmoid = expit(x)
    final = readout.gain * readout.final
    gradient[:] = (final * sigmoid * (1 + x * (1 - sigmoid))) @ readout.hidden[0, 0].T
    return (x * sigmoid).astype(np.float64) @ final.astype(np.float64)


def surroundings(model: HostModel, edges: Edges, shares: list[slice]) -> Around:
    """Harmonics and spline weights of every edge, in the model's number type."""
    dtype, count = model.embedding.dtype, len(edges)
    table = np.empty((count, (model.max_l + 1) ** 2), dtype=dtype)
    place, basis = np.empty(count, dtype=np.int64), np.empty((count, 2, 6), dtype=dtype)

    def fill(share: slice) -> None:
        e = slice(edges.starts[share.start], edges.starts[share.stop])
        harmonics(edges.vectors[e], model.max_l, table[e])
        spline_basis(edges.vectors[e], model.cutoff_A, model.intervals, place[e], basis[e])

    each(fill, shares)
    return Around(edges.starts, edges.sender, table, place, basis)


def lift(rows: NDArray) -> NDArray:
    """(n, c) as (n, 1, c): features are sums of degree 0."""
    return rows[:, None, :]


def turned(matrices: NDArray) -> NDArray:
    """Matrices for the way back."""
    return np.ascontiguousarray(matrices.swapaxes(-1, -2))


def shares_of(starts: NDArray) -> list[slice]:
    """Shares of the atoms with about as many edges each, as many as torch's threads can use."""
    atoms, threads = len(starts) - 1, torch.get_num_threads()
    count = 1 if threads == 1 else max(1, min(SHARES_PER_THREAD * threads, atoms // FEWEST_ATOMS))
    work = starts + np.arange(atoms + 1)  # an atom costs something without neighbours too
    bounds = np.searchsorted(work, work[-1] * np.arange(count + 1) / count)
    bounds[0], bounds[-1] = 0, atoms
    return [slice(int(low), int(high)) for low, high in pairwise(bounds) if high > low]


def each(work: Callable[[slice], None], shares: Iterable[slice]) -> None:
    """Run `work` on every share, in threads when there are several."""
    listed = list(shares)
    if len(listed) == 1:
        work(listed[0])
        return
    for _ in pool(torch.get_num_threads(), os.getpid()).map(work, listed):
        pass
