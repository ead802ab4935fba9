"""Results without what only their rows on disk need: ten thousand of these must fit into memory."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from harness.records import CheckResult, Outcome, PromptRef, Result, ToolCall


def slim(result: Result) -> Result:
    """Return a result as summaries need it: of one that passed, no more than its numbers and what was checked and called."""
    calls = tuple(map(_call, result.tool_calls)) if result.tool_calls else ()
    if result.outcome is not Outcome.PASSED:
        return replace(result, messages=(), turns=(), tool_calls=calls, state=None, files={})
    cassette = result.cassette and replace(result.cassette, path="")
    return replace(
        result,
        checks=tuple([_check(one.scorer, one.name, one.passed, one.soft) for one in result.checks]),
        messages=(),
        turns=(),
        tool_calls=calls,
        output=None,
        state=None,
        prompt=result.prompt and _prompt(result.prompt.ref),
        files={},
        cassette=cassette,
        response_ids=(),
    )


def _call(call: ToolCall) -> ToolCall:
    return ToolCall(id="", name=call.name, arguments=None, error=call.error, seconds=call.seconds)


# Thousands of trials have the same checks and prompts, and share them here.
@lru_cache(maxsize=4096)
def _check(scorer: str, name: str, passed: bool | None, soft: bool) -> CheckResult:
    return CheckResult(scorer=scorer, name=name, value=None, passed=passed, reason="", soft=soft)


@lru_cache(maxsize=1024)
def _prompt(ref: str | None) -> PromptRef:
    return PromptRef(ref=ref, hash="")
