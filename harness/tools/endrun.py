"""A tool's way to end the conversation that it is called in."""

from __future__ import annotations

from harness.records import JSON

#: A text that holds this ends the run too, for tools that can only return texts.
TOKEN = "<|ENDRUN|>"  # noqa: S105 (no secret)


class EndRun(Exception):
    """Ends the run: raise it in a tool, or return it (an instance, or the class).

    Args:
        data: What the tool found; it is kept with the trial.
    """

    def __init__(self, data: JSON = None) -> None:
        super().__init__(data)
        self.data = data


def ends_run(value: object) -> EndRun | None:
    """Return the end that a tool's result asks for, or None where the run goes on."""
    if isinstance(value, EndRun):
        return value
    if isinstance(value, type) and issubclass(value, EndRun):
        return value()
    if isinstance(value, str) and TOKEN in value:
        return EndRun(value.replace(TOKEN, "").strip())
    return None
