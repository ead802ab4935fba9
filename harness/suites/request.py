"""What `api: http` sends: an address, headers and a body, all templates, and how its stream is read.

Three things are kept apart: templates see what a case holds; `${NAME}` in a header is a variable of the environment,
looked up only when something is sent; and what a template puts in is neither a template nor a `${NAME}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

from harness.errors import SourceLocation
from harness.records import JSON
from harness.suites.suite import AssistantSpec
from harness.templates.engine import Templates, has_template

METHODS = ("POST", "GET", "PUT", "PATCH")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
#: Headers that say how a request is sent.
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})
#: What comes before it in ASCII is a control character.
_BLANK = 32
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: An address up to its path, in which no template may stand: where a secret goes is not for data to say.
_AUTHORITY = re.compile(r"https?://[^/?#{}\s@]+(?=[/?#]|\Z)")
_SSE_KEYS = ("event", "delta", "done")

Path_: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sse:
    """Where the text of an answer is in a stream of server-sent events."""

    #: The name of the events that carry text; None: all of them.
    event: str | None = None
    #: What of an event's data is text: `guess` (what it looks like), `text` (all of it), or a JSONPath.
    delta: str = "guess"
    #: The name or the data of the event that ends the answer.
    done: str = "[DONE]"
    #: Whether the suite says how the answer ends, so that a stream without that end is cut off.
    ends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A request with everything filled in."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


def read_sse(given: JSON) -> Sse | None:
    """Read `sse:`; None where the answer is no stream.

    Raises:
        ValueError: It is neither true nor such a mapping.
    """
    if given in (None, False):
        return None
    if given is True:
        return Sse()
    if not isinstance(given, Mapping) or not given:
        raise ValueError("`sse:` is true, or a mapping such as {event: delta, delta: $.text, done: end}")
    for key, value in given.items():
        if key not in _SSE_KEYS:
            raise ValueError(f"`sse:` has no '{key}'; it takes {', '.join(_SSE_KEYS)}")
        if not isinstance(value, str) or not value:
            raise ValueError(f"`{key}:` of `sse:` is a text")
    return Sse(**dict(given), ends="done" in given)


def header_variables(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the environment that headers name, each with the first header that does."""
    found: dict[str, str] = {}
    for header, value in headers.items():
        for name in _VARIABLE.findall(value):
            found.setdefault(name, header)
    return found


class RequestTemplate:
    """The request of one assistant, to be filled in once a turn."""

    def __init__(self, spec: AssistantSpec, templates: Templates) -> None:
        """
        Args:
            spec: An assistant of `api: http` that was checked.
            templates: Renders what it holds.
        """
        self._templates = templates
        self._url = spec.url or ""
        self.method = (spec.method or METHODS[0]).upper()
        self._headers = spec.headers
        self._body = spec.body if spec.body is not None else _default_body(self.method, spec)
        self.variables = header_variables(spec.headers)

    @property
    def host(self) -> str:
        """The address's host, and port where it has one."""
        return urlsplit(self._url).netloc

    def uses(self, name: str) -> bool:
        """Whether any template names a value."""
        texts = (text for _, text in leaves((self._url, list(self._headers.values()), self._body)))
        return any(name in self._templates.names(text) for text in texts)

    def render(self, values: Mapping[str, JSON], *, secret: Callable[[str], str], where: SourceLocation) -> Rendered:
        """Fill everything in.

        Args:
            values: What templates can name.
            secret: Gives the value of a variable of the environment.
            where: Where the request is written, for messages.

        Raises:
            ConfigError: A template fails.
            ValueError: What came out cannot be sent.
        """
        url = self._templates.render(self._url, _quoted(values), where=where)
        headers = {
            name.lower(): self._header(name, value, values, secret, where) for name, value in self._headers.items()
        }
        body = self._templates.render_value(self._body, values, where=where)
        if body is None or body == "":
            return Rendered(method=self.method, url=url, headers=headers, content=None)
        if isinstance(body, str):
            headers.setdefault("content-type", "text/plain; charset=utf-8")
            content = body
        else:
            headers.setdefault("content-type", "application/json")
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return Rendered(
            method=self.method, url=url, headers=headers, content=content.encode("utf-8", errors="surrogatepass")
        )

    def _header(
        self,
        name: str,
        value: str,
        values: Mapping[str, JSON],
        secret: Callable[[str], str],
        where: SourceLocation,
    ) -> str:
        # Odd parts are names of variables: a text that a template puts in can never be taken for one.
        parts = _VARIABLE.split(value)
        shown = "".join(
            secret(part) if number % 2 else self._templates.render(part, values, where=where)
            for number, part in enumerate(parts)
        )
        if _CONTROL.search(shown):
            raise ValueError(f"the header '{name}' would hold a line break or another control character")
        return shown.strip()


