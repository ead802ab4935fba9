"""A brain that is a model behind another server, which speaks Chat Completions."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeAlias

import httpx2

from harness.simulator.brain import Ask, Call, End, Failure, Finish, Piece, Reasoning, Refusal, Text, Usage

JSON: TypeAlias = Any

#: Seconds; a local model may think for long before it says a word.
_TIMEOUT = 600.0
#: Passages of documents that are shown to the model, and characters of each.
_PASSAGES = 4
_PASSAGE = 1200
_FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
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
        self._key_env = key_env
        self._model = model
        self._client = httpx2.AsyncClient(timeout=_TIMEOUT, transport=transport, trust_env=False)

    async def ask(self, ask: Ask) -> AsyncIterator[Piece]:
        """Answer one step.

        Raises:
            Failure: The server refuses (with its status), cannot be reached (502), or sends what nobody can read (502).
        """
        reading = _Reading()
        try:
            async with self._client.stream(
                "POST", self._url, json=self._request(ask), headers=self._headers()
            ) as answer:
                if answer.status_code != 200:
                    raise _refused(answer, await answer.aread())
                async for line in answer.aiter_lines():
                    for piece in reading.read(line):
                        yield piece
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Failure(502, "server_error", f"The server at {self._url} cannot be reached: {reason}") from None
        for piece in reading.end():
            yield piece

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _headers(self) -> dict[str, str]:
        key = os.environ.get(self._key_env, "") if self._key_env else ""
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
    # Servers of open models know no developers.
    messages = [
        {**message, "role": "system"} if message["role"] == "developer" else dict(message) for message in ask.messages
    ]
    found = passages(ask)
    if not found:
        return messages
    told = "\n\n".join(f"[{name}]\n{text}" for name, text in found)
    place = next((place for place, message in enumerate(messages) if message["role"] != "system"), len(messages))
    note = {"role": "system", "content": f"Passages found in the files, for use in the answer:\n\n{told}"}
    return [*messages[:place], note, *messages[place:]]


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


class _Reading:
    """One streamed answer being read."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._logprobs: list[JSON] = []
        self._over = False

    def read(self, line: str) -> list[Piece]:
        """Take in a line of the stream and return the pieces in it."""
        if self._over or not line.startswith("data:"):
            return []
        data = line[5:].strip()
        if data == "[DONE]":
            self._over = True
            return []
        try:
            chunk = json.loads(data)
        except ValueError:
            raise Failure(502, "server_error", "The server behind the simulator sent no JSON.", partial=True) from None
        if not isinstance(chunk, dict):
            raise Failure(502, "server_error", "The server behind the simulator sent no chunk.", partial=True)
        if chunk.get("error"):
            error = chunk["error"]
            message = error.get("message") if isinstance(error, dict) else error
            raise Failure(502, "server_error", str(message), partial=True)
        if chunk.get("usage"):
            self._usage = _usage(chunk["usage"])
        return [piece for choice in chunk.get("choices") or () for piece in self._choice(choice)]

    def _choice(self, choice: Mapping[str, JSON]) -> list[Piece]:
        delta = choice.get("delta") or {}
        found: list[Piece] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            found.append(Reasoning(thought))
        if delta.get("content"):
            found.append(Text(delta["content"]))
        if delta.get("refusal"):
            found.append(Refusal(delta["refusal"]))
        for part in delta.get("tool_calls") or ():
            self._called(part)
        self._logprobs += (choice.get("logprobs") or {}).get("content") or ()
        if choice.get("finish_reason"):
            self._finish = _FINISHES.get(choice["finish_reason"], "stop")
        return found

    def _called(self, part: Mapping[str, JSON]) -> None:
        call = self._calls.setdefault(part.get("index") or 0, {"id": "", "name": "", "arguments": ""})
        function = part.get("function") or {}
        call["id"] = part.get("id") or call["id"]
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""

    def end(self) -> list[Piece]:
        """Return the calls, and the end.

        Raises:
            Failure: The stream stopped before it said that it was over.
        """
        if self._finish is None:
            raise Failure(502, "server_error", "The server behind the simulator stopped in the middle.", partial=True)
        calls = [
            Call(name=call["name"], arguments=call["arguments"], id=call["id"] or None)
            for _, call in sorted(self._calls.items())
        ]
        return [*calls, End(finish=self._finish, usage=self._usage, logprobs=self._logprobs or None)]


def _usage(usage: Mapping[str, JSON]) -> Usage:
    return Usage(
        input=usage.get("prompt_tokens") or 0,
        output=usage.get("completion_tokens") or 0,
        cached=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        reasoning=(usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0,
    )
