"""One request to a service that speaks an OpenAI protocol, and its answer's bytes as plain data.

The request goes through the SDK's generic `post`, which builds, authenticates and checks it as always, and leaves the
answer's bytes alone: they are read by the drivers, so that an answer that is not what the API promises is an error with
a name and not an exception from inside a library.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.assistants.failures import service_failure
from harness.assistants.session import Session
from harness.errors import ServiceError, TrialError
from harness.jsontext import MAX_CHARACTERS, JSONTooLarge, NotJSON, parse_json, whole_texts
from harness.recording import STEP, sse
from harness.records import Attachment

if TYPE_CHECKING:
    import httpx2
    from openai import RequestOptions

#: What reading an answer of another shape than its API promises may raise.
UNREADABLE = (AttributeError, TypeError, ValueError, LookupError, RecursionError)

_SHOWN = 200
#: Escapes of halves of characters, most of which stand beside their other half.
_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(slots=True, kw_only=True)
class Reply:
    """A service's answer while it is read. Times are seconds from trial start."""

    response: httpx2.Response
    #: The answer comes as server-sent events.
    streamed: bool
    _times: Any = field(init=False)

    def __post_init__(self) -> None:
        self._times = self.response.extensions[STEP]

    @property
    def start(self) -> float:
        return float(self._times.start)

    @property
    def end(self) -> float:
        """When the last byte was there."""
        return float(self._times.end)

    async def body(self) -> Mapping[str, Any]:
        """Read an answer that is one JSON object.

        Raises:
            ServiceError: It is not.
        """
        return parsed(await self.response.aread(), self.response.headers.get("content-type", ""))

    async def content(self) -> bytes:
        """Read an answer that is a file's content."""
        return await self.response.aread()

    async def events(self) -> AsyncGenerator[tuple[float, str], None]:
        """Yield when each event of a stream was complete, and its data."""
        splitter = sse.Splitter()
        number = -1
        try:
            async for part in self.response.aiter_bytes():
                for block in splitter.feed(part):
                    number += 1
                    # What is damaged must not count as what the model said.
                    event = sse.decode(block, errors="strict")
                    if event is not None:
                        yield self._times.events[number], event.data
        finally:
            await self.response.aclose()


@asynccontextmanager
async def posted(session: Session, path: str, payload: Mapping[str, Any], *, stream: bool) -> AsyncIterator[Reply]:
    """Post JSON and hand over the answer; see `sent`."""
    async with sent(session, "POST", path, body=payload, stream=stream) as reply:
        yield reply


@asynccontextmanager
async def sent(
    session: Session,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    query: Mapping[str, Any] | None = None,
    upload: tuple[str, bytes, str] | None = None,
    headers: Mapping[str, str] | None = None,
    stream: bool = False,
) -> AsyncIterator[Reply]:
    """Send a request and hand over the answer; whatever goes wrong until the block ends is told as what it means.

    Args:
        session: The trial's.
        method: GET, POST or DELETE.
        path: Below the endpoint's address.
        body: Sent as JSON, or with `upload` as the fields of a form.
        query: Parameters of the address.
        upload: A file's name, content and media type.
        headers: Further headers.
        stream: The answer may come as server-sent events.

    Raises:
        ServiceError: There was no answer, or it is not what the API promises.
        CredentialsError: The service refused the key.
    """
    import httpx2
    import openai

    more = {"Content-Type": "multipart/form-data"} if upload is not None else {}
    options: RequestOptions = {"headers": {**(headers or {}), **more}, "params": dict(query or {})}
    client = session.client
    try:
        given: Any
        if method == "GET":
            given = await client.get(path, cast_to=httpx2.Response, options=options)
        elif method == "DELETE":
            given = await client.delete(path, cast_to=httpx2.Response, options=options)
        else:
            given = await client.post(
                path,
                cast_to=httpx2.Response,
                body=body,
                files=None if upload is None else {"file": upload},
                options=options,
                stream=stream,
                stream_cls=openai.AsyncStream[Any] if stream else None,
            )
        # Asked for the response itself, the SDK hands it over unread, streamed or not.
        response: httpx2.Response = given
        content_type = response.headers.get("content-type", "")
        yield Reply(response=response, streamed=stream and content_type.startswith("text/event-stream"))
    except (openai.OpenAIError, httpx2.TransportError) as error:
        raise service_failure(error, key=session.endpoint.api_key_env) from error
    except UnicodeEncodeError:
        # What services say is mended where it is read.
        raise TrialError("request", "the request cannot be sent: a text in it has half a character") from None
    except UNREADABLE as error:
        raise ServiceError("protocol", f"the answer is not what the API promises ({error})") from error


