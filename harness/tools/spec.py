"""What a suite says about a tool, read from `tools:`; nothing is loaded yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ValidationError

from harness.errors import did_you_mean
from harness.records import JSON
from harness.tools.entries import (
    BUILTIN,
    NAME,
    REPLAYS,
    AssistantEntry,
    DeclaredEntry,
    EnvEntry,
    FunctionEntry,
    McpEntry,
    Replay,
)

Kind: TypeAlias = Literal["function", "env", "builtin", "mcp", "assistant", "declared"]
Loc: TypeAlias = tuple[str | int, ...]

_KINDS: Mapping[str, type[BaseModel]] = {
    "function": FunctionEntry,
    "env": EnvEntry,
    "mcp": McpEntry,
    "assistant": AssistantEntry,
}
_MODELS: tuple[type[BaseModel], ...] = (*_KINDS.values(), DeclaredEntry)
_KEYS = sorted({key for model in _MODELS for key in model.model_fields})
_FORMS = (
    "Write ./tools.py:function, env:METHOD, a tool of the service such as file_search, or a mapping with "
    "`function:`, `env:`, `mcp:`, `assistant:`, or `name:` and `parameters:`."
)
#: What a value should be, by the start of pydantic's name for the error.
_SHOULD = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "bool": "true or false",
    "tuple": "a list",
    "mapping": "a mapping",
    "dict": "a mapping",
    "model": "a mapping",
    "too_short": "a list that is not empty",
}


class Complain(Protocol):
    """Notes what is wrong: where (below what is read), what, and what to do about it."""

    def __call__(self, loc: Loc, message: str, hint: str | None = None, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """One entry of `tools:`."""

    kind: Kind
    #: `./tools.py:search`, `env:METHOD`, or an assistant's name.
    reference: str | None = None
    #: What the model calls it, as far as the entry says so.
    name: str | None = None
    description: str | None = None
    #: JSON Schema of the arguments, where it was written out.
    parameters: Mapping[str, JSON] | None = None
    strict: bool = False
    pure: bool = False
    replay: Replay | None = None
    #: Of a tool of the service: as the service takes them. Of an MCP server: `command` and `env`, or `url`.
    options: Mapping[str, JSON] = field(default_factory=dict)
    #: Paths beside the suite.
    files: tuple[str, ...] = ()
    #: Names of an MCP server's tools; None: all.
    allow: tuple[str, ...] | None = None

    @property
    def method(self) -> str:
        """The world's method that `env:METHOD` names."""
        return (self.reference or "").removeprefix("env:")

    def plain(self) -> dict[str, JSON]:
        """Return what the entry says, as plain data."""
        found: dict[str, JSON] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value not in (None, False, (), {}):
                found[one.name] = list(value) if isinstance(value, tuple) else value
        return found

    def written(self) -> JSON:
        """Return the entry as it can stand under `tools:`; read again, it is the same."""
        said = {
            key: value for key, value in self.plain().items() if key not in ("kind", "reference", "options", "files")
        }
        if self.kind == "function":
            return {"function": self.reference, **said} if said else self.reference
        if self.kind == "env":
            return {"env": self.method, **said} if said else self.reference
        if self.kind == "mcp":
            return {"mcp": dict(self.options), **said}
        if self.kind == "assistant":
            named = {key: value for key, value in said.items() if key != "name" or value != self.reference}
            return {"assistant": self.reference, **named}
        if self.kind == "declared":
            return said
        if self.options:
            return {self.name: {**({"files": list(self.files)} if self.files else {}), **self.options}}
        return {self.name: list(self.files)} if self.files else self.name


def read_tools(given: JSON, complain: Complain) -> tuple[ToolSpec, ...]:
    """Read what stands under `tools:`; what is wrong is told, with its place below it, and left out.

    Args:
        given: Plain data.
        complain: Is told every problem.
    """
    if not isinstance(given, list | tuple):
        complain((), "`tools:` is a list.", _FORMS)
        return ()
    found: list[ToolSpec] = []
    names: dict[str, int] = {}
    for index, value in enumerate(given):
        spec = _read_one(value, (index,), complain)
        if spec is None:
            continue
        name = nominal_name(spec)
        if name is not None and name in names:
            first = names[name] + 1
            complain(
                (index,),
                f"two tools are called '{name}': entry {first} and entry {index + 1}.",
                "Give one of them a `name:` of its own." if spec.kind in ("function", "env") else "Remove one.",
            )
            continue
        if name is not None:
            names[name] = index
        found.append(spec)
    return tuple(found)


