"""What stands on the page of a suite above its table of cases, in the order in which people ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.reports import clean, contrast, tables, worddiff, words
from harness.reports.evidence import Error, Evidence, Listed
from harness.reports.figures import Figure, differences, money, times
from harness.reports.tables import Table
from harness.reports.worddiff import WordDiff
from harness.summary import Comparison, GateResult, SuiteSummary, VariantSummary, phrases
from harness.summary.facets import Change, FailureGroup

#: Groups of failures of one kind, and tools, that are shown.
_GROUPS, _TOOLS = 12, 40
_PROMPT = 20_000
_BY = {"check": "By check", "tag": "By tag", "metadata": "By metadata"}


#: Commands of ours and keys of suites between backticks. What else stands between some is text of others.
_CODE = re.compile(r"`(harness [\w ./@:=,-]+|[a-z_]+:)`")


def coded(text: str) -> list[tuple[bool, str]]:
    """Return a sentence in pieces, and whether each is a command or a key."""
    pieces = _CODE.split(clean.line(text))
    return [(bool(place % 2), piece) for place, piece in enumerate(pieces) if piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChange:
    """A text that differs between the arms, word by word."""

    change: Change
    #: None: too long to be set against each other.
    found: WordDiff | None
    #: What it does to tokens and money; empty: not known.
    price: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One comparison with all that is shown of it."""

    comparison: Comparison
    broken: Listed
    fixed: Listed
    prompts: tuple[PromptChange, ...]
    #: What else differs.
    settings: tuple[Change, ...]
    forest: Figure | None
    flips: Figure | None
    looks: Figure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How often something failed in one variant; None of both: it was not asked."""

    failed: int
    of: int

    @property
    def width(self) -> float:
        """The failed share on an axis from 0 to 1000."""
        return round(1000 * self.failed / self.of, 1) if self.of else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Failing trials grouped by one kind of thing."""

    title: str
    variants: tuple[str, ...]
    #: Name, and a share for each variant.
    rows: tuple[tuple[str, tuple[Share | None, ...]], ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """One suite above its table of cases."""

    contrasts: tuple[Contrast, ...]
    #: Failing cases that no comparison calls broken.
    failing: Listed
    errors: tuple[Error, ...]
    #: What repeats say; None with one repeat.
    repeats: Table | None
    flaky: tuple[tuple[str, str], ...]
    latency: Figure | None
    parts: Figure | None
    cost: Figure | None
    failures: tuple[Failures, ...]
    tools: Table | None
    front: Figure | None


def sections(
    suites: tuple[SuiteSummary, ...], evidence: Mapping[str, Evidence], anchors: Mapping[str, str]
) -> dict[str, Sections]:
    """Return what is shown of each suite, by its name.

    Args:
        suites: Of the run.
        evidence: Of each suite, after all results were added.
        anchors: Where each suite's cases stand on the page.
    """
    return {suite.name: _sections(suite, evidence[suite.name], anchors[suite.name]) for suite in suites}


def _sections(suite: SuiteSummary, evidence: Evidence, anchor: str) -> Sections:
    return Sections(
        contrasts=tuple(_contrast(one, evidence, anchor) for one in suite.comparisons),
        failing=evidence.failing(),
        errors=evidence.errors(),
        repeats=_repeats(suite),
        flaky=_flaky(suite),
        latency=times.latency(suite, evidence.latencies),
        parts=times.parts(suite),
        cost=money.cost(suite),
        failures=_failures(suite),
        tools=_tools(suite),
        front=money.front(suite),
    )


def _contrast(comparison: Comparison, evidence: Evidence, anchor: str) -> Contrast:
    prompts = [one for one in comparison.changes if any(one.texts)]
    return Contrast(
        comparison=comparison,
        broken=evidence.flipped(comparison, broken=True),
        fixed=evidence.flipped(comparison, broken=False),
        prompts=tuple(_prompt(one) for one in prompts),
        settings=tuple(one for one in comparison.changes if not any(one.texts)),
        forest=differences.forest(comparison),
        flips=differences.flips(comparison, anchor),
        looks=differences.looks(comparison),
    )


def _prompt(change: Change) -> PromptChange:
    a, b = (clean.block(text) for text in change.texts)
    short = max(len(a), len(b)) <= _PROMPT
    return PromptChange(change=change, found=worddiff.words(a, b) if short else None, price=contrast.price(change))


def _failures(suite: SuiteSummary) -> tuple[Failures, ...]:
    names = tuple(one.name for one in suite.variants)
    found = []
    for by, title in _BY.items():
        groups = [one for one in suite.failures if one.by == by]
        if groups:
            rows = tuple((clean.line(one.name, 80), _shares(one, names)) for one in groups[:_GROUPS])
            found.append(Failures(title=title, variants=names, rows=rows, more=len(groups) - len(rows)))
    return tuple(found)


def _shares(group: FailureGroup, names: tuple[str, ...]) -> tuple[Share | None, ...]:
    counts = (group.counts.get(name) for name in names)
    return tuple(None if one is None else Share(failed=one[0], of=one[1]) for one in counts)


def _tools(suite: SuiteSummary) -> Table | None:
    names = list(dict.fromkeys(tool.name for one in suite.variants for tool in one.tools))[:_TOOLS]
    if not names:
        return None
    rows = [
        (clean.line(name, 80), *_tool_cells(variant, name))
        for name in names
        for variant in suite.variants
        if any(tool.name == name for tool in variant.tools)
    ]
    return Table(
        headers=("tool", "variant", "calls", "errors", "trials", "p50", "p95"),
        rows=tuple(rows),
        align=("left", "left", *["right"] * 5),
    )


def _tool_cells(variant: VariantSummary, name: str) -> tuple[str, ...]:
    tool = next(one for one in variant.tools if one.name == name)
    share = f" ({phrases.percent(tool.errors / tool.calls)})" if tool.errors and tool.calls else ""
    return (
        clean.line(variant.name),
        f"{tool.calls:,}",
        f"{tool.errors:,}{share}",
        f"{tool.trials:,}",
        words.seconds(tool.p50),
        words.seconds(tool.p95),
    )


def _repeats(suite: SuiteSummary) -> Table | None:
    steps = sorted({k for one in suite.variants for k in (*one.repeats.at, *one.repeats.hat) if k > 1})
    if not steps:
        return None
    headers = ["variant", *(f"{name}{k}" for k in steps for name in ("pass@", "pass^")), "undecided cases"]
    rows = []
    for one in suite.variants:
        cells = [words.percent(found.get(k)) for k in steps for found in (one.repeats.at, one.repeats.hat)]
        rows.append((clean.line(one.name), *cells, f"{len(one.repeats.flaky):,}"))
    return Table(headers=tuple(headers), rows=tuple(rows), align=("left", *["right"] * (len(headers) - 1)))


def _flaky(suite: SuiteSummary) -> tuple[tuple[str, str], ...]:
    """The cases that both passed and failed: variant, and its cases in words."""
    return tuple(
        (
            clean.line(one.name),
            ", ".join(f"{clean.line(case)} ({passed} of {graded})" for case, passed, graded in one.repeats.flaky[:8]),
        )
        for one in suite.variants
        if one.repeats.flaky
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """A gate as a row: what was asked for, what was found, how sure that is."""

    gate: GateResult
    metric: str
    value: str
    interval: str
    #: What else its text says.
    remark: str


def gates(suite: SuiteSummary) -> tuple[GateRow, ...]:
    """Return the gates of a suite, those that do not hold first."""
    ranks = {False: 0, None: 1, True: 2}
    return tuple(_gate(suite, one) for one in sorted(suite.gates, key=lambda one: ranks[one.passed]))


def _gate(suite: SuiteSummary, gate: GateResult) -> GateRow:
    # It has a column of its own, under "95% interval"; another level is said.
    interval = gate.interval.removeprefix("95% CI ") or _times(suite, gate)
    return GateRow(
        gate=gate,
        metric=tables.gate_metric(gate),
        value=(gate.value or words.NOTHING).replace(f" ({gate.interval})", ""),
        interval=interval,
        remark=gate.remark,
    )


def _times(suite: SuiteSummary, gate: GateResult) -> str:
    """The 95% interval of a quantile of times; empty where a gate is about something else."""
    variant = next((one for one in suite.variants if one.name == gate.variant), None)
    if variant is None or gate.passed is None:
        return ""
    spans = {"latency_p50": variant.latency_p50_interval, "latency_p95": variant.latency_p95_interval}
    span = spans.get(gate.metric)
    return "" if span is None else f"{words.seconds(span.low)} … {words.seconds(span.high)}"
