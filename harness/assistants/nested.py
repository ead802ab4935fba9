"""Assistants as tools of other assistants: what one says to them is a conversation of its own, on the same recording."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from harness.assistants.conversation import FixedTurns, Turns
from harness.recording import use_conversation
from harness.records import Message, Transcript, Turn
from harness.suites.suite import AssistantSpec, NamedAssistant
from harness.tools import Tool, ToolError

#: Holds a conversation with a named assistant in the trial under way; the text says which of the trial's it is.
Talk: TypeAlias = Callable[[AssistantSpec, Turns, str], Awaitable[Transcript]]

_PARAMETERS = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "description": "What to ask or tell it, with all that it needs to know"}
    },
    "required": ["message"],
    "additionalProperties": False,
}


def assistant_tools(spec: AssistantSpec, talk: Talk) -> tuple[Tool, ...]:
    """Return a tool for each assistant that another one's `tools:` name.

    Args:
        spec: The assistant that uses them.
        talk: Holds a conversation with one of them.
    """
    return tuple(
        Tool(
            kind="assistant",
            function=_asking(spec.assistants[one.reference], talk),
            name=one.name or one.reference,
            description=one.description or f"Ask the assistant '{one.reference}'.",
            parameters=_PARAMETERS,
            # What it says is replayed call by call.
            replay="execute",
        )
        for one in spec.tools
        if one.kind == "assistant" and one.reference is not None and one.reference in spec.assistants
    )


def _asking(named: NamedAssistant, talk: Talk) -> Callable[[str, str], Awaitable[str]]:
    async def ask(message: str, conversation: str) -> str:
        said = [Message(role="system", content=named.system)] if named.system else []
        said.append(Message(role="user", content=message))
        # Two of them may be asked the same at the same time, and each is to hear its own answers again.
        with use_conversation(conversation):
            transcript = await talk(named.spec, FixedTurns((Turn(messages=tuple(said)),)), conversation)
        if transcript.refusal:
            raise ToolError(f"it refused: {transcript.refusal}")
        return transcript.output

    return ask
