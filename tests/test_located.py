"""YAML with places: what is read, what is refused, and where messages point."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator

from harness.errors import Problem, SourceLocation
from harness.located import Document, parse_yaml, read_yaml
from harness.validation import validate


def parse(text: str, **settings: Any) -> Document:
    return parse_yaml(text, shown="s.yaml", **settings)


def value(text: str) -> Any:
    document = parse(text)
    assert document.problems == []
    return document.value


def only(document: Document) -> Problem:
    (problem,) = document.problems
    return problem


# -- scalars


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "Off", "y", "N", "012", "-012", "0o17", "0x1F", "0b1", "1_000", "1:30", "2026-08-26", "1.2.3",
     "2026-08-26T10:00:00Z", ".nan", ".inf", "-.inf", "nan", "nULL", "tRUE", "1e", "+", ".", "$0.002", "1e999"],
)  # fmt: skip
def test_what_readers_disagree_on_is_text(text: str) -> None:
    assert value(f"a: {text}") == {"a": text}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12", 12), ("-3", -3), ("+3", 3), ("0", 0), ("1.10", 1.1), ("1.", 1.0), (".5", 0.5), ("-1e3", -1000.0),
     ("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None), ('"12"', "12"), ("'true'", "true"),
     ('"~"', "~"), ('""', "")],
)  # fmt: skip
def test_core_scalars(text: str, expected: Any) -> None:
    found = value(f"a: {text}")["a"]
    assert found == expected
    assert type(found) is type(expected)


def test_block_texts_are_texts_whatever_they_look_like() -> None:
    assert value("a: |\n  12\nb: >-\n  true\n") == {"a": "12\n", "b": "true"}


def test_a_number_of_thousands_of_digits_is_text() -> None:
    digits = "9" * 10_000
    assert value(f"a: {digits}") == {"a": digits}


def test_keys_are_texts() -> None:
    assert value("1: a\ntrue: b\nyes: c") == {"1": "a", "true": "b", "yes": "c"}


def test_comments_are_no_values_and_hashes_in_words_are() -> None:
    assert value("a: #1 choice\nb: C#\nc: '#1'") == {"a": None, "b": "C#", "c": "#1"}


# -- what is refused, with its place


def test_duplicate_keys_name_both_lines_and_reading_goes_on() -> None:
    document = parse("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    first, second = document.problems
    assert (first.location, first.message) == (
        SourceLocation("s.yaml", 4, 3),
        "'c' stands here twice, first in line 3.",
    )
    assert (second.location, second.message) == (
        SourceLocation("s.yaml", 5, 1),
        "'a' stands here twice, first in line 1.",
    )


def test_a_text_and_a_number_as_keys_are_the_same_key() -> None:
    assert "twice" in only(parse('{1: a, "1": b}')).message


def test_merge_keys_are_refused() -> None:
    problem = only(parse("base: &b {x: 1}\nuse:\n  <<: *b\n"))
    assert str(problem).startswith("s.yaml:3:3: merge keys (<<) are not supported.")
    assert value("'<<': 1") == {"<<": 1}


@pytest.mark.parametrize(
    "text", ["a: !!python/object/apply:os.system [ls]", "a: !raw x", "a: !!str 12", "!!set {a}", "a: !!binary aGk="]
)
def test_tags_are_refused(text: str) -> None:
    assert "are not supported" in only(parse(text)).message


def test_keys_that_are_lists_are_refused() -> None:
    assert only(parse("{[a]: b}")).message == "a key must be a text."


def test_aliases_share_values_within_reason() -> None:
    assert value("a: &x [1]\nb: *x") == {"a": [1], "b": [1]}


def test_alias_bombs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    problem = only(parse("\n".join(lines)))
    assert problem.message == "aliases make this too large."
    assert problem.location is not None


@pytest.mark.parametrize(
    "text", ["&a [*a]", "[" * 1_000_000, "[" * 150 + "]" * 150, "{a: " * 200_000, "- " * 300_000, "? " * 5_000]
)
def test_what_nests_too_deeply_is_refused(text: str) -> None:
    assert only(parse(text)).message.startswith(("nested more than 100 levels", "not readable as YAML"))


def test_a_hundred_levels_are_fine() -> None:
    assert parse("[" * 100 + "]" * 100).problems == []


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a: b: c", "s.yaml:1:5", "Quote the text, or check the indentation."),
        ("a: @b", "s.yaml:1:4", "Quote the text."),
        ("x:\n  - {a: [b}", "s.yaml:2:11", "Quote texts that hold , ] or }."),
        ("a: 1\n\tb: 2", "s.yaml:2:1", None),
        ("a: *nothing", "s.yaml:1:4", None),
        ("a: 1\n---\nb: 2", "s.yaml:2:1", None),
        ("a: 'open", "s.yaml:1:9", None),
    ],
)
def test_syntax_errors_have_a_place(text: str, place: str, hint: str | None) -> None:
    problem = only(parse(text))
    assert str(problem.location) == place
    if hint is not None:
        assert problem.hint == hint


def test_the_message_shows_the_line_and_a_caret() -> None:
    assert str(only(parse("ok: 1\n  bad: 2"))).splitlines()[1:] == ["      bad: 2", "         ^"]


def test_control_characters_are_refused() -> None:
    problem = only(parse("a: 1\nb: x\x00y\n"))
    assert problem.location is not None
    assert problem.location.line == 2


def test_front_matter_keeps_the_lines_of_its_file() -> None:
    document = parse("a: 1\na: 2\n", first_line=2)
    assert str(only(document).location) == "s.yaml:3:1"
    assert "first in line 2" in only(document).message
    assert only(document).source == "a: 2"


# -- files


def test_a_file_with_a_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes("\ufeffa: é\r\nb: [1,\r\n 2]\r\n".encode())
    document = read_yaml(path, shown="s.yaml")
    assert (document.value, document.problems) == ({"a": "é", "b": [1, 2]}, [])
    assert document.where(("b", 1)) == SourceLocation("s.yaml", 3, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a: \xff\n", "the file is not UTF-8 text"), (b"#" * 5_000_001, "a YAML file may have 5,000,000")],
)
def test_files_that_are_no_yaml_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    assert message in only(read_yaml(path)).message


def test_a_missing_file_and_a_folder_are_problems(tmp_path: Path) -> None:
    assert "cannot read" in only(read_yaml(tmp_path / "none.yaml")).message
    assert "cannot read" in only(read_yaml(tmp_path)).message


# -- places


def test_where_points_at_values_and_keys_and_falls_back_to_the_parent() -> None:
    document = parse("a:\n  - x: 1\n    y: 2\n")
    assert str(document.where(("a", 0, "y"))) == "s.yaml:3:8"
    assert str(document.where(("a", 0, "y"), key=True)) == "s.yaml:3:5"
    assert str(document.where(("a", 0, "z"))) == "s.yaml:2:5"
    assert str(document.where(("a", 7))) == "s.yaml:2:3"
    assert str(document.where(("nothing", "at", "all"))) == "s.yaml:1:1"
    assert str(parse("").where(("a",))) == "s.yaml:1:1"


# -- validation


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: Annotated[float, Strict()] = Field(0.5, ge=0, le=1)
    kind: Literal["chat", "python"] = "chat"

    @field_validator("rate")
    @classmethod
    def _odd(cls, value: float) -> float:
        if value == 0.25:
            raise ValueError("A quarter is not for sale")
        return value


class Outer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "n"
    count: Annotated[int, Strict()] = 1
    flag: Annotated[bool, Strict()] = False
    tags: tuple[str, ...] = ()
    stop: str | tuple[str, ...] | None = None
    inner: Inner = Inner()
    many: Mapping[str, Inner] = Field(default_factory=dict)


class Needs(Outer):
    needed: str


def problems(text: str, model: type[BaseModel] = Outer) -> list[str]:
    document = parse(text)
    assert document.problems == []
    validate(document, model)
    return [str(one).splitlines()[0] for one in document.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nmae: x", "s.yaml:1:1: unknown key 'nmae'. Did you mean 'name'?"),
        ("inner: {rat: 1}", "s.yaml:1:9: unknown key 'rat'. Did you mean 'rate'?"),
        ("many:\n  a: {knid: chat}", "s.yaml:2:7: unknown key 'knid'. Did you mean 'kind'?"),
        ("{name: yes, but}", "s.yaml:1:13: unknown key 'but'. Quote the text before it, if it holds a comma."),
        ("name: 12", "s.yaml:1:7: `name:` should be a text, not 12. Quote it."),
        ("name: #1", "s.yaml:1:1: `name:` is empty. Quote it, if it starts with # or holds a comma."),
        ("count: '3'", 's.yaml:1:8: `count:` should be a whole number, not "3".'),
        ("count: 1.5", "s.yaml:1:8: `count:` should be a whole number, not 1.5."),
        ("flag: yes", 's.yaml:1:7: `flag:` should be true or false, not "yes".'),
        ("tags: {a: b}", "s.yaml:1:7: `tags:` should be a list, not a mapping."),
        ("tags: [a, 1]", "s.yaml:1:11: `tags:` should be a text, not 1. Quote it."),
        ("stop: 3", "s.yaml:1:7: `stop:` should be a text, not 3. Quote it."),
        ("inner: 3", "s.yaml:1:8: `inner:` should be a mapping, not 3."),
        ("inner: {rate: 2}", "s.yaml:1:15: `rate:` should be less than or equal to 1, not 2."),
        ("inner: {rate: 0.25}", "s.yaml:1:15: a quarter is not for sale."),
        (
            "inner: {kind: pyton}",
            "s.yaml:1:15: `kind:` should be `chat` or `python`, not \"pyton\". Did you mean 'python'?",
        ),
    ],
)
def test_messages(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_a_missing_key_points_at_its_mapping() -> None:
    assert problems("name: x", Needs) == ["s.yaml:1:1: `needed:` is missing here."]


def test_everything_wrong_is_said_at_once() -> None:
    found = problems("nam: a\ncount: x\nflag: 1\ninner: {rate: 7, x: 1}\n", Needs)
    assert [line.split(": ")[0] for line in sorted(found)] == ["s.yaml:1:1"] * 2 + [
        f"s.yaml:{n}" for n in ("2:8", "3:7", "4:15", "4:18")
    ]


def test_what_is_right_comes_back_beside_the_problems() -> None:
    document = parse("nam: a\ncount: 3\ninner: {rate: 7, kind: python}\n")
    found = validate(document, Outer)
    assert found == Outer(count=3, inner=Inner(kind="python"))
    assert len(document.problems) == 2


def test_validation_inside_a_document() -> None:
    document = parse("cases:\n  - nmae: x\n")
    validate(document, Outer, ("cases", 0))
    assert str(only(document).location) == "s.yaml:2:5"


# -- properties

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON, st.booleans())
@example({"<<": "=", "012": "0o17", "y": "1:30", "": "2026-08-26"}, True)
def test_plain_data_written_as_yaml_reads_back(data: Any, flow: bool) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow)
    document = parse(text)
    assert document.problems == []
    assert json.dumps(document.value, sort_keys=True) == json.dumps(data, sort_keys=True)


@given(_JSON)
def test_json_is_yaml(data: Any) -> None:
    text = json.dumps(data)
    if "\\ud" not in text and "\\u007f" not in text:
        document = parse(text)
        assert document.problems == []
        assert json.dumps(document.value) == text


@given(st.text() | st.text(alphabet="[]{}:,-&*!|>'\"#%@ \n\tab1.~<?"))
def test_any_text_gives_a_value_or_problems_inside_it(text: str) -> None:
    document = parse(text)
    validate(document, Outer)
    lines = max(1, len(document._lines))
    for problem in document.problems:
        assert problem.location is not None
        assert 1 <= problem.location.line <= lines
        assert problem.location.column >= 1
        str(problem)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.lists(st.integers(), min_size=1), min_size=1))
def test_where_points_into_the_text(data: dict[str, list[int]]) -> None:
    text = yaml.safe_dump(data, default_flow_style=False)
    document = parse(text)
    lines = text.split("\n")
    for key, numbers in data.items():
        place = document.where((key,), key=True)
        assert lines[place.line - 1][place.column - 1 :].strip("'").startswith(key)
        for index, number in enumerate(numbers):
            place = document.where((key, index))
            assert lines[place.line - 1][place.column - 1 :] == str(number)
