"""The recipe of a distillation: a TOML file that fixes teacher, cells, rounds, model and every random choice."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field

from simkit.config import Section, checked, read_toml, with_overrides
from simkit.potential.cards import RECIPE
from simkit.workflows.distill.active import Active
from simkit.workflows.distill.sampling import Sampling
from simkit.workflows.distill.training import Training

Natural = Annotated[int, Field(ge=0)]


class Polish(Section):
    """A second training of each member that goes on from its first: small steps, energies and stresses weighted up.

    Fields as in `Training`, whose other settings are kept.
    """

    epochs: Annotated[int, Field(ge=1)] = 6
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    final_learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    energy_weight: Annotated[float, Field(gt=0)] = 200.0
    forces_weight: Annotated[float, Field(gt=0)] = 10.0
    stress_weight: Annotated[float, Field(ge=0)] = 2000.0


class Recipe(Section):
    """How a model is made.

    name         of the model and its files
    about        one sentence for its card
    licence      of the weights
    teacher      any name that `potential.load` takes; its answers are the truth here
    seed         of all cells, perturbations, dynamics and trainings
    rounds       active rounds after the first set of labels
    round_epochs passes over the labels before each active round
    committee    models that are trained on the final labels, from seeds seed, seed + 1 ...
    held_out     cells that nothing is trained on; the errors on the card are those on them
    sampling, active, training, polish  see `Sampling`, `Active`, `Training`, `Polish` (none where it is not given)
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    about: str = ""
    licence: str = ""
    teacher: str = "chgnet+d3"
    seed: Natural
    rounds: Natural = 2
    round_epochs: Annotated[int, Field(ge=1)] = 6
    committee: Annotated[int, Field(ge=1, le=8)] = 1
    held_out: Annotated[int, Field(ge=1)] = 60
    sampling: Sampling
    active: Active = Active()
    training: Training = Training()
    polish: Polish | None = None


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a TOML file, or the shipped one of that name ("nalox"), and `key=value` overrides.

    Raises InputError with one line per mistake.
    """
    shipped = Path(str(resources.files("simkit.potentials"))) / f"{path}{RECIPE}"
    return checked(Recipe, with_overrides(read_toml(shipped if shipped.is_file() else path), overrides))
