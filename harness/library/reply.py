"""What an assistant answered: a text that knows how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from harness.assistants.conversation import ENDED
from harness.records import JSON, Attachment, Message, ToolCall, Transcript, Usage
from harness.tools import EndRun

if TYPE_CHECKING:
    from harness.costs import PriceTable
    from harness.events import CallCompleted


class Reply(str):
    """The answer's text. It can be used like any text, and knows the rest of what happened."""

    #: All that happened, with times in seconds.
    transcript: Transcript
    #: What came back: the messages of each model step, and the results of tools between them.
    messages: tuple[Message, ...]
    #: One for each time that a model was asked.
    steps: tuple[CallCompleted, ...]
    _prices: PriceTable

    @classmethod
    def of(cls, transcript: Transcript, *, said: int, steps: Sequence[CallCompleted], prices: PriceTable) -> Self:
        """Return the answer of a conversation.

        Args:
            transcript: The conversation.
            said: How many of its messages were there before the assistant was asked.
            steps: The model steps, those of assistants that served as tools included.
            prices: Where prices are looked up.
        """
        self = cls(transcript.output)
        self.transcript = transcript
        self.messages = transcript.messages[said:]
        self.steps = tuple(steps)
        self._prices = prices
        return self

    @property
    def output(self) -> str:
        """The text itself."""
        return str(self)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Every call of a tool, with its result."""
        return self.transcript.tool_calls

    @property
    def usage(self) -> Usage:
        """Tokens of all model steps together."""
        return self.transcript.usage

    @property
    def cost(self) -> Decimal | None:
        """US dollars at today's prices; None: a model without a price, or a service that counts no tokens."""
        total = Decimal(0)
        counted = [step for step in self.steps if step.usage.total is not None]
        for step in counted:
            names = [step.model, *([self.transcript.model] if self.transcript.model else [])]
            found = (self._prices.cost(name, step.usage) for name in names)
            cost = next((one for one in found if one is not None), None)
            if cost is None:
                return None
            total += cost
        return total if counted else None

    @property
    def ended(self) -> EndRun | None:
        """The end of the run that a tool asked for, with its `data`; None: the model ended by itself."""
        found = self.transcript.extra.get(ENDED)
        return EndRun(found["data"]) if isinstance(found, dict) else None

    @property
    def refusal(self) -> str | None:
        """What the model said instead of an answer, where it refused."""
        return self.transcript.refusal

    @property
    def state(self) -> JSON:
        """What the world that the tools act on looks like now; None: there is none."""
        return self.transcript.state

    @property
    def files(self) -> tuple[Attachment, ...]:
        """Files and images that the assistant made."""
        return tuple(one for message in self.messages if message.role == "assistant" for one in message.attachments)
