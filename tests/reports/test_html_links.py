"""Links into the page: they are made of names, so that they last from run to run."""

from __future__ import annotations

import re
from dataclasses import replace

from samples import HOSTILE, Sample, trial, with_suite

from harness.records import Outcome
from harness.reports.html import render
from tests.carried import places


def identifiers(html: str) -> list[str]:
    return re.findall(r' id="([^"]+)"', html)


def test_every_case_has_a_place_named_after_it(sample: Sample) -> None:
    html = render(sample.summary, lambda: sample.results)
    assert "faq" in identifiers(html)
    assert "faq/express-cost" in places(html)
    assert len(places(html)) == len({one.case for one in sample.results})


def test_places_do_not_depend_on_order_outcome_or_what_else_was_run(sample: Sample) -> None:
    few = [replace(one, outcome=Outcome.FAILED) for one in reversed(sample.results) if "warranty" in one.case]
    html = render(sample.summary, lambda: few)
    assert set(places(html)) == {
        one for one in places(render(sample.summary, lambda: sample.results)) if "warranty" in one
    }


def test_no_two_places_are_the_same(sample: Sample) -> None:
    names = ["a", "A", "a/b", "a b", "page:main", "prompts:faq", "é", "e\u0301", "\ud800", HOSTILE, "", "x" * 200]
    rows = [trial(name, variant) for name in names for variant in ("faq@1", "faq@2")]
    html = render(with_suite(sample.summary, name="faq"), lambda: rows)
    found = [*identifiers(html), *places(html)]
    assert len(found) == len(set(found))
    assert len(places(html)) == len(names)


def test_hostile_names_make_harmless_places(sample: Sample) -> None:
    rows = [trial('x" onclick="alert(1)', "faq@2"), trial(HOSTILE, "faq@2")]
    html = render(sample.summary, lambda: rows)
    assert len(places(html)) == 2
    assert all(re.fullmatch(r"[a-z0-9@.,/-]+", one) for one in places(html))
    assert 'onclick="' not in html


def test_every_link_leads_somewhere(sample: Sample) -> None:
    other = replace(sample.summary.suites[0], name="second suite")
    summary = replace(sample.summary, suites=(*sample.summary.suites, other))
    html = render(summary, lambda: [*sample.results, *(replace(one, suite="second suite") for one in sample.results)])
    found = {*identifiers(html), *places(html)}
    links = [link.partition("?")[0] for link in re.findall(r' href="#([^"]+)"', html)]
    assert {link.count("/") for link in links} >= {0, 1}
    # A link to a trial goes on from its case's place.
    assert {link for link in links if link not in found and link.rsplit("/", 2)[0] not in found} == set()
