"""Numbers in words, the same wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from harness.stats.intervals import Interval


def percent(fraction: float) -> str:
    """0.9333 is "93.3%"."""
    return f"{fraction * 100:.1f}%"


def share(fraction: float) -> str:
    """A share that somebody wrote, with all of its digits: 0.9 is "90.0%", 0.9995 is "99.95%"."""
    exact = f"{fraction * 100:.10g}"
    return f"{exact}%" if "." in exact or "e" in exact else f"{exact}.0%"


def beside(fraction: float, asked: float) -> str:
    """A share in percent, with the decimals that it takes to tell it from what was asked for: "89.96%" of 90%."""
    pairs = ((f"{fraction * 100:.{places}f}%", f"{asked * 100:.{places}f}%") for places in range(1, 8))
    return next((shown for shown, wanted in pairs if shown != wanted), percent(fraction))


def points(difference: float) -> str:
    """A difference of fractions as percentage points: "+11.0 pp"."""
    return f"{signed(difference)} pp"


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


def part(number: int, whole: int, noun: str) -> str:
    """So many of all: "400 cases" where that is all, "10 of 400 cases" where it is not."""
    return count(whole, noun) if number == whole else f"{number:,} of {count(whole, noun)}"


def margin(value: float, *, given: bool) -> str:
    """The smallest difference that matters, and whether anybody chose it."""
    return size(value) if given else f"{size(value)} (default margin)"


def interval(found: Interval) -> str:
    """An interval of a difference of fractions, in percentage points: "95% CI +3.9…+18.2"."""
    return f"{level(found.level)} CI {signed(found.low)}…{signed(found.high)}"


def level(coverage: float) -> str:
    """The level of an interval: "95%", "98.3%", "99.95%"; never the "100%" that none has."""
    return next(
        shown for digits in (3, 4, 6, 17) if (shown := f"{coverage * 100:.{digits}g}%") != "100%" or digits == 17
    )


def signed(fraction: float) -> str:
    """A difference of fractions in percentage points, without the unit: "+11.0"."""
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return f"{round(fraction * 100, 1) + 0.0:+.1f}"


def change(ratio: float) -> str:
    """A ratio as a change in percent: 0.81 is "-19%"."""
    return f"{round((ratio - 1) * 100) + 0:+d}%"


def dollars(amount: float) -> str:
    """A difference in USD with its sign: "+$0.0120", "-$0.0120", "$0"."""
    shown = money(Decimal(f"{amount:.6g}"))
    return shown if shown.startswith("-") or amount == 0 else f"+{shown}"


def p(value: float) -> str:
    """A p value with two digits, never alone: "p=0.013", "p<0.001"."""
    return "p<0.001" if value < 0.001 else f"p={value:.2g}"


def names(found: Sequence[str], *, most: int = 3) -> str:
    """The first few names, and how many more there are: "a, b, c and 4 more"."""
    shown = ", ".join(found[:most])
    return f"{shown} and {len(found) - most:,} more" if len(found) > most else shown
