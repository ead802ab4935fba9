"""Answers that exist already: the rows of a file, each what an assistant said to one case.

Columns are those of `COLUMNS`, and `usage.<name>` for each of `TOKENS`. Several rows of one case are its repeats, in the
order of the file. In a CSV, what is a list or a mapping stands in its cell as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from harness.amounts import duration, money
from harness.errors import Problem, SourceLocation, did_you_mean
from harness.jsontext import JSONTooLarge, NotJSON, json_text, parse_json
from harness.records import JSON, Role
from harness.suites.datasets import capped, read_records

SUFFIXES = (".jsonl", ".csv")
TOKENS = ("input", "output", "cached_input", "reasoning")
COLUMNS = (
    *("id", "case", "input", "output", "turns", "messages", "tool_calls", "usage", "latency", "ttft", "cost"),
    *("recorded_at", "model", "finish_reason"),
    *(f"usage.{name}" for name in TOKENS),
)
_TURN = ("output", "tool_calls", "usage", "latency", "ttft", "finish_reason")
_ROLES = get_args(Role)
#: What no answer takes: seconds, US dollars, digits of a number of tokens. Sums and squares of less can be computed.
_LONGEST, _DEAREST, _DIGITS = 1e9, Decimal(1_000_000_000), 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back in one turn."""

    output: str
    #: As written: name, arguments, output, error; or in OpenAI's shape.
    tool_calls: tuple[Mapping[str, JSON], ...] = ()
    #: As written: input, output and so on; or in OpenAI's shape.
    usage: Mapping[str, JSON] = field(default_factory=dict)
    #: Seconds.
    latency: float | None = None
    ttft: float | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One row: the answers to one case."""

    where: SourceLocation
    case: str
    #: What the case said when it was answered; None: the row does not say.
    input: JSON = None
    #: One answer for each turn; None: the row holds none, only what else is known.
    turns: tuple[Answered, ...] | None
    #: `output` as written, which may be a list of the answers to several turns or one answer that is a list.
    written: JSON = None
    messages: tuple[Mapping[str, JSON], ...] = ()
    usage: Mapping[str, JSON] = field(default_factory=dict)
    latency: float | None = None
    ttft: float | None = None
    cost: Decimal | None = None
    recorded_at: str | None = None
    model: str | None = None

    def answers(self, turns: int) -> tuple[Answered, ...] | None:
        """Return the answers to a case of so many turns; None where the row holds no answer.

        Raises:
            ValueError: It holds answers to another number of turns.
        """
        if self.turns is None:
            return None
        found = self.turns
        if len(found) == 1 and turns > 1 and isinstance(self.written, list):
            last = found[0]
            found = (
                *(Answered(output=json_text(one)) for one in self.written[:-1]),
                Answered(
                    output=json_text(self.written[-1]),
                    tool_calls=last.tool_calls,
                    ttft=last.ttft,
                    finish_reason=last.finish_reason,
                ),
            )
        if len(found) != turns:
            raise ValueError(
                f"the case '{self.case}' has {turns} turn{'s' if turns != 1 else ''}, and this row answers {len(found)}; "
                "`output` as a list, or `turns: [{output: ..}, ..]`, holds one answer for each"
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A file of answers."""

    shown: str
    by_case: Mapping[str, Sequence[AnswerRow]]
    #: Columns that mean nothing here.
    unknown: tuple[str, ...] = ()


def read_answers(path: Path, *, shown: str) -> tuple[Answers, list[Problem]]:
    """Read a file of answers; return them and everything wrong with it.

    Args:
        path: The file, JSONL or CSV.
        shown: How messages name it.
    """
    file = SourceLocation(shown)
    nothing = Answers(shown=shown, by_case={})
    if path.suffix.lower() not in SUFFIXES:
        return nothing, [Problem(message=f"'{shown}' is neither {' nor '.join(SUFFIXES)}.", location=file)]
    records, columns, problems = read_records(path, shown=shown)
    if not problems and not records:
        problems.append(Problem(message="the file has no rows.", location=file))
    if not problems and not {"id", "case"} & set(columns):
        hint = f"It has: {', '.join(columns[:12])}."
        problems.append(Problem(message="there is no column 'id' that names the case.", location=file, hint=hint))
    if problems:
        return nothing, capped(problems, file)
    in_csv = path.suffix.lower() == ".csv"
    found: dict[str, list[AnswerRow]] = {}
    for where, record in records:
        reader = _Row(where, record, in_csv=in_csv)
        row = reader.read()
        problems += reader.problems
        if row is not None:
            found.setdefault(row.case, []).append(row)
    unknown = tuple(name for name in columns if name not in COLUMNS)
    return Answers(shown=shown, by_case=found, unknown=unknown), capped(problems, file)


def unknown_columns(answers: Answers) -> str | None:
    """Say which columns of a file mean nothing, and what they may have meant; None: every one is known."""
    if not answers.unknown:
        return None
    named = []
    for name in answers.unknown[:8]:
        hint = did_you_mean(name, COLUMNS)
        named.append(f"'{name}' ({hint[0].lower()}{hint[1:]})" if hint else f"'{name}'")
    more = f" and {len(answers.unknown) - 8} more" if len(answers.unknown) > 8 else ""
    many = len(answers.unknown) > 1
    return (
        f"{answers.shown}: the column{'s' if many else ''} {', '.join(named)}{more} {'are' if many else 'is'} not used"
    )


