"""What must never reach a file: keys, cookies, account ids.

Headers pass by an allow-list. Free text loses the exact values of known secrets, in whatever encoding, everything that
has the shape of a key, and what the project's own rules name. Redaction is deterministic and irreversible, applying it
twice changes nothing, and it is applied before requests are matched, so that replaying needs no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from harness.expressions import PLACEHOLDER
from harness.jsontext import JSONTooLarge
from harness.patterns import Pattern
from harness.recording import sse
from harness.recording.disguises import disguises
from harness.recording.pieces import Pieces, Span, compact
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

#: Shorter values are words, not secrets.
_SHORTEST_SECRET = 8
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?$")
#: A string of JSON. Escapes outside of one are passed over: what follows them begins none.
_STRING = re.compile(r'\\.|"(?:[^"\\]|\\.)*+"', re.DOTALL)
#: How often a text is looked through at most: what is put in may look like part of a key.
_ROUNDS = 4
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')
#: Escapes that an encoder need not have written, or could have written otherwise; a secret may hide behind them.
_NEEDLESS = re.compile(r"\\u00[2-7]|\\u[0-9a-f]{0,3}[A-F]|\\/")
#: Any escape; a pattern is written for what it stands for.
_ESCAPE = re.compile(r"\\")
#: Where the JSON of an event begins.
_DATA = re.compile(r"^data: ?(?=[{\[])", re.MULTILINE)
#: What ends an event.
_BLANK = re.compile(rb"[\r\n]*\Z")


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
        # Files of secrets end with a line end, which whoever uses one cuts off.
        values = {value for secret in secrets for value in (secret, secret.strip())}
        known = self._secrets | {
            value for value in values if len(value) >= _SHORTEST_SECRET and value not in PLACEHOLDER * 2
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

    @property
    def has_patterns(self) -> bool:
        """Whether there are patterns of the project's own, which may look at where a text begins and ends."""
        return bool(self._patterns)

    def text(self, text: str) -> str:
        """Return `text` with secrets replaced by a fixed word."""
        for _ in range(_ROUNDS):
            before, text = text, self._once(text)
            if text == before:
                break
        return text

    def _once(self, text: str) -> str:
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
        if clean != text:
            clean = self._still_json(text, clean)
        if self._fields:
            clean = self._without_fields(clean, encoding)
        return body if clean is text or clean == text else clean.encode(encoding)

    def stream(self, body: bytes) -> bytes:
        """Redact a stream of server-sent events, one by one: their number stays what it was."""
        if self.body(body) is not body:
            # First what is spread over events: of a key that goes on in the next one, its end would be left.
            body = self.joined(body)
        elif not self._fields:
            return body
        return b"".join(map(self._event, sse.blocks(body)))

    def joined(self, body: bytes) -> bytes:
        """Redact the texts that a stream sends piece by piece, where a secret is spread over several of them."""
        pieces = Pieces(body)
        for _ in range(_ROUNDS):
            if not sum(pieces.cut(spans, PLACEHOLDER) for spans in self._passes()):
                break
        return pieces.body() if pieces.changed else body

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
        try:
            parts = urlsplit(uri)
        except ValueError:  # a service's `location` may be anything
            return PLACEHOLDER
        host = parts.netloc.rpartition("@")[2]
        pairs = parts.query.split("&")
        kept = "&".join(pair for pair in pairs if whole_query or pair.partition("=")[0] in ALLOWED_QUERY)
        return self.text(urlunsplit((parts.scheme, host, parts.path, kept, "")))

    def _passes(self) -> Iterator[Callable[[str], Iterable[Span]]]:
        """Yield what `text` does one after the other, each as what says where it finds something."""
        if self._known is not None:
            yield self._of_known
        yield self._of_shapes
        for pattern in self._patterns:
            yield pattern.spans

    def _of_known(self, text: str) -> list[Span]:
        if self._known is None or not self._guard(text.encode("utf-8", "surrogatepass")):
            return []
        return [match.span() for match in self._known.finditer(text)]

    def _of_shapes(self, text: str) -> list[Span]:
        return list(shapes(text)) if self._guard(text.encode("utf-8", "surrogatepass")) else []

    def _unescaped(self, text: str) -> str:
        """Look again at JSON strings, at what their escapes stand for."""
        hides = _ESCAPE if self._patterns else _NEEDLESS
        if (self._known is None and not self._patterns) or hides.search(text) is None:
            return text
        return _STRING.sub(lambda match: self._string(match[0]) if hides.search(match[0]) else match[0], text)

    def _string(self, token: str) -> str:
        if not token.startswith('"'):
            return token
        try:
            value = json.loads(token)
        except ValueError:
            return token
        # A string may hold JSON itself, with escapes of its own; every layer is shorter than what it stands in.
        clean = self._unescaped(self.text(value))
        return token if clean == value else json.dumps(clean)

    def _still_json(self, text: str, clean: str) -> str:
        """Keep JSON what it was, also where a number goes, or a pattern that takes brackets along.

        Args:
            text: A body, or an event.
            clean: What is left of it.
        """
        start = 0
        if not text.lstrip().startswith(("{", "[")):
            data = _DATA.search(text)
            start = data.end() if data else len(text)
        end = _DATA.search(clean)
        if not _is_json(text[start:]) or _is_json(clean[end.end() if start and end else 0 :]):
            return clean
        return self.text(text[:start]) + _TOKEN.sub(lambda match: self._token(match[0]), text[start:])

    def _token(self, token: str) -> str:
        if token.startswith('"'):
            return self._string(token)
        clean = self.text(token)
        return token if clean == token else json.dumps(clean)

    def _event(self, block: bytes) -> bytes:
        # A shape or a pattern that takes white space along would join this event with the next.
        end = _BLANK.search(block)
        assert end is not None
        clean = self.body(block[: end.start()]) + end[0]
        event = sse.decode(clean) if self._fields else None
        if event is None:
            return clean
        without = self._without_fields(event.data)
        if without == event.data:
            return clean
        name = f"event: {event.name}\n" if event.name else ""
        return f"{name}data: {without}\n\n".encode()

    def _without_fields(self, text: str, encoding: str = "utf-8") -> str:
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
        return compact(value[0], encoding) if changed else text


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


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
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
