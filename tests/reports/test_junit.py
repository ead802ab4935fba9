"""What a CI service reads."""

from __future__ import annotations

from xml.etree import ElementTree as xml

import pytest
from samples import HOSTILE, Sample, trial, with_suite

from harness.errors import SourceLocation
from harness.records import Failure, Outcome
from harness.reports.junit import render


@pytest.fixture(scope="module")
def root(sample: Sample) -> xml.Element:
    return xml.fromstring(render(sample.summary, sample.results))


def _case(root: xml.Element, name: str) -> xml.Element:
    return next(case for case in root.iter("testcase") if case.get("name") == name)


def test_there_is_a_case_per_trial_and_per_gate(root: xml.Element, sample: Sample) -> None:
    cases = list(root.iter("testcase"))
    assert len(cases) == len(sample.results) + 3
    assert root.get("tests") == str(len(cases))
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert root.get(count) == str(len(list(root.iter(tag))))
    assert (root.get("failures"), root.get("errors")) == ("2", "1")


def test_what_decides_fails_and_the_rest_is_missed(root: xml.Element) -> None:
    error = _case(root, "express-cost-1[faq@2-1]").find("error")
    assert error is not None
    assert error.get("type") == "server"
    assert error.get("message") == "server: the service answered 503 three times"
    missed = _case(root, "shipping-time[faq@1-1]").find("skipped")
    assert missed is not None
    assert (missed.get("message") or "").startswith("missed: icontains: expected to contain")
    assert "suites/faq.yaml:14:9" in (missed.text or "")
    gate = _case(root, "gates[faq@2] accuracy").find("failure")
    assert gate is not None
    assert gate.get("message") == "faq@2: accuracy 93.1% (at least 95.0%)"
    assert _case(root, "gates[faq@2] latency_p95").find("failure") is None
    assert _case(root, "gates[faq@2] not_worse_than_baseline").find("skipped") is not None


def test_trials_carry_their_recorded_time_and_the_facts_of_those_that_did_not_pass(root: xml.Element) -> None:
    passed = _case(root, "shipping-time[faq@2-1]")
    assert passed.get("time") == "1.234567"
    assert next(passed.iter("property"), None) is None
    open_one = next(
        case for case in root.iter("testcase") if case.find("failure") is not None and case.find("properties")
    )
    facts = {one.get("name"): one.get("value") for one in open_one.iter("property")}
    assert facts["outcome"] == "failed"
    assert facts["cost"] == "0.0000512"
    assert (facts["cassette"] or "").startswith("cassettes/faq/")


def test_what_was_said_and_where_the_case_stands_is_read_by_services(sample: Sample) -> None:
    place = SourceLocation("suites/data/faq.csv", 12)
    root = xml.fromstring(render(sample.summary, sample.results, places={("faq", "shipping-time"): place}))
    case = _case(root, "shipping-time[faq@1-1]")
    assert (case.get("file"), case.get("line")) == ("suites/data/faq.csv", "12")
    assert case.findtext("system-out") == "I am not sure, about a week or so."
    other = _case(root, "express-cost[faq@1-1]")
    assert (other.get("file"), other.get("line"), other.find("system-out")) == ("suites/faq.yaml", None, None)


def test_any_text_makes_valid_xml(sample: Sample) -> None:
    nasty = HOSTILE + "\x00\x0b\ufffe\uffff\ud800]]>&"
    results = [
        trial(nasty, "faq@2", Outcome.FAILED, output=nasty, input={"a": nasty}),
        trial("b", nasty, Outcome.ERROR, error=Failure(kind=nasty, message=nasty, where=nasty)),
        trial("c", "faq@2", Outcome.SKIPPED),
    ]
    summary = with_suite(
        sample.summary, shown=nasty, deciding_failures=(results[0].id,), deciding_errors=(results[1].id,)
    )
    root = xml.fromstring(render(summary, results))
    assert len(list(root.iter("failure"))) == 2
    skipped = _case(root, "c[faq@2-1]").find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "not started"


def test_the_same_run_gives_the_same_file(sample: Sample) -> None:
    assert render(sample.summary, sample.results) == render(sample.summary, iter(sample.results))
