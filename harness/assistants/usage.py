"""Tokens out of what a service reports, for both APIs' names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.limits.bounds import FREE
from harness.recording import Interaction, sse
from harness.records import Usage


def read_usage(reported: Any) -> Usage:
    """Read the `usage` object of Chat Completions or Responses; what is missing or no count stays None."""
    if not isinstance(reported, Mapping):
        return Usage()
    inputs = reported.get("prompt_tokens_details") or reported.get("input_tokens_details") or {}
    outputs = reported.get("completion_tokens_details") or reported.get("output_tokens_details") or {}
    return Usage(
        input=_count(reported.get("prompt_tokens", reported.get("input_tokens"))),
        output=_count(reported.get("completion_tokens", reported.get("output_tokens"))),
        cached_input=_count(inputs.get("cached_tokens")) if isinstance(inputs, Mapping) else None,
        reasoning=_count(outputs.get("reasoning_tokens")) if isinstance(outputs, Mapping) else None,
    )


def recorded_usage(interaction: Interaction) -> tuple[str | None, Usage]:
    """Read which model answered an interaction and the tokens it took, whatever API it was."""
    model: str | None = None
    usage = Usage()
    for body in objects(interaction):
        if str(body.get("object", "")).startswith("thread.run.step"):
            continue  # its tokens are counted again in its run's
        inner = body.get("response")
        for part in (body, inner if isinstance(inner, Mapping) else {}):
            if isinstance(part.get("model"), str):
                model = part["model"]
            if isinstance(part.get("usage"), Mapping):
                usage = read_usage(part["usage"])
    return model, usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A call that costs something: the model that was asked for, where the request says so, and what answered."""

    asked: str | None
    model: str | None
    usage: Usage
    interaction: Interaction


def paid(interactions: Iterable[Interaction]) -> Iterator[Paid]:
    """Yield every answered call that a service asks money for.

    A run is looked at many times and paid for once: its last look is the one that counts. Threads, files, stores and
    conversations cost nothing to make.
    """
    runs: dict[str, Interaction] = {}
    for one in interactions:
        if one.error is not None or one.status >= 400:
            continue
        names = one.resource.split("/")
        if names[0] == "threads":
            run = _run_id(one)
            if run is not None:
                runs[run] = one
        elif names[0] not in FREE and not (names[0] == "responses" and one.request.method != "POST"):
            yield _paid(one)
    yield from map(_paid, runs.values())


def _paid(interaction: Interaction) -> Paid:
    try:
        body = json.loads(interaction.request.body or b"{}")
    except (ValueError, RecursionError):
        body = {}
    asked = body.get("model") if isinstance(body, Mapping) else None
    model, usage = recorded_usage(interaction)
    return Paid(asked=asked if isinstance(asked, str) else None, model=model, usage=usage, interaction=interaction)


def _run_id(interaction: Interaction) -> str | None:
    """Return the id of the run that an answer is, or streams."""
    return next((body["id"] for body in objects(interaction) if body.get("object") == "thread.run"), None)


def objects(interaction: Interaction) -> list[Mapping[str, Any]]:
    """Return the JSON objects of an answer: its body, or the data of each event where it was streamed."""
    if interaction.events:
        events = (sse.decode(block) for block in sse.blocks(interaction.body))
        texts = [event.data for event in events if event is not None]
    else:
        texts = [interaction.body.decode("utf-8", errors="replace")]
    found = []
    for text in texts:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, Mapping):
            found.append(value)
    return found


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None
