"""An assistant in Python: talked to in a line, with the settings, tools and APIs of suites."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal, Self

from harness.assistants import wire
from harness.costs import PriceTable
from harness.errors import HarnessError, UsageError
from harness.functions import Function, Place
from harness.library import remote
from harness.library.answering import Ask
from harness.library.defining import Defined, defined
from harness.library.handling import Listener, OnEvent
from harness.library.keeping import Kept
from harness.library.looping import blocking
from harness.library.reply import Reply
from harness.library.saying import File, Texts, check_instructions, messages_of
from harness.library.speaking import Talk, talking
from harness.library.streams import AsyncStream, Stream
from harness.library.thread import Thread
from harness.project.project import Project, open_project
from harness.records import JSON
from harness.settings import Settings


class Assistant:
    """An assistant. `say` asks it and returns the answer; its `thread` remembers the conversation.

    Inside `with harness.cassette(...)` what is said is recorded and replayed. Elsewhere it is live and paid for, with the
    ambient key, and nothing is kept. Every method that asks a service has a twin to await, named `..._async`.

    With `api="threads"` the assistant is an object at the service. It is created and deleted around each answer, unless
    `with Assistant(...) as ai:` or `create()` and `delete()` say how long it lives, or `assistant_id` names one that is
    there. With the other APIs there is nothing to create, and all of these do nothing.
    """

    def __init__(
        self,
        name: str = "Assistant",
        *,
        instructions: str = "",
        model: str | None = None,
        api: Literal["responses", "chat", "threads"] = "responses",
        tools: Iterable[Function | str | Mapping[str, Any]] = (),
        variables: Mapping[str, JSON] | None = None,
        metadata: Mapping[str, JSON] | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        temperature: float | None = None,
        assistant_id: str | None = None,
        env: Any = None,
        max_steps: int | None = None,
        files: Iterable[str | Path] = (),
        **settings: Any,
    ) -> None:
        """
        Args:
            name: What it is called.
            instructions: A Jinja template. `self_` is the assistant: name, model, tools, instructions, metadata.
            model: Which model answers; default: gpt-4.1-mini, where neither `base_url` nor `assistant_id` is given.
            api: responses, chat or threads.
            tools: Functions, and entries as under `tools:` in a suite; relative paths start at the calling file.
            variables: What the instructions may name besides `self_`.
            metadata: Facts about it, for `self_`; the Assistants API keeps them.
            base_url: Address of an OpenAI-compatible service.
            api_key_env: Environment variable that holds the key for `base_url`.
            temperature: Sampling temperature.
            assistant_id: With api threads, an assistant that is there already.
            env: World that tools act on: a class (made anew for each thread), an object, or a reference.
            max_steps: Most model steps of one answer; default 10.
            files: Paths of what the service's own tools work on.
            settings: All other settings of an assistant in a suite: max_tokens, top_p, stream, chain, response_format,
                request, preset, tool_timeout, ...

        Raises:
            UsageError: An argument is wrong; the message names it.
            ConfigError: The project's settings are wrong.
        """
        frame = settings.pop("_frame", None) or sys._getframe(1)
        self._project = open_project()
        self._arguments: dict[str, Any] = {
            "name": _checked("name", name),
            "instructions": _checked("instructions", instructions),
            "variables": _checked("variables", variables),
            "metadata": _checked("metadata", metadata),
            "tools": _checked("tools", tools),
            "files": _checked("files", files),
            "env": env,
            "settings": {
                "model": model,
                "api": api,
                "base_url": base_url,
                "api_key_env": api_key_env,
                "temperature": temperature,
                "assistant_id": assistant_id,
                "max_steps": max_steps,
                **settings,
            },
            "place": _place(self._project, frame),
        }
        self._defined = defined(self._project, **self._arguments)
        self._id = self._defined.spec.assistant_id
        self._kept = Kept()
        #: The conversation of `say`, where no other is named.
        self.thread = Thread()

    def __repr__(self) -> str:
        return f"Assistant({self.name!r}, api={self._defined.spec.api!r}, model={self.model!r})"

    @property
    def name(self) -> str:
        return self._defined.name

    @property
    def model(self) -> str | None:
        """The model that is asked; None: the one of the assistant at the service."""
        return self._defined.spec.model

    @property
    def instructions(self) -> str:
        """The instructions, rendered."""
        return self._defined.instructions

    @property
    def id(self) -> str | None:
        """The assistant's id at the service; None: it is not there now."""
        return self._id

    # -- talking

    def say(
        self,
        text: Texts,
        *,
        thread: Thread | None = None,
        files: Iterable[File] = (),
        images: Iterable[File] = (),
        instructions: str | None = None,
        on_event: OnEvent | None = None,
    ) -> Reply:
        """Say something and return the answer.

        Args:
            text: A message, or several.
            thread: The conversation; default: the assistant's own.
            files: Paths of files that go with the last message.
            images: Paths of images that go with the last message.
            instructions: For this answer alone, instead of the assistant's own.
            on_event: Who follows the answer while it is made: an `EventHandler`, or a function that takes events.

        Raises:
            UsageError: An argument is wrong, an event loop is running, or an assistant is answering in the thread.
            TrialError: There was no answer; what was said is not in the thread then.
            CredentialsError: A key is missing, or was refused.
        """
        work = self.say_async(
            text, thread=thread, files=files, images=images, instructions=instructions, on_event=on_event
        )
        return blocking(work, name="ai.say(...)", twin="await ai.say_async(...)")

    async def say_async(
        self,
        text: Texts,
        *,
        thread: Thread | None = None,
        files: Iterable[File] = (),
        images: Iterable[File] = (),
        instructions: str | None = None,
        on_event: OnEvent | None = None,
    ) -> Reply:
        """Do what `say` does, in the running event loop."""
        messages = messages_of(text, files, images)
        where = self._where(thread)
        return await where.answered(self, messages, instructions=instructions, on_event=on_event)

    def stream(
        self,
        text: Texts,
        *,
        thread: Thread | None = None,
        files: Iterable[File] = (),
        images: Iterable[File] = (),
        instructions: str | None = None,
        on_event: OnEvent | None = None,
    ) -> Stream:
        """Say something and return the answer's text piece by piece, as it comes; arguments as for `say`.

        The whole answer is in the stream's `reply` when the last piece is there.
        """
        return Stream(self._streaming(text, thread, files, images, instructions), on_event)

    def stream_async(
        self,
        text: Texts,
        *,
        thread: Thread | None = None,
        files: Iterable[File] = (),
        images: Iterable[File] = (),
        instructions: str | None = None,
        on_event: OnEvent | None = None,
    ) -> AsyncStream:
        """Do what `stream` does, for `async for`."""
        return AsyncStream(self._streaming(text, thread, files, images, instructions), on_event)

    # -- the assistant at the service

    def create(self) -> Self:
        """Create the assistant at the service, where it stays until `delete()`.

        Raises:
            UsageError: An event loop is running.
            TrialError: The service did not do it.
        """
        if self._defined.spec.api == "threads":
            blocking(self.create_async(), name="ai.create()", twin="await ai.create_async()")
        return self

    async def create_async(self) -> Self:
        """Do what `create` does, in the running event loop."""
        if self._defined.spec.api == "threads" and self._id is None:
            async with self._talking() as talk:
                self._id = await self._create(talk)
        return self

    def update(self, **changes: Any) -> Self:
        """Change the assistant, here and, where it is there, at the service.

        Args:
            changes: As for `Assistant`: instructions, model, tools, temperature, ...; what is not named stays.

        Raises:
            UsageError: An argument is wrong or cannot change (`api`, `assistant_id`), or an event loop is running.
            TrialError: The service did not do it; the assistant is then as it was.
        """
        if self._id is None:
            self._arguments, self._defined = self._changed(changes)
        else:
            blocking(self.update_async(**changes), name="ai.update(...)", twin="await ai.update_async(...)")
        return self

    async def update_async(self, **changes: Any) -> Self:
        """Do what `update` does, in the running event loop."""
        arguments, changed = self._changed(changes)
        if self._id is not None:
            async with talking(changed, settings=self.settings, listener=Listener(None)) as talk:
                talk.clients.owner = self._kept
                try:
                    await remote.update_assistant(await talk.definitions(), self._id, changed)
                finally:
                    talk.clients.owner = None
        self._arguments, self._defined = arguments, changed
        return self

    def _changed(self, changes: Mapping[str, Any]) -> tuple[dict[str, Any], Defined]:
        for name in ("api", "assistant_id"):
            if name in changes:
                raise UsageError(f"Assistant.update: `{name}=` cannot change; make another assistant")
        own = {name: _checked(name, value) for name, value in changes.items() if name in self._arguments}
        settings = {name: value for name, value in changes.items() if name not in self._arguments}
        arguments = {**self._arguments, **own, "settings": {**self._arguments["settings"], **settings}}
        return arguments, defined(self._project, **arguments)

    def delete(self) -> None:
        """Delete the assistant at the service, and the files that were uploaded for it.

        Raises:
            UsageError: An event loop is running.
            TrialError: The service did not do it.
        """
        if self._id is not None:
            blocking(self.delete_async(), name="ai.delete()", twin="await ai.delete_async()")

    async def delete_async(self) -> None:
        """Do what `delete` does, in the running event loop."""
        if self._id is not None:
            async with self._talking() as talk:
                await self._delete(talk, self._id)
            self._id = None

    @classmethod
    def load(cls, id: str, *, tools: Iterable[Function | str | Mapping[str, Any]] = (), **settings: Any) -> Self:
        """Return an assistant that is at a service of the Assistants API, with its name, model and instructions.

        Args:
            id: Its id.
            tools: The functions behind its tools, which no service keeps.
            settings: As for `Assistant`: base_url, api_key_env, ...; what is given wins over what the service says.

        Raises:
            UsageError: An argument is wrong, or an event loop is running.
            TrialError: The service does not have it, or did not answer.
        """
        settings.setdefault("_frame", sys._getframe(1))
        work = cls.load_async(id, tools=tools, **settings)
        return blocking(work, name="Assistant.load(...)", twin="await Assistant.load_async(...)")

    @classmethod
    async def load_async(
        cls, id: str, *, tools: Iterable[Function | str | Mapping[str, Any]] = (), **settings: Any
    ) -> Self:
        """Do what `load` does, in the running event loop."""
        settings.setdefault("_frame", sys._getframe(1))
        settings["api"] = "threads"
        if not isinstance(id, str) or not id.strip():
            raise UsageError(f"Assistant.load: the id of an assistant is a text, not {id!r}")
        given = _several("tools", tools)
        bare = cls(assistant_id=id, tools=given, **settings)
        async with bare._talking() as talk:
            told = await remote.find_assistant(talk.session, id)
            known = {one.name for one in (await talk.definitions()).toolbox.definitions}
        found: dict[str, Any] = {
            # What a service keeps is no template.
            "name": wire.word(told.get("name")),
            "model": wire.word(told.get("model")),
            "instructions": "{{ instructions_ }}",
            "variables": {"instructions_": wire.text(told.get("instructions"))},
            "metadata": told.get("metadata") or None,
        }
        if "instructions" in settings:
            del found["instructions"], found["variables"]
        settings = {**{name: value for name, value in found.items() if value is not None}, **settings}
        return cls(assistant_id=id, tools=[*given, *_unknown(told.get("tools"), given, known)], **settings)

    def __enter__(self) -> Self:
        return self.create()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._created:
            with _quietly(error):
                self.delete()

    async def __aenter__(self) -> Self:
        return await self.create_async()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._created:
            with _quietly(error):
                await self.delete_async()

    # -- for threads

    @property
    def defined(self) -> Defined:
        """The assistant with its settings, checked."""
        return self._defined

    @property
    def settings(self) -> Settings:
        """The project's settings."""
        return self._project.settings

    @cached_property
    def prices(self) -> PriceTable:
        """What models cost."""
        return self._project.prices()

    @asynccontextmanager
    async def registered(self, talk: Talk) -> AsyncIterator[str | None]:
        """Yield the assistant's id at the service, created for as long as this lasts where it is not there.

        None: the API has no assistants.
        """
        if self._defined.spec.api != "threads" or self._id is not None:
            yield self._id
            return
        id = await self._create(talk)
        try:
            yield id
        except BaseException:
            with suppress(HarnessError):
                await self._delete(talk, id)
            raise
        await self._delete(talk, id)

    # -- inside

    @property
    def _created(self) -> bool:
        """Whether it was created here, and not found at the service."""
        return self._id is not None and self._id != self._defined.spec.assistant_id

    def _streaming(
        self,
        text: Texts,
        thread: Thread | None,
        files: Iterable[File],
        images: Iterable[File],
        instructions: str | None,
    ) -> Ask:
        messages = messages_of(text, files, images)
        check_instructions(instructions)
        where = self._where(thread)
        return lambda stream: where.answered(
            self, messages, instructions=instructions, on_event=stream.hear, stream=stream
        )

    def _where(self, thread: Thread | None) -> Thread:
        if thread is None:
            return self.thread
        if not isinstance(thread, Thread):
            raise UsageError(f"`thread=` takes a harness.Thread, not {thread!r}; one that is there: harness.Thread(id)")
        return thread

    def _talking(self) -> Any:
        return talking(self._defined, settings=self.settings, listener=Listener(None))

    async def _create(self, talk: Talk) -> str:
        talk.clients.owner = self._kept
        try:
            return await remote.create_assistant(await talk.definitions(), self._defined)
        finally:
            talk.clients.owner = None

    async def _delete(self, talk: Talk, id: str) -> None:
        await remote.delete_assistant(talk.session, id)
        await self._kept.go(talk.session)


