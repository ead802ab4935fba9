"""The trials of a suite as a page carries them: columns of numbers, and texts by their number.

assets/data.js reads what is written here. -1 stands for no text, 0 for an empty list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.jsontext import json_text
from harness.records import JSON, CheckResult, Outcome, Result
from harness.reports import anchors, notes, spoken, standing
from harness.reports.packing import Strings, column, thousandths
from harness.suites.names import slug
from harness.summary import SuiteSummary
from harness.summary.parts import time_of

OUTCOMES = (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED)
_NUMBERS = {outcome: number for number, outcome in enumerate(OUTCOMES)}
#: Different openings that are cut last, as prompts are; further ones are made for their case.
_SHARED_OPENINGS = 60
#: Facts that a page shows in a form of its own.
_SHOWN = frozenset({"files", "time", "recorded"})


class Columns:
    """The trials of one suite while they come in."""

    def __init__(self, suite: SuiteSummary) -> None:
        self._suite = suite
        self._deciding = frozenset(suite.deciding_failures + suite.deciding_errors)
        self._changed = standing.changed(suite)
        self._variants = {name: number for number, name in enumerate(standing.ordered(suite))}
        self.strings = Strings()
        self._taken = anchors.Taken()
        self._cases: dict[str, _Case] = {}
        self._names: tuple[str, ...] = ()
        self._trials: list[tuple[JSON, ...]] = []
        self._checks: dict[tuple[JSON, ...], int] = {}
        self._openings: dict[tuple[tuple[str, str], ...], int] = {}

    def add(self, result: Result, start: int) -> None:
        """Take in a trial, whose case begins with the message `start` (see `openings.length`)."""
        case = self._cases.get(result.case)
        if case is None:
            place = self._taken.one(anchors.case(result.suite, result.case))
            case = self._cases[result.case] = _Case(len(self._cases), result, place)
        decides = result.id in self._deciding
        case.deciding |= decides
        case.outcomes.add(result.outcome)
        values: dict[str, JSON] = {
            "case": case.number,
            "variant": self._variants.setdefault(result.variant, len(self._variants)),
            "repeat": result.repeat,
            "outcome": _NUMBERS[result.outcome],
            "decides": int(decides),
            **self._measured(result),
            **self._said(result, start),
            **self._made(result),
        }
        self._names = tuple(values)
        self._trials.append(tuple(values.values()))

    def cases(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield name, place and states of every case, those that need a look first."""
        for case in self._ordered():
            yield case.name, case.place, self._states(case)

    def data(self) -> Mapping[str, JSON]:
        """Return everything but the texts."""
        share = self.strings.share
        roles = {variant.name: variant.role for variant in self._suite.variants}
        first = standing.baseline(self._suite)
        return {
            "suite": self.strings.share(self._suite.name),
            "variants": [
                [self.strings.share(name), roles.get(name, "candidate"), slug(name)] for name in self._variants
            ],
            "baseline": self._variants.get(first, -1),
            "counts": [len(self._cases), len(self._trials)],
            "cases": self._case_columns(),
            "checks": [list(check) for check in self._checks],
            "openings": [
                [
                    [share(role), (self.strings.share if number < _SHARED_OPENINGS else self.strings.add)(text)]
                    for role, text in one
                ]
                for number, one in enumerate(self._openings)
            ],
            "trials": dict(zip(self._names, map(column, zip(*self._trials, strict=True)), strict=True)),
        }

    def _case_columns(self) -> dict[str, JSON]:
        add, share = self.strings.add, self.strings.share
        rows = [
            {
                "name": share(case.name),
                "place": 0 if case.place == f"{anchors.suite(self._suite.name)}/{case.name}" else case.place,
                "tags": [share(tag) for tag in case.first.tags],
                "metadata": [[share(str(key)), share(json_text(value))] for key, value in case.first.metadata.items()],
                "input": add(notes.plain(case.first.input)),
                "states": sum(1 << standing.STATES.index(state) for state in self._states(case)),
                "rank": standing.rank(self._states(case)),
            }
            for case in self._cases.values()
        ]
        return {name: column([row[name] for row in rows]) for name in rows[0]} if rows else {}

    def _ordered(self) -> list[_Case]:
        return sorted(self._cases.values(), key=lambda case: standing.rank(self._states(case)))

    def _states(self, case: _Case) -> list[str]:
        if case.states is None:
            changes = self._changed.get(case.name, ())
            case.states = standing.states(case.outcomes, changes, deciding=case.deciding)
        return case.states

    def _measured(self, result: Result) -> dict[str, JSON]:
        usage, time = result.usage, time_of(result)
        return {
            "latency": thousandths(result.latency),
            "ttft": thousandths(result.ttft),
            "time": [thousandths(part) for part in time] if time else 0,
            "cost": None if result.cost is None else float(result.cost),
            "judge": None if result.judge_cost is None else float(result.judge_cost),
            "tokens": [usage.input, usage.output, usage.cached_input or 0, usage.reasoning or 0],
            "attempts": result.attempts,
            "score": None if result.score is None else round(result.score, 4),
        }

    def _said(self, result: Result, start: int) -> dict[str, JSON]:
        opening = tuple((message.role, message.content) for message in result.messages[:start])
        said = tuple(text for role, text in opening if role == "user")
        examples = len(said) if result.turns and result.turns[0].input[: len(said)] == said else 0
        return {
            "output": -1 if result.output is None else self.strings.add(result.output),
            "opening": self._openings.setdefault(opening, len(self._openings)) if opening else -1,
            "messages": spoken.messages(result, start, self.strings) if _talk(result, start) else 0,
            "turns": spoken.turns(result, examples, self.strings) if len(result.turns) > 1 else 0,
            "shown": [[name, self.strings.add(json_text(value))] for name, value in _data(result)] or 0,
        }

    def _made(self, result: Result) -> dict[str, JSON]:
        share, add = self.strings.share, self.strings.add
        error, prompt = result.error, result.prompt
        return {
            "checks": [number for check in result.checks for number in self._check(check)],
            "error": [share(error.kind), add(error.message), share(error.where or "")] if error else 0,
            "model": share(result.model or ""),
            "finish": share(result.finish_reason or ""),
            "prompt": share(" ".join(part for part in (prompt.ref, prompt.hash[:12]) if part) if prompt else ""),
            "cassette": self._cassette(result),
            "recorded": [[add(str(key)), add(json_text(value))] for key, value in _mapping(result, "recorded").items()]
            or 0,
            "files": [add(path) for path in _files(result)] or 0,
        }

    def _cassette(self, result: Result) -> JSON:
        """Folder, file (-1: named after the case and the repeat), mode, and when it was made."""
        cassette = result.cassette
        if cassette is None:
            return 0
        folder, _, file = cassette.path.rpartition("/")
        named = file == f"{result.case}.{result.repeat}.yaml"
        place = [self.strings.share(folder), -1 if named else self.strings.add(file)]
        return [*place, cassette.mode, self.strings.add(cassette.recorded_at or "")]

    def _check(self, check: CheckResult) -> tuple[int, int, int]:
        """Which check it was, what came of it, and why."""
        share = self.strings.share
        name = check.name if check.name == check.scorer else f"{check.name} ({check.scorer})"
        known = (share(name), share(check.where or ""), int(check.soft), check.turn or 0)
        number = self._checks.setdefault(known, len(self._checks))
        state = 2 if check.passed is None else int(not check.passed)
        return number, state, self.strings.add(check.reason)


