"""Vector stores: files that can be searched. This one searches by words; files are ready at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import filters, searching, vector_forms
from harness.simulator.errors import ApiError, missing
from harness.simulator.files import Stored, check_files
from harness.simulator.http import answer, page, read
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

_DAY = 86_400
_CHUNKS = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}


#: Passages that a tool's search tells of, where it does not say how many.
MOST_RESULTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search looks into, and what of it it tells."""

    stores: Sequence[str]
    #: What callers noted about a file must pass.
    filter: Mapping[str, JSON] | None = None
    most: int = MOST_RESULTS
    #: The lowest score, 0..1.
    least: float = 0


@dataclass(slots=True)
class Store:
    """A vector store: as the API tells of it, and its files."""

    object: dict[str, JSON]
    #: By the file's id.
    files: dict[str, dict[str, JSON]] = field(default_factory=dict)
    #: Files that were added together.
    batches: dict[str, dict[str, JSON]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.object["id"])

    def shown(self) -> dict[str, JSON]:
        """Return it as the API tells of it now."""
        size = sum(file["usage_bytes"] for file in self.files.values())
        return {**self.object, "usage_bytes": size, "file_counts": counts(len(self.files))}


def counts(completed: int) -> dict[str, int]:
    """Return how many files are in which state."""
    return {"in_progress": 0, "completed": completed, "failed": 0, "cancelled": 0, "total": completed}


def find(simulator: Simulator, id: str) -> Store:
    """Return a vector store.

    Raises:
        ApiError: 404, there is none.
    """
    found: Store | None = simulator.state.of("vector_store").get(id)
    if found is None:
        raise missing("vector store", id)
    return found


def make(simulator: Simulator, asked: Mapping[str, JSON]) -> Store:
    """Make a vector store.

    Args:
        simulator: Where.
        asked: file_ids, name, description, metadata, expires_after, chunking_strategy; each may be absent.

    Raises:
        ApiError: 404, a file does not exist.
    """
    ids = asked.get("file_ids") or ()
    check_files(simulator, ids)
    identity = simulator.state.identity
    now = identity.time()
    store = Store(
        {
            "id": identity.new("vs_", asked),
            "object": "vector_store",
            "created_at": now,
            "name": asked.get("name") or "",
            "description": asked.get("description"),
            "status": "completed",
            "last_active_at": now,
            "metadata": asked.get("metadata") or {},
        }
    )
    _expire_after(store, asked.get("expires_after"), now)
    for id in ids:
        add(simulator, store, id, chunking=asked.get("chunking_strategy"))
    simulator.state.of("vector_store")[store.id] = store
    return store


def _expire_after(store: Store, after: Mapping[str, JSON] | None, now: int) -> None:
    store.object["expires_at"] = None if after is None else now + after["days"] * _DAY
    if after is not None:
        store.object["expires_after"] = dict(after)
    else:
        store.object.pop("expires_after", None)


def add(
    simulator: Simulator,
    store: Store,
    file_id: str,
    *,
    chunking: Mapping[str, JSON] | None = None,
    attributes: Mapping[str, JSON] | None = None,
) -> dict[str, JSON]:
    """Put a file into a store and return it as the API tells of it."""
    file: Stored = simulator.state.of("file")[file_id]
    store.files[file_id] = {
        "id": file_id,
        "object": "vector_store.file",
        "usage_bytes": len(file.content),
        "created_at": simulator.state.identity.time(),
        "vector_store_id": store.id,
        "status": "completed",
        "last_error": None,
        "chunking_strategy": dict(chunking) if chunking and chunking["type"] == "static" else _CHUNKS,
        "attributes": dict(attributes or {}),
    }
    return store.files[file_id]


def documents(
    simulator: Simulator, ids: Iterable[str], *, filter: Mapping[str, JSON] | None = None
) -> list[tuple[str, str, str]]:
    """Return (file id, file name, text) of the files in some stores that pass a filter; a store that is gone has none."""
    found: dict[str, tuple[str, str, str]] = {}
    files = simulator.state.of("file")
    for id in ids:
        store: Store | None = simulator.state.of("vector_store").get(id)
        for file_id, added in store.files.items() if store is not None else ():
            if file_id in files and filters.passes(filter, added["attributes"]):
                file: Stored = files[file_id]
                found[file_id] = (file_id, file.name, file.text)
    return list(found.values())


