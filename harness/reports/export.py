"""Results as flat rows, for spreadsheets and data frames: one per trial, the same columns everywhere."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from harness.records import JSON, Failure, Outcome, Result
from harness.reports import clean, notes
from harness.store.rows import plain
from harness.summary import RunSummary, differences_of
from harness.summary.parts import time_of

#: Columns that every row has, and what they hold. `metadata.<name>` columns follow them.
COLUMNS: Mapping[str, str] = {
    "run": "id of the run",
    "suite": "name of the suite",
    "case": "id of the case",
    "variant": "name of the variant",
    "repeat": "which repeat of the case, from 1",
    "tags": "tags of the case",
    "outcome": "passed, failed, error or skipped",
    "passed": "true or false; empty where nothing was graded",
    "score": "weighted mean of the checks, 0 to 1; empty on error",
    "latency": "seconds, as recorded",
    "model_time": "seconds of the latency in which the service was at work",
    "tool_time": "seconds of the latency in which tools, and other code between the calls, were",
    "retry_time": "seconds of the latency that failed attempts and the waits after them took",
    "ttft": "seconds to the first piece of the answer; empty where it was not streamed",
    "cost": "US dollars; empty where no price is known",
    "judge_cost": "US dollars that scorers spent",
    "input_tokens": "tokens sent",
    "output_tokens": "tokens of the answer",
    "cached_input_tokens": "those of the tokens sent that the service had cached",
    "reasoning_tokens": "those of the answer's tokens that went into reasoning",
    "attempts": "requests, retries included",
    "model": "the model that answered, as the service names it",
    "prompt": "reference of the prompt",
    "prompt_hash": "sha256 of the rendered prompt",
    "finish_reason": "why the answer ended",
    "error": "kind of the error",
    "error_message": "what the error says",
    "recorded_at": "when the answer was recorded, ISO 8601 in UTC",
    "cassette": "path of the recording",
    "input": "what the user said",
    "output": "the answer",
}

FactKind: TypeAlias = Literal["bool", "int", "float", "text"]

#: Version of what `summary_data` returns: keys are added, and none goes or changes its meaning, while it stays.
SUMMARY_SCHEMA = 1
#: What a spreadsheet takes for a formula, also behind blanks and characters that cannot be seen.
_FORMULA = re.compile(
    r"[\s\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u2064\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]*"
    r"[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]"
)
#: Characters that a cell of a spreadsheet holds; it drops the rest without a word.
_CELL = 32_767
_LEFT_OUT = "left out: it may quote an answer"
#: Errors whose message nobody's answer is quoted in.
_SPEAKS_OF_US = frozenset(
    {
        "authentication",
        "budget",
        "connection",
        "interrupted",
        "permission",
        "quota",
        "rate_limited",
        "stopped_early",
        "timeout",
    }
)


def flat(result: Result) -> dict[str, JSON]:
    """Return a result as one flat row: the keys of `COLUMNS`, then one per fact in the case's metadata.

    Amounts are floats in US dollars, durations seconds; tags are a list. A trial that was not graded has None in `passed`.
    """
    model, tools, retries = time_of(result) or (None, None, None)
    graded = result.outcome in (Outcome.PASSED, Outcome.FAILED)
    row: dict[str, JSON] = {
        "run": result.run,
        "suite": result.suite,
        "case": result.case,
        "variant": result.variant,
        "repeat": result.repeat,
        "tags": list(result.tags),
        "outcome": result.outcome.value,
        "passed": result.outcome is Outcome.PASSED if graded else None,
        "score": result.score,
        "latency": result.latency,
        "model_time": model,
        "tool_time": tools,
        "retry_time": retries,
        "ttft": result.ttft,
        "cost": None if result.cost is None else float(result.cost),
        "judge_cost": None if result.judge_cost is None else float(result.judge_cost),
        "input_tokens": result.usage.input,
        "output_tokens": result.usage.output,
        "cached_input_tokens": result.usage.cached_input,
        "reasoning_tokens": result.usage.reasoning,
        "attempts": result.attempts,
        "model": result.model,
        "prompt": result.prompt.ref if result.prompt else None,
        "prompt_hash": result.prompt.hash if result.prompt else None,
        "finish_reason": result.finish_reason,
        "error": result.error.kind if result.error else None,
        "error_message": result.error.message if result.error else None,
        "recorded_at": result.cassette.recorded_at if result.cassette else None,
        "cassette": result.cassette.path if result.cassette else None,
        "input": notes.plain(result.input),
        "output": result.output,
    }
    return row | {f"metadata.{name}": value for name, value in result.metadata.items()}


def kind_of(values: Iterable[JSON]) -> FactKind:
    """Return what a column of one fact of the cases holds: what all its values have in common, else text."""
    found = [value for value in values if value is not None]
    kinds = {type(value) for value in found}
    if kinds == {bool}:
        return "bool"
    if kinds == {int} and all(abs(value) < 2**63 for value in found if isinstance(value, int)):
        return "int"
    return "float" if kinds and kinds <= {int, float} else "text"


def csv_text(rows: Sequence[Mapping[str, JSON]], columns: Iterable[str] = COLUMNS) -> str:
    """Return flat rows as CSV with a header (RFC 4180).

    A text that a spreadsheet would take for a formula gets an apostrophe before it, and control characters are left
    out: answers are other people's text.
    """
    columns = list(dict.fromkeys([*columns, *(key for row in rows for key in row)]))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([_defused(column) for column in columns])
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return file.getvalue()


def without_outputs(results: Iterable[Result]) -> Iterator[Result]:
    """Yield results without anything that the assistant said; reasons of checks and messages quote it, so they go too.

    What the user said stays, also where a later turn of his repeats a part of an answer.
    """
    for result in results:
        extra: dict[str, JSON] = {"verify": {"differences": [_LEFT_OUT]}} if differences_of(result) else {}
        if (parts := time_of(result)) is not None:
            extra["time"] = dict(zip(("model", "tools", "retries"), parts, strict=True))
        yield replace(
            result,
            output=None,
            error=result.error and _discreet(result.error),
            messages=(),
            tool_calls=(),
            turns=(),
            state=None,
            extra=extra,
            files={},
            checks=tuple(replace(check, reason="") for check in result.checks),
        )


def summary_without_outputs(summary: RunSummary) -> RunSummary:
    """Return a run's summary without what an assistant said: how answers differ from their recordings quotes them."""
    suites = (
        replace(
            suite,
            variants=tuple(
                replace(one, differing=tuple((trial, (_LEFT_OUT,)) for trial, _ in one.differing))
                for one in suite.variants
            ),
        )
        for suite in summary.suites
    )
    return replace(summary, suites=tuple(suites))


