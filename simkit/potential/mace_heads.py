"""Heads of a MACE model: several potentials in one file, told apart by name."""

from __future__ import annotations

from urllib.parse import quote

from simkit.errors import InputError, nearest

OPTION = "?head="
"""What stands before the head in a spec, and in the name of a potential that is one of several heads."""


def heads_of(module: object) -> list[str]:
    """Names of the heads of a MACE module, in order."""
    return list(getattr(module, "heads", ["Default"]))


def head_index(heads: list[str], wanted: str | None) -> int:
    """Place of the head asked for. Raises InputError when there are several and none is named."""
    if wanted is not None:
        if wanted not in heads:
            raise InputError(f"the model has no head {wanted!r}; {nearest(wanted, heads)}")
        return heads.index(wanted)
    defaults = [i for i, head in enumerate(heads) if head.lower() == "default"]
    if len(heads) > 1 and not defaults:
        raise InputError(f"the model has the heads {', '.join(heads)}; choose one as in 'mace:FILE?head={heads[0]}'.")
    return defaults[0] if defaults else 0


def name_of_head(name: str, heads: list[str], index: int) -> str:
    """Name for the card of a model that answers by one of its heads, written as a spec is: NAME?head=HEAD.

    The heads of a model have one file and one hash, and results, labels and reports are told apart by name. A head
    that `name` holds already is replaced; a model of one head keeps its name.
    """
    if len(heads) < 2:
        return name
    return f"{parted(name)[0]}{OPTION}{quote(heads[index], safe='')}"


def parted(name: str) -> tuple[str, str]:
    """What a name says of the model, and of its head: "?head=HEAD", or nothing where it has but one."""
    model, option, head = name.partition(OPTION)
    return model, option + head
