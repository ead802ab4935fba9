"""Links into the page: they are made of names, so that they last from run to run."""

from __future__ import annotations

import re
from dataclasses import replace

from samples import HOSTILE, Sample, trial, with_suite

from harness.records import Outcome
from harness.reports.html import render


def identifiers(html: str) -> list[str]:
    return re.findall(r' id="([^"]+)"', html)


def test_every_case_and_trial_has_a_place_named_after_it(sample: Sample) -> None:
    found = set(identifiers(render(sample.summary, lambda: sample.results)))
    assert {"faq", "faq/express-cost", "faq/express-cost/faq@1/1", "faq/express-cost/faq@2/1"} <= found
    assert sum(one.count("/") == 3 for one in found) == len(sample.results)


def test_places_do_not_depend_on_order_outcome_or_what_else_was_run(sample: Sample) -> None:
    few = [replace(one, outcome=Outcome.FAILED) for one in reversed(sample.results) if "warranty" in one.case]
    html = render(sample.summary, lambda: few)
    assert {one for one in identifiers(html) if "warranty" in one} == {
        one for one in identifiers(render(sample.summary, lambda: sample.results)) if "warranty" in one
    }


def test_no_two_places_are_the_same(sample: Sample) -> None:
    names = ["a", "A", "a/b", "a b", "page:main", "prompts:faq", "é", "e\u0301", "\ud800", HOSTILE, "", "x" * 200]
    rows = [trial(name, variant) for name in names for variant in ("faq@1", "faq@2")]
    html = render(with_suite(sample.summary, name="faq"), lambda: [*rows, *rows])
    found = identifiers(html)
    assert len(found) == len(set(found))
    assert html.count('<article class="trial') == 4 * len(names)


def test_hostile_names_make_harmless_places(sample: Sample) -> None:
    rows = [trial('x" onclick="alert(1)', "faq@2"), trial(HOSTILE, "faq@2")]
    html = render(sample.summary, lambda: rows)
    places = [one for one in identifiers(html) if one.startswith("faq/")]
    assert len(places) == 4
    assert all(re.fullmatch(r"[a-z0-9@.,/-]+", one) for one in places)
    assert 'onclick="' not in html


def test_every_link_leads_somewhere(sample: Sample) -> None:
    other = replace(sample.summary.suites[0], name="second suite")
    summary = replace(sample.summary, suites=(*sample.summary.suites, other))
    html = render(summary, lambda: [*sample.results, *(replace(one, suite="second suite") for one in sample.results)])
    found = set(identifiers(html))
    links = re.findall(r' href="#([^"]+)"', html)
    assert len(links) > 4 * len(sample.results)
    assert {link.partition("?")[0] for link in links} <= found
