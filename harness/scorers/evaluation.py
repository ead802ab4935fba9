"""Checks to results, and results to a trial's outcome.

Three values, not two: a check holds, does not hold, or could not be scored. What could not be scored is never turned
into the other two, by `not` or by anything else; a list of checks is decided without it only where it cannot matter
(one of `all_of` does not hold, one of `any_of` does).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from harness.errors import ConfigError
from harness.functions import Place
from harness.plugins import InvalidArgument, Registry, ScoreContext
from harness.records import (
    JSON,
    CheckResult,
    Failure,
    Outcome,
    Score,
    Transcript,
    TurnRecord,
)
from harness.scorers.arguments import unscored
from harness.scorers.transforms import Unreadable
from harness.suites.checks import CheckSpec

#: From which value on a check passes whose scorer gives a number and no verdict.
DEFAULT_THRESHOLD = 0.5

#: Renders the templates in a check's argument.
Render: TypeAlias = Callable[[JSON], JSON]


async def evaluate(
    checks: Sequence[CheckSpec],
    transcript: Transcript,
    *,
    case: Mapping[str, JSON],
    registry: Registry,
    place: Place,
    render: Render,
) -> list[CheckResult]:
    """Score a trial by its checks, one after the other.

    A check with a `turn` looks at that turn's answer. Others look at the last turn's answer, or with `scope: all` at all
    answers, joined by newlines. Nothing that a scorer does ends the run: what it raises is the reason of an unscored check.

    Args:
        case: the case as plain data: id, input, expected, vars, metadata, tags.
        place: where paths in arguments are looked up.
        render: called for arguments (and `args`) that hold a template, and for no others; never for a dataset's cells.
    """
    if not checks:
        return []
    evaluation = _Evaluation(transcript=transcript, case=case, registry=registry, place=place, render=render)
    results = []
    for check in checks:
        score = await evaluation.score(check)
        results.append(
            CheckResult(
                scorer=check.scorer,
                name=check.name or (f"not {check.scorer}" if check.negate else check.scorer),
                value=score.value,
                passed=score.passed,
                reason=score.reason,
                weight=check.weight,
                threshold=check.threshold,
                soft=check.soft,
                turn=check.turn,
                where=str(check.where),
            )
        )
    return results


def settle(
    results: Sequence[CheckResult], *, pass_score: float | None = None
) -> tuple[Outcome, float | None, Failure | None]:
    """Decide a trial by its checks: its outcome, its score, and why it is an error if it is one.

    The score is the weighted mean of the checks that are not soft. The trial passes when all of those hold, or, with a
    `pass_score`, when the mean reaches it. One that could not be scored makes the trial an error of kind `ungraded`. A
    trial that no check decides passes with score 1: the assistant answered.
    """
    deciding = [result for result in results if not result.soft]
    open_ones = [result for result in deciding if result.value is None or result.passed is None]
    if open_ones:
        reasons = "; ".join(f"{result.name}: {result.reason}" for result in open_ones[:3])
        more = f" (and {len(open_ones) - 3} more)" if len(open_ones) > 3 else ""
        return Outcome.ERROR, None, Failure(kind="ungraded", message=reasons + more, where=open_ones[0].where)
    holds = all(result.passed for result in deciding)
    score = _mean([(result.weight, result.value or 0.0) for result in deciding], empty=1.0 if holds else 0.0)
    # A mean of thirds may miss its own threshold by the last bit.
    passed = holds if pass_score is None else score >= pass_score - 1e-9
    return (Outcome.PASSED if passed else Outcome.FAILED), score, None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evaluation:
    """The checks of one trial."""

    transcript: Transcript
    case: Mapping[str, JSON]
    registry: Registry
    place: Place
    render: Render
    contexts: dict[tuple[int | None, str], ScoreContext] = field(default_factory=dict)

    async def score(self, check: CheckSpec) -> Score:
        """Score one check, its threshold and negation included."""
        if check.children:
            score = _threshold(await self._group(check), check.threshold)
        else:
            try:
                score = _threshold(await self._single(check), check.threshold)
            except Unreadable as error:
                return Score(value=0.0, passed=False, reason=f"transform: {error}")
            except InvalidArgument as error:
                score = unscored(str(error))
            except ConfigError as error:
                score = unscored("; ".join(problem.message for problem in error.problems))
            except (Exception, SystemExit) as error:  # noqa: BLE001 (scorers may raise anything)
                score = unscored(f"{check.scorer} raised {type(error).__name__}: {error}")
        return _negated(score) if check.negate else score

    async def _single(self, check: CheckSpec) -> Score:
        templated = not check.literal and has_template(check.argument)
        argument = self.render(check.argument) if templated else check.argument
        prepared = self.registry.prepare(check.scorer, argument, place=self.place)
        context = self._context(check)
        if isinstance(context, str):
            return unscored(context)
        score = self.registry.get(check.scorer).score(context, prepared)
        if isinstance(score, Awaitable):
            score = await score
        return _sound(score)

    async def _group(self, check: CheckSpec) -> Score:
        scores = [(child, await self.score(child)) for child in check.children]
        reasons = "; ".join(f"{child.name or child.scorer}: {score.reason}" for child, score in scores)
        deciding = [(child.weight, score) for child, score in scores if not child.soft]
        known = [(weight, score) for weight, score in deciding if score.value is not None and score.passed is not None]
        complete = len(known) == len(deciding)
        values = [(weight, score.value or 0.0) for weight, score in known]
        if check.scorer == "any_of":
            best = max((value for _, value in values), default=0.0)
            if check.threshold is None:
                passed = any(score.passed for _, score in known)
            else:
                passed = best >= check.threshold
            if not passed and not complete:
                return unscored(reasons)
            return Score(value=best, passed=passed, reason=reasons)
        passed = all(score.passed for _, score in known)
        if not complete and (passed or check.threshold is not None):
            return unscored(reasons)
        return Score(value=_mean(values, empty=1.0 if passed else 0.0), passed=passed, reason=reasons)

    def _context(self, check: CheckSpec) -> ScoreContext | str:
        key = (check.turn, check.scope)
        if key not in self.contexts:
            turns = self.transcript.turns or (_only_turn(self.transcript),)
            if check.turn is not None:
                if check.turn > len(turns):
                    return f"turn {check.turn} did not take place"
                turns = (turns[check.turn - 1],)
            elif check.scope != "all":
                turns = turns[-1:]
            self.contexts[key] = ScoreContext(
                output=turns[0].output if len(turns) == 1 else "\n".join(turn.output for turn in turns),
                transcript=self.transcript,
                turns=turns,
                number=check.turn,
                case=self.case,
                place=self.place,
            )
        context = self.contexts[key]
        if check.transform is not None:
            change = self.registry.transform(check.transform, place=self.place)
            context = replace(context, output="\n".join(change(turn.output) for turn in context.turns))
        if check.args:
            args = self.render(check.args) if has_template(check.args) else check.args
            context = replace(context, args=args)
        return context


def has_template(value: JSON) -> bool:
    """Say whether a value, or a text anywhere in it, holds a template."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value or "{#" in value
    if isinstance(value, Mapping):
        return any(has_template(key) or has_template(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(map(has_template, value))


def _sound(score: Score) -> Score:
    """Take a scorer's word only if it is a number from 0 to 1."""
    value = score.value
    if value is None:
        return score if score.passed is None else unscored(score.reason)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        return unscored(f"the scorer gave {value!r:.40}, which is no score from 0 to 1")
    return score


def _threshold(score: Score, threshold: float | None) -> Score:
    if score.value is None or (threshold is None and score.passed is not None):
        return score
    limit = DEFAULT_THRESHOLD if threshold is None else threshold
    return replace(score, passed=score.value >= limit - 1e-9)


def _negated(score: Score) -> Score:
    if score.value is None or score.passed is None:
        return score
    return replace(score, value=1.0 - score.value, passed=not score.passed)


def _mean(weighted: Sequence[tuple[float, float]], *, empty: float) -> float:
    """The weighted mean; `empty` where nothing has weight."""
    total = math.fsum(weight for weight, _ in weighted)
    return math.fsum(weight * value for weight, value in weighted) / total if total > 0 else empty


def _only_turn(transcript: Transcript) -> TurnRecord:
    return TurnRecord(
        input=(),
        output=transcript.output,
        latency=transcript.latency,
        ttft=transcript.ttft,
        usage=transcript.usage,
        finish_reason=transcript.finish_reason,
        tool_calls=transcript.tool_calls,
        refusal=transcript.refusal,
    )
