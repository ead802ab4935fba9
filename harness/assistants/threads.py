"""Assistants v2: how one step is sent and read. https://platform.openai.com/docs/api-reference/assistants.

A step is a run, or the part of one between two stops for tools: the run is started (or given the results it waits for)
and looked at, or listened to, until it stops again. OpenAI switched this API off on 2026-08-26; compatible servers and
recordings still speak it.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from harness.assistants import threadanswers, wire
from harness.assistants.conversation import Answer, Turns, converse
from harness.assistants.resources import BETA, own_files, searchable, uploaded
from harness.assistants.runpayment import RunPayments
from harness.assistants.session import Session
from harness.errors import HarnessError, ServiceError
from harness.functions import Place
from harness.records import JSON, Attachment, Message, Transcript, Turn
from harness.suites.suite import AssistantSpec
from harness.tools import Definition

#: Seconds between two looks at a run, where neither suite nor service says otherwise.
_POLL = 1.0
_SHORTEST, _LONGEST = 0.1, 10.0
#: Seconds that telling a service about the end of a run may take.
_FAREWELL = 5.0


class ThreadsDriver:
    """Runs a trial against the Assistants API."""

    def __init__(self, spec: AssistantSpec, *, place: Place) -> None:
        """
        Args:
            spec: The assistant.
            place: Where the files of its tools are looked up.
        """
        self._spec = spec
        self._files = {name: own_files(spec, name, place) for name in ("file_search", "code_interpreter")}

    async def run(self, session: Session, turns: Turns) -> Transcript:
        step = ThreadsStep(self._spec, self._files)
        try:
            transcript = await converse(session, turns, step)
        except BaseException:
            # A run that nobody waits for would go on, and be paid for. Told once; nobody waits for what it says.
            with suppress(HarnessError, TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await _stopped_or_over(step, session)
                    await step.leave(session)
            raise
        with suppress(HarnessError):
            await step.leave(session)
        return transcript


class ThreadsStep:
    """The runs of one conversation on one thread."""

    def __init__(self, spec: AssistantSpec, files: Mapping[str, Sequence[Attachment]]) -> None:
        """
        Args:
            spec: The assistant.
            files: What its own tools work on, by the tool's name.
        """
        self.model = spec.model or spec.assistant_id or ""
        self._spec = spec
        self._files = files
        self._payments = RunPayments(spec)
        self._services = frozenset(one.name for one in spec.tools if one.kind == "builtin" and one.name)
        self._assistant: str | None = spec.assistant_id
        self._thread: str | None = None
        #: The thread was made for this trial.
        self._own_thread = False
        #: The run that waits for results of tools.
        self._waiting: str | None = None
        #: The run under way.
        self._running: str | None = None
        #: Messages that the thread has.
        self._seen = 0

    async def __call__(self, session: Session, messages: Sequence[Message], turn: Turn) -> Answer:
        if turn.thread is not None and self._waiting is None:
            self._thread, self._own_thread = turn.thread, False
        if self._assistant is None:
            self._assistant = await self.create(session, messages)
        if self._waiting is not None:
            path, payload = f"/{self._waiting}/submit_tool_outputs", _outputs(messages[self._seen :])
        else:
            await self._say(session, [one for one in messages[self._seen :] if one.role in ("user", "assistant")])
            path, payload = "", self._run(messages, turn)
        resumed = self._waiting is not None
        with self._payments.paying(messages, session.toolbox.definitions, elsewhere=not self._own_thread):
            try:
                found = await self._until_it_stops(session, path, payload)
            except ServiceError as error:
                if not resumed or error.kind != "bad_request":
                    raise
                found = await self._taken_before(session, error, payload)
        self._running = None
        run = found.run
        self._payments.stopped(run)
        self._waiting = str(run["id"]) if run.get("status") == "requires_action" else None
        self._seen = len(messages) + 1
        assert self._thread is not None
        return await threadanswers.read(
            session,
            found,
            thread=self._thread,
            assistant=self._assistant,
            steps=self._looks_at_steps,
            resumed=resumed,
        )

    @property
    def _looks_at_steps(self) -> bool:
        # Only the service's own tools leave traces that are nowhere else.
        return bool(self._services) or self._spec.assistant_id is not None

    async def abandon(self, session: Session) -> None:
        """Cancel the run under way, or the one that waits for results."""
        run = self._waiting or self._running
        if run is not None:
            self._waiting = self._running = None
            async with wire.sent(session, "POST", f"/threads/{self._thread}/runs/{run}/cancel", headers=BETA) as reply:
                await reply.body()

    async def leave(self, session: Session) -> None:
        """Delete what was made for this trial alone."""
        gone = [f"/threads/{self._thread}"] if self._own_thread and self._spec.lifecycle != "kept" else []
        if self._spec.lifecycle == "lazy" and self._spec.assistant_id is None and self._assistant is not None:
            gone.append(f"/assistants/{self._assistant}")
        for path in gone:
            async with wire.sent(session, "DELETE", path, headers=BETA) as reply:
                await reply.body()

    # -- before a run

    async def create(
        self,
        session: Session,
        messages: Sequence[Message],
        *,
        name: str = "harness",
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Create the assistant, or find that a trial of this run did; return its id.

        Args:
            session: The trial's.
            messages: Those of role `system` are its instructions.
            name: What the service calls it.
            metadata: What the service keeps with it.
        """
        spec = self._spec
        payload = await self.definition(session, messages, name=name, metadata=metadata)

        async def make(own: Session) -> str:
            async with wire.sent(own, "POST", "/assistants", body=payload, headers=BETA) as reply:
                return threadanswers.id_of(await reply.body(), "assistant")

        if spec.lifecycle == "lazy":
            return await make(session)
        key = f"assistant {session.endpoint} {json.dumps(payload, sort_keys=True)}"
        undo = None if spec.lifecycle == "kept" else _delete_assistant
        return await session.clients.shared.once(session, key, make, undo=undo)

    async def definition(
        self, session: Session, messages: Sequence[Message], *, name: str, metadata: Mapping[str, str] | None
    ) -> dict[str, JSON]:
        """Return the assistant as this API takes it, once the files of its tools are there; arguments as for `create`."""
        spec = self._spec
        resources = await self._resources(session)
        tools = [*map(_function, session.toolbox.definitions), *({"type": name} for name in sorted(self._services))]
        return wire.merged(
            {
                "model": spec.model,
                "name": name,
                "instructions": _instructions(messages),
                "temperature": spec.temperature,
                "top_p": spec.top_p,
                "response_format": spec.response_format,
                "tools": tools or None,
                "tool_resources": resources or None,
                "metadata": metadata or None,
            },
            {},
        )

    async def _resources(self, session: Session) -> dict[str, JSON]:
        found: dict[str, JSON] = {}
        if self._files.get("file_search"):
            found["file_search"] = {"vector_store_ids": [await searchable(session, self._files["file_search"])]}
        if self._files.get("code_interpreter"):
            ids = [await uploaded(session, one) for one in self._files["code_interpreter"]]
            found["code_interpreter"] = {"file_ids": ids}
        return found

    async def _say(self, session: Session, messages: Sequence[Message]) -> None:
        """Put messages on the thread, which is made with the first of them."""
        said = [await self._message(session, one) for one in messages]
        if self._thread is None:
            async with wire.sent(session, "POST", "/threads", body={"messages": said}, headers=BETA) as reply:
                self._thread = threadanswers.id_of(await reply.body(), "thread")
            self._own_thread = True
            return
        for one in said:
            async with wire.sent(session, "POST", f"/threads/{self._thread}/messages", body=one, headers=BETA) as reply:
                await reply.body()

    async def _message(self, session: Session, message: Message) -> dict[str, JSON]:
        images = [one for one in message.attachments if one.kind == "image"]
        files = [one for one in message.attachments if one.kind == "file"]
        shown: dict[str, JSON] = {"role": message.role, "content": message.content}
        if images:
            parts: list[JSON] = [{"type": "text", "text": message.content}] if message.content else []
            for one in images:
                parts.append({"type": "image_file", "image_file": {"file_id": await uploaded(session, one)}})
            shown["content"] = parts
        if files:
            # A file is there for a tool; without one of its own, an assistant searches it.
            tools = [{"type": name} for name in sorted(self._services or {"file_search"})]
            shown["attachments"] = [{"file_id": await uploaded(session, one), "tools": tools} for one in files]
        return shown

    def _run(self, messages: Sequence[Message], turn: Turn) -> dict[str, JSON]:
        spec = self._spec
        own = turn.instructions
        settings: dict[str, JSON] = {"assistant_id": self._assistant, "instructions": own}
        if spec.assistant_id is not None:
            # What an assistant that is there already has of its own is overridden for this run by what the suite says.
            settings |= {
                "model": spec.model,
                "instructions": own or _instructions(messages),
                "temperature": spec.temperature,
                "top_p": spec.top_p,
                "response_format": spec.response_format,
            }
        settings["max_completion_tokens"] = spec.max_tokens
        settings["stream"] = True if spec.stream else None
        return wire.merged(settings, spec.request)

    # -- a run

    async def _until_it_stops(self, session: Session, path: str, payload: Mapping[str, JSON]) -> threadanswers.Found:
        runs = f"/threads/{self._thread}/runs"
        if self._spec.stream:
            body = {**payload, "stream": True}
            async with wire.sent(session, "POST", runs + path, body=body, headers=BETA, stream=True) as reply:
                if reply.streamed:
                    return await threadanswers.listened(reply, started=self._started, heard=session.heard)
                found = threadanswers.Found(run=await reply.body(), start=reply.start, end=reply.end)
        else:
            async with wire.sent(session, "POST", runs + path, body=payload, headers=BETA) as reply:
                found = threadanswers.Found(run=await reply.body(), start=reply.start, end=reply.end)
                pause = self._pause(reply)
        self._started(found.run)
        return await self._looked_at(session, found, pause)

    async def _looked_at(self, session: Session, found: threadanswers.Found, pause: float) -> threadanswers.Found:
        """Look at a run until it stops."""
        while not threadanswers.stopped(found.run):
            await session.clock.sleep(pause)
            async with wire.sent(session, "GET", self._path_of_run, headers=BETA) as reply:
                found.run, found.end = await reply.body(), reply.end
                pause = self._pause(reply)
        return found

    async def _taken_before(
        self, session: Session, refused: ServiceError, payload: Mapping[str, JSON]
    ) -> threadanswers.Found:
        """Look at a run that refused results: it may have had them, and its answer to that got lost.

        Args:
            session: The trial's.
            refused: What the service said.
            payload: The results.

        Raises:
            ServiceError: It still waits for them, or it had failed, was cancelled or had expired in the meantime.
        """
        self._running = self._waiting
        async with wire.sent(session, "GET", self._path_of_run, headers=BETA) as reply:
            run = await reply.body()
            found = threadanswers.Found(run=run, start=reply.start, end=reply.end)
            pause = self._pause(reply)
        if threadanswers.stopped(run):
            self._running = None
        if run.get("status") != "requires_action":
            self._waiting = None
        threadanswers.check(run)
        given = {one["tool_call_id"] for one in payload["tool_outputs"]}
        if given & {call.id for call in threadanswers.wanted_calls(run)}:
            raise refused
        return await self._looked_at(session, found, pause)

    @property
    def _path_of_run(self) -> str:
        return f"/threads/{self._thread}/runs/{self._running}"

    def _started(self, run: Mapping[str, Any]) -> None:
        self._running = threadanswers.id_of(run, "run")

    def _pause(self, reply: wire.Reply) -> float:
        if self._spec.poll_interval is not None:
            return self._spec.poll_interval
        try:
            asked = float(reply.response.headers["openai-poll-after-ms"]) / 1000
        except (KeyError, ValueError):
            return _POLL
        # What is no number at all is called one, too: NaN.
        return _POLL if math.isnan(asked) else min(max(asked, _SHORTEST), _LONGEST)


async def _stopped_or_over(step: ThreadsStep, session: Session) -> None:
    """Cancel what runs; a run that is over by then refuses that, and what was made for it can go all the same."""
    try:
        await step.abandon(session)
    except ServiceError as error:
        if error.kind != "bad_request":
            raise


def _instructions(messages: Sequence[Message]) -> str | None:
    """The prompt's system messages, which this API keeps with the assistant."""
    return "\n\n".join(one.content for one in messages if one.role in ("system", "developer")) or None


def _function(definition: Definition) -> JSON:
    function: dict[str, JSON] = {"name": definition.name, "parameters": definition.parameters}
    if definition.description:
        function["description"] = definition.description
    if definition.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _outputs(messages: Sequence[Message]) -> dict[str, JSON]:
    outputs = [{"tool_call_id": one.tool_call_id, "output": one.content} for one in messages if one.role == "tool"]
    return {"tool_outputs": outputs}


async def _delete_assistant(session: Session, id: str) -> None:
    async with wire.sent(session, "DELETE", f"/assistants/{id}", headers=BETA) as reply:
        await reply.body()
