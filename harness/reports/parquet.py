"""Results as a Parquet file: the columns of `export.COLUMNS` with their types, for data frames and warehouses."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.records import JSON, Result
from harness.reports import clean, notes
from harness.reports.export import COLUMNS, flat, kind_of

if TYPE_CHECKING:
    from pyarrow import DataType

_FLOATS = ("score", "latency", "model_time", "tool_time", "retry_time", "ttft", "cost", "judge_cost")
_WHOLE = ("repeat", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "attempts")


def check_installed() -> None:
    """See that what writes Parquet is there, without loading it.

    Raises:
        UsageError: It is not; the message says how to get it.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError('Parquet needs pyarrow: pip install "prompt-agent-harness[parquet]"')


def render(results: Iterable[Result]) -> bytes:
    """Return results as the content of a Parquet file: one row per trial, `metadata.<name>` columns last.

    Raises:
        UsageError: pyarrow is not installed.
    """
    check_installed()
    import pyarrow
    from pyarrow import parquet

    rows = [flat(result) for result in results]
    columns = list(dict.fromkeys([*COLUMNS, *(key for row in rows for key in row)]))
    types = _types()
    values: dict[str, Any] = {}
    for column in columns:
        found = [row.get(column) for row in rows]
        kind = types.get(column) or _type_of(found)
        values[clean.paired(column)] = pyarrow.array([_value(one, kind) for one in found], type=kind)
    content = io.BytesIO()
    parquet.write_table(pyarrow.table(values), content)
    return content.getvalue()


def _types() -> Mapping[str, DataType]:
    import pyarrow

    return {
        **dict.fromkeys(COLUMNS, pyarrow.string()),
        **dict.fromkeys(_FLOATS, pyarrow.float64()),
        **dict.fromkeys(_WHOLE, pyarrow.int64()),
        "tags": pyarrow.list_(pyarrow.string()),
        "passed": pyarrow.bool_(),
        "recorded_at": pyarrow.timestamp("us", tz="UTC"),
    }


def _type_of(values: list[JSON]) -> DataType:
    """The type of a fact of the cases."""
    import pyarrow

    kinds = {"bool": pyarrow.bool_, "int": pyarrow.int64, "float": pyarrow.float64, "text": pyarrow.string}
    found: DataType = kinds[kind_of(values)]()
    return found


def _value(value: JSON, kind: DataType) -> JSON:
    """A value as its column holds it; half characters, which UTF-8 has none for, are written out."""
    from pyarrow import types

    if value is None:
        return None
    if types.is_list(kind):
        return [clean.paired(str(one)) for one in value]
    if types.is_timestamp(kind):
        return _moment(str(value))
    if types.is_floating(kind):
        return float(value)
    return clean.paired(notes.plain(value)) if types.is_string(kind) else value


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