def nominal_name(spec: ToolSpec) -> str | None:
    """Return what a tool is called as far as its entry tells; None for a server of several."""
    if spec.kind == "mcp":
        return None
    if spec.kind == "env":
        return spec.name or spec.method
    if spec.kind == "function":
        return spec.name or (spec.reference or "").rpartition(":")[2].rpartition(".")[2]
    return spec.name


def _read_one(value: JSON, loc: Loc, complain: Complain) -> ToolSpec | None:
    if isinstance(value, str):
        return _short(value, loc, complain)
    if not isinstance(value, Mapping) or not value:
        complain(loc, "this is no tool.", _FORMS)
        return None
    kinds = [key for key in _KINDS if key in value]
    if len(kinds) > 1:
        complain(loc, f"one entry is one tool, and this has {' and '.join(f'`{kind}:`' for kind in kinds)}.")
        return None
    if kinds:
        entry = _validated(_KINDS[kinds[0]], value, loc, complain)
        return None if entry is None else _of_entry(entry, loc, complain)
    if "name" in value:
        declared = _validated(DeclaredEntry, value, loc, complain)
        return None if declared is None else _of_entry(declared, loc, complain)
    return _builtin(value, loc, complain)


def _short(text: str, loc: Loc, complain: Complain) -> ToolSpec | None:
    if text.startswith("env:"):
        return _of_entry(EnvEntry(env=text[4:] or "?"), loc, complain)
    if ":" in text:
        return ToolSpec(kind="function", reference=text)
    if re.match(BUILTIN, text):
        return ToolSpec(kind="builtin", name=text)
    complain(loc, f"'{text}' is no tool.", _FORMS)
    return None


def _builtin(value: Mapping[str, JSON], loc: Loc, complain: Complain) -> ToolSpec | None:
    unknown = [str(key) for key in value if key not in _KEYS]
    [name] = unknown if len(unknown) == 1 else [""]
    if len(value) != 1 or not re.match(BUILTIN, name):
        for key in unknown:
            complain((*loc, key), f"unknown key '{key}'.", did_you_mean(key, _KEYS) or _FORMS)
        if not unknown:
            complain(loc, "this is no tool: it has neither a `function:` nor a `name:`.", _FORMS)
        return None
    options = value[name]
    if options is None or isinstance(options, list | tuple):
        return _with_files(ToolSpec(kind="builtin", name=name), options or [], {}, (*loc, name), complain)
    if isinstance(options, Mapping):
        rest = {key: one for key, one in options.items() if key != "files"}
        files = options.get("files", [])
        return _with_files(ToolSpec(kind="builtin", name=name), files, rest, (*loc, name), complain)
    complain(
        (*loc, name),
        f"`{name}:` should be a list of files or a mapping of options.",
        did_you_mean(name, [*_KINDS, "name"]),
    )
    return None


def _with_files(
    spec: ToolSpec, files: JSON, options: Mapping[str, JSON], loc: Loc, complain: Complain
) -> ToolSpec | None:
    if not isinstance(files, list | tuple):
        complain(loc, "`files:` is a list of paths beside the suite.")
        return None
    wrong = [index for index, path in enumerate(files) if not isinstance(path, str) or not path]
    for index in wrong:
        complain((*loc, index), "a file is a path beside the suite, such as data/handbook.pdf.")
    if wrong:
        return None
    return ToolSpec(kind=spec.kind, name=spec.name, files=tuple(files), options=dict(options))


