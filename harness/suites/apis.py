"""What each API cannot be told: such settings are refused before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping

_NOT_IN_RESPONSES = "Responses has no such setting: leave it out, or use `api: chat`."
_NOT_IN_THREADS = "The Assistants API has no such setting: leave it out, or use `api: chat`."
_ONLY = {
    "chain": "responses",
    **dict.fromkeys(("target", "args"), "python"),
    **dict.fromkeys(("assistant_id", "lifecycle", "poll_interval"), "threads"),
    **dict.fromkeys(("url", "method", "headers", "body", "output", "thread", "tool_calls", "usage", "sse"), "http"),
    "outputs": "outputs",
}
_SAMPLING = ("seed", "stop", "presence_penalty", "frequency_penalty")
_CALLED = "A Python target calls what it likes by itself: leave it out."


def _lacking(api: str, more: Mapping[str, str]) -> Mapping[str, str]:
    others = {name: f"It belongs to `api: {owner}`." for name, owner in _ONLY.items() if owner != api}
    return {**others, **more}


#: By API, the settings it lacks, and what to do instead.
LACKING: Mapping[str, Mapping[str, str]] = {
    "responses": _lacking("responses", dict.fromkeys(_SAMPLING, _NOT_IN_RESPONSES)),
    "chat": _lacking("chat", {}),
    "threads": _lacking("threads", dict.fromkeys(_SAMPLING, _NOT_IN_THREADS)),
    "python": _lacking(
        "python", dict.fromkeys(("tools", "env", "max_steps", "tool_timeout", "parallel_tools"), _CALLED)
    ),
}
#: What the APIs that ask no model themselves take; what a suite says for its other variants does not concern them.
TAKES: Mapping[str, frozenset[str]] = {
    "http": frozenset(
        {"api", "timeout", "retry", "model", *(name for name, owner in _ONLY.items() if owner == "http")}
    ),
    "outputs": frozenset({"api", "outputs", "model"}),
}
#: Settings for kinds of tasks, as the Chat Completions API names them; an API that lacks one goes without it.
PRESETS: Mapping[str, Mapping[str, float]] = {
    "creative": {"temperature": 0.9, "top_p": 1.0, "presence_penalty": 0.5, "frequency_penalty": 0.5},
    "analytical": {"temperature": 0.2, "top_p": 0.9},
    "factual": {"temperature": 0.1, "top_p": 0.9},
    "code": {"temperature": 0.2, "top_p": 0.95},
}

#: By API, the keys that `request:` cannot pass through, because the harness has to know of them.
TAKEN: Mapping[str, Mapping[str, str]] = {
    "responses": {
        "model": "Write `model:` beside `request:`; prices go by it.",
        "input": "It is made of prompt and case.",
        "instructions": "They are the prompt's system messages.",
        "stream": "Write `stream: true` beside `request:`.",
        "background": "An answer that is fetched later cannot be timed.",
        "previous_response_id": "Write `chain: response` beside `request:`.",
        "conversation": "Write `chain: conversation` beside `request:`.",
    },
    "chat": {
        "model": "Write `model:` beside `request:`; prices go by it.",
        "messages": "They are made of prompt and case.",
        "stream": "Write `stream: true` beside `request:`.",
        "n": "One trial has one answer; write `repeats:` in the suite.",
    },
    "threads": {
        "model": "Write `model:` beside `request:`; prices go by it.",
        "assistant_id": "Write `assistant_id:` beside `request:`.",
        "instructions": "They are the prompt's system messages.",
        "stream": "Write `stream: true` beside `request:`.",
        "thread_id": "Write `thread:` beside a case's input.",
    },
}
