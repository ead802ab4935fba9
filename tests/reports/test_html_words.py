"""Prompts side by side: which words differ."""

from __future__ import annotations

import re

import pytest
from samples import HOSTILE

from harness.reports import worddiff

PAIRS = [
    ("", ""),
    ("", "new words only"),
    ("old words only", ""),
    ("Standard shipping takes 3-5 business days.", "Standard shipping takes 1-2 business days, for $12.95."),
    ("one two three four", "four three two one"),
    ("  white\n\nspace\tdiffers ", "white space differs"),
    ("注文番号を教えてください", "注文の番号を教えてください"),
    ("a a a a b a a", "a b a a a a a"),
    ("<b>&amp;</b> 'x' \"y\"", "<i>&amp;</i> 'x' \"z\""),
    (HOSTILE, HOSTILE[::-1]),
]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_pieces_are_both_texts(before: str, after: str) -> None:
    found = worddiff.words(before, after)
    assert found is not None
    assert "".join(one.text for one in found.pieces if one.kind != "gone") == after
    assert squeezed("".join(one.text for one in found.pieces if one.kind != "new")) == squeezed(before)


def test_only_what_differs_is_marked() -> None:
    found = worddiff.words("It costs $4.95 and takes 3-5 days.", "It costs $12.95 and takes 3-5 days.")
    assert found is not None
    assert [(one.kind, one.text) for one in found.pieces] == [
        ("same", "It costs $"),
        ("gone", "4.95 "),
        ("new", "12.95 "),
        ("same", "and takes 3-5 days."),
    ]
    assert (found.same, found.gone, found.new) == (8, 1, 1)


def test_a_lone_word_between_replacements_goes_with_them() -> None:
    found = worddiff.words("Start. red cat sat. End", "Start. big cat lay. End")
    assert found is not None
    assert [one.text.strip() for one in found.pieces if one.kind == "gone"] == ["red cat sat"]


def test_a_word_or_two_between_long_changes_go_with_them() -> None:
    found = worddiff.words("Start a b c d e f and so g h i j k l end", "Start m n o p q r and so s t u v w x end")
    assert found is not None
    assert [one.kind for one in found.pieces] == ["same", "gone", "new", "same"]
    short = worddiff.words("Start a and so b end", "Start c and so d end")
    assert short is not None
    assert [one.text for one in short.pieces if one.kind == "same"] == ["Start ", "and so ", "end"]


def test_texts_too_long_to_compare_are_not_compared() -> None:
    assert worddiff.words("a b " * 3_000, "c d " * 3_000) is None
    same_but_one = worddiff.words("a b " * 30_000, "a b " * 29_999 + "a c")
    assert same_but_one is not None
    assert (same_but_one.gone, same_but_one.new) == (1, 1)
