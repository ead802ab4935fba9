from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jsontext import JSONTooLarge, NotJSON, parse_json, same_json, whole_text, whole_texts

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(value=values, indent=st.sampled_from([None, 2]))
def test_what_is_written_is_read(value: object, indent: int | None) -> None:
    assert same_json(parse_json(json.dumps(value, indent=indent)), value)


@given(left=values, right=values)
def test_equality_is_that_of_sorted_json_but_for_the_writing_of_numbers(left: object, right: object) -> None:
    assert same_json(left, right) is same_json(right, left)
    if json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True):
        assert same_json(left, right)


@pytest.mark.parametrize(
    ("left", "right"), [(True, 1), (0, False), (None, False), (None, 0), ("1", 1), ([], {}), ([], "")]
)
def test_types_are_kept_apart(left: object, right: object) -> None:
    assert not same_json(left, right)
    assert not same_json([left], [right])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('[{"b": {"c": 1, "c": 1}}]', "'c' stands twice"),
        ("NaN", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ("1e999", "too large"),
        ("", "empty"),
        (" \n", "empty"),
        ("{'a': 1}", "line 1, column 2"),
        ("[1, 2] and more", "near 'and more'"),
        ("```json\n1\n```", "line 1, column 1"),
    ],
)
def test_what_is_no_json_says_why(text: str, said: str) -> None:
    with pytest.raises(NotJSON, match=said.replace("{", r"\{")):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 201 + "]" * 201,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 201 + "1" + "}" * 201,
        "1" * 5000,
        '"' + "a" * 10**7 + '"',
    ],
)
def test_limits(text: str) -> None:
    with pytest.raises(JSONTooLarge):
        parse_json(text)


def test_what_lies_within_the_limits_is_read() -> None:
    assert parse_json("[" * 200 + "]" * 200)
    assert parse_json('"' + "[" * 300 + '"') == "[" * 300
    assert parse_json("[" + "[]," * 300 + "[]]")


@given(st.text())
def test_characters_that_came_in_halves_are_whole_again(text: str) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    halves = "".join(chr(units[at] | units[at + 1] << 8) for at in range(0, len(units), 2))
    assert whole_text(halves) == text


@given(st.text(st.characters(codec=None) | st.characters(categories=["Cs"])))
def test_what_is_left_of_half_characters_can_be_sent(text: str) -> None:
    whole = whole_text(text)
    whole.encode()
    assert whole_texts({text: [text, 1]}) == {whole: [whole, 1]}
