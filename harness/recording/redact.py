"""What must never reach a file: keys, cookies, account ids.

Headers pass by an allow-list. Free text loses the exact values of known secrets, in whatever encoding, everything that
has the shape of a key, and what the project's own rules name. Redaction is deterministic and irreversible, applying it
twice changes nothing, and it is applied before requests are matched, so that replaying needs no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from harness.jsontext import JSONTooLarge
from harness.patterns import Pattern
from harness.recording import sse
from harness.recording.disguises import disguises
from harness.recording.pieces import Pieces, Span
from harness.recording.shapes import MARKS, shapes, without_shapes
from harness.records import JSON

if TYPE_CHECKING:
    from harness.jsonpath import JSONPath

#: Headers that say something about an answer and nothing about an account.
ALLOWED_HEADERS = frozenset(
    {
        "accept",
        "content-type",
        "location",
        "openai-beta",
        "openai-poll-after-ms",
        "openai-processing-ms",
        "retry-after",
        "retry-after-ms",
        "x-harness-simulated",
        "x-ratelimit-limit-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
        "x-should-retry",
        "x-simulated",
    }
)
#: Query parameters that the APIs use; any other is dropped, since some gateways take keys there.
ALLOWED_QUERY = frozenset(
    {"after", "api-version", "before", "include", "include[]", "limit", "order", "run_id", "stream"}
)

PLACEHOLDER = "REDACTED"
#: Shorter values are words, not secrets.
_SHORTEST_SECRET = 8
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?$")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
#: Escapes that an encoder need not have written; a secret may hide behind them.
_NEEDLESS = re.compile(r"\\u00[2-7]|\\/")


class Redactor:
    """Removes the given secret values, and whatever looks like a key, from text, headers, addresses and bodies."""

    def __init__(
        self, secrets: Iterable[str] = (), *, patterns: Sequence[Pattern] = (), fields: Sequence[JSONPath] = ()
    ) -> None:
        """
        Args:
            secrets: Values; those of fewer than 8 characters are left alone.
            patterns: What else is taken out of every text.
            fields: Where, in JSON bodies and in events of streams, a value is taken out whatever it is.
        """
        self._patterns = tuple(patterns)
        self._fields = tuple(fields)
        self._secrets: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        #: Says of bytes whether a known secret may be in them, or a key.
        self._guard = _guard(MARKS)
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Remove these values, too, from now on."""
        known = self._secrets | {
            secret for secret in secrets if len(secret) >= _SHORTEST_SECRET and secret not in PLACEHOLDER * 2
        }
        if known == self._secrets:
            return
        self._secrets = known
        forms = {form for secret in known for form in disguises(secret) if len(form) >= _SHORTEST_SECRET}
        # Longest first, so that a secret inside another leaves no rest behind.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered)))
        self._guard = _guard([*ordered, *MARKS])

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str],
        *,
        also: Iterable[str] = (),
        patterns: Sequence[Pattern] = (),
        fields: Sequence[JSONPath] = (),
    ) -> Redactor:
        """Know every value whose variable's name says that it is secret, and those in `also`."""
        named = [value for name, value in environ.items() if _SECRET_NAME.search(name.upper())]
        return cls([*named, *also], patterns=patterns, fields=fields)

    def text(self, text: str) -> str:
        """Return `text` with secrets replaced by a fixed word."""
        if self._guard(text.encode("utf-8", "surrogatepass")):
            if self._known is not None:
                text = self._known.sub(PLACEHOLDER, text)
            text = without_shapes(text, PLACEHOLDER)
        for pattern in self._patterns:
            text = pattern.sub(PLACEHOLDER, text)
        return text

    def body(self, body: bytes) -> bytes:
        """Redact a body. What is not UTF-8 is looked through as bytes; JSON keeps its layout unless a field goes."""
        try:
            text, encoding = body.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            text, encoding = body.decode("latin-1"), "latin-1"
        clean = self._unescaped(self.text(text))
        if self._fields:
            clean = self._without_fields(clean)
        return body if clean is text or clean == text else clean.encode(encoding)

    def stream(self, body: bytes) -> bytes:
        """Redact a stream of server-sent events, one by one: their number stays what it was."""
        if self.body(body) is body and not self._fields:
            return body
        return b"".join(map(self._event, sse.blocks(body)))

    def joined(self, body: bytes) -> bytes:
        """Redact the texts that a stream sends piece by piece, where a secret is spread over several of them."""
        pieces = Pieces(body)
        if not any(next(self._found(text), None) for text in pieces.texts()):
            return body
        return pieces.without(self._found, PLACEHOLDER)

    def data(self, value: JSON) -> JSON:
        """Redact every text in plain data, keys and numbers included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.data(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(one) for one in value]
        if isinstance(value, bool) or value is None:
            return value
        shown = json.dumps(value)
        clean = self.text(shown)
        return value if clean == shown else clean

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Keep what the allow-list names, in lower case, redacted."""
        return {
            name.lower(): self.uri(value) if name.lower() == "location" else self.text(value)
            for name, value in headers
            if name.lower() in ALLOWED_HEADERS
        }

    def uri(self, uri: str, *, whole_query: bool = False) -> str:
        """Drop user information, fragment and, unless the whole query is wanted, unknown query parameters."""
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
        pairs = parts.query.split("&")
        kept = "&".join(pair for pair in pairs if whole_query or pair.partition("=")[0] in ALLOWED_QUERY)
        return self.text(urlunsplit((parts.scheme, host, parts.path, kept, "")))

    def _found(self, text: str) -> Iterator[Span]:
        """Yield what `text` would lose, in order and without overlaps."""
        spans: list[Span] = []
        if self._guard(text.encode("utf-8", "surrogatepass")):
            spans += [match.span() for match in self._known.finditer(text)] if self._known is not None else []
            spans += shapes(text)
        for pattern in self._patterns:
            spans += pattern.spans(text)
        last = 0
        for start, end in sorted(spans):
            if start >= last and end > start and text[start:end] != PLACEHOLDER:
                yield start, end
                last = end

    def _unescaped(self, text: str) -> str:
        """Look again at JSON strings that are written with escapes which they do not need."""
        if self._known is None or _NEEDLESS.search(text) is None:
            return text
        return _STRING.sub(self._string, text)

    def _string(self, match: re.Match[str]) -> str:
        token = match[0]
        if _NEEDLESS.search(token) is None:
            return token
        try:
            value = json.loads(token)
        except ValueError:
            return token
        clean = self.text(value)
        return token if clean == value else json.dumps(clean)

    def _event(self, block: bytes) -> bytes:
        clean = self.body(block)
        event = sse.decode(clean) if self._fields else None
        if event is None:
            return clean
        without = self._without_fields(event.data)
        if without == event.data:
            return clean
        name = f"event: {event.name}\n" if event.name else ""
        return f"{name}data: {without}\n\n".encode()

    def _without_fields(self, text: str) -> str:
        """Take the declared fields out of a text that is JSON; it is written anew where there are any."""
        try:
            value = [json.loads(text)]
        except (ValueError, RecursionError):
            return text
        changed = False
        for path in self._fields:
            try:
                places = path.places(value[0])
            except JSONTooLarge:
                continue
            for place in places:
                changed = _blank(value, place) or changed
        return json.dumps(value[0], ensure_ascii=False, separators=(",", ":")) if changed else text


def _blank(value: list[Any], place: Sequence[str | int]) -> bool:
    """Put the fixed word where a value stands, below the only element of `value`; say whether that changed anything."""
    holder: Any = value
    key: str | int = 0
    for step in place:
        holder, key = holder[key], step
        if not isinstance(holder, (dict, list)):
            return False
    if holder[key] == PLACEHOLDER:
        return False
    holder[key] = PLACEHOLDER
    return True


def _guard(forms: Sequence[str]) -> Any:
    """Return what says quickly of bytes that none of `forms` is in them: one pass, however many there are."""
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.log_errors = False
    options.max_mem = 64 << 20
    escaped = (re2.escape(form.encode("utf-8", "surrogatepass")) for form in forms)
    return re2.compile(b"|".join(escaped), options).search
