"""Results as pandas DataFrames; the only module here that imports pandas."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.records import Result
from harness.reports.export import COLUMNS, breakdown_rows, flat
from harness.summary.breakdown import breakdown

if TYPE_CHECKING:
    from pandas import DataFrame

_FLOATS = ("score", "latency", "ttft", "cost", "judge_cost")
_WHOLE = ("repeat", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "attempts")
#: Columns whose type does not depend on what happens to be in them.
_TYPES = {
    **dict.fromkeys((name for name in COLUMNS if name not in ("tags", "recorded_at")), "string"),
    **dict.fromkeys(_FLOATS, "float64"),
    **dict.fromkeys(_WHOLE, "Int64"),
    "passed": "boolean",
}
_SLICE_FLOATS = ("accuracy", "accuracy_low", "accuracy_high", "score", "latency_p50", "ttft_p50", "cost")


def of_results(results: Sequence[Result]) -> DataFrame:
    """Return one row per result.

    Raises:
        UsageError: pandas is not installed.
    """
    pandas = _pandas()
    rows = [flat(result) for result in results]
    frame = pandas.DataFrame(rows, columns=list(dict.fromkeys([*COLUMNS, *(key for row in rows for key in row)])))
    frame = frame.astype(_TYPES)
    frame["recorded_at"] = pandas.to_datetime(frame["recorded_at"], utc=True, errors="coerce", format="ISO8601")
    return frame


def of_slices(results: Sequence[Result], by: Sequence[str]) -> DataFrame:
    """Return one row per slice and variant.

    Raises:
        UsageError: There is no such key, or pandas is not installed.
    """
    pandas = _pandas()
    rows = breakdown_rows(breakdown(results, by), by)
    frame = pandas.DataFrame(rows)
    types = {**dict.fromkeys(_SLICE_FLOATS, "float64"), **dict.fromkeys(by, "string")}
    return frame.astype({name: kind for name, kind in types.items() if name in frame})


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise UsageError(
            "data frames need pandas, which is not installed: pip install 'prompt-agent-harness[pandas]'"
        ) from None
    module: ModuleType = pandas
    return module
