"""A Python function as a model sees it: name, description, and a JSON Schema of its arguments."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeAlias

from harness.functions import Function, ReferenceProblem
from harness.records import JSON
from harness.tools.docstrings import Docstring, read_docstring
from harness.tools.strict import strict_schema, untitled

#: Parameters that a trial fills in, and that no model sees.
INJECTED = frozenset({"env", "session"})

JSONSchema: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a function is described, and how its arguments are given to it."""

    name: str
    description: str
    #: JSON Schema of the arguments, from type hints.
    parameters: Mapping[str, JSON]
    #: A pydantic model of the arguments, with fields named as in `fields`.
    model: Any
    #: The model's field to the function's parameter.
    fields: Mapping[str, str]
    #: Parameters that are given by position.
    positional: tuple[str, ...]
    #: Which of `INJECTED` it takes.
    injected: frozenset[str]
    #: Parameters that get pydantic's default where the model gives none.
    defaulted: frozenset[str]
    #: It takes arguments of any name.
    open: bool


def shape_of(function: Function, *, shown: str, bound: bool = False, explicit: bool = False) -> Shape:
    """Describe a function by its signature, type hints and docstring.

    Args:
        function: Any callable.
        shown: How messages name it.
        bound: The first parameter is the object whose method it is.
        explicit: Its schema is written elsewhere: parameters need no type hints.

    Raises:
        ReferenceProblem: Its parameters cannot be described; the message says which and what to do.
    """
    parameters = _parameters(function, shown, bound=bound)
    hints = _hints(function, shown)
    said = read_docstring(_doc(function), [one.name for one in parameters])
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    for number, one in enumerate(parameters):
        if one.name in INJECTED or not _usable(one, shown, explicit=explicit):
            continue
        if one.name not in hints and not explicit:
            raise ReferenceProblem(
                f"{shown}: the parameter '{one.name}' has no type hint; write one, such as `{one.name}: str`, "
                "or give the tool its `parameters:`"
            )
        field = f"argument_{number}"
        names[field] = one.name
        fields[field] = _field(one, hints.get(one.name, Any), said)
    model = _model(fields, shown, open=_takes_any(parameters))
    return Shape(
        name=_name(function),
        description=said.summary,
        parameters={} if explicit else _schema(model, shown),
        model=model,
        fields=names,
        positional=tuple(one.name for one in parameters if one.kind is one.POSITIONAL_ONLY),
        injected=frozenset(one.name for one in parameters if one.name in INJECTED),
        defaulted=frozenset(one.name for one in parameters if _is_field(one.default)),
        open=_takes_any(parameters),
    )


def strictly(parameters: Mapping[str, JSON], *, shown: str) -> JSONSchema:
    """Return a schema as services take it with `strict`: nothing but what is named, and all of it required.

    Raises:
        ReferenceProblem: It describes a mapping with keys of any name, which cannot be strict.
    """
    try:
        return strict_schema(parameters)
    except ValueError as error:
        raise ReferenceProblem(f"{shown} cannot be `strict`: {error}") from None


def _parameters(function: Function, shown: str, *, bound: bool) -> Sequence[inspect.Parameter]:
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise ReferenceProblem(f"{shown}: its parameters cannot be read; wrap it in a function of your own") from None
    return found[1:] if bound else found


def _hints(function: Function, shown: str) -> dict[str, Any]:
    target: Any = function.func if isinstance(function, partial) else function
    if inspect.isclass(target):
        target = target.__init__
    elif not inspect.isroutine(target):
        target = type(target).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        raise ReferenceProblem(
            f"{shown}: a type hint names '{error.name}', which is not known when the tool runs; import it for real, "
            "not only under TYPE_CHECKING"
        ) from None
    except Exception as error:  # noqa: BLE001 (hints are somebody's code)
        raise ReferenceProblem(f"{shown}: its type hints cannot be read: {type(error).__name__}: {error}") from None


def _usable(parameter: inspect.Parameter, shown: str, *, explicit: bool) -> bool:
    """Say whether a parameter takes a named argument.

    Raises:
        ReferenceProblem: It takes any number, and nothing says what.
    """
    if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return True
    stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
    if not explicit:
        raise ReferenceProblem(
            f"{shown}: a model cannot be told about {stars}{parameter.name}; name each parameter, or give the tool its "
            "`parameters:`"
        )
    return False


def _takes_any(parameters: Sequence[inspect.Parameter]) -> bool:
    return any(one.kind is one.VAR_KEYWORD for one in parameters)


def _field(parameter: inspect.Parameter, hint: Any, said: Docstring) -> Any:
    from pydantic import Field
    from pydantic.fields import FieldInfo

    metadata = getattr(hint, "__metadata__", ())
    own = [one for one in (*metadata, parameter.default) if isinstance(one, FieldInfo)]
    settings: dict[str, Any] = {"alias": next((one.alias for one in own if one.alias), parameter.name)}
    if not any(one.description for one in own):
        words = next((one for one in metadata if isinstance(one, str)), None)
        settings["description"] = words or said.parameters.get(parameter.name)
    default = ... if parameter.default is parameter.empty else parameter.default
    return (Annotated[hint, Field(**settings)], default)


def _is_field(default: Any) -> bool:
    from pydantic.fields import FieldInfo

    return isinstance(default, FieldInfo)


def _model(fields: Mapping[str, Any], shown: str, *, open: bool) -> Any:
    from pydantic import ConfigDict, create_model
    from pydantic.errors import PydanticUserError

    config = ConfigDict(extra="allow" if open else "forbid", protected_namespaces=())
    build: Callable[..., Any] = create_model
    try:
        return build("Arguments", __config__=config, **fields)
    except (PydanticUserError, TypeError, NameError) as error:
        said = str(error).splitlines()[0]
        raise ReferenceProblem(f"{shown}: a type of its parameters cannot be checked: {said}") from None


def _schema(model: Any, shown: str) -> JSONSchema:
    from pydantic.errors import PydanticInvalidForJsonSchema
    from pydantic.json_schema import GenerateJsonSchema

    class Quiet(GenerateJsonSchema):
        def emit_warning(self, kind: Any, detail: str) -> None:
            """A default that JSON cannot hold is left out, and nobody needs to hear of it."""

    try:
        found = untitled(model.model_json_schema(schema_generator=Quiet))
    except PydanticInvalidForJsonSchema as error:
        said = str(error).splitlines()[0]
        raise ReferenceProblem(f"{shown}: a type of its parameters has no JSON Schema: {said}") from None
    return {"type": "object", "properties": {}, **found}


def _doc(function: Function) -> str | None:
    if isinstance(function, partial):
        return inspect.getdoc(function.func)
    if not inspect.isroutine(function) and not inspect.isclass(function):
        return inspect.getdoc(type(function).__call__) or inspect.getdoc(type(function))
    return inspect.getdoc(function)


def _name(function: Function) -> str:
    target: Any = function.func if isinstance(function, partial) else function
    return str(getattr(target, "__name__", type(target).__name__))
