"""An assistant in Python: talked to in a line, with the settings, tools and APIs of suites."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Literal, Self

from harness.errors import UsageError
from harness.functions import Function, Place
from harness.library.answering import Ask
from harness.library.defining import checked
from harness.library.handling import OnEvent
from harness.library.looping import blocking
from harness.library.registration import AtService, described
from harness.library.reply import Reply
from harness.library.saying import File, Texts, check_instructions, messages_of
from harness.library.streams import AsyncStream, Stream
from harness.library.thread import Thread
from harness.project.project import Project, open_project
from harness.records import JSON


class Assistant(AtService):
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
        project = open_project()
        arguments = {
            "name": name,
            "instructions": instructions,
            "variables": variables,
            "metadata": metadata,
            "tools": tools,
            "files": files,
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
            "place": _place(project, frame),
        }
        super().__init__(project, {name: checked(name, value) for name, value in arguments.items()})
        #: The conversation of `say`, where no other is named.
        self.thread = Thread()

    def __repr__(self) -> str:
        return f"Assistant({self.name!r}, api={self._defined.spec.api!r}, model={self.model!r})"

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

    # -- found at a service

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
        given = checked("tools", tools)
        bare = cls(assistant_id=id, tools=given, **settings)
        async with bare._talking() as talk:
            found = await described(talk, id, given, instead=settings)
        return cls(assistant_id=id, **found)

    # -- inside

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


def _place(project: Project, frame: FrameType | None) -> Place:
    """Where relative paths start: beside the calling file, in a notebook in the working folder."""
    path = Path(frame.f_code.co_filename) if frame is not None else Path()
    folder = path.resolve().parent if path.is_file() else Path.cwd()
    return Place(root=project.settings.root, folder=folder, allow_outside=True)
