from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.scorers.conftest import Bench

words = st.text(min_size=1, max_size=8)
outputs = st.text(max_size=60)


@given(output=outputs, text=words)
def test_contains_is_what_python_says(texts: Bench, output: str, text: str) -> None:
    assert texts.passes("contains", text, output) is (text in output)
    assert texts.passes("contains", text, f"{output}{text}{output}") is True


@given(output=outputs, text=words)
def test_icontains_folds_case(texts: Bench, output: str, text: str) -> None:
    assert texts.passes("icontains", text, output) is (text.casefold() in output.casefold())
    assert texts.passes("icontains", text, output + text.swapcase().casefold()) is True


@given(output=outputs, several=st.lists(words, min_size=1, max_size=4))
def test_lists_of_texts_are_any_and_all_of_contains(texts: Bench, output: str, several: list[str]) -> None:
    found = [text in output for text in several]
    assert texts.passes("contains_any", several, output) is any(found)
    every = texts.check("contains_all", several, output)
    assert every.passed is all(found)
    assert every.value == pytest.approx(sum(found) / len(found))


@given(output=outputs, text=st.text(alphabet="abc ", min_size=1, max_size=3).filter(str.strip))
def test_starts_and_ends_leave_outer_white_space_out(texts: Bench, output: str, text: str) -> None:
    assert texts.passes("starts_with", text, output) is output.lstrip().startswith(text.lstrip())
    assert texts.passes("ends_with", text, output) is output.rstrip().endswith(text.rstrip())
    assert texts.passes("starts_with", text, f"\n {text.lstrip()}{output}") is True


@given(output=outputs, text=outputs)
def test_equals_ignores_outer_white_space_only(texts: Bench, output: str, text: str) -> None:
    assert texts.passes("equals", text, output) is (text.strip() == output.strip())
    assert texts.passes("equals", f"{text}\n", f"\n{text}  ") is True


@given(output=st.text(alphabet="ab \n", max_size=80), low=st.integers(0, 10), more=st.integers(0, 10))
def test_word_count_counts_what_white_space_separates(texts: Bench, output: str, low: int, more: int) -> None:
    count = len(output.split())
    assert texts.passes("word_count", low, output) is (count <= low)
    assert texts.passes("word_count", {"min": low, "max": low + more}, output) is (low <= count <= low + more)


@pytest.mark.parametrize(
    ("argument", "output", "passed"),
    [
        (42, "42", True),
        (42, " 42.0\n", True),
        (42, "042", False),
        (3.5, "3.50", True),
        (True, "true", True),
        (True, "True", False),
        (1, "true", False),
        (None, "null", True),
        ([1, {"a": None}], '[1.0, {"a": null}]', True),
        ([1, 2], "[2, 1]", False),
        ({"a": 1, "b": [True]}, '{"b": [true], "a": 1}', True),
        ({"a": 1}, '{"a": 1, "a": 1}', False),
        ({"a": 1}, "not JSON", False),
        ("Yes", "yes", False),
    ],
)
def test_equals_compares_other_values_as_json(texts: Bench, argument: object, output: str, passed: bool) -> None:
    assert texts.passes("equals", argument, output) is passed


def test_one_of_takes_texts_and_values(texts: Bench) -> None:
    assert texts.passes("one_of", ["yes", "no"], " no\n") is True
    assert texts.passes("one_of", ["yes", "no"], "maybe") is False
    assert texts.passes("one_of", [1, 2], "2.0") is True
    assert texts.passes("one_of", [None, 2], "null") is True


def test_cells_of_a_dataset_are_texts_and_do_all_the_same(texts: Bench) -> None:
    assert texts.passes("word_count", "2", "one two") is True
    assert texts.passes("tokens", "2", "one two") is None
    assert texts.passes("is_json", "true", "[]") is True
    assert texts.passes("refused", "false", "Sure.") is True
    assert texts.passes("numeric", "1,000", "1000") is True


def test_numbers_are_taken_as_text(texts: Bench) -> None:
    assert texts.passes("contains", 42, "it is 42.") is True
    assert texts.passes("contains", 3.5, "it is 3.50") is True
    assert texts.passes("contains_any", [1, True], "so true") is True


@pytest.mark.parametrize(
    ("pattern", "output", "passed"),
    [
        ("order (id|number)", "Your order id?", True),
        ("(?i)ORDER", "an order", True),
        (r"^\d+$", "123", True),
        (r"^\d+$", "123\n", False),
        ("^b$", "a\nb", False),
        ("(?m)^b$", "a\nb", True),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        (r"\p{L}+", "é", True),
        ("x", "half \ud800 x", True),
    ],
)
def test_regex_searches(texts: Bench, pattern: str, output: str, passed: bool) -> None:
    assert texts.passes("regex", pattern, output) is passed


def test_a_regex_that_explodes_elsewhere_is_quick_here(texts: Bench) -> None:
    started = time.process_time()
    assert texts.passes("regex", "^(a+)+$", "a" * 100_000 + "!") is False
    assert time.process_time() - started < 5


@pytest.mark.parametrize("pattern", ["(?=x)y", "(?<!a)b", r"(a)\1", "(?P=name)"])
def test_regex_says_what_it_lacks(texts: Bench, capfd: pytest.CaptureFixture[str], pattern: str) -> None:
    (complaint,) = texts.complaints("regex", pattern)
    assert "no look-around and no backreferences" in complaint
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("scorer", "argument", "said"),
    [
        ("regex", "(", "missing )"),
        ("regex", r"end\Z", r"\z"),
        ("contains", "", "at least 1 character"),
        ("contains", None, "valid string"),
        ("contains", ["a"], "valid string"),
        ("contains_any", "a", "valid tuple"),
        ("contains_any", [], "at least 1 item"),
        ("one_of", [], "at least 1 item"),
        ("word_count", "many", "valid integer"),
        ("word_count", {"min": 5, "max": 2}, "min 5 is above max 2"),
        ("word_count", {}, "give a number"),
        ("word_count", {"most": 3}, "unknown key 'most'"),
        ("word_count", -1, "greater than or equal to 0"),
        ("word_count", True, "true is no number"),
    ],
)
def test_wrong_arguments_are_found_before_anything_runs(texts: Bench, scorer: str, argument: object, said: str) -> None:
    complaints = texts.complaints(scorer, argument)
    assert any(said in complaint for complaint in complaints), complaints


def test_reasons_are_short_and_show_both_sides(texts: Bench) -> None:
    result = texts.check("equals", "a" * 10_000, "b" * 10_000)
    assert len(result.reason) < 400
    assert "aaa" in result.reason and "bbb" in result.reason


def test_scope_all_looks_at_every_answer(texts: Bench) -> None:
    transcript = texts.talk("first secret", "second")
    assert texts.passes("contains", "secret", transcript) is False
    assert texts.passes("contains", "secret", transcript, scope="all") is True
    assert texts.passes("contains", "secret", transcript, scope="all", negate=True) is False
    assert texts.passes("contains", "secret", transcript, turn=1) is True