class _Row:
    """Reads one row; what is wrong with it collects in `problems`."""

    def __init__(self, where: SourceLocation, record: Mapping[str, JSON], *, in_csv: bool) -> None:
        self._where = where
        self._record = record
        self._in_csv = in_csv
        self.problems: list[Problem] = []

    def read(self) -> AnswerRow | None:
        case = self._case()
        usage = self._usage()
        given = self._parsed("output")
        turns = self._turns(given)
        row = AnswerRow(
            where=self._where,
            case=case or "",
            input=self._parsed("input"),
            turns=turns,
            written=given,
            messages=self._messages(),
            usage=usage,
            latency=self._value("latency", _seconds),
            ttft=self._value("ttft", _seconds),
            cost=self._value("cost", _dollars),
            recorded_at=self._value("recorded_at", _moment),
            model=self._value("model", _text),
        )
        return row if case is not None else None

    def _case(self) -> str | None:
        given = [self._record[name] for name in ("id", "case") if self._record.get(name) not in (None, "")]
        if len(given) == 2 and str(given[0]) != str(given[1]):
            self._complain("the row has an `id` and a `case` that differ; both name the case.")
        if not given or isinstance(given[0], dict | list | bool):
            self._complain("the row has no `id` that names its case.")
            return None
        return str(given[0])

    def _turns(self, output: JSON) -> tuple[Answered, ...] | None:
        listed = self._parsed("turns")
        if listed is None:
            if output is None:
                return None
            return (
                Answered(
                    output=json_text(output) if not isinstance(self._record["output"], str) else self._record["output"],
                    tool_calls=self._calls(self._parsed("tool_calls")),
                    ttft=self._value("ttft", _seconds),
                    finish_reason=self._value("finish_reason", _text),
                ),
            )
        if output is not None:
            self._complain("the row has `output` and `turns`; choose one.")
        if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
            self._complain("`turns` is a list of mappings such as {output: ..}.")
            return None
        if any("output" not in one for one in listed):
            self._complain("each of `turns` has an `output`.")
            return None
        for name in dict.fromkeys(name for one in listed for name in one if name not in _TURN):
            self._complain(f"unknown key '{name}' in `turns`.", did_you_mean(name, _TURN))
        return tuple(self._turn(one) for one in listed)

    def _turn(self, given: Mapping[str, JSON]) -> Answered:
        usage = given.get("usage")
        return Answered(
            output=json_text(given["output"]) if given["output"] is not None else "",
            tool_calls=self._calls(given.get("tool_calls")),
            usage=usage if isinstance(usage, Mapping) else {},
            latency=self._value("latency", _seconds, given),
            ttft=self._value("ttft", _seconds, given),
            finish_reason=self._value("finish_reason", _text, given),
        )

    def _calls(self, given: JSON) -> tuple[Mapping[str, JSON], ...]:
        if given is None:
            return ()
        if isinstance(given, list) and all(isinstance(one, dict) and _called(one) for one in given):
            return tuple(given)
        self._complain("`tool_calls` is a list of mappings with `name` and `arguments`.")
        return ()

    def _messages(self) -> tuple[Mapping[str, JSON], ...]:
        given = self._parsed("messages")
        if given is None:
            return ()
        if not isinstance(given, list) or not all(isinstance(one, dict) and one.get("role") in _ROLES for one in given):
            self._complain(f"`messages` is a list of mappings with `role` ({', '.join(_ROLES)}) and `content`.")
            return ()
        return tuple(given)

    def _usage(self) -> Mapping[str, JSON]:
        given = self._parsed("usage")
        if given is not None and not isinstance(given, dict):
            self._complain("`usage` is a mapping such as {input: 120, output: 35}.")
            given = None
        counts = {name: self._value(f"usage.{name}", _count) for name in TOKENS}
        return {**(given or {}), **{name: count for name, count in counts.items() if count is not None}}

    def _parsed(self, name: str) -> JSON:
        """A value; in a CSV, what looks like a list or mapping is read as JSON."""
        value = self._record.get(name)
        if not (self._in_csv and isinstance(value, str) and value.lstrip()[:1] in ("[", "{")):
            return value
        try:
            return parse_json(value)
        except (NotJSON, JSONTooLarge) as error:
            if name not in ("input", "output"):
                self._complain(f"`{name}`: {error}.")
                return None
            return value

    def _value(self, name: str, read: Callable[[Any], Any], of: Mapping[str, JSON] | None = None) -> Any:
        value = (self._record if of is None else of).get(name)
        if value is None or value == "":
            return None
        try:
            return read(value)
        except ValueError as error:
            self._complain(f"`{name}`: {error}.")
            return None

    def _complain(self, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(message=message, location=self._where, hint=hint))


def _called(call: Mapping[str, JSON]) -> bool:
    inner = call.get("function")
    name = inner.get("name") if isinstance(inner, Mapping) else call.get("name")
    return isinstance(name, str) and bool(name)


def _count(value: JSON) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise ValueError(f"{value!r} is no number of tokens")
    if len(text) > _DIGITS:
        raise ValueError(f"{value!r:.20} ... is more tokens than there are")
    return int(text)


def _seconds(value: JSON) -> float:
    found: float = duration(value)
    if found > _LONGEST:
        raise ValueError(f"{value!r:.20} is longer than any answer takes")
    return found


def _dollars(value: JSON) -> Decimal:
    found: Decimal = money(value)
    if found > _DEAREST:
        raise ValueError(f"{value!r:.20} is no price of an answer")
    return found


def _text(value: JSON) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004 (as for the other columns)
    return value


def _moment(value: JSON) -> str:
    """Read a moment; one without a time zone is in UTC."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError(f"{value!r} is no moment; write 2026-07-31T12:00:00Z")
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def row_inputs(given: JSON) -> Iterator[str]:
    """Yield the texts of an input, one after the other, without the blank space around them."""
    if isinstance(given, list | tuple):
        for one in given:
            yield from row_inputs(one)
    else:
        yield str(given).strip()
