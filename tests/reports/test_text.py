"""What a terminal shows."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from samples import HOSTILE, Sample, comparison, trial, with_suite

from harness.errors import ExitCode
from harness.records import Failure, Outcome
from harness.reports import clean
from harness.reports.text import render, render_trial
from harness.stats.verdicts import Verdict
from harness.summary import RunSummary
from harness.summary.facets import Change, Flip


def test_a_run_is_summed_up_in_a_table_a_sentence_and_gates(sample: Sample) -> None:
    text = render(sample.summary, sample.results)
    assert "variant   n  passed  errors  accuracy [95% CI]     p50    p95   ttft      cost  vs baseline" in text
    assert "faq@1    30      20       0  66.7% [48.8, 80.8]  1.23s  2.31s  412ms  $0.00154  baseline" in text
    assert "faq@2    30      27       1  93.1% [78.0, 98.1]  1.31s  2.31s  412ms  $0.00154  +31.0 pp, better" in text
    assert "nano     30      24       0  80.0% [62.7, 90.5]  1.31s  2.31s  412ms  unpriced  report only" in text
    assert "faq@2 is better than faq@1: +31.0 pp" in text
    assert re.search(r"FAIL +faq@2 +accuracy +at least 95.0% +93.1%", text)
    assert re.search(r"not evaluated +faq@2 +not_worse_than_baseline", text)
    assert "answers: small-instruct and nano-base, recorded 2026-11-20 to 2026-11-21" in text
    assert "prices: example rate" in text
    assert "unpriced: 30 trials called a model whose price is unknown" in text
    assert "errors (exit 3)" in text
    assert text.endswith("faq: 1 trial failed\n  next  `harness report --open` shows every trial that did not pass.\n")


def test_trials_that_decide_come_first_with_place_and_reason(sample: Sample) -> None:
    text = render(sample.summary, sample.results)
    deciding, other = text.index("failing trials that decide (1)"), text.index("do not decide by themselves (1)")
    assert deciding < other < text.index("error server (1 trial)") < text.index("answers:")
    assert "failed icontains  suites/faq.yaml:14:9" in text
    assert "expected to contain '3-5 business days', found 'a week or so'" in text
    assert "the service answered 503 three times" in text
    assert "faq@1/1" not in text, "the baseline's failures are no news"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_lines_fit(sample: Sample, width: int) -> None:
    long = replace(sample.summary.suites[0].variants[1], name="support@2,a-model-with-a-long-name-2026-11-01,warm")
    suite = {"variants": (sample.summary.suites[0].variants[0], long), "shown": "suites/" + "x" * 200}
    unknown = replace(comparison("not_enough_data"), candidate=long.name)
    summary = with_suite(sample.summary, **suite, comparisons=(unknown,))
    for line in render(summary, sample.results, width=width).splitlines():
        assert clean.cells(line) <= width, line
    assert "+31.0 pp, not enough data" in " ".join(render(summary, width=140).split())


def test_hostile_text_commands_neither_terminal_nor_ci(sample: Sample) -> None:
    summary = with_suite(sample.summary, name="faq")
    hostile = replace(sample.summary.suites[0], name="::error::x", shown=HOSTILE)
    evil = trial(
        "c", "faq@2", Outcome.ERROR, suite="::error::x", error=Failure(kind="\x1b[2J", message=HOSTILE, where=HOSTILE)
    )
    text = render(
        replace(summary, suites=(*summary.suites, hostile), reasons=(HOSTILE, "::add-mask::e")), [*sample.results, evil]
    )
    text += render_trial(replace(evil, suite="::debug"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert not re.search(r"^\s*::", text, re.MULTILINE)
    assert "##[" not in text


def test_no_colour_unless_asked_for(sample: Sample) -> None:
    plain, coloured = render(sample.summary, sample.results), render(sample.summary, sample.results, color=True)
    assert "\x1b" not in plain
    assert "\x1b[31mFAIL\x1b[0m" in coloured
    assert set(re.findall(r"\x1b\[(\d+)m", coloured)) == {"0", "1", "31", "32"}
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


def test_a_suite_without_recordings_is_one_message(sample: Sample) -> None:
    message = (
        "nothing is recorded for suite faq. Record it (60 calls, about $0.01) with:\nharness record suites/faq.yaml"
    )
    results = [
        trial(f"c{number}", variant, Outcome.ERROR, error=Failure(kind="cassette_miss", message=message))
        for number in range(30)
        for variant in ("faq@1", "faq@2", "nano")
    ]
    text = render(sample.summary, results)
    assert text.count("harness record suites/faq.yaml") == 1
    assert "accuracy [" not in text


def test_misses_with_the_same_cause_show_it_once(sample: Sample) -> None:
    results = [
        trial(
            f"c{number}",
            "faq@2",
            Outcome.ERROR,
            error=Failure(
                kind="cassette_miss", message=f"messages[0] differs ({number})\n\n  harness record suites/faq.yaml"
            ),
        )
        for number in range(30)
    ]
    text = render(with_suite(sample.summary, deciding_errors=tuple(one.id for one in results)), results)
    assert "error cassette_miss (30 trials)" in text
    assert text.count("harness record suites/faq.yaml") == 1
    assert "and 29 more trials with other messages of this kind" in text


def test_a_long_list_of_failures_is_cut_and_counted(sample: Sample) -> None:
    results = [trial(f"c{number}", "faq@2", Outcome.FAILED) for number in range(40)]
    text = render(with_suite(sample.summary, deciding_failures=tuple(one.id for one in results)), results, failures=3)
    assert "failing trials that decide (3 of 40 shown)" in text
    assert text.count("failed icontains") == 3


def test_results_are_read_once_and_need_not_be_there(sample: Sample) -> None:
    assert render(sample.summary, iter(sample.results)) == render(sample.summary, sample.results)
    assert "failing trials" not in render(sample.summary)


def test_quiet_says_the_verdicts_only(sample: Sample) -> None:
    text = render(sample.summary, sample.results, quiet=True)
    assert text.startswith("  faq@2 is better than faq@1")
    assert "variant" not in text
    assert "errors (exit 3)" in text


def test_a_passing_run_says_so(sample: Sample) -> None:
    summary = replace(sample.summary, exit_code=ExitCode.PASSED, reasons=())
    assert render(summary).splitlines()[-2:] == [
        "passed  71 passed, 18 failed, 1 error, run 20261121-143205-ab12",
        "  next  `harness report --open` shows the cases behind the verdict.",
    ]
    assert "no trials" in render(
        RunSummary(run="r", suites=(), exit_code=ExitCode.NOTHING, reasons=("nothing matched",))
    )


def told(sample: Sample, **changes: object) -> str:
    """What is printed of a comparison, its lines joined."""
    summary = with_suite(sample.summary, comparisons=(replace(comparison(), **changes),))  # type: ignore[arg-type]
    return " ".join(render(summary, width=80).split())


def test_broken_cases_are_named_before_fixed_ones(sample: Sample) -> None:
    flips = (
        Flip(case="warranty", a=(3, 3), b=(0, 3), trials=()),
        *(Flip(case=f"c{number}", a=(0, 1), b=(1, 1), trials=()) for number in range(14)),
    )
    text = told(sample, flips=flips, noise="A/A noise: expect ~8 fixed and ~8 broken per 100 cases with no change.")
    assert "broken warranty (3/3 → 0/3) fixed c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 4 more A/A noise: exp" in text
    assert "A/A noise" not in told(sample, noise="A/A noise: none"), "nothing flipped"


def test_what_latency_cannot_say_is_said(sample: Sample) -> None:
    text = told(sample, latency_withheld="the arms were recorded on different days", dropped_cases=("a", "b"))
    assert "Latency is not compared: the arms were recorded on different days." in text
    assert "times as long" not in text
    assert "left out a, b" in text
    assert "times as long" in told(sample)


def test_what_differs_is_named_and_what_cannot_be_put_down_to_it(sample: Sample) -> None:
    changes = (
        Change(kind="prompt", name="prompt", a="faq@1", b="faq@2", tokens=12, money=Decimal("0.0012")),
        Change(kind="setting", name="temperature", a="", b="0.7"),
    )
    text = told(sample, changes=changes, confounded="faq@2 also changes the temperature.")
    assert "faq@2 also changes the temperature." in text
    assert "differs prompt faq@1 → faq@2, temperature - → 0.7" in text, text


def test_meaning_takes_two_lines_at_most_and_advice_replaces_the_hint(sample: Sample) -> None:
    text = told(
        sample,
        meaning=("Per 1,000 requests faq@2 costs $0.0041 more.", "It answers as fast.", "x" * 100),
        advice=("Read the broken cases.", "Choose `margin:`, then `harness plan --effect 0.05`."),
    )
    assert "Per 1,000 requests faq@2 costs $0.0041 more. It answers as fast." in text
    assert "xxx" not in text
    assert "costs $0.00000410 more" not in text, "once is enough"
    assert "Choose `margin:`" in text
    assert "next" not in text


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        (
            {"verdict": Verdict(kind="not_enough_data", margin=0.05, required=849, detectable=0.2)},
            "plan suites/faq.yaml",
        ),
        ({}, "report --open` shows the cases"),
    ],
)
def test_one_hint_names_the_next_command(sample: Sample, changes: dict[str, object], hint: str) -> None:
    passed = replace(sample, summary=replace(sample.summary, exit_code=ExitCode.PASSED, reasons=()))
    text = told(passed, **changes)
    assert f"next `harness {hint}" in text
    assert text.count("`harness ") == 1


def test_a_command_is_not_broken(sample: Sample) -> None:
    for pad in range(20):
        advice = f"{'x' * (40 + pad)} `harness plan suites/faq.yaml --effect 0.05`."
        one = replace(comparison(), advice=(advice,))
        text = render(with_suite(sample.summary, comparisons=(one,)), width=80)
        assert "`harness plan suites/faq.yaml --effect 0.05`." in text


def test_recordings_that_are_not_used_up_hint_at_the_command_that_mends_them(sample: Sample) -> None:
    rows = sample.summary.suites[0].variants
    stale = replace(rows[1], remarks=("2 trials did not make every recorded call, first a (an error with --strict)",))
    text = render(with_suite(sample.summary, variants=(rows[0], stale)))
    assert "next  `harness record --only-stale`" in text


def test_one_trial_shows_its_conversation_and_what_failed() -> None:
    lines = render_trial(trial("shipping", "faq@2", Outcome.FAILED, output="A week or so.")).splitlines()
    assert lines == [
        "faq/shipping/faq@2/1",
        "  system    | Answer from the policy.",
        "  user      | How long does standard shipping take?",
        "  assistant | A week or so.",
        "  latency 1.23s, ttft 412ms, 412 + 38 tokens, $0.0000512, finish stop, replayed",
        "  cassettes/faq/faq@2/shipping.1.yaml",
        "  failed icontains  suites/faq.yaml:14:9",
        "    expected to contain '3-5 business days', found 'a week or so'",
        "  failed fast enough (latency), soft  suites/faq.yaml:15:9",
        "    6.1s is more than 5s",
    ]
