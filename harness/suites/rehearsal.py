"""A suite rehearsed: everything that could fail while rendering, found before anything is sent or paid for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from harness.errors import ConfigError, Problem, did_you_mean
from harness.functions import Place
from harness.plugins import Registry
from harness.records import JSON
from harness.suites.checks import CheckSpec
from harness.suites.rendering import Renderer
from harness.suites.suite import Case, Suite, Variant
from harness.templates.engine import has_template
from harness.tools.spec import nominal_name

#: Cases of a suite that are rendered in full; of the others, those that are unlike any of them.
PLAYED = 500

Found: TypeAlias = tuple[Hashable, Problem]


def rehearse(suite: Suite, *, renderer: Renderer, registry: Registry, place: Place) -> list[Problem]:
    """Render cases for every variant and validate their checks; return what is wrong, each thing once.

    Args:
        suite: What to rehearse.
        renderer: Renders prompts, inputs and arguments.
        registry: Knows what arguments the scorers take.
        place: Where paths in arguments are looked up.
    """
    found: dict[Hashable, Problem] = {}
    seen: set[Hashable] = set()
    shared = _shared(suite.cases)
    for problem in _mocks_of_nothing(suite):
        found.setdefault(problem.location, problem)
    for number, case in enumerate(suite.cases):
        shape = _shape(case, shared)
        if number < PLAYED or shape not in seen:
            seen.add(shape)
            for variant in suite.variants:
                for key, problem in _play(suite, case, variant, shared, renderer, registry, place):
                    found.setdefault(key, problem)
        else:
            # What is left of such a case is what it does not share with others: its own checks, which hold no template.
            for check in case.checks:
                if id(check) not in shared and not _templated(check):
                    for leaf in _leaves(check):
                        found.update(_complaints(check, leaf, case, shared, registry, place))
    return list(found.values())


def _play(
    suite: Suite,
    case: Case,
    variant: Variant,
    shared: frozenset[int],
    renderer: Renderer,
    registry: Registry,
    place: Place,
) -> Iterator[Found]:
    try:
        renderer.turns(suite, case, variant)
    except ConfigError as error:
        for problem in error.problems:
            # What a prompt lacks it lacks for every case: the first one is enough.
            yield (None if problem.location == case.where else problem.location, problem.message), problem
        return
    yield from _mocks(suite, case, variant, renderer)
    for check in case.checks:
        for leaf in _leaves(check):
            later = not leaf.literal and renderer.later(case, [leaf.argument, leaf.args])
            try:
                render = renderer.argument(suite, case, variant, where=leaf.where)
                argument = leaf.argument if leaf.literal else render(leaf.argument)
                rendered = replace(leaf, argument=argument, args=leaf.args and render(dict(leaf.args)))
            except ConfigError as error:
                for problem in () if later else error.problems:
                    yield (leaf.where, problem.message), _for(problem, case, check, shared)
                continue
            if later:
                # What it comes to only a trial knows.
                continue
            if argument in (None, "") and leaf.argument != argument:
                problem = Problem(message=f"`{leaf.scorer}: {leaf.argument}` is empty.", location=leaf.where)
                yield (leaf.where, problem.message), _for(problem, case, check, shared)
                continue
            yield from _complaints(check, rendered, case, shared, registry, place)


def _mocks(suite: Suite, case: Case, variant: Variant, renderer: Renderer) -> Iterator[Found]:
    """Render the mocks of a case; what depends on saved values only a trial knows."""
    for name, mocks in case.mocks.by_tool.items() if case.mocks else ():
        where = case.mocked_at.get(name, case.where)
        for value in (part for mock in mocks for part in (mock.result, mock.error, mock.when)):
            if renderer.later(case, value):
                continue
            try:
                renderer.argument(suite, case, variant, where=where)(value)
            except ConfigError as error:
                for problem in error.problems:
                    yield (where, problem.message), problem


def _mocks_of_nothing(suite: Suite) -> Iterator[Problem]:
    """Find mocks of tools that no variant has: the real one would run instead."""
    names: dict[str, None] = {}
    for variant in suite.variants:
        if any(tool.kind == "mcp" for spec in variant.assistant.everybody() for tool in spec.tools):
            return  # only the server knows what it has
        names.update(dict.fromkeys(str(one["name"]) for one in variant.offered))
        for spec in variant.assistant.everybody():
            names.update(dict.fromkeys(name for tool in spec.tools if (name := nominal_name(tool))))
    for case in suite.cases:
        for name in case.mocks.by_tool if case.mocks else ():
            if name not in names:
                hint = did_you_mean(name, list(names)) or f"There are: {', '.join(names) or 'none'}."
                message = f"`mocks:` has results of '{name}', and no variant has such a tool."
                yield Problem(message=message, location=case.mocked_at.get(name, case.where), hint=hint)


def _complaints(
    check: CheckSpec, leaf: CheckSpec, case: Case, shared: frozenset[int], registry: Registry, place: Place
) -> Iterator[Found]:
    for complaint in registry.complaints(
        leaf.scorer, leaf.argument, place=place, args=leaf.args, transform=leaf.transform
    ):
        problem = Problem(message=complaint.message, hint=complaint.hint, location=leaf.where)
        yield (leaf.where, problem.message), _for(problem, case, check, shared)


def _for(problem: Problem, case: Case, check: CheckSpec, shared: frozenset[int]) -> Problem:
    """Name the case in a problem that stands in a check of many cases."""
    if id(check) not in shared and not (case.literal and not check.literal):
        return problem
    message = f"{problem.message.rstrip('.')}, for the case '{case.id}' at {case.where}."
    return replace(problem, message=message)


def _shape(case: Case, shared: frozenset[int]) -> Hashable:
    """Return what two cases have in common whose templates fail, or do not fail, in the same way."""
    return (
        case.literal,
        type(case.expected) if case.expected not in (None, "") else None,
        frozenset(case.columns),
        frozenset(case.vars),
        frozenset(case.metadata),
        tuple(id(check) for check in case.checks if id(check) in shared or _templated(check)),
        () if case.literal else tuple(text for turn in case.turns for text in turn.inputs if has_template(text)),
    )


def _templated(check: CheckSpec) -> bool:
    return any(not leaf.literal and _holds_template((leaf.argument, leaf.args)) for leaf in _leaves(check))


def _holds_template(value: JSON) -> bool:
    if isinstance(value, str):
        return has_template(value)
    if isinstance(value, Mapping):
        return any(map(_holds_template, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_holds_template, value))


def _shared(cases: Sequence[Case]) -> frozenset[int]:
    if len(cases) < 2:
        return frozenset()
    return frozenset(map(id, cases[0].checks)) & frozenset(map(id, cases[-1].checks))


def _leaves(check: CheckSpec) -> Iterator[CheckSpec]:
    if not check.children:
        yield check
    for child in check.children:
        yield from _leaves(child)
