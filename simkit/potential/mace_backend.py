"""The only door to the mace package: its import changes the process, and here the process is put back.

`import mace` must come before e3nn (torch refuses e3nn's own constants otherwise) and turns off torch's safe
loading for the whole process; `mace.tools` and `mace.calculators` may set the global dtype.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import torch

RELAXED = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
OTHERS = r"(e3nn|mace|torch|cuequivariance|cuequivariance_torch)(\.|$)"
"""Packages whose warnings are hidden in quarantine."""


@contextmanager
def quarantine() -> Iterator[None]:
    """Put back torch's loading rule and default dtype; hide third-party warnings and prints."""
    before, dtype = os.environ.get(RELAXED), torch.get_default_dtype()
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", category=UserWarning, message="The TorchScript type system")
        warnings.filterwarnings("ignore", category=UserWarning, module=OTHERS)
        warnings.filterwarnings("ignore", category=FutureWarning, module=OTHERS)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=OTHERS)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            os.environ.pop(RELAXED, None)
            if before is not None:
                os.environ[RELAXED] = before


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Torch's default dtype set inside and put back after."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


with quarantine():
    import mace  # noqa: F401  (before e3nn)
    from e3nn import o3
    from mace.cli.convert_e3nn_cueq import run as to_cueq
    from mace.cli.convert_e3nn_oeq import run as to_oeq
    from mace.modules import gate_dict, interaction_classes, readout_classes
    from mace.modules.blocks import LinearReadoutBlock, NonLinearReadoutBlock
    from mace.modules.models import MACE, ScaleShiftMACE
    from mace.modules.radial import BesselBasis
    from mace.modules.symmetric_contraction import SymmetricContraction
    from mace.tools.compile import disable_e3nn_codegen, simplify
    from mace.tools.scripts_utils import extract_config_mace_model

MACE_BLOCKS = {
    "bessel": BesselBasis,
    "plain": interaction_classes["RealAgnosticInteractionBlock"],
    "residual": interaction_classes["RealAgnosticResidualInteractionBlock"],
    "contraction": SymmetricContraction,
    "linear": LinearReadoutBlock,
    "gated": NonLinearReadoutBlock,
}
"""The parts of a MACE that simkit's kernels know."""

__all__ = [
    "MACE",
    "MACE_BLOCKS",
    "RELAXED",
    "ScaleShiftMACE",
    "default_dtype",
    "disable_e3nn_codegen",
    "extract_config_mace_model",
    "gate_dict",
    "interaction_classes",
    "o3",
    "quarantine",
    "readout_classes",
    "simplify",
    "to_cueq",
    "to_oeq",
]
