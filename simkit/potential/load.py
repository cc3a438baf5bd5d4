"""From a word such as 'default' or 'mace:/path' to a potential; heavy backends are imported when asked for."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl

from simkit.errors import InputError, nearest
from simkit.potential.analytic import lennard_jones, morse
from simkit.potential.base import Potential
from simkit.potential.card import Card
from simkit.potential.cards import SCORECARD, all_cards, read_card
from simkit.potential.committee import KIND, Committee, committee_card
from simkit.potential.mace_heads import parted
from simkit.potential.sum import SumPotential, common_elements

DEFAULT = "simkit:nalox"
"""What 'default' means: simkit's own MACE, whose scorecard says what it gets right."""
BACKENDS = {
    "ase": "simkit.potential.ase",
    "chgnet": "simkit.potential.chgnet",
    "d3": "simkit.potential.dispersion",
    "mace": "simkit.potential.mace",
    "mace-mp": "simkit.potential.mace_download",
    "simkit": "simkit.potential.mace_format",
    "device": "simkit.potential.device",
    "training": "simkit.potential.mace_train",
}
"""Modules that import torch and the packages of the models."""
ANALYTIC = {"lj": lennard_jones, "morse": morse}
PLAIN = ("default", "chgnet", "d3", *ANALYTIC)
PREFIXED = ("mace", "mace-mp", "simkit")
OPTIONS = ("head", "path", "trust", "backend", "graphs", "neighbours")


@dataclass(frozen=True)
class Request:
    """What was asked: kind before the colon, rest after it, whether D3(BJ) is added, where it runs; a committee's
    members; path and means of a MACE (backend, graphs, neighbours, where they were given)."""

    kind: str
    rest: str
    dispersion: bool
    device: str
    dtype: str
    trust: str | None
    head: str | None
    members: tuple[Request, ...] = ()
    path: str = "auto"
    means: tuple[tuple[str, str], ...] = ()


def load(spec: str, device: str = "auto", dtype: str = "float32", trust: str | None = None) -> Potential:
    """The potential a word names.

    spec: 'default', 'chgnet', 'd3', 'lj', 'morse', 'mace-mp:SIZE', 'mace:FILE' (a pickle: only with
    trust = its file name or SHA-256), 'simkit:FILE' (safe format, or the name of an embedded model); each may end
    in '+d3' for PBE-D3(BJ) dispersion, and mace specs take '?head=NAME&trust=NAME&path=torch'
    (path: 'auto', 'fused' by simkit's kernels on the CPU, 'torch'); of the torch path also
    'backend=plain|compile|cueq|oeq', 'graphs=off|auto|on', 'neighbours=auto|host|device' (see
    `mace_place.Place`). 'committee:SPEC,SPEC,SPEC' is the
    mean of several of these with their spread (see `Committee`). device: 'auto', 'cpu', 'cuda',
    'cuda:N'; dtype: 'float32' or 'float64' (analytic potentials and D3 always run in float64 on the CPU).
    Raises InputError with the nearest name for an unknown word, an absent device or an unknown dtype,
    UntrustedFileError for a pickle nobody vouched for.
    """
    request = parse(spec, device, dtype, trust)
    if not request.members:
        return loaded(request)
    members = [loaded(member) for member in request.members]
    return Committee(members, committee_card(members, request.rest.split(",")))


def loaded(request: Request) -> Potential:
    """The potential of a request for a single one, with dispersion where it is asked for."""
    base = make(request)
    if not request.dispersion:
        return base
    return with_dispersion(base)


def from_ase(calculator: object, name: str | None = None) -> Potential:
    """Any ASE calculator as a potential, asked for one structure at a time.

    It gives no atomic virials; a calculator without stress gets it by finite differences (twelve more energies a
    structure), and the card says so. Results are copied, NaN comes back as it is. Raises InputError when
    the object is no ASE calculator or lacks energies or forces.
    """
    return backend("ase").from_ase(calculator, name)


def save_safe(model: object, path: str | Path, card: Card) -> Path:
    """Write a MACE model (module or potential) as `path`.safetensors and `path`.json, without pickle.

    Returns the path of the JSON file; `load("simkit:PATH")` reads both back. Raises InputError for
    models that are no ScaleShiftMACE or cannot be rebuilt from their arguments.
    """
    return backend("simkit").save_safe(model, path, card)


def available() -> list[tuple[str, str]]:
    """(spec, summary) of what `load` knows, for people to choose from."""
    cards = all_cards()
    found = [("default", f"the embedded model, now {DEFAULT}")]
    found += [(name, card.summary) for name, card in sorted(cards.items()) if not name.startswith("mace")]
    found += [(name, make_one().card.summary) for name, make_one in ANALYTIC.items()]
    found.append(("mace-mp:SIZE", cards["mace-mp"].summary))
    found.append(("mace:FILE", "a MACE model file; a pickle, so it must be trusted by name"))
    found.append(("simkit:FILE", "a MACE model in simkit's safe format (safetensors and JSON)"))
    found.append((f"{KIND}:A,B,C", "the mean of several of these, with their spread"))
    return found


def card_of(spec: str) -> Card | None:
    """The card of a potential that simkit carries or knows how to download, without loading it; else None."""
    cards = all_cards()
    text = DEFAULT if spec == "default" else spec
    return cards.get(text) or cards.get(text.partition(":")[0] if text.startswith("mace-mp:") else "")


