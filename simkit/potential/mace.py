"""MACE models (Batatia et al., NeurIPS 2022) in batches: one backward pass over edge vectors gives everything."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from simkit.elements import SYMBOLS
from simkit.errors import CorruptFileError, InputError, UntrustedFileError
from simkit.kernels.edges import Edges, edges_of
from simkit.kernels.neighbours import pairs_within
from simkit.potential import cuda_graph
from simkit.potential.base import Evaluations, Potential
from simkit.potential.card import Card
from simkit.potential.gradient import PairGradient, read_back, to_device
from simkit.potential.gradient_host import gathered
from simkit.potential.mace_accelerated import module_for, telling_failures
from simkit.potential.mace_backend import MACE, ScaleShiftMACE, quarantine
from simkit.potential.mace_frame import Data, Reading
from simkit.potential.mace_heads import head_index, heads_of, name_of_head
from simkit.potential.mace_host import evaluate_on_host, host_bytes_per_edge
from simkit.potential.mace_host_gate import check_parity, gate_cell
from simkit.potential.mace_host_weights import HostModel, read_model
from simkit.potential.mace_place import Place, lists_on_device, torch_reason
from simkit.potential.mace_steps import DeviceSteps
from simkit.potential.parity import refuse_unlike
from simkit.potential.planner import EdgeMemory, evaluate_in_parts
from simkit.potential.replays import REPEATS, Replays
from simkit.structure import Batch

BYTES_PER_EDGE_AND_CHANNEL = 6_000
"""Device memory of one evaluation over directed edges and channels in float32, a generous estimate."""


class MACEPotential(Potential):
    """A MACE module as a batched potential. Raises InputError for models that need more than a graph.

    The energy is the total one, with the isolated-atom energies the model was trained with. Forces are
    deterministic on the CPU; on CUDA the order of sums is not promised. Whatever evaluates the model other than mace's
    own module with edges from the host (the kernels, lists on the device, another backend, recorded steps) is held to
    that when it is made; SimkitError with the numbers when they disagree. Of a model of several heads the card names
    the one that answers. Elements that a given card leaves out stay left out: the model has weights for them, and never
    saw them.
    """

    def __init__(self, module: torch.nn.Module, card: Card, place: Place) -> None:
        check_module(module)
        self._place = place
        heads = heads_of(module)
        self._head = head_index(heads, place.head)
        self._cutoff_A = float(module.r_max)
        known = module.atomic_numbers.cpu().numpy()
        self._species = np.full(len(SYMBOLS), -1)
        self._species[known] = np.arange(len(known))
        self._kinds = len(known)
        self.path_reason = torch_reason(module, place)
        module = module.requires_grad_(False).eval()
        self._host = None if self.path_reason else self._checked_host(module.to(dtype=torch.float64))
        channels = module.node_embedding.linear.irreps_out.dim
        wide = 2 if place.dtype == torch.float64 else 1
        self._memory = EdgeMemory(BYTES_PER_EDGE_AND_CHANNEL * channels / 16 * wide)
        self.replays: Replays | None = None
        self.steps: DeviceSteps | None = None
        self._module = self._run = module
        if self._host is None:
            self._prepare_torch(module)
        self._module = module.to(device=place.device, dtype=place.dtype)
        self.card = replace(
            card,
            name=name_of_head(card.name, heads, self._head),
            elements=tuple(SYMBOLS[z] for z in known if card.elements is None or SYMBOLS[z] in card.elements),
            cutoff_A=self._cutoff_A,
            device=str(place.device),
            dtype=str(place.dtype).removeprefix("torch."),
        )

    @property
    def module(self) -> torch.nn.Module:
        """The torch module, in eval mode with frozen weights."""
        return self._module

    @property
    def path(self) -> str:
        """'fused' when simkit's kernels evaluate the model, 'torch' when mace does; `path_reason` says why."""
        return "torch" if self._host is None else "fused"

    @property
    def means(self) -> str:
        """What evaluates the model, in words."""
        return "simkit's kernels" if self._host is not None else self._place.means

    def _compute(self, batch: Batch, virials: bool) -> Evaluations:
        if self._host is not None:
            plan = (self._place.device, self._cutoff_A, host_bytes_per_edge(self._host))
            return evaluate_in_parts(partial(self._fused_part, self._host), batch, virials, plan)
        plan = (self._place.device, self._cutoff_A, self._memory)
        return evaluate_in_parts(self._part, batch, virials, plan)

    def _part(self, batch: Batch, virials: bool) -> Evaluations:
        """A batch that fits, by the backend, with edges from the device or the host."""
        if self.steps is None:
            return self._torch_part(self._run, self._place.dtype, batch, virials)
        try:
            return self.steps.evaluate(self._species[batch.numbers], batch, virials)
        except torch.OutOfMemoryError:
            if self.replays is not None:
                self.replays.forget()
            raise

    def _prepare_torch(self, module: torch.nn.Module) -> None:
        """Choose backend, list and recordings, and hold them to mace's own module in float64 with edges from the host.

        Raises SimkitError, with the numbers, when they disagree.
        """
        place = self._place
        lists = lists_on_device(place)
        if lists or place.backend != "plain":
            batch = Batch.of([gate_cell(module.atomic_numbers.cpu().numpy())] * 2)
            exact = module.to(device=place.device, dtype=torch.float64)
            with torch.jit.optimized_execution(False):  # optimising takes seconds, one evaluation milliseconds
                wanted = self._torch_part(exact, torch.float64, batch, True)
        self._run = module_for(place.backend, module.to(device=place.device, dtype=place.dtype), place.device)
        if lists:
            self.steps = DeviceSteps(self._runner(), self._reading())
        if lists or place.backend != "plain":
            with telling_failures(place.backend):
                said = [self._part(batch, True) for _ in range(REPEATS + 1 if self.replays else 1)][-1]
            number = np.float32 if place.dtype == torch.float32 else np.float64
            remedy = "load it with '?backend=plain&neighbours=host' and report it."
            refuse_unlike(said, wanted, number, f"{place.means} and mace's own module", remedy)

    def _runner(self) -> Callable[[Data], tuple[torch.Tensor, torch.Tensor]]:
        """Forward and backward of the module that runs, recorded where that is wanted."""
        module, place = self._run, self._place
        run = lambda data: energies_and_gradient(module, dict(data))  # noqa: E731
        if place.graphs == "off":
            return run
        self.replays = Replays(run, cuda_graph.record, strict=place.graphs == "on")
        return self.replays

    def _reading(self) -> Reading:
        place = self._place
        return Reading(self._cutoff_A, self._kinds, self._head, place.dtype, place.device, place.graphs != "off")

    def _checked_host(self, module: torch.nn.Module) -> HostModel:
        """The arrays of a module in float64. Raises SimkitError when the kernels do not reproduce it."""
        number = np.float32 if self._place.dtype == torch.float32 else np.float64
        host = read_model(module, number)
        with torch.jit.optimized_execution(False):  # optimising takes seconds, one evaluation milliseconds
            plain = partial(self._torch_part, module, torch.float64)
            check_parity(partial(self._fused_part, host), plain, module.atomic_numbers.numpy(), number)
        return host

    def _fused_part(self, host: HostModel, batch: Batch, virials: bool) -> Evaluations:
        return evaluate_on_host(host, self._species[batch.numbers], batch, virials)

    def _torch_part(self, module: torch.nn.Module, dtype: torch.dtype, batch: Batch, virials: bool) -> Evaluations:
        edges = self._edges(batch)
        data = self.graph(batch, dtype, edges)
        vectors = data["shifts"].requires_grad_(True)
        energy, gradient = energies_and_gradient(module, data)
        if self._place.device.type == "cpu":
            return gathered(energy.numpy(), edges, gradient.double().numpy(), batch, virials)
        sender, receiver = data["edge_index"]
        pairs = PairGradient(data["batch"], sender, receiver, vectors.detach(), gradient)
        return read_back(energy, pairs, batch, virials)

    def _edges(self, batch: Batch) -> Edges:
        pairs = pairs_within(batch.positions, batch.cells, batch.periodic, batch.starts, self._cutoff_A)
        return edges_of(pairs, len(batch.numbers))

    def graph(
        self, batch: Batch, dtype: torch.dtype | None = None, edges: Edges | None = None
    ) -> dict[str, torch.Tensor]:
        """What the module reads, in its own dtype or another; positions are zero, `shifts` holds the edge vectors.

        edges: those of the batch, where they are known.
        """
        device, dtype = self._place.device, dtype or self._place.dtype
        atoms, edges = len(batch.numbers), self._edges(batch) if edges is None else edges
        number = np.float32 if dtype == torch.float32 else np.float64
        vectors, cells = to_device([edges.vectors.astype(number), batch.cells.astype(number)], device)
        index = np.stack([edges.sender, edges.receiver])
        edge_index, species, system_of, starts = to_device(
            [index, self._species[batch.numbers], batch.system_of, batch.starts], device
        )
        one_hot = torch.zeros(atoms, self._kinds, dtype=dtype, device=device).scatter_(1, species[:, None], 1.0)
        return {
            "positions": torch.zeros(atoms, 3, dtype=dtype, device=device),
            "shifts": vectors,
            "unit_shifts": vectors.detach(),
            "edge_index": edge_index,
            "node_attrs": one_hot,
            "batch": system_of,
            "ptr": starts,
            "cell": cells.reshape(-1, 3),
            "head": torch.full((len(batch),), self._head, dtype=torch.int64, device=device),
        }


