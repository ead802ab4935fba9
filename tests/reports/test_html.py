"""The page where people look."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from samples import HOSTILE, Sample, comparison, trial, with_suite

from harness.errors import ExitCode
from harness.records import Outcome, TurnRecord
from harness.reports import page
from harness.reports.html import render
from harness.summary import RunSummary


class Page(HTMLParser):
    """The elements of a page and their attributes, as a browser would see them, and the text in each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)


@pytest.fixture(scope="module")
def html(sample: Sample) -> str:
    return render(sample.summary, lambda: sample.results, facts={"commit": "a94dfe5"})


def test_the_verdict_stands_on_top(html: str) -> None:
    assert Page(html).texts["h1"] == ["faq@2 is better"]
    assert html.index("<h1>") < html.index("10 fixed, 1 broken of 29") < html.index("<h3>Variants</h3>")


def test_the_page_allows_its_own_style_and_script_and_nothing_else(html: str) -> None:
    found = Page(html)
    policy = next(one["content"] for tag, one in found.elements if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("base-uri 'none'; form-action 'none'")
    for tag in ("style", "script"):
        (text,) = ("".join(found.texts[tag]),)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert sum(name == tag for name, _ in found.elements) == 1
    assert not any(name == "style" or name.startswith("on") for _, one in found.elements for name in one)
    assert not any(
        name in {"src", "href"} and not (one[name] or "").startswith("#") for _, one in found.elements for name in one
    )


def test_hostile_text_is_shown_as_text(html: str) -> None:
    found = Page(html)
    assert not {"img", "iframe", "object", "link", "base"} & {tag for tag, _ in found.elements}
    assert '"><svg onload=alert(1)>' in found.texts["span"]
    said = next(text for text in found.texts["pre"] if "<script>alert(1)</script>" in text)
    assert '"><svg onload=alert(2)></details>' in said
    assert "{{ 7*7 }}" in said
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", html)


def test_cases_that_decide_come_first(html: str, sample: Sample) -> None:
    names = re.findall(r'<span class="name">(.*?)</span>', html)
    assert names[:3] == ["&#34;&gt;&lt;svg onload=alert(1)&gt;", "express-cost-1", "order-change-1"]
    assert len(names) == 30
    assert html.count('class="case look"') == 3


def test_a_case_shows_input_outputs_checks_and_errors(html: str) -> None:
    assert "expected to contain &#39;3-5 business days&#39;, found &#39;a week or so&#39;" in html
    assert "suites/faq.yaml:14:9" in html
    assert "the service answered 503 three times" in html
    assert "latency 1.23s, ttft 412ms, 412 + 38 tokens, $0.0000512, finish stop" in html
    assert re.search(r"[\d,]+ more characters are in results\.jsonl", html)


def test_gates_say_what_was_asked_for_and_found(html: str) -> None:
    assert '<strong>accuracy</strong> <span class="quiet">faq@2</span> <span class="state">FAIL</span>' in html
    assert "<p>93.1% (at least 95.0%)</p>" in html
    assert '<span class="state">not evaluated</span><p>(12 of 120)</p>' in html


def test_it_says_how_the_numbers_were_made(html: str) -> None:
    footer = html[html.index("<footer>") :]
    for text in (
        "95% interval: Wilson.",
        "95% interval: Tango. Smallest difference that matters: 5 pp, the default, nobody chose it.",
        "Left out: 1 pair of which either trial ended in error",
        "example rate of $0.10",
        "30 trials called a model whose price is unknown",
        "genai-prices 0.2.3 + overlay ab12cd",
        "replayed, nothing was sent",
        "recorded 2026-11-20 to 2026-11-21",
        "a94dfe5",
    ):
        assert text in footer


def test_turns_and_repeats_have_their_own_places(sample: Sample) -> None:
    turns = (
        TurnRecord(input=("Where is it?",), output="Which?"),
        TurnRecord(input=("4711", "no, 4712"), output="There."),
    )
    results = [trial("talk", "faq@2", repeat=number, turns=turns) for number in range(1, 8)]
    html = render(sample.summary, lambda: results)
    assert html.count("<h6>turn 2</h6>") == 7
    assert "4711\nno, 4712" in html
    assert "repeat 7, passed" in html
    assert '<span class="ratio">7/7</span>' in html


def test_large_runs_are_cut_to_size(sample: Sample) -> None:
    results = [trial(f"c{number}", "faq@2", output="word " * 4_000) for number in range(600)]
    assert page.output_limit(results[:100]) == 8_000
    assert page.output_limit(results) == 8_000
    assert page.output_limit(results * 10) == 1_000
    html = render(sample.summary, lambda: results * 3)
    assert "Those of more than 2,000 characters are cut here" in html


def test_runs_without_comparisons_gates_or_results_are_pages_too(sample: Sample) -> None:
    bare = with_suite(sample.summary, comparisons=(), gates=(), variants=sample.summary.suites[0].variants[:1])
    assert Page(render(bare, list)).texts["h1"] == ["Errors"]
    none = RunSummary(run="r", suites=(), exit_code=ExitCode.NOTHING, reasons=("nothing matched",))
    assert Page(render(none, list)).texts["h1"] == ["Nothing selected"]
    unknown = replace(comparison(), difference=None, verdict=None)
    empty = replace(
        sample.summary.suites[0].variants[1], accuracy=None, interval=None, passed=0, failed=0, latency_p50=None
    )
    render(with_suite(sample.summary, comparisons=(unknown,), variants=(empty,)), list)


def test_several_suites_are_linked(sample: Sample) -> None:
    other = replace(sample.summary.suites[0], name=HOSTILE)
    html = render(replace(sample.summary, suites=(*sample.summary.suites, other)), lambda: sample.results)
    assert '<a href="#s2">' in html
    identifiers = re.findall(r' id="([^"]+)"', html)
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_mark(sample: Sample, outcome: Outcome) -> None:
    html = render(sample.summary, lambda: [trial("c", "faq@2", outcome)])
    assert f'<span class="mark {outcome.value}"' in html


def test_bars_stay_on_their_axis() -> None:
    wide = comparison()
    assert wide.difference is not None
    extreme = replace(wide.difference, estimate=-1.0, interval=replace(wide.difference.interval, low=-1.0, high=1.0))
    bar = page.difference_bar(replace(wide, difference=extreme))
    assert bar is not None
    assert (bar.low, bar.high, bar.at, bar.reach) == (0, 1000, 0, "100 pp")
