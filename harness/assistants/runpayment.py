"""What runs of the Assistants API may cost: their requests name neither messages nor model, so the driver says it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from harness.assistants.usage import read_usage
from harness.limits.bounds import FRAME, Bound, unbounded
from harness.limits.budget import current_account
from harness.limits.paying import RunPayment, use_run_payment
from harness.records import Message
from harness.suites.suite import AssistantSpec
from harness.tools import Definition


class RunPayments:
    """Pays for the runs of one conversation, one after the other."""

    def __init__(self, spec: AssistantSpec) -> None:
        self._spec = spec
        self._payment: RunPayment | None = None

    @contextmanager
    def paying(
        self, messages: Sequence[Message], definitions: Sequence[Definition], *, elsewhere: bool
    ) -> Iterator[None]:
        """Pay for what is sent inside the block: a run's start, or results that it goes on with.

        Args:
            messages: Everything said so far, instructions too.
            definitions: Tools that run here.
            elsewhere: Whether the thread holds more than these messages.

        Raises:
            TrialError: What it may cost has no limit, and there is a budget.
        """
        account = current_account()
        if account is None:
            yield
            return
        if self._payment is None:
            self._payment = RunPayment(account)
        with account.noting_refusals():
            bound = self._bound(messages, definitions, elsewhere=elsewhere)
        if self._payment.begun:
            # The limits are the whole run's, and reserved with its first request; what is read is read anew.
            limited = isinstance(self._spec.request.get("max_prompt_tokens"), int)
            bound = replace(bound, output=0, input=0 if limited else bound.input)
        self._payment.next = account.most(bound)
        with use_run_payment(self._payment):
            yield

    def stopped(self, run: Mapping[str, Any]) -> None:
        """Settle a run that has ended. One that waits for results tells its tokens when it has."""
        if self._payment is None or run.get("status") == "requires_action":
            return
        account = current_account()
        model = run.get("model")
        usage = read_usage(run.get("usage"))
        names = (self._spec.model, model if isinstance(model, str) else None)
        pricing = account.ledger.pricing if account is not None else None
        known = [pricing.cost(name, usage) for name in names if pricing is not None and name]
        self._payment.ended(next((cost for cost in known if cost is not None), None))
        self._payment = None

    def _bound(self, messages: Sequence[Message], definitions: Sequence[Definition], *, elsewhere: bool) -> Bound:
        spec = self._spec
        output = spec.request.get("max_completion_tokens", spec.max_tokens)
        if not isinstance(output, int):
            raise unbounded("it sets no `max_completion_tokens` (in a suite: `max_tokens:`).")
        most = spec.request.get("max_prompt_tokens")
        if isinstance(most, int):
            return Bound(model=spec.model, input=most, output=output)
        files = any(one.kind == "file" for message in messages for one in message.attachments)
        if files or spec.assistant_id is not None or any(tool.kind == "builtin" for tool in spec.tools):
            raise unbounded("it has tools that the service runs itself, and sets no `max_prompt_tokens` (`request:`).")
        if elsewhere or any(message.attachments for message in messages):
            return Bound(model=spec.model, input=None, output=output)
        said = [
            [one.role, one.content, [[call.name, call.arguments, call.output] for call in one.tool_calls]]
            for one in messages
        ]
        offered = [one.plain() for one in definitions]
        text = json.dumps([said, offered, spec.response_format], ensure_ascii=False, default=str)
        size = len(text.encode("utf-8", errors="backslashreplace"))
        return Bound(model=spec.model, input=size + FRAME * (len(messages) + len(offered) + 1), output=output)
