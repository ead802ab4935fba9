"""Each trial's assistant, equipped: the driver of its variant, and a toolbox with a world of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from harness.assistants import Driver, open_driver
from harness.assistants.conversation import Turns
from harness.assistants.nested import assistant_tools
from harness.assistants.session import About, Endpoint, Limits, Session
from harness.functions import Place
from harness.limits.sending import use_retry
from harness.plan import Trial
from harness.recording import ReplayTape, Tape
from harness.records import Transcript, Usage
from harness.runs.held import Held
from harness.runs.listening import at_moments
from harness.runs.observing import tell_calls
from harness.runs.servers import Servers, served_tools, servers_of
from harness.runs.workshop import Workshop
from harness.suites.apis import TAKES
from harness.suites.rendering import Dialogue
from harness.suites.suite import AssistantSpec
from harness.tools import RecordedCall, Tool, Toolbox, load_tools, new_world
from harness.tools.mocks import MockPlayer
from harness.tools.recorded import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kit:
    """What the trials of one assistant share."""

    driver: Driver
    tools: tuple[Tool, ...]


class Equipped:
    """Holds conversations with the assistants of a run."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._kits: dict[int, _Kit] = {}
        self._servers = Servers()

    async def prepare(self, trial: Trial) -> bool:
        """Open what a trial's tools need before its clock starts; return whether that may have taken time.

        Raises:
            TrialError: A server cannot be used.
            UsageError: Something that the server needs is missing on this machine.
        """
        needed = [one for spec in trial.variant.assistant.everybody() for one in servers_of(spec)]
        for one in needed:
            await self._servers.open(one, folder=trial.suite.path.parent)
        return bool(needed)

    async def aclose(self) -> None:
        await self._servers.aclose()

    async def talk(self, held: Held, tape: Tape, dialogue: Dialogue) -> Transcript:
        """Hold the conversation of a trial.

        Raises:
            TrialError: There was no answer.
            CredentialsError: The service refused the key.
        """
        workshop = self._workshop
        if held.told is not None:
            workshop = replace(workshop, emit=held.told.append, live=None)
        return await _Trial(workshop, held, tape, dialogue, kit=self._kit, servers=self._servers).talk()

    def _kit(self, trial: Trial, spec: AssistantSpec) -> _Kit:
        # Assistants live as long as their suites, which the trials of this run hold.
        if id(spec) not in self._kits:
            functions = self._workshop.registry.functions
            place = _place(self._workshop, trial)
            world = None if spec.env is None else functions.load(spec.env, place=place)
            self._kits[id(spec)] = _Kit(
                driver=open_driver(spec, functions=functions, place=place),
                tools=load_tools(spec.tools, functions=functions, place=place, world_class=world),
            )
        return self._kits[id(spec)]


