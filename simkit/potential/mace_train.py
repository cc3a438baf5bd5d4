"""What training with mace-torch needs of torch: a first model from the safe format, the last one back into it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load as load_tensors

from simkit.errors import CorruptFileError, InputError
from simkit.potential.card import Card
from simkit.potential.cards import from_record
from simkit.potential.mace import check_module, unpickle
from simkit.potential.mace_format import build, read_record, save_safe, stem
from simkit.potential.mace_widen import Width, widened


def trainable(path: str | Path, width: Width | None = None, seed: int = 0) -> torch.nn.Module:
    """A model of the safe format in float32, its weights free to change; E0s, scale and shift are constants of it.

    Where it is narrower than `width` (None: as wide as it is), `widened` makes it wider with the seed. Raises
    InputError when it has several heads or cannot be so wide, CorruptFileError when it is damaged.
    """
    base = stem(path)
    record = read_record(base.with_name(base.name + ".json"))
    content = base.with_name(base.name + ".safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise CorruptFileError(f"{base}.safetensors does not match the checksum in its JSON file; train it again.")
    module = build(record["model"], record["arguments"], record["dtype"])
    module.load_state_dict(load_tensors(content), strict=True)
    heads = list(getattr(module, "heads", ["Default"]))
    if len(heads) != 1:
        raise InputError(f"{path} has the heads {', '.join(heads)}; only a model of one head can be trained on.")
    module = module.to(torch.float32)
    given = record["arguments"]
    if width is not None and (given["hidden_irreps"], given["num_bessel"]) != (f"{width.channels}x0e", width.bessel):
        module = widened(module, record["model"], given, width, seed)
    return module.requires_grad_(True).train()


def with_constants(path: str | Path, energies_eV: Mapping[int, float], base: str | Path) -> Path:
    """Write the model of `path` with other constants (eV) of the elements (atomic numbers); returns the JSON's path.

    Raises InputError when it has several heads, or knows other elements than are given.
    """
    module = trainable(path).requires_grad_(False).eval()
    known = [int(z) for z in module.atomic_numbers]
    if sorted(known) != sorted(energies_eV):
        raise InputError(f"{path} knows the atomic numbers {known}, constants are given for {sorted(energies_eV)}.")
    stored = module.atomic_energies_fn.atomic_energies
    stored.copy_(torch.tensor([energies_eV[z] for z in known], dtype=stored.dtype).reshape(stored.shape))
    record = read_record(stem(path).with_name(stem(path).name + ".json"))
    return save_safe(module, base, from_record(record["card"], f"in {path}"))


def whole_checkpoint(path: Path) -> bool:
    """Whether a checkpoint can be read: a trainer that is stopped while it writes closes the file without the data."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError):
        return False
    return True


def convert(trained: str | Path, base: str | Path, card: Card) -> Path:
    """The `.model` pickle that a training of our own just wrote, in the safe format; returns the JSON's path.

    Only for files that this machine wrote itself: reading a pickle runs what it holds. Raises InputError when
    mace-torch left no file, or a model with weights that are not finite.
    """
    path = Path(trained)
    if not path.is_file():
        raise InputError(f"the trainer left no model at {path}; its log says why.")
    module = unpickle(path.read_bytes(), path).to("cpu")
    check_module(module)
    broken = [name for name, tensor in module.state_dict().items() if not torch.isfinite(tensor).all()]
    if broken:
        raise InputError(f"the trained weights {broken[0]} are not finite: the training diverged; lower learning_rate.")
    return save_safe(module.requires_grad_(False).eval(), base, card)
