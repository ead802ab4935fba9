"""Steps of runs: what a run did, one by one, with what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator.assistants import beta
from harness.simulator.brain import Usage
from harness.simulator.errors import ApiError, missing
from harness.simulator.http import answer, page
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

#: What a request may ask to be included.
_RESULTS = "step_details.tool_calls[*].file_search.results[*].content"


def begun(simulator: Simulator, run: Mapping[str, JSON], details: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a new step of a run; `details` has its type and what it does."""
    identity = simulator.state.identity
    return {
        "id": identity.new("step_", run["thread_id"], run["id"]),
        "object": "thread.run.step",
        "created_at": identity.time(),
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "run_id": run["id"],
        "type": details["type"],
        "status": "in_progress",
        "step_details": dict(details),
        "last_error": None,
        "expired_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "metadata": {},
        "usage": None,
    }


def used(usage: Usage) -> dict[str, int]:
    """Return tokens as runs and steps tell of them."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    }


def without_passages(step: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a step without the passages that a search found, which are told only where asked for."""
    details = step["step_details"]
    if details["type"] != "tool_calls":
        return dict(step)
    calls = [_plain(call) for call in details["tool_calls"]]
    return {**step, "step_details": {**details, "tool_calls": calls}}


def _plain(call: Mapping[str, JSON]) -> Mapping[str, JSON]:
    if call["type"] != "file_search":
        return call
    search = call["file_search"]
    results = [{name: value for name, value in one.items() if name != "content"} for one in search["results"]]
    return {**call, "file_search": {**search, "results": results}}


def wants_passages(request: Request) -> bool:
    """Whether a request asks for the passages that a search found.

    Raises:
        ApiError: 400, it asks for something else to be included.
    """
    asked = [*request.query_params.getlist("include[]"), *request.query_params.getlist("include")]
    for one in asked:
        if one != _RESULTS:
            raise ApiError(
                400,
                f"Invalid value: '{one}'. Supported values are: '{_RESULTS}'.",
                param="include",
                code="invalid_value",
            )
    return bool(asked)


def routes(simulator: Simulator) -> list[Route]:
    """Return where the steps of a run are found."""
    from harness.simulator.runs import find

    async def listed(request: Request) -> Response:
        run = find(simulator, request)
        full = wants_passages(request)
        run.begin()
        found = [step if full else without_passages(step) for step in run.steps.values()]
        return answer(page(found, request))

    async def one(request: Request) -> Response:
        run = find(simulator, request)
        step = run.steps.get(request.path_params["step"])
        if step is None:
            raise missing("run step", request.path_params["step"])
        return answer(step if wants_passages(request) else without_passages(step))

    base = "/v1/threads/{thread}/runs/{run}/steps"
    return [
        Route(base, beta(listed), methods=["GET"]),
        Route(base + "/{step}", beta(one), methods=["GET"]),
    ]
