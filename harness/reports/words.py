"""Numbers and verdicts as every report writes them."""

from __future__ import annotations

from decimal import Decimal

from harness.errors import ExitCode
from harness.stats.intervals import Interval
from harness.stats.paired import Difference
from harness.stats.verdicts import VerdictKind
from harness.summary import Comparison, VariantRole, VariantSummary, phrases

#: What stands where nothing was measured.
NOTHING = "-"


def percent(fraction: float | None) -> str:
    """0.9333 is "93.3%"."""
    return NOTHING if fraction is None else phrases.percent(fraction)


def accuracy(rate: float | None, interval: Interval | None) -> str:
    """A pass rate with its interval: "93.3% [78.7, 98.2]"."""
    if rate is None or interval is None:
        return percent(rate)
    return f"{percent(rate)} [{interval.low * 100:.1f}, {interval.high * 100:.1f}]"


def points(difference: Difference | None) -> str:
    """A difference of pass rates: "+11.0 pp"."""
    return NOTHING if difference is None else phrases.points(difference.estimate)


def seconds(duration: float | None) -> str:
    """A duration with three digits: "412ms", "1.24s", "65.1s"."""
    return NOTHING if duration is None else phrases.seconds(duration)


def money(amount: Decimal | None) -> str:
    """USD with two decimals, or with as many as three significant digits take: "$12.40", "$0.00123"."""
    return NOTHING if amount is None else phrases.money(amount)


def cost(amount: Decimal | None, unpriced: int) -> str:
    """A cost, "unpriced" where no price is known; a plus where it is known for a part only."""
    if amount is None:
        return "unpriced" if unpriced else NOTHING
    return money(amount) + ("+" if unpriced else "")


def short_verdict(kind: VerdictKind) -> str:
    """A verdict in two or three words, for a cell of a table."""
    match kind:
        case "better" | "worse" | "equivalent":
            return kind
        case "not_worse":
            return "not worse"
        case "no_evidence":
            return "no evidence"
        case "not_enough_data":
            return "not enough data"


def against_baseline(comparison: Comparison | None) -> str:
    """What the comparison found, for a cell of a table: "+11.0 pp, better"."""
    if comparison is None:
        return ""
    if comparison.same:
        return "same recordings"
    if comparison.difference is None or comparison.verdict is None:
        return "not compared"
    return f"{phrases.points(comparison.difference.estimate)}, {short_verdict(comparison.verdict.kind)}"


def ending(code: ExitCode) -> str:
    """What a run came to, in a word or two."""
    match code:
        case ExitCode.PASSED:
            return "passed"
        case ExitCode.FAILED:
            return "failed"
        case ExitCode.USAGE:
            return "not run"
        case ExitCode.ERRORS:
            return "errors"
        case ExitCode.BUDGET:
            return "over budget"
        case ExitCode.NOTHING:
            return "nothing selected"
        case ExitCode.STORAGE:
            return "not stored"
        case ExitCode.INTERRUPTED:
            return "interrupted"


def role(variant: VariantSummary) -> str:
    """What a variant is for, where that is worth saying."""
    words: dict[VariantRole, str] = {
        "baseline": "baseline",
        "candidate": "",
        "report_only": "report only",
    }
    return words[variant.role]


def recorded(span: tuple[str, str] | None) -> str:
    """When answers were recorded: one day, or the first and the last."""
    if span is None:
        return ""
    first, last = day(span[0]), day(span[1])
    return f"recorded {first}" if first == last else f"recorded {first} to {last}"


def day(moment: str) -> str:
    """The date of an ISO 8601 time; anything else as it is."""
    return moment[:10]


def moment(text: str) -> str:
    """An ISO 8601 time as "2026-11-21 14:32 UTC"; anything else as it is."""
    if len(text) < 16 or text[10] not in "T ":
        return text
    zone = " UTC" if text.endswith(("Z", "+00:00")) else text[19:]
    return f"{text[:10]} {text[11:16]}{zone}"
