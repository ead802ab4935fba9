"""What failing trials have in common: a check, a tag, a fact of the case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from harness.records import JSON, Outcome, Result
from harness.summary.facets import FailureGroup

By: TypeAlias = Literal["check", "tag", "metadata"]
#: By what a trial is grouped, and the group.
_Key: TypeAlias = tuple[By, str]

_ORDER: tuple[By, ...] = ("check", "tag", "metadata")


def failures(arms: Mapping[str, Sequence[Result]]) -> tuple[FailureGroup, ...]:
    """Return groups in which something failed, the largest of each kind first.

    A fact that no two cases share, or that all have, says nothing of why they fail, and makes no group.

    Args:
        arms: The trials of each variant.
    """
    counts: dict[_Key, dict[str, tuple[int, int]]] = {}
    telling = _telling(arms)
    for variant, results in arms.items():
        for result in results:
            for key, failed in _groups(result, telling):
                of = counts.setdefault(key, {})
                failing, asked = of.get(variant, (0, 0))
                of[variant] = (failing + failed, asked + 1)
    found = [
        FailureGroup(by=by, name=name, counts=of)
        for (by, name), of in counts.items()
        if any(failing for failing, _ in of.values())
    ]
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.by), -_failing(one), one.name)))


def _groups(result: Result, telling: frozenset[str]) -> Iterator[tuple[_Key, bool]]:
    if result.outcome not in (Outcome.PASSED, Outcome.FAILED):
        return
    failed = result.outcome is Outcome.FAILED
    for check in result.checks:
        if check.passed is not None and not check.soft:
            yield ("check", check.name), not check.passed
    for tag in dict.fromkeys(result.tags):
        yield ("tag", tag), failed
    for name, value in result.metadata.items():
        if name in telling:
            yield ("metadata", f"{name} = {_text(value)}"), failed


def _telling(arms: Mapping[str, Sequence[Result]]) -> frozenset[str]:
    """Names of facts by which cases fall into groups."""
    cases = {result.case: result.metadata for results in arms.values() for result in results}
    values: dict[str, list[str]] = {}
    for facts in cases.values():
        for name, value in facts.items():
            values.setdefault(name, []).append(_text(value))
    return frozenset(
        name
        for name, found in values.items()
        if len(set(found)) < len(found) and (len(set(found)) > 1 or len(found) < len(cases))
    )


def _failing(group: FailureGroup) -> int:
    return sum(failing for failing, _ in group.counts.values())


def _text(value: JSON) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
