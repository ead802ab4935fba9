"""What a simulator keeps between requests: objects by kind and id, and where ids and times come from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from typing import Any

from harness.simulator.plain import JSON

#: The moment at which every simulator begins: 2026-01-01T00:00:00Z.
_BEGINNING = 1_767_225_600
_ID_LENGTH = 24


class Identity:
    """Ids and times that depend on a seed and on what they are for, never on the wall clock.

    The same object gets the same id whatever else is going on, so that requests may overtake each other.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        #: How often each was asked for, by digest: what requests say may be long.
        self._seen: Counter[bytes] = Counter()

    def new(self, prefix: str, *parts: JSON) -> str:
        """Return `prefix` and 24 characters made from `parts`; the n-th object of the same parts has an id of its own."""
        told = json.dumps([self._seed, prefix, *parts], sort_keys=True, default=str)
        key = hashlib.sha256(told.encode()).digest()
        self._seen[key] += 1
        digest = hashlib.sha256(f"{told}#{self._seen[key]}".encode()).hexdigest()
        return f"{prefix}{digest[:_ID_LENGTH]}"

    def time(self) -> int:
        """Return the simulator's time, Unix seconds; it stands still."""
        return _BEGINNING


class State:
    """Objects by kind (`thread`, `assistant`, `response`, ...) and id, in the order in which they were made."""

    def __init__(self, *, seed: int = 0) -> None:
        self.identity = Identity(seed)
        self._objects: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def of(self, kind: str) -> dict[str, Any]:
        """Return the objects of a kind, by id."""
        return self._objects[kind]
