"""OpenTelemetry: a span for each run, trial, model call and tool call, in the words of the GenAI semantic conventions.

A plugin that does nothing unless `otel` is set. Where spans go is up to the OpenTelemetry SDK of this process; nothing is
set up here. Spans of a replay have recorded lengths and distances: all its trials begin when the run does.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.events import (
    BudgetExceeded,
    BudgetWarning,
    CallCompleted,
    CallFailed,
    CallStarted,
    Event,
    RunFinished,
    RunStarted,
    ToolCalled,
    ToolReturned,
    TrialFinished,
    TrialStarted,
)
from harness.hooks import hookimpl
from harness.integrations.genai import Attributes, call_attributes, name_of, tool_attributes, trial_attributes
from harness.records import Result, ToolCall

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

    from harness.events import Subscriber
    from harness.settings import Settings

#: The variable with which people allow messages into traces, for every instrumentation.
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_ALLOWED = frozenset({"true", "span_only", "span_and_event"})
_TOLD = CallStarted | CallCompleted | CallFailed | ToolCalled | ToolReturned
_SECOND = 1_000_000_000


@hookimpl
def harness_subscribers(settings: Settings, redact: Callable[[str], str]) -> Iterable[Subscriber]:
    """Trace the run, where the project or the environment asks for it."""
    return [Tracing(redact=redact)] if settings.otel else []


@dataclass(slots=True)
class _Trial:
    """A trial under way."""

    api: str
    #: When its clock stood at zero, nanoseconds since the epoch.
    begun: int
    events: list[_TOLD] = field(default_factory=list)


class Tracing:
    """An event subscriber that makes spans."""

    def __init__(
        self,
        *,
        redact: Callable[[str], str] = lambda text: text,
        content: bool | None = None,
        provider: TracerProvider | None = None,
    ) -> None:
        """
        Args:
            redact: Takes secrets out of every text before it goes into a span.
            content: Whether what was said is part of the spans; None: what the variable `CONTENT` says.
            provider: What makes tracers; None: the one that is set up in this process.

        Raises:
            UsageError: OpenTelemetry is not installed.
        """
        from harness import __version__

        try:
            from opentelemetry import trace
        except ImportError:
            raise UsageError(
                "`otel` asks for OpenTelemetry spans, and OpenTelemetry is not installed: "
                'pip install "prompt-agent-harness[otel]", or run with HARNESS_OTEL=0'
            ) from None
        if provider is None and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            sys.stderr.write(
                "otel: spans are made and go nowhere, since no OpenTelemetry SDK is set up in this process. "
                "`opentelemetry-instrument harness run` sets one up from the OTEL_* variables.\n"
            )
        self._trace = trace
        self._tracer = trace.get_tracer("harness", __version__, provider)
        self._redact = redact
        self._content = os.environ.get(CONTENT, "").strip().lower() in _ALLOWED if content is None else content
        self._run: Span | None = None
        self._begun = 0
        #: The end of the last span so far, nanoseconds since the epoch.
        self._ended = 0
        self._trials: dict[str, _Trial] = {}

    def __call__(self, event: Event) -> None:
        """Hear an event; a trial's spans are made when it is over."""
        match event:
            case RunStarted():
                self._begun = self._ended = time.time_ns()
                attributes = {"harness.run": event.run, "harness.trials": event.trials}
                self._run = self._start("run", attributes, start=self._begun, parent=None)
            case TrialStarted():
                self._trials[event.trial] = _Trial(api=event.api, begun=time.time_ns())
            case TrialFinished():
                trial = self._trials.pop(event.result.id, None)
                if trial is not None:
                    self._finish(trial, event.result)
            case RunFinished():
                self._end_run(event)
            case BudgetWarning() | BudgetExceeded():
                self._note_budget(event)
            case _ if isinstance(event, _TOLD) and (trial := self._trials.get(event.trial)) is not None:
                if not trial.events:
                    # What a trial needs may have been opened since it began; its clock tells when that was done.
                    trial.begun = time.time_ns() - _nanoseconds(event.at)
                trial.events.append(event)

    def _note_budget(self, event: BudgetWarning | BudgetExceeded) -> None:
        assert self._run is not None
        name = "harness.budget.warning" if isinstance(event, BudgetWarning) else "harness.budget.exceeded"
        told = {"harness.budget": float(event.budget), "harness.spent": float(event.spent)}
        self._run.add_event(name, told if event.suite is None else {**told, "harness.suite": event.suite})

    def _end_run(self, event: RunFinished) -> None:
        assert self._run is not None
        for name, trial in self._trials.items():
            span = self._start("trial", {"harness.trial": name}, start=trial.begun, parent=self._run)
            calls = _Calls(self, trial, span, origin=trial.begun)
            self._fail(span, "unfinished", "the run ended before this trial did")
            self.end(span, max(calls.make(), time.time_ns()))
        self._trials.clear()
        self._run.set_attribute("harness.interrupted", event.interrupted)
        self._run.end(end_time=self._ended)

    def _finish(self, trial: _Trial, result: Result) -> None:
        assert self._run is not None
        replayed = result.cassette is not None and result.cassette.mode == "replayed"
        origin = self._begun if replayed else trial.begun
        attributes = trial_attributes(result, api=trial.api, content=self._content)
        span = self._start(f"invoke_agent {result.variant}", attributes, start=origin, parent=self._run)
        calls = _Calls(self, trial, span, origin=origin)
        end = max(calls.make(), origin + _nanoseconds(result.latency))
        if end == origin and not replayed:
            end = time.time_ns()
        for check in result.checks:
            found: Attributes = {
                "gen_ai.evaluation.name": check.name,
                "gen_ai.evaluation.score.value": check.value,
                "gen_ai.evaluation.score.label": {True: "pass", False: "fail", None: None}[check.passed],
                "gen_ai.evaluation.explanation": check.reason if self._content else None,
            }
            span.add_event("gen_ai.evaluation.result", self._clean(found), timestamp=end)
        if result.error is not None:
            self._fail(span, result.error.kind, result.error.message)
        self.end(span, end)

    def call(self, event: CallCompleted | CallFailed, *, trial: _Trial, parent: Span, start: int, end: int) -> None:
        """Make the span of a model call."""
        attributes = call_attributes(event, api=trial.api)
        span = self._start(name_of(attributes, event.model), attributes, start=start, parent=parent, client=True)
        if isinstance(event, CallFailed):
            self._fail(span, event.kind, event.message)
        self.end(span, end)

    def tool(self, call: ToolCall, *, parent: Span, start: int, end: int) -> None:
        """Make the span of a tool call."""
        attributes = tool_attributes(call, content=self._content)
        span = self._start(name_of(attributes, call.name), attributes, start=start, parent=parent)
        if call.error is not None:
            self._fail(span, call.failure or "tool", call.error)
        self.end(span, end)

    def end(self, span: Span, moment: int) -> None:
        """End a span; the run lasts at least as long."""
        span.end(end_time=moment)
        self._ended = max(self._ended, moment)

    def _start(
        self, name: str, attributes: Attributes, *, start: int, parent: Span | None, client: bool = False
    ) -> Span:
        trace = self._trace
        return self._tracer.start_span(
            self._redact(name),
            context=None if parent is None else trace.set_span_in_context(parent),
            kind=trace.SpanKind.CLIENT if client else trace.SpanKind.INTERNAL,
            attributes=self._clean(attributes),
            start_time=start,
        )

    def _fail(self, span: Span, kind: str, message: str) -> None:
        """Mark a span as failed. Messages may quote what was said."""
        span.set_attribute("error.type", kind)
        description = self._redact(message) if self._content else kind
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, description))

    def _clean(self, attributes: Attributes) -> dict[str, Any]:
        return {name: self._redacted(value) for name, value in attributes.items() if value is not None}

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redact(value)
        return [self._redacted(one) for one in value] if isinstance(value, list) else value


