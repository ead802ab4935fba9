"""A breakdown as rows: of numbers for data frames and spreadsheets, of text for tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.records import JSON
from harness.reports import words
from harness.summary.breakdown import Slice

#: What a row holds besides the suite, the keys and the variant: type in a data frame, and what it is.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "trials": ("Int64", "trials that have a result"),
    "cases": ("Int64", "cases they are of"),
    "passed": ("Int64", "trials that passed"),
    "failed": ("Int64", "trials that failed"),
    "errors": ("Int64", "trials that ended in error; they are in no rate"),
    "accuracy": ("float64", "share of passes, averaged over cases"),
    "accuracy_low": ("float64", "lower end of its 95 percent interval"),
    "accuracy_high": ("float64", "upper end"),
    "score": ("float64", "mean score of graded trials"),
    "latency_p50": ("float64", "seconds, as recorded"),
    "latency_p95": ("float64", "seconds, as recorded"),
    "ttft_p50": ("float64", "seconds to the first piece of the answer"),
    "cost": ("float64", "US dollars of all priced trials"),
    "cost_per_trial": ("float64", "US dollars"),
    "input_tokens": ("float64", "mean of a trial"),
    "output_tokens": ("float64", "mean of a trial"),
    "difference": ("float64", "accuracy minus that of the baseline's trials with the same values, paired by case"),
    "difference_low": ("float64", "lower end of its interval, which holds together with all others of the breakdown"),
    "difference_high": ("float64", "upper end"),
    "word": ("string", "better, worse, none or few (cases), adjusted for all differences of the breakdown"),
}

_WORDS = {"better": "better", "worse": "worse", "none": "", "few": "few cases"}


def rows(slices: Sequence[Slice], keys: Sequence[str]) -> list[dict[str, JSON]]:
    """Return slices as plain rows of numbers: the suite, the keys, the variant, then `COLUMNS`."""
    return [
        {
            "suite": one.suite,
            **dict(zip(keys, one.values, strict=True)),
            "variant": one.variant,
            **{name: _number(one, name) for name in COLUMNS},
        }
        for one in slices
    ]


def table(slices: Sequence[Slice], keys: Sequence[str]) -> list[dict[str, JSON]]:
    """Return slices as rows of text for a table, the suite left out where there is only one."""
    several = len({one.suite for one in slices}) > 1
    compared = any(one.contrast is not None for one in slices)
    return [
        {
            **({"suite": one.suite} if several else {}),
            **{key: words.NOTHING if value is None else value for key, value in zip(keys, one.values, strict=True)},
            "variant": one.variant,
            "n": one.trials,
            "passed": one.passed,
            "accuracy [95% CI]": words.accuracy(one.accuracy, one.interval),
            "p50": words.seconds(one.latency_p50),
            "cost": words.cost(one.cost, one.unpriced),
            **({"vs baseline": _against(one)} if compared else {}),
        }
        for one in slices
    ]


def footnote(slices: Sequence[Slice]) -> str:
    """Say what the words of a table rest on; empty where nothing was compared."""
    count = sum(one.contrast is not None for one in slices)
    return f"{count} differences tested, and the words adjusted for that (Holm)." if count > 1 else ""


def _against(one: Slice) -> str:
    if one.contrast is None:
        return words.NOTHING
    word = _WORDS[one.contrast.word]
    return f"{words.points(one.contrast.difference)}{f', {word}' if word else ''}"


def _number(one: Slice, name: str) -> JSON:
    contrast = one.contrast
    if name.startswith("difference") or name == "word":
        if contrast is None:
            return None
        ends = {"difference_low": contrast.interval.low, "difference_high": contrast.interval.high}
        return {**ends, "difference": contrast.difference.estimate, "word": contrast.word}[name]
    if name in ("accuracy_low", "accuracy_high"):
        found = one.interval
        return None if found is None else found.low if name.endswith("low") else found.high
    value = getattr(one, name)
    return float(value) if name in ("cost", "cost_per_trial") and value is not None else value
