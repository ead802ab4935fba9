"""What recordings give reason to say about a variant: what was left over, what changed since, how old they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from harness.records import JSON, Result
from harness.summary import phrases

#: What the name of a model's snapshot adds to the name that was asked for: a date, or a version.
_SNAPSHOT = re.compile(r"[-@:]v?[0-9][0-9.-]*\Z")
_DAY = 86400.0


def differing(results: Iterable[Result]) -> tuple[int, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return how many trials were compared with their recordings, and how those that differ do, by their ids."""
    found: list[tuple[str, tuple[str, ...]]] = []
    compared = 0
    for result in results:
        if isinstance(result.extra.get("verify"), dict):
            compared += 1
            if lines := differences_of(result):
                found.append((result.id, lines))
    return compared, tuple(found)


def differences_of(result: Result) -> tuple[str, ...]:
    """Return how a trial differs from its recording, a line each; nothing where it does not, or nobody compared it."""
    told = result.extra.get("verify")
    return _texts(told.get("differences")) if isinstance(told, dict) else ()


def remarks(results: Sequence[Result], *, model: str | None, started: str, max_age: float | None) -> tuple[str, ...]:
    """Return what has to be said of a variant's recordings, one line each; none of it changes an outcome.

    Args:
        results: All its trials.
        model: Which model its assistant asks for.
        started: When the run started, ISO 8601.
        max_age: Seconds after which a recording is old; None: none ever is.
    """
    found: list[str] = []
    unused = [result for result in results if result.extra.get("unused")]
    if unused:
        trials = phrases.count(len(unused), "trial")
        found.append(f"{trials} did not make every recorded call, first {unused[0].id} (an error with --strict)")
    changed = Counter(text for result in results for text in _texts(result.extra.get("stale")))
    found += [f"{text} ({phrases.count(number, 'trial')})" for text, number in changed.items()]
    snapshots = _snapshots(results, model)
    if len(snapshots) > 1:
        found.append(f"answered by different snapshots of {model}: {', '.join(snapshots)}")
    old = [result for result in results if _age(result, started) > (max_age or float("inf"))]
    if old:
        oldest = int(max(_age(result, started) for result in old) // _DAY)
        limit = f"{(max_age or 0) / _DAY:g} days"
        found.append(
            f"{phrases.count(len(old), 'recording')} older than {limit} (cassette_max_age), the oldest {oldest} days"
        )
    return tuple(found)


def _snapshots(results: Iterable[Result], model: str | None) -> tuple[str, ...]:
    """The snapshots that answered for one name of a model."""
    answered = dict.fromkeys(result.model for result in results if result.model)
    return tuple(one for one in answered if model and one.startswith(model) and _SNAPSHOT.match(one[len(model) :]))


def _age(result: Result, started: str) -> float:
    """Seconds from a trial's recording to the run that replays it; 0 where either is not known."""
    if result.cassette is None or result.cassette.mode != "replayed" or not result.cassette.recorded_at:
        return 0.0
    then, now = _moment(result.cassette.recorded_at), _moment(started)
    return (now - then).total_seconds() if then is not None and now is not None else 0.0


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list | tuple) else ()
