"""A run as JUnit XML, which every CI service can read: one test case per trial, one per gate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias
from xml.etree import ElementTree

from harness.errors import SourceLocation
from harness.records import Outcome, Result
from harness.reports import clean, notes, tables, words
from harness.summary import GateResult, RunSummary, SuiteSummary, differences_of

#: Characters that XML 1.0 cannot hold, in no form.
_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")
_OUTPUT = 10_000

#: Where cases stand, by suite and id.
Places: TypeAlias = Mapping[tuple[str, str], SourceLocation]


def render(summary: RunSummary, results: Iterable[Result] = (), *, places: Places | None = None) -> str:
    """Return a run as JUnit XML.

    A failing trial that decides is a failure, and so is one that differs from its recording in mode `verify`. One that
    only counts in a gate, or is not a candidate's, is skipped with a message that starts with `missed: `. Times are the
    recorded latencies.

    Args:
        summary: Says what decides.
        results: The run's results, read once.
        places: Where each case stands, by suite and id.
    """
    root = ElementTree.Element("testsuites", name=_text(f"harness {summary.run}"))
    open_suites = {suite.name: _Suite(suite, summary, root, places or {}) for suite in summary.suites}
    for result in results:
        if result.suite in open_suites:
            open_suites[result.suite].add(result)
    for suite in open_suites.values():
        suite.close()
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(suite.counts[name] for suite in open_suites.values())))
    root.set("time", f"{sum(suite.time for suite in open_suites.values()):.6f}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


class _Suite:
    """One suite's element while its trials come in."""

    def __init__(self, suite: SuiteSummary, summary: RunSummary, root: ElementTree.Element, places: Places) -> None:
        self._suite = suite
        self._places = places
        self._failures = frozenset(suite.deciding_failures)
        self._errors = frozenset(suite.deciding_errors)
        self.counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
        self.time = 0.0
        self._element = ElementTree.SubElement(root, "testsuite", name=_text(suite.name))
        if summary.started:
            self._element.set("timestamp", _text(summary.started.removesuffix("Z")))
        facts = {"run": summary.run, "mode": summary.mode, "prices": summary.prices, "file": suite.shown}
        facts |= {f"verdict.{one.candidate}": one.text for one in suite.comparisons}
        facts |= {
            f"accuracy.{one.name}": words.accuracy(one.accuracy, one.interval) for one in suite.variants if one.graded
        }
        _properties(self._element, facts)

    def add(self, result: Result) -> None:
        place = self._places.get((result.suite, result.case))
        case = self._case(f"{result.case}[{result.variant}-{result.repeat}]", result.latency, place)
        differs = differences_of(result)
        if result.outcome is Outcome.PASSED and not differs:
            return
        facts = {"outcome": result.outcome.value, "score": "" if result.score is None else f"{result.score:.4g}"}
        facts |= {"latency": _number(result.latency), "ttft": _number(result.ttft)}
        facts |= {"cost": "" if result.cost is None else f"{result.cost:f}", "model": result.model or ""}
        facts |= {"prompt": (result.prompt.ref or result.prompt.hash[:12]) if result.prompt else ""}
        facts |= {"cassette": result.cassette.path if result.cassette else "", "tags": ", ".join(result.tags)}
        _properties(case, facts)
        reason = _reason(result)
        if result.outcome is Outcome.SKIPPED:
            self._mark(case, "skipped", "not started" if result.error is None else result.error.message)
        elif result.id in self._errors:
            self._mark(
                case, "errors", reason, kind=result.error.kind if result.error else "error", text=_details(result)
            )
        elif result.id in self._failures:
            self._mark(case, "failures", reason, kind="check", text=_details(result))
        elif differs:
            told = f"differs from its recording: {'; '.join(differs)}"
            self._mark(case, "failures", told, kind="verify", text=_details(result))
        else:
            self._mark(case, "skipped", f"missed: {reason}", text=_details(result))
        if result.output:
            ElementTree.SubElement(case, "system-out").text = _text(_cut(result.output))

    def close(self) -> None:
        for gate in self._suite.gates:
            case = self._case(f"gates[{gate.variant}] {tables.gate_metric(gate)}", None, None)
            self._gate(case, gate)
        for name, number in self.counts.items():
            self._element.set(name, str(number))
        self._element.set("time", f"{self.time:.6f}")

    def _gate(self, case: ElementTree.Element, gate: GateResult) -> None:
        if gate.passed is None:
            self._mark(case, "skipped", gate.text)
        elif not gate.passed:
            self._mark(case, "failures", gate.text, kind="gate")

    def _case(self, name: str, latency: float | None, place: SourceLocation | None) -> ElementTree.Element:
        self.counts["tests"] += 1
        self.time += latency or 0.0
        attributes = {"classname": _text(self._suite.name), "name": _text(name)}
        attributes["file"] = _text(clean.line(place.path if place else self._suite.shown))
        if place is not None:
            attributes["line"] = str(place.line)
        return ElementTree.SubElement(self._element, "testcase", attributes, time=f"{latency or 0.0:.6f}")

    def _mark(self, case: ElementTree.Element, count: str, message: str, *, kind: str = "", text: str = "") -> None:
        self.counts[count] += 1
        tag = {"failures": "failure", "errors": "error", "skipped": "skipped"}[count]
        element = ElementTree.SubElement(case, tag, message=_text(clean.line(message, 500)))
        if kind:
            element.set("type", _text(kind))
        if text:
            element.text = _text(text)


def _properties(element: ElementTree.Element, facts: Mapping[str, str]) -> None:
    holder = ElementTree.SubElement(element, "properties")
    for name, value in facts.items():
        if value:
            ElementTree.SubElement(holder, "property", name=_text(name), value=_text(clean.line(value)))


def _reason(result: Result) -> str:
    if result.error is not None:
        return f"{result.error.kind}: {result.error.message}"
    deciding = [check for check in result.checks if not check.soft and check.passed is not True]
    return "; ".join(f"{check.name}: {check.reason}" for check in deciding) or f"score {_number(result.score)}"


def _details(result: Result) -> str:
    lines = [f"{result.id}"]
    if result.error is not None:
        lines.append(f"{result.error.where or ''} {result.error.kind}: {result.error.message}".strip())
    lines += [
        f"{check.where or ''} {check.name}{' (soft)' if check.soft else ''}: {check.reason}".strip()
        for check in result.checks
        if check.passed is not True
    ]
    return _cut("\n".join([*lines, "input:", notes.plain(result.input)]))


def _cut(text: str) -> str:
    return text if len(text) <= _OUTPUT else f"{text[:_OUTPUT]}\n… {len(text) - _OUTPUT:,} more characters"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _text(text: str) -> str:
    return _ILLEGAL.sub("", clean.block(text))
