"""A response as it comes about: a brain's pieces in, the events of the stream out, and the finished object at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from harness.simulator import chat, containers, vectors
from harness.simulator.brain import Call, CodeRun, End, Failure, Piece, Reasoning, Refusal, Search, Text, Usage
from harness.simulator.items import PREFIXES, Item
from harness.simulator.plain import JSON
from harness.simulator.vectors import Searched

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

Event: TypeAlias = dict[str, JSON]

#: Codes that a failed response can have.
_CODES = frozenset({"server_error", "rate_limit_exceeded", "invalid_prompt"})
#: Characters of code in one piece of a stream.
_CODE = 32


class Unfolding:
    """One response.

    Args:
        simulator: Its ids, files and vector stores.
        response: The response so far; it is filled.
        include: What the request asks to be included.
        searches: What a search of files looks into; none: a search is one of the web.
        logprobs: How many alternatives to tell of each token; None: nothing.
    """

    def __init__(
        self,
        simulator: Simulator,
        response: dict[str, JSON],
        *,
        include: Sequence[str] = (),
        searches: Sequence[Searched] = (),
        logprobs: int | None = None,
    ) -> None:
        self.response = response
        self._simulator = simulator
        self._include = frozenset(include)
        self._searches = searches
        self._logprobs = logprobs
        self._number = 0
        self._reasoning: _Open | None = None
        self._message: _Open | None = None
        #: What the next text cites.
        self._cited: list[dict[str, JSON]] = []

    def begun(self) -> list[Event]:
        """Return the events before anything else."""
        return [self._whole("created"), self._whole("in_progress")]

    def took(self, piece: Piece) -> list[Event]:
        """Take a piece in and return the events it makes; an `End` finishes the response."""
        match piece:
            case Reasoning(text=text):
                return [*self._close_message(), *self._reason(text)]
            case Text(text=text):
                return [*self._close_reasoning(), *self._say("output_text", text)]
            case Refusal(text=text):
                return [*self._close_reasoning(), *self._say("refusal", text)]
            case Call():
                return [*self._close(), *self._call(piece)]
            case Search(query=query):
                return [*self._close(), *self._search(query)]
            case CodeRun():
                return [*self._close(), *self._run(piece)]
            case End():
                return self._end(piece)

    def left(self) -> None:
        """Nobody wants it any more: it stays as it is, cancelled."""
        self._close("incomplete")
        self.response["status"] = "cancelled"

    def failed(self, failure: Failure) -> list[Event]:
        """Return the events of a failure in the middle."""
        code = failure.code if failure.code in _CODES else "server_error"
        closing = self._close("incomplete")
        self.response |= {"status": "failed", "error": {"code": code, "message": failure.message}}
        return [*closing, self._whole("failed")]

    def _event(self, type: str, **fields: JSON) -> Event:
        self._number += 1
        return {"type": f"response.{type}", **fields, "sequence_number": self._number - 1}

    def _whole(self, type: str) -> Event:
        return self._event(type, response={**self.response, "output": [dict(item) for item in self.response["output"]]})

    def _new(self, kind: str, **fields: JSON) -> _Open:
        index = len(self.response["output"])
        id = self._simulator.state.identity.new(PREFIXES[kind], self.response["id"], index)
        item: Item = {"id": id, "type": kind, **fields}
        self.response["output"].append(item)
        return _Open(item, index)

    def _added(self, open: _Open) -> Event:
        return self._event("output_item.added", output_index=open.index, item=_copied(open.item))

    def _done(self, open: _Open, status: str | None = "completed") -> Event:
        if status is not None:
            open.item["status"] = status
        return self._event("output_item.done", output_index=open.index, item=_copied(open.item))

    # Reasoning

    def _reason(self, text: str) -> list[Event]:
        events = []
        if self._reasoning is None:
            self._reasoning = open = self._new("reasoning", summary=[])
            events.append(self._added(open))
            open.item["summary"] = [{"type": "summary_text", "text": ""}]
            part = {"type": "summary_text", "text": ""}
            events.append(self._event("reasoning_summary_part.added", **open.at, summary_index=0, part=part))
        open = self._reasoning
        open.item["summary"][0]["text"] += text
        events.append(self._event("reasoning_summary_text.delta", **open.at, summary_index=0, delta=text))
        return events

    def _close_reasoning(self) -> list[Event]:
        open, self._reasoning = self._reasoning, None
        if open is None:
            return []
        part = dict(open.item["summary"][0])
        if "reasoning.encrypted_content" in self._include:
            open.item["encrypted_content"] = self._simulator.state.identity.new("enc_", open.item["id"])
        return [
            self._event("reasoning_summary_text.done", **open.at, summary_index=0, text=part["text"]),
            self._event("reasoning_summary_part.done", **open.at, summary_index=0, part=part),
            self._done(open, None),
        ]

    # Messages

    def _say(self, kind: str, text: str) -> list[Event]:
        events = []
        if self._message is None:
            self._message = self._new("message", status="in_progress", role="assistant", content=[])
            events.append(self._added(self._message))
        open = self._message
        content = open.item["content"]
        if not content or content[-1]["type"] != kind:
            events += self._close_part()
            content.append(_part(kind))
            events.append(
                self._event("content_part.added", **open.at, content_index=len(content) - 1, part=_part(kind))
            )
        part = content[-1]
        told: dict[str, JSON] = {"content_index": len(content) - 1, "delta": text}
        if kind == "output_text":
            part["text"] += text
            told["logprobs"] = self._chances(text)
            part["logprobs"] += told["logprobs"]
        else:
            part["refusal"] += text
        events.append(self._event(f"{kind}.delta", **open.at, **told))
        return events

    def _chances(self, text: str) -> list[JSON]:
        if self._logprobs is None or not self._simulator.brain.simulated:
            return []
        return chat.invented(text, self._logprobs)

    def _know(self, known: Sequence[Mapping[str, JSON]] | None) -> None:
        """Tell what the model told of its tokens, once, with the last text that it said."""
        if self._logprobs is None or known is None:
            return
        parts = [
            part
            for item in self.response["output"]
            if item["type"] == "message"
            for part in item["content"]
            if part["type"] == "output_text"
        ]
        if parts and not any(part["logprobs"] for part in parts):
            parts[-1]["logprobs"] = [_chance(one) for one in known]

    def _close_part(self) -> list[Event]:
        open = self._message
        if open is None or not open.item["content"]:
            return []
        index = len(open.item["content"]) - 1
        part = open.item["content"][index]
        events = []
        if part["type"] == "output_text":
            events += self._annotate(open, index, part)
            told = {"text": part["text"], "logprobs": list(part["logprobs"])}
            events.append(self._event("output_text.done", **open.at, content_index=index, **told))
        else:
            events.append(self._event("refusal.done", **open.at, content_index=index, refusal=part["refusal"]))
        events.append(self._event("content_part.done", **open.at, content_index=index, part=dict(part)))
        return events

    def _annotate(self, open: _Open, index: int, part: dict[str, JSON]) -> list[Event]:
        cited, self._cited = self._cited, []
        events = []
        for number, citation in enumerate(cited):
            if citation["type"] == "container_file_citation":
                citation |= {"start_index": 0, "end_index": len(part["text"])}
            else:
                citation["index"] = len(part["text"])
            part["annotations"].append(citation)
            where = {"content_index": index, "annotation_index": number}
            events.append(self._event("output_text.annotation.added", **open.at, **where, annotation=dict(citation)))
        return events

    def _close_message(self, status: str = "completed") -> list[Event]:
        if self._message is None:
            return []
        events = self._close_part()
        open, self._message = self._message, None
        return [*events, self._done(open, status)]

    def _close(self, status: str = "completed") -> list[Event]:
        return [*self._close_reasoning(), *self._close_message(status)]

    # Tools

    def _call(self, call: Call) -> list[Event]:
        open = self._new("function_call", status="in_progress", arguments="", call_id=call.id, name=call.name)
        events = [self._added(open)]
        for start in range(0, len(call.arguments), chat.ARGUMENTS):
            delta = call.arguments[start : start + chat.ARGUMENTS]
            events.append(self._event("function_call_arguments.delta", **open.at, delta=delta))
        open.item["arguments"] = call.arguments
        told = {"name": call.name, "arguments": call.arguments}
        events.append(self._event("function_call_arguments.done", **open.at, **told))
        return [*events, self._done(open)]

    def _search(self, query: str) -> list[Event]:
        kind = "file_search_call" if self._searches else "web_search_call"
        asked = (
            {"queries": [query], "results": None} if self._searches else {"action": {"type": "search", "query": query}}
        )
        open = self._new(kind, status="in_progress", **asked)
        events = [self._added(open)]
        events += [self._event(f"{kind}.{phase}", **open.at) for phase in ("in_progress", "searching", "completed")]
        if self._searches:
            found = self._found(query)
            if "file_search_call.results" in self._include:
                open.item["results"] = found
            self._cite(
                {"type": "file_citation", "file_id": one["file_id"], "filename": one["filename"]} for one in found
            )
        return [*events, self._done(open)]

    def _found(self, query: str) -> list[dict[str, JSON]]:
        return [
            {
                "file_id": id,
                "filename": name,
                "text": text,
                "score": score,
                "attributes": vectors.attributes(self._simulator, search.stores, id),
            }
            for search in self._searches
            for id, name, text, score in vectors.search(self._simulator, search, query)
        ]

    def _cite(self, citations: Iterable[dict[str, JSON]]) -> None:
        for citation in citations:
            if citation not in self._cited:
                self._cited.append(citation)

    def _run(self, run: CodeRun) -> list[Event]:
        identity = self._simulator.state.identity
        container = identity.new("cntr_", self.response["id"], len(self.response["output"]))
        open = self._new("code_interpreter_call", status="in_progress", code="", outputs=None, container_id=container)
        at = open.at
        events = [self._added(open), self._event("code_interpreter_call.in_progress", **at)]
        for start in range(0, len(run.code), _CODE):
            delta = run.code[start : start + _CODE]
            events.append(self._event("code_interpreter_call_code.delta", **at, delta=delta))
        open.item["code"] = run.code
        events.append(self._event("code_interpreter_call_code.done", **at, code=run.code))
        events.append(self._event("code_interpreter_call.interpreting", **at))
        events.append(self._event("code_interpreter_call.completed", **at))
        if "code_interpreter_call.outputs" in self._include:
            open.item["outputs"] = [{"type": "logs", "logs": run.logs}] if run.logs else []
        for name, content in run.files:
            id = containers.keep(self._simulator, container, name, content)
            self._cite(
                [{"type": "container_file_citation", "container_id": container, "file_id": id, "filename": name}]
            )
        return [*events, self._done(open)]

    # The end

    def _end(self, end: End) -> list[Event]:
        cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(end.finish)
        last = self.response["output"][-1] if self.response["output"] else None
        self._know(end.logprobs)
        events = self._close("incomplete" if cut else "completed")
        if cut and last is not None and last["type"] == "function_call":
            last["status"] = "incomplete"
        assert end.usage is not None
        self.response |= {
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": cut} if cut else None,
            "completed_at": None if cut else self._simulator.state.identity.time(),
            "usage": usage(end.usage),
        }
        return [*events, self._whole("incomplete" if cut else "completed")]


class _Open:
    """An item that is being written."""

    def __init__(self, item: Item, index: int) -> None:
        self.item = item
        self.index = index
        #: What every event about it says.
        self.at = {"item_id": item["id"], "output_index": index}


def _chance(known: Mapping[str, JSON]) -> dict[str, JSON]:
    """A log probability in the form of Chat Completions as Responses tells it, which leaves no bytes out."""

    def one(told: Mapping[str, JSON]) -> dict[str, JSON]:
        bytes = told.get("bytes")
        return {
            "token": told["token"],
            "logprob": told["logprob"],
            "bytes": list(told["token"].encode()) if bytes is None else bytes,
        }

    return {**one(known), "top_logprobs": [one(told) for told in known.get("top_logprobs") or ()]}


def _part(kind: str) -> dict[str, JSON]:
    if kind == "output_text":
        return {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    return {"type": "refusal", "refusal": ""}


def _copied(item: Mapping[str, JSON]) -> Item:
    return {name: list(value) if isinstance(value, list) else value for name, value in item.items()}


def usage(usage: Usage) -> dict[str, JSON]:
    """Return tokens as Responses tells them."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
