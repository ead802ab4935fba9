"""The worst case of trials before anything is sent: what would be reserved for their requests, added up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from harness.costs import PriceTable
from harness.errors import TrialError
from harness.plan import Trial
from harness.project.project import Project
from harness.records import Turn, Usage
from harness.suites.suite import AssistantSpec

if TYPE_CHECKING:
    from harness.limits.bounds import Bound

#: Under `request:`, what stands for `max_tokens`.
_OUTPUTS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
#: Under `request:`, what bounds the steps that a service makes with its own tools.
_STEP_LIMITS = {"responses": "max_tool_calls", "threads": "max_prompt_tokens"}


def worst_of(project: Project, trials: Sequence[Trial]) -> Decimal | str:
    """Return what trials cost if every answer is as long as it may be and every attempt is paid for.

    Returns:
        US dollars; or in words why there is no such amount.
    """
    from harness.runs.pricing import Pricing

    prices = project.prices()
    attempts = project.settings.retry.attempts
    total = Decimal(0)
    for trial in trials:
        spec = trial.variant.assistant
        why = _without_end(spec, prices)
        if why is not None:
            return why
        for bound in _bounds(project, trial):
            try:
                total += Pricing(prices).most(bound) * attempts
            except TrialError:
                return "unbounded (the model's context window is not known)"
    return total


def _without_end(spec: AssistantSpec, prices: PriceTable) -> str | None:
    """Return why nobody can say what a trial of an assistant may cost; None where it can be said."""
    if spec.api == "http":
        return "unbounded (a deployed service)"
    if spec.api == "python":
        return "unbounded (a function spends what it likes)"
    if spec.api == "outputs":
        return None
    if output_limit(spec) is None:
        return "unbounded (no max_tokens)"
    if spec.assistants:
        return "unbounded (assistants as tools)"
    if missing_step_limit(spec) is not None:
        return "unbounded (tools of the service)"
    return None if priced(spec, prices) else "unpriced"


def output_limit(spec: AssistantSpec) -> int | None:
    """Return how many tokens an answer of an assistant may have; None: nobody said."""
    found = (spec.request.get(name) for name in _OUTPUTS)
    return next((one for one in found if isinstance(one, int)), spec.max_tokens)


def missing_step_limit(spec: AssistantSpec) -> str | None:
    """Return what an assistant lacks under `request:`, so that its service may run tools as often as it likes."""
    name = _STEP_LIMITS.get(spec.api)
    # What an assistant that the service keeps has, nobody here knows.
    endless = spec.assistant_id is not None or any(tool.kind == "builtin" for tool in spec.tools)
    return name if name is not None and endless and not spec.request.get(name) else None


def priced(spec: AssistantSpec, prices: PriceTable) -> bool:
    """Whether the price of an assistant's model is known."""
    return prices.cost(spec.model or "", Usage(input=1, output=1)) is not None


def _bounds(project: Project, trial: Trial) -> Iterator[Bound]:
    """Yield the bound of each request of a trial, retries not counted."""
    from harness.assistants.session import Limits
    from harness.limits.bounds import FRAME, Bound

    spec = trial.variant.assistant
    output = output_limit(spec)
    if output is None:
        return
    turns, _ = project.renderer().turns(trial.suite, trial.case, trial.variant)
    whole = bool(spec.tools) or spec.chain in ("response", "conversation")
    size = FRAME + _size(spec.response_format)
    for turn in turns:
        whole = whole or turn.thread is not None or any(message.attachments for message in turn.messages)
        size += _said(turn, FRAME)
        steps = 1 if not spec.tools else Limits().steps if spec.max_steps is None else spec.max_steps
        # What a service's own tools read counts once for each time that they may be called.
        inner = _number(spec.request.get("max_tool_calls"), 0) + 1
        prompt = spec.request.get("max_prompt_tokens") if spec.api == "threads" else None
        tokens = prompt if isinstance(prompt, int) else None if whole else size
        for _ in range(steps):
            yield Bound(model=spec.model, input=tokens, output=output, steps=inner)
        # The answer is part of what the next turn sends.
        size += output + FRAME


def _said(turn: Turn, frame: int) -> int:
    texts = [message.content for message in turn.messages] + [turn.instructions or ""]
    return sum(_size(text) + frame for text in texts)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", errors="backslashreplace"))


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) else default
