"""Where a variant's time goes, what its tools did, and what its repeats say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from harness.records import Outcome, Result, ToolCall
from harness.stats.latency import quantile
from harness.stats.repeats import flakiness, pass_at, pass_hat
from harness.summary.facets import FrontPoint, Repeats, TimeParts, ToolUse
from harness.summary.view import VariantSummary

#: Seconds; what is longer is no time of a trial.
_LONGEST = 1e9
#: Up to so many repeats, each number of attempts is looked at.
_EACH = 10
_FURTHER = (20, 50, 100)
_REQUESTS = 1000
#: From so many variants on, accuracy against cost is worth a look.
_FRONT = 3


def time_parts(results: Iterable[Result]) -> TimeParts | None:
    """Where the time of graded trials goes, seconds on average; None: not known of any."""
    known = [found for result in results if result.outcome in _GRADED and (found := time_of(result)) is not None]
    if not known:
        return None
    model, tools, retries = (math.fsum(column) / len(known) for column in zip(*known, strict=True))
    return TimeParts(model=model, tools=tools, retries=retries, trials=len(known))


_GRADED = (Outcome.PASSED, Outcome.FAILED)


def time_of(result: Result) -> tuple[float, float, float] | None:
    """Seconds of a trial's latency in which the model, tools and retries were at work; None: not known."""
    told = result.extra.get("time")
    if not isinstance(told, Mapping):
        return None
    # A Python target may say something else under this name: also whole numbers that no float holds.
    found = [told.get(name) for name in ("model", "tools", "retries")]
    known = [float(one) for one in found if isinstance(one, int | float) and 0 <= one < _LONGEST]
    if len(known) != 3:
        return None
    model, tools, retries = known
    return model, tools, retries


def tool_uses(results: Iterable[Result]) -> tuple[ToolUse, ...]:
    """What became of the calls of each tool, the most called first."""
    calls: dict[str, list[ToolCall]] = {}
    trials: dict[str, int] = {}
    for result in results:
        for call in result.tool_calls:
            calls.setdefault(call.name, []).append(call)
        for name in {call.name for call in result.tool_calls}:
            trials[name] = trials.get(name, 0) + 1
    found = [_tool_use(name, own, trials[name]) for name, own in calls.items()]
    return tuple(sorted(found, key=lambda one: (-one.calls, one.name)))


def _tool_use(name: str, calls: Sequence[ToolCall], trials: int) -> ToolUse:
    seconds = [call.seconds for call in calls if call.seconds is not None]
    return ToolUse(
        name=name,
        calls=len(calls),
        errors=sum(call.error is not None for call in calls),
        trials=trials,
        p50=quantile(seconds, 0.50) if seconds else None,
        p95=quantile(seconds, 0.95) if seconds else None,
    )


def repeats(outcomes: Mapping[str, Sequence[float]], *, asked: Iterable[int] = ()) -> Repeats:
    """What the repeats of a variant say; nothing where no case has two graded trials.

    Args:
        outcomes: By case, 1 passed and 0 failed.
        asked: Numbers of attempts that a gate asks about.
    """
    cases = list(outcomes.values())
    most = max(map(len, cases), default=0)
    if most < 2:
        return Repeats()
    fewest = min(map(len, cases))
    steps = sorted({*range(1, min(fewest, _EACH) + 1), *(k for k in (*_FURTHER, fewest, *asked) if k <= fewest)})
    flaky = [(case, int(sum(own)), len(own)) for case, own in outcomes.items() if 0 < sum(own) < len(own)]
    return Repeats(
        at={k: found for k in steps if (found := pass_at(k, cases)) is not None},
        hat={k: found for k in steps if (found := pass_hat(k, cases)) is not None},
        flaky=tuple(sorted(flaky, key=lambda one: -(flakiness(outcomes[one[0]]) or 0.0))),
    )


def front(variants: Iterable[VariantSummary]) -> tuple[FrontPoint, ...]:
    """Three or more variants with accuracy and price, by cost; else none."""
    known = [
        (one.name, one.accuracy, one.interval, one.cost_per_trial)
        for one in variants
        if one.accuracy is not None and one.interval is not None and one.cost_per_trial is not None
    ]
    if len(known) < _FRONT:
        return ()
    points = [
        FrontPoint(
            variant=name,
            accuracy=accuracy,
            interval=interval,
            money=_thousand(cost),
            dominated=any(
                other >= accuracy and price <= cost and (other > accuracy or price < cost)
                for _, other, _, price in known
            ),
        )
        for name, accuracy, interval, cost in known
    ]
    return tuple(sorted(points, key=lambda one: (one.money, -one.accuracy)))


def _thousand(cost: Decimal) -> Decimal:
    return round(cost * _REQUESTS, 9)