def _checked(name: str, value: Any) -> Any:
    """Return an argument as it is kept; a wrong one is refused."""
    if name in ("name", "instructions"):
        return _text(name, value)
    if name in ("tools", "files"):
        return _several(name, value)
    return _mapping(name, value) if name in ("variables", "metadata") else value


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise UsageError(f"Assistant: `{name}=` should be a mapping with texts as keys, not {value!r}")
    return value or {}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or (name == "name" and not value.strip()):
        raise UsageError(f"Assistant: `{name}=` should be a text, not {value!r}")
    return value


def _several(name: str, value: Any) -> list[Any]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise UsageError(f"Assistant: `{name}=` should be a list, not {value!r}")
    return list(value)


def _place(project: Project, frame: FrameType | None) -> Place:
    """Where relative paths start: beside the calling file, in a notebook in the working folder."""
    path = Path(frame.f_code.co_filename) if frame is not None else Path()
    folder = path.resolve().parent if path.is_file() else Path.cwd()
    return Place(root=project.settings.root, folder=folder, allow_outside=True)


def _unknown(told: Any, given: Sequence[Any], known: set[str]) -> list[Any]:
    """Return the tools of an assistant at a service that nobody gave here: the service's own, and bare descriptions."""
    found: list[Any] = []
    for one in told or ():
        kind = one.get("type")
        if kind == "function":
            function = one.get("function") or {}
            if function.get("name") not in known:
                found.append({key: function[key] for key in ("name", "description", "parameters") if key in function})
        elif kind not in given:
            found.append(kind)
    return found


def _quietly(error: BaseException | None) -> Any:
    """Let nothing that goes wrong at the end hide what went wrong before."""
    return suppress(HarnessError) if error is not None else nullcontext()
