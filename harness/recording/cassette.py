"""What a cassette holds, apart from how it is written and read.

One cassette is one trial: its HTTP interactions in the order in which they started, and the facts of the recording.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

from harness.records import JSON

#: Version of what is ours in a cassette; the file itself is vcrpy's `version: 1`.
FORMAT = 1


#: What stands instead of an error where the caller gave up waiting; behind it, why the trial ended, if that is why.
ABANDONED = "abandoned"
#: Statuses after which the same request is worth sending again (the SDK's own list).
TRANSIENT = frozenset({408, 409, 429})
#: Statuses about who asks, not about what was asked: never part of a recording.
CREDENTIALS = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it was sent, redacted; where there was no `body`, it is empty (None in early recordings)."""

    method: str
    uri: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One request and what came back. Times are seconds from the start of the trial."""

    request: Request
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    #: The logical call this belongs to, from 1; retries of one call share it.
    slot: int
    #: From 1, inside the slot.
    attempt: int
    start: float
    first_byte: float
    end: float
    #: When each server-sent event was complete.
    events: tuple[float, ...] = ()
    #: Why there is no response: `timeout` or `connection`, with the transport's words, or `abandoned`.
    error: str | None = None
    #: The stream was closed before its end.
    truncated: bool = False
    #: Which of the trial's conversations this belongs to, where it holds several side by side.
    conversation: str | None = None

    @property
    def resource(self) -> str:
        """What was asked for: the path from the name of an API's resource on, as in `chat/completions`."""
        return resource(urlsplit(self.request.uri).path)

    @property
    def abandoned(self) -> bool:
        """Whether the caller gave up waiting, so that nobody knows what the service made of it."""
        return self.error is not None and self.error.partition(": ")[0] == ABANDONED

    @property
    def final(self) -> bool:
        """Whether the service answered for good, so that asking again would ask something new."""
        if self.error is not None:
            return False
        return self.status < 500 and self.status not in TRANSIENT and self.status not in CREDENTIALS


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is true of a whole recording; it rides on the last interaction."""

    count: int
    #: End of the last model step, seconds from trial start.
    end: float
    #: Seconds of it spent waiting for our own limiter; not part of the latency.
    waited: float = 0.0
    recorded_at: str
    #: What answered: `host`, `model`, and `simulated: true` where a script did.
    source: Mapping[str, JSON] = field(default_factory=dict)
    harness: str
    openai: str
    case_hash: str | None = None
    assistant_hash: str | None = None
    #: Which price table the cost was computed from, and the cost in USD (None: unpriced).
    prices: str | None = None
    cost: Decimal | None = None
    #: Calls of tools that a replay does not run: `{id, name, arguments, output or error, ..}`.
    tools: tuple[Mapping[str, JSON], ...] = ()
    #: What MCP servers said of their tools, by server.
    definitions: Mapping[str, JSON] = field(default_factory=dict)
    #: Hashes of the code of the tools whose results are here, by name.
    sources: Mapping[str, str] = field(default_factory=dict)
    #: What the recording was made with: `concurrency`, `machine` (a hash); empty in early recordings.
    conditions: Mapping[str, JSON] = field(default_factory=dict)
    #: How long calls of tools took, by their number: `2`, or `2.1` for the first one that an assistant asked for that the
    #: second call asked.
    seconds: Mapping[str, float] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def latency(self) -> float:
        """Trial start to the end of the last model step without our own waits, seconds."""
        return round(self.end - self.waited, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """A whole, verified recording."""

    interactions: tuple[Interaction, ...]
    facts: Facts


#: What the paths of the OpenAI protocols begin with, below an endpoint's own path.
_RESOURCES = frozenset(
    {
        "assistants",
        "chat",
        "containers",
        "conversations",
        "embeddings",
        "files",
        "images",
        "models",
        "moderations",
        "responses",
        "threads",
        "uploads",
        "vector_stores",
    }
)

Key: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...], str]


def request_key(request: Request) -> Key:
    """What two requests must share to be the same call: method, resource, sorted query, hash of the canonical body.

    Host, port, the path below which an API lies, and headers are not part of it: a recording made against one
    endpoint replays for another.
    """
    parts = urlsplit(request.uri)
    query = tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))
    return (request.method, resource(parts.path), query, hashlib.sha256(canonical_body(request)).hexdigest())


def resource(path: str) -> str:
    """Return a path from the name of an API's resource on; one that names none is returned whole."""
    names = path.split("/")
    start = next((number for number, name in enumerate(names) if name in _RESOURCES), None)
    return path if start is None else "/".join(names[start:])


def canonical_body(request: Request) -> bytes:
    """The body with everything removed that does not matter: JSON key order and spacing, a multipart boundary."""
    body = request.body
    if not body:
        return b""
    content_type = request.headers.get("content-type", "")
    if "multipart/form-data" in content_type:
        boundary = content_type.partition("boundary=")[2].strip('"').encode()
        return body.replace(boundary, b"boundary") if boundary else body
    if body[:1] in b'{["' or "json" in content_type:
        try:
            return json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
        except (ValueError, RecursionError):
            return body
    return body