def search(simulator: Simulator, wanted: Searched, query: str) -> list[tuple[str, str, str, float]]:
    """Return (file id, file name, passage, score 0..1) for what some stores hold about a query, best first."""
    found = ranked(documents(simulator, wanted.stores, filter=wanted.filter), query)
    return [one for one in found if one[3] >= wanted.least][: wanted.most]


def attributes(simulator: Simulator, ids: Iterable[str], file_id: str) -> dict[str, JSON]:
    """Return what a caller noted about a file in the first of some stores that has it."""
    stores: dict[str, Store] = simulator.state.of("vector_store")
    having = (stores[id].files[file_id] for id in ids if id in stores and file_id in stores[id].files)
    return dict(next(having, {}).get("attributes") or {})


def ranked(texts: Iterable[tuple[str, str, str]], query: str) -> list[tuple[str, str, str, float]]:
    """Return the passages of texts, (file id, file name, text), that share a word with a query, best first."""
    found = [(id, name, passage) for id, name, text in texts for passage in searching.passages(text)]
    # The name of a file says what it is about, too.
    scored = searching.scores(query, [f"{name}\n{passage}" for _, name, passage in found])
    best = sorted(range(len(found)), key=lambda number: -scored[number])
    return [(*found[number], scored[number]) for number in best if scored[number] > 0]


def routes(simulator: Simulator) -> list[Route]:
    """Return where stores are made, found, changed, searched and deleted."""
    kept = simulator.state.of("vector_store")

    def named(request: Request) -> Store:
        return find(simulator, request.path_params["id"])

    async def create(request: Request) -> Response:
        body = await read(request, optional=True)
        vector_forms.check("store", body, strict=simulator.strict)
        if "chunking_strategy" in body and not body.get("file_ids"):
            raise ApiError(400, "'chunking_strategy' is for 'file_ids', and there are none.", param="chunking_strategy")
        return answer(make(simulator, body).shown())

    async def listed(request: Request) -> Response:
        return answer(page([store.shown() for store in kept.values()], request))

    async def one(request: Request) -> Response:
        return answer(named(request).shown())

    async def change(request: Request) -> Response:
        store = named(request)
        body = await read(request, optional=True)
        vector_forms.check("changed store", body, strict=simulator.strict)
        if "name" in body:
            store.object["name"] = body["name"] or ""
        if "metadata" in body:
            store.object["metadata"] = body["metadata"] or {}
        if "expires_after" in body:
            _expire_after(store, body["expires_after"], simulator.state.identity.time())
        return answer(store.shown())

    async def delete(request: Request) -> Response:
        id = named(request).id
        del kept[id]
        return answer({"id": id, "object": "vector_store.deleted", "deleted": True})

    async def searched(request: Request) -> Response:
        store = named(request)
        body = await read(request)
        vector_forms.check("search", body, strict=simulator.strict)
        return answer(_results(simulator, store, body))

    base = "/v1/vector_stores"
    return [
        Route(base, create, methods=["POST"]),
        Route(base, listed, methods=["GET"]),
        Route(base + "/{id}", one, methods=["GET"]),
        Route(base + "/{id}", change, methods=["POST"]),
        Route(base + "/{id}", delete, methods=["DELETE"]),
        Route(base + "/{id}/search", searched, methods=["POST"]),
    ]


def _results(simulator: Simulator, store: Store, body: Mapping[str, JSON]) -> dict[str, JSON]:
    queries: Sequence[str] = [body["query"]] if isinstance(body["query"], str) else body["query"]
    wanted = Searched(
        stores=[store.id],
        filter=body.get("filters"),
        most=body.get("max_num_results", 10),
        least=(body.get("ranking_options") or {}).get("score_threshold", 0),
    )
    return {
        "object": "vector_store.search_results.page",
        "search_query": list(queries),
        "data": [
            {
                "file_id": id,
                "filename": name,
                "score": score,
                "attributes": store.files[id]["attributes"],
                "content": [{"type": "text", "text": passage}],
            }
            for id, name, passage, score in search(simulator, wanted, " ".join(queries))
        ],
        # There is one page.
        "has_more": False,
        "next_page": None,
    }
