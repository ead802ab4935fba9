"""What a CI job's summary shows."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import HOSTILE, Sample, trial, with_suite

from harness.records import Outcome
from harness.reports.markdown import escaped, fenced, render


def test_failures_come_before_the_numbers(sample: Sample) -> None:
    text = render(sample.summary, sample.results)
    assert text.startswith("## ❌ errors\n\n- faq: 1 trial ended in error\n")
    assert text.index("**error** server") < text.index("<summary>failed: ") < text.index("### Results of faq")
    assert "**faq@\u200b2 is better** than faq" in text
    assert re.search(r"\| FAIL +\| faq@\u200b2 +\| accuracy +\| at least 95.0% +\| 93.1%", text)
    assert "prices: example rate" in text


def test_hostile_text_is_shown_and_does_nothing(sample: Sample) -> None:
    text = render(sample.summary, sample.results)
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "@org" not in outside
    assert "![" not in outside.replace("\\!\\[", "")
    assert "<script" not in outside
    assert outside.count("<details>") == outside.count("</details>") == 2
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("@org/team", "@\u200borg/team"),
        ("![x](http://evil)", "\\!\\[x\\](http:\u200b//evil)"),
        ("<b>&amp;`x`", "\\<b\\>\\&amp;\\`x\\`"),
        ("www.evil.example", "www\u200b.evil.example"),
        ("see #12", "see \\#\u200b12"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("66.7%", "66.7%"),
        ("two\nlines", "two lines"),
    ],
)
def test_text_of_others_stays_text(text: str, shown: str) -> None:
    assert escaped(text) == shown


@given(st.text(alphabet="`~\n ax"))
def test_no_text_ends_its_fence(text: str) -> None:
    lines = fenced(text, 1_000).split("\n")
    fence = lines[0].removesuffix("text")
    assert lines[-1] == fence
    assert not any(line.strip().startswith(fence) for line in lines[1:-1])


def test_it_fits_into_a_comment_and_counts_what_it_leaves_out(sample: Sample) -> None:
    results = [trial(f"c{number}", "faq@2", Outcome.FAILED, output=HOSTILE * 20) for number in range(500)]
    suite = with_suite(sample.summary, deciding_failures=tuple(one.id for one in results))
    text = render(suite, results)
    assert len(text) < 65_000
    assert re.search(r"… \d+ more problems: see the full report", text)
    assert "### Results of faq" in text
    many = with_suite(sample.summary, variants=sample.summary.suites[0].variants * 1_000)
    assert len(render(many, results)) < 65_000