def _of_entry(entry: BaseModel, loc: Loc, complain: Complain) -> ToolSpec | None:
    if isinstance(entry, McpEntry):
        options = entry.mcp.model_dump(mode="json", exclude_defaults=True)
        return ToolSpec(kind="mcp", options=options, allow=entry.allow, replay=entry.replay)
    if isinstance(entry, AssistantEntry):
        return _named(
            ToolSpec(
                kind="assistant",
                reference=entry.assistant,
                name=entry.name or entry.assistant,
                description=entry.description,
            ),
            loc,
            complain,
        )
    if isinstance(entry, DeclaredEntry):
        if not _sound_schema(entry.parameters, (*loc, "parameters"), complain):
            return None
        return ToolSpec(
            kind="declared",
            name=entry.name,
            description=entry.description,
            parameters=entry.parameters,
            strict=entry.strict,
        )
    if isinstance(entry, EnvEntry):
        method = entry.env.removeprefix("env:")
        if not method.isidentifier() or method.startswith("_"):
            complain(loc, f"'{method}' is no public method of a world.", "Write env:METHOD.")
            return None
        return _described(entry, "env", f"env:{method}", loc, complain)
    assert isinstance(entry, FunctionEntry)
    if entry.function.startswith("env:"):
        complain((*loc, "function"), f"'{entry.function}' is no function.", f"Write `env: {entry.function[4:]}`.")
        return None
    return _described(entry, "function", entry.function, loc, complain)


def _described(
    entry: FunctionEntry | EnvEntry, kind: Kind, reference: str, loc: Loc, complain: Complain
) -> ToolSpec | None:
    if entry.parameters is not None and not _sound_schema(entry.parameters, (*loc, "parameters"), complain):
        return None
    return ToolSpec(
        kind=kind,
        reference=reference,
        name=entry.name,
        description=entry.description,
        parameters=entry.parameters,
        strict=entry.strict,
        pure=entry.pure,
        replay=entry.replay,
    )


def _named(spec: ToolSpec, loc: Loc, complain: Complain) -> ToolSpec | None:
    if spec.name is not None and not re.match(NAME, spec.name):
        complain(loc, f"'{spec.name}' cannot be a tool's name.", "Give it a `name:` of letters, digits, _ and -.")
        return None
    return spec


def _sound_schema(schema: Mapping[str, JSON], loc: Loc, complain: Complain) -> bool:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator

    if schema.get("type", "object") != "object":
        complain(loc, "the arguments of a tool are an object.", "Write `type: object`, and `properties:`.")
        return False
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        complain((*loc, *error.absolute_path), f"this is no JSON Schema: {error.message[:200]}.")
        return False
    return True


def _validated(model: type[BaseModel], value: Mapping[str, JSON], loc: Loc, complain: Complain) -> BaseModel | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
    for one in wrong:
        inner = _inside(value, one["loc"])
        complain((*loc, *inner), *_told(model, one, inner))
    return None


def _inside(value: Any, loc: Iterable[str | int]) -> Loc:
    """Return the steps of a path that exist in the data, and the first that does not where it is a key."""
    found: list[str | int] = []
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
        found.append(step)
    return tuple(found)


def _told(model: type[BaseModel], error: Any, inner: Loc) -> tuple[str, str | None]:
    name, kind = error["loc"][-1] if error["loc"] else None, error["type"]
    if kind == "extra_forbidden":
        owner: Any = model if len(error["loc"]) == 1 else model.model_fields[str(error["loc"][0])].annotation
        return f"unknown key '{name}'.", did_you_mean(str(name), list(owner.model_fields))
    if kind == "missing":
        return f"`{name}:` is missing here.", None
    if kind == "value_error":
        return f"{error['msg'].removeprefix('Value error, ')}.", None
    key = next((step for step in reversed(inner) if isinstance(step, str)), None)
    if kind == "literal_error":
        *others, last = REPLAYS
        return (
            f"`{key}:` should be {', '.join(others)} or {last}, not '{error['input']}'.",
            did_you_mean(str(error["input"]), list(REPLAYS)),
        )
    if kind == "string_pattern_mismatch":
        what = "an address such as https://host/mcp" if key == "url" else "at most 64 letters, digits, _ and -"
        return f"`{key}:` should be {what}, not '{error['input']}'.", None
    what = next((words for start, words in _SHOULD.items() if kind.startswith(start)), error["msg"])
    return f"`{key}:` should be {what}.", None
