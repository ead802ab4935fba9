"""What a transcript comes to by the checks of its case: of a trial that was just run, or of one that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import TrialError
from harness.functions import Place
from harness.plugins import Registry
from harness.records import JSON, CheckResult, Failure, Outcome, Result, Transcript
from harness.scorers import evaluate, settle, withheld
from harness.suites.rendering import Renderer, saved_from
from harness.suites.suite import Case, Suite, Variant

#: Kinds of errors whose trials have an answer all the same.
_ANSWERED = frozenset({"filtered", "ungraded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What checks came to."""

    outcome: Outcome
    score: float | None
    checks: tuple[CheckResult, ...]
    error: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Applies the checks of suites to what was said."""

    root: Path
    registry: Registry
    renderer: Renderer

    async def of(
        self, transcript: Transcript, suite: Suite, case: Case, variant: Variant, *, saved: Mapping[str, JSON]
    ) -> Judged:
        """Apply the checks of a case to a transcript; `saved` is what its turns saved."""
        place = Place(root=self.root, folder=suite.path.parent)
        filtered = withheld(case.checks, transcript)
        checks = await evaluate(
            () if filtered else case.checks,
            transcript,
            case=self.renderer.case(suite, case, variant, saved=saved),
            place=place,
            registry=self.registry,
            render=self.renderer.argument(suite, case, variant, saved=saved),
        )
        outcome, score, failure = settle(checks, pass_score=case.pass_score)
        if filtered is not None:
            outcome, score = Outcome.ERROR, None
            failure = replace(filtered, where=str(case.where))
        return Judged(outcome=outcome, score=score, checks=tuple(checks), error=failure)

    async def again(self, result: Result, suite: Suite, case: Case, variant: Variant) -> Result:
        """Return a stored result as the checks of this case decide it; one without an answer stays as it is."""
        result = replace(result, tags=case.tags, metadata=case.metadata)
        if result.error is not None and result.error.kind not in _ANSWERED:
            return result
        try:
            saved = saved_from(case, result.turns)
        except TrialError as error:
            failure = Failure(kind=error.kind, message=error.message, where=error.where)
            return replace(result, outcome=Outcome.ERROR, score=None, checks=(), error=failure)
        found = await self.of(transcript_of(result), suite, case, variant, saved=saved)
        return replace(result, outcome=found.outcome, score=found.score, checks=found.checks, error=found.error)


def transcript_of(result: Result) -> Transcript:
    """Return what happened in a stored trial; files that the assistant made are not in it."""
    return Transcript(
        output=result.output or "",
        messages=result.messages,
        turns=result.turns,
        tool_calls=result.tool_calls,
        usage=result.usage,
        latency=result.latency,
        ttft=result.ttft,
        cost=result.cost,
        finish_reason=result.finish_reason,
        model=result.model,
        refusal=result.turns[-1].refusal if result.turns else None,
        attempts=result.attempts,
        response_ids=result.response_ids,
        state=result.state,
        extra=result.extra,
    )
