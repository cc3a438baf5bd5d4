"""What may enter a batch script: every word is checked against an allow-list, by the key it came from, then quoted."""

from __future__ import annotations

import re
from collections.abc import Callable

from simkit.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}")
NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+,-]{0,255}")
FEATURES = re.compile(r"[A-Za-z0-9(\[][A-Za-z0-9_.,&|*()\[\]:-]{0,255}")
MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+/-]{0,127}")
PATH = re.compile(r"/[A-Za-z0-9_.@+=,/-]{0,1023}")
CLOCK = re.compile(r"(\d{1,3}-)?\d{1,2}:\d{2}:\d{2}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
VALUE = re.compile(r"[A-Za-z0-9_.:@+=,%/-]{0,1023}")
OPTION = re.compile(r"--[a-z][a-z-]{0,40}(=[A-Za-z0-9_.:@+,/-]{1,200})?")


def _checker(pattern: re.Pattern[str], allowed: str) -> Callable[[str, str], str]:
    def check(key: str, text: str) -> str:
        if not isinstance(text, str) or pattern.fullmatch(text) is None or ".." in text:
            raise InputError(f"{key} = {text!r} cannot go into a batch script; allowed: {allowed}.")
        return text

    return check


name = _checker(NAME, "letters, digits and _ . @ + -, beginning with a letter or digit")
names = _checker(NAMES, "letters, digits and _ . @ + - with commas between names")
features = _checker(FEATURES, "names of features with & | , * ( ) [ ] : between them")
module = _checker(MODULE, "a module as name/version: letters, digits and _ . + - /, no '..'")
path = _checker(PATH, "an absolute path of letters, digits and _ . @ + = , - /, no spaces, no '..'")
clock = _checker(CLOCK, "HH:MM:SS or D-HH:MM:SS")
variable = _checker(VARIABLE, "letters, digits and _, beginning with a letter")
value = _checker(VALUE, "letters, digits and _ . : @ + = , % / -")
option = _checker(OPTION, "an option of srun as --name or --name=value")


def seconds(text: str) -> int:
    """Seconds of HH:MM:SS or D-HH:MM:SS."""
    days, _, rest = clock("time", text).rpartition("-")
    hours, minutes, last = (int(part) for part in rest.split(":"))
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + last
