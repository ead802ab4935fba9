"""Cases from files: CSV, JSONL, and YAML lists.

Columns are `input`, `expected`, `id`, `tags`, `vars.<name>`, `metadata.<name>` and `expect.<scorer>`; any other can be
named in templates. What stands in a file is data: a cell is never a template.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import Problem, SourceLocation, did_you_mean
from harness.located import read_yaml
from harness.records import JSON

SUFFIXES = (".csv", ".jsonl", ".yaml", ".yml")
#: Standard columns; those with a dot take any name after it.
STANDARD = ("id", "input", "expected", "tags", "required", "must_pass")
PREFIXES = ("vars.", "metadata.", "expect.")

_LARGEST = 200_000_000
_TAG_SEPARATOR = re.compile(r"[,;|]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case as data."""

    where: SourceLocation
    id: str | None = None
    input: JSON = None
    expected: JSON = None
    tags: tuple[str, ...] = ()
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
    problems: list[Problem] = []
    if path.suffix not in SUFFIXES:
        return [], [Problem(message=f"'{shown}' is no dataset; known are {', '.join(SUFFIXES)}")]
    try:
        if path.stat().st_size > _LARGEST:
            return [], [Problem(message=f"'{shown}' is larger than {_LARGEST:,} bytes")]
        raw = list(_raw(path, shown, problems, limit))
    except OSError as error:
        return [], [Problem(message=f"cannot read {shown}: {error.strerror or error}")]
    except UnicodeDecodeError:
        return [], [Problem(message="the file is not UTF-8 text", location=SourceLocation(shown))]
    if raw:
        columns = list(dict.fromkeys(key for _, record in raw[:100] for key in record))
        for standard, name in rename.items():
            if name not in columns:
                hint = did_you_mean(name, columns) or f"It has: {', '.join(columns[:12])}."
                message = f"`map:` names a column '{name}' for {standard}, and {shown} has none."
                problems.append(Problem(message=message, location=SourceLocation(shown), hint=hint))
        if "input" not in columns and "input" not in rename:
            hint = f"It has: {', '.join(columns[:12])}. `map: {{input: ...}}` names the right one."
            problems.append(
                Problem(message=f"{shown} has no column 'input'.", location=SourceLocation(shown), hint=hint)
            )
    elif not problems:
        problems.append(Problem(message=f"{shown} has no rows", location=SourceLocation(shown)))
    if problems:
        return [], problems
    back = {name: standard for standard, name in rename.items()}
    rows = [_row(where, {back.get(key, key): value for key, value in record.items()}) for where, record in raw]
    problems += [
        Problem(message="this row has no input.", location=row.where) for row in rows if row.input in (None, "", [])
    ]
    return rows, problems


def _raw(
    path: Path, shown: str, problems: list[Problem], limit: int | None
) -> Iterator[tuple[SourceLocation, Mapping[str, JSON]]]:
    records = {".csv": _csv, ".jsonl": _jsonl}.get(path.suffix, _yaml)(path, shown, problems)
    for number, record in enumerate(records):
        if limit is not None and number >= limit:
            return
        yield record


def _csv(path: Path, shown: str, problems: list[Problem]) -> Iterator[tuple[SourceLocation, Mapping[str, JSON]]]:
    reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    header = [name.strip() for name in next(reader, [])]
    repeated = {name for name in header if header.count(name) > 1}
    for name in sorted(repeated):
        problems.append(Problem(message=f"column '{name}' stands here twice.", location=SourceLocation(shown)))
    line = reader.line_num + 1
    for cells in reader:
        where, line = SourceLocation(shown, line), reader.line_num + 1
        if not any(cells):
            continue
        if len(cells) > len(header):
            message = f"this row has {len(cells)} cells, and the header {len(header)} columns."
            problems.append(Problem(message=message, location=where, hint="Quote cells that hold commas."))
            continue
        yield where, {name: cell for name, cell in zip(header, cells, strict=False) if cell != ""}


def _jsonl(path: Path, shown: str, problems: list[Problem]) -> Iterator[tuple[SourceLocation, Mapping[str, JSON]]]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = SourceLocation(shown, number)
            try:
                record = json.loads(line)
            except ValueError as error:
                problems.append(Problem(message=f"not readable as JSON: {error}.", location=where))
                continue
            if not isinstance(record, dict):
                problems.append(Problem(message="each line is a JSON object.", location=where))
                continue
            yield where, record


def _yaml(path: Path, shown: str, problems: list[Problem]) -> Iterator[tuple[SourceLocation, Mapping[str, JSON]]]:
    document = read_yaml(path, shown=shown)
    problems.extend(document.problems)
    if document.problems:
        return
    if not isinstance(document.value, list):
        problems.append(document.problem((), "a dataset in YAML is a list of mappings."))
        return
    for index, record in enumerate(document.value):
        if isinstance(record, dict):
            yield document.where((index,)), record
        else:
            problems.append(document.problem((index,), "a dataset in YAML is a list of mappings."))


def _row(where: SourceLocation, record: Mapping[str, JSON]) -> Row:
    groups: dict[str, dict[str, JSON]] = {prefix: {} for prefix in PREFIXES}
    columns: dict[str, JSON] = {}
    for key, value in record.items():
        prefix = next((prefix for prefix in PREFIXES if key.startswith(prefix)), None)
        if prefix is not None:
            groups[prefix][key.removeprefix(prefix)] = _cell(value) if prefix == "expect." else value
        elif key + "." in groups and isinstance(value, Mapping):
            groups[key + "."].update(value)
        elif key not in STANDARD:
            columns[key] = value
    given = record.get("id")
    return Row(
        where=where,
        id=None if given in (None, "") else str(given),
        input=record.get("input"),
        expected=record.get("expected"),
        tags=_tags(record.get("tags")),
        vars=groups["vars."],
        metadata=groups["metadata."],
        expect=groups["expect."],
        required=str(record.get("required", "")).lower() in ("true", "1", "yes"),
        must_pass=record.get("must_pass"),
        columns=columns,
    )


def _cell(value: JSON) -> JSON:
    """A check's argument in a cell: JSON where it looks like a list or mapping, else the text itself."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(tag) for tag in value)
    return tuple(tag.strip() for tag in _TAG_SEPARATOR.split(value) if tag.strip()) if isinstance(value, str) else ()
