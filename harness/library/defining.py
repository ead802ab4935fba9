"""An assistant from the arguments of `harness.Assistant`, checked by the code that checks suites."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from harness.errors import ConfigError, Problem, SourceLocation, UsageError, did_you_mean
from harness.functions import Function, Functions, Place
from harness.project.project import Project
from harness.records import JSON
from harness.suites.apis import TAKES
from harness.suites.fields import AssistantFields, SuiteFields
from harness.suites.suite import MODEL_APIS, AssistantSpec, Variant
from harness.suites.variants import VariantReader
from harness.suites.written import PlacedData
from harness.templates.engine import Templates
from harness.validation import validate

#: Asked where neither a model nor an address of its own is named.
DEFAULT_MODEL = "gpt-4.1-mini"
_SHOWN = "Assistant"
#: Settings that go by another name here, or belong to what is no model.
_ELSEWHERE = frozenset({"prompt", "system", "target", "args", "lifecycle", *TAKES["http"], *TAKES["outputs"]})
_SETTINGS = (frozenset(AssistantFields.model_fields) - _ELSEWHERE) | {
    "api",
    "model",
    "timeout",
    "api_key_env",
    "assistants",
}
#: A setting as messages about suites name it.
_KEY = re.compile(rf"`({'|'.join(sorted(_SETTINGS | {'tools', 'parameters', 'name', 'files'}))}): ?([^`]*)`")
_INSTEAD = {
    "system": "Write `instructions=`.",
    "prompt": "Write `instructions=`; prompts of the project belong to suites.",
    "id": "Write `assistant_id=`.",
    "lifecycle": "Use `with Assistant(...) as ai:`, or `create()` and `delete()`.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined:
    """An assistant whose settings are sound."""

    name: str
    spec: AssistantSpec
    #: Rendered.
    instructions: str
    metadata: Mapping[str, JSON]
    functions: Functions
    place: Place


def checked(name: str, value: Any) -> Any:
    """Return an argument as it is kept.

    Raises:
        UsageError: It is wrong.
    """
    if name in ("name", "instructions"):
        return _text(name, value)
    if name in ("tools", "files"):
        return _several(name, value)
    return _mapping(name, value) if name in ("variables", "metadata") else value


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise UsageError(f"{_SHOWN}: `{name}=` should be a mapping with texts as keys, not {value!r}")
    return value or {}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or (name == "name" and not value.strip()):
        raise UsageError(f"{_SHOWN}: `{name}=` should be a text, not {value!r}")
    return value


def _several(name: str, value: Any) -> list[Any]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise UsageError(f"{_SHOWN}: `{name}=` should be a list, not {value!r}")
    return list(value)


def defined(
    project: Project,
    *,
    name: str,
    instructions: str,
    variables: Mapping[str, JSON],
    metadata: Mapping[str, JSON],
    tools: Sequence[Any],
    files: Sequence[Any],
    env: Any,
    settings: Mapping[str, Any],
    place: Place,
) -> Defined:
    """Check an assistant's arguments.

    Args:
        project: The project around the caller.
        name: What it is called.
        instructions: A template.
        variables: What it may name besides `self_`.
        metadata: Facts about it, for `self_`, and for services that keep them.
        tools: Functions, and entries as under `tools:` in a suite.
        files: Paths of what the service's own tools work on.
        env: Class, instance or reference of the world that tools act on; None: there is none.
        settings: As in a suite.
        place: Where relative paths start.

    Raises:
        UsageError: An argument is wrong; every problem is named.
    """
    functions = project.registry.functions
    planter = _Planter(functions)
    known = _known(settings)
    planter.plain("metadata", metadata)
    value: dict[str, Any] = {"suite": name, "cases": [], **{key: planter.plain(key, one) for key, one in known.items()}}
    value["tools"] = _with_files([planter.tool(one) for one in tools], [planter.plain("files", one) for one in files])
    if env is not None:
        value["env"] = planter.world(env)
    if not {"model", "assistant_id", "base_url"} & value.keys():
        value["model"] = DEFAULT_MODEL
    document = PlacedData(path=_SHOWN, value=value)
    fields = validate(document, SuiteFields)
    variants: Sequence[Variant] = ()
    if fields is not None and not document.problems:
        variants = VariantReader(document, place=place, registry=project.registry, prompts=project.prompts).read(fields)
    if document.problems:
        raise _wrong(document.problems)
    variant = variants[0]
    spec = variant.assistant
    own = {
        "name": name,
        "model": spec.model,
        "tools": [dict(one) for one in variant.offered],
        "instructions": instructions,
        "metadata": dict(metadata),
    }
    try:
        rendered = Templates().render_stripped(
            instructions, {**variables, "self_": own}, where=SourceLocation("instructions")
        )
    except ConfigError as error:
        raise _wrong(error.problems, argument="instructions") from None
    return Defined(
        name=name,
        spec=spec,
        instructions=rendered,
        metadata=dict(metadata),
        functions=functions,
        place=place,
    )


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    for key in settings:
        if key not in _SETTINGS:
            hint = _INSTEAD.get(key) or did_you_mean(key, sorted(_SETTINGS | {"instructions", "tools", "name"}))
            raise UsageError(f"{_SHOWN}: unknown argument '{key}'.{f' {hint}' if hint else ''}")
    api = settings.get("api")
    if api is not None and api not in MODEL_APIS:
        raise UsageError(f"{_SHOWN}: `api=` is responses, chat or threads, not {api!r}")
    return {key: value for key, value in settings.items() if value is not None}


class _Planter:
    """Turns Python values into what a suite file would hold; functions get names under which they are found again."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._given: dict[str, Function] = {}

    def plain(self, name: str, value: Any) -> JSON:
        if isinstance(value, PurePath):
            return str(value)
        if isinstance(value, Mapping):
            return {str(key): self.plain(name, one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.plain(name, one) for one in value]
        if value is None or isinstance(value, (str, int, float)):
            return value
        raise UsageError(f"{_SHOWN}: `{name}=` holds a {type(value).__name__}, which is no plain data")

    def tool(self, value: Any) -> JSON:
        if isinstance(value, Mapping):
            return {
                str(key): self._reference(one) if callable(one) else self.plain("tools", one)
                for key, one in value.items()
            }
        return {"function": self._reference(value)} if callable(value) else self.plain("tools", value)

    def world(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        return self._reference(value if callable(value) else lambda: value, name=type(value).__name__)

    def _reference(self, function: Function, *, name: str | None = None) -> str:
        name = getattr(function, "__name__", None) or type(function).__name__ if name is None else name
        reference, number = name, 1
        while self._given.setdefault(reference, function) is not function:
            number += 1
            reference = f"{name}#{number}"
        self._functions.give(reference, function)
        return reference


def _with_files(tools: list[JSON], files: Sequence[JSON]) -> list[JSON]:
    """Give files to the service's own tools; where there is none, they are searched."""
    if not files:
        return tools
    own = ("code_interpreter", "file_search")
    if not any(one in own for one in tools):
        tools = [*tools, "file_search"]
    return [{one: list(files)} if one in own else one for one in tools]


def _wrong(problems: Sequence[Problem], *, argument: str | None = None) -> UsageError:
    """Say what is wrong in the words of Python: arguments instead of keys."""
    said = []
    for problem in problems:
        text = f"{problem.message} {problem.hint}" if problem.hint else problem.message
        text = _KEY.sub(lambda found: f"`{found[1]}={found[2]}`", text)
        text = text.replace(" is set for this variant.", " is given.")
        said.append(f"`{argument}=`: {text}" if argument else text)
    return UsageError(f"{_SHOWN}: " + "\n".join(dict.fromkeys(said)))
