"""The page where people look."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from many import results
from samples import HOSTILE, Sample, comparison, trial, with_suite

from harness.errors import ExitCode
from harness.records import Message, Outcome, Result, ToolCall, TurnRecord, Usage
from harness.reports import bars
from harness.reports.html import render
from harness.reports.standing import STATES
from harness.summary import RunSummary, VariantSummary
from harness.summary.facets import Flip
from tests.carried import carried, columns, texts


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
    assert '"><svg onload=alert(1)>' in found.texts["b"]
    assert "<script>alert" not in html
    said = next(text for text in texts(html) if "<script>alert(1)</script>" in text)
    assert '"><svg onload=alert(2)></details>' in said
    assert "{{ 7*7 }}" in said
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", "".join([html, *texts(html)]))


def named(html: str) -> list[str]:
    """The names of a page's cases in the order in which its table has them."""
    (data,) = carried(html).values()
    cases = columns(data, "cases")
    order = sorted(range(len(cases["name"])), key=lambda number: (cases["rank"][number], number))
    return [data["strings"][cases["name"][number]] for number in order]


def test_cases_that_decide_come_first(html: str) -> None:
    assert named(html)[:2] == ['"><svg onload=alert(1)>', "express-cost-1"]
    assert len(named(html)) == 30


def test_the_table_calls_broken_what_the_verdict_counts_as_broken(sample: Sample) -> None:
    # Other cases fail in one arm only as well: those pairs were left out, and no verdict rests on them.
    flips = (Flip(case="order-change-1", a=(1, 1), b=(0, 1), trials=()),)
    told = with_suite(sample.summary, comparisons=(replace(comparison(), flips=flips),))
    page = render(told, lambda: sample.results)
    assert named(page)[2] == "order-change-1"
    (data,) = carried(page).values()
    broken, flipped = (1 << STATES.index(state) for state in ("broken", "flipped"))
    states = columns(data, "cases")["states"]
    assert sum(bool(one & broken) for one in states) == sum(bool(one & flipped) for one in states) == 1


def test_cases_that_did_not_pass_can_be_read_on_paper_and_without_script(html: str, sample: Sample) -> None:
    plain = html[html.index('<div class="plain">') :]
    plain = plain[: plain.index("</section>")]
    assert "icontains: expected to contain &#39;3-5 business days&#39;, found &#39;a week or so&#39;" in plain
    assert "server: the service answered 503 three times" in plain
    assert "fast enough" not in plain
    assert "Everything in it is in results.jsonl beside this page; summary.md tells it in short." in plain
    open_cases = {one.case for one in sample.results if one.outcome is not Outcome.PASSED}
    assert plain.count("<li>") == len(open_cases)


def test_long_texts_are_cut_and_the_page_says_so(html: str, sample: Sample) -> None:
    assert "2 texts were longer than 8,000 characters and are cut here; results.jsonl holds everything." in html
    (data,) = carried(html).values()
    long = {one.output for one in sample.results if len(one.output or "") > 8_000}
    found = {tuple(one) for one in data["strings"] if isinstance(one, list)}
    assert found == {(text[:8_000], len(text) - 8_000) for text in long if text}


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


def test_turns_and_repeats_are_carried(sample: Sample) -> None:
    turns = (
        TurnRecord(input=("Where is it?",), output="Which?"),
        TurnRecord(input=("4711", "no, 4712"), output="There."),
    )
    results = [trial("talk", "faq@2", repeat=number, turns=turns) for number in range(1, 8)]
    (data,) = carried(render(sample.summary, lambda: results)).values()
    found = columns(data, "trials")
    assert found["repeat"] == [1, 2, 3, 4, 5, 6, 7]
    assert [data["strings"][turn[0]] for turn in found["turns"][6]] == ["Where is it?", "4711\nno, 4712"]


def test_large_runs_are_cut_to_size(sample: Sample) -> None:
    noise = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(100_000)]
    results = [
        trial(f"c{number}", "faq@2", output=" ".join(noise[number * 60 : number * 60 + 60])) for number in range(1_500)
    ]
    html = render(sample.summary, lambda: results)
    assert re.search(r"1,500 texts were longer than [\d,]+ characters and are cut here", html)
    assert 3_000_000 < len(html) < 5_000_000


@pytest.mark.parametrize(("words", "most"), [(30, 2_000_000), (100, 5_000_000)])
def test_ten_thousand_trials_make_a_page_that_can_be_sent(sample: Sample, words: int, most: int) -> None:
    some = len(render(sample.summary, lambda: results(1_000, words)).encode())
    html = render(sample.summary, lambda: results(1_800, words))
    # What every page has is not counted ten times.
    assert some + (len(html.encode()) - some) * 9_000 / 800 < most
    assert "are cut here" not in html


def test_every_kind_of_text_counts_when_there_is_little_room(sample: Sample) -> None:
    def told(number: int, kind: str) -> str:
        return " ".join(hashlib.sha256(f"{kind}{number}{at}".encode()).hexdigest() for at in range(60))

    def talk(number: int) -> Result:
        call = ToolCall(id="t1", name="look", arguments={"text": told(number, "a")}, output=told(number, "b"))
        said = (Message(role="assistant", content=told(number, "c"), tool_calls=(call,)),)
        return trial(f"c{number}", "faq@2", output="", messages=said, tool_calls=(call,), turns=())

    assert len(render(sample.summary, lambda: map(talk, range(700)))) < 5_000_000


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


