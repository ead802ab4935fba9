"""What a plugin can add, and where it is looked up: scorers, and the Python functions that suites name by path.

A plugin is a module or object with functions named like the hooks in `harness.hooks.Hooks`, announced by the entry point
group `harness`. The built-ins are registered through the same hooks. A registry is an object; who needs one is handed one.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from pydantic import TypeAdapter, ValidationError, ValidationInfo

from harness.errors import ConfigError, Problem, did_you_mean
from harness.functions import Functions, Place
from harness.hooks import Plugin, installed
from harness.hooks import hookimpl as hookimpl
from harness.records import JSON, Score, Transcript, TurnRecord

#: Keys of a check that are no scorer's name.
RESERVED = frozenset(
    {"not", "any_of", "all_of", "name", "weight", "threshold", "transform", "soft", "args", "scope"},
)

_SCORER_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PREPARED_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreContext:
    """What a scorer may look at: one turn, or a whole trial."""

    #: The answer's text, after the check's `transform`; the texts of all turns, joined by newlines, with `scope: all`.
    output: str
    transcript: Transcript
    #: The turns looked at: one, or all of them with `scope: all`.
    turns: tuple[TurnRecord, ...]
    #: The turn that the check stands under, counted from 1; None: it is a check of the whole trial.
    number: int | None
    #: The case as plain data: id, input, expected, vars, metadata, tags.
    case: Mapping[str, JSON]
    place: Place
    #: The check's `args`, rendered.
    args: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def turn(self) -> TurnRecord:
        """The last of the turns looked at."""
        return self.turns[-1]

    @property
    def expected(self) -> JSON:
        return self.case.get("expected")

    @property
    def vars(self) -> Mapping[str, JSON]:
        found: Mapping[str, JSON] = self.case.get("vars") or {}
        return found


class Scorer(Protocol):
    """Turns what happened in a trial into a score. Its docstring is its page in the docs."""

    @property
    def name(self) -> str:
        """What stands in `expect:`."""
        ...

    @property
    def summary(self) -> str:
        """One line for tables."""
        ...

    @property
    def Argument(self) -> Any:
        """A type that pydantic can validate.

        Its validators may prepare the argument (compile it, load a file); they find a `Preparing` in `info.context`.
        """
        ...

    def score(self, context: ScoreContext, argument: Any) -> Score | Awaitable[Score]: ...


@runtime_checkable
class TakesArgs(Protocol):
    """A scorer that uses a check's `args`; without this a check that has `args` is refused."""

    def check_args(self, argument: Any, args: Mapping[str, JSON]) -> Iterable[str]:
        """Say what is wrong with the names in `args` for a prepared argument."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """What validators of an argument find in `info.context`."""

    place: Place
    functions: Functions


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One thing wrong with a check; `loc` leads to it from the check's mapping, scorer's name first."""

    loc: tuple[str | int, ...]
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class InvalidArgument(ValueError):
    """A scorer's argument (or a transform) is not what it takes; every complaint is in `complaints`."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("; ".join(str(complaint) for complaint in self.complaints))


class Registry:
    """The scorers that suites may name, and the arguments prepared for them.

    Args:
        transform: a type that pydantic validates to a `Callable[[str], str]`: what `transform:` may be.
    """

    def __init__(self, *, transform: Any) -> None:
        self.functions = Functions()
        #: Everything that is registered: the built-ins first.
        self.plugins: list[Plugin] = []
        self._transform: TypeAdapter[Any] = TypeAdapter(transform)
        self._scorers: dict[str, Scorer] = {}
        self._sources: dict[str, str] = {}
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        self._prepared: dict[tuple[str, bool, str, Place], Any] = {}

    def add(self, scorer: Scorer, *, source: str) -> None:
        """Add a scorer. `source` says in messages and lists where it comes from.

        Raises:
            ConfigError: the name is taken, reserved or not lower_snake_case, or the object is no scorer.
        """
        name = getattr(scorer, "name", None)
        wrong = [part for part in ("name", "summary", "Argument", "score") if not hasattr(scorer, part)]
        if wrong or not isinstance(name, str):
            raise ConfigError(
                Problem(message=f"{source}: {scorer!r} is no scorer: it lacks {', '.join(wrong) or 'a text name'}"),
            )
        if name in RESERVED or not _SCORER_NAME.fullmatch(name):
            raise ConfigError(Problem(message=f"{source}: {name!r} cannot be a scorer's name", hint="Rename it."))
        if name in self._scorers:
            raise ConfigError(
                Problem(message=f"{source}: scorer {name!r} exists already, from {self._sources[name]}"),
            )
        self._scorers[name] = scorer
        self._sources[name] = source

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._scorers)

    def source(self, name: str) -> str:
        """Where the scorer comes from: `built-in`, or the plugin."""
        return self._sources[name]

    def __contains__(self, name: object) -> bool:
        return name in self._scorers

    def get(self, name: str) -> Scorer:
        """Return the scorer.

        Raises:
            InvalidArgument: there is none of that name; the complaint suggests the nearest.
        """
        found = self._scorers.get(name)
        if found is None:
            hint = did_you_mean(name, [*self._scorers, "not", "any_of", "all_of"])
            raise InvalidArgument(
                [
                    Complaint(
                        loc=(name,),
                        message=f"unknown scorer '{name}'.",
                        hint=hint or "`harness list scorers` shows all.",
                    )
                ],
            )
        return found

    @property
    def transforms(self) -> TypeAdapter[Any]:
        """What a check's `transform` may be."""
        return self._transform

    def prepare(self, name: str, argument: JSON, *, place: Place) -> Any:
        """Validate a rendered argument and return what the scorer's `score` takes; equal arguments are prepared once.

        Raises:
            InvalidArgument: it does not fit, or names a file or function that cannot be used.
        """
        if name not in self._adapters:
            self._adapters[name] = TypeAdapter(self.get(name).Argument)
        return self._validated(self._adapters[name], argument, name=name, place=place)

    def transform(self, argument: JSON, *, place: Place) -> Any:
        """Prepare a check's `transform`: a function from text to text.

        Raises:
            InvalidArgument: there is no such transform.
        """
        return self._validated(self._transform, argument, name="transform", place=place)

    def complaints(
        self,
        name: str,
        argument: JSON,
        *,
        place: Place,
        args: Mapping[str, JSON] | None = None,
        transform: str | None = None,
    ) -> list[Complaint]:
        """Say everything that is wrong with a check whose argument holds no template (any more)."""
        found: list[Complaint] = []
        try:
            scorer = self.get(name)
        except InvalidArgument as error:
            return list(error.complaints)
        if transform is not None:
            try:
                self.transform(transform, place=place)
            except InvalidArgument as error:
                found += error.complaints
        if args is not None and not isinstance(scorer, TakesArgs):
            found.append(Complaint(loc=("args",), message=f"'{name}' takes no args."))
        try:
            prepared = self.prepare(name, argument, place=place)
        except InvalidArgument as error:
            return [*error.complaints, *found]
        if isinstance(scorer, TakesArgs):
            found += [Complaint(loc=("args",), message=message) for message in scorer.check_args(prepared, args or {})]
        return found

    def _validated(self, adapter: TypeAdapter[Any], argument: JSON, *, name: str, place: Place) -> Any:
        text = isinstance(argument, str)
        key = (name, text, argument if text else repr(argument), place)
        if key in self._prepared:
            return self._prepared[key]
        try:
            value = adapter.validate_python(argument, context=Preparing(place=place, functions=self.functions))
        except ValidationError as error:
            raise InvalidArgument(_complaints(error, name)) from None
        if len(self._prepared) >= _PREPARED_LIMIT:
            self._prepared.clear()
        self._prepared[key] = value
        return value


