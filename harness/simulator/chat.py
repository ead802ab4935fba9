"""Chat Completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import asking, chat_form, models, sse, tokens
from harness.simulator.brain import Ask, Call, End, Failure, Piece, Refusal, Text, Usage
from harness.simulator.errors import failed
from harness.simulator.http import answer, read
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

#: What has a place of its own in what a brain is asked, or does not concern it.
_NO_SETTINGS = frozenset(
    {
        *("model", "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format"),
        *("max_tokens", "max_completion_tokens", "stream", "stream_options", "metadata", "user"),
        *("safety_identifier", "store", "n", "service_tier", "modalities"),
        *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"),
    }
)
#: Characters of arguments in one piece of a stream.
ARGUMENTS = 16


def routes(simulator: Simulator) -> list[Route]:
    """Return where chats are completed."""

    async def create(request: Request) -> Response:
        body = await read(request)
        chat_form.check(body, strict=simulator.strict)
        models.check(simulator, body["model"])
        ask = _ask(body)
        head = {
            "id": simulator.state.identity.new("chatcmpl-", body),
            "created": simulator.state.identity.time(),
            "model": ask.model,
            "service_tier": "default",
            "system_fingerprint": "fp_simulator",
        }
        if body.get("stream"):
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            chunks = _Chunks(head, ask, usage=usage, simulated=simulator.brain.simulated)
            return await sse.stream(chunks.of(asking.pieces(simulator, ask)))
        step = await asking.collect(simulator, ask)
        return answer(_completion(head, ask, step, simulated=simulator.brain.simulated))

    return [Route("/v1/chat/completions", create, methods=["POST"])]


def _ask(body: Mapping[str, JSON]) -> Ask:
    most = body.get("max_completion_tokens")
    parallel = body.get("parallel_tool_calls")
    return Ask(
        api="chat",
        model=body["model"],
        messages=body["messages"],
        tools=body.get("tools") or (),
        tool_choice=body.get("tool_choice"),
        parallel_tool_calls=True if parallel is None else parallel,
        response_format=body.get("response_format"),
        max_tokens=body.get("max_tokens") if most is None else most,
        settings={name: value for name, value in body.items() if name not in _NO_SETTINGS and value is not None},
    )


def _completion(head: Mapping[str, JSON], ask: Ask, step: asking.Step, *, simulated: bool) -> dict[str, JSON]:
    message: dict[str, JSON] = {
        "role": "assistant",
        "content": None if not step.text and (step.calls or step.refusal) else step.text,
        "refusal": step.refusal or None,
        "annotations": [],
    }
    if step.calls:
        message["tool_calls"] = [called(call) for call in step.calls]
    return {
        **head,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": _logprobs(ask, step.text, step.logprobs, simulated=simulated),
                "finish_reason": step.finish,
            }
        ],
        "usage": _usage(step.usage),
    }


def called(call: Call) -> dict[str, JSON]:
    """Return a call as a message tells it."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(usage: Usage) -> dict[str, JSON]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _logprobs(ask: Ask, text: str, known: JSON, *, simulated: bool) -> JSON:
    """What a brain told of its tokens; what a model did not tell of its own is not made up."""
    if not ask.settings.get("logprobs") or (known is None and not simulated):
        return None
    content = known if known is not None else invented(text, int(ask.settings.get("top_logprobs") or 0))
    return {"content": content, "refusal": None}


def invented(text: str, top: int) -> list[JSON]:
    """Return log probabilities for a text that no model wrote: its real tokens, each quite certain."""

    def one(token: str, chance: float) -> dict[str, JSON]:
        return {"token": token, "logprob": chance, "bytes": list(token.encode())}

    return [{**one(token, -0.05), "top_logprobs": [one(token, -0.05)] if top else []} for token in tokens.pieces(text)]


class _Chunks:
    """A streamed answer."""

    def __init__(self, head: Mapping[str, JSON], ask: Ask, *, usage: bool, simulated: bool) -> None:
        self._head = {**head, "object": "chat.completion.chunk"}
        self._ask = ask
        self._with_usage = usage
        self._simulated = simulated
        #: Log probabilities came with the text already.
        self._told = False
        self._calls = 0

    async def of(self, pieces: AsyncGenerator[Piece, None]) -> AsyncIterator[bytes]:
        begun = False
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if not begun:
                        begun = True
                        yield self._chunk({"role": "assistant", "content": "", "refusal": None})
                    for chunk in self._said(piece):
                        yield chunk
        except Failure as failure:
            if not begun and not failure.partial:
                raise
            yield sse.event(failed(failure).body())
            return
        yield sse.DONE

    def _said(self, piece: Piece) -> list[bytes]:
        match piece:
            case Text(text=text):
                chances = _logprobs(self._ask, text, None, simulated=self._simulated)
                self._told = self._told or chances is not None
                return [self._chunk({"content": text}, logprobs=chances)]
            case Refusal(text=text):
                return [self._chunk({"refusal": text})]
            case Call():
                return self._called(piece)
            case End():
                return self._ended(piece)
            case _:
                return []

    def _called(self, call: Call) -> list[bytes]:
        index = self._calls
        self._calls += 1
        begun = called(call)
        begun["function"] = {"name": call.name, "arguments": ""}
        chunks = [self._chunk({"tool_calls": [{"index": index, **begun}]})]
        for start in range(0, len(call.arguments), ARGUMENTS):
            part = call.arguments[start : start + ARGUMENTS]
            chunks.append(self._chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]}))
        return chunks

    def _ended(self, end: End) -> list[bytes]:
        known = None
        if end.logprobs is not None and not self._told:
            known = _logprobs(self._ask, "", list(end.logprobs), simulated=self._simulated)
        chunks = [self._chunk({}, finish=end.finish, logprobs=known)]
        if self._with_usage and end.usage is not None:
            chunks.append(sse.event({**self._head, "choices": [], "usage": _usage(end.usage)}))
        return chunks

    def _chunk(self, delta: Mapping[str, JSON], *, finish: str | None = None, logprobs: JSON = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        told = {"usage": None} if self._with_usage else {}
        return sse.event({**self._head, "choices": [choice], **told})