def test_a_long_system_message_is_carried_once_for_all_trials(sample: Sample) -> None:
    policy = "Answer from this long policy. " * 400
    opening = (Message(role="system", content=policy), Message(role="user", content="?"))
    rows = [
        trial(f"c{number}", variant, messages=opening, turns=(TurnRecord(input=("?",), output="x"),))
        for number in range(20)
        for variant in ("faq@1", "faq@2")
    ]
    html = render(sample.summary, lambda: rows)
    assert html.count(policy.strip()) == 1
    # Cut last of all: it is what every answer rests on.
    assert texts(html).count(policy) == 1
    (data,) = carried(html).values()
    assert columns(data, "trials")["opening"] == [0] * 40
    assert "faq@1 and faq@2 are the same" in html


def test_examples_in_a_prompt_are_part_of_it(sample: Sample) -> None:
    said = (
        ("system", "Be brief."),
        ("user", "Open?"),
        ("assistant", "From nine."),
        ("user", "How long?"),
        ("assistant", "A day."),
    )
    messages = tuple(Message(role=role, content=text) for role, text in said)  # type: ignore[arg-type]
    turns = (TurnRecord(input=("How long?",), output="A day."),)
    row = trial("c", "faq@2", input="How long?", output="A day.", messages=messages, turns=turns)
    (data,) = carried(render(sample.summary, lambda: [row])).values()
    assert [[data["strings"][one] for one in pair] for pair in data["openings"][0]] == [list(pair) for pair in said[:3]]
    assert columns(data, "trials")["messages"] == [0]


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
    assert {one.get("class") for _, one in found.elements if "hidden" in one} == {"buttons"}
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


@pytest.mark.parametrize(("number", "outcome"), list(enumerate(Outcome)))
def test_every_outcome_is_told(sample: Sample, number: int, outcome: Outcome) -> None:
    html = render(sample.summary, lambda: [trial("c", "faq@2", outcome)])
    (data,) = carried(html).values()
    assert columns(data, "trials")["outcome"] == [number]
    plain = html[html.index('<div class="plain">') :]
    listed = f'<span class="mark {outcome.value}"' in plain[: plain.index("</section>")]
    assert listed is (outcome in (Outcome.FAILED, Outcome.ERROR))


def test_bars_stay_on_their_axis() -> None:
    wide = comparison()
    assert wide.difference is not None
    extreme = replace(wide.difference, estimate=-1.0, interval=replace(wide.difference.interval, low=-1.0, high=1.0))
    bar = bars.difference(replace(wide, difference=extreme), [wide])
    assert bar is not None
    assert (bar.low, bar.high, bar.at, bar.reach) == (0, 1000, 0, "100 pp")


def test_what_cannot_be_compared_is_said_once_and_is_no_headline(sample: Sample) -> None:
    told = "faq@2 cannot be compared with faq@1: no case has a graded trial in both."
    empty = replace(comparison(), difference=None, verdict=None, headline=told.partition(":")[0], text=told)
    html = render(with_suite(sample.summary, comparisons=(empty,)), lambda: sample.results)
    assert Page(html).texts["h1"] == ["Errors"]
    assert html.count(told) == 1


def test_of_several_comparisons_each_sentence_stands_once_on_one_axis(sample: Sample) -> None:
    wide = comparison()
    assert wide.difference is not None
    narrow = replace(wide.difference, interval=replace(wide.difference.interval, low=-0.02, high=0.02))
    other = replace(wide, candidate="nano", text="nano is another sentence.", headline="nano", difference=narrow)
    html = render(with_suite(sample.summary, comparisons=(wide, other)), lambda: sample.results)
    assert html.count(wide.text) == html.count(other.text) == 1
    assert html.index("<h1>") < html.index(">faq@2 is better <span") < html.index(">nano <span") < html.index("<main")
    axes = re.findall(r'<p class="axis" aria-hidden="true"><span>(.*?)</span>', html)
    assert len(axes) == 2
    assert len(set(axes)) == 1


def test_variants_without_times_prices_and_tokens_have_no_columns_for_them(sample: Sample) -> None:
    def bare(one: VariantSummary) -> VariantSummary:
        times = {"latency_p50": None, "latency_p95": None, "ttft_p50": None}
        return replace(one, **times, cost=None, cost_per_trial=None, unpriced=0, usage=Usage())  # type: ignore[arg-type]

    first, *others = (bare(one) for one in sample.summary.suites[0].variants)

    def heads(variants: tuple[VariantSummary, ...]) -> list[str]:
        html = render(with_suite(sample.summary, variants=variants), lambda: sample.results)
        table = html[html.index('<table class="variants">') :]
        return re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table[: table.index("</thead>")])

    assert heads((first, *others)) == ["variant", "n", "passed", "errors", "accuracy, 95% interval", "vs baseline"]
    assert "ttft" in heads((replace(first, ttft_p50=0.5), *others))
    assert {"cost", "per trial"} <= set(heads((replace(first, unpriced=1), *others)))


def test_with_repeats_a_case_is_not_called_broken_but_passed_less_often(sample: Sample) -> None:
    once = replace(comparison(), flips=(Flip(case="shipping-time", a=(2, 2), b=(1, 2), trials=()),))
    assert once.difference is not None
    often = replace(once, difference=replace(once.difference, pairs=58))
    for one, title in ((once, "<h4>Broken "), (often, "<h4>Passed less often ")):
        assert title in render(with_suite(sample.summary, comparisons=(one,)), lambda: sample.results)
