"""A tool, ready to be called; and `@harness.tool`, with which a function says what kind of tool it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, overload

from harness.errors import UsageError
from harness.functions import Function, awaited, in_thread
from harness.records import JSON
from harness.tools.arguments import by_schema, by_shape, read_arguments
from harness.tools.entries import REPLAYS, Replay
from harness.tools.schema import Shape
from harness.tools.spec import Kind

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__harness_tool__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A tool as the model is told of it."""

    name: str
    description: str | None
    #: JSON Schema of the arguments.
    parameters: Mapping[str, JSON]
    strict: bool = False

    def plain(self) -> dict[str, JSON]:
        """Return it as plain data."""
        found: dict[str, JSON] = {"name": self.name, "parameters": dict(self.parameters)}
        if self.description:
            found["description"] = self.description
        return found | ({"strict": True} if self.strict else {})


class ToolError(Exception):
    """A tool failed, and says itself what the model is to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that an assistant can call.

    One that has no `shape` gets its arguments by name, checked against `parameters`.
    """

    name: str
    description: str | None = None
    #: JSON Schema of the arguments.
    parameters: Mapping[str, JSON] = field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool = False
    #: Where its result comes from on replay.
    replay: Replay = "recorded"
    kind: Kind = "function"
    #: What is called, sync or async; None: it has no code, or is a method of the world.
    function: Function | None = None
    #: A method of the world.
    method: str | None = None
    shape: Shape | None = None
    #: Whether `parameters` were written out, rather than made from the shape.
    explicit: bool = False

    @property
    def definition(self) -> Definition:
        """What the model is told of it."""
        return Definition(name=self.name, description=self.description, parameters=self.parameters, strict=self.strict)

    @property
    def runs(self) -> bool:
        """Whether there is code to run."""
        return self.function is not None or self.method is not None

    @property
    def uses_world(self) -> bool:
        """Whether it acts on the world of the trial."""
        return self.method is not None or (self.shape is not None and "env" in self.shape.injected)

    def validate(self, arguments: JSON) -> dict[str, Any]:
        """Return a call's arguments as the code takes them, by name.

        Args:
            arguments: What the model wrote: an object, or text that should hold one.

        Raises:
            InvalidArguments: They do not fit; the message is for the model.
        """
        given = read_arguments(arguments)
        if self.shape is None or self.explicit:
            by_schema(self.parameters, given)
        return dict(given) if self.shape is None else by_shape(self.shape, given)

    async def call(
        self, values: Mapping[str, Any], *, world: object | None = None, session: object | None = None
    ) -> Any:
        """Run the code and return what it returns; code that is not async runs in a thread of its own.

        Args:
            values: What `validate` returned.
            world: The trial's world, for methods of it and for functions that take `env`.
            session: For functions that take `session`.

        Raises:
            Escaped: It raised what is no `Exception`. Whatever else it raises comes out as it is.
        """
        target = self.function if self.method is None else getattr(world, self.method)
        if target is None:
            raise TypeError(f"the tool {self.name} has no code")
        given = dict(values)
        positional: list[Any] = []
        if self.shape is not None:
            given |= {name: {"env": world, "session": session}[name] for name in self.shape.injected}
            for name in self.shape.positional:
                if name not in given:
                    break
                positional.append(given.pop(name))
        ready = partial(target, *positional, **given)
        if inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(getattr(target, "__call__", None)):  # noqa: B004 (not whether, but which)
            return await awaited(ready())
        found = await in_thread(ready)
        return await awaited(found) if inspect.isawaitable(found) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What `@harness.tool` says of a function."""

    pure: bool = False
    name: str | None = None
    description: str | None = None
    parameters: Mapping[str, JSON] | None = None
    replay: Replay | None = None
    strict: bool = False


@overload
def tool(fn: F, /) -> F: ...


@overload
def tool(
    fn: None = None,
    /,
    *,
    pure: bool = False,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, JSON] | None = None,
    replay: Replay | None = None,
    strict: bool = False,
) -> Callable[[F], F]: ...


def tool(
    fn: F | None = None,
    /,
    *,
    pure: bool = False,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, JSON] | None = None,
    replay: Replay | None = None,
    strict: bool = False,
) -> F | Callable[[F], F]:
    """Say of a function how it serves as a tool; it can be called as before.

    Args:
        fn: The function, where the decorator stands without brackets.
        pure: It has no side effects, so that it runs again on replay instead of being recorded.
        name: What the model calls it; default: the function's name.
        description: What the model is told about it; default: the first part of the docstring.
        parameters: JSON Schema of the arguments; default: made from type hints and docstring.
        replay: Where its result comes from on replay: `recorded`, `execute`, or `verify` (execute, and compare).
        strict: Have the service keep to the schema to the letter.

    Raises:
        UsageError: It is no function, or `replay` is none of the three words.
    """
    if replay is not None and replay not in REPLAYS:
        raise UsageError(f"@harness.tool: replay is one of {', '.join(REPLAYS)}, not {replay!r}")
    marked = Marked(pure=pure, name=name, description=description, parameters=parameters, replay=replay, strict=strict)

    def mark(function: F) -> F:
        if not callable(function):
            raise UsageError(f"@harness.tool marks a function, not a {type(function).__name__}")
        try:
            setattr(function, _MARK, marked)
        except (AttributeError, TypeError):
            raise UsageError(f"@harness.tool cannot mark {function!r}; wrap it in a function of your own") from None
        return function

    return mark if fn is None else mark(fn)


def called_twice(name: str) -> str:
    """Say that two tools have one name, and what to do."""
    return f"two tools are called '{name}'; give one of them a `name:` of its own"


def marked_as(function: object) -> Marked | None:
    """Return what `@harness.tool` said of a function; None where it does not bear it."""
    found = getattr(function, _MARK, None)
    return found if isinstance(found, Marked) else None