class _Calls:
    """Makes the spans of what happened inside a trial, in order."""

    def __init__(self, tracing: Tracing, trial: _Trial, parent: Span, *, origin: int) -> None:
        self._tracing = tracing
        self._trial = trial
        self._parent = parent
        self._origin = origin
        self._last = origin
        self._asked: list[CallStarted] = []
        self._called: list[ToolCalled] = []
        #: Tools that were answered, and when they were called.
        self._answered: list[tuple[ToolReturned, int]] = []

    def make(self) -> int:
        """Return the end of the last span, nanoseconds since the epoch."""
        for event in self._trial.events:
            at = self._moment(event.at)
            match event:
                case CallStarted():
                    self._asked.append(event)
                case CallCompleted():
                    self._forget(event.model)
                    self._call(event, start=max(at - _nanoseconds(event.latency), self._origin), end=at)
                case CallFailed():
                    began = self._forget(event.model)
                    self._call(event, start=at if began is None else self._moment(began.at), end=at)
                case ToolCalled():
                    self._called.append(event)
                case ToolReturned():
                    self._answered.append((event, self._when_called(event.call, at)))
        self._end_tools(None)
        return self._last

    def _call(self, event: CallCompleted | CallFailed, *, start: int, end: int) -> None:
        self._end_tools(start)
        self._tracing.call(event, trial=self._trial, parent=self._parent, start=start, end=end)
        self._last = max(self._last, end)

    def _end_tools(self, next: int | None) -> None:
        """Make the spans of tools. A replay knows when the model was asked again, which is when its tools were done."""
        for event, start in self._answered:
            end = max(self._moment(event.at), start)
            if end == start and next is not None:
                end = max(next, start)
            self._tracing.tool(event.call, parent=self._parent, start=start, end=end)
            self._last = max(self._last, end)
        self._answered.clear()

    def _forget(self, model: str) -> CallStarted | None:
        """Take the latest call of a model that is under way."""
        for position in reversed(range(len(self._asked))):
            if self._asked[position].model == model:
                return self._asked.pop(position)
        return None

    def _when_called(self, call: ToolCall, default: int) -> int:
        # Where a service gave one id to several calls, an answer's id has a number at its end.
        for position, event in enumerate(self._called):
            if event.call.name == call.name and call.id.startswith(event.call.id):
                return self._moment(self._called.pop(position).at)
        return default

    def _moment(self, at: float | None) -> int:
        return self._origin + _nanoseconds(at)


def _nanoseconds(seconds: float | None) -> int:
    return round((seconds or 0.0) * _SECOND)
