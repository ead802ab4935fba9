"""Responses: made, streamed, made in the background, kept, and gone on from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import asking, files, items, models, responses_form, sse, vectors
from harness.simulator.brain import Ask, Broken, End, Failure
from harness.simulator.errors import ApiError
from harness.simulator.http import answer, page, read
from harness.simulator.items import Item
from harness.simulator.plain import JSON
from harness.simulator.schemas import unstrict
from harness.simulator.unfolding import Event, Unfolding
from harness.simulator.vectors import MOST_RESULTS, Searched

if TYPE_CHECKING:
    from harness.simulator.app import Simulator


@dataclass(slots=True)
class Kept:
    """A response that was made, and what it answered."""

    response: dict[str, JSON]
    #: What the request brought.
    input: list[Item]
    #: All that came before it, without instructions.
    context: list[Item]
    unfolding: Unfolding
    task: asyncio.Task[Any] | None = None


def routes(simulator: Simulator) -> list[Route]:
    """Return where responses are made, found, cancelled and deleted."""

    async def create(request: Request) -> Response:
        body = await read(request)
        responses_form.check(body, strict=simulator.strict)
        models.check(simulator, body["model"])
        making = _Making(simulator, body)
        if body.get("background"):
            making.kept.response["status"] = "queued"
            begun = dict(making.kept.response)
            making.kept.task = simulator.spawn(making.whole())
            return answer(begun)
        if body.get("stream"):
            return await sse.stream(_written(making.events()))
        return answer(await making.whole())

    async def get(request: Request) -> Response:
        if request.query_params.get("stream", "false") == "true":
            raise ApiError(
                400, "The simulator does not stream a response again.", param="stream", code="unsupported_parameter"
            )
        return answer(found(simulator, request).response)

    async def delete(request: Request) -> Response:
        kept = found(simulator, request)
        del simulator.state.of("response")[kept.response["id"]]
        return answer({"id": kept.response["id"], "object": "response", "deleted": True})

    async def cancel(request: Request) -> Response:
        kept = found(simulator, request)
        if kept.task is None:
            raise ApiError(
                400, "Only a response that was made in the background can be cancelled.", param="response_id"
            )
        if kept.response["status"] in ("queued", "in_progress"):
            kept.unfolding.left()
            _stop(kept.task)
        return answer(kept.response)

    async def inputs(request: Request) -> Response:
        kept = found(simulator, request)
        return answer(page([*kept.context, *kept.input], request))

    one = "/v1/responses/{id}"
    return [
        Route("/v1/responses", create, methods=["POST"]),
        Route(one, get, methods=["GET"]),
        Route(one, delete, methods=["DELETE"]),
        Route(f"{one}/cancel", cancel, methods=["POST"]),
        Route(f"{one}/input_items", inputs, methods=["GET"]),
    ]


def _stop(task: asyncio.Task[Any]) -> None:
    if task.get_loop() is asyncio.get_running_loop():
        task.cancel()
    else:
        # A blocking client has a loop of its own.
        task.get_loop().call_soon_threadsafe(task.cancel)


async def _written(events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        async for event in events:
            yield sse.event(event, event["type"])


def found(simulator: Simulator, request: Request) -> Kept:
    """Return the response that a request's path names.

    Raises:
        ApiError: 404.
    """
    id = request.path_params["id"]
    kept = simulator.state.of("response").get(id)
    if not isinstance(kept, Kept):
        raise ApiError(404, f"Response with id '{id}' not found.", param="response_id")
    return kept


class _Making:
    """One response being made.

    Raises:
        ApiError: What the request refers to does not exist, or its history is no history.
    """

    def __init__(self, simulator: Simulator, body: Mapping[str, JSON]) -> None:
        self._simulator = simulator
        self._body = body
        id = simulator.state.identity.new("resp_", body)
        self._conversation = _conversation(simulator, body)
        context = self._before()
        given = items.kept(simulator, body.get("input"), owner=id)
        items.check([*context, *given])
        tools = _tools(body)
        searches = _searches(simulator, tools)
        response = _response(simulator, body, id, tools)
        settings = _settings(body)
        unfolding = Unfolding(
            simulator,
            response,
            include=body.get("include") or (),
            searches=searches,
            logprobs=settings.get("top_logprobs", 0) if settings.get("logprobs") else None,
        )
        self.kept = Kept(response, given, context, unfolding)
        self._ask = _ask(simulator, body, self.kept, settings, searches)
        if body.get("store") is not False:
            items.remember(simulator, given)
            simulator.state.of("response")[id] = self.kept

    def _before(self) -> list[Item]:
        if self._conversation is not None:
            return list(self._conversation["items"])
        previous = self._body.get("previous_response_id")
        if previous is None:
            return []
        kept = self._simulator.state.of("response").get(previous)
        if not isinstance(kept, Kept):
            raise ApiError(
                400,
                f"Previous response with id '{previous}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return [*kept.context, *kept.input, *kept.response["output"]]

    async def events(self) -> AsyncGenerator[Event, None]:
        """Ask the brain and yield the events of the stream.

        Raises:
            Failure: The brain fails before it says anything.
        """
        unfolding = self.kept.unfolding
        begun = False
        try:
            async with aclosing(asking.pieces(self._simulator, self._ask)) as pieces:
                async for piece in pieces:
                    if not begun:
                        begun = True
                        self.kept.response["status"] = "in_progress"
                        for event in unfolding.begun():
                            yield event
                    events = unfolding.took(piece)
                    if isinstance(piece, End):
                        self._finish()
                    for event in events:
                        yield event
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the response ends and says why
            failure = error if isinstance(error, Failure) else Broken(error)
            background = bool(self._body.get("background"))
            if not begun and not failure.partial and not background:
                self._forget()
                raise failure from None
            if not begun:
                for event in unfolding.begun():
                    yield event
            for event in unfolding.failed(failure):
                yield event
        finally:
            if self.kept.response["status"] in ("queued", "in_progress"):
                # Its client left, or cancelled it.
                unfolding.left()

    async def whole(self) -> dict[str, JSON]:
        """Ask the brain and return the finished response.

        Raises:
            Failure: The brain fails, and not in the middle.
        """
        async for _ in self.events():
            pass
        return self.kept.response

    def _finish(self) -> None:
        output = self.kept.response["output"]
        if self._body.get("store") is not False:
            items.remember(self._simulator, output)
        if self._conversation is not None:
            self._conversation["items"] += [*self.kept.input, *output]

    def _forget(self) -> None:
        self._simulator.state.of("response").pop(self.kept.response["id"], None)


def _conversation(simulator: Simulator, body: Mapping[str, JSON]) -> dict[str, JSON] | None:
    named = body.get("conversation")
    if named is None:
        return None
    id = named if isinstance(named, str) else named["id"]
    known: dict[str, JSON] | None = simulator.state.of("conversation").get(id)
    if known is None:
        raise ApiError(404, f"Conversation with id '{id}' not found.", param="conversation")
    return known


def _tools(body: Mapping[str, JSON]) -> list[dict[str, JSON]]:
    """The tools as a response tells them."""
    found = []
    for tool in body.get("tools") or ():
        told = dict(tool)
        if tool["type"] == "function":
            parameters = tool.get("parameters")
            strict = tool.get("strict")
            # Where a request does not say, the service is strict if it can be.
            told |= {"parameters": parameters, "strict": unstrict(parameters) is None if strict is None else strict}
            told.setdefault("description", None)
        found.append(told)
    return found


def _response(simulator: Simulator, body: Mapping[str, JSON], id: str, tools: list[JSON]) -> dict[str, JSON]:
    """The response before it says anything."""
    text = body.get("text") or {}
    named = body.get("conversation")

    def given(name: str, otherwise: JSON) -> JSON:
        value = body.get(name)
        return otherwise if value is None else value

    return {
        "id": id,
        "object": "response",
        "created_at": simulator.state.identity.time(),
        "completed_at": None,
        "status": "in_progress",
        "background": given("background", False),
        "conversation": None if named is None else {"id": named if isinstance(named, str) else named["id"]},
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "metadata": given("metadata", {}),
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": given("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "store": given("store", True),
        "temperature": given("temperature", 1.0),
        "text": {
            "format": text.get("format") or {"type": "text"},
            "verbosity": text.get("verbosity") or "medium",
        },
        "tool_choice": given("tool_choice", "auto"),
        "tools": tools,
        "top_logprobs": given("top_logprobs", 0),
        "top_p": given("top_p", 1.0),
        "truncation": given("truncation", "disabled"),
        # `usage` comes at the end: by its description it is never null.
        **({"user": body["user"]} if "user" in body else {}),
    }


def _ask(
    simulator: Simulator,
    body: Mapping[str, JSON],
    kept: Kept,
    settings: Mapping[str, JSON],
    searches: Sequence[Searched],
) -> Ask:
    tools = body.get("tools") or ()
    builtin = {_plain(tool["type"]) for tool in tools if tool["type"] != "function"}
    parallel = body.get("parallel_tool_calls")
    return Ask(
        api="responses",
        model=body["model"],
        messages=items.messages(simulator, body.get("instructions"), [*kept.context, *kept.input]),
        tools=responses_form.functions(tools),
        builtin=frozenset(builtin),
        tool_choice=responses_form.chosen(body),
        parallel_tool_calls=True if parallel is None else parallel,
        response_format=_format((body.get("text") or {}).get("format")),
        max_tokens=body.get("max_output_tokens"),
        settings=settings,
        documents=_documents(simulator, searches),
        files=_files(simulator, tools),
    )


def _plain(kind: str) -> str:
    return "web_search" if kind.startswith("web_search") else kind


def _format(format: Mapping[str, JSON] | None) -> Mapping[str, JSON] | None:
    """The format of the answer in the form of Chat Completions."""
    if format is None or format["type"] == "text":
        return None
    if format["type"] == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {name: value for name, value in format.items() if name != "type"}}


def _settings(body: Mapping[str, JSON]) -> dict[str, JSON]:
    found = {name: body[name] for name in ("temperature", "top_p") if body.get(name) is not None}
    if "message.output_text.logprobs" in (body.get("include") or ()):
        found |= {"logprobs": True, "top_logprobs": body.get("top_logprobs") or 0}
    effort = (body.get("reasoning") or {}).get("effort")
    if effort is not None:
        found["reasoning_effort"] = effort
    return found


def _searches(simulator: Simulator, tools: Sequence[Mapping[str, JSON]]) -> list[Searched]:
    """What the response may search.

    Raises:
        ApiError: 404, a vector store does not exist.
    """
    found = [
        Searched(
            stores=tool["vector_store_ids"],
            filter=tool.get("filters"),
            most=tool.get("max_num_results") or MOST_RESULTS,
            least=(tool.get("ranking_options") or {}).get("score_threshold") or 0,
        )
        for tool in tools
        if tool["type"] == "file_search"
    ]
    for search in found:
        for store in search.stores:
            vectors.find(simulator, store)
    return found


def _documents(simulator: Simulator, searches: Sequence[Searched]) -> list[tuple[str, str, str]]:
    return [one for search in searches for one in vectors.documents(simulator, search.stores, filter=search.filter)]


def _files(simulator: Simulator, tools: Any) -> list[tuple[str, str]]:
    ids = [
        id
        for tool in tools
        if tool["type"] == "code_interpreter" and isinstance(tool["container"], dict)
        for id in tool["container"].get("file_ids") or ()
    ]
    return [(id, files.find(simulator, id).name) for id in ids]
