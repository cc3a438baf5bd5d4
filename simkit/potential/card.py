"""The card of a potential: what it is, where it comes from, what it is not good for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """Facts a reader of a result must be able to see.

    elements is None where any element is accepted (an ASE calculator decides for itself); `sha256`
    is the hash of the weights, empty for potentials without a weight file. `committee` lists the specs of the
    members of a committee; on the card of a single model, those that make a committee with it. The name of a model
    with several heads ends in "?head=NAME", the head that answers.
    """

    name: str
    kind: str
    summary: str
    elements: tuple[str, ...] | None = None
    cutoff_A: float | None = None
    dtype: str = "float64"
    device: str = "cpu"
    virials: bool = True
    licence: str = ""
    source: str = ""
    sha256: str = ""
    limits: tuple[str, ...] = ()
    committee: tuple[str, ...] = ()
    teacher: str = ""