def energies_and_gradient(module: torch.nn.Module, data: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Total energies (m,) in float64 and dE/d(edge vector) (e, 3)."""
    out = module(data, compute_force=False)
    site = out["node_energy"]
    vectors = data["shifts"]
    energy = torch.zeros(len(data["ptr"]) - 1, dtype=torch.float64, device=site.device)
    energy.index_add_(0, data["batch"], site.detach().double())
    if not len(vectors):
        return energy, torch.zeros_like(vectors)
    (gradient,) = torch.autograd.grad(site.sum(), vectors)
    return energy, gradient


def check_module(module: torch.nn.Module) -> None:
    """Raise InputError when a module is no short-ranged MACE."""
    if type(module) not in (MACE, ScaleShiftMACE):
        raise InputError(
            f"the file holds a {type(module).__name__}; only MACE and ScaleShiftMACE models can be used here "
            "(no long-range, dipole or other variants)."
        )
    if getattr(module, "embedding_specs", None) is not None:
        raise InputError("this MACE model needs a charge or spin for each structure, which simkit does not give.")


def load_trusted(path: Path, trust: str | None, card: Card, place: Place) -> MACEPotential:
    """A MACE model from a pickled `.model` file that the user trusts by its name or SHA-256.

    Raises UntrustedFileError when `trust` does not name the file, InputError when there is none. The
    bytes hashed are the bytes loaded.
    """
    if not path.is_file():
        raise InputError(f"no such model file: {path}")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if trust not in (path.name, str(path), digest):
        raise UntrustedFileError(
            f"{path.name} is a pickle, and loading a pickle runs whatever program it holds. If you know where it "
            f"comes from, say so by name: potential.load('mace:{path}', trust='{path.name}') (or its sha256 "
            f"{digest}), on the command line --trust {path.name}. Then convert it once to simkit's safe format "
            "with potential.save_safe and load that as 'simkit:...'."
        )
    return MACEPotential(unpickle(content, path), replace(card, sha256=digest), place)


def unpickle(content: bytes, path: Path) -> torch.nn.Module:
    """The module in trusted bytes. Raises CorruptFileError when they hold none."""
    with quarantine():
        try:
            module = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)
        except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, ModuleNotFoundError) as error:
            raise CorruptFileError(f"{path} cannot be read as a torch model: {error}") from error
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"{path} holds a {type(module).__name__}, not a model.")
    return module
