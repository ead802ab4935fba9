"""How an answer ended, where that bears on what its checks can say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.records import Failure, Transcript
from harness.suites.checks import CheckSpec

_FILTERED = "content_filter"
_LENGTH = "length"
#: Scorers that look at how an answer ended: a case that has one knows that it may be filtered.
_ABOUT_ENDINGS = frozenset({"finish_reason", "refused"})


def withheld(checks: Sequence[CheckSpec], transcript: Transcript) -> Failure | None:
    """Return why no check may decide: the service's content filter withheld an answer, and no check is about that.

    Args:
        checks: The case's.
        transcript: What was said.
    """
    turns = [number for number, reason in enumerate(_reasons(transcript), 1) if reason == _FILTERED]
    if not turns or any(check.scorer in _ABOUT_ENDINGS for check in _all(checks)):
        return None
    where = f" of turn {turns[0]}" if len(transcript.turns) > 1 else ""
    return Failure(
        kind="filtered",
        message=f"the service's content filter withheld the answer{where}, so no check was made. A case that expects it "
        f"says so with `finish_reason: {_FILTERED}`, or with `refused`.",
    )


def cut_short(transcript: Transcript) -> bool:
    """Whether an answer ended because it reached the longest length that was allowed."""
    return _LENGTH in _reasons(transcript)


def _reasons(transcript: Transcript) -> list[str | None]:
    return [turn.finish_reason for turn in transcript.turns] or [transcript.finish_reason]


def _all(checks: Sequence[CheckSpec]) -> Iterator[CheckSpec]:
    for check in checks:
        yield check
        yield from _all(check.children)
