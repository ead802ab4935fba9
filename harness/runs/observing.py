"""Model calls that a Python function makes by itself, told from what its trial recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.assistants.usage import paid
from harness.events import CallCompleted, CallFailed, CallStarted, TimedEvent
from harness.recording import Interaction

#: Told where a request names no model.
_NAMELESS = "unknown"
#: Where models are asked; a failure elsewhere is no failure of a model.
_MODELS = ("chat", "responses")
_KINDS = {408: "server", 409: "server", 429: "rate_limited"}


def tell_calls(trial: str, interactions: Iterable[Interaction], tell: Callable[[TimedEvent], None]) -> None:
    """Tell the calls of a trial after it has been held, each with its recorded moments.

    Args:
        trial: The trial's id.
        interactions: All that it sent, ordered by start.
        tell: Gets the events.
    """
    calls: dict[int, list[Interaction]] = {}
    for one in interactions:
        calls.setdefault(one.slot, []).append(one)
    for attempts in calls.values():
        start, last = attempts[0].start, attempts[-1]
        if last.request.method != "POST":
            continue
        for call in paid([last]):
            model = call.asked or call.model or _NAMELESS
            latency = round(last.end - start, 6)
            tell(CallStarted(trial=trial, model=model, at=start))
            tell(CallCompleted(trial=trial, model=model, usage=call.usage, latency=latency, at=last.end))
        kind = _failure(last)
        if kind is not None:
            said = last.error or f"HTTP {last.status}"
            tell(CallStarted(trial=trial, model=_NAMELESS, at=start))
            tell(CallFailed(trial=trial, model=_NAMELESS, kind=kind, message=said, at=last.end))


def _failure(one: Interaction) -> str | None:
    """Return what kind of failure a call of a model ended in; None: it did not."""
    if one.resource.split("/")[0] not in _MODELS:
        return None
    if one.error is not None:
        return "timeout" if one.error.startswith("timeout") else "connection"
    if one.status < 400:
        return None
    return _KINDS.get(one.status, "server" if one.status >= 500 else "bad_request")
