"""simkit's own model format: tensors as safetensors, constructor arguments and card as JSON, no pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from simkit.errors import CorruptFileError, InputError
from simkit.potential.card import Card
from simkit.potential.cards import FORMAT, from_record
from simkit.potential.mace import MACEPotential, Place, check_module
from simkit.potential.mace_backend import (
    ScaleShiftMACE,
    default_dtype,
    extract_config_mace_model,
    gate_dict,
    interaction_classes,
    o3,
    quarantine,
    readout_classes,
)
from simkit.potential.mace_heads import parted

SCHEMA = 1
MODELS = {"ScaleShiftMACE": ScaleShiftMACE}
DTYPES = {"float32": torch.float32, "float64": torch.float64}
IRREPS = ("hidden_irreps", "MLP_irreps", "edge_irreps")
CLASSES = {"interaction_cls": interaction_classes, "interaction_cls_first": interaction_classes}
CLASSES["readout_cls"] = readout_classes
DROPPED = ("cueq_config", "embedding_specs")


def save_safe(model: torch.nn.Module | MACEPotential, path: str | Path, card: Card) -> Path:
    """Write `path`.safetensors and `path`.json, atomically, and check that they give the same model back.

    model is a MACE module or a potential made of one; all its heads are saved, and the card is named after none of
    them. Returns the path of the JSON file. Raises InputError for models that are no ScaleShiftMACE or cannot be
    rebuilt from their arguments.
    """
    module = model.module if isinstance(model, MACEPotential) else model
    check_module(module)
    dtype = str(next(module.parameters()).dtype).removeprefix("torch.")
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    arguments = describe(module)
    rebuilt = build(type(module).__name__, arguments, dtype)
    if set(rebuilt.state_dict()) != set(state):
        raise InputError("this MACE model is not fully described by its arguments, so it cannot be saved safely.")
    tensors = save_tensors(state)
    base = stem(path)
    digest = hashlib.sha256(tensors).hexdigest()
    record = {
        "format": FORMAT,
        "schema": SCHEMA,
        "model": type(module).__name__,
        "dtype": dtype,
        "sha256": digest,
        "arguments": arguments,
        "card": asdict(replace(card, name=parted(card.name)[0], sha256=digest)),
    }
    write_atomically(base.with_name(base.name + ".safetensors"), tensors)
    text = json.dumps(record, indent=1, allow_nan=False).encode()
    return write_atomically(base.with_name(base.name + ".json"), text)


def load_safe(path: str | Path, place: Place) -> MACEPotential:
    """A potential from the safe format; no code in the files is ever run.

    Raises InputError when a file is missing, CorruptFileError when one fails its checksum or schema.
    """
    base = stem(path)
    for suffix in (".json", ".safetensors"):
        if not base.with_name(base.name + suffix).is_file():
            raise InputError(f"no such model file: {base}{suffix}; a safe model is a .json and a .safetensors file.")
    record = read_record(base.with_name(base.name + ".json"))
    content = base.with_name(base.name + ".safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise CorruptFileError(f"{base}.safetensors does not match the checksum in its JSON file; fetch both again.")
    card = from_record(record["card"], f"in {base}.json")
    module = build(record["model"], record["arguments"], record["dtype"])
    try:
        module.load_state_dict(load_tensors(content), strict=True)
    except (RuntimeError, SafetensorError) as error:
        raise CorruptFileError(f"{base}.safetensors does not hold the weights its JSON describes: {error}") from error
    return MACEPotential(module, card, place)


def read_record(path: Path) -> dict[str, Any]:
    """The JSON part, checked. Raises CorruptFileError on anything unexpected."""
    try:
        record = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptFileError(f"{path} is no JSON: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT or record.get("schema") != SCHEMA:
        raise CorruptFileError(f"{path} is no {FORMAT} file of schema {SCHEMA}.")
    missing = {"model", "dtype", "sha256", "arguments", "card"} - set(record)
    if missing or record["model"] not in MODELS or record["dtype"] not in DTYPES:
        raise CorruptFileError(f"{path} lacks {sorted(missing)} or names an unknown model or dtype.")
    return record


def describe(module: torch.nn.Module) -> dict[str, Any]:
    """Constructor arguments of a ScaleShiftMACE as plain JSON values. Raises InputError for other models."""
    if not isinstance(module, ScaleShiftMACE):
        raise InputError("only ScaleShiftMACE models can be saved in the safe format.")
    with quarantine():
        config = extract_config_mace_model(module)
    plain = {name: value for name, value in config.items() if name not in DROPPED}
    for name in IRREPS:
        plain[name] = None if plain[name] is None else str(plain[name])
    for name in CLASSES:
        plain[name] = plain[name].__name__
    plain["gate"] = next(name for name, function in gate_dict.items() if function is plain["gate"])
    plain["distance_transform"] = plain["distance_transform"] or "None"
    return {name: listed(value) for name, value in plain.items()}


def listed(value: Any) -> Any:
    """Arrays and tensors as nested lists, NumPy scalars as Python ones."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def build(model: str, arguments: Mapping[str, Any], dtype: str) -> torch.nn.Module:
    """An untrained module from its arguments; classes come from mace's own tables only."""
    kwargs = dict(arguments)
    try:
        for name in IRREPS:
            kwargs[name] = None if kwargs[name] is None else o3.Irreps(kwargs[name])
        for name, table in CLASSES.items():
            kwargs[name] = table[kwargs[name]]
        kwargs["gate"] = gate_dict[kwargs["gate"]]
        kwargs["atomic_energies"] = np.asarray(kwargs["atomic_energies"], dtype=np.float64)
        with quarantine(), default_dtype(DTYPES[dtype]):
            return MODELS[model](**kwargs).requires_grad_(False).eval()
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"the arguments of the model are not understood: {error!r}") from error


def stem(path: str | Path) -> Path:
    """The path without .json or .safetensors."""
    path = Path(path)
    return path.with_suffix("") if path.suffix in (".json", ".safetensors") else path


def write_atomically(path: Path, content: bytes) -> Path:
    """Temporary file, fsync, rename."""
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return path
