"""Which torch device and number type a request means."""

from __future__ import annotations

import torch

from simkit.errors import InputError, nearest

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def device_of(name: str) -> torch.device:
    """'auto' (CUDA where there is one), 'cpu', 'cuda' or 'cuda:N' as a device.

    Raises InputError for other words and for a CUDA device that is not there: nothing runs elsewhere in silence.
    """
    kind, _, number = name.partition(":")
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if name == "cpu":
        return torch.device("cpu")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise InputError(f"device {name!r} is unknown; allowed: auto, cpu, cuda, cuda:0 and so on.")
    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= present:
        raise InputError(
            f"device {name!r} was asked for, but torch {torch.__version__} sees {present} CUDA devices here; "
            "use device='auto' or 'cpu'."
        )
    return torch.device("cuda", int(number or 0))


def dtype_of(name: str) -> torch.dtype:
    """'float32' or 'float64' as a torch dtype. Raises InputError for other words."""
    if name not in DTYPES:
        raise InputError(f"dtype {name!r} is unknown; {nearest(name, DTYPES)}")
    return DTYPES[name]


def present() -> list[str]:
    """The word cpu and every CUDA device torch sees, as "cuda:0 (NVIDIA ...)"."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{k} ({torch.cuda.get_device_name(k)})" for k in range(count))]
