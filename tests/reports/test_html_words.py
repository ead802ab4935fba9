"""Answers side by side: which words differ, and JSON that can be read."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from samples import HOSTILE, Sample, trial

from harness.records import Message, TurnRecord
from harness.reports import jsonview, worddiff
from harness.reports.html import render

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


def shown(sample: Sample, before: str, after: str) -> str:
    rows = [trial("c", "faq@1", output=before), trial("c", "faq@2", output=after)]
    return render(sample.summary, lambda: rows)


def answers(html: str) -> list[str]:
    return re.findall(r'<pre class="output(?: json)?" dir="auto">(.*?)</pre>', html, re.DOTALL)


def test_the_candidate_is_set_against_the_baseline(sample: Sample) -> None:
    html = shown(sample, "It takes 3-5 business days.", "It takes 1-2 business days.")
    assert answers(html) == ["It takes 3-5 business days.", "It takes <del>3-5 </del><ins>1-2 </ins>business days."]
    assert "against faq@1: 1 new, 1 gone" in html


def test_what_is_the_same_and_what_has_nothing_in_common_is_said_not_marked(sample: Sample) -> None:
    same = shown(sample, "It takes a  week.", "It takes a week.")
    assert "same words as faq@1" in same
    other = shown(
        sample, "I cannot say anything about that, sorry!", "Orders of $50 or more: free shipping within days"
    )
    assert "worded quite differently from faq@1" in other
    assert "<del>" not in "".join([*answers(same), *answers(other)])


def test_marks_cannot_be_forged(sample: Sample) -> None:
    html = shown(sample, "an <ins>honest</ins> answer </pre><script>", "an <del>other</del> answer </pre><script>")
    said = answers(html)
    assert len(said) == 2
    assert re.sub(r"</?(?:ins|del)>", "", said[1]).count("<") == 0
    kept = re.sub(r"<del>.*?</del>|</?ins>", "", said[1])
    assert unescape(kept) == "an <del>other</del> answer </pre><script>"


def test_repeats_are_set_against_the_same_repeat(sample: Sample) -> None:
    rows = [
        trial("c", variant, repeat=number, output=f"{said} number {number} is here")
        for variant, said in (("faq@1", "Parcel"), ("faq@2", "Order"))
        for number in (1, 2)
    ]
    html = render(sample.summary, lambda: rows)
    assert [re.sub(r"<.*?>", "", one) for one in answers(html)] == [
        "Parcel number 1 is here",
        "Parcel Order number 1 is here",
        "Parcel number 2 is here",
        "Parcel Order number 2 is here",
    ]


def test_turns_are_set_against_the_same_turn_without_the_prompts_examples(sample: Sample) -> None:
    rows = []
    for variant, word in (("faq@1", "two"), ("faq@2", "three")):
        turns = (
            TurnRecord(input=("An example?", "Hello"), output="Hello."),
            TurnRecord(input=("How many?",), output=f"There are {word} of them."),
        )
        said = ("user", "An example?"), ("assistant", "Yes."), ("user", "Hello"), ("assistant", "Hello.")
        messages = tuple(Message(role=role, content=text) for role, text in said)  # type: ignore[arg-type]
        rows.append(trial("c", variant, turns=turns, messages=messages, output=f"There are {word} of them."))
    html = render(sample.summary, lambda: rows)
    assert "There are <del>two </del><ins>three </ins>of them." in html
    asked = re.findall(r"<h5>turn 1</h5><pre class=\"asked\" dir=\"auto\">(.*?)</pre>", html)
    assert asked == ["Hello", "Hello"]


def test_an_answer_in_json_is_set_out_in_lines_and_says_so(sample: Sample) -> None:
    html = shown(sample, '{"city":"Köln","ids":["1","2"],"price":1.50}', "no JSON { at all")
    first = unescape(answers(html)[0])
    assert first == '{\n  "city": "Köln",\n  "ids": ["1", "2"],\n  "price": 1.50\n}'
    assert html.count("JSON, set out in lines") == 1


def test_keys_in_another_order_are_no_difference(sample: Sample) -> None:
    html = shown(sample, '{"a": 1, "b": "x", "c": [1, 2]}', '{"c": [1, 2], "b": "y", "a": 1}')
    assert re.findall(r"<del>(.*?)</del>", unescape(answers(html)[1])) == ["x"]


@pytest.mark.parametrize(
    "text",
    ['"text"', "12", "{", '{"a": 1} and more', "[" * 100_000, "[" * 60 + "]" * 60, "", "{'a': 1}", "null"],
)
def test_what_is_no_json_object_or_list_stays_as_it_is(text: str) -> None:
    assert jsonview.laid_out(text) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": [1, 2, {"c": null}]}, "a": true, "n": 1e999, "big": 123456789012345678901234567890, "e": {}}',
        '[[], {}, "\\u00fc \\n \\" {", -0.0, 1.10]',
    ],
)
def test_set_out_json_says_the_same(text: str) -> None:
    found = jsonview.laid_out(text)
    assert found is not None
    assert "\n" in found

    def read(body: str) -> object:
        return json.loads(body, parse_float=str, parse_int=str, object_pairs_hook=list)

    assert read(found) == read(text)
    fenced = jsonview.laid_out(f"```json\n{text}\n```\n")
    assert fenced == f"```json\n{found}\n```"
