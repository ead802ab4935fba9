"""The tools of an assistant as a suite names them: read, loaded and checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from harness.functions import Functions, Place, ReferenceProblem
from harness.located import Document
from harness.records import JSON
from harness.suites.suite import AssistantSpec
from harness.tools import Tool, ToolSpec, load_tools, read_tools
from harness.validation import sentence

Path_: TypeAlias = tuple[str | int, ...]

#: Tools of the service's own that an API offers; None: whatever it knows.
_OFFERED: Mapping[str, frozenset[str] | None] = {
    "responses": None,
    "chat": frozenset(),
    "threads": frozenset({"code_interpreter", "file_search"}),
}


class EquipmentReader:
    """Reads `tools:` and `env:`; what is wrong with them is noted in the suite's document."""

    def __init__(self, document: Document, *, place: Place, functions: Functions) -> None:
        """
        Args:
            document: The suite's file.
            place: Where paths in it are looked up.
            functions: Loads Python functions.
        """
        self._document = document
        self._place = place
        self._functions = functions

    def equip(self, spec: AssistantSpec, given: Sequence[JSON] | None, at: Mapping[str, Path_]) -> AssistantSpec | None:
        """Return an assistant with its tools, or None where something is wrong with them.

        Args:
            spec: The assistant without them.
            given: What stands under `tools:`.
            at: Where `tools:` and `env:` stand.
        """
        known = len(self._document.problems)
        place = at["tools"]

        def complain(loc: Path_, message: str, hint: str | None = None) -> None:
            self._document.complain((*place, *loc), message, hint=hint)

        specs = read_tools(list(given), complain) if given is not None else ()
        world = self._world(spec, at["env"])
        named: set[str] = set()
        for index, one in enumerate(specs):
            name = self._check(one, spec, (*place, index), world)
            if name in named:
                complain((index,), f"two tools are called '{name}'.", "Give one of them a `name:` of its own.")
            named |= {name} if name is not None else set()
        if len(self._document.problems) > known:
            return None
        return replace(spec, tools=specs)

    def offered(self, spec: AssistantSpec) -> tuple[Mapping[str, JSON], ...]:
        """Return name and description of every tool that is known before a run, for `self_.tools`."""
        named = {one.name: {"name": one.name, "description": one.description or ""} for one in self.loaded(spec)}
        for one in spec.tools:
            if one.name and one.kind != "mcp":
                named.setdefault(one.name, {"name": one.name, "description": one.description or ""})
        return tuple(named.values())

    def loaded(self, spec: AssistantSpec) -> tuple[Tool, ...]:
        """Return those tools of an assistant that are Python code, and those that are only declared."""
        world = None if spec.env is None else self._functions.load(spec.env, place=self._place)
        return load_tools(spec.tools, functions=self._functions, place=self._place, world_class=world)

    def _world(self, spec: AssistantSpec, at: Path_) -> object | None:
        if spec.env is None:
            return None
        try:
            return self._functions.load(spec.env, place=self._place)
        except ReferenceProblem as error:
            self._document.complain(at, sentence(error))
            return None

    def _check(self, one: ToolSpec, spec: AssistantSpec, at: Path_, world: object | None) -> str | None:
        """Return what the model calls a tool; None where it is not known before a run, or something is wrong with it."""
        offers = _OFFERED.get(spec.api)
        if one.kind == "builtin" and offers is not None and one.name not in offers:
            has = f"It offers {' and '.join(sorted(offers))}." if offers else "It offers none; use `api: responses`."
            message = f"`api: {spec.api}` has no tool '{one.name}' of its own."
            self._document.complain(at, message, hint=has)
        if one.kind == "env" and spec.env is None:
            self._document.complain(at, f"'{one.reference}' is a method of a world, and there is no `env:`.")
            return None
        try:
            for path in one.files:
                self._place.file(path)
            loaded = load_tools((one,), functions=self._functions, place=self._place, world_class=world)
        except ReferenceProblem as error:
            self._document.complain(at, sentence(error))
            return None
        if loaded:
            return loaded[0].name
        return one.name or one.reference if one.kind == "assistant" else None
