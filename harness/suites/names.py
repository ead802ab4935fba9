"""Names as file names, and ids for what has none."""

from __future__ import annotations

import hashlib
import re

_LONGEST = 60
#: No file can have these names on Windows, whatever their suffix.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))})
_OTHER = re.compile(r"[^a-z0-9\-@._,]+")


def slug(name: str) -> str:
    """Return a name as a file name: `[a-z0-9-@._,]`, at most 60 characters.

    Wherever that changed it, 8 hex digits of the sha256 of the exact name follow, so that different names never share a
    file.
    """
    plain = _OTHER.sub("-", name.lower()).strip("-.")[:_LONGEST].rstrip("-.")
    if plain and plain == name and name.partition(".")[0] not in _DEVICES:
        return name
    return f"{plain or 'x'}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def derived_id(text: str) -> str:
    """Return an id for a case without one: the start of its input, and 8 hex digits of the whole of it."""
    words = _OTHER.sub("-", text.lower()).strip("-.,@")[:24].strip("-.,@")
    return f"{words or 'case'}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