def scorecard_of(spec: str) -> Path | None:
    """The scorecard (Markdown) that lies beside an embedded model; None for other potentials."""
    name = (DEFAULT if spec == "default" else spec).removeprefix("simkit:")
    path = Path(str(resources.files("simkit.potentials"))) / f"{name}{SCORECARD}"
    return path if "/" not in name and path.is_file() else None


def whole_checkpoint(path: Path) -> bool:
    """Whether a checkpoint of a training can be read to its end."""
    return backend("training").whole_checkpoint(path)


def devices() -> list[str]:
    """Devices that a potential can run on here, with the names of the GPUs."""
    return backend("device").present()


def backend(name: str) -> ModuleType:
    """Import one of the modules of `BACKENDS`: the only place where torch and model packages come in."""
    return importlib.import_module(BACKENDS[name])


def parse(spec: str, device: str, dtype: str, trust: str | None) -> Request:
    """Take a spec apart. Raises InputError when it makes no sense."""
    if spec.startswith(f"{KIND}:"):
        return parse_committee(spec, device, dtype, trust)
    text = DEFAULT if spec == "default" else spec
    text, _, query = text.partition("?")
    dispersion = text.endswith("+d3")
    kind, colon, rest = text.removesuffix("+d3").partition(":")
    known = PREFIXED if colon else PLAIN
    if kind not in known or (colon and not rest):
        words = [*PLAIN, "chgnet+d3", *(f"{p}:..." for p in (*PREFIXED, KIND))]
        raise InputError(f"unknown potential {spec!r}; {nearest(spec, words)}")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option in options:
        if option not in OPTIONS or not colon:
            raise InputError(f"unknown option {option!r} in potential {spec!r}; {nearest(option, OPTIONS)}")
    trust, head, path = trust or options.get("trust"), options.get("head"), options.get("path", "auto")
    means = tuple((name, options[name]) for name in ("backend", "graphs", "neighbours") if name in options)
    return Request(kind, rest, dispersion, device, dtype, trust, head, path=path, means=means)


def parse_committee(spec: str, device: str, dtype: str, trust: str | None) -> Request:
    """Take 'committee:SPEC,SPEC' apart; a member's own ?trust= goes before `trust`.

    Raises InputError for a member that makes no sense, a committee in a committee, fewer than two members and the
    same member twice, whose spread would be zero whatever is asked.
    """
    rest = spec.removeprefix(f"{KIND}:")
    words = rest.split(",")
    if len(words) < 2 or len(set(words)) < len(words) or any(word.startswith(KIND) for word in words):
        raise InputError(
            f"potential {spec!r}: a committee has two or more different members that are no committees, "
            "as committee:simkit:A.json,simkit:B.json,simkit:C.json."
        )
    members = tuple(parse(word, device, dtype, None) for word in words)
    members = tuple(replace(member, trust=member.trust or trust) for member in members)
    trusted = next((member.trust for member in members if member.trust), None)
    return Request(KIND, rest, False, device, dtype, trusted, None, members)


def make(request: Request) -> Potential:
    """The potential of a request, without dispersion."""
    places = backend("device")
    device, dtype = places.device_of(request.device), places.dtype_of(request.dtype)
    if request.kind in ANALYTIC or request.kind == "d3":
        if request.device not in ("auto", "cpu"):
            raise InputError(
                f"potential {request.kind!r} runs on the CPU only; device {request.device!r} was asked for."
            )
        return ANALYTIC[request.kind]() if request.kind in ANALYTIC else backend("d3").load_d3(read_card("d3"))
    if request.kind == "chgnet":
        return backend("chgnet").load_chgnet(read_card("chgnet"), device, dtype)
    place = backend("mace").Place(device, dtype, request.head, request.path, **dict(request.means))
    if request.kind == "mace-mp":
        return backend("mace-mp").load_mace_mp(request.rest, read_card("mace-mp"), place)
    if request.kind == "simkit":
        return backend("simkit").load_safe(safe_path(request.rest), place)
    path = Path(request.rest)
    card = Card(name=f"mace:{path.name}", kind="mace", summary=f"MACE model from {path.name}", source=str(path))
    return backend("mace").load_trusted(path, request.trust, card, place)


def safe_path(name: str) -> Path:
    """A path as given, or the embedded model of that name."""
    embedded = resources.files("simkit.potentials").joinpath(f"{name}.json")
    return Path(str(embedded)) if "/" not in name and embedded.is_file() else Path(name)


def with_dispersion(base: Potential) -> SumPotential:
    """The potential plus PBE-D3(BJ), on the card of that sum where there is one."""
    d3 = backend("d3").load_d3(read_card("d3"))
    cards = all_cards()
    model, head = parted(base.card.name)
    name = f"{model}+d3{head}"
    own = cards.get(name) or replace(
        base.card,
        name=name,
        summary=f"{base.card.summary}; with PBE-D3(BJ) dispersion",
        limits=base.card.limits + d3.card.limits,
    )
    card = replace(
        own,
        elements=common_elements([base, d3]),
        cutoff_A=d3.card.cutoff_A,
        device=base.card.device,
        dtype=base.card.dtype,
        virials=base.card.virials,
        sha256=base.card.sha256,
    )
    return SumPotential([base, d3], card)
