"""Results as pandas DataFrames; the only module here that imports pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.records import JSON, Result
from harness.reports import clean, sliced
from harness.reports.export import COLUMNS, FactKind, flat, kind_of
from harness.reports.notes import plain
from harness.suites.suite import Suite
from harness.summary.breakdown import breakdown
from harness.summary.history import Point

if TYPE_CHECKING:
    from pandas import DataFrame

_FLOATS = ("score", "latency", "model_time", "tool_time", "retry_time", "ttft", "cost", "judge_cost")
_WHOLE = ("repeat", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "attempts")
#: Columns whose type does not depend on what happens to be in them.
_TYPES = {
    **dict.fromkeys((name for name in COLUMNS if name not in ("tags", "recorded_at")), "string"),
    **dict.fromkeys(_FLOATS, "float64"),
    **dict.fromkeys(_WHOLE, "Int64"),
    "passed": "boolean",
}
#: Types of facts of the cases, as Parquet has them.
_FACTS: Mapping[FactKind, str] = {"bool": "boolean", "int": "Int64", "float": "float64", "text": "string"}
#: What stands in a frame of runs over time: type, and what it is. Shares are 0 to 1, durations seconds.
TREND: Mapping[str, tuple[str, str]] = {
    "run": ("string", "id of the run"),
    "started": ("datetime64[us, UTC]", "when the run began"),
    "commit": ("string", "of the project; NA outside a repository"),
    "dirty": ("boolean", "whether files differed from the commit"),
    "exit_code": ("Int64", "what the run ended with"),
    "suite": ("string", "name of the suite"),
    "variant": ("string", "name of the variant"),
    "role": ("string", "baseline, candidate or report_only"),
    "prompt": ("string", "reference of the prompt"),
    "model": ("string", "the model that was asked for; where no suite says one, those that answered"),
    "trials": ("Int64", "trials that have a result, skipped ones too"),
    "planned": ("Int64", "trials before any selection"),
    "cases": ("Int64", "cases with a result"),
    "passed": ("Int64", "trials that passed"),
    "failed": ("Int64", "trials that failed"),
    "errors": ("Int64", "trials that ended in error; they are in no rate"),
    "accuracy": ("float64", "share of passes, averaged over cases"),
    "accuracy_low": ("float64", "lower end of its 95 percent interval"),
    "accuracy_high": ("float64", "upper end"),
    "score": ("float64", "mean score of graded trials"),
    "latency_p50": ("float64", "as recorded"),
    "latency_p50_low": ("float64", "lower end of its 95 percent interval; NaN for fewer than 6 calls"),
    "latency_p50_high": ("float64", "upper end"),
    "latency_p95": ("float64", "as recorded"),
    "latency_p95_low": ("float64", "lower end of its 95 percent interval; NaN for fewer than 72 calls"),
    "latency_p95_high": ("float64", "upper end"),
    "ttft_p50": ("float64", "time to the first piece of the answer; NaN where it was not streamed"),
    "ttft_p95": ("float64", "the same, p95"),
    "cost": ("float64", "US dollars of all priced trials"),
    "cost_per_trial": ("float64", "US dollars"),
    "input_tokens": ("Int64", "sent, all trials together"),
    "output_tokens": ("Int64", "answered, all trials together"),
    "difference": ("float64", "accuracy minus the baseline's, paired by case; NaN for the baseline itself"),
    "difference_low": ("float64", "lower end of its 95 percent interval"),
    "difference_high": ("float64", "upper end"),
    "verdict": (
        "string",
        "better, worse, equivalent, not_worse, no_evidence or not_enough_data; NA where nothing was compared",
    ),
}


def of_results(results: Iterable[Result]) -> DataFrame:
    """Return one row per result.

    Raises:
        UsageError: pandas is not installed.
    """
    pandas = _pandas()
    rows = [flat(result) for result in results]
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if name not in COLUMNS]
    facts = {name: kind_of(row.get(name) for row in rows) for name in names}
    texts = [name for name, kind in facts.items() if kind == "text"]
    for row in rows:
        row |= {name: plain(row[name]) for name in texts if row.get(name) is not None}
    frame = pandas.DataFrame([_encodable(row) for row in rows], columns=[*COLUMNS, *names])
    frame = frame.astype({**_TYPES, **{name: _FACTS[kind] for name, kind in facts.items()}})
    frame["recorded_at"] = pandas.to_datetime(frame["recorded_at"], utc=True, errors="coerce", format="ISO8601")
    return frame


def of_slices(results: Sequence[Result], by: Sequence[str], suites: Iterable[Suite]) -> DataFrame:
    """Return one row per slice and variant.

    Raises:
        UsageError: There is no such key, or pandas is not installed.
    """
    pandas = _pandas()
    keys = list(dict.fromkeys(by))
    kinds = {
        **dict.fromkeys(("suite", *keys, "variant"), "string"),
        **{name: kind for name, (kind, _) in sliced.COLUMNS.items()},
    }
    rows = sliced.rows(breakdown(results, keys, suites), keys)
    return pandas.DataFrame([_encodable(row) for row in rows], columns=list(kinds)).astype(kinds)


def _encodable(row: Mapping[str, JSON]) -> dict[str, JSON]:
    """A row without half characters (lone surrogates), which no string column takes; they are written out."""
    return {name: clean.paired(value) if isinstance(value, str) else value for name, value in row.items()}


def of_points(points: Iterable[Point]) -> DataFrame:
    """Return one row per run, suite and variant, the oldest run first.

    Raises:
        UsageError: pandas is not installed.
    """
    pandas = _pandas()
    frame = pandas.DataFrame([_over_time(one) for one in points], columns=list(TREND))
    frame["started"] = pandas.to_datetime(frame["started"], utc=True, errors="coerce", format="ISO8601")
    return frame.astype({name: kind for name, (kind, _) in TREND.items()})


def _over_time(point: Point) -> dict[str, JSON]:
    row: dict[str, JSON] = {name: getattr(point, name) for name in TREND if hasattr(point, name)}
    ends = {
        "accuracy": point.interval,
        "latency_p50": point.latency_p50_interval,
        "latency_p95": point.latency_p95_interval,
        "difference": point.difference_interval,
    }
    for name, found in ends.items():
        row |= {f"{name}_low": found.low if found else None, f"{name}_high": found.high if found else None}
    row |= {name: None if row[name] is None else float(row[name]) for name in ("cost", "cost_per_trial")}
    return row | {name: row[name] or None for name in ("commit", "verdict", "started")}


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise UsageError(
            "data frames need pandas, which is not installed: pip install 'prompt-agent-harness[pandas]'"
        ) from None
    module: ModuleType = pandas
    return module
