"""Numbers and verdicts in words: the sentences that a comparison and a gate are told in."""

from __future__ import annotations

from decimal import Decimal

from harness.stats.intervals import Interval
from harness.stats.latency import Ratio
from harness.stats.paired import Difference, MeanDifference, equivalence_p
from harness.stats.sequential import REPEATED
from harness.stats.verdicts import Verdict

#: McNemar's mid-p stands beside the interval below this number of discordant cases.
_FEW_DISCORDANT = 10


def percent(fraction: float) -> str:
    """0.9333 is "93.3%"."""
    return f"{fraction * 100:.1f}%"


def points(difference: float) -> str:
    """A difference of fractions as percentage points: "+11.0 pp"."""
    return f"{_signed(difference)} pp"


def size(difference: float) -> str:
    """A difference of fractions as percentage points, without a sign: "5.0 pp"."""
    return f"{difference * 100:.1f} pp"


def seconds(duration: float) -> str:
    """A duration with three digits: "412ms", "1.24s", "65.1s"."""
    if duration < 0.9995:
        return f"{duration * 1000:.0f}ms"
    return f"{duration:.2f}s" if duration < 9.995 else f"{duration:.1f}s"


def money(amount: Decimal) -> str:
    """USD with two decimals, or with as many as three significant digits take: "$12.40", "$0.00123"."""
    if amount == 0:
        return "$0"
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    places = 2 if amount >= 1 else 2 - amount.adjusted()
    return f"{sign}${amount:.{places}f}"


def differ(number: int) -> str:
    """How many differ: "1 differs", "3 differ"."""
    return f"{number:,} differs" if number == 1 else f"{number:,} differ"


def count(number: int, noun: str) -> str:
    """1 is "1 trial", 2 is "2 trials"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def margin(value: float, *, given: bool) -> str:
    """The smallest difference that matters, and whether anybody chose it."""
    return size(value) if given else f"{size(value)} (default margin)"


def interval(found: Interval) -> str:
    """An interval of a difference of fractions, in percentage points: "95% CI +3.9…+18.2"."""
    return f"{found.level * 100:.0f}% CI {_signed(found.low)}…{_signed(found.high)}"


def headline(verdict: Verdict, *, a: str, b: str) -> str:
    """The verdict's first words."""
    match verdict.kind:
        case "better" | "worse":
            return f"{b} is {verdict.kind}"
        case "equivalent":
            return f"{b} is equivalent to {a} within ±{size(verdict.margin)}"
        case "not_worse":
            return f"{b} is not worse than {a} by more than {size(verdict.margin)}"
        case "no_evidence":
            return f"No evidence of a difference between {b} and {a}"
        case "not_enough_data":
            return f"Not enough data to tell {b} from {a}"


def sentence(difference: Difference, verdict: Verdict, *, a: str, b: str, given: bool) -> str:
    """The verdict as a whole sentence or two: what was found, in how many cases, and what would tell more.

    Args:
        difference: B's pass rate minus A's.
        verdict: Of that difference.
        a: Name of arm A, the one compared with.
        b: Name of arm B.
        given: Whether somebody chose the margin.
    """
    told = f"{headline(verdict, a=a, b=b)}{_default_after_headline(verdict, given)}: {evidence(difference, verdict)}"
    matters = margin(verdict.margin, given=given)
    match verdict.kind:
        case "better" | "worse":
            return f"{told}, but by less than the {matters} that matter." if verdict.within_margin else f"{told}."
        case "equivalent":
            return f"{told}."
        case "not_worse":
            return f"{told}; it could be better by up to {size(difference.interval.high)}."
        case "no_evidence":
            low, high = _signed(difference.interval.low), _signed(difference.interval.high)
            return (
                f"{told}. The data rule out changes beyond {low}…{high} pp; "
                f"the suite could have seen ±{matters} with 80% power."
            )
        case "not_enough_data":
            return f"{told}. {missing(difference, verdict, given=given)}."


def evidence(difference: Difference, verdict: Verdict | None = None) -> str:
    """The difference, its interval, and the cases behind it: "+11.0 pp (95% CI +3.9…+18.2), 38 fixed, ... of 200"."""
    equivalent = verdict is not None and verdict.kind == "equivalent"
    # Looks on the way have an interval of their own, and no p value.
    repeated = difference.interval.method.endswith(REPEATED)
    inside = [interval(difference.interval90 if equivalent else difference.interval)]
    if equivalent and verdict is not None and not repeated:
        inside.append(f"TOST p {_p(equivalence_p(difference, verdict.margin))}")
    mid_p = difference.mcnemar
    if mid_p is not None and 0 < difference.fixed + difference.broken < _FEW_DISCORDANT:
        inside.append(f"McNemar mid-p {_p(mid_p)}")
    shown = f"{points(difference.estimate)} ({', '.join(inside)})"
    if difference.pairs == difference.cases:
        return f"{shown}, {difference.fixed} fixed, {difference.broken} broken of {difference.cases}"
    repeats = f"{difference.repeats:.1f}".removesuffix(".0")
    return (
        f"{shown}, {count(difference.fixed, 'case')} passed more often, {difference.broken} less often, "
        f"of {difference.cases} ({repeats} repeats)"
    )


def missing(difference: Difference, verdict: Verdict, *, given: bool) -> str:
    """How many cases it takes to see the margin."""
    needed = verdict.needed if verdict.needed is not None else verdict.required - difference.cases
    if needed <= 0:
        return (
            f"{count(difference.cases, 'case')} would have shown {margin(verdict.margin, given=given)} with 80% power"
        )
    floor = (
        f"; more repeats alone can never get below ±{size(verdict.floor)}"
        if verdict.floor is not None and verdict.floor > verdict.margin
        else ""
    )
    cases = count(difference.cases, "case")
    size_shown = (
        f"only show ±{size(verdict.detectable)}" if verdict.detectable < 1 else "show no difference, however large"
    )
    return (
        f"{cases} can {size_shown}; "
        f"±{margin(verdict.margin, given=given)} needs about {needed:,} more {'case' if needed == 1 else 'cases'}{floor}"
    )


def latency_ratio(ratio: Ratio, *, a: str, b: str) -> str:
    """How long B takes against A, in the typical case."""
    return (
        f"{b} takes {ratio.estimate:.2f} times as long as {a} in the typical case "
        f"(95% CI {ratio.interval.low:.2f}…{ratio.interval.high:.2f}, {count(ratio.cases, 'case')})."
    )


def cost_difference(found: MeanDifference, *, a: str, b: str) -> str:
    """What B costs more or less than A per trial; empty where every case costs the same."""
    if found.estimate == found.interval.low == found.interval.high == 0:
        return ""
    word = "less" if found.estimate < 0 else "more"
    low, high = (_dollars(end) for end in (found.interval.low, found.interval.high))
    return (
        f"{b} costs {money(_decimal(abs(found.estimate)))} {word} per trial than {a} "
        f"(95% CI {low}…{high}, {count(found.cases, 'case')})."
    )


def _default_after_headline(verdict: Verdict, given: bool) -> str:
    return " (default margin)" if not given and verdict.kind in ("equivalent", "not_worse") else ""


def _signed(fraction: float) -> str:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return f"{round(fraction * 100, 1) + 0.0:+.1f}"


def _dollars(amount: float) -> str:
    shown = money(_decimal(amount))
    return shown if shown.startswith("-") or amount == 0 else f"+{shown}"


def _decimal(amount: float) -> Decimal:
    return Decimal(f"{amount:.6g}")


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.2g}"
