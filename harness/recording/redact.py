"""What must never reach a file: keys, cookies, account ids.

Headers pass by an allow-list. Free text loses the exact values of known secrets (also where JSON escaping changed
them) and everything that has the shape of a key. Redaction is deterministic and irreversible, and it is applied
before requests are matched, so that replaying needs no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from harness.records import JSON

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
_SHAPES = re.compile(
    r"sk-[A-Za-z0-9_\-]{16,}"
    r"|Bearer\s+[A-Za-z0-9._\-]{16,}"
    r"|gh[pousr]_[A-Za-z0-9]{30,}"
    r"|github_pat_[A-Za-z0-9_]{40,}"
    r"|AKIA[0-9A-Z]{16}"
    r"|AIza[0-9A-Za-z_\-]{35}"
    r"|eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
# One of these stands in every text that has such a shape; looking for them first costs a fraction of the pattern.
_MARKS = ("sk-", "Bearer", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "AKIA", "AIza", "eyJ", "PRIVATE KEY")
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?$")


class Redactor:
    """Removes the given secret values, and whatever looks like a key, from text, headers and addresses."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Remove these values, too, from now on."""
        forms = set(self._forms)
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET:
                forms |= {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}
        if forms == self._forms:
            return
        self._forms = frozenset(forms)
        # Longest first, so that a secret inside another leaves no rest behind.
        self._known = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, also: Iterable[str] = ()) -> Redactor:
        """Know every value whose variable's name says that it is secret, and those in `also`."""
        named = [value for name, value in environ.items() if _SECRET_NAME.search(name.upper())]
        return cls([*named, *also])

    def text(self, text: str) -> str:
        """Return `text` with secrets replaced by a fixed word."""
        if self._known is not None:
            text = self._known.sub(PLACEHOLDER, text)
        if any(mark in text for mark in _MARKS):
            text = _SHAPES.sub(PLACEHOLDER, text)
        return text

    def body(self, body: bytes) -> bytes:
        """Redact a body where it is text; bytes that are not UTF-8 pass as they are."""
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return body
        clean = self.text(text)
        return body if clean is text or clean == text else clean.encode("utf-8")

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
        return {name.lower(): self.text(value) for name, value in headers if name.lower() in ALLOWED_HEADERS}

    def uri(self, uri: str, *, whole_query: bool = False) -> str:
        """Drop user information and, unless the whole query is wanted, unknown query parameters."""
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
        pairs = parts.query.split("&")
        kept = "&".join(pair for pair in pairs if whole_query or pair.partition("=")[0] in ALLOWED_QUERY)
        return urlunsplit((parts.scheme, host, self.text(parts.path), self.text(kept), ""))
