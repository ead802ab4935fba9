"""Files that the code interpreter of Responses left in its container."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator.errors import ApiError
from harness.simulator.http import answer, page

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

_KIND = "container_file"


def keep(simulator: Simulator, container: str, name: str, content: bytes) -> str:
    """Keep a file in a container and return its id."""
    id = simulator.state.identity.new("cfile_", container, name)
    simulator.state.of(_KIND)[id] = {
        "told": {
            "id": id,
            "object": "container.file",
            "created_at": simulator.state.identity.time(),
            "bytes": len(content),
            "container_id": container,
            "path": f"/mnt/data/{name}",
            "source": "assistant",
        },
        "content": content,
    }
    return id


def routes(simulator: Simulator) -> list[Route]:
    known = simulator.state.of(_KIND)

    def found(request: Request) -> tuple[dict[str, object], bytes]:
        file = known.get(request.path_params["file"])
        if file is None or file["told"]["container_id"] != request.path_params["id"]:
            raise ApiError(404, f"No such container file: {request.path_params['file']}", param="file_id")
        return file["told"], file["content"]

    async def listed(request: Request) -> Response:
        container = request.path_params["id"]
        return answer(
            page([file["told"] for file in known.values() if file["told"]["container_id"] == container], request)
        )

    async def get(request: Request) -> Response:
        return answer(found(request)[0])

    async def content(request: Request) -> Response:
        told, content = found(request)
        kind = mimetypes.guess_type(str(told["path"]))[0] or "application/octet-stream"
        return Response(content, media_type=kind)

    many = "/v1/containers/{id}/files"
    return [
        Route(many, listed, methods=["GET"]),
        Route(f"{many}/{{file}}", get, methods=["GET"]),
        Route(f"{many}/{{file}}/content", content, methods=["GET"]),
    ]