def summary_data(summary: RunSummary) -> dict[str, JSON]:
    """Return a run's summary as plain data: the fields of `RunSummary` and all below it, money as decimal strings."""
    found: dict[str, JSON] = plain(dataclasses.asdict(summary))
    return {"schema": SUMMARY_SCHEMA, **found, "exit_code": int(summary.exit_code)}


def _cell(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return _defused(", ".join(value))
    return _defused(value if isinstance(value, str) else notes.plain(value))


def _defused(text: str) -> str:
    # Readers of CSV stop at a NUL, and terminals obey what they are shown; results.jsonl has the text as it was.
    text = clean.block(text)
    text = f"'{text}" if _FORMULA.match(text) else text
    if len(text) <= _CELL:
        return text
    note = f"… [cut: {len(text):,} characters, all of them in results.jsonl]"
    return text[: _CELL - len(note)] + note


def _discreet(error: Failure) -> Failure:
    """An error whose message quotes no answer; commands in it are kept."""
    if error.kind in _SPEAKS_OF_US:
        return error
    if error.kind == "ungraded":
        return replace(error, message="a check could not be scored")
    commands = [line.strip() for line in error.message.splitlines() if line.strip().startswith("harness ")]
    return replace(error, message="\n".join([_LEFT_OUT, *commands]))
