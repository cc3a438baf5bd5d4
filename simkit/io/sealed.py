"""JSON that carries its own checksum."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from simkit.errors import CorruptFileError


def sealed(facts: dict[str, Any]) -> bytes:
    """JSON with the SHA-256 of its own content as a last entry."""
    body = json.dumps(facts, indent=1, sort_keys=True, allow_nan=False)
    return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "facts": facts}, sort_keys=True).encode()


def unsealed(path: Path) -> dict[str, Any]:
    """What `sealed` made. Raises CorruptFileError when it was cut short or changed."""
    try:
        whole = json.loads(path.read_bytes())
        facts, wanted = whole["facts"], whole["sha256"]
        body = json.dumps(facts, indent=1, sort_keys=True, allow_nan=False)
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} is damaged: {error}") from error
    if sealed(facts) != path.read_bytes() or hashlib.sha256(body.encode()).hexdigest() != wanted:
        raise CorruptFileError(f"{path} fails its checksum: it was cut short or changed.")
    return facts
