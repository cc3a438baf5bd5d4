"""What leaves a distillation: the model of each member with its card, beside recipe, seed and labels' checksum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from simkit import potential
from simkit.elements import SYMBOLS
from simkit.io.record import machine_name, versions
from simkit.io.rundir import RunDirectory
from simkit.potential.card import Card
from simkit.workflows.distill.dataset import Labelled, checksum
from simkit.workflows.distill.heldout import Dropped
from simkit.workflows.distill.recipe import Recipe
from simkit.workflows.distill.train import Trained
from simkit.workflows.scorecard import Answers, errors

LEARNT = "Learnt on crystals near close packing: no surfaces, molecules, free atoms or other structures."
REACH = "Two steps of messages: nothing beyond {reach:.0f} A of an atom is seen; no charges, no spins."
ERRORS = "Held-out cells, against {teacher}: {energy:.1f} meV/atom, {force:.0f} meV/A ({relative:.0f} % of the forces)"
STRESS = ", {stress:.1f} meV/A^3"
DYNAMICS = "; in dynamics at 300 to 900 K {dynamics:.0f} meV/A"
LOST = "; {broken} of {replicas} runs broke down, {dropped} of {frames} frames were lost"
OWN = "Learnt on the structures of {file} only; held out were {how}."
TUNED = "Tuned on the structures of {file}; held out were {how}. What it began from learnt others, of another method."
ADDED = "Besides, the teacher's answers on the structures of {files} were learnt, whatever these are."
GUESSED = "Energies of cells with {symbols} are on no common zero with the labels it was tuned on, which hold none."
INHERITED = "Its teacher: {limit}"


@dataclass(frozen=True)
class Member:
    """One trained model, its seed, its last training, and the epochs of the trainings it went on from."""

    model: Path
    seed: int
    trained: Trained
    epochs_before: int


@dataclass(frozen=True)
class Labels:
    """What the members learnt from and what they are judged on."""

    learnt: Sequence[Labelled]
    held_out: Sequence[Labelled]


@dataclass(frozen=True)
class Origin:
    """Whose answers the members learnt.

    named    the teacher as `potential.load` takes it, or the user's file of labels and its SHA-256
    teacher  its card; None where labels are the user's own
    data     the user's files; begun: the card of the model that all began from
    how      in what way held-out labels were chosen from the user's
    dropped  what dynamics in held-out cells lost
    added    SHA-256 of each file of structures that were learnt besides
    """

    named: str
    teacher: Card | None
    data: Sequence[Path] = ()
    begun: Card | None = None
    how: str = ""
    dropped: Dropped | None = None
    added: Mapping[str, str] = field(default_factory=dict)

    def knows(self, learnt: Sequence[Labelled]) -> set[str]:
        """Symbols of the elements in labels, and of those that the model all began from knew."""
        return self.seen(learnt) | set((self.begun and self.begun.elements) or ())

    @staticmethod
    def seen(learnt: Sequence[Labelled]) -> set[str]:
        """Symbols of the elements in labels."""
        return {SYMBOLS[z] for label in learnt for z in set(label.structure.numbers)}


def export(recipe: Recipe, members: Sequence[Member], labels: Labels, origin: Origin, run: RunDirectory) -> list[Path]:
    """Write NAME.json and NAME.safetensors (NAME-2 ... for further members) and NAME.record.json; returns the JSONs."""
    paths, found = [], []
    names = [recipe.name if k == 0 else f"{recipe.name}-{k + 1}" for k in range(len(members))]
    specs = tuple(f"simkit:{run.path / name}.json" for name in names) if len(names) > 1 else ()
    for name, member in zip(names, members, strict=True):
        model = potential.load(f"simkit:{member.model}", device="cpu")
        answers = errors.measure(model, labels.held_out)
        known = origin.knows(labels.learnt)
        own = replace(
            card(recipe, name, model.card, answers, origin, labels.learnt),
            committee=specs,
            elements=tuple(symbol for symbol in model.card.elements or () if symbol in known),
        )
        paths.append(potential.save_safe(model, run.path / name, own))
        found.append(answers.numbers.get(errors.OVERALL, {}))
    run.write_json(f"{recipe.name}.record.json", record(recipe, members, labels, origin, found))
    return paths


def card(recipe: Recipe, name: str, own: Card, answers: Answers, origin: Origin, learnt: Sequence[Labelled]) -> Card:
    """The card of a distilled model: what it is, how wrong it is, and what its teacher gets wrong."""
    guessed = sorted(origin.knows(learnt) - origin.seen(learnt))
    taught = origin.teacher is not None
    made = f"distilled from {origin.named}" if taught else f"trained on labels of {origin.named}"
    begun = f", going on from weights of sha256 {origin.begun.sha256}" if origin.begun else ""
    file = ", ".join(path.name for path in origin.data)
    return Card(
        name=name,
        kind="mace",
        summary=recipe.about or f"{own.summary}, {made}",
        elements=own.elements,
        cutoff_A=own.cutoff_A,
        licence=recipe.licence,
        source=f"trained by simkit with mace-torch on labels of {origin.named}{begun}",
        limits=(
            error_sentence(answers, origin.named, origin.dropped),
            LEARNT if taught else (TUNED if origin.begun else OWN).format(file=file, how=origin.how),
            *([ADDED.format(files=", ".join(origin.added))] if origin.added else []),
            *([GUESSED.format(symbols=", ".join(guessed))] if guessed else []),
            REACH.format(reach=2.0 * (own.cutoff_A or 0.0)),
            *(INHERITED.format(limit=limit) for limit in (origin.teacher.limits if origin.teacher else ())),
        ),
        teacher=origin.named if taught else "",
    )


def error_sentence(answers: Answers, teacher: str, dropped: Dropped | None = None) -> str:
    """The errors on held-out cells in one sentence, with what dynamics lost and what could not be measured."""
    whole = answers.numbers.get(errors.OVERALL)
    if whole is None:
        return f"Its errors against {teacher} are not known: {'; '.join(answers.problems.values())}"
    words = ERRORS.format(
        teacher=teacher,
        energy=whole["energy rmse_meV_per_atom"],
        force=whole["force rmse_meV_per_A"],
        relative=whole.get("force error relative_percent", float("nan")),
    )
    if "stress rmse_meV_per_A3" in whole:
        words += STRESS.format(stress=whole["stress rmse_meV_per_A3"])
    dynamics = answers.numbers.get(errors.DYNAMICS)
    words += "" if dynamics is None else DYNAMICS.format(dynamics=dynamics["force rmse_meV_per_A"])
    words += "" if dropped is None else LOST.format(**asdict(dropped))
    return "; ".join((words, *answers.problems.values())) + "."


def record(
    recipe: Recipe, members: Sequence[Member], labels: Labels, origin: Origin, found: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """What is needed to make the same again, and what it took."""
    origins: dict[str, int] = {}
    for label in labels.learnt:
        origins[label.origin] = origins.get(label.origin, 0) + 1
    return {
        "recipe": recipe.model_dump(mode="json"),
        "learnt_from": origin.named,
        "data": ", ".join(map(str, origin.data)),
        "added": dict(origin.added),
        "start_sha256": origin.begun.sha256 if origin.begun else "",
        "held_out_chosen": origin.how,
        "held_out_dynamics": None if origin.dropped is None else asdict(origin.dropped),
        "labels": len(labels.learnt),
        "atoms": sum(len(label.structure) for label in labels.learnt),
        "labels_sha256": checksum(labels.learnt),
        "held_out": len(labels.held_out),
        "held_out_sha256": checksum(labels.held_out),
        "origins": dict(sorted(origins.items())),
        "members": [
            {
                "seed": member.seed,
                "epochs": member.trained.epochs,
                "epochs_before": member.epochs_before,
                "best_epoch": member.trained.best_epoch,
                "wall_s": member.trained.wall_s,
                "held_out": dict(errors_of),
            }
            for member, errors_of in zip(members, found, strict=True)
        ],
        "versions": versions(),
        "machine": machine_name(),
    }
