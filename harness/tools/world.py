"""The world that tools act on: made anew for each trial, and looked at when the trial is over."""

from __future__ import annotations

from harness.errors import HarnessError, TrialError
from harness.functions import Function, in_thread, own_line, told
from harness.records import JSON
from harness.tools.plain import plain, public


async def new_world(factory: Function) -> object:
    """Make a trial's world; the factory is called without arguments, in a thread, since it may block.

    Raises:
        TrialError: Of kind `env`: it could not be made.
    """
    try:
        return await in_thread(factory)
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 (it is somebody's code)
        name = getattr(factory, "__name__", "the world")
        raise TrialError("env", f"{name} could not be made: {told(error)}{own_line(error, factory)}") from None


def snapshot(world: object) -> JSON:
    """Return what a world looks like now, as plain JSON: what its `snapshot()` returns, else its public attributes.

    Raises:
        TrialError: Of kind `env`: its own `snapshot()` failed.
    """
    own = getattr(world, "snapshot", None)
    if not callable(own):
        return public(world) if not isinstance(world, dict | list) else plain(world)
    try:
        return plain(own())
    except Exception as error:  # noqa: BLE001 (it is somebody's code)
        raise TrialError("env", f"{type(world).__name__}.snapshot() failed: {told(error)}") from None