class _Case:
    """A case while its trials come in."""

    __slots__ = ("deciding", "first", "name", "number", "outcomes", "place", "states")

    def __init__(self, number: int, first: Result, place: str) -> None:
        self.number, self.first, self.name, self.place = number, first, first.case, place
        self.deciding = False
        self.outcomes: set[Outcome] = set()
        self.states: list[str] | None = None


def _talk(result: Result, start: int) -> bool:
    """Whether more was said than the input and the answer."""
    said = [(one.role, one.content) for one in result.messages[start:] if not (one.attachments or one.annotations)]
    return said != [("user", result.input), ("assistant", result.output)] or bool(result.tool_calls)


def _data(result: Result) -> Iterator[tuple[str, JSON]]:
    if result.state:
        yield "state", result.state
    rest = {key: value for key, value in result.extra.items() if key not in _SHOWN}
    if rest:
        yield "facts", rest


def _files(result: Result) -> Iterator[str]:
    kept = result.extra.get("files")
    for path in kept if isinstance(kept, list | tuple) else ():
        # A target may say anything under `extra`; only what a run keeps itself is linked.
        if isinstance(path, str) and path.startswith("files/") and ".." not in path and ":" not in path:
            yield path


def _mapping(result: Result, name: str) -> Mapping[str, Any]:
    found = result.extra.get(name)
    return found if isinstance(found, Mapping) else {}
