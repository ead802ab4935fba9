"""Cases from files: CSV, JSONL, and YAML lists.

Columns are `input`, `expected`, `id`, `tags`, `cluster`, `required`, `must_pass`, `vars.<name>`, `metadata.<name>` and
`expect.<scorer>`; any other can be named in templates. What stands in a file is data: a cell is never a template.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from harness.errors import Problem, SourceLocation, did_you_mean
from harness.jsontext import JSONTooLarge, NotJSON, parse_json
from harness.located import read_yaml
from harness.records import JSON

SUFFIXES = (".csv", ".jsonl", ".yaml", ".yml")
#: Standard columns; those with a dot take any name after it.
STANDARD = ("id", "input", "expected", "tags", "cluster", "required", "must_pass")
PREFIXES = ("vars.", "metadata.", "expect.")
#: Keys of a suite's cases that no row can have.
_NOT_HERE = ("turns", "history")

_LARGEST = 200_000_000
#: Rows that are complained about; a file of another shape would fill screens.
_MOST_COMPLAINTS = 20
_TAG_SEPARATOR = re.compile(r"[,;|]")
_WORDS = {"": False, "false": False, "no": False, "0": False, "true": True, "yes": True, "1": True}

Record: TypeAlias = tuple[SourceLocation, Mapping[str, JSON]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case as data."""

    where: SourceLocation
    id: str | None = None
    input: JSON = None
    expected: JSON = None
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    vars: Mapping[str, JSON] = field(default_factory=dict)
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    #: Scorer name to argument.
    expect: Mapping[str, JSON] = field(default_factory=dict)
    required: bool = False
    must_pass: JSON = None
    #: All other columns.
    columns: Mapping[str, JSON] = field(default_factory=dict)


def read_rows(
    path: Path, *, shown: str, rename: Mapping[str, str], limit: int | None
) -> tuple[list[Row], list[Problem]]:
    """Read a dataset; return its rows and everything wrong with it.

    Args:
        path: The file.
        shown: How messages name it.
        rename: Standard column to the name it has in the file (`map:`).
        limit: At most so many rows.
    """
    file = SourceLocation(shown)
    if path.suffix.lower() not in SUFFIXES:
        return [], [Problem(message=f"'{shown}' is no dataset; known are {', '.join(SUFFIXES)}.", location=file)]
    records, columns, problems = read_records(path, shown=shown, limit=limit)
    if not problems:
        problems += _columns(columns, records, rename, file)
    if problems:
        return [], capped(problems, file)
    back = {name: standard for standard, name in rename.items()}
    rows = [
        _row(where, {back.get(key, key): value for key, value in record.items()}, problems) for where, record in records
    ]
    return rows, capped(problems, file)


def read_records(path: Path, *, shown: str, limit: int | None = None) -> tuple[list[Record], list[str], list[Problem]]:
    """Read the rows of a file as they are; return them, the names of all columns, and everything wrong with the file.

    Args:
        path: The file; its name ends in one of `SUFFIXES`.
        shown: How messages name it.
        limit: At most so many rows.
    """
    file = SourceLocation(shown)
    read = {".csv": _csv, ".jsonl": _jsonl, ".yaml": _yaml, ".yml": _yaml}[path.suffix.lower()]
    problems: list[Problem] = []
    columns: dict[str, None] = {}
    # A cell may hold a document; csv's own limit is 128 kB.
    previous = csv.field_size_limit(_LARGEST)
    try:
        if path.stat().st_size > _LARGEST:
            return [], [], [Problem(message=f"a dataset has at most {_LARGEST:,} bytes.", location=file)]
        records = list(islice(read(path, shown, problems, columns), limit))
    except OSError as error:
        return [], [], [Problem(message=f"cannot read the dataset: {error.strerror or error}.", location=file)]
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1 if path.suffix.lower() == ".csv" else 1
        return [], [], [Problem(message="the file is not UTF-8 text.", location=SourceLocation(shown, line))]
    finally:
        csv.field_size_limit(previous)
    return records, list(columns), problems


def capped(problems: Sequence[Problem], file: SourceLocation) -> list[Problem]:
    """Return the first problems of a file, and how many more there are."""
    if len(problems) <= _MOST_COMPLAINTS:
        return list(problems)
    more = Problem(message=f"{len(problems) - _MOST_COMPLAINTS} more problems in this file.", location=file)
    return [*problems[:_MOST_COMPLAINTS], more]


def _columns(
    columns: Sequence[str], records: Sequence[Record], rename: Mapping[str, str], file: SourceLocation
) -> Iterator[Problem]:
    if not records:
        yield Problem(message="the dataset has no rows.", location=file)
        return
    has = f"It has: {', '.join(columns[:12])}."
    for standard, name in rename.items():
        if standard not in STANDARD and not standard.startswith(PREFIXES):
            hint = (
                did_you_mean(standard, STANDARD) or f"Known: {', '.join(STANDARD)}, {'<name>, '.join(PREFIXES)}<name>."
            )
            yield Problem(message=f"`map:` gives a name to '{standard}', which is no column.", location=file, hint=hint)
        elif name not in columns:
            hint = did_you_mean(name, columns) or has
            yield Problem(message=f"there is no column '{name}' for {standard}.", location=file, hint=hint)
    if "input" not in columns and "input" not in rename:
        hint = f"{has} `map: {{input: ...}}` names the right one."
        yield Problem(message="there is no column 'input'.", location=file, hint=hint)


