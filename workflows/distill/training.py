"""Settings of a training: the [training] table of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from simkit.config import Section
from simkit.elements import SYMBOLS

PLACEMENT = ("threads", "processes", "device", "fused")
"""Settings that say where and how a training runs, not what it is."""
Positive = Annotated[float, Field(gt=0)]
Natural = Annotated[int, Field(ge=1)]


class Training(Section):
    """A small MACE and how it is trained.

    channels, lmax, correlation, cutoff_A, radial_mlp, bessel   the model: scalar features of each atom, degree of the
        spherical harmonics, order of the products, A, widths of the radial network, radial functions
    epochs       passes over the labels
    batch_size   structures of one step, all processes together
    optimiser    "adam", or "soap": Adam in the eigenbases of each matrix of weights, which wants five times the rates.
        From scratch, 680 labels of chgnet+d3, 32 channels, 8 epochs, the same time: validated forces 243 meV/A and
        energies 33 meV/atom with SOAP from 5e-2, 338 and 67 with Adam from 1e-2; SOAP from 1e-2 gives 569 and 70,
        from 3e-3 1145 and 118
    learning_rate, final_learning_rate  of the first and the last epoch; in between it decays exponentially
    restart_learning_rate  in place of learning_rate where a recipe goes on from a model: a given one, or that of the
                 round before
    elements     that the model knows besides those of its labels
    energy_weight, forces_weight, stress_weight  of the loss (mace-torch's "universal" one, with energies per atom)
    ema_decay    of the running average of the weights, which is what is validated and kept
    huber_eV_per_A  errors of forces count by their square below it and by their size above it; mace takes the same
                 number for energies (eV/atom) and stresses (eV/A^3), whose errors are below it in all but first epochs
    force_scale_eV_per_A  s: errors of energy and forces of a label are multiplied by s / sqrt(s^2 + f^2) before that, f
                 the root mean square of its forces: structures near rest decide lattices, stackings and barriers;
                 none: all labels count the same
    clip         largest norm of the gradient
    validation_fraction  of the labels, drawn with the seed, that choose the best epoch and teach nothing
    threads      of each process; 0 shares the cores
    processes    that share each batch, on the CPU; two of one thread can beat one of two
    device       "cpu" or "cuda"
    fused        on the CPU, train through simkit's kernels instead of mace's modules: the same to 1e-5, sooner
    """

    channels: Natural = 32
    lmax: Annotated[int, Field(ge=0, le=4)] = 3
    correlation: Annotated[int, Field(ge=1, le=3)] = 2
    cutoff_A: Positive = 5.0
    radial_mlp: Annotated[tuple[Natural, ...], Field(strict=False, min_length=1)] = (64, 64, 64)
    bessel: Natural = 8
    epochs: Natural = 30
    batch_size: Natural = 4
    optimiser: Literal["adam", "soap"] = "adam"
    learning_rate: Positive = 0.01
    final_learning_rate: Positive = 1e-4
    restart_learning_rate: Positive = 2e-3
    elements: Annotated[tuple[str, ...], Field(strict=False)] = ()
    energy_weight: Positive = 1.0
    forces_weight: Positive = 10.0
    stress_weight: Annotated[float, Field(ge=0)] = 100.0
    huber_eV_per_A: Positive = 0.01
    force_scale_eV_per_A: Positive | None = None
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.995
    clip: Positive = 10.0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05
    threads: Annotated[int, Field(ge=0)] = 0
    processes: Natural = 1
    device: Literal["cpu", "cuda"] = "cpu"
    fused: bool = True

    @field_validator("elements")
    @classmethod
    def of_the_table(cls, elements: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no chemical element."""
        unknown = [symbol for symbol in elements if symbol not in SYMBOLS[1:]]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is no element; give symbols of the table, as Na")
        return elements
