"""What has to be said beside the numbers: where they come from, and what they leave out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from harness.errors import ExitCode
from harness.records import JSON, Result
from harness.reports import words
from harness.summary import RunSummary, Spend, SuiteSummary, phrases

#: Trials that differ from their recordings and are named.
_DIFFERING = 20


def of_suite(suite: SuiteSummary) -> list[str]:
    """What is said of a suite's answers and prices; one line each."""
    return [f"{label}: {text}" for label, text in parts(suite)]


def parts(suite: SuiteSummary) -> Iterator[tuple[str, str]]:
    """Yield the same as label and text."""
    given = answers(suite)
    if given:
        yield "answers", given
    for note in _unique(variant.price_note for variant in suite.variants if variant.price_note):
        yield "prices", note
    truncated = sum(variant.truncated for variant in suite.variants)
    if truncated:
        yield "truncated", f"{phrases.count(truncated, 'trial')} had an answer that ended at its longest length"
    estimated = sum(variant.estimated for variant in suite.variants)
    if estimated:
        trials = phrases.count(estimated, "trial")
        yield (
            "estimated",
            f"the cost of {trials}, at the worst case: the service did not say how many tokens a call took",
        )
    for variant in suite.variants:
        for remark in variant.remarks:
            yield "recordings", f"{variant.name}: {remark}"
    yield from _verified(suite)
    if large := _large(suite):
        yield "recordings", large
    unpriced = sum(variant.unpriced for variant in suite.variants)
    if unpriced:
        yield "unpriced", f"{phrases.count(unpriced, 'trial')} called a model whose price is unknown"


def _verified(suite: SuiteSummary) -> Iterator[tuple[str, str]]:
    verified = sum(variant.verified for variant in suite.variants)
    if not verified:
        return
    differ = [one for variant in suite.variants for one in variant.differing]
    yield (
        "verified",
        f"{phrases.count(verified, 'trial')} asked anew and compared with the recordings: {phrases.differ(len(differ))}",
    )
    for trial, lines in differ[:_DIFFERING]:
        yield "differs", f"{trial}: {'; '.join(lines)}"
    if len(differ) > _DIFFERING:
        yield "differ", f"{phrases.count(len(differ) - _DIFFERING, 'more trial')} (`extra.verify` in results.jsonl)"


def _large(suite: SuiteSummary) -> str:
    large = sum(variant.large for variant in suite.variants)
    return f"more than 512 kB each in {phrases.count(large, 'trial')}; more than 2 MB are refused" if large else ""


def answers(suite: SuiteSummary) -> str:
    """From which models a suite's answers are, and when they were recorded; empty where that is not known."""
    models = _unique(model for variant in suite.variants for model in variant.models)
    spans = [variant.recorded for variant in suite.variants if variant.recorded]
    span = (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None
    scripted = sum(variant.simulated for variant in suite.variants)
    staged = sum(variant.staged for variant in suite.variants)
    gone = sum(variant.unrenewable for variant in suite.variants)
    normalised = sum(variant.normalised for variant in suite.variants)
    told = [
        f"simulated by a script in {phrases.count(scripted, 'trial')}" if scripted else "",
        f"through a simulated protocol in {phrases.count(staged, 'trial')}" if staged else "",
        f"from recordings that cannot be made again in {phrases.count(gone, 'trial')}" if gone else "",
        f"matched after normalising in {phrases.count(normalised, 'trial')}" if normalised else "",
    ]
    return ", ".join(part for part in (" and ".join(models), words.recorded(span), *told) if part)


def of_spending(summary: RunSummary) -> str:
    """What a run spent on live requests, and of what; empty where it sent nothing."""
    spend = summary.spend
    if spend is None or not (spend.amount or _stopped(summary)):
        return ""
    told = [_spent("", spend)] if spend.amount or spend.budget is not None else []
    told += [_spent(f"{name}: ", one) for name, one in spend.suites.items() if one.budget is not None]
    return "; ".join(told)


def _spent(whose: str, spend: Spend) -> str:
    of = "" if spend.budget is None else f" of {words.money(spend.budget)}"
    guess = f" ({words.money(spend.estimated)} of it estimated)" if spend.estimated else ""
    return f"{whose}spent {words.money(spend.amount)}{of}{guess}"


def _stopped(summary: RunSummary) -> bool:
    return summary.exit_code is ExitCode.BUDGET


def of_trial(result: Result) -> str:
    """How long a trial took, what it cost, and where its recording is, in one line."""
    parts = [f"latency {words.seconds(result.latency)}"]
    if result.ttft is not None:
        parts.append(f"ttft {words.seconds(result.ttft)}")
    if result.usage.total is not None:
        parts.append(f"{result.usage.input} + {result.usage.output} tokens")
    if result.cost is not None:
        estimated = result.extra.get("cost_basis") == "estimated"
        parts.append(words.money(result.cost) + (" (estimated)" if estimated else ""))
    if result.finish_reason is not None:
        parts.append(f"finish {result.finish_reason}")
    if result.cassette is not None:
        parts.append(f"{result.cassette.mode} {result.cassette.path}")
    return ", ".join(parts)


def plain(value: JSON) -> str:
    """Data as a person reads it: text as it is, turns below each other, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
