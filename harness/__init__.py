"""Prompt and agent evaluation: record once, replay offline, compare with honest statistics.

    import harness

    run = harness.run("suites/support.yaml")
    print(run.compare("v1", "v2").verdict)

Names are found when they are first used: importing this package imports nothing else.
"""

from __future__ import annotations

# The real one costs as much as all of this file: checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness.errors import (
        ConfigError,
        CredentialsError,
        HarnessError,
        NothingSelected,
        Problem,
        StorageError,
        UsageError,
    )
    from harness.events import CallCompleted, MessageAdded, TextDelta, ToolCalled, ToolReturned
    from harness.library.assistant import Assistant
    from harness.library.blocks import cassette
    from harness.library.handling import EventHandler
    from harness.library.marking import scorer
    from harness.library.models import Case, Suite, Variant
    from harness.library.past import Runs
    from harness.library.printing import PrintHandler, print_messages
    from harness.library.reply import Reply
    from harness.library.results import Comparison, Run
    from harness.library.running import arun, load, load_all, run
    from harness.library.thread import Thread
    from harness.records import Message, Result, Score, ToolCall, Transcript
    from harness.tools import EndRun, tool

__version__ = "0.1.0"

__all__ = [
    "Assistant",
    "CallCompleted",
    "Case",
    "Comparison",
    "ConfigError",
    "CredentialsError",
    "EndRun",
    "EventHandler",
    "HarnessError",
    "Message",
    "MessageAdded",
    "NothingSelected",
    "PrintHandler",
    "Problem",
    "Reply",
    "Result",
    "Run",
    "Runs",
    "Score",
    "StorageError",
    "Suite",
    "TextDelta",
    "Thread",
    "ToolCall",
    "ToolCalled",
    "ToolReturned",
    "Transcript",
    "UsageError",
    "Variant",
    "__version__",
    "arun",
    "cassette",
    "load",
    "load_all",
    "print_messages",
    "run",
    "scorer",
    "tool",
]

_HOMES = {
    "harness.errors": (
        "ConfigError",
        "CredentialsError",
        "HarnessError",
        "NothingSelected",
        "Problem",
        "StorageError",
        "UsageError",
    ),
    "harness.events": ("CallCompleted", "MessageAdded", "TextDelta", "ToolCalled", "ToolReturned"),
    "harness.library.assistant": ("Assistant",),
    "harness.library.blocks": ("cassette",),
    "harness.library.handling": ("EventHandler",),
    "harness.library.marking": ("scorer",),
    "harness.library.models": ("Case", "Suite", "Variant"),
    "harness.library.past": ("Runs",),
    "harness.library.printing": ("PrintHandler", "print_messages"),
    "harness.library.reply": ("Reply",),
    "harness.library.results": ("Comparison", "Run"),
    "harness.library.running": ("arun", "load", "load_all", "run"),
    "harness.library.thread": ("Thread",),
    "harness.records": ("Message", "Result", "Score", "ToolCall", "Transcript"),
    "harness.tools": ("EndRun", "tool"),
}

if not TYPE_CHECKING:
    # Unseen by checkers, which would otherwise take any name for one of ours.
    def __getattr__(name: str) -> object:
        home = next((module for module, names in _HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module 'harness' has no attribute '{name}'")
        from importlib import import_module

        return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING"})
