"""Datasets: what a row becomes, and what is said about files of another shape."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suites.datasets import Row, read_rows


def read(path: Path, content: str | bytes, **settings: Any) -> tuple[list[Row], list[str]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows, problems = read_rows(path, shown=path.name, rename=settings.get("rename", {}), limit=settings.get("limit"))
    return rows, [str(problem) for problem in problems]


def rows(path: Path, content: str | bytes, **settings: Any) -> list[Row]:
    found, problems = read(path, content, **settings)
    assert problems == []
    return found


def test_csv_with_every_standard_column(tmp_path: Path) -> None:
    (row,) = rows(
        tmp_path / "d.csv",
        "id,input,expected,tags,cluster,required,must_pass,vars.days,metadata.lang,expect.contains,expect.one_of,topic\n"
        'a,How long?,3 days,"fast, policy",handbook p. 3,true,2/3,3,en,days,"[""3 days"", ""4 days""]",shipping\n',
    )
    assert (row.id, row.input, row.expected, row.tags) == ("a", "How long?", "3 days", ("fast", "policy"))
    assert row.cluster == "handbook p. 3"
    assert (row.required, row.must_pass, row.vars, row.metadata) == (True, "2/3", {"days": "3"}, {"lang": "en"})
    assert (row.expect, row.columns) == ({"contains": "days", "one_of": ["3 days", "4 days"]}, {"topic": "shipping"})
    assert str(row.where) == "d.csv:2:1"


def test_jsonl_keeps_types_and_takes_groups_as_objects(tmp_path: Path) -> None:
    first, second = rows(
        tmp_path / "d.jsonl",
        '{"id": 7, "input": ["a", "b"], "expected": {"x": 1}, "tags": ["t"], "vars": {"n": 1}, "vars.m": 2, "expect": {"latency": 5}}\n'
        '\n{"input": "c", "metadata.lang": "en", "required": true}\n',
    )
    assert (first.id, first.input, first.expected, first.tags) == ("7", ["a", "b"], {"x": 1}, ("t",))
    assert (first.vars, first.expect) == ({"n": 1, "m": 2}, {"latency": 5})
    assert (second.id, second.metadata, second.required, str(second.where)) == (
        None,
        {"lang": "en"},
        True,
        "d.jsonl:3:1",
    )


def test_yaml_is_a_list_of_mappings(tmp_path: Path) -> None:
    (row,) = rows(tmp_path / "d.yaml", "- input: yes\n  expected: 012\n")
    assert (row.input, row.expected, str(row.where)) == ("yes", "012", "d.yaml:1:3")


def test_columns_can_have_other_names(tmp_path: Path) -> None:
    (row,) = rows(
        tmp_path / "d.csv",
        "question,answer,lang\na,b,en\n",
        rename={"input": "question", "expected": "answer", "metadata.lang": "lang"},
    )
    assert (row.input, row.expected, row.metadata, row.columns) == ("a", "b", {"lang": "en"}, {})


def test_a_limit_stops_reading(tmp_path: Path) -> None:
    assert [
        row.input for row in rows(tmp_path / "d.jsonl", '{"input": "a"}\n{"input": "b"}\nno json at all', limit=2)
    ] == ["a", "b"]


def test_cells_with_lines_quotes_and_a_byte_order_mark(tmp_path: Path) -> None:
    first, second = rows(tmp_path / "d.csv", '\ufeffinput,expected\r\n"a\nb","say ""x"""\r\n\r\nc,d\r\n')
    assert (first.input, first.expected) == ("a\nb", 'say "x"')
    assert (second.input, str(second.where)) == ("c", "d.csv:5:1")


def test_a_cell_may_hold_a_long_document(tmp_path: Path) -> None:
    (row,) = rows(tmp_path / "d.csv", f"input,expected\na,{'x' * 300_000}\n")
    assert len(row.expected) == 300_000


