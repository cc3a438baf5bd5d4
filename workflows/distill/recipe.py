"""The recipe of a distillation: a TOML file that fixes teacher, cells, rounds, model and every random choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from simkit.config import Section, checked, read_toml, with_overrides
from simkit.errors import InputError
from simkit.potential.cards import FOLDER, RECIPE
from simkit.workflows.distill.active import Active
from simkit.workflows.distill.sampling import Sampling
from simkit.workflows.distill.training import Training

DEFAULT = "chgnet+d3"
"""The teacher of a recipe that names none."""
Natural = Annotated[int, Field(ge=0)]


class Polish(Section):
    """A further training of each member that goes on from the one before: other steps, other weights of the loss.

    Fields as in `Training`, whose other settings are kept; so is its optimiser where none is named. more: cells that
    the teacher labels besides, learnt in this stage and those after it; what validates is then drawn anew, so that
    only held-out errors compare stages. active: where the models of the stage before go in new cells, as in the
    active rounds. Both are drawn by the place of the stage, counted from the rounds: where they draw alike their cells
    are the same, and they begin with the first. channels, bessel: more than the
    model has, at most twice as many channels; it begins with what it knew (`simkit.potential.mace_widen`).
    """

    epochs: Annotated[int, Field(ge=1)] = 6
    optimiser: Literal["adam", "soap"] | None = None
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    final_learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    energy_weight: Annotated[float, Field(gt=0)] = 200.0
    forces_weight: Annotated[float, Field(gt=0)] = 10.0
    stress_weight: Annotated[float, Field(ge=0)] = 2000.0
    huber_eV_per_A: Annotated[float, Field(gt=0)] | None = None
    force_scale_eV_per_A: Annotated[float, Field(gt=0)] | None = None
    channels: Annotated[int, Field(ge=1)] | None = None
    bessel: Annotated[int, Field(ge=1)] | None = None
    more: Sampling | None = None
    active: Active | None = None


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
    sampling, active, training, polish  see `Sampling` (needed with a teacher), `Active`, `Training`, `Polish`; polish
                 is one table, or several that follow one another
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    about: str = ""
    licence: str = ""
    teacher: str = DEFAULT
    seed: Natural
    rounds: Natural = 2
    round_epochs: Annotated[int, Field(ge=1)] = 6
    committee: Annotated[int, Field(ge=1, le=8)] = 1
    held_out: Annotated[int, Field(ge=1)] = 60
    sampling: Sampling | None = None
    active: Active = Active()
    training: Training = Training()
    polish: Annotated[tuple[Polish, ...], Field(strict=False)] = ()

    @field_validator("polish", mode="before")
    @classmethod
    def one_or_several(cls, polish: Any) -> Any:
        """A single table is the only one of its kind."""
        return [polish] if isinstance(polish, dict | Polish) else polish

    @field_validator("polish")
    @classmethod
    def known_elements(cls, polish: tuple[Polish, ...], info: ValidationInfo) -> tuple[Polish, ...]:
        """Refuse cells of elements that the model, which is made for those of [sampling], does not know."""
        sampling = info.data.get("sampling")
        known = set() if sampling is None else set(sampling.elements)
        for number, stage in enumerate(polish):
            unknown = sorted(set(stage.more.elements) - known) if stage.more and known else ()
            if unknown:
                raise ValueError(
                    f"stage {number} has more cells with {', '.join(unknown)}, which [sampling] lacks; name them there"
                )
        return polish

    @field_validator("active", "polish")
    @classmethod
    def judges_exist(cls, found: Any, info: ValidationInfo) -> Any:
        """Refuse a committee of one as a judge."""
        every = [found] if isinstance(found, Active) else [stage.active for stage in found if stage.active]
        if info.data.get("committee", 2) < 2 and any(active.judge == "committee" for active in every):
            raise ValueError("judge = 'committee' needs committee = 2 or more in the recipe; one model has no spread")
        return found

    @field_validator("training")
    @classmethod
    def shared_batches(cls, training: Training) -> Training:
        """Refuse batches that the processes cannot share."""
        if training.batch_size % training.processes:
            raise ValueError(
                f"batch_size = {training.batch_size} cannot be shared by {training.processes} processes; "
                "choose a multiple"
            )
        return training

    @property
    def cells(self) -> Sampling:
        """What is drawn. Raises InputError where the recipe has no [sampling]."""
        if self.sampling is None:
            raise InputError("the recipe has no [sampling]; it is needed to draw cells for a teacher, unless --data.")
        return self.sampling


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a TOML file, or the shipped one of that name ("nalox"), and `key=value` overrides.

    Raises InputError with one line per mistake.
    """
    shipped = Path(str(resources.files(FOLDER))) / f"{path}{RECIPE}"
    given = shipped if shipped.is_file() else Path(path)
    if not given.exists():
        raise InputError(
            f"no recipe {path}: there is no such file, and shipped are {', '.join(sorted(shipped_recipes()))}."
        )
    return checked(Recipe, with_overrides(read_toml(given), overrides))


def shipped_recipes() -> dict[str, dict[str, Any]]:
    """The content of every shipped recipe by its name."""
    folder = Path(str(resources.files(FOLDER)))
    return {path.name.removesuffix(RECIPE): read_toml(path) for path in sorted(folder.glob(f"*{RECIPE}"))}


def own_words(recipe: Recipe, teacher: str, tell: Callable[[str], None]) -> Recipe:
    """The recipe without what a shipped one says about a model of another teacher; `tell` names what was blanked.

    teacher: the one in force, "" where labels are the user's own.
    """
    blank = {}
    for name in ("about", "licence"):
        words = getattr(recipe, name)
        teachers = {item.get("teacher", DEFAULT) for item in shipped_recipes().values() if item.get(name) == words}
        if words and teachers and teacher not in teachers:
            blank[name] = ""
            tell(f"{name} of the shipped recipe is left out: it was written for {', '.join(sorted(teachers))}")
    return recipe.model_copy(update=blank)
