"""Messages of a conversation in a terminal, with what tools did between them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.errors import UsageError
from harness.library.handling import EventHandler
from harness.library.remote import ThreadMessage
from harness.library.reply import Reply
from harness.records import Message, ToolCall
from harness.reports import clean

if TYPE_CHECKING:
    from rich.console import Console

Printable: TypeAlias = Message | ThreadMessage
_STYLES = {"user": "bold green", "assistant": "bold blue"}
#: Characters of a tool's arguments, and of its result.
_LONGEST = 500


def print_messages(messages: Reply | Iterable[Printable]) -> None:
    """Print messages for a person: who said what, the tools that were called, and what they gave.

    Args:
        messages: Those of a thread or a transcript, or an answer.

    Raises:
        UsageError: These are no messages.
    """
    console = _console()
    for one in messages.messages if isinstance(messages, Reply) else messages:
        if not isinstance(one, (Message, ThreadMessage)):
            raise UsageError(f"print_messages prints messages, not a {type(one).__name__}")
        # What a tool gave stands with the call.
        if one.role != "tool":
            _print(console, one)


class PrintHandler(EventHandler):
    """Prints an answer while it is made: `ai.say("Hi", on_event=harness.PrintHandler())`."""

    def __init__(self, *, messages: bool = True, steps: bool = True) -> None:
        """
        Args:
            messages: Print what the assistant says.
            steps: Print the calls of tools.
        """
        self._messages = messages
        self._steps = steps
        self._console = _console()

    def on_tool_result(self, call: ToolCall) -> None:
        if self._steps:
            _print_call(self._console, call)

    def on_message(self, message: Message) -> None:
        if self._messages and (message.content or message.attachments):
            _print_text(self._console, message)


def _print(console: Console, one: Printable) -> None:
    # A message that is listed by a service says what the calls before it led to.
    if isinstance(one, Message) and one.content:
        _print_text(console, one)
    for call in one.tool_calls:
        _print_call(console, call)
    if not isinstance(one, Message) and (one.content or one.files or not one.tool_calls):
        _print_text(console, one)


def _print_text(console: Console, one: Printable) -> None:
    from rich.text import Text

    head = Text(one.role.capitalize(), style=_STYLES.get(one.role, "bold"))
    console.print(head.append(": ").append(clean.block(one.content), style="none"), soft_wrap=True)
    files = one.files if isinstance(one, ThreadMessage) else [file.name for file in one.attachments]
    for name in files:
        console.print(Text(f"  [{clean.line(name)}]", style="dim"), soft_wrap=True)


def _print_call(console: Console, call: ToolCall) -> None:
    from rich.text import Text

    console.print(Text(f"  -> {clean.line(call.name)}({_short(call.arguments)})", style="cyan"), soft_wrap=True)
    if call.error is not None:
        console.print(Text(f"  <- error: {clean.line(call.error, _LONGEST)}", style="red"), soft_wrap=True)
    else:
        console.print(Text(f"  <- {_short(call.output)}", style="dim"), soft_wrap=True)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        shown = ", ".join(f"{key}={json.dumps(one, ensure_ascii=False)}" for key, one in value.items())
    else:
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clean.line(shown, _LONGEST)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)
