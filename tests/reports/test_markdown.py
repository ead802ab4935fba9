"""What a CI job's summary shows."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import HOSTILE, Sample, comparison, trial, with_suite

from harness.records import Outcome
from harness.reports.markdown import render
from harness.reports.markup import escaped, fenced
from harness.summary.facets import Change, Flip, TagContrast


def test_failures_come_before_the_numbers(sample: Sample) -> None:
    text = render(sample.summary, sample.results)
    assert text.startswith("<!-- harness:faq -->\n## ❌ errors\n\n- faq: 1 trial ended in error\n")
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
        ("suites/faq.yaml:60:16", "suites/faq.yaml:60:16"),
        ("two\nlines", "two lines"),
        ("GH-12 :smile: mailto:x", "GH\u200b-12 :\u200bsmile: mailto\u200b:x"),
        ("::error::x", ":\u200b:\u200berror::x"),
        ("20261121-143205-ab12", "20261121-143205-ab12"),
    ],
)
def test_text_of_others_stays_text(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_broken_cases_come_first_and_one_case_is_told_once(sample: Sample) -> None:
    results = [
        replace(trial(case, "faq@2", Outcome.FAILED), repeat=repeat) for case in ("old", "new") for repeat in (1, 2)
    ]
    flips = (Flip(case="new", a=(2, 2), b=(0, 2), trials=()), Flip(case="good", a=(0, 2), b=(2, 2), trials=()))
    told = replace(comparison(), flips=flips, dropped_cases=("lost",), noise="A/A noise: expect ~8.")
    text = render(with_suite(sample.summary, comparisons=(told,), deciding_failures=()), results)
    summaries = re.findall(r"<summary>(.*?)</summary>", text)
    assert summaries == [
        "broken, failed, does not decide by itself: faq/new/faq@\u200b2/1 and 1 more",
        "failed, does not decide by itself: faq/old/faq@\u200b2/1 and 1 more",
    ]
    assert "- **broken:** new (2/2 → 0/2)\n- **fixed:** good (0/2 → 2/2)\n- **left out:** lost\n" in text
    assert "A/A noise: expect \\~8." in text


def test_what_differs_is_folded_away_with_the_words_of_the_prompt(sample: Sample) -> None:
    change = Change(
        kind="prompt",
        name="prompt",
        a="faq@1",
        b="faq@2",
        texts=("Be brief.\n", "Be kind.\n"),
        tokens=12,
        money=Decimal("0.0012"),
    )
    tag = TagContrast(
        tag="@policy", cases=30, fixed=9, unchanged=20, broken=1, difference=None, interval=None, p=None, word="few"
    )
    told = replace(
        comparison(), changes=(change,), tags=(tag,), meaning=("It costs $1 more.",), latency_withheld="other days"
    )
    text = render(with_suite(sample.summary, comparisons=(told,)), ())
    assert "Be [-brief-]{+kind+}." in text
    assert "- prompt faq@\u200b1 → faq@\u200b2 (+12 tokens, +\\$0.00120 per 1,000 requests)" in text
    assert re.search(r"\| @\u200bpolicy +\| +30 \| +9 \| +20 \| +1 \| \\- +\| too few cases \|", text)
    assert "1 tag tested" in text
    assert "Latency is not compared: other days. It costs \\$1 more." in text
    assert text.count("<details>") == text.count("</details>") == 2


def test_the_report_is_linked_where_it_can_be_had(sample: Sample) -> None:
    text = render(sample.summary, sample.results, link="https://github.com/o/r/actions/runs/1#artifacts")
    assert text.endswith(
        "\n[The whole report](https://github.com/o/r/actions/runs/1#artifacts) is among this run's artifacts.\n"
    )


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
    assert len(text.encode()) < 65_000
    assert re.search(r"… \d+ cases omitted: see the full report", text)
    assert "### Results of faq" in text
    wide = [replace(one, output="𐀀" * 5_000, checks=()) for one in results]
    assert len(render(suite, wide).encode()) < 65_000
    told = replace(suite, reasons=("ü" * 400,) * 200)
    rows = [{"case": f"@{number} " + "ü" * 40, "n": 1} for number in range(9_000)]
    text = render(told, results, by=("case",), slices=rows)
    assert len(text.encode()) < 65_000
    assert re.search(r"- … and \d+ more\n", text)
    assert re.search(r"\| @\u200b1 ü+ \| 1 \|\n.*… and \d,\d+ more rows\.\n$", text, re.DOTALL)
    many = with_suite(sample.summary, variants=sample.summary.suites[0].variants * 1_000)
    assert len(render(many, results).encode()) < 65_000
