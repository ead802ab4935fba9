"""What a project says does not matter in a request: ids and times that are new with every run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from harness.patterns import Pattern
from harness.recording.cassette import Request, canonical_body, resource


class Normaliser:
    """Replaces what matches named patterns by the name and a number, the same for the same value."""

    def __init__(self, patterns: Mapping[str, str] | None = None) -> None:
        """
        Args:
            patterns: Regular expressions of RE2 by name; applied in this order.

        Raises:
            BadPattern: One cannot be used.
        """
        self._patterns = tuple((name, Pattern(source)) for name, source in (patterns or {}).items())

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def key(self, request: Request) -> str:
        """Return what two requests share that are the same but for what matches."""
        parts = urlsplit(request.uri)
        query = "&".join(sorted(parts.query.split("&")))
        text = f"{request.method} {resource(parts.path)}?{query}\n{_readable(canonical_body(request))}"
        for name, pattern in self._patterns:
            seen: dict[str, str] = {}
            pieces: list[str] = []
            end = 0
            for start, stop in pattern.spans(text):
                value = text[start:stop]
                pieces += [text[end:start], seen.setdefault(value, f"<{name}-{len(seen) + 1}>")]
                end = stop
            text = "".join([*pieces, text[end:]])
        return text


def _readable(body: bytes) -> str:
    """The body as patterns are written for: without escapes for letters that need none."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
