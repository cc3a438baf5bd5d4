"""MACE-MP foundation models by name, fetched and cached by mace-torch."""

from __future__ import annotations

import hashlib
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from simkit.errors import InputError, SimkitError, nearest
from simkit.potential.card import Card
from simkit.potential.mace import MACEPotential, Place, unpickle
from simkit.potential.mace_backend import quarantine

with quarantine():
    from mace.calculators.foundations_models import download_mace_mp_checkpoint, mace_mp_urls

ACADEMIC = ("small-omat-0", "medium-omat-0", "mace-matpes-pbe-0", "mace-matpes-r2scan-0", "mh-0", "mh-1")
"""Models that their authors release under the Academic Software License."""


def load_mace_mp(name: str, card: Card, place: Place) -> MACEPotential:
    """A MACE-MP model by the name mace-torch gives it (small, medium, large, medium-mpa-0 ...).

    Naming it is the consent to unpickle the file its authors publish; the hash goes on the card. Raises
    InputError for an unknown name, SimkitError when the download fails.
    """
    if name not in mace_mp_urls:
        raise InputError(f"unknown MACE-MP model {name!r}; {nearest(name, mace_mp_urls)}")
    url = mace_mp_urls[name]
    try:
        with redirect_stdout(sys.stderr):
            path = Path(download_mace_mp_checkpoint(name))
    except (OSError, RuntimeError) as error:
        raise SimkitError(
            f"the MACE-MP model {name!r} could not be fetched from {url}: {error}. Fetch it on a machine with "
            "internet access and load it as 'mace:/path/to/file.model'."
        ) from error
    content = path.read_bytes()
    named = replace(
        card,
        name=f"mace-mp:{name}",
        source=url,
        sha256=hashlib.sha256(content).hexdigest(),
        licence="ASL (academic use)" if name in ACADEMIC else card.licence,
    )
    return MACEPotential(unpickle(content, path), named, place)
