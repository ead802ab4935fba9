"""The report as people use it: in a browser, with keys, on a phone, printed, with text that means harm."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from filled import filled_sample
from opened import PHONE, Opened, names, table, until
from samples import HOSTILE, Sample, trial, with_suite

from harness.records import Message, Outcome, Result, ToolCall, TurnRecord
from harness.reports.html import render

pytestmark = pytest.mark.browser

SEVERE = ("serious", "critical")


@pytest.fixture(scope="module")
def html(sample: Sample) -> str:
    return render(sample.summary, lambda: sample.results)


def rendered(sample: Sample, *rows: Result) -> str:
    return render(sample.summary, lambda: rows)


def drawer(page: Any) -> Any:
    found = page.locator("dialog.drawer[open]")
    found.wait_for()
    return found


def violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:300]}" for one in found if one["impact"] in SEVERE]


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param((1280, 900), "light", id="wide-light"),
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param((1280, 900), "dark", id="wide-dark", marks=pytest.mark.slow),
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.slow),
    ],
)
def test_no_serious_barrier_is_found(opened: Opened, scheme: str, size: tuple[int, int]) -> None:
    filled = filled_sample()
    page = opened(render(filled.summary, lambda: filled.results), size=size, color_scheme=scheme)
    table(page)
    assert violations(page) == []
    # While charts above are drawn, the row keeps the focus.
    page.locator(".tabulator-row .name").first.press("Enter")
    drawer(page)
    assert violations(page) == []


def test_a_phone_need_not_scroll_sideways(opened: Opened, html: str) -> None:
    page = opened(html, size=PHONE)
    table(page)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0
    page.locator(".tabulator-row .name").first.click()
    assert drawer(page).evaluate("one => one.scrollWidth - one.clientWidth") == 0


def test_cases_can_be_walked_through_with_keys(opened: Opened, html: str) -> None:
    page = opened(html)
    for _ in range(2):
        page.keyboard.press("j")
        until(page, "document.activeElement.closest('.tabulator-row')")
    until(page, "document.activeElement.textContent === 'express-cost-1'")
    following = names(page)[2]
    page.keyboard.press("Enter")
    assert drawer(page).locator("h2").inner_text() == "express-cost-1"
    assert page.url.endswith("#faq/express-cost-1")
    page.keyboard.press("j")
    assert drawer(page).locator("h2").inner_text() == following
    page.keyboard.press("ArrowLeft")
    assert drawer(page).locator("h2").inner_text() == "express-cost-1"
    for _ in range(40):
        page.keyboard.press("Tab")
        # Past its last part the focus may go to the browser itself, and to nothing behind the drawer.
        assert page.evaluate("!!document.activeElement.closest('dialog, html > body:not(dialog *)')")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    until(page, "!document.querySelector('dialog.drawer[open]')")
    until(page, "document.activeElement.textContent === 'express-cost-1'")
    assert page.url.endswith("#faq")
    page.keyboard.press("/")
    page.keyboard.type("norway")
    until(page, "document.querySelectorAll('.tabulator-row').length === 3")
    assert set(names(page)) == {"international", "international-1", "international-2"}
    assert page.locator("section.cases [role=status]").inner_text() == "3 of 30 cases shown"
    assert page.url.endswith("#faq?find=norway")
    page.keyboard.press("Escape")
    until(page, "document.querySelectorAll('.tabulator-row').length > 3")
    page.keyboard.press("?")
    assert page.locator("#page\\:keys").is_visible()


def test_what_is_in_an_answer_is_found(opened: Opened, html: str) -> None:
    page = opened(html, "#faq?find=Thank%20you%20for%20asking!%20%2412.90")
    table(page)
    assert set(names(page)) == {"express-cost", "express-cost-1", "express-cost-2"}


@pytest.mark.parametrize(
    ("query", "shown"),
    [("show=decides", 2), ("show=error", 1), ("show=failed&tag=policy", 16), ("check=icontains", 16), ("show=x", 30)],
)
def test_a_link_opens_the_table_as_it_was_filtered(opened: Opened, html: str, query: str, shown: int) -> None:
    page = opened(html, f"#faq?{query}")
    table(page)
    count = "Tabulator.findTable('.tabulator')[0].getDataCount('active')"
    until(page, f"{count} === {shown}")


def test_an_open_case_is_followed_by_the_next_one_of_the_table_as_it_is(opened: Opened, html: str) -> None:
    page = opened(html, "#faq?find=norway")
    table(page)
    until(page, "document.querySelectorAll('.tabulator-row').length === 3")
    page.locator(".tabulator-col-sorter-element", has_text="case").first.click()
    until(page, "document.querySelector('.tabulator-row .name').textContent === 'international'")
    page.locator(".tabulator-row .name").first.click()
    for at in (1, 2, 3):
        until(page, f"document.querySelector('dialog.drawer').textContent.includes('{at} of 3')")
        assert (
            drawer(page).locator("h2").inner_text() == ("international", "international-1", "international-2")[at - 1]
        )
        page.keyboard.press("j")
    assert drawer(page).locator("h2").inner_text() == "international-2"


def test_columns_sort(opened: Opened, html: str) -> None:
    page = opened(html)
    table(page)
    page.locator(".tabulator-col", has_text="case").click()
    until(page, "document.querySelector('.tabulator-row .name').textContent !== 'express-cost-1'")
    first = names(page)
    assert first[1:] == sorted(first[1:])
    page.locator(".tabulator-col", has_text="faq@2").click()
    shown = "document.querySelectorAll('.tabulator-row .arm:has(.mark)')"
    until(page, f"{shown}[1].textContent.startsWith('✓') && {shown}[4].textContent.startsWith('✓')")
    page.locator(".tabulator-col", has_text="faq@2").click()
    until(page, f"{shown}[1].textContent.startsWith('✓') === false")


def test_links_to_a_case_and_to_a_trial_open_it(opened: Opened, sample: Sample) -> None:
    rows = [trial("c", name, repeat=number) for name in ("faq@1", "faq@2") for number in (1, 2, 3)]
    rows[4] = replace(rows[4], outcome=Outcome.FAILED)
    html = rendered(sample, *rows)
    page = opened(html, "#faq/c")
    # The first repeat in which something did not pass.
    assert (
        drawer(page).locator(".repeats [aria-pressed=true]").get_attribute("aria-label") == "Repeat 2: passed, failed"
    )
    page = opened(html, "#faq/c/faq@2/3")
    assert (
        drawer(page).locator(".repeats [aria-pressed=true]").get_attribute("aria-label") == "Repeat 3: passed, passed"
    )
    assert drawer(page).locator(".aimed h3").inner_text() == "✓\nfaq@2\npassed"
    page.get_by_role("button", name="Next case").is_disabled()
    opened(html, "#faq/nothing/like/it/3")


def test_an_answer_is_set_against_the_baselines(opened: Opened, sample: Sample) -> None:
    html = rendered(
        sample,
        trial("c", "faq@1", output="It takes 3-5 business days."),
        trial("c", "faq@2", output="It takes 1-2 business days."),
    )
    page = opened(html, "#faq/c")
    answers = drawer(page).locator("pre.output")
    assert answers.all_inner_texts() == ["It takes 3-5 business days.", "It takes 31-52 business days."]
    assert (page.locator("del").all_inner_texts(), page.locator("ins").all_inner_texts()) == (["3", "5"], ["1", "2"])
    assert "against faq@1: 2 new, 2 gone" in drawer(page).inner_text()
    page.keyboard.press("d")
    until(page, "!document.querySelector('dialog del')")
    assert answers.all_inner_texts() == ["It takes 3-5 business days.", "It takes 1-2 business days."]


def test_a_trial_shows_all_that_is_known_of_it(opened: Opened, sample: Sample) -> None:
    call = ToolCall(id="t1", name="find_order", arguments={"id": "<4711>"}, output=None, error="no <such> order")
    done = ToolCall(id="t2", name="look", arguments={"a": [1, 2]}, output={"open": 3}, source="mock", seconds=0.25)
    asked = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Where is 4711?"),
        Message(role="assistant", content="", tool_calls=(call, done)),
        Message(role="tool", content="not found", tool_call_id="t1"),
        Message(role="tool", content='{"open": 3}', tool_call_id="t2"),
        Message(role="assistant", content="I cannot find it."),
    )
    turns = (TurnRecord(input=("Where is 4711?",), output="I cannot find it."),)
    row = trial("c", "faq@2", Outcome.FAILED, output="I cannot find it.", messages=asked, tool_calls=(call, done))
    extra = {"time": {"model": 0.9, "tools": 0.25, "retries": 0.0}, "recorded": {"concurrency": 4}, "mood": "good"}
    page = opened(rendered(sample, replace(row, turns=turns, state={"basket": 3}, extra=extra)), "#faq/c")
    text = " ".join(drawer(page).inner_text().split())
    told = [
        "How long does standard shipping take?",
        "I cannot find it.",
        "icontains failed",
        "suites/faq.yaml:14:9",
        "expected to contain '3-5 business days', found 'a week or so'",
        "fast enough (latency) failed, soft",
        "Where is 4711?",
        "find_order",
        "<4711>",
        "error: no <such> order",
        "look mocked, 250ms",
        "gave",
        '"open": 3',
        '"basket": 3',
        '"mood": "good"',
        "Prompt as sent 1 message, 9 characters",
        "1.23s: model 900ms, tools 250ms",
        "412 in + 38 out",
        "$0.0000512",
        "small-instruct",
        "cassettes/faq/faq@2/c.1.yaml, 2026-11-20 10:00, concurrency 4",
    ]
    assert [one for one in told if one not in text] == []
    places = [text.index(one) for one in told]
    assert places == sorted(places)
    assert "not found" not in text
    page.locator("summary", has_text="Prompt as sent").click()
    assert "Be brief." in drawer(page).inner_text()


def test_turns_are_set_against_the_same_turn_without_the_prompts_examples(opened: Opened, sample: Sample) -> None:
    rows = []
    for variant, word in (("faq@1", "two"), ("faq@2", "three")):
        turns = (
            TurnRecord(input=("An example?", "Hello"), output="Hello."),
            TurnRecord(input=("How many?",), output=f"There are {word} of them."),
        )
        said = ("user", "An example?"), ("assistant", "Yes."), ("user", "Hello"), ("assistant", "Hello.")
        messages = tuple(Message(role=role, content=text) for role, text in said)  # type: ignore[arg-type]
        rows.append(trial("c", variant, turns=turns, messages=messages, output=f"There are {word} of them."))
    page = opened(rendered(sample, *rows), "#faq/c")
    drawer(page)
    assert page.locator(".turn pre.asked").all_inner_texts() == ["Hello", "How many?"] * 2
    assert page.locator(".turn pre.output").all_inner_texts()[3] == "There are twothree of them."


def test_hostile_text_stays_text(opened: Opened, sample: Sample) -> None:
    call = ToolCall(id=HOSTILE, name=HOSTILE, arguments={HOSTILE: HOSTILE}, error=HOSTILE, source=HOSTILE)  # type: ignore[arg-type]
    changed = {
        "tags": (HOSTILE,),
        "metadata": {HOSTILE: HOSTILE},
        "input": HOSTILE,
        "output": HOSTILE,
        "tool_calls": (call,),
        "model": HOSTILE,
        "finish_reason": HOSTILE,
        "state": {HOSTILE: HOSTILE},
        "extra": {"files": ["files/" + HOSTILE], "recorded": {HOSTILE: HOSTILE}},
    }
    rows = [trial(f"{HOSTILE}{number}", HOSTILE, Outcome.FAILED, **changed) for number in range(3)]
    rows += [replace(one, variant="faq@1", output=HOSTILE[::-1]) for one in rows]
    rows = [
        replace(one, checks=tuple(replace(two, name=HOSTILE, reason=HOSTILE) for two in one.checks)) for one in rows
    ]
    variant = replace(sample.summary.suites[0].variants[1], name=HOSTILE)
    told = with_suite(sample.summary, variants=(sample.summary.suites[0].variants[0], variant), comparisons=())
    page = opened(render(told, lambda: rows))
    table(page)
    assert "<img src=x onerror=alert(1)>" in page.locator(".tabulator-row .preview").first.inner_text()
    assert "<script>alert(1)</script>" in page.locator(".tabulator-col").nth(4).inner_text()
    page.locator(".tabulator-row .name").first.click()
    shown = drawer(page)
    for one in shown.locator("summary").all():
        one.click()
    assert shown.inner_text().count("<script>alert(1)</script>") > 20
    assert page.locator("img, iframe, main svg[onload], dialog svg, dialog script").count() == 0
    assert (
        page.evaluate(
            "[...document.querySelectorAll('*')].some(one => one.getAttributeNames().some(name => name.startsWith('on')))"
        )
        is False
    )


def test_paper_has_the_failing_cases_as_a_list_or_the_case_that_is_open(opened: Opened, html: str) -> None:
    page = opened(html)
    table(page)
    page.emulate_media(media="print")
    assert page.locator(".plain li").first.is_visible()
    assert not page.locator(".tabulator").is_visible()
    page.emulate_media(media="screen")
    assert not page.locator(".plain").is_visible()
    page.locator(".tabulator-row .name").first.click()
    drawer(page)
    page.emulate_media(media="print")
    assert not page.locator("main").is_visible()
    assert drawer(page).locator(".trial").first.is_visible()


def test_what_is_chosen_can_be_told_where_the_system_sets_the_colours(opened: Opened, html: str) -> None:
    page = opened(html, forced_colors="active")
    table(page)
    colour = "one => getComputedStyle(one).backgroundColor"
    chosen = page.locator(".filter label:has(:checked)").first.evaluate(colour)
    assert chosen != page.locator(".filter label:not(:has(:checked))").first.evaluate(colour)


@pytest.mark.parametrize("how", ["no script", "no unpacking"])
def test_a_browser_that_cannot_unpack_shows_the_list_and_says_where_the_rest_is(
    opened: Opened, html: str, how: str
) -> None:
    if how == "no script":
        page = opened(html, java_script_enabled=False)
    else:
        page = opened("<!doctype html><title>x</title>")
        page.context.add_init_script("delete window.DecompressionStream")
        page = page.context.new_page()
        page.goto(f"file://{opened.write(html)}#faq/express-cost")
    assert page.locator(".plain").is_visible()
    assert "needs a browser that runs its script" in page.locator(".only-unable").inner_text()
    assert page.locator(".plain li").count() == 17
    assert not page.locator(".live").is_visible()


def test_several_suites_have_a_table_each(opened: Opened, sample: Sample) -> None:
    other = replace(sample.summary.suites[0], name="second suite")
    rows = [*sample.results, *(replace(one, suite="second suite") for one in sample.results[:6])]
    html = render(replace(sample.summary, suites=(*sample.summary.suites, other)), lambda: rows)
    found = re.findall(r'data-suite="([^"]+)"', html)
    assert len(found) == 2
    page = opened(html, f"#{found[1]}?show=failed")
    page.wait_for_selector(f"section[data-suite='{found[1]}'] .tabulator-row")
    assert page.locator(f"section[data-suite='{found[0]}'] .tabulator-row").count() == 0
    page.keyboard.press("j")


def test_many_cases_are_rows_only_where_they_are_seen(opened: Opened, sample: Sample) -> None:
    rows = [trial(f"case-{number}", "faq@2", output=f"answer {number}") for number in range(3_000)]
    page = opened(render(sample.summary, lambda: rows))
    table(page)
    assert page.locator(".tabulator-row").count() < 100
    page.evaluate("document.querySelector('.tabulator-tableholder').scrollTop = 1e6")
    until(page, "[...document.querySelectorAll('.tabulator-row .name')].at(-1)?.textContent === 'case-2999'")


WORDS = [
    ("", "", "rewritten"),
    (
        "one two three four",
        "one two 3 four",
        [["same", "one two "], ["gone", "three"], ["new", "3"], ["same", " four"]],
    ),
    ("a b c d e f", "a x y d e f", [["same", "a "], ["gone", "b c"], ["new", "x y"], ["same", " d e f"]]),
    ("I cannot say anything about that!", "Orders of $50: free shipping", "rewritten"),
    ("a b " * 3_000, "c d " * 3_000, "long"),
    (
        "注文番号 です か",
        "注文番号 でした か",
        [["same", "注文番号 "], ["gone", "です"], ["new", "でした"], ["same", " か"]],
    ),
]
JSONS = [
    ('{"city":"Köln","ids":["1","2"],"price":1.50}', '{\n  "city": "Köln",\n  "ids": ["1", "2"],\n  "price": 1.50\n}'),
    ('```json\n{"a": 1}\n```\n', '```json\n{\n  "a": 1\n}\n```'),
    *(
        (text, None)
        for text in ('"text"', "12", "{", '{"a": 1} and more', "[" * 9_000, "[" * 60 + "]" * 60, "", "{'a': 1}")
    ),
]


def test_words_and_json_are_compared_as_people_read_them(opened: Opened, html: str) -> None:
    page = opened(html)
    for before, after, told in WORDS:
        found = page.evaluate("([a, b]) => harness.words.against(a, b)", [before, after])
        if before == after == "":
            continue
        assert (found if isinstance(found, str) else [[one["kind"], one["text"]] for one in found["pieces"]]) == told
    for text, shown in JSONS:
        assert page.evaluate("text => harness.words.laidOut(text)", text) == shown
    hard = '{"a": {"b": [1, 2, {"c": null}]}, "a": true, "n": 1e999, "big": 123456789012345678901234567890, "e": {}}'
    laid = page.evaluate("text => harness.words.laidOut(text)", hard)

    def read(body: str) -> object:
        return json.loads(body, parse_float=str, parse_int=str, object_pairs_hook=list)

    assert read(laid) == read(hard)
    like = page.evaluate(
        "([a, b]) => harness.words.laidOut(a, b)",
        ['{"b": 1, "a": {"y": 1, "x": 2}}', '{"a": {"x": 0, "y": 0}, "b": 2}'],
    )
    assert json.loads(like, object_pairs_hook=list) == [("a", [("x", 2), ("y", 1)]), ("b", 1)]
