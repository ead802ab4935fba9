"""The sections of the page above its table of cases: their order, their numbers, and none for nothing."""

from __future__ import annotations

import html as markup
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from filled import filled_sample, repeated_case
from samples import HOSTILE, Sample, with_suite

from harness.records import Outcome
from harness.reports.html import render
from harness.summary.facets import Flip
from tests.comparisons.arms import suite, summed, trials

CHARTS = ["forest", "flips", "latency", "parts", "cost", "front", "looks"]


@pytest.fixture(scope="module")
def filled() -> Sample:
    return filled_sample()


@pytest.fixture(scope="module")
def page(filled: Sample) -> str:
    return render(filled.summary, lambda: filled.results, facts={"commit": "a94dfe5"})


def figures(page: str) -> dict[str, str]:
    """Every figure of a page that is drawn from data, by its chart."""
    found = re.findall(r'<figure class="chart" data-chart="(\w+)">(.*?)</figure>', page, re.S)
    return dict(found)


def drawn(figure: str) -> Any:
    """What a figure is drawn from."""
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', figure, re.S)
    return json.loads(data)


def rows(table: str) -> list[list[str]]:
    """The texts of a table's cells."""
    lines = re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.S) for line in lines]
    return [[" ".join(markup.unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in line] for line in cells]


def section(page: str, name: str) -> str:
    """The first section of that name."""
    start = page.index(f'aria-label="{name}"')
    return page[start : page.index("</section>\n", start)]


def test_what_people_ask_first_stands_first(page: str) -> None:
    order = [
        "<h1>faq@2 is better</h1>",
        "10 fixed, 1 broken of 29",
        "Of 1,000 answers about 310 more are right.",
        "Look at the one broken case",
        "faq: gate failed",
        "<h3>Gates</h3>",
        "With no change at all, about 8 of 100",
        "<h4>Broken ",
        "<h4>Fixed ",
        "<h3>What differs</h3>",
        *(f'data-chart="{chart}"' for chart in ("forest", "flips", "latency", "parts", "cost")),
        "<h3>Failures</h3>",
        "<h3>Tools</h3>",
        'data-chart="front"',
        'data-chart="looks"',
        "<h3>Cases</h3>",
        "How these numbers were made",
    ]
    places = [page.index(text) for text in order]
    assert places == sorted(places)


def test_gates_are_a_table_with_target_value_and_interval(page: str) -> None:
    found = rows(section(page, "Gates"))
    assert found[1:] == [
        ["accuracy", "faq@2", "at least 95.0%", "93.1%", "78.0% … 98.1%", "✗ does not hold"],
        ["not_worse_than_baseline 12 of 120", "faq@2", "by 5.0 pp at most", "-", "-", "– not evaluated"],
        ["latency_p95", "faq@2", "at most 4s", "2.31s", "1.90s … 2.90s", "✓ holds"],
    ]


def test_a_gate_s_interval_is_the_one_that_it_is_read_by() -> None:
    # A gate on safety reads Clopper and Pearson's interval, and the table of variants shows Wilson's; the others allow
    # for two candidates.
    letters = {"v1": "p" * 80 + "f" * 20, "v2": "p" * 100, "v3": "p" * 80 + "f" * 20}
    of = suite(100, tuple(letters), gates={"accuracy_ci": 0.99, "not_worse_than_baseline": True})
    found = trials(of, letters)
    cells = {
        (row[0].split()[0], row[1]): row for row in rows(section(render(summed(of, found), lambda: found), "Gates"))
    }
    assert cells["accuracy_ci", "v2"][3:5] == ["96.4%, lower end of 100.0%", "96.4% … 100.0%"]
    value, interval = cells["not_worse_than_baseline", "v2"][3:5]
    assert value == "+20.0 pp" and interval.startswith("97.5% CI +")
    assert cells["not_worse_than_baseline", "v3"][3:5] == ["+0.0 pp", "-3.7…+3.7"]


def test_every_chart_has_its_numbers_as_a_table(page: str) -> None:
    found = figures(page)
    assert list(found) == CHARTS
    for chart, figure in found.items():
        assert drawn(figure), chart
        assert len(rows(figure)) > 1, chart
        assert re.search(r"<figcaption><h3>.+</h3><p>.+</p></figcaption>", figure), chart


def test_the_numbers_of_the_forest_are_the_summary_s(page: str, filled: Sample) -> None:
    comparison = filled.summary.suites[0].comparisons[0]
    assert comparison.difference is not None
    figure = figures(page)["forest"]
    data = drawn(figure)
    assert data["margin"] == comparison.margin
    assert [row["n"] for row in data["rows"]] == [29, *(tag.cases for tag in comparison.tags)]
    assert [row["state"] for row in data["rows"]] == ["better", *(tag.word for tag in comparison.tags)]
    assert data["rows"][0]["at"] == comparison.difference.estimate
    assert rows(figure)[2] == ["policy", "40", "+42.0 pp", "+22.0 … +62.0", "<0.001", "better"]
    assert "5 tags were tested" in figure


def test_the_numbers_of_what_changed_lead_to_its_cases(page: str) -> None:
    figure = figures(page)["flips"]
    assert rows(figure)[1:3] == [["all cases", "29", "1", "18", "10"], ["policy", "40", "3", "17", "20"]]
    links = re.findall(r'href="(#faq.*?)"', figure)
    assert links[:3] == ["#faq?show=broken", "#faq?show=fixed", "#faq?show=broken&amp;tag=policy"]
    assert "#faq?show=broken&amp;tag=small+talk" not in links


def test_broken_cases_come_with_reasons_and_all_repeats(filled: Sample) -> None:
    comparison = filled.summary.suites[0].comparisons[0]
    flip = Flip(case="thrice", a=(3, 3), b=(1, 3), trials=())
    told = with_suite(filled.summary, comparisons=(replace(comparison, flips=(flip,)),))
    page = render(told, lambda: repeated_case("thrice"))  # type: ignore[arg-type, return-value]
    found = section(page, "Broken and fixed cases")
    assert "<h4>Fixed" not in found
    marks = re.findall(r'<span class="mark (\w+)"', found[: found.index('<ul class="checks">')])
    assert marks == ["passed", "passed", "passed", "passed", "failed", "failed"]
    assert "faq@2, repeats 2 and 3" in found
    assert found.count("expected to contain &#39;3-5 business days&#39;") == 1
    assert "fast enough" not in found


def test_only_the_first_cases_are_written_out(filled: Sample) -> None:
    comparison = filled.summary.suites[0].comparisons[0]
    flips = tuple(Flip(case=f"c{at}", a=(1, 1), b=(0, 1), trials=()) for at in range(50))
    told = with_suite(filled.summary, comparisons=(replace(comparison, flips=flips),))
    results = [
        replace(filled.results[0], case=f"c{at}", variant=variant, outcome=outcome)
        for at in range(50)
        for variant, outcome in (("faq@1", Outcome.PASSED), ("faq@2", Outcome.FAILED))
    ]
    found = section(render(told, lambda: results), "Broken and fixed cases")
    assert found.count('<li class="flip">') == 20
    assert '<a href="#faq?show=broken">All 50 in the table of cases</a>' in found


def test_what_differs_is_one_card_with_words_tokens_and_money(page: str) -> None:
    found = section(page, "What differs")
    assert "cannot be put down to the prompt alone" in found
    assert "-7 tokens, -$0.000700 per 1,000 requests" in found
    assert "<ins>" in found
    assert "<del>" in found
    assert ["temperature setting", "0.7", "0.2"] in rows(found)


def test_who_is_faster_is_not_said_where_it_cannot_be_known(page: str) -> None:
    assert "It is not said which is faster: the arms were recorded on different days" in figures(page)["latency"]


def test_ties_are_said_aloud(page: str) -> None:
    figure = figures(page)["front"]
    assert "Too close to call in accuracy, because the intervals overlap: nano and faq@2." in figure
    assert "Grey: for faq@1 another variant is at least as good and as cheap." in figure
    assert [row["dominated"] for row in drawn(figure)["rows"]] == [True, False, False]


def test_where_there_is_nothing_to_show_there_is_no_heading(sample: Sample) -> None:
    page = render(with_suite(sample.summary, gates=()), lambda: sample.results)
    assert list(figures(page)) == ["latency"]
    headings = re.findall(r"<h3>(.*?)</h3>", page)
    assert sorted(headings) == ["Cases", "Failing", "Latency", "Prompts as sent", "Variants"]


def test_hostile_names_stay_text_in_every_chart(page: str) -> None:
    start = page.index("<main")
    assert "<script>alert" not in page[start:]
    assert "<svg onload" not in page[start:]
    for figure in figures(page).values():
        (data,) = re.findall(r'<script type="application/json">(.*?)</script>', figure, re.S)
        assert not set("<>&'") & set(data)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)
    assert HOSTILE not in page
