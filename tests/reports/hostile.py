"""A run in which every text that comes from others is one that means harm: tests/data/hostile.txt, in every place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filled import filled_comparison, filled_sample
from samples import comparison, trial, variant_row

from harness.errors import ExitCode
from harness.records import CheckResult, Failure, Message, Outcome, PromptRef, Result, ToolCall, TurnRecord
from harness.summary import GateResult, RunSummary, SuiteSummary
from harness.summary.facets import Change, FailureGroup, Flip, ToolUse

#: Variants, and texts, of a suite.
_EACH = 12


def lines() -> tuple[str, ...]:
    """The texts, one JSON string a line so that the file itself is harmless."""
    path = Path(__file__).parent.parent / "data" / "hostile.txt"
    return tuple(json.loads(line) for line in path.read_text("ascii").splitlines())


def harmless(count: int) -> tuple[str, ...]:
    """As many texts that mean no harm, to see what is ours in a report."""
    return tuple(f"text {number}" for number in range(count))


@dataclass(frozen=True)
class Hostile:
    """A run with these texts; its suites are named by them, too."""

    texts: tuple[str, ...]
    summary: RunSummary
    results: tuple[Result, ...]

    def parts(self) -> list[Hostile]:
        """The same run as one run per suite, for reports that are cut to a size."""
        return [
            Hostile(
                texts=self.texts,
                summary=replace(self.summary, suites=(suite,)),
                results=tuple(result for result in self.results if result.suite == suite.name),
            )
            for suite in self.summary.suites
        ]


def hostile_run(texts: Sequence[str]) -> Hostile:
    """A run whose model outputs, cases, tags, metadata, tools, errors, checks, variants, prompts and suites are `texts`."""
    suites: list[SuiteSummary] = []
    results: list[Result] = []
    for start in range(0, len(texts), _EACH):
        group = texts[start : start + _EACH]
        own = [result for text in group for result in _trials(group, text)]
        suites.append(_suite(group, own))
        results += own
    summary = RunSummary(
        run="20261121-143205-ab12",
        suites=tuple(suites),
        exit_code=ExitCode.ERRORS,
        reasons=tuple(texts[:60]),
        started="2026-11-21T14:32:05Z",
        mode="none",
        prices=texts[0],
    )
    return Hostile(texts=tuple(texts), summary=summary, results=tuple(results))


def _trials(group: Sequence[str], text: str) -> list[Result]:
    """A case that passes in the baseline and fails in the candidate, and a trial of the text's own variant in error."""
    call = ToolCall(id=text, name=text, arguments={text: [text]}, output=text, error=text)
    check = CheckResult(scorer=text, name=text, value=0.0, passed=False, reason=text, where=text)
    said = {
        "suite": group[0],
        "tags": (text,),
        "metadata": {text: text},
        "input": text,
        "messages": (
            Message(role="system", content=text),
            Message(role="user", content=text, name=text),
            Message(role="assistant", content=text, tool_calls=(call,)),
            Message(role="tool", content=text, tool_call_id=text),
        ),
        "tool_calls": (call,),
        "turns": (TurnRecord(input=(text,), output=text, finish_reason=text, tool_calls=(call,), refusal=text),),
        "extra": {text: text, "verify": {"differences": [text]}},
        "model": text,
        "prompt": PromptRef(ref=text, hash="3f9a" * 16),
        "finish_reason": text,
        "response_ids": (text,),
    }
    baseline, candidate = group[0], group[min(1, len(group) - 1)]
    return [
        trial(text, baseline, output=text, **said),
        replace(trial(text, candidate, Outcome.FAILED, output=text, **said), repeat=2, checks=(check,)),
        replace(
            trial(text, text, Outcome.ERROR, **said),
            repeat=3,
            error=Failure(kind=text, message=text, where=text),
            output=text,
        ),
    ]


def _suite(group: Sequence[str], results: Sequence[Result]) -> SuiteSummary:
    name, candidate = group[0], group[min(1, len(group) - 1)]
    filled = filled_sample().summary.suites[0]
    told = filled_comparison(comparison())
    told = replace(
        told,
        suite=name,
        baseline=name,
        candidate=candidate,
        headline=candidate,
        text=f"{candidate} {' '.join(group)}",
        latency_withheld=" ".join(group),
        confounded=" ".join(group),
        noise=group[-1],
        meaning=tuple(group),
        advice=tuple(group),
        dropped_cases=tuple(group),
        flips=tuple(
            Flip(case=text, a=(1, 1), b=(0, 1), trials=tuple(one.id for one in results if one.case == text))
            for text in group
        ),
        tags=tuple(replace(told.tags[0], tag=text) for text in group),
        changes=tuple(
            Change(kind="prompt", name=text, a=text, b=text, texts=(f"a {text}", f"b {text}")) for text in group
        ),
    )
    variants = tuple(
        replace(
            variant_row(text, "candidate" if at else "baseline", passed=20, failed=10, low=0.4, high=0.8),
            suite=name,
            models=(text,),
            price_note=text,
            remarks=(text,),
            verified=1,
            differing=((text, (text,)),),
            tools=(ToolUse(name=text, calls=3, errors=1, trials=2, p50=0.1, p95=0.2),),
            repeats=replace(filled.variants[0].repeats, flaky=((text, 1, 3),)),
        )
        for at, text in enumerate(group)
    )
    return SuiteSummary(
        name=name,
        shown=candidate,
        variants=variants,
        comparisons=(told,),
        gates=tuple(
            GateResult(
                suite=name, variant=text, metric=text, target=text, value=text, passed=False, text=text, case=text
            )
            for text in group
        ),
        deciding_failures=tuple(one.id for one in results if one.outcome is Outcome.FAILED),
        deciding_errors=tuple(one.id for one in results if one.outcome is Outcome.ERROR),
        failures=tuple(
            FailureGroup(by=by, name=text, counts={name: (1, 2), candidate: (1, 2)})  # type: ignore[arg-type]
            for by in ("check", "tag", "metadata")
            for text in group
        ),
        front=tuple(replace(filled.front[0], variant=text) for text in group),
    )
