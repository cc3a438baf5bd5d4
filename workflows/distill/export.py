"""What leaves a distillation: the model of each member with its card, beside recipe, seed and labels' checksum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simkit import potential
from simkit.io.record import machine_name, versions
from simkit.io.rundir import RunDirectory
from simkit.potential.card import Card
from simkit.workflows.distill.dataset import Labelled, checksum
from simkit.workflows.distill.recipe import Recipe
from simkit.workflows.distill.train import Trained
from simkit.workflows.scorecard import Answers, errors

LEARNT = "Learnt on crystals near close packing: no surfaces, molecules, free atoms or other structures."
REACH = "Two steps of messages: nothing beyond {reach:.0f} A of an atom is seen; no charges, no spins."
ERRORS = "Held-out cells, against {teacher}: {energy:.1f} meV/atom, {force:.0f} meV/A ({relative:.0f} % of the forces)"
STRESS = ", {stress:.1f} meV/A^3"
DYNAMICS = "; in dynamics at 300 to 900 K {dynamics:.0f} meV/A"
INHERITED = "Its teacher: {limit}"


@dataclass(frozen=True)
class Member:
    """One trained model, its seed, and its training."""

    model: Path
    seed: int
    trained: Trained


@dataclass(frozen=True)
class Labels:
    """What the members learnt from and what they are judged on."""

    learnt: Sequence[Labelled]
    held_out: Sequence[Labelled]


def export(recipe: Recipe, members: Sequence[Member], labels: Labels, run: RunDirectory) -> list[Path]:
    """Write NAME.json and NAME.safetensors (NAME-2 ... for further members) and NAME.record.json; returns the JSONs."""
    paths, found = [], []
    for index, member in enumerate(members):
        name = recipe.name if index == 0 else f"{recipe.name}-{index + 1}"
        model = potential.load(f"simkit:{member.model}", device="cpu")
        answers = errors.measure(model, labels.held_out)
        paths.append(potential.save_safe(model, run.path / name, card(recipe, name, model.card, answers)))
        found.append(answers.numbers.get(errors.OVERALL, {}))
    run.write_json(f"{recipe.name}.record.json", record(recipe, members, labels, found))
    return paths


def card(recipe: Recipe, name: str, own: Card, answers: Answers) -> Card:
    """The card of a distilled model: what it is, how wrong it is, and what its teacher gets wrong."""
    shape = recipe.training
    summary = recipe.about or f"MACE ({shape.channels} scalar channels) distilled from {recipe.teacher}"
    teacher = potential.card_of(recipe.teacher)
    return Card(
        name=name,
        kind="mace",
        summary=summary,
        elements=own.elements,
        cutoff_A=own.cutoff_A,
        licence=recipe.licence,
        source=f"trained by simkit with mace-torch on labels of {recipe.teacher}",
        limits=(
            said(answers, recipe.teacher),
            LEARNT,
            REACH.format(reach=2.0 * (own.cutoff_A or 0.0)),
            *(INHERITED.format(limit=limit) for limit in (teacher.limits if teacher else ())),
        ),
        teacher=recipe.teacher,
    )


def said(answers: Answers, teacher: str) -> str:
    """The errors on held-out cells in one sentence."""
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
    return words + ("" if dynamics is None else DYNAMICS.format(dynamics=dynamics["force rmse_meV_per_A"])) + "."


def record(
    recipe: Recipe, members: Sequence[Member], labels: Labels, found: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """What is needed to make the same again, and what it took."""
    origins: dict[str, int] = {}
    for label in labels.learnt:
        origins[label.origin] = origins.get(label.origin, 0) + 1
    return {
        "recipe": recipe.model_dump(mode="json"),
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
                "best_epoch": member.trained.best_epoch,
                "wall_s": member.trained.wall_s,
                "held_out": dict(errors_of),
            }
            for member, errors_of in zip(members, found, strict=True)
        ],
        "versions": versions(),
        "machine": machine_name(),
    }
