"""One call of an assistant: its clients, tools and tape, opened for the call and closed with it.

Inside a block of `harness.cassette` the tape is the block's. Elsewhere calls are live, and nothing of them is kept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from harness.assistants import open_driver
from harness.assistants.conversation import FixedTurns, Turns
from harness.assistants.nested import assistant_tools
from harness.assistants.session import Endpoint, Session
from harness.clock import use_clock
from harness.errors import TrialError, UsageError
from harness.library.blocks import Block, current_block
from harness.library.defining import Defined
from harness.library.handling import Listener
from harness.library.keeping import KeepingClients
from harness.recording import RecordingTape, ReplayTape, Tape, use_tape
from harness.records import Transcript, Turn, Usage
from harness.runs.equipped import limits_of
from harness.runs.facts import SWITCHED_OFF, switched_off
from harness.runs.opening import LIVE_CONCURRENCY, limiter, named_secrets
from harness.runs.servers import Servers, served_tools, servers_of
from harness.settings import Settings
from harness.suites.suite import AssistantSpec
from harness.tools import Tool, Toolbox, load_tools, new_world

#: The world where tools are only described: nothing acts on it.
_STAND_IN = object()


class Talk:
    """A call under way."""

    def __init__(
        self,
        assistant: Defined,
        *,
        settings: Settings,
        tape: Tape,
        clients: KeepingClients,
        block: Block | None,
        listener: Listener,
    ) -> None:
        self._assistant = assistant
        self._settings = settings
        self._tape = tape
        self._block = block
        self._listener = listener
        self._servers = Servers()
        self._toolboxes: list[Toolbox] = []
        #: What assistants that serve as tools used.
        self._spent: list[Usage] = []
        self._world: Any = None
        self._making = asyncio.Lock()
        self.clients = clients
        self.tape = tape

    @property
    def session(self) -> Session:
        """A session for requests that are no part of a conversation."""
        return self._session(self._assistant.spec, (), None)

    async def definitions(self) -> Session:
        """Return a session that knows the assistant's tools."""
        spec = self._assistant.spec
        return self._session(spec, await self._tools(spec), _STAND_IN)

    async def converse(self, spec: AssistantSpec, turn: Turn, *, world: Any) -> Transcript:
        """Say one turn and return what happened.

        Args:
            spec: The assistant, as the thread wants it asked.
            turn: What is said.
            world: What tools act on; None: nothing.

        Raises:
            TrialError: There was no answer.
            CredentialsError: The service refused the key.
        """
        self._world = world
        try:
            return await self._talk(spec, FixedTurns((turn,)), own=True)
        finally:
            # What failed for good is replayed too, and what tools gave before it.
            if self._block is not None:
                self._block.spoken([call for box in self._toolboxes for call in box.kept()])

    async def made_world(self, spec: AssistantSpec) -> Any:
        """Make the world of an assistant; None where it has none.

        Raises:
            TrialError: It could not be made.
        """
        if spec.env is None:
            return None
        # Worlds are made in threads. Assistants that are asked side by side may send the same request, and only their
        # order tells then which answer is whose: it must be the order in which they were asked.
        async with self._making:
            return await new_world(self._assistant.functions.load(spec.env, place=self._assistant.place))

    async def aclose(self) -> None:
        await self._servers.aclose()

    async def _talk(self, spec: AssistantSpec, turns: Turns, *, own: bool, conversation: str = "") -> Transcript:
        assistant = self._assistant
        driver = open_driver(spec, functions=assistant.functions, place=assistant.place)
        tools = (*await self._tools(spec), *assistant_tools(spec, self._ask))
        world = self._world if own else await self.made_world(spec)
        return await driver.run(self._session(spec, tools, world, own=own, conversation=conversation), turns)

    async def _ask(self, spec: AssistantSpec, turns: Turns, conversation: str) -> Transcript:
        transcript = await self._talk(spec, turns, own=False, conversation=conversation)
        self._spent.append(transcript.usage)
        return transcript

    def _session(
        self, spec: AssistantSpec, tools: Sequence[Tool], world: Any, *, own: bool = True, conversation: str = ""
    ) -> Session:
        limits = limits_of(spec)
        toolbox = Toolbox(
            tools,
            world=world,
            clock=self._tape.clock,
            timeout=limits.tool_timeout,
            parallel=limits.parallel_tools,
            recorded=None if self._block is None else self._block.recording,
            conversation=conversation,
            renames=spec.api == "chat",
            redact=self.clients.redactor.data,
            timed=self._block is None,
        )
        session = Session(
            trial=self._assistant.name,
            endpoint=Endpoint(spec.base_url, spec.api_key_env),
            clients=self.clients,
            tape=self._tape,
            emit=self._listener.emit,
            toolbox=toolbox,
            limits=limits,
            spent=self._spent if own else [],
            live=self._listener.live if own else None,
            # Others may have spoken on the same tape before.
            begun=None,
        )
        toolbox.serve(session)
        self._toolboxes.append(toolbox)
        return session

    async def _tools(self, spec: AssistantSpec) -> tuple[Tool, ...]:
        assistant = self._assistant
        world = None if spec.env is None else assistant.functions.load(spec.env, place=assistant.place)
        own = load_tools(spec.tools, functions=assistant.functions, place=assistant.place, world_class=world)
        if not self._tape.replays:
            for one in servers_of(spec):
                await self._servers.open(one, folder=assistant.place.folder)
        served, definitions = served_tools(spec, self._tape, self._servers)
        if self._block is not None:
            self._block.served(definitions)
        return (*own, *served)


