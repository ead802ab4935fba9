"""What travels with a request and its answer between limits, recording and whoever asked."""

from __future__ import annotations

from dataclasses import dataclass, field

#: How limits tell the transport which logical call a request belongs to: any hashable, and the attempt from 1.
CALL = "harness.call"
#: How limits tell the transport how many seconds the attempt may take, as far as its answer is not streamed.
DEADLINE = "harness.deadline"
#: How a caller tells the transport that the address's whole query is part of what is asked.
QUERY = "harness.query"
#: How limits hear that a live attempt is over: a callable that gets the `Interaction`, or None where the attempt was
#: abandoned and nothing is known. It is called once.
SETTLE = "harness.settle"
#: Where the transport leaves the headers of a replayed answer as they were recorded.
RECORDED = "harness.recorded"
#: Where the transport leaves a `Step` for whoever made the call.
STEP = "harness.step"


@dataclass(slots=True, kw_only=True)
class Step:
    """Times of one logical call, seconds from trial start; live ones grow while the response arrives."""

    start: float
    end: float = 0.0
    events: list[float] = field(default_factory=list)
    attempts: int = 1
