"""What a comparison means for who pays and waits, and how much of it chance alone would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.records import Result
from harness.stats.paired import Difference, MeanDifference
from harness.stats.sizing import aa_flips
from harness.stats.verdicts import Verdict
from harness.summary import phrases
from harness.summary.bill import Bill, money, runaways_text, typical
from harness.summary.measuring import outcomes_by_case
from harness.summary.speed import Speed, interval, ratio

#: Requests that people think of a bill in.
_PER = 1000


def meaning(
    difference: Difference | None, verdict: Verdict | None, *, speed: Speed, bill: Bill, a: str, b: str
) -> Iterator[str]:
    """Yield what it means: answers where a difference was shown, money, time, tokens; a sentence each.

    Args:
        difference: Of the pass rates, B's minus A's.
        verdict: Of that difference.
        speed: Times of B against A's.
        bill: Costs and tokens of B against A's.
        a: Name of arm A.
        b: Name of arm B.
    """
    if difference is not None and verdict is not None and verdict.kind in ("better", "worse"):
        yield _answers(difference, b=b)
    if told := _money(bill, a=a, b=b):
        yield told
    if told := _time(speed, a=a, b=b):
        yield told
    if told := _tokens(bill, a=a, b=b):
        yield told


def noise(a: Sequence[Result], b: Sequence[Result]) -> str:
    """How many cases change sides when nothing changes at all, as repeats of the same arm tell; empty without repeats.

    Args:
        a: Trials of arm A.
        b: Those of arm B, for the case that A has no repeats.
    """
    found = next((one for arm in (a, b) if (one := aa_flips(list(outcomes_by_case(arm).values()))) is not None), None)
    if found is None:
        return ""
    each = f"~{found:.0f}" if found >= 0.95 or found == 0 else "fewer than 1"
    return f"A/A noise: expect {each} fixed and {each} broken per 100 cases with no change (one trial each)."


def _answers(found: Difference, *, b: str) -> str:
    """The estimand, said aloud: it is about requests like these, not about exactly these cases."""
    low, high = sorted(abs(end) for end in (found.interval.low, found.interval.high))
    word = "more" if found.estimate > 0 else "fewer"
    return (
        f"Of {_PER:,} requests like these, about {abs(found.estimate) * _PER:,.0f} {word} pass with {b} "
        f"({phrases.level(found.interval.level)} CI {low * _PER:,.0f}…{high * _PER:,.0f})."
    )


def _money(bill: Bill, *, a: str, b: str) -> str:
    found = bill.cost
    if found is None or found.estimate == found.interval.low == found.interval.high == 0:
        return ""
    word = "less" if found.estimate < 0 else "more"
    share = f", {phrases.change(bill.whole.estimate)}" if bill.whole is not None else ""
    low, high = (phrases.dollars(end * _PER) for end in (found.interval.low, found.interval.high))
    told = (
        f"{b} costs {money(abs(found.estimate) * _PER)} {word} per {_PER:,} requests than {a} "
        f"({phrases.level(found.interval.level)} CI {low}…{high}{share}{_of(found.cases, bill.cases)})"
    )
    # A bill that hangs on few cases says nothing about the others.
    if bill.runaways and bill.typical is not None:
        told += f", {typical(bill.typical)}"
    return f"{told}.{runaways_text(bill)}"


def _time(speed: Speed, *, a: str, b: str) -> str:
    if speed.latency is None:
        return ""
    inside = f"{interval(speed.latency)}{_of(speed.latency.cases, speed.cases)}"
    told = f"{b} takes {ratio(speed.latency)} as long as {a} in the typical case ({inside})"
    if speed.p50 is not None:
        told += f"; median {_seconds(speed.p50)}"
    return f"{told}."


def _of(known: int, cases: int) -> str:
    """What a number rests on, where that is not every case."""
    return "" if known == cases else f", {phrases.part(known, cases, 'case')}"


def _seconds(found: MeanDifference) -> str:
    word = "shorter" if found.estimate < 0 else "longer"
    low, high = (_signed_seconds(end) for end in (found.interval.low, found.interval.high))
    return f"{phrases.seconds(abs(found.estimate))} {word} ({phrases.level(found.interval.level)} CI {low}…{high})"


def _signed_seconds(duration: float) -> str:
    sign = "-" if duration < 0 else "+"
    return f"{sign}{phrases.seconds(abs(duration))}"


def _tokens(bill: Bill, *, a: str, b: str) -> str:
    parts = [
        f"{abs(found.estimate):,.0f} {'fewer' if found.estimate < 0 else 'more'} {kind}"
        for kind, found in (("input", bill.input_tokens), ("output", bill.output_tokens))
        if found is not None and round(abs(found.estimate)) > 0
    ]
    return f"Tokens per request: {' and '.join(parts)} than with {a}." if parts else ""