class _Trial:
    """The assistants of one trial: the one under test, and those that serve it as tools, on one world and one tape."""

    def __init__(
        self,
        workshop: Workshop,
        held: Held,
        tape: Tape,
        dialogue: Dialogue,
        *,
        kit: Callable[[Trial, AssistantSpec], _Kit],
        servers: Servers,
    ) -> None:
        self._workshop = workshop
        self._held = held
        self._tape = tape
        self._dialogue = dialogue
        self._kit = kit
        self._servers = servers
        self._spec = held.trial.variant.assistant
        self._spent: list[Usage] = []
        self._world: object | None = None
        self._making = asyncio.Lock()
        self._mocks = MockPlayer(held.trial.case.mocks, render=self._render)
        self._recording: Recording | None = None

    async def talk(self) -> Transcript:
        self._recording = self._held.recording = self._recorded()
        self._world = await self._made(self._spec)
        try:
            return await self._talk(self._spec, self._dialogue)
        finally:
            # Calls of assistants that serve as tools are told by themselves, and stand on the same tape.
            if self._spec.api == "python" and not self._spec.assistants:
                tell_calls(self._held.trial.id, self._tape.interactions, self._workshop.emit)

    async def _talk(self, spec: AssistantSpec, turns: Turns, conversation: str = "") -> Transcript:
        kit = self._kit(self._held.trial, spec)
        with use_retry(spec.retry):
            return await kit.driver.run(await self._session(spec, kit, conversation), turns)

    async def _ask(self, spec: AssistantSpec, turns: Turns, conversation: str) -> Transcript:
        transcript = await self._talk(spec, turns, conversation)
        self._spent.append(transcript.usage)
        return transcript

    async def _session(self, spec: AssistantSpec, kit: _Kit, conversation: str) -> Session:
        workshop, trial, tape = self._workshop, self._held.trial, self._tape
        limits = limits_of(spec)
        own = spec is self._spec
        served, definitions = served_tools(spec, tape, self._servers)
        self._held.definitions |= definitions
        toolbox = Toolbox(
            (*kit.tools, *assistant_tools(spec, self._ask), *served),
            mocks=self._mocks,
            world=self._world if own or spec.env is None else await self._made(spec),
            clock=tape.clock,
            timeout=limits.tool_timeout,
            parallel=limits.parallel_tools,
            recorded=self._recording,
            conversation=conversation,
            # The others hold on to the ids that they gave, and know no other.
            renames=spec.api == "chat",
            redact=workshop.clients.redactor.data,
        )
        session = Session(
            trial=trial.id,
            endpoint=Endpoint(spec.base_url, spec.api_key_env),
            clients=workshop.clients,
            tape=tape,
            emit=at_moments(workshop.emit, tape.clock),
            live=None if workshop.live is None else at_moments(workshop.live, tape.clock),
            toolbox=toolbox,
            limits=limits,
            spent=self._spent if own else [],
            about=self._about(spec),
            partial=self._held.partial if own else [],
        )
        toolbox.serve(session)
        self._held.toolboxes.append(toolbox)
        return session

    def _about(self, spec: AssistantSpec) -> About | None:
        """The facts of the case, for assistants that take them from there instead of a prompt."""
        if spec.api not in TAKES:
            return None
        trial = self._held.trial
        facts = self._workshop.renderer.case(trial.suite, trial.case, trial.variant)
        return About(case=trial.case, repeat=trial.repeat, vars=facts["vars"], metadata=facts["metadata"])

    async def _made(self, spec: AssistantSpec) -> object | None:
        """Make the world of an assistant anew; None where it has none."""
        if spec.env is None:
            return None
        place = _place(self._workshop, self._held.trial)
        # Worlds are made in threads. Assistants that are asked side by side may send the same request, and only their
        # order tells then which answer is whose: it must be the order in which they were asked.
        async with self._making:
            return await new_world(self._workshop.registry.functions.load(spec.env, place=place))

    def _recorded(self) -> Recording | None:
        """What tools gave when the trial was recorded; None where it is being recorded now."""
        if not isinstance(self._tape, ReplayTape):
            return None
        if self._tape.cassette is None:
            return Recording([])
        facts = self._tape.cassette.facts
        return Recording([RecordedCall.read(one, shown=self._tape.shown) for one in facts.tools], seconds=facts.seconds)

    def _render(self, value: Any) -> Any:
        """Fill in the templates of mocks, with all that was saved when they are needed."""
        trial = self._held.trial
        render = self._workshop.renderer.argument(trial.suite, trial.case, trial.variant, saved=self._dialogue.saved)
        return render(value)


def _place(workshop: Workshop, trial: Trial) -> Place:
    return Place(root=workshop.root, folder=trial.suite.path.parent)


def limits_of(spec: AssistantSpec) -> Limits:
    """Return how far a trial of an assistant may go."""
    default = Limits()
    return Limits(
        steps=default.steps if spec.max_steps is None else spec.max_steps,
        tool_timeout=default.tool_timeout if spec.tool_timeout is None else spec.tool_timeout,
        parallel_tools=default.parallel_tools if spec.parallel_tools is None else spec.parallel_tools,
    )
