"""What to do next after a comparison, as short sentences with a command where there is one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.records import Outcome, Result
from harness.stats.verdicts import Verdict
from harness.summary import phrases
from harness.summary.facets import Flip
from harness.summary.pairing import Pairing
from harness.summary.speed import RECORDED

#: Cases that a sentence names.
_NAMED = 3
#: Kinds of errors: a recording is missing, or is of another conversation; a file of answers has none.
_UNRECORDED, _UNANSWERED = frozenset({"cassette_miss", "cassette_unused", "tool_not_recorded"}), "no_output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advising:
    """What advice rests on."""

    #: Path of the suite's file, for commands; empty: there is none.
    shown: str
    b: str
    verdict: Verdict | None
    margin_given: bool
    pairing: Pairing
    flips: Sequence[Flip]
    #: Why nothing is said about latency; empty: it is.
    withheld: str
    trials: Sequence[Result]
    #: Variants from elsewhere: nothing that is recorded here changes their trials.
    elsewhere: Sequence[str] = ()

    def sentences(self) -> Iterator[str]:
        """Yield what to do, what stands in the way of a verdict first."""
        yield from self._recordings()
        yield from self._dropped()
        if self.verdict is not None:
            yield from self._verdict(self.verdict)
        if self.withheld and RECORDED in self.withheld:
            yield "To compare latency, record both arms on one day, one machine and at one concurrency."

    def _command(self, command: str, *more: str) -> str:
        return f"`{' '.join(['harness', command, *([shlex.quote(self.shown)] if self.shown else []), *more])}`"

    def _recordings(self) -> Iterator[str]:
        unused = sum(bool(result.extra.get("unused")) for result in self._own)
        if unused:
            yield f"{_resting(unused)} no longer match: {self._command('record', '--only-stale')} makes them anew."
        # Requests are as they were, so that only a rewrite makes these again.
        stale = sum(bool(result.extra.get("stale")) and not result.extra.get("unused") for result in self._own)
        if stale:
            what = "were made before the assistant or a tool changed"
            yield f"{_resting(stale)} {what}: {self._command('record', '--rewrite')} makes them anew."

    @property
    def _own(self) -> list[Result]:
        return [result for result in self.trials if result.variant not in self.elsewhere]

    def _dropped(self) -> Iterator[str]:
        errors: dict[str, dict[str, None]] = {}
        there: dict[str, None] = {}
        for one in (one for pair in self.pairing.dropped for one in pair):
            if one.outcome is Outcome.ERROR and one.error is not None:
                if one.variant in self.elsewhere:
                    there[one.case] = None
                else:
                    errors.setdefault(one.error.kind, {})[one.case] = None
        if there:
            yield f"Errors on the other side took {_names(there)} out of both arms: nothing recorded here changes that."
        if not errors and not there and self.pairing.dropped:
            yield f"Skipped trials took {phrases.count(len(self.pairing.dropped_cases), 'case')} out of both arms."
        if _UNRECORDED & errors.keys():
            yield f"{self._command('record', '--only-stale')} records what is missing or no longer matches."
        if unanswered := errors.pop(_UNANSWERED, None):
            yield f"Add answers to {_names(unanswered)} to the file that `outputs:` names."
        others = {kind: cases for kind, cases in errors.items() if kind not in _UNRECORDED}
        if others:
            taken = _names({case: None for cases in others.values() for case in cases})
            kinds, again = _names(others), self._command("record")
            yield f"Errors ({kinds}) took {taken} out of both arms: {again} tries them again."

    def _verdict(self, verdict: Verdict) -> Iterator[str]:
        broken = [flip.case for flip in self.flips if flip.broken]
        match verdict.kind:
            case "better":
                if broken:
                    yield f"Before you merge {self.b}, read {self._broken(broken)}: `harness report --open`."
                else:
                    yield f"{self.b} broke no case: merge it."
            case "worse":
                yield f"Do not merge {self.b} as it is: read {self._broken(broken)} with `harness report --open`."
            case "equivalent" | "not_worse":
                yield f"Decide between them by cost, latency and {self._broken(broken)}: `harness report --open`."
            case "no_evidence":
                yield "More of the same cases will hardly tell them apart: decide by cost and latency."
            case "not_enough_data":
                yield self._more(verdict)
        if not self.margin_given:
            yield "Choose `margin:` in the suite before the next run: the smallest difference that matters to you."

    def _broken(self, broken: Sequence[str]) -> str:
        if not broken:
            return "the cases"
        what = "the broken case" if len(broken) == 1 else "the broken cases"
        return f"{what} {phrases.names(broken, most=_NAMED)}"

    def _more(self, verdict: Verdict) -> str:
        needed = verdict.needed or 1
        return (
            f"Add about {needed:,} {'case' if needed == 1 else 'cases'}, or settle for a larger difference: "
            f"{self._command('plan', '--effect', f'{verdict.margin:g}')} says what it takes."
        )


def _names(found: Iterable[str]) -> str:
    return phrases.names(list(found), most=_NAMED)


def _resting(number: int) -> str:
    """So many trials and their recordings, up to the verb."""
    return "1 trial rests on recordings that" if number == 1 else f"{number:,} trials rest on recordings that"
