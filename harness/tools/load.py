"""Tools from what a suite says about them: functions are imported and described, before anything is paid for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import did_you_mean
from harness.functions import Function, Functions, Place, ReferenceProblem, told
from harness.records import JSON
from harness.tools.entries import NAME, Replay
from harness.tools.schema import Shape, shape_of, strictly
from harness.tools.spec import ToolSpec
from harness.tools.tool import Marked, Tool, called_twice, marked_as

_EMPTY: Mapping[str, JSON] = {"type": "object", "properties": {}}


def load_tools(
    specs: Sequence[ToolSpec], *, functions: Functions, place: Place, world_class: object | None = None
) -> tuple[Tool, ...]:
    """Return the tools that are Python code, and those that are only declared; others are passed over.

    Args:
        specs: The entries of `tools:`.
        functions: Loads Python functions.
        place: Where paths are looked up.
        world_class: What `env:` names: a class, or another callable that makes a world.

    Raises:
        ReferenceProblem: Something cannot be used as a tool; the message says what, why, and what to do.
    """
    found: dict[str, Tool] = {}
    for spec in specs:
        tool = _load(spec, functions, place, world_class)
        if tool is None:
            continue
        if tool.name in found:
            raise ReferenceProblem(called_twice(tool.name))
        found[tool.name] = tool
    return tuple(found.values())


def tool_of(function: Function, *, shown: str | None = None) -> Tool:
    """Return a function as a tool, as `@harness.tool` and its signature say.

    Args:
        function: Any callable.
        shown: How messages name it; default: its own name.

    Raises:
        ReferenceProblem: It cannot be described to a model.
    """
    spec = ToolSpec(kind="function", reference=shown or getattr(function, "__qualname__", repr(function)))
    return _described(spec, function, has_world=True)


def _load(spec: ToolSpec, functions: Functions, place: Place, world_class: object | None) -> Tool | None:
    if spec.kind == "function":
        function = functions.load(spec.reference or "", place=place)
        return _described(spec, function, has_world=world_class is not None)
    if spec.kind == "env":
        return _method(spec, world_class)
    if spec.kind != "declared":
        return None
    parameters = spec.parameters or _EMPTY
    name = spec.name or ""
    return Tool(
        name=name,
        description=spec.description,
        parameters=strictly(parameters, shown=name) if spec.strict else parameters,
        strict=spec.strict,
        kind="declared",
        explicit=True,
    )


def _method(spec: ToolSpec, world_class: object | None) -> Tool:
    if world_class is None:
        raise ReferenceProblem(f"'{spec.reference}' is a method of a world, and there is no `env:`")
    owner = _owner(world_class)
    name = spec.method
    known = [one for one in dir(owner) if not one.startswith("_") and callable(getattr(owner, one, None))]
    if name not in known:
        hint = did_you_mean(name, known) or f"There are: {', '.join(known) or 'none'}."
        raise ReferenceProblem(f"{owner.__name__} has no public method '{name}'. {hint}")
    plain_method = inspect.isfunction(inspect.getattr_static(owner, name))
    return _described(spec, getattr(owner, name), has_world=True, bound=plain_method)


def _owner(world_class: object) -> type:
    """Return the class of the worlds that a class or factory makes."""
    if inspect.isclass(world_class):
        return world_class
    try:
        hinted = inspect.signature(world_class, eval_str=True).return_annotation  # type: ignore[arg-type]  # it may be anything
    except (TypeError, ValueError, NameError):
        hinted = None
    if inspect.isclass(hinted) and hinted is not inspect.Signature.empty:
        return hinted
    try:
        return type(world_class())  # type: ignore[operator]  # it may be anything
    except Exception as error:  # noqa: BLE001 (it is somebody's code)
        raise ReferenceProblem(f"`env:` cannot be made: {told(error)}") from None


def _described(spec: ToolSpec, function: Function, *, has_world: bool, bound: bool = False) -> Tool:
    marked = marked_as(function) or Marked()
    shown = spec.reference or "the tool"
    explicit = spec.parameters if spec.parameters is not None else marked.parameters
    shape = shape_of(function, shown=shown, bound=bound, explicit=explicit is not None)
    name = spec.name or marked.name or shape.name
    if not re.match(NAME, name):
        raise ReferenceProblem(
            f"{shown}: '{name}' cannot be a tool's name; give it a `name:` of letters, digits, _ and -"
        )
    if "env" in shape.injected and not has_world:
        raise ReferenceProblem(f"{shown} takes `env`, the world, and the suite names none under `env:`")
    if explicit is not None:
        _check_taken(explicit, shape, shown)
    strict = spec.strict or marked.strict
    parameters: Mapping[str, Any] = shape.parameters if explicit is None else {"type": "object", **explicit}
    return Tool(
        name=name,
        description=spec.description or marked.description or shape.description or None,
        parameters=strictly(parameters, shown=shown) if strict else parameters,
        strict=strict,
        replay=_replay(spec, marked, shape),
        kind=spec.kind,
        function=None if spec.kind == "env" else function,
        method=spec.method if spec.kind == "env" else None,
        shape=shape,
        explicit=explicit is not None,
    )


def _replay(spec: ToolSpec, marked: Marked, shape: Shape) -> Replay:
    """What acts on the trial's world runs again, so that the world comes out as it did."""
    if spec.replay or marked.replay:
        return spec.replay or marked.replay or "recorded"
    again = spec.pure or marked.pure or spec.kind == "env" or "env" in shape.injected
    return "execute" if again else "recorded"


def _check_taken(parameters: Mapping[str, JSON], shape: Shape, shown: str) -> None:
    taken = [one.alias for one in shape.model.model_fields.values()]
    named = list(parameters.get("properties", {}))
    for name in named:
        if name not in taken and not shape.open:
            raise ReferenceProblem(f"{shown} takes no argument '{name}', which its `parameters:` name")
    for field, name in shape.fields.items():
        info = shape.model.model_fields[field]
        if info.is_required() and info.alias not in named:
            raise ReferenceProblem(f"{shown} needs the argument '{name}', which its `parameters:` do not name")
