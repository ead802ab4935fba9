"""The most that a request can cost, told from the request alone, before it is sent.

Input: no tokenizer that these services use makes more tokens than a text has UTF-8 bytes, and a request's body is
longer than all the text in it, with its messages, tools and schema. Output: what the request allows. What a request only
refers to (a picture, an earlier answer at the service) can fill the model's context window.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import TrialError
from harness.recording.cassette import resource

#: Tokens that a service adds of its own around messages and tools, beyond the JSON that they are sent as.
FRAME = 64
#: Content whose tokens have nothing to do with the length of what is sent, or that is not sent at all.
_REFERENCES = re.compile(
    rb'"type"\s*:\s*"(image_url|input_image|image_file|file|input_file|item_reference|compaction)"'
)
_SOUND = re.compile(rb'"type"\s*:\s*"input_audio"')
#: Keys by which a request continues what a service keeps.
_CONTINUES = ("previous_response_id", "conversation", "prompt")
#: Tools that run here; the service runs all others, and asks its model again after each.
_OWN_TOOLS = frozenset({"function", "custom"})
#: What a service does without asking a model. Vector stores and moderations cost nothing a request.
FREE = frozenset({"assistants", "conversations", "files", "models", "moderations", "uploads", "vector_stores"})
_FREE_ENDS = frozenset({"cancel", "input_tokens"})
#: The legacy default of `max_tokens` on /completions.
_LEGACY_OUTPUT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most tokens that a request can take."""

    model: str | None
    #: Tokens of one step; None: the model's context window.
    input: int | None
    #: Of all steps together.
    output: int
    #: Steps that the service may make by itself; each reads the input anew.
    steps: int = 1


def unbounded(why: str) -> TrialError:
    """Return the error of a request whose cost has no limit that could be known."""
    return TrialError(
        "unbounded", f"not sent: there is a budget, and nobody can say what this request may cost at most: {why}"
    )


def bound_of(method: str, path: str, body: bytes) -> Bound | None:
    """Return the most that a request can take; None where nothing is asked for it.

    Args:
        method: Of the request.
        path: Its address's path.
        body: As it is sent.

    Raises:
        TrialError: It is not bounded; the message says what is missing.
    """
    if not may_cost(method, path):
        return None
    names = _names(path)
    if names[0] == "threads":
        raise unbounded("a run of the Assistants API names neither its messages nor its model. Use `api: threads`.")
    given = _parsed(body)
    if names[:2] == ["chat", "completions"]:
        return _chat(given, body)
    if names[0] == "responses":
        return _response(given, body)
    if names[0] == "embeddings":
        return Bound(model=_model(given), input=len(body) + FRAME, output=0)
    if names[0] == "completions":
        asked = given.get("prompt")
        texts = len(asked) if isinstance(asked, list) and not all(isinstance(one, int) for one in asked) else 1
        choices = max(_whole(given, "n", 1), _whole(given, "best_of", 1)) * texts
        output = _whole(given, "max_tokens", _LEGACY_OUTPUT) * choices
        return Bound(model=_model(given), input=len(body) + FRAME, output=output)
    raise unbounded(f"it goes to /{'/'.join(names)}, which has no price by tokens.")


def may_cost(method: str, path: str) -> bool:
    """Whether something is asked for a request to an API as OpenAI's is."""
    names = _names(path)
    if method != "POST" or not names or names[0] in FREE or names[-1] in _FREE_ENDS:
        return False
    return names[0] != "threads" or is_run(method, path)


def _names(path: str) -> list[str]:
    return [name for name in resource(path).split("/") if name]


def is_run(method: str, path: str) -> bool:
    """Whether a request starts a run of the Assistants API, or gives one the results that it waits for."""
    names = resource(path).split("/")
    return method == "POST" and names[0] == "threads" and names[-1] in ("runs", "submit_tool_outputs")


def _chat(given: Mapping[str, Any], body: bytes) -> Bound:
    output = _whole(given, "max_completion_tokens", None) or _whole(given, "max_tokens", None)
    if output is None:
        raise unbounded("it sets no `max_completion_tokens` (in a suite: `max_tokens:`).")
    _check(given, body)
    if given.get("web_search_options") is not None or _serviced(given):
        raise unbounded("it has tools that the service runs itself.")
    if given.get("prediction") is not None:
        # What was predicted wrongly is paid for as output.
        output += len(json.dumps(given["prediction"]))
    return Bound(model=_model(given), input=_input(given, body), output=output * _whole(given, "n", 1))


def _response(given: Mapping[str, Any], body: bytes) -> Bound:
    output = _whole(given, "max_output_tokens", None)
    if output is None:
        raise unbounded("it sets no `max_output_tokens` (in a suite: `max_tokens:`).")
    _check(given, body)
    if not _serviced(given):
        return Bound(model=_model(given), input=_input(given, body), output=output)
    calls = _whole(given, "max_tool_calls", None)
    if calls is None:
        raise unbounded("it has tools that the service runs itself, and sets no `max_tool_calls` (under `request:`).")
    return Bound(model=_model(given), input=None, output=output, steps=calls + 1)


def _check(given: Mapping[str, Any], body: bytes) -> None:
    modalities = given.get("modalities")
    if _SOUND.search(body) or given.get("audio") or (isinstance(modalities, list) and "audio" in modalities):
        raise unbounded("sound has prices of its own.")
    if given.get("service_tier") == "priority":
        raise unbounded("`service_tier: priority` has prices of its own.")


def _input(given: Mapping[str, Any], body: bytes) -> int | None:
    if any(given.get(name) is not None for name in _CONTINUES) or _REFERENCES.search(body):
        return None
    return len(body) + FRAME


def _serviced(given: Mapping[str, Any]) -> bool:
    tools = given.get("tools")
    kinds = [one.get("type") for one in tools if isinstance(one, Mapping)] if isinstance(tools, list) else []
    return any(kind not in _OWN_TOOLS for kind in kinds)


def _model(given: Mapping[str, Any]) -> str | None:
    model = given.get("model")
    return model if isinstance(model, str) else None


def _whole(given: Mapping[str, Any], name: str, default: Any) -> Any:
    value = given.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, Mapping):
        raise unbounded("its body is no JSON object.")
    return given