def _csv(path: Path, shown: str, problems: list[Problem], columns: dict[str, None]) -> Iterator[Record]:
    reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
    line = 1
    header: list[str] | None = None
    try:
        for cells in reader:
            where, line = SourceLocation(shown, line), reader.line_num + 1
            if not any(cells):
                continue
            if header is None:
                header = [name.strip() for name in cells]
                columns.update(dict.fromkeys(header))
                for name in sorted({name for name in header if header.count(name) > 1}):
                    problems.append(Problem(message=f"column '{name}' stands here twice.", location=where))
            elif len(cells) > len(header):
                message = f"this row has {len(cells)} cells, and the header {len(header)} columns."
                problems.append(Problem(message=message, location=where, hint="Quote cells that hold commas."))
            else:
                yield where, {name: cell for name, cell in zip(header, cells, strict=False) if cell != ""}
    except csv.Error as error:
        hint = 'A cell in quotes holds quotes as "".'
        problems.append(
            Problem(message=f"not readable as CSV: {error}.", location=SourceLocation(shown, line), hint=hint)
        )


def _jsonl(path: Path, shown: str, problems: list[Problem], columns: dict[str, None]) -> Iterator[Record]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.isspace():
                continue
            where = SourceLocation(shown, number)
            try:
                record = parse_json(line)
            except (NotJSON, JSONTooLarge) as error:
                problems.append(Problem(message=f"{error}.", location=where))
                continue
            if isinstance(record, dict):
                columns.update(dict.fromkeys(record))
                yield where, record
            else:
                problems.append(Problem(message="each line is a JSON object.", location=where))


def _yaml(path: Path, shown: str, problems: list[Problem], columns: dict[str, None]) -> Iterator[Record]:
    document = read_yaml(path, shown=shown)
    problems.extend(document.problems)
    if document.problems:
        return
    if not isinstance(document.value, list):
        problems.append(document.problem((), "a dataset in YAML is a list of mappings."))
        return
    for index, record in enumerate(document.value):
        if isinstance(record, dict):
            columns.update(dict.fromkeys(record))
            yield document.where((index,)), record
        else:
            problems.append(document.problem((index,), "a dataset in YAML is a list of mappings."))


def _row(where: SourceLocation, record: Mapping[str, JSON], problems: list[Problem]) -> Row:
    groups: dict[str, dict[str, JSON]] = {}
    columns: dict[str, JSON] = {}
    for key, value in record.items():
        if key in STANDARD:
            continue
        prefix, dot, name = key.partition(".")
        if dot and f"{prefix}." in PREFIXES:
            groups.setdefault(prefix, {})[name] = value
        elif f"{key}." in PREFIXES and isinstance(value, Mapping):
            groups.setdefault(key, {}).update(value)
        else:
            columns[key] = value
    problems.extend(Problem(message=message, location=where) for message in _complaints(record, columns))
    given = record.get("id")
    return Row(
        where=where,
        id=None if given in (None, "") else str(given),
        input=record.get("input"),
        expected=record.get("expected"),
        tags=_tags(record.get("tags")),
        cluster=None if record.get("cluster") in (None, "") else str(record["cluster"]),
        vars=groups.get("vars", {}),
        metadata=groups.get("metadata", {}),
        expect={name: _cell(value) for name, value in groups.get("expect", {}).items()},
        required=_WORDS.get(str(record.get("required") or "").lower(), False),
        must_pass=record.get("must_pass"),
        columns=columns,
    )


def _complaints(record: Mapping[str, JSON], columns: Mapping[str, JSON]) -> Iterable[str]:
    if record.get("input") in (None, "", []):
        yield "this row has no input."
    if isinstance(record.get("id"), (dict, list, bool)):
        yield "an `id` is a text or a number."
    if isinstance(record.get("cluster"), (dict, list, bool)):
        yield "a `cluster` is a text or a number."
    if isinstance(record.get("tags"), (dict, bool, int, float)):
        yield "`tags` is a list of texts, or a text with commas."
    if str(record.get("required") or "").lower() not in _WORDS:
        yield f"`required` is true or false, not {record['required']!r}."
    for key, value in columns.items():
        if f"{key}." in PREFIXES and value is not None:
            yield f"`{key}` is a mapping here; as a column it is `{key}.<name>`."
        elif key in _NOT_HERE and isinstance(value, list):
            yield f"a row of a dataset has no `{key}`; cases that need it stand in the suite."


def _cell(value: JSON) -> JSON:
    """A check's argument in a cell: JSON where it looks like a list or mapping, else the text itself."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return parse_json(value)
        except (NotJSON, JSONTooLarge):
            return value
    return value


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(tag) for tag in value)
    return tuple(tag.strip() for tag in _TAG_SEPARATOR.split(value) if tag.strip()) if isinstance(value, str) else ()
