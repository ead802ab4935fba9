"""Assistants: a model with instructions, tools and files, kept under an id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import assistant_forms, models, vectors
from harness.simulator.errors import ApiError, missing
from harness.simulator.files import check_files
from harness.simulator.http import answer, page, read
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

_FIELDS = ("model", "name", "description", "instructions", "tools", "metadata", "temperature", "top_p")


def beta(handler: Handler) -> Handler:
    """Refuse requests that do not say which version of the Assistants API they speak."""

    async def checked(request: Request) -> Response:
        told = [part.strip() for part in request.headers.get("openai-beta", "").split(",")]
        if "assistants=v2" not in told:
            raise ApiError(
                400,
                "The Assistants API must be asked for with the header 'OpenAI-Beta: assistants=v2'.",
                code="invalid_beta",
            )
        return await handler(request)

    return checked


def find(simulator: Simulator, id: str) -> dict[str, JSON]:
    """Return an assistant.

    Raises:
        ApiError: 404, there is none.
    """
    found: dict[str, JSON] | None = simulator.state.of("assistant").get(id)
    if found is None:
        raise missing("assistant", id)
    return found


def resources(simulator: Simulator, asked: Mapping[str, JSON] | None) -> dict[str, JSON]:
    """Return the tool resources of an owner, making the vector stores that it asks for.

    Raises:
        ApiError: 404, a file or a store does not exist; 400, stores both named and described.
    """
    found: dict[str, JSON] = {}
    for tool, wanted in (asked or {}).items():
        if tool == "code_interpreter":
            check_files(simulator, wanted.get("file_ids") or ())
            found[tool] = {"file_ids": list(wanted.get("file_ids") or ())}
            continue
        if "vector_stores" in wanted and "vector_store_ids" in wanted:
            raise ApiError(
                400,
                "Give 'vector_store_ids' or 'vector_stores', not both.",
                param="tool_resources.file_search",
            )
        ids = list(wanted.get("vector_store_ids") or ())
        for id in ids:
            vectors.find(simulator, id)
        ids += [vectors.make(simulator, store).id for store in wanted.get("vector_stores") or ()]
        found[tool] = {"vector_store_ids": ids}
    return found


def routes(simulator: Simulator) -> list[Route]:
    """Return where assistants are made, found, changed and deleted."""
    kept = simulator.state.of("assistant")

    async def make(request: Request) -> Response:
        body = await read(request)
        assistant_forms.check("assistant", body, strict=simulator.strict)
        models.check(simulator, body["model"])
        identity = simulator.state.identity
        made: dict[str, JSON] = {
            "id": identity.new("asst_", body),
            "object": "assistant",
            "created_at": identity.time(),
            "name": None,
            "description": None,
            "instructions": None,
            "temperature": 1.0,
            "top_p": 1.0,
            "response_format": "auto",
        }
        _take(simulator, made, {**body, "tools": body.get("tools") or [], "metadata": body.get("metadata") or {}})
        made.setdefault("tool_resources", {})
        kept[made["id"]] = made
        return answer(made)

    async def listed(request: Request) -> Response:
        return answer(page(list(kept.values()), request))

    async def one(request: Request) -> Response:
        return answer(find(simulator, request.path_params["id"]))

    async def change(request: Request) -> Response:
        found = find(simulator, request.path_params["id"])
        body = await read(request, optional=True)
        assistant_forms.check("changed assistant", body, strict=simulator.strict)
        if "model" in body:
            models.check(simulator, body["model"])
        _take(simulator, found, body)
        return answer(found)

    async def delete(request: Request) -> Response:
        id = find(simulator, request.path_params["id"])["id"]
        del kept[id]
        return answer({"id": id, "object": "assistant.deleted", "deleted": True})

    base = "/v1/assistants"
    return [
        Route(base, beta(make), methods=["POST"]),
        Route(base, beta(listed), methods=["GET"]),
        Route(base + "/{id}", beta(one), methods=["GET"]),
        Route(base + "/{id}", beta(change), methods=["POST"]),
        Route(base + "/{id}", beta(delete), methods=["DELETE"]),
    ]


def _take(simulator: Simulator, assistant: dict[str, JSON], body: Mapping[str, JSON]) -> None:
    """Put into an assistant what a request says of it; all that may fail comes first."""
    if "tool_resources" in body:
        assistant["tool_resources"] = resources(simulator, body["tool_resources"])
    for name in _FIELDS:
        if name in body:
            assistant[name] = body[name]
    if assistant["metadata"] is None:
        assistant["metadata"] = {}
    for name in ("temperature", "top_p"):
        if assistant[name] is None:
            assistant[name] = 1.0
    if "response_format" in body:
        assistant["response_format"] = body["response_format"] or "auto"
    if body.get("reasoning_effort") is not None:
        assistant["reasoning_effort"] = body["reasoning_effort"]
