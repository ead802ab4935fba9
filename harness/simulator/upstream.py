"""A brain that is a model behind another server, which speaks Chat Completions."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence

import httpx2

from harness.simulator import texts
from harness.simulator.brain import Ask, Failure, Piece
from harness.simulator.chunks import Reading, broken, lines
from harness.simulator.plain import JSON

#: Seconds; a local model may think for long before it says a word.
_TIMEOUT = 600.0
#: Passages of documents that are shown to the model, and characters of each.
_PASSAGES = 4
_PASSAGE = 1200
#: Headers of a failure that tell a client when to come back.
_PASSED_ON = ("retry-after", "retry-after-ms")


class UpstreamBrain:
    """Passes every step on to a server of Chat Completions, as a stream.

    Args:
        url: Base URL of the server, such as `http://127.0.0.1:8080/v1`.
        key_env: Environment variable that holds its key; None: it takes none.
        model: Ask it for this model instead of the one that is asked for.
        transport: Reaches the server otherwise than by network.
    """

    simulated = False
    #: It alone knows what it has: any model is passed on.
    models: Sequence[str] = ()

    def __init__(
        self,
        url: str,
        key_env: str | None = None,
        model: str | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url.rstrip("/") + "/chat/completions"
        #: As messages tell it: what stands before an @ may be a password.
        self._shown = re.sub(r"//[^/]*@", "//", self._url)
        self._key_env = key_env
        self._model = model
        self._client = httpx2.AsyncClient(timeout=_TIMEOUT, transport=transport, trust_env=False)

    async def ask(self, ask: Ask) -> AsyncIterator[Piece]:
        """Answer one step.

        Raises:
            Failure: The server refuses (with its status), cannot be reached (502), or sends what nobody can read (502).
        """
        reading = Reading()
        request, headers = self._request(ask), self._headers()
        begun = False
        try:
            async with self._client.stream("POST", self._url, json=request, headers=headers) as answer:
                if answer.status_code != 200:
                    raise _refused(answer, await answer.aread())
                await self._check_kind(answer)
                begun = True
                async for line in lines(answer.aiter_bytes()):
                    for piece in reading.read(line):
                        yield piece
                    if reading.over:
                        # Some servers leave the stream open.
                        break
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            if not begun:
                told = f"The server at {self._shown} cannot be reached: {reason}"
                raise Failure(502, "server_error", told) from None
            if not reading.finished:
                told = f"The server at {self._shown} stopped in the middle: {reason}"
                raise Failure(502, "server_error", told, partial=True) from None
        for piece in reading.end():
            yield piece

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _check_kind(self, answer: httpx2.Response) -> None:
        """Refuse what is plainly no stream."""
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json" or kind.startswith("text/h"):
            begin = (await answer.aread())[:200].decode(errors="replace")
            raise broken(f"answered with {kind} and not with a stream (text/event-stream): {begin}", partial=False)

    def _headers(self) -> dict[str, str]:
        key = os.environ.get(self._key_env, "").strip() if self._key_env else ""
        if not key.isascii() or not key.isprintable():
            # What the client would say of it has the key in it.
            told = f"The key in {self._key_env} has characters that no header can have."
            raise Failure(500, "server_error", told)
        return {"authorization": f"Bearer {key}"} if key else {}

    def _request(self, ask: Ask) -> dict[str, JSON]:
        request: dict[str, JSON] = {
            **ask.settings,
            "model": self._model or ask.model,
            "messages": _messages(ask),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if ask.max_tokens is not None:
            request["max_tokens"] = ask.max_tokens
        if ask.response_format is not None:
            request["response_format"] = ask.response_format
        if ask.tools:
            request["tools"] = list(ask.tools)
            request["parallel_tool_calls"] = ask.parallel_tool_calls
            if ask.tool_choice is not None:
                request["tool_choice"] = ask.tool_choice
        return request


def _messages(ask: Ask) -> list[JSON]:
    """The messages as any server takes them, after what `file_search` found for the last question."""
    # Servers of open models know no developers and no files.
    messages = [
        {**_readable(message), "role": "system" if message["role"] == "developer" else message["role"]}
        for message in ask.messages
    ]
    found = passages(ask)
    if not found:
        return messages
    told = "\n\n".join(f"[{name}]\n{text}" for name, text in found)
    place = next((place for place, message in enumerate(messages) if message["role"] != "system"), len(messages))
    note = {"role": "system", "content": f"Passages found in the files, for use in the answer:\n\n{told}"}
    return [*messages[:place], note, *messages[place:]]


def _readable(message: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The message with the text of the files in it."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_as_text(part) for part in content]}


def _as_text(part: Mapping[str, JSON]) -> Mapping[str, JSON]:
    file = part.get("file") or {}
    packed = str(file.get("file_data") or "").rpartition(",")[2]
    try:
        content = base64.b64decode(packed, validate=True)
    except ValueError:
        return part
    if part["type"] != "file" or not packed:
        return part
    name = str(file.get("filename") or "file")
    return {"type": "text", "text": f"[{name}]\n{texts.extract(name, content)}"}


def passages(ask: Ask) -> list[tuple[str, str]]:
    """Return the passages of a step's documents that share most words with its last question: (file name, text)."""
    if "file_search" not in ask.builtin or not ask.documents:
        return []
    asked = next((message for message in reversed(ask.messages) if message["role"] == "user"), None)
    words = _words(str(asked.get("content"))) if asked else set()
    cut = [
        (name, text[start : start + _PASSAGE])
        for _, name, text in ask.documents
        for start in range(0, len(text), _PASSAGE)
    ]
    ranked = sorted(cut, key=lambda passage: -len(words & _words(passage[1])))
    return [passage for passage in ranked[:_PASSAGES] if words & _words(passage[1])]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text.lower()))


def _refused(answer: httpx2.Response, body: bytes) -> Failure:
    code: JSON = None
    try:
        error = json.loads(body)["error"]
        message = str(error)
        if isinstance(error, dict):
            message, code = str(error.get("message") or ""), error.get("code")
    except (ValueError, KeyError, TypeError):
        message = body[:500].decode(errors="replace")
    headers = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
    usual = "server_error" if answer.status_code >= 500 else "invalid_request"
    return Failure(
        answer.status_code if answer.status_code >= 400 else 502,
        str(code) if code is not None else "rate_limit_exceeded" if answer.status_code == 429 else usual,
        message or f"The server behind the simulator answered {answer.status_code}.",
        headers=headers,
    )