def merged(settings: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that say something, with `request:` on top: key by key where both sides are mappings."""
    found = {name: value for name, value in settings.items() if value is not None}
    for name, value in request.items():
        own = found.get(name)
        found[name] = {**own, **value} if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return found


def parsed(content: bytes, content_type: str = "text/event-stream", *, pieces: bool = False) -> Mapping[str, Any]:
    """Return an answer's JSON object.

    Args:
        content: The JSON.
        content_type: What the service calls it.
        pieces: Texts in it are pieces, which may end in the middle of a character.

    Raises:
        ServiceError: It is no JSON, or no object, or an error that the service sent as its answer.
    """
    try:
        body = parse_json(content.decode("utf-8-sig"), unique=False)
    except JSONTooLarge as error:
        kind = "too_large" if len(content) > MAX_CHARACTERS else "protocol"
        raise ServiceError(kind, f"the answer cannot be read: {error}") from None
    except (UnicodeDecodeError, NotJSON) as error:
        start = content[:_SHOWN].decode("utf-8", errors="replace").strip()
        reason = str(error).removeprefix("not JSON: ") if isinstance(error, NotJSON) else "it is not UTF-8"
        raise ServiceError(
            "protocol", f"the answer is not JSON ({content_type or 'no content type'}): {start!r} ({reason})"
        ) from None
    if not isinstance(body, Mapping):
        said = "a list" if isinstance(body, list) else json.dumps(body)[:_SHOWN]
        raise ServiceError("protocol", f"the answer is {said}, not a JSON object")
    return body if pieces else mended(body, content)


def mended(body: Mapping[str, Any], content: bytes) -> Mapping[str, Any]:
    """Return a part of an answer with no half characters in its texts; `content` is the JSON that it was read from."""
    if not _HALVES.search(content):
        return body
    found: Mapping[str, Any] = whole_texts(body)
    return found


def refused(error: Any, *, kinds: Callable[[str], str] | None = None) -> ServiceError:
    """Return the failure that an error object inside an answer tells of.

    Args:
        error: The object; services also send plain texts.
        kinds: Gives the kind of failure for the object's code; None: as if the code were a status.
    """
    said = error.get("message") if isinstance(error, Mapping) else error
    code = error.get("code") if isinstance(error, Mapping) else None
    return ServiceError((kinds or _kind)(str(code or "")), f"the service sent an error as its answer: {said or code}")


def _kind(code: str) -> str:
    if code in ("429", "rate_limit_exceeded"):
        return "rate_limited"
    return "bad_request" if re.fullmatch("4[0-9][0-9]", code) and code not in ("408", "409") else "server"


def text(value: Any) -> str:
    """Return a value that should be a text; anything else is none."""
    return value if isinstance(value, str) else ""


def word(value: Any) -> str | None:
    """Return a text that says something, or None."""
    return value if isinstance(value, str) and value else None


def arguments(written: str) -> Any:
    """Return a tool call's arguments: parsed where they are sound JSON, else as the model wrote them."""
    try:
        return json.loads(written, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return written


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def data_url(one: Attachment) -> str:
    """Return a file as an address that holds it."""
    return f"data:{one.media_type};base64,{base64.b64encode(one.data).decode('ascii')}"


def arguments_text(given: Any) -> str:
    """Return a tool call's arguments as services take them."""
    return given if isinstance(given, str) else json.dumps(given)
