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
from harness.records import Message, Outcome, Result, ToolCall, TurnRecord
from harness.reports import bars
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
        # Data that stand in a page are no script: a browser does not run them.
        self._open.append("data" if dict(attrs).get("type") == "application/json" else tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() not in ({tag, "data"} if tag == "script" else {tag}):
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
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = ("".join(found.texts[tag]),)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert sum(name == tag and "type" not in one for name, one in found.elements) == 1
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
    assert "latency 1.23s · ttft 412ms · 412 + 38 tokens · $0.0000512" in html
    assert "<i>finish</i> stop" in html
    assert "<i>replayed</i> cassettes/faq/faq@2/express-cost.1.yaml, 2026-11-20 10:00 UTC" in html
    assert re.search(r"[\d,]+ more characters are in results\.jsonl", html)


def test_it_says_how_the_numbers_were_made(html: str) -> None:
    footer = html[html.index("<footer>") :]
    for text in (
        "95% interval: Wilson.",
        "95% interval: Tango. Smallest difference that matters: 5.0 pp, the default, nobody chose it.",
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
    assert html.count("<h5>turn 2</h5>") == 7
    assert "4711\nno, 4712" in html
    assert html.count('<details class="repeat"') == 7
    assert '<span class="ratio">7/7</span>' in html


def test_large_runs_are_cut_to_size(sample: Sample) -> None:
    results = [trial(f"c{number}", "faq@2", output="word " * 4_000) for number in range(600)]
    html = render(sample.summary, lambda: results * 3)
    assert "Those of more than 2,000 characters are cut here" in html
    assert len(html) < 12_000_000


def test_every_kind_of_text_counts_when_there_is_little_room(sample: Sample) -> None:
    call = ToolCall(id="t1", name="look", arguments={"text": "word " * 4_000}, output="found " * 4_000)
    said = (Message(role="assistant", content="thought " * 4_000, tool_calls=(call,)),)
    talk = [
        trial(f"c{number}", "faq@2", output="", messages=said, tool_calls=(call,), turns=()) for number in range(900)
    ]
    assert len(render(sample.summary, lambda: talk)) < 12_000_000


def test_differences_go_before_answers_are_cut(sample: Sample) -> None:
    results = [
        trial(f"c{number}", variant, output=f"{variant} " + "word " * 780)
        for number in range(600)
        for variant in ("faq@1", "faq@2")
    ]
    small, large = render(sample.summary, lambda: results[:100]), render(sample.summary, lambda: results)
    assert "<del>1 </del><ins>2 </ins>" in small
    assert "<del>" not in large
    assert "There was no room for word differences." in large
    assert "Those of more than 8,000 characters are cut here" in large


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


def test_who_answered_is_said_where_the_run_tells(sample: Sample) -> None:
    scripted = replace(sample.summary.suites[0].variants[0], simulated=1)
    html = render(with_suite(sample.summary, variants=(scripted,)), list)
    assert "simulated by a script in 1 trial" in html
    plain = render(sample.summary, lambda: sample.results)
    assert "simulated" not in plain
    assert "Answers: small-instruct and nano-base, recorded 2026-11-20 to 2026-11-21" in plain


def test_a_transcript_holds_messages_tools_and_state(sample: Sample) -> None:
    call = ToolCall(id="t1", name="find_order", arguments={"id": "<4711>"}, output=None, error="no <such> order")
    asked = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Where is 4711?"),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="not found", tool_call_id="t1"),
        Message(role="assistant", content="I cannot find it."),
    )
    turns = (TurnRecord(input=("Where is 4711?",), output="I cannot find it."),)
    row = trial(
        "c", "faq@2", output="I cannot find it.", messages=asked, tool_calls=(call,), turns=turns, state={"open": 3}
    )
    html = render(sample.summary, lambda: [row])
    transcript = html[html.index('<details class="transcript">') : html.index("</article>")]
    told = ["1 message, 9 characters", "Where is 4711?", "find_order", "&lt;4711&gt;", "no &lt;such&gt; order"]
    places = [transcript.index(text) for text in [*told, "not found", "I cannot find it.", "&#34;open&#34;: 3"]]
    assert places == sorted(places)
    assert "5 messages, 1 tool call" in transcript


def test_a_trial_without_messages_keeps_its_times(sample: Sample) -> None:
    html = render(sample.summary, lambda: [trial("c", "faq@2", messages=(), turns=(), output=None)])
    assert "<summary>Details</summary>" in html
    assert "latency 1.23s" in html
    assert "<ol>" not in html


def test_a_long_system_message_stands_on_the_page_once_for_all_trials(sample: Sample) -> None:
    policy = "Answer from this long policy. " * 40
    opening = (Message(role="system", content=policy), Message(role="user", content="?"))
    rows = [
        trial(f"c{number}", variant, messages=opening, turns=(TurnRecord(input=("?",), output="x"),))
        for number in range(20)
        for variant in ("faq@1", "faq@2")
    ]
    html = render(sample.summary, lambda: rows)
    assert html.count(policy.strip()) == 1
    found = Page(html)
    (shown,) = [one["id"] for _, one in found.elements if one.get("class") == "opening"]
    assert [one.get("href") for _, one in found.elements].count(f"#{shown}") == 40
    assert "faq@1 and faq@2 are the same" in html


def test_the_prompts_of_baseline_and_candidate_are_set_against_each_other(sample: Sample) -> None:
    def said(variant: str, case: str, text: str, *more: Message) -> Result:
        turns = (TurnRecord(input=(*(one.content for one in more if one.role == "user"), "?"), output="x"),)
        messages = (Message(role="system", content=text), *more, Message(role="user", content="?"))
        return trial(case, variant, messages=messages, turns=turns)

    example = (Message(role="user", content="Open?"), Message(role="assistant", content="From nine."))
    rows = [
        said(variant, case, text, *more)
        for case in ("a", "b")
        for variant, text, more in (("faq@1", "Answer politely.", ()), ("faq@2", "Answer briefly.", example))
    ]
    html = render(sample.summary, lambda: rows)
    assert "Answer <del>politely</del><ins>briefly</ins>.</pre>" in html
    assert "<ins>From nine.</ins>" in html
    assert "The same in all cases." in html
    rows[2] = said("faq@1", "b", "Answer Bob politely.")
    assert "It differs from case to case; this is the first that both have, a." in render(sample.summary, lambda: rows)


def test_the_page_can_be_read_without_its_script(html: str) -> None:
    found = Page(html)
    hidden = {one.get("class") for _, one in found.elements if "hidden" in one}
    assert hidden == {"filter", "buttons", "none"}
    assert {tag for tag, _ in found.elements} >= {"details", "summary", "main", "header", "footer"}
    skip = next(one["href"] for _, one in found.elements if one.get("class") == "skip")
    assert skip is not None
    assert skip[1:] in {one.get("id") for tag, one in found.elements if tag == "main"}


def test_everything_that_can_be_used_has_a_name(html: str) -> None:
    nameless = [
        (tag, one)
        for tag, one in Page(html).elements
        if (tag == "select" or one.get("type") == "search" or one.get("role") == "img") and not one.get("aria-label")
    ]
    assert nameless == []


def test_several_suites_are_linked(sample: Sample) -> None:
    other = replace(sample.summary.suites[0], name=HOSTILE)
    html = render(replace(sample.summary, suites=(*sample.summary.suites, other)), lambda: sample.results)
    assert Page(html).texts["h1"] == ["Errors: 2 suites"]
    places = [one["href"] for tag, one in Page(html).elements if tag == "a" and one.get("class") is None]
    assert places[0] == "#faq"
    assert html.index('class="cards"') < html.index('<section class="suite" id="faq"')
    assert html.count('<section class="suite"') == 2


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_mark(sample: Sample, outcome: Outcome) -> None:
    html = render(sample.summary, lambda: [trial("c", "faq@2", outcome)])
    assert f'<span class="mark {outcome.value}"' in html


def test_bars_stay_on_their_axis() -> None:
    wide = comparison()
    assert wide.difference is not None
    extreme = replace(wide.difference, estimate=-1.0, interval=replace(wide.difference.interval, low=-1.0, high=1.0))
    bar = bars.difference(replace(wide, difference=extreme))
    assert bar is not None
    assert (bar.low, bar.high, bar.at, bar.reach) == (0, 1000, 0, "100 pp")
