"""What a run asks its brain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.simulator import messages, tokens, vectors
from harness.simulator.brain import Ask
from harness.simulator.plain import JSON
from harness.simulator.vectors import MOST_RESULTS, Searched

if TYPE_CHECKING:
    from harness.simulator.running import Run


class Overflow(Exception):
    """A run has used up its tokens.

    Args:
        reason: As `incomplete_details` tells it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def make_ask(run: Run) -> Ask:
    """Return what to ask the brain now.

    Raises:
        Overflow: The run has no tokens left.
    """
    object = run.object
    tools = [tool for tool in object["tools"] if tool["type"] == "function"]
    builtin = frozenset(tool["type"] for tool in object["tools"]) - {"function"}
    format = object["response_format"]
    left = _left(run)
    said = _said(run, tools)
    return Ask(
        api="threads",
        model=object["model"],
        messages=said,
        tools=tools,
        builtin=builtin,
        tool_choice=_choice(run),
        parallel_tool_calls=object["parallel_tool_calls"],
        response_format=None if format == "auto" else format,
        max_tokens=left,
        settings={"temperature": object["temperature"], "top_p": object["top_p"], **run.settings},
        documents=vectors.documents(run.simulator, stores(run)) if "file_search" in builtin else (),
        files=_files(run) if "code_interpreter" in builtin else (),
    )


def stores(run: Run) -> list[str]:
    """Return the vector stores that a run may search."""
    return _resource(run, "file_search", "vector_store_ids")


def searched(run: Run) -> Searched:
    """Return what a search of a run looks into, and how much of it is told."""
    asked = next((tool.get("file_search") or {} for tool in run.object["tools"] if tool["type"] == "file_search"), {})
    return Searched(
        stores=stores(run),
        most=asked.get("max_num_results") or MOST_RESULTS,
        least=(asked.get("ranking_options") or {}).get("score_threshold") or 0,
    )


def _files(run: Run) -> list[tuple[str, str]]:
    return messages.names(run.simulator, _resource(run, "code_interpreter", "file_ids"))


def _resource(run: Run, tool: str, kind: str) -> list[str]:
    owners = (run.resources, run.thread.object["tool_resources"])
    return list(dict.fromkeys(id for owner in owners for id in (owner.get(tool) or {}).get(kind) or ()))


def _choice(run: Run) -> JSON:
    """A tool must be called before the answer: when it was, the model is free."""
    choice = run.object["tool_choice"]
    return choice if choice == "none" or not run.history else "auto"


def _left(run: Run) -> int | None:
    most = run.object["max_completion_tokens"]
    if most is None:
        return None
    left = int(most) - sum(usage.output for usage in run.usages)
    if left <= 0:
        raise Overflow("max_completion_tokens")
    return left


def _said(run: Run, tools: Sequence[Mapping[str, JSON]]) -> list[Mapping[str, JSON]]:
    """Instructions, the thread as it was when the run began, and what the run did since.

    Raises:
        Overflow: Not even the last message fits into the run's prompt tokens.
    """
    known = run.thread.messages
    thread = [messages.read(run.simulator, known[id]) for id in run.before if id in known]
    truncation = run.object["truncation_strategy"]
    if truncation["type"] == "last_messages":
        thread = thread[-truncation["last_messages"] :]
    instructions = run.object["instructions"]
    head = [{"role": "system", "content": instructions}] if instructions else []
    most = run.object["max_prompt_tokens"]
    if most is None:
        return [*head, *thread, *run.history]
    left = most - sum(usage.input for usage in run.usages)
    while tokens.of_messages([*head, *thread, *run.history], tools) > left:
        if len(thread) <= 1:
            raise Overflow("max_prompt_tokens")
        thread = thread[1:]
    return [*head, *thread, *run.history]
