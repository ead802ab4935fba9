"""What the fixture `openai_client` is: SDK clients on simulators that follow scripts, within the test's process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import pytest

from harness.assistants.inprocess import local_async_client, local_client
from harness.errors import UsageError
from harness.records import JSON

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from harness.simulator.app import Simulator

Script: TypeAlias = Sequence[Mapping[str, JSON]] | Mapping[str, JSON]


class ScriptedClients:
    """Makes clients, and serves as one itself: a blocking client with the test's own script.

    Call it for a client of the SDK's own type, with another script, or to await: `openai_client(script=[...])`,
    `openai_client(asynchronous=True)`. Each has a simulator of its own.
    """

    def __init__(self, script: Script) -> None:
        """
        Args:
            script: What simulators do where a call says nothing else: rules, or a whole script.

        Raises:
            UsageError: The script is wrong, or what the simulator needs is not installed.
        """
        # What is wrong with the script is told before the test begins, and not in the middle of it.
        _simulator(script)
        self._script = script
        self._simulators: list[Simulator] = []
        self._open: list[OpenAI] = []
        self._own: OpenAI | None = None

    @overload
    def __call__(self, script: Script | None = None, *, asynchronous: Literal[False] = False) -> OpenAI: ...

    @overload
    def __call__(self, script: Script | None = None, *, asynchronous: Literal[True]) -> AsyncOpenAI: ...

    def __call__(self, script: Script | None = None, *, asynchronous: bool = False) -> OpenAI | AsyncOpenAI:
        """Return a new client on a new simulator.

        Args:
            script: Rules, or a whole script; default: the test's own.
            asynchronous: Return an AsyncOpenAI.

        Raises:
            UsageError: The script is wrong, or what the simulator needs is not installed.
        """
        simulator = _simulator(self._script if script is None else script)
        self._simulators.append(simulator)
        if asynchronous:
            return local_async_client(simulator.transport())
        client = local_client(simulator.sync_transport())
        self._open.append(client)
        return client

    @property
    def requests(self) -> list[tuple[str, str, JSON]]:
        """Every request so far: method, path, body."""
        return [one for simulator in self._simulators for one in simulator.requests]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._own is None:
            self._own = self()
        return getattr(self._own, name)

    def close(self) -> None:
        """End every blocking client and its simulator's thread."""
        for client in self._open:
            client.close()


def scripted(node: pytest.Item) -> ScriptedClients:
    """Return the clients of a test, with the script of its marker `harness(script=...)`.

    Where the marker or its script is wrong, the test fails with that, and without a traceback: it is the test's own.
    """
    try:
        return ScriptedClients(_script(node.get_closest_marker("harness")))
    except UsageError as error:
        pytest.fail(str(error), pytrace=False)


def _script(marker: pytest.Mark | None) -> Script:
    if marker is None:
        return ()
    given = [repr(one) for one in marker.args] + [f"`{name}=`" for name in marker.kwargs if name != "script"]
    if given:
        raise UsageError(f"@pytest.mark.harness takes `script=[...]` and nothing else, not {given[0]}")
    script: Script = marker.kwargs.get("script", ())
    return script


def _simulator(script: Any) -> Simulator:
    try:
        from harness.simulator.app import Simulator
        from harness.simulator.script import ScriptBrain, ScriptError
    except ImportError as error:
        raise UsageError(
            f"the simulator needs {error.name}, which is not installed: pip install 'prompt-agent-harness[simulator]'"
        ) from None
    if isinstance(script, (str, bytes)) or not isinstance(script, (Mapping, Sequence)):
        raise UsageError(f"openai_client: a script is a list of rules, or a mapping with `rules`, not {script!r}")
    try:
        return Simulator(ScriptBrain(script))
    except ScriptError as error:
        raise UsageError(f"openai_client: {error}") from None
