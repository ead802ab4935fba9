"""What a trial came to: its answer scored, compared with its recording where that is asked for, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.errors import TrialError
from harness.plan import Trial
from harness.records import JSON, Failure, Outcome, Result, Transcript
from harness.runs.held import Held
from harness.runs.judging import Judge
from harness.runs.made import made_files
from harness.runs.redacting import redacted
from harness.runs.verifying import differences
from harness.runs.workshop import Workshop
from harness.scorers import cut_short
from harness.suites.suite import Case, Suite, Variant


class Results:
    """Makes the results of a run; no secrets are in them."""

    def __init__(self, run: str, workshop: Workshop) -> None:
        self._run = run
        self._workshop = workshop

    async def of(self, held: Held) -> Result:
        """Score what was said, and compare it where there is something to compare with; no secrets come back."""
        result = await self._result(held)
        if held.before is not None and not held.refused:
            result = await self._compared(held, held.before, result)
        return redacted(result, self._workshop.clients.redactor)

    async def _compared(self, held: Held, before: Held, now: Result) -> Result:
        recorded = await self._result(before)
        assert held.tape is not None
        assert before.tape is not None
        found = differences(
            recorded,
            now,
            recorded=before.tape.interactions,
            sent=held.tape.interactions,
            left=before.unused,
            redact=self._workshop.clients.redactor.data,
        )
        told: dict[str, JSON] = {"differences": list(found)}
        if before.cassette is not None:
            told |= {"cassette": before.cassette.path, "recorded_at": before.cassette.recorded_at}
        return replace(now, extra={**now.extra, "verify": told})

    async def _result(self, held: Held) -> Result:
        trial, tape = held.trial, held.tape
        if tape is None:
            return self._failed(trial, held.failure)
        if held.transcript is None:
            return replace(
                self._failed(trial, held.failure, skipped=held.refused),
                output="".join(held.partial) or None,
                cost=held.cost,
                attempts=tape.attempts + tape.unfinished,
                prompt=held.prompt,
                cassette=held.cassette,
            )
        own = held.transcript.cost
        transcript = replace(held.transcript, cost=held.cost if own is None else own)
        transcript = replace(transcript, extra={**transcript.extra, **held.facts})
        return await self._scored(held, transcript)

    async def _scored(self, held: Held, transcript: Transcript) -> Result:
        trial, saved = held.trial, held.saved
        files = made_files(trial, transcript.files)
        if files:
            transcript = replace(transcript, extra={**transcript.extra, "files": list(files)})
        if cut_short(transcript):
            transcript = replace(transcript, extra={**transcript.extra, "truncated": True})
        workshop = self._workshop
        judge = Judge(root=workshop.root, registry=workshop.registry, renderer=workshop.renderer)
        judged = await judge.of(transcript, *_parts(trial), saved=saved)
        return replace(
            self._blank(trial, judged.outcome, saved=saved),
            score=judged.score,
            checks=judged.checks,
            error=judged.error,
            output=transcript.output,
            messages=transcript.messages,
            tool_calls=transcript.tool_calls,
            state=transcript.state,
            usage=transcript.usage,
            cost=transcript.cost,
            latency=transcript.latency,
            ttft=transcript.ttft,
            attempts=transcript.attempts,
            turns=transcript.turns,
            extra=transcript.extra,
            model=transcript.model,
            prompt=held.prompt,
            cassette=held.cassette,
            finish_reason=transcript.finish_reason,
            response_ids=transcript.response_ids,
            files=files,
        )

    def _failed(self, trial: Trial, error: TrialError | None, *, skipped: bool = False) -> Result:
        error = error or TrialError("unknown", "there is no answer")
        where = error.where or str(trial.case.where)
        outcome = Outcome.SKIPPED if skipped else Outcome.ERROR
        return replace(self._blank(trial, outcome), error=Failure(kind=error.kind, message=error.message, where=where))

    def ended(self, trial: Trial, error: TrialError) -> Result:
        """Return the result of a trial whose error ends the run."""
        return redacted(self._failed(trial, error), self._workshop.clients.redactor)

    def skipped(self, trial: Trial, why: TrialError | None) -> Result:
        """Return the result of a trial that was not started, or not finished; None: something that came before decided."""
        if why is None:
            return self._blank(trial, Outcome.SKIPPED)
        return redacted(self._failed(trial, why, skipped=True), self._workshop.clients.redactor)

    def _blank(self, trial: Trial, outcome: Outcome, *, saved: Mapping[str, JSON] | None = None) -> Result:
        return Result(
            run=self._run,
            suite=trial.suite.name,
            case=trial.case.id,
            variant=trial.variant.name,
            repeat=trial.repeat,
            tags=trial.case.tags,
            metadata=trial.case.metadata,
            outcome=outcome,
            input=self._workshop.renderer.input(*_parts(trial), saved=saved),
        )


def _parts(trial: Trial) -> tuple[Suite, Case, Variant]:
    return trial.suite, trial.case, trial.variant