def preparing(info: ValidationInfo) -> Preparing:
    """Return what a validator of an argument needs to prepare it."""
    context = info.context
    if not isinstance(context, Preparing):
        raise TypeError("arguments of scorers are validated by a Registry")
    return context


def registry_of(builtins: Iterable[object], *, transform: Any, entry_points: bool = True) -> Registry:
    """Build a registry from objects that implement `Hooks`, and from installed plugins.

    Args:
        builtins: registered first, as `built-in`.
        transform: see `Registry`.
        entry_points: also load the plugins that installed distributions announce.

    Raises:
        ConfigError: a plugin cannot be loaded, raises, or adds what exists already.
    """
    registry = Registry(transform=transform)
    for plugin in [*(Plugin("built-in", one) for one in builtins), *(installed() if entry_points else ())]:
        registry.plugins.append(plugin)
        for scorer in plugin.gather("harness_scorers"):
            registry.add(scorer, source=plugin.source)
    return registry


def _complaints(error: ValidationError, name: str) -> list[Complaint]:
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        loc = (name, *detail["loc"])
        cause = detail.get("ctx", {}).get("error")
        if detail["type"] == "extra_forbidden":
            found.append(Complaint(loc=loc, message=f"unknown key '{loc[-1]}' in '{name}'."))
        elif detail["type"] == "missing":
            found.append(Complaint(loc=loc[:-1], message=f"'{name}' needs '{loc[-1]}'."))
        elif isinstance(cause, Exception):
            found.append(Complaint(loc=loc, message=f"{name}: {cause}"))
        else:
            found.append(Complaint(loc=loc, message=f"{name}: {detail['msg'][:1].lower()}{detail['msg'][1:]}."))
    return found
