"""The files of vector stores, one by one and in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import vector_forms, vectors
from harness.simulator.errors import ApiError, missing
from harness.simulator.files import check_files
from harness.simulator.files import find as find_file
from harness.simulator.http import answer, page, read
from harness.simulator.plain import JSON
from harness.simulator.vectors import Store

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

_STATES = ("in_progress", "completed", "failed", "cancelled")


def routes(simulator: Simulator) -> list[Route]:
    """Return where files are added, found, read and taken away."""
    base = "/v1/vector_stores/{id}"
    return [*_of_files(simulator, base + "/files"), *_of_batches(simulator, base + "/file_batches")]


def _of_files(simulator: Simulator, base: str) -> list[Route]:
    def named(request: Request) -> tuple[Store, dict[str, JSON]]:
        store = vectors.find(simulator, request.path_params["id"])
        file = store.files.get(request.path_params["file"])
        if file is None:
            raise missing("file in the vector store", request.path_params["file"])
        return store, file

    async def add(request: Request) -> Response:
        store = vectors.find(simulator, request.path_params["id"])
        body = await read(request)
        vector_forms.check("file", body, strict=simulator.strict)
        check_files(simulator, [body["file_id"]])
        return answer(_added(simulator, store, body))

    async def listed(request: Request) -> Response:
        store = vectors.find(simulator, request.path_params["id"])
        return answer(page(_filtered(list(store.files.values()), request), request))

    async def one(request: Request) -> Response:
        return answer(named(request)[1])

    async def change(request: Request) -> Response:
        file = named(request)[1]
        body = await read(request)
        vector_forms.check("attributes", body, strict=simulator.strict)
        file["attributes"] = body["attributes"] or {}
        return answer(file)

    async def delete(request: Request) -> Response:
        store, file = named(request)
        del store.files[file["id"]]
        return answer({"id": file["id"], "object": "vector_store.file.deleted", "deleted": True})

    async def content(request: Request) -> Response:
        stored = find_file(simulator, named(request)[1]["id"])
        return answer(
            {
                "object": "vector_store.file_content.page",
                "data": [{"type": "text", "text": stored.text}],
                "has_more": False,
                "next_page": None,
            }
        )

    return [
        Route(base, add, methods=["POST"]),
        Route(base, listed, methods=["GET"]),
        Route(base + "/{file}", one, methods=["GET"]),
        Route(base + "/{file}", change, methods=["POST"]),
        Route(base + "/{file}", delete, methods=["DELETE"]),
        Route(base + "/{file}/content", content, methods=["GET"]),
    ]


def _of_batches(simulator: Simulator, base: str) -> list[Route]:
    def named(request: Request) -> tuple[Store, dict[str, JSON]]:
        store = vectors.find(simulator, request.path_params["id"])
        batch = store.batches.get(request.path_params["batch"])
        if batch is None:
            raise missing("file batch", request.path_params["batch"])
        return store, batch

    async def add(request: Request) -> Response:
        store = vectors.find(simulator, request.path_params["id"])
        body = await read(request)
        vector_forms.check("batch", body, strict=simulator.strict)
        if ("file_ids" in body) == ("files" in body):
            raise ApiError(400, "Give 'file_ids' or 'files', one of them.", param="file_ids")
        common = {name: body[name] for name in ("chunking_strategy", "attributes") if name in body}
        wanted = body.get("files") or [{"file_id": id, **common} for id in body["file_ids"]]
        check_files(simulator, [one["file_id"] for one in wanted])
        ids = [_added(simulator, store, one)["id"] for one in wanted]
        identity = simulator.state.identity
        batch: dict[str, JSON] = {
            "id": identity.new("vsfb_", store.id, ids),
            "object": "vector_store.files_batch",
            "created_at": identity.time(),
            "vector_store_id": store.id,
            "status": "completed",
            "file_counts": vectors.counts(len(set(ids))),
        }
        store.batches[batch["id"]] = {"object": batch, "ids": ids}
        return answer(batch)

    async def one(request: Request) -> Response:
        return answer(named(request)[1]["object"])

    async def cancel(request: Request) -> Response:
        # Its files were ready at once: there is nothing left to cancel.
        return answer(named(request)[1]["object"])

    async def listed(request: Request) -> Response:
        store, batch = named(request)
        found = [store.files[id] for id in dict.fromkeys(batch["ids"]) if id in store.files]
        return answer(page(_filtered(found, request), request))

    return [
        Route(base, add, methods=["POST"]),
        Route(base + "/{batch}", one, methods=["GET"]),
        Route(base + "/{batch}/cancel", cancel, methods=["POST"]),
        Route(base + "/{batch}/files", listed, methods=["GET"]),
    ]


def _added(simulator: Simulator, store: Store, body: dict[str, JSON]) -> dict[str, JSON]:
    return vectors.add(
        simulator, store, body["file_id"], chunking=body.get("chunking_strategy"), attributes=body.get("attributes")
    )


def _filtered(files: list[dict[str, JSON]], request: Request) -> list[dict[str, JSON]]:
    wanted = request.query_params.get("filter")
    if wanted is None:
        return files
    if wanted not in _STATES:
        raise ApiError(400, f"Invalid value: '{wanted}'. Supported values are: {', '.join(_STATES)}.", param="filter")
    return [file for file in files if file["status"] == wanted]
