"""What went wrong, gathered in one pass over the results: the trials worth showing, and errors that are the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.records import Outcome, Result
from harness.summary import RunSummary, SuiteSummary

#: Different messages kept per suite; what comes after them is counted under its kind.
_MESSAGES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Trials that ended in the same error."""

    kind: str
    message: str
    where: str | None
    count: int
    #: The id of the first.
    trial: str
    #: Whether any of them makes the run fail.
    decides: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What went wrong in one suite."""

    #: Failed trials that make the run fail, the first ones in plan order.
    deciding: tuple[Result, ...] = ()
    deciding_count: int = 0
    #: Failed trials of candidates that count in a gate only.
    missed: tuple[Result, ...] = ()
    missed_count: int = 0
    #: Largest first.
    errors: tuple[ErrorGroup, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Gathering:
    deciding_ids: frozenset[str]
    error_ids: frozenset[str]
    candidates: frozenset[str]
    deciding: list[Result] = field(default_factory=list)
    deciding_count: int = 0
    missed: list[Result] = field(default_factory=list)
    missed_count: int = 0
    errors: dict[tuple[str, str], ErrorGroup] = field(default_factory=dict)


def gather(summary: RunSummary, results: Iterable[Result], *, limit: int) -> Mapping[str, Findings]:
    """Return what went wrong, by suite.

    Args:
        summary: Says what decides.
        results: The run's results; read once, at most `limit` trials of a sort are kept.
        limit: Trials to keep per suite and sort; the rest is counted.
    """
    suites = {suite.name: _gathering(suite) for suite in summary.suites}
    for result in results:
        found = suites.get(result.suite)
        if found is None:
            continue
        if result.outcome is Outcome.ERROR:
            _error(found, result)
        elif result.outcome is Outcome.FAILED:
            _failure(found, result, limit)
    return {
        name: Findings(
            deciding=tuple(found.deciding),
            deciding_count=found.deciding_count,
            missed=tuple(found.missed),
            missed_count=found.missed_count,
            errors=tuple(sorted(found.errors.values(), key=lambda group: -group.count)),
        )
        for name, found in suites.items()
    }


def _gathering(suite: SuiteSummary) -> _Gathering:
    return _Gathering(
        deciding_ids=frozenset(suite.deciding_failures),
        error_ids=frozenset(suite.deciding_errors),
        candidates=frozenset(variant.name for variant in suite.variants if variant.role == "candidate"),
    )


def _failure(found: _Gathering, result: Result, limit: int) -> None:
    if result.id in found.deciding_ids:
        found.deciding_count += 1
        if len(found.deciding) < limit:
            found.deciding.append(result)
    elif result.variant in found.candidates:
        found.missed_count += 1
        if len(found.missed) < limit:
            found.missed.append(result)


def _error(found: _Gathering, result: Result) -> None:
    kind = result.error.kind if result.error else "unknown"
    message = result.error.message if result.error else ""
    if (kind, message) not in found.errors and len(found.errors) >= _MESSAGES:
        message = "(other messages)"
    known = found.errors.get((kind, message))
    found.errors[kind, message] = ErrorGroup(
        kind=kind,
        message=message,
        where=known.where if known else result.error.where if result.error else None,
        count=known.count + 1 if known else 1,
        trial=known.trial if known else result.id,
        decides=result.id in found.error_ids or (known is not None and known.decides),
    )
