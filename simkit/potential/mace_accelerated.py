"""The weights of a MACE under other programs: torch.compile, cuEquivariance, OpenEquivariance.

mace-torch converts the modules; what comes out is held to the plain module by `mace.MACEPotential`. Seen to agree on
a CPU: compile, and cueq through the plain fallback of cuequivariance-torch. Their fused kernels, and all of oeq, need
a CUDA device and are unproven.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib.util import find_spec

import torch

from simkit.errors import InputError, SimkitError, nearest
from simkit.potential.mace_backend import (
    ScaleShiftMACE,
    default_dtype,
    disable_e3nn_codegen,
    extract_config_mace_model,
    quarantine,
    simplify,
    to_cueq,
    to_oeq,
)

BACKENDS = ("plain", "compile", "cueq", "oeq")
PACKAGES = {
    "cueq": ("cuequivariance", "cuequivariance_torch"),
    "oeq": ("openequivariance",),
}
"""Packages a backend needs anywhere."""
ON_CUDA = {"cueq": ("cuequivariance_ops_torch",)}
"""Packages it needs besides on a CUDA device, where it would otherwise run its slow fallback in silence."""
INSTALL = {
    "cueq": "pip install cuequivariance cuequivariance-torch cuequivariance-ops-torch-cu12 (or -cu13)",
    "oeq": "pip install openequivariance",
}
FAILURES = (ArithmeticError, AttributeError, ImportError, LookupError, NotImplementedError, RuntimeError, TypeError)
"""What the converters raise for a model they do not know (OSError and ValueError besides)."""


def module_for(backend: str, module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """A module of the same weights that computes by `backend`; `plain` is the module itself.

    module lies on `device` in the number type that is wanted. Raises InputError for an unknown backend and for one
    that this model or device does not suit, SimkitError when its packages are not installed or it fails.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend {backend!r} is unknown; {nearest(backend, BACKENDS)}")
    if backend == "plain":
        return module
    check_installed(backend, device)
    if type(module) is not ScaleShiftMACE:
        raise InputError(f"backend {backend!r} takes a ScaleShiftMACE, and this is a {type(module).__name__}.")
    if backend == "oeq" and device.type != "cuda":
        raise InputError("backend 'oeq' runs on a CUDA device only; use backend=plain here.")
    try:
        with quarantine(), default_dtype(next(module.parameters()).dtype):
            return MAKERS[backend](module, device).to(device).requires_grad_(False).eval()
    except (*FAILURES, OSError, ValueError) as error:
        raise SimkitError(
            f"backend {backend!r} could not take this model ({type(error).__name__}: {error}); use backend=plain."
        ) from error


def check_installed(backend: str, device: torch.device) -> None:
    """Raise SimkitError, with what to install, where a package of a backend is not there."""
    needed = (*PACKAGES.get(backend, ()), *(ON_CUDA.get(backend, ()) if device.type == "cuda" else ()))
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise SimkitError(
            f"backend {backend!r} needs {', '.join(missing)}, not installed here: {INSTALL[backend]}, "
            "or use backend=plain."
        )


@contextmanager
def telling_failures(backend: str) -> Iterator[None]:
    """Name the backend where its first run fails: compilers and kernels fail there. Memory errors pass as they are."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if backend == "plain":
            raise
        raise SimkitError(
            f"backend {backend!r} failed in its first run ({type(error).__name__}: {str(error).splitlines()[0]}); "
            "use backend=plain."
        ) from error


def _compiled(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """A copy without TorchScript inside, which torch.compile cannot read, compiled when it is first called."""
    with disable_e3nn_codegen():
        copy = type(module)(**extract_config_mace_model(module))
    copy.load_state_dict(module.state_dict())
    copy = simplify(copy).to(device).requires_grad_(False).eval()
    copy.compile()
    return copy


def _cueq(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    return to_cueq(deepcopy(module), device=device.type)


def _oeq(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    return to_oeq(deepcopy(module), device=device.type)


MAKERS: dict[str, Callable[[torch.nn.Module, torch.device], torch.nn.Module]] = {
    "compile": _compiled,
    "cueq": _cueq,
    "oeq": _oeq,
}