def test_an_empty_cell_is_nothing(tmp_path: Path) -> None:
    (row,) = rows(tmp_path / "d.csv", "input,expected,topic,tags\na,,,\n")
    assert (row.expected, row.columns, row.tags) == (None, {}, ())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("d.csv", "", "d.csv:1:1: the dataset has no rows."),
        ("d.csv", "input\n", "d.csv:1:1: the dataset has no rows."),
        ("d.csv", "question\na\n", "d.csv:1:1: there is no column 'input'. It has: question. `map: {input: ...}` names the right one."),
        ("d.csv", "input,input\na,b\n", "d.csv:1:1: column 'input' stands here twice."),
        ("d.csv", "input,expected\na,b,c\n", "d.csv:2:1: this row has 3 cells, and the header 2 columns. Quote cells that hold commas."),
        ("d.csv", 'input,expected\na,b\nc,"d\ne\n', "d.csv:3:1: not readable as CSV: unexpected end of data. A cell in quotes holds quotes as \"\"."),
        ("d.csv", "input,expected\n,b\n", "d.csv:2:1: this row has no input."),
        ("d.csv", "input,required\na,maybe\n", "d.csv:2:1: `required` is true or false, not 'maybe'."),
        ("d.csv", b"input\na\n\xff\n", "d.csv:3:1: the file is not UTF-8 text."),
        ("d.jsonl", '{"input": "a"}\n{"input": }\n', "d.jsonl:2:1: not JSON: expecting value at line 1, column 11, near '}\\n'."),
        ("d.jsonl", '{"input": "a", "input": "b"}\n', "d.jsonl:1:1: the key 'input' stands twice in one object."),
        ("d.jsonl", '["a"]\n', "d.jsonl:1:1: each line is a JSON object."),
        ("d.jsonl", '{"input": ' + "[" * 5000 + "}\n", "d.jsonl:1:1: JSON nested deeper than 200 levels."),
        ("d.jsonl", '{"input": "a", "expect": [{"contains": "b"}]}\n', "d.jsonl:1:1: `expect` is a mapping here; as a column it is `expect.<name>`."),
        ("d.jsonl", '{"input": "a", "history": [{"user": "b"}]}\n', "d.jsonl:1:1: a row of a dataset has no `history`; cases that need it stand in the suite."),
        ("d.jsonl", '{"input": "a", "tags": {"b": 1}}\n', "d.jsonl:1:1: `tags` is a list of texts, or a text with commas."),
        ("d.jsonl", '{"input": "a", "id": ["b"]}\n', "d.jsonl:1:1: an `id` is a text or a number."),
        ("d.yaml", "input: a\n", "d.yaml:1:1: a dataset in YAML is a list of mappings."),
        ("d.yaml", "- a\n", "d.yaml:1:3: a dataset in YAML is a list of mappings."),
        ("d.yaml", "- {input: a, input: b}\n", "d.yaml:1:14: 'input' stands here twice, first in line 1. Remove one."),
        ("d.parquet", "", "d.parquet:1:1: 'd.parquet' is no dataset; known are .csv, .jsonl, .yaml, .yml."),
    ],
)  # fmt: skip
def test_what_is_said(tmp_path: Path, name: str, content: str | bytes, expected: str) -> None:
    _, problems = read(tmp_path / name, content)
    assert [problem.splitlines()[0] for problem in problems] == [expected]


def test_a_map_that_fits_nothing(tmp_path: Path) -> None:
    _, problems = read(tmp_path / "d.csv", "question\na\n", rename={"input": "questoin", "expcted": "question"})
    assert problems == [
        "d.csv:1:1: there is no column 'questoin' for input. Did you mean 'question'?",
        "d.csv:1:1: `map:` gives a name to 'expcted', which is no column. Did you mean 'expected'?",
    ]


def test_a_thousand_bad_rows_are_no_thousand_messages(tmp_path: Path) -> None:
    _, problems = read(tmp_path / "d.jsonl", '{"input": ""}\n' * 1000)
    assert len(problems) == 21
    assert problems[-1] == "d.jsonl:1:1: 980 more problems in this file."


_CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=20)


@given(st.lists(st.tuples(_CELL.filter(bool), _CELL), min_size=1, max_size=5))
def test_csv_reads_back_to_the_letter(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("input", "expected"), *pairs])
    path = tmp_path_factory.mktemp("csv") / "d.csv"
    assert [(row.input, row.expected or "") for row in rows(path, text.getvalue())] == pairs


_NAMES = st.sampled_from(["input", "expected", "topic", "vars.x"])


@given(
    st.lists(
        st.dictionaries(_NAMES, st.text(min_size=1, max_size=8) | st.integers(), max_size=4), min_size=1, max_size=4
    )
)
def test_jsonl_reads_back_or_is_complained_about(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "d.jsonl"
    found, problems = read(path, "\n".join(map(json.dumps, records)))
    if all(record.get("input") not in (None, "") for record in records):
        assert problems == []
        assert [row.input for row in found] == [record["input"] for record in records]
    else:
        assert problems


@given(st.binary(max_size=200), st.sampled_from([".csv", ".jsonl", ".yaml"]))
def test_any_bytes_give_rows_or_problems(tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str) -> None:
    found, problems = read(tmp_path_factory.mktemp("any") / f"d{suffix}", content)
    assert found or problems