@asynccontextmanager
async def talking(assistant: Defined, *, settings: Settings, listener: Listener) -> AsyncIterator[Talk]:
    """Open what a call needs.

    Raises:
        TrialError: There was no answer, or it took too long.
        UsageError: The service that the call would go to answers no more.
    """
    block = current_block()
    tape: Tape = RecordingTape() if block is None else block.tape
    specs = list(assistant.spec.everybody())
    if not tape.replays and any(map(switched_off, specs)):
        raise UsageError(
            f"{SWITCHED_OFF} (`api='threads'`), so nothing can be sent there. Recordings of it still replay; `base_url=` "
            "can name a compatible server; `api='responses'` is what replaces it"
        )
    secrets = named_secrets(specs)
    if block is not None:
        block.learn(secrets)
    seconds = assistant.spec.timeout or settings.timeout
    clients = KeepingClients(
        environ=os.environ,
        limiter=limiter(settings) if block is None else block.limiter(settings),
        timeout=seconds,
        concurrency=settings.concurrency or LIVE_CONCURRENCY,
        live=not tape.replays,
        secrets=secrets,
        trusted=settings.trusted_hosts,
        redact=settings.redact,
    )
    talk = Talk(assistant, settings=settings, tape=tape, clients=clients, block=block, listener=listener)
    missed = isinstance(tape, ReplayTape) and tape.missed is not None
    with ExitStack() as stack:
        if block is None:
            stack.enter_context(use_tape(tape))
            stack.enter_context(use_clock(tape.clock))
        try:
            async with asyncio.timeout(seconds):
                yield talk
        except BaseException as error:
            failure = _meant(error, seconds)
            if block is not None:
                block.failed(failure)
            if isinstance(tape, ReplayTape) and tape.missed is not None and not missed:
                raise tape.missed from None
            if failure is not error:
                raise failure from None
            raise
        finally:
            await talk.aclose()
            await clients.aclose()
            if block is None and isinstance(tape, RecordingTape):
                tape.close()
    listener.settle()


def _meant(error: BaseException, seconds: float) -> BaseException:
    if isinstance(error, TimeoutError):
        return TrialError("timeout", f"the call took longer than {seconds:g} s; `timeout=` allows more")
    return error
