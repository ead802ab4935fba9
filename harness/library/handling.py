"""What is told while an assistant answers, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from harness.errors import UsageError
from harness.events import CallCompleted, Event, LiveEvent, MessageAdded, TextDelta, ToolCalled, ToolReturned
from harness.records import Message, ToolCall

#: All that is told of one call of an assistant.
TurnEvent: TypeAlias = LiveEvent | CallCompleted


class EventHandler:
    """Follows an assistant while it answers: override what you want to hear of, and pass an instance as `on_event=`.

    Methods are called in the order of what happens and must not wait. What one of them raises is raised by the call when
    the answer is there, and the handler is told nothing more of that call.
    """

    def on_text(self, delta: str) -> None:
        """A piece of the answer's text came; the whole of it where the answer is not streamed."""

    def on_tool_call(self, call: ToolCall) -> None:
        """The model called a tool."""

    def on_tool_result(self, call: ToolCall) -> None:
        """The call is answered: `output`, or `error`."""

    def on_message(self, message: Message) -> None:
        """The message of one model step is whole."""

    def on_step(self, step: CallCompleted) -> None:
        """A model step ended: `model`, `usage`, `latency` in seconds."""

    def __call__(self, event: TurnEvent) -> None:
        """Hand an event to the method for it."""
        match event:
            case TextDelta():
                self.on_text(event.text)
            case ToolCalled():
                self.on_tool_call(event.call)
            case ToolReturned():
                self.on_tool_result(event.call)
            case MessageAdded():
                self.on_message(event.message)
            case CallCompleted():
                self.on_step(event)


#: A handler, or any function that takes events.
OnEvent: TypeAlias = EventHandler | Callable[[TurnEvent], None]


def check_handler(on_event: OnEvent | None) -> None:
    """Check what a user gives to follow an answer.

    Raises:
        UsageError: It cannot follow anything.
    """
    if isinstance(on_event, type) or (on_event is not None and not callable(on_event)):
        shown = on_event.__name__ if isinstance(on_event, type) else type(on_event).__name__
        raise UsageError(f"`on_event=` takes a function or an instance of harness.EventHandler, not {shown}")


class Listener:
    """Stands between a conversation and a handler, so that what the handler raises does not look like a broken answer."""

    def __init__(self, on_event: OnEvent | None) -> None:
        check_handler(on_event)
        self._on_event = on_event
        self._raised: Exception | None = None
        #: The model steps so far: what each asked for and used.
        self.steps: list[CallCompleted] = []

    @property
    def live(self) -> Callable[[LiveEvent], None] | None:
        """What a session tells as it happens; None: nobody listens."""
        return None if self._on_event is None else self._tell

    def emit(self, event: Event) -> None:
        """Take a run's event."""
        if isinstance(event, CallCompleted):
            self.steps.append(event)
            self._tell(event)

    def settle(self) -> None:
        """Raise what the handler raised."""
        if self._raised is not None:
            raise self._raised

    def _tell(self, event: TurnEvent) -> None:
        if self._on_event is None or self._raised is not None:
            return
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 (raised again by `settle`)
            self._raised = error
