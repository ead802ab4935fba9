"""Conversations: items that responses go on from and add to."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import items, responses_form
from harness.simulator.errors import ApiError
from harness.simulator.http import answer, page, read
from harness.simulator.items import Item
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

Conversation: TypeAlias = dict[str, JSON]

_PATH = "/v1/conversations"
#: Properties of a conversation that are told.
_TOLD = ("id", "object", "created_at", "metadata")


def routes(simulator: Simulator) -> list[Route]:
    """Return where conversations and their items are made, found, changed and deleted."""
    return [*_objects(simulator), *_items(simulator)]


def _objects(simulator: Simulator) -> list[Route]:
    async def create(request: Request) -> Response:
        body = await read(request, optional=True)
        responses_form.conversation_form().check(body, strict=simulator.strict)
        identity = simulator.state.identity
        id = identity.new("conv_", body)
        given = items.kept(simulator, body.get("items"), owner=id, param="items")
        items.remember(simulator, given)
        made = {
            "id": id,
            "object": "conversation",
            "created_at": identity.time(),
            "metadata": body.get("metadata") or {},
            "items": given,
        }
        simulator.state.of("conversation")[id] = made
        return _told(made)

    async def get(request: Request) -> Response:
        return _told(_found(simulator, request))

    async def update(request: Request) -> Response:
        conversation = _found(simulator, request)
        body = await read(request)
        responses_form.metadata_form().check(body, strict=simulator.strict)
        conversation["metadata"] = body["metadata"] or {}
        return _told(conversation)

    async def delete(request: Request) -> Response:
        id = _found(simulator, request)["id"]
        del simulator.state.of("conversation")[id]
        return answer({"id": id, "object": "conversation.deleted", "deleted": True})

    one = f"{_PATH}/{{id}}"
    return [
        Route(_PATH, create, methods=["POST"]),
        Route(one, get, methods=["GET"]),
        Route(one, update, methods=["POST"]),
        Route(one, delete, methods=["DELETE"]),
    ]


def _items(simulator: Simulator) -> list[Route]:
    async def add(request: Request) -> Response:
        conversation = _found(simulator, request)
        body = await read(request)
        responses_form.items_form().check(body, strict=simulator.strict)
        owner = f"{conversation['id']}/{len(conversation['items'])}"
        new = items.kept(simulator, body["items"], owner=owner, param="items")
        items.remember(simulator, new)
        conversation["items"] += new
        ends = {"first_id": new[0]["id"], "last_id": new[-1]["id"]}
        return answer({"object": "list", "data": new, **ends, "has_more": False})

    async def listed(request: Request) -> Response:
        return answer(page(_found(simulator, request)["items"], request))

    async def get(request: Request) -> Response:
        return answer(_item(_found(simulator, request), request))

    async def delete(request: Request) -> Response:
        conversation = _found(simulator, request)
        conversation["items"].remove(_item(conversation, request))
        return _told(conversation)

    many = f"{_PATH}/{{id}}/items"
    one = f"{many}/{{item}}"
    return [
        Route(many, add, methods=["POST"]),
        Route(many, listed, methods=["GET"]),
        Route(one, get, methods=["GET"]),
        Route(one, delete, methods=["DELETE"]),
    ]


def _told(conversation: Conversation) -> Response:
    return answer({name: conversation[name] for name in _TOLD})


def _found(simulator: Simulator, request: Request) -> Conversation:
    id = request.path_params["id"]
    known: Conversation | None = simulator.state.of("conversation").get(id)
    if known is None:
        raise ApiError(404, f"Conversation with id '{id}' not found.", param="conversation_id")
    return known


def _item(conversation: Conversation, request: Request) -> Item:
    id = request.path_params["item"]
    for one in conversation["items"]:
        if one["id"] == id:
            found: Item = one
            return found
    raise ApiError(404, f"Item with id '{id}' not found in conversation '{conversation['id']}'.", param="item_id")
