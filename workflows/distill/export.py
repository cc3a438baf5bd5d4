"""What leaves a distillation: the model of each member with its card, beside recipe, seed and labels' checksum."""

from __future__ import annotations

from collections.abc import Sequence
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

SHORT = "Learnt from structures within reach of the recipe's cells: crystals of its elements near close packing."
NO_CHARGES = "No charges and no spins: states of charge enter only through composition and distances."
REACH = "Two steps of messages: nothing beyond {reach:.0f} A of an atom is seen."


@dataclass(frozen=True)
class Member:
    """One trained model, its seed, and its training."""

    model: Path
    seed: int
    trained: Trained


def export(recipe: Recipe, members: Sequence[Member], labels: Sequence[Labelled], run: RunDirectory) -> list[Path]:
    """Write NAME.json and NAME.safetensors (NAME-2 ... for further members) and NAME.record.json; returns the JSONs."""
    digest = checksum(labels)
    paths = []
    for index, member in enumerate(members):
        name = recipe.name if index == 0 else f"{recipe.name}-{index + 1}"
        model = potential.load(f"simkit:{member.model}", device="cpu")
        paths.append(potential.save_safe(model, run.path / name, card(recipe, name, model.card)))
    run.write_json(f"{recipe.name}.record.json", record(recipe, members, labels, digest))
    return paths


def card(recipe: Recipe, name: str, own: Card) -> Card:
    """The card of a distilled model, before its errors are known."""
    reach = 2.0 * (own.cutoff_A or 0.0)
    shape = recipe.training
    summary = recipe.about or f"MACE ({shape.channels} scalar channels) distilled from {recipe.teacher}"
    return Card(
        name=name,
        kind="mace",
        summary=summary,
        elements=own.elements,
        cutoff_A=own.cutoff_A,
        licence=recipe.licence,
        source=f"trained by simkit with mace-torch from labels of {recipe.teacher}",
        limits=(SHORT, NO_CHARGES, REACH.format(reach=reach)),
        teacher=recipe.teacher,
    )


def record(recipe: Recipe, members: Sequence[Member], labels: Sequence[Labelled], digest: str) -> dict[str, Any]:
    """What is needed to make the same again, and what it took."""
    origins: dict[str, int] = {}
    for label in labels:
        origins[label.origin] = origins.get(label.origin, 0) + 1
    return {
        "recipe": recipe.model_dump(mode="json"),
        "labels": len(labels),
        "atoms": sum(len(label.structure) for label in labels),
        "labels_sha256": digest,
        "origins": dict(sorted(origins.items())),
        "members": [
            {"seed": m.seed, "epochs": m.trained.epochs, "best_epoch": m.trained.best_epoch, "wall_s": m.trained.wall_s}
            for m in members
        ],
        "versions": versions(),
        "machine": machine_name(),
    }