def complaints(spec: AssistantSpec, templates: Templates) -> Iterator[tuple[Path_, str]]:
    """Yield where in a request something is wrong (setting, then steps inside it), and what.

    Args:
        spec: An assistant of `api: http`.
        templates: Compiles what it holds.
    """
    if not _AUTHORITY.match(spec.url or ""):
        yield (
            ("url",),
            "`url:` begins with http:// or https:// and a host, both written out; templates may follow in path and query.",
        )
    elif _bad_port(spec.url or ""):
        yield ("url",), "the port of `url:` is no number from 1 to 65535."
    if spec.method is not None and spec.method.upper() not in METHODS:
        yield ("method",), f"'{spec.method}' is no method that can be used; known are {', '.join(METHODS)}."
    yield from _bad_headers(spec.headers)
    for setting in ("url", "body"):
        if _named(getattr(spec, setting)):
            yield (setting,), "a variable of the environment, ${NAME}, is only filled in in `headers:`."
    if spec.body is not None and (spec.method or "").upper() == "GET":
        yield ("body",), "a GET sends no body; write what it needs into `url:`, or use POST."
    yield from _unreadable(spec, templates)
    for setting in ("output", "thread", "tool_calls", "usage"):
        yield from _bad_path((setting,), getattr(spec, setting))
    try:
        sse = read_sse(spec.sse)
    except ValueError as error:
        yield ("sse",), f"{error}."
    else:
        if sse is not None and sse.delta not in ("guess", "text"):
            yield from _bad_path(("sse", "delta"), sse.delta)


def _bad_headers(headers: Mapping[str, str]) -> Iterator[tuple[Path_, str]]:
    seen: dict[str, str] = {}
    for name, value in headers.items():
        other = seen.setdefault(name.lower(), name)
        if not _TOKEN.match(name):
            yield ("headers", name), f"'{name}' is no name of a header."
        elif other != name:
            yield ("headers", name), f"the header '{other}' stands there already; upper and lower case are the same."
        elif name.lower() in _OWN_HEADERS:
            yield ("headers", name), f"the header '{name}' is made of the request itself; leave it out."
        if "${" in _VARIABLE.sub("", value):
            yield ("headers", name), "a variable of the environment is written ${NAME}, in letters, digits and _."
        if any(ord(letter) < _BLANK and letter != "\t" for letter in value):
            yield ("headers", name), "a header is one line, without control characters."


def _named(value: JSON) -> bool:
    """Whether plain data holds a `${NAME}`."""
    if isinstance(value, str):
        return _VARIABLE.search(value) is not None
    if isinstance(value, Mapping):
        return any(map(_named, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_named, value))


def leaves(value: JSON, loc: Path_ = ()) -> Iterator[tuple[Path_, str]]:
    """Yield every text in plain data that holds a template, with the steps to it."""
    if isinstance(value, str):
        if has_template(value):
            yield loc, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from leaves(one, (*loc, key))
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from leaves(one, (*loc, index))


def _unreadable(spec: AssistantSpec, templates: Templates) -> Iterator[tuple[Path_, str]]:
    headers = {name: _VARIABLE.split(value)[::2] for name, value in spec.headers.items()}
    for setting, value in (("url", spec.url), ("headers", headers), ("body", spec.body)):
        for loc, text in leaves(value):
            try:
                templates.environment.parse(text)
            except Exception as error:  # noqa: BLE001 (Jinja raises anything for what it cannot read)
                said = templates.problem(error, where=SourceLocation(""), known={}, source=text).message
                yield (setting, *loc[:1]) if setting == "headers" else (setting, *loc), said


def _bad_path(loc: Path_, path: str | None) -> Iterator[tuple[Path_, str]]:
    if path is None:
        return
    # The library loads slowly, and few suites need it.
    from harness.jsonpath import BadPath, JSONPath

    try:
        JSONPath(path)
    except BadPath as error:
        yield loc, f"{error}."


def _bad_port(url: str) -> bool:
    try:
        return urlsplit(url.partition("{")[0]).port == 0
    except ValueError:
        return True


def _default_body(method: str, spec: AssistantSpec) -> JSON:
    if method == "GET":
        return None
    thread = {"thread": "{{ thread }}"} if spec.thread is not None else {}
    return {"input": "{{ input }}", **thread}


def _quoted(value: Any) -> Any:
    """What a template puts into an address is a part of its path or query, whatever characters it holds."""
    if isinstance(value, str):
        return quote(value, safe="")
    if isinstance(value, Mapping):
        return {key: _quoted(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(one) for one in value]
    return "" if value is None else value
