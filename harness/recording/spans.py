"""Where the time of a trial went, by what stands on its tape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.recording.cassette import Interaction

_DIGITS = 6


def time_parts(interactions: Sequence[Interaction], latency: float) -> dict[str, float]:
    """Split a latency into `model`, `tools` and `retries`, which add up to it.

    `model` is the time in which the service was at work: the union of the last attempts of all calls, and what went by
    before it was looked again whether it is done. `retries` are failed attempts and the waits after them, as far as
    nothing else was under way. `tools` is the rest: tools, other code between the calls, and answers nobody waited for.

    Args:
        interactions: One at least, ordered by start.
        latency: Seconds from the trial's start.
    """
    if len(interactions) == 1 and interactions[0].final:
        # As most trials are.
        model = _union([(interactions[0].start, interactions[0].end)], latency)
        return {"model": round(model, _DIGITS), "tools": round(latency - model, _DIGITS), "retries": 0.0}
    served: list[tuple[float, float]] = []
    repeated: list[tuple[float, float]] = []
    begun: dict[int, Interaction] = {}
    last: dict[int, Interaction] = {}
    for one in interactions:
        begun.setdefault(one.slot, one)
        last[one.slot] = one
    # When the service had answered last, by conversation.
    answered: dict[str | None, float] = {}
    for slot, final in last.items():
        first = begun[slot]
        if final.abandoned:
            # Whoever did not wait for an answer may not even ask for it on replay.
            continue
        if not final.final:
            repeated.append((first.start, final.end))
            continue
        start = answered.get(final.conversation, final.start) if _looks(final) else final.start
        served.append((min(start, final.start), final.end))
        if first is not final:
            repeated.append((first.start, final.start))
        answered[final.conversation] = max(answered.get(final.conversation, 0.0), final.end)
    model = _union(served, latency)
    both = _union(served + repeated, latency) if repeated else model
    parts = {"model": model, "tools": latency - both, "retries": both - model}
    return {name: round(seconds, _DIGITS) for name, seconds in parts.items()}


def _looks(one: Interaction) -> bool:
    """Whether a call only looks if the service is done: of looks that found nothing new, none is kept."""
    return one.request.method == "GET" and ("/runs/" in one.resource or one.resource.startswith("responses/"))


def _union(spans: Iterable[tuple[float, float]], most: float) -> float:
    """How long at least one of some spans lasts, up to a moment."""
    total, reached = 0.0, 0.0
    for start, end in sorted(spans):
        end = min(end, most)
        if end > reached:
            total += end - max(start, reached)
            reached = end
    return total
