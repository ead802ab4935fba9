"""An assistant's life at a service that keeps assistants: created, changed, deleted, found by its id."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from harness.assistants import wire
from harness.costs import PriceTable
from harness.errors import HarnessError, UsageError
from harness.library import remote
from harness.library.defining import Defined, checked, defined
from harness.library.handling import Listener
from harness.library.keeping import Kept
from harness.library.looping import blocking
from harness.library.speaking import Talk, talking
from harness.project.project import Project
from harness.settings import Settings


class AtService:
    """An assistant as it is defined here and, with `api="threads"`, as an object at the service."""

    def __init__(self, project: Project, arguments: dict[str, Any]) -> None:
        """
        Args:
            project: The project around the caller.
            arguments: What `defined` takes.

        Raises:
            UsageError: An argument is wrong; the message names it.
        """
        self._project = project
        self._arguments = arguments
        self._defined = defined(project, **arguments)
        self._id = self._defined.spec.assistant_id
        self._kept = Kept()

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

    # -- at the service

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
        own = {name: checked(name, value) for name, value in changes.items() if name in self._arguments}
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


async def described(talk: Talk, id: str, given: Sequence[Any], *, instead: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a service knows of an assistant, as arguments of `harness.Assistant`.

    Args:
        talk: A call of the assistant, as far as it is known.
        id: Its id.
        given: The tools that are known here.
        instead: What is said here, and wins over what the service says.

    Raises:
        TrialError: The service does not have it, or did not answer.
    """
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
    if "instructions" in instead:
        del found["instructions"], found["variables"]
    tools = [*given, *_unknown(told.get("tools"), given, known)]
    return {**{name: value for name, value in found.items() if value is not None}, **instead, "tools": tools}


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
