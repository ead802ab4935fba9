"""The models that a brain offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator.errors import ApiError
from harness.simulator.http import answer
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator


def check(simulator: Simulator, model: str) -> None:
    """Refuse a model that the brain does not offer; one that lists none offers any.

    Raises:
        ApiError: 404.
    """
    if simulator.brain.models and model not in simulator.brain.models:
        raise ApiError(
            404,
            f"The model `{model}` does not exist or you do not have access to it.",
            param="model",
            code="model_not_found",
        )


def routes(simulator: Simulator) -> list[Route]:
    """Return where models are found."""

    def model(name: str) -> dict[str, JSON]:
        created = simulator.state.identity.time()
        return {"id": name, "object": "model", "created": created, "owned_by": "simulator"}

    async def listed(request: Request) -> Response:
        return answer({"object": "list", "data": [model(name) for name in simulator.brain.models]})

    async def one(request: Request) -> Response:
        name = request.path_params["model"]
        check(simulator, name)
        return answer(model(name))

    return [Route("/v1/models", listed), Route("/v1/models/{model:path}", one)]
