"""The scorer that calls a function of the user's."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationInfo

from harness.errors import did_you_mean
from harness.functions import Function, awaited, in_thread, own_line, told
from harness.plugins import ScoreContext, Scorer, hookimpl, preparing
from harness.records import JSON, Score
from harness.scorers.arguments import shown, unscored

#: What a function may ask for by the names of its parameters.
INJECTED = ("output", "case", "expected", "vars", "transcript")

_SCORE_KEYS = ("value", "passed", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A function of the user's, and what its parameters ask for."""

    reference: str
    function: Function
    asks_for: tuple[str, ...]
    #: Parameters that only `args` can give: name -> whether it must.
    own: Mapping[str, bool]
    #: Whether it takes any keyword.
    open: bool
    is_async: bool


def _target(value: Any, info: ValidationInfo) -> Target:
    if not isinstance(value, str):
        raise ValueError("name a function: ./checks.py:function or package.module:function")  # noqa: TRY004 (pydantic)
    context = preparing(info)
    function = context.functions.load(value, place=context.place)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ValueError(f"the parameters of '{value}' cannot be read") from None
    asks_for, own, open_ended = [], {}, False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            open_ended = True
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            raise ValueError(f"'{value}' takes '{parameter.name}' by position only; arguments are given by name")
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            if parameter.name in INJECTED:
                asks_for.append(parameter.name)
            else:
                own[parameter.name] = parameter.default is parameter.empty
    return Target(
        reference=value,
        function=function,
        asks_for=tuple(asks_for),
        own=own,
        open=open_ended,
        is_async=inspect.iscoroutinefunction(function),
    )


class Python:
    """A function of yours scores the answer: `python: ./checks.py:no_refund_promised`, with `args: {limit: 0}`.

    The file is looked up beside the suite (installed code is `package.module:function`) and imported once; a file beside
    it can be imported from it. The function asks for what it needs by parameter name: `output` (the answer's text),
    `case` (id, input, expected, vars, metadata, tags), `expected`, `vars`, `transcript`; every other parameter comes from
    `args`. It may be `async`. It returns `True` or `False`; or a number from 0 to 1, which passes from `threshold` on
    (default 0.5); or either with a reason, as `(value, reason)`; or a mapping with `value`, `passed`, `reason`; or a
    `Score`. If it raises or returns anything else, text included, nothing was scored: the trial is an error of kind
    `ungraded`. Plain functions run in threads, so two may run at once.
    """

    name = "python"
    summary = "a Python function of yours scores the answer"
    Argument = Annotated[Any, PlainValidator(_target, json_schema_input_type=str)]

    def check_args(self, argument: Target, args: Mapping[str, JSON]) -> Iterable[str]:
        """Say which names in `args` the function does not take, and which it lacks."""
        for name in args:
            if name in argument.asks_for:
                yield f"'{name}' is given to {argument.reference} already; rename the parameter."
            elif name not in argument.own and not argument.open:
                hint = did_you_mean(name, list(argument.own))
                yield f"{argument.reference} takes no '{name}'.{f' {hint}' if hint else ''}"
        for name, needed in argument.own.items():
            if needed and name not in args:
                given = ", ".join(INJECTED)
                yield f"{argument.reference} needs '{name}': give it in args, or name a parameter one of {given}."

    async def score(self, context: ScoreContext, argument: Target) -> Score:
        call = partial(argument.function, **_arguments(context, argument))
        try:
            # Code that may block stays off the loop, whose other trials are being timed.
            returned = call() if argument.is_async else await in_thread(call)
            if inspect.isawaitable(returned):
                returned = await awaited(returned)
        except Exception as error:  # noqa: BLE001 (code of users may raise anything)
            return unscored(f"{argument.reference} raised {told(error)}{own_line(error, argument.function)}")
        return _score(returned, argument.reference)


def _arguments(context: ScoreContext, target: Target) -> dict[str, Any]:
    """Copies: what a function does to them must not reach the next check."""
    available: dict[str, Callable[[], Any]] = {
        "output": lambda: context.output,
        "case": lambda: copy.deepcopy(dict(context.case)),
        "expected": lambda: copy.deepcopy(context.expected),
        "vars": lambda: copy.deepcopy(dict(context.vars)),
        "transcript": lambda: context.transcript,
    }
    return {**{name: available[name]() for name in target.asks_for}, **copy.deepcopy(dict(context.args))}


def _score(returned: Any, reference: str) -> Score:
    reason = ""
    if isinstance(returned, Score):
        return returned
    if isinstance(returned, Mapping):
        return _mapped(returned, reference)
    if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], str):
        returned, reason = returned
    if isinstance(returned, bool):
        word = "true" if returned else "false"
        return Score(value=float(returned), passed=returned, reason=reason or f"{reference} returned {word}")
    if isinstance(returned, int | float):
        if not 0 <= returned <= 1 or math.isnan(returned):
            return unscored(f"{reference} returned {returned}; a score lies between 0 and 1")
        return Score(value=float(returned), passed=None, reason=reason or f"{reference} returned {returned}")
    what = "nothing" if returned is None else f"{type(returned).__name__} {shown(str(returned))}"
    return unscored(f"{reference} returned {what}; return True or False, or a number from 0 to 1")


def _mapped(returned: Mapping[Any, Any], reference: str) -> Score:
    unknown = [str(key) for key in returned if key not in _SCORE_KEYS]
    passed, value, reason = (returned.get(key) for key in ("passed", "value", "reason"))
    if unknown or (passed is None and value is None):
        what = f"unknown {', '.join(unknown)}" if unknown else "neither value nor passed"
        return unscored(f"{reference} returned a mapping with {what}; it has {', '.join(_SCORE_KEYS)}")
    if not isinstance(passed, bool | None) or (reason is not None and not isinstance(reason, str)):
        return unscored(f"{reference} returned a mapping whose passed is no boolean or whose reason is no text")
    scored = _score(value if value is not None else passed, reference)
    if scored.value is None:
        return scored
    return Score(
        value=scored.value,
        passed=scored.passed if passed is None else passed,
        reason=reason or scored.reason,
    )


@hookimpl
def harness_scorers() -> list[Scorer]:
    return [Python()]
