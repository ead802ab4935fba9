"""A conversation in Python: what was said, what is to be said, and assistants that answer.

Where an API keeps nothing, the thread holds what was said. Where the service keeps it (threads of the Assistants API;
conversations and chains of Responses), the thread knows under which id.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.functions import Functions, Place
from harness.library import remote
from harness.library.answering import Answering
from harness.library.blocks import current_block
from harness.library.defining import Defined
from harness.library.handling import Listener, OnEvent
from harness.library.keeping import Kept
from harness.library.looping import blocking
from harness.library.remote import ThreadMessage
from harness.library.reply import Reply
from harness.library.saying import File, Order, Role, check_instructions, check_page, page, said
from harness.library.speaking import Talk, talking
from harness.project.project import open_project
from harness.records import Message, ToolCall, Transcript, Turn
from harness.suites.suite import AssistantSpec

if TYPE_CHECKING:
    from harness.library.assistant import Assistant

#: APIs by how the ids of what they keep begin.
_KINDS = {"thread_": "threads", "conv_": "responses", "resp_": "responses"}


class Thread:
    """A conversation. Assistants answer in it with `run`, one at a time: while one does, nothing can be added.

    Every method that may ask a service has a twin to await, named `..._async`.
    """

    def __init__(self, id: str | None = None, *, base_url: str | None = None, api_key_env: str | None = None) -> None:
        """
        Args:
            id: Of what a service keeps already: a thread of the Assistants API, a conversation, or the last response of a
                chain; None: a new conversation.
            base_url: Where `id` is; default: where the first assistant that answers is.
            api_key_env: Environment variable that holds the key for `base_url`.

        Raises:
            UsageError: An argument is no text.
        """
        for name, value in (("id", id), ("base_url", base_url), ("api_key_env", api_key_env)):
            if value is not None and not (isinstance(value, str) and value.strip()):
                raise UsageError(f"Thread: `{name}=` should be a text, not {value!r}")
        self._id = id
        self._api = next((api for start, api in _KINDS.items() if id and id.startswith(start)), None)
        self._where = AssistantSpec(api="threads", base_url=base_url, api_key_env=api_key_env)
        self._history: list[Message] = []
        #: How much of the history the service has.
        self._known = 0
        self._pending: list[Message] = []
        self._worlds: dict[Assistant, Any] = {}
        self._kept = Kept()
        self._lock = threading.Lock()
        self._active = False
        #: The answer that is made piece by piece.
        self._stream: Answering | None = None

    def __repr__(self) -> str:
        return f"Thread(id={self._id!r}, messages={len(self._history) + len(self._pending)})"

    @property
    def id(self) -> str | None:
        """What the service knows it by; None: no service keeps it, or nothing was said yet."""
        return self._id

    # -- saying

    def add(
        self, text: str, *, files: Iterable[File] = (), images: Iterable[File] = (), role: Role = "user"
    ) -> ThreadMessage:
        """Add a message; it is sent with the next run.

        Args:
            text: What is said.
            files: Paths of files that go with it.
            images: Paths of images that go with it.
            role: user, or assistant for what an assistant said elsewhere.

        Raises:
            UsageError: An assistant is answering, or a file cannot be read.
        """
        message = said(text, files=files, images=images, role=role)
        with self._lock:
            if self._awaited():
                raise _answering()
            self._pending.append(message)
        return self._local()[-1]

    async def add_async(
        self, text: str, *, files: Iterable[File] = (), images: Iterable[File] = (), role: Role = "user"
    ) -> ThreadMessage:
        """Do what `add` does, which never waits."""
        return self.add(text, files=files, images=images, role=role)

    def run(self, assistant: Assistant, *, instructions: str | None = None, on_event: OnEvent | None = None) -> Reply:
        """Let an assistant answer what was said.

        Args:
            assistant: Who answers.
            instructions: For this run alone, instead of the assistant's own.
            on_event: Who follows the answer while it is made: an `EventHandler`, or a function that takes events.

        Raises:
            UsageError: An argument is wrong, an assistant is answering already, nothing was said, an event loop is
                running, or another API keeps this thread.
            TrialError: There was no answer. What was added stays, for the next run.
            CredentialsError: A key is missing, or was refused.
        """
        work = self.run_async(assistant, instructions=instructions, on_event=on_event)
        return blocking(work, name="thread.run(...)", twin="await thread.run_async(...)")

    async def run_async(
        self, assistant: Assistant, *, instructions: str | None = None, on_event: OnEvent | None = None
    ) -> Reply:
        """Do what `run` does, in the running event loop."""
        return await self.answered(assistant, (), instructions=instructions, on_event=on_event)

    async def answered(
        self,
        assistant: Assistant,
        messages: Sequence[Message],
        *,
        instructions: str | None,
        on_event: OnEvent | None,
        stream: Answering | None = None,
    ) -> Reply:
        """Say something and let an assistant answer; without an answer, it was not said."""
        if not isinstance(getattr(assistant, "defined", None), Defined):
            raise UsageError(f"a harness.Assistant answers in a thread, not {assistant!r}")
        check_instructions(instructions)
        listener = Listener(on_event)
        if self._stream is not None:
            await self._stream.over()
        with self._running(stream):
            self._pending.extend(messages)
            try:
                return await self._answered(assistant, listener, instructions=instructions, stream=stream is not None)
            except BaseException:
                self._pending = [one for one in self._pending if not any(one is mine for mine in messages)]
                raise

    # -- reading

    def messages(
        self, limit: int = 20, *, order: Order = "asc", before: str | None = None, after: str | None = None
    ) -> list[ThreadMessage]:
        """Return messages of users and assistants; those of a thread of the Assistants API are asked of the service.

        Args:
            limit: At most so many, from 1 to 100.
            order: asc (oldest first) or desc.
            before: Only those that stand before the message of this id, in `order`.
            after: Only those that stand after the message of this id, in `order`.

        Raises:
            UsageError: An argument is wrong, or an event loop is running and the service has to be asked.
            TrialError: The service did not answer.
        """
        if self._id is None or self._api != "threads":
            return page(self._local(), limit, order=order, before=before, after=after)
        work = self.messages_async(limit, order=order, before=before, after=after)
        return blocking(work, name="thread.messages(...)", twin="await thread.messages_async(...)")

    async def messages_async(
        self, limit: int = 20, *, order: Order = "asc", before: str | None = None, after: str | None = None
    ) -> list[ThreadMessage]:
        """Do what `messages` does, in the running event loop."""
        if self._id is None or self._api != "threads":
            return page(self._local(), limit, order=order, before=before, after=after)
        check_page(limit, order)
        async with self._at_service() as talk:
            found = await remote.list_messages(
                talk.session, self._id, limit=limit, order=order, before=before, after=after
            )
        found = self._with_calls(found)
        waiting = self._local()[-len(self._pending) :] if self._pending and not (before or after) else []
        whole = [*found, *waiting] if order == "asc" else [*reversed(waiting), *found]
        return whole[:limit]

    def pprint(self, limit: int = 20) -> None:
        """Print the messages for a person; arguments and errors as for `messages`."""
        from harness.library.printing import print_messages

        print_messages(self.messages(limit))

    async def pprint_async(self, limit: int = 20) -> None:
        """Do what `pprint` does, in the running event loop."""
        from harness.library.printing import print_messages

        print_messages(await self.messages_async(limit))

    # -- leaving

    def delete(self) -> None:
        """Delete what a service of the Assistants API keeps of this thread, uploaded files included.

        Raises:
            UsageError: An assistant is answering, or an event loop is running.
            TrialError: The service did not do it.
        """
        blocking(self.delete_async(), name="thread.delete()", twin="await thread.delete_async()")

    async def delete_async(self) -> None:
        """Do what `delete` does, in the running event loop."""
        with self._running():
            if self._id is not None and self._api == "threads":
                async with self._at_service() as talk:
                    await remote.delete_thread(talk.session, self._id)
                    await self._kept.go(talk.session)
            self._id, self._api, self._known = None, None, 0
            self._history.clear()
            self._pending.clear()

    # -- inside

    async def _answered(
        self, assistant: Assistant, listener: Listener, *, instructions: str | None, stream: bool
    ) -> Reply:
        mine = assistant.defined
        self._fit(mine.spec)
        async with (
            talking(mine, settings=assistant.settings, listener=listener) as talk,
            assistant.registered(talk) as registered,
        ):
            spec = replace(mine.spec, stream=True) if stream else mine.spec
            if spec.api == "threads":
                spec = replace(spec, assistant_id=registered)
                self._id = self._id or await remote.create_thread(talk.session)
                self._api, self._where = "threads", spec
            elif self._id is not None:
                spec = replace(spec, chain="conversation" if self._id.startswith("conv_") else "response")
            turn = self._turn(mine, instructions)
            transcript = await self._said(talk, assistant, spec, turn)
            self._note(spec, turn, transcript)
            return Reply.of(transcript, said=len(turn.messages), steps=listener.steps, prices=assistant.prices)

    async def _said(self, talk: Talk, assistant: Assistant, spec: AssistantSpec, turn: Turn) -> Transcript:
        if assistant not in self._worlds:
            self._worlds[assistant] = await talk.made_world(spec)
        world = self._worlds[assistant]
        if spec.api != "threads":
            return await talk.converse(spec, turn, world=world)
        # What is uploaded for a message is needed as long as the message is there.
        talk.clients.owner = self._kept
        before = remote.sent_messages(talk.session, self._id)
        try:
            return await talk.converse(spec, turn, world=world)
        except BaseException:
            self._posted(remote.sent_messages(talk.session, self._id) - before)
            raise
        finally:
            talk.clients.owner = None

    def _posted(self, count: int) -> None:
        """Take note that the service has so many more messages, though nothing answered them."""
        waiting = [*self._history[self._known :], *self._pending]
        sendable = [number for number, one in enumerate(waiting, 1) if one.role in ("user", "assistant")]
        reached = sendable[min(count, len(sendable)) - 1] if count and sendable else 0
        self._history = [*self._history[: self._known], *waiting[:reached]]
        self._pending = waiting[reached:]
        self._known = len(self._history)

    def _turn(self, assistant: Defined, instructions: str | None) -> Turn:
        behind = self._history if self._id is None else self._history[self._known :]
        messages = [*behind, *self._pending]
        if not messages and (self._id is None or self._api != "threads"):
            raise UsageError("nothing was said that an assistant could answer: add a message first, `thread.add(...)`")
        system = [Message(role="system", content=assistant.instructions)] if assistant.instructions else []
        return Turn(messages=(*system, *messages), instructions=instructions, thread=self._id)

    def _note(self, spec: AssistantSpec, turn: Turn, transcript: Transcript) -> None:
        """Take what was said, and what came back, into the history."""
        self._history += [*self._pending, *transcript.messages[len(turn.messages) :]]
        self._pending = []
        if spec.api == "responses" and spec.chain == "conversation":
            self._id, self._api = self._id or transcript.extra.get("conversation"), "responses"
        elif spec.api == "responses" and spec.chain == "response":
            self._id, self._api = transcript.response_ids[-1] if transcript.response_ids else self._id, "responses"
        if self._id is None:
            return
        self._known = len(self._history)
        if self._api == "responses":
            # Results of tools that ended the run were never sent, and the service waits for them.
            while self._known and self._history[self._known - 1].role == "tool":
                self._known -= 1

    def _fit(self, spec: AssistantSpec) -> None:
        if self._id is not None and self._api not in (None, spec.api):
            raise UsageError(
                f"the thread {self._id} is kept by a service for `api={self._api!r}`; an assistant with `api={spec.api!r}` "
                "cannot answer in it"
            )
        if self._id is not None and self._api is None:
            if spec.api == "chat":
                raise UsageError(f"Chat Completions keeps no threads, so there is no '{self._id}' to go on with")
            self._api = spec.api

    def _at_service(self) -> Any:
        project = open_project()
        place = Place(root=project.settings.root, folder=project.settings.root)
        spec = replace(self._where, tools=(), env=None, assistants={})
        thread = Defined(name="thread", spec=spec, instructions="", metadata={}, functions=Functions(), place=place)
        return talking(thread, settings=project.settings, listener=Listener(None))

    def _with_calls(self, found: Sequence[ThreadMessage]) -> list[ThreadMessage]:
        """Put to the messages that a service lists what was called here on the way to them."""
        answers: list[tuple[str, tuple[ToolCall, ...]]] = []
        calls: tuple[ToolCall, ...] = ()
        for one in self._history:
            if one.role == "assistant":
                calls += one.tool_calls
                if one.content:
                    answers.append((one.content, calls))
                    calls = ()
        listed: list[ThreadMessage] = []
        for shown in found:
            mine = next((one for one in answers if shown.role == "assistant" and one[0] == shown.content), None)
            if mine is not None:
                answers.remove(mine)
                shown = replace(shown, tool_calls=mine[1])
            listed.append(shown)
        return listed

    def _local(self) -> list[ThreadMessage]:
        shown = [one for one in (*self._history, *self._pending) if one.role in ("user", "assistant")]
        return [
            ThreadMessage(
                id=f"message_{number}",
                role=one.role,
                content=one.content,
                tool_calls=one.tool_calls,
                files=tuple(file.name for file in one.attachments),
                annotations=one.annotations,
            )
            for number, one in enumerate(shown, 1)
        ]

    def _awaited(self) -> bool:
        """Whether somebody waits for an answer in this thread; a stream that nobody goes on with makes way."""
        return self._active and not (self._stream is not None and self._stream.yields())

    @contextmanager
    def _running(self, stream: Answering | None = None) -> Iterator[None]:
        with self._lock:
            if self._awaited() or self._active:
                raise _answering()
            self._active, self._stream = True, stream
        block = current_block()
        if block is not None and stream is not None:
            block.streams.append(stream)
        try:
            yield
        finally:
            self._active, self._stream = False, None


def _answering() -> UsageError:
    return UsageError(
        "an assistant is answering in this thread: wait until its run is over, close its stream, or use another "
        "harness.Thread()"
    )
